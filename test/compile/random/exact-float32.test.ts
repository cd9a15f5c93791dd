import { testShard } from './shard.js';

testShard({
  numbers: { exact: true, dtype: 'float32', scale: 1 },
  from: 0,
  count: 2500,
  atLeast: 100,
});
