// Tests onAbort, which adds only one listener to a signal, even if the signal can abort many runs.
import { expect, it, vi } from 'vitest';
import { onAbort } from '../../src/compile/aborts.js';
import { add, compile, initializers, input, matmul, parameter, sum } from '../../src/index.js';

it('adds one listener to a signal, and removes it with the last callback', () => {
  const { signal } = new AbortController();
  const added = vi.spyOn(signal, 'addEventListener');
  const removed = vi.spyOn(signal, 'removeEventListener');
  const withdrawals = Array.from({ length: 100 }, () => onAbort(signal, () => undefined));
  expect(added).toHaveBeenCalledTimes(1);
  for (const withdraw of withdrawals.slice(1)) withdraw();
  expect(removed).toHaveBeenCalledTimes(0);
  withdrawals[0]?.();
  expect(removed).toHaveBeenCalledTimes(1);
  onAbort(signal, () => undefined);
  expect(added).toHaveBeenCalledTimes(2);
});

it('calls each callback once, in order, and none that was withdrawn', () => {
  const controller = new AbortController();
  const called: number[] = [];
  const withdrawals = [1, 2, 3].map((n) => onAbort(controller.signal, () => called.push(n)));
  withdrawals[1]?.();
  controller.abort();
  controller.abort();
  expect(called).toEqual([1, 3]);
  for (const withdraw of withdrawals) withdraw();
});

it('one signal aborts 1,000 queued runs with one listener', async () => {
  // Each run takes so long that only a few end before the abort.
  const w = parameter('w', { shape: [500, 500], init: initializers.constant(1) });
  const x = input('x', [1]);
  const program = compile({ outputs: { y: add(sum(matmul(w, matmul(w, w))), x) }, threads: 1 });
  const controller = new AbortController();
  const added = vi.spyOn(controller.signal, 'addEventListener');
  const runs = Array.from({ length: 1000 }, () =>
    program.runAsync({ x: [1] }, { signal: controller.signal }),
  );
  controller.abort(new Error('enough'));
  const ended = await Promise.allSettled(runs);
  const reasons = ended.flatMap((run) => (run.status === 'rejected' ? [run.reason.message] : []));
  expect(new Set(reasons)).toEqual(new Set(['enough']));
  expect(added).toHaveBeenCalledTimes(1);
});

it.each(['addEventListener', 'removeEventListener'] as const)(
  'a signal whose %s throws rejects the run, which then holds no parameter',
  async (method) => {
    const w = parameter('w', [1]);
    const program = compile({ outputs: { y: add(input('x', [1]), w) } });
    const { signal } = new AbortController();
    signal[method] = () => {
      throw new Error('not today');
    };
    await expect(program.runAsync({ x: [1] }, { signal })).rejects.toThrow('not today');
    w.set([2]);
    expect((await program.runAsync({ x: [1] })).y.item()).toBe(3);
  },
);
