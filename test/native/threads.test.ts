// Tests the number of threads in a process, as the system reports it. There must never be more threads than requested,
// OpenBLAS must not start any, and there must not be more concurrent runs than processors.
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { child } from './child.js';

const script = `
  import { readdirSync, readFileSync } from 'node:fs';
  import { readFile } from 'node:fs/promises';
  import { Worker } from 'node:worker_threads';
  const threads = () => readdirSync('/proc/self/task').length;
  // libuv starts its threads only when they first have work, so this read starts them before they are counted.
  await readFile(new URL('file:///proc/self/status'));
  const before = threads();
  // The processors that this process may use, as a list such as "0-3,8".
  const [, list] = /^Cpus_allowed_list:\\s*(\\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  const sizes = list.split(',').map((range) => { const [from, to = from] = range.split('-'); return to - from + 1; });
  const allowed = sizes.reduce((sum, size) => sum + size, 0);
  const count = () => threads() - before;
  const counts = { blas: [fb.nativeInfo().blas.threads], loaded: count(), allowed, processors: fb.getThreads() };
  const x = fb.parameter('x', fb.Tensor.full([512, 512], 0.001));
  const make = (factor) => fb.compile({ outputs: { y: fb.sum(fb.matmul(fb.exp(fb.matmul(x, fb.mul(x, factor))), x)) } });
  fb.setThreads(6);
  const program = make(1);
  counts.pool = [1, 3, 2, 3, 6].map((threads) => {
    fb.setThreads(threads);
    program.run();
    return count();
  });
  fb.setThreads(1);
  await program.runAsync();
  counts.one = count();
  const flights = Array.from({ length: 100 }, (_, i) => make(i).runAsync());
  counts.many = count();
  await Promise.all(flights);
  counts.manyDone = count();
  counts.blas.push(addon().describe().blas.threads);
  console.log(JSON.stringify(counts));
`;

describe.skipIf(!existsSync('/proc/self/task'))('the threads of a process', () => {
  it.each([{}, { OPENBLAS_NUM_THREADS: '8', OMP_NUM_THREADS: '8' }])(
    'are the ones that setThreads allows, and a few that run programs (%j)',
    (env) => {
      const { status, stdout, stderr } = child(script, env);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const { blas, loaded, allowed, processors, pool, one, many, manyDone } = JSON.parse(stdout);
      expect(blas).toEqual([1, 1]);
      expect(loaded).toBe(0);
      // The calling thread also computes, so n threads need n - 1 new ones. Threads do not end when n becomes smaller.
      expect(pool).toEqual([0, 2, 2, 2, 5]);
      expect(one).toBe(6);
      expect(processors).toBeLessThanOrEqual(allowed);
      const most = Math.max(4, processors);
      expect(many).toBe(5 + most);
      expect(manyDone).toBe(many);
    },
  );
});
