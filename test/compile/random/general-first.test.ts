import { testShard } from './shard.js';

testShard({
  numbers: { exact: false, dtype: 'float64', scale: 1 },
  from: 0,
  count: 2600,
  atLeast: 100,
});
