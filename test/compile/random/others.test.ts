// Tests random graphs with any float32 numbers, and large graphs whose work is split among threads.
import { testShard } from './shard.js';

testShard({
  numbers: { exact: false, dtype: 'float32', scale: 1 },
  from: 0,
  count: 500,
  atLeast: 0,
});

for (const exact of [true, false]) {
  testShard({
    numbers: { exact, dtype: 'float64', scale: 23 },
    from: 0,
    count: 60,
    atLeast: 0,
    threads: 2,
  });
}
