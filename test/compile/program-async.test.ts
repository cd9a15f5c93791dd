// Tests asynchronous runs: their order, aborts, leaves that several programs share, and several steps in one call.
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/compile/program.js';
import { stepper } from '../../src/compile/stepper.js';
import {
  add,
  constant,
  evaluate,
  input,
  log,
  matmul,
  mul,
  type Node,
  NumericError,
  parameter,
  randomNormal,
  StateError,
  setSeed,
  state,
  sum,
  Tensor,
  tensor,
  ValueError,
} from '../../src/index.js';
import { sharedArray } from '../../src/tensor/dtype.js';
import { errorOf } from '../support.js';

/** Returns a node that takes some milliseconds to compute: the sum of the result of a chain of matrix products. */
function slow(seed: Node, links = 40): Node {
  const weight = constant(Tensor.full([192, 192], 1 / 192));
  let x: Node = matmul(Tensor.ones([192, 192]), weight);
  x = add(x, mul(seed, 0));
  for (let link = 0; link < links; link++) x = matmul(add(x, seed), weight);
  return sum(x);
}

/** Returns a slow program that counts its runs in the state `w`: each run adds 1 to it. */
function counter(name: string, links = 40) {
  const w = state(name, 0);
  const work = slow(mul(w, 0), links);
  const program = compile({ outputs: { before: w, work }, updates: [[w, add(w, 1)]] });
  return { w, program };
}

const settled = async (promises: Promise<unknown>[]) =>
  (await Promise.allSettled(promises)).map(({ status }) => status);

describe('runAsync', () => {
  it('resolves to the same results as run', async () => {
    const x = input('x', ['n', 2]);
    const program = compile({ outputs: { y: mul(x, 3), x } });
    const promise = program.runAsync({ x: [[1, 2]] });
    expect(promise).toBeInstanceOf(Promise);
    const { y } = await promise;
    expect(y).toEqual(program.run({ x: [[1, 2]] }).y);
    expect(y.data.buffer).toBeInstanceOf(ArrayBuffer);
    expect(program.runs).toBe(2);
  });

  it('copies its feeds before it returns, so they may be changed or transferred', async () => {
    const x = input('x', [2]);
    const program = compile({ outputs: { y: add(x, 1), work: slow(sum(mul(x, 0))) } });
    const feeds = [1, 2, 3].map((value) => tensor(new Float32Array([value, 2 * value])));
    const promises = feeds.map((fed) => program.runAsync({ x: fed }));
    feeds[1]?.data.fill(99);
    const taken = feeds[2]?.data as Float32Array;
    structuredClone(taken, { transfer: [taken.buffer as ArrayBuffer] });
    const results = await Promise.all(promises);
    expect(results.map(({ y }) => y.toArray())).toEqual([
      [2, 3],
      [3, 5],
      [4, 7],
    ]);
  });

  it('queues runs in the order of the calls, across bindings and failures', async () => {
    const x = input('x', ['n']);
    const w = state('w', 0);
    const program = compile({
      outputs: { before: w, y: log(x), work: slow(mul(w, 0), 5) },
      updates: [[w, add(w, 1)]],
    });
    const order: number[] = [];
    const promises = [[1], [1, 2], [0], [1], [1, 2, 3], [1]].map((fed, index) => {
      const promise = program.runAsync({ x: fed }, { checkFinite: true });
      return promise.finally(() => order.push(index));
    });
    expect(program.runs).toBe(0);
    expect(await settled(promises)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
      'fulfilled',
    ]);
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
    const befores = await Promise.all(
      promises.filter((_, index) => index !== 2).map(async (p) => (await p).before.item()),
    );
    expect(befores).toEqual([0, 1, 2, 3, 4]);
    expect(program.runs).toBe(5);
    await expect(promises[2]).rejects.toThrow(NumericError);
    await expect(promises[2]).rejects.toThrow(/^run 2: \[log #\d+\] is -Infinity at \[0\]/);
  });

  it('does not block the event loop', async () => {
    const { program } = counter('w', 400);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await program.runAsync();
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(2);
  });

  it('makes run throw a StateError meanwhile, without an effect on either run', async () => {
    const { program, w } = counter('w');
    const promise = program.runAsync();
    for (const use of [
      () => program.run(),
      () => program.profile(),
      () => {
        program.runs = 7;
      },
    ]) {
      const error = errorOf(use);
      expect(error).toBeInstanceOf(StateError);
      expect(error.message).toMatch(/: the program is busy, a run of it is in flight;/);
    }
    await promise;
    expect(program.run().before.item()).toBe(1);
    expect([w.value.item(), program.runs]).toEqual([2, 2]);
  });

  it('counts only the runs that succeed, and draws depend on the count', async () => {
    setSeed(2);
    const draw = randomNormal([4]);
    const program = compile({ outputs: { draw, work: slow(sum(mul(draw, 0)), 400) } });
    const abort = new AbortController();
    const promises = [0, 1, 2, 3].map((index) =>
      program.runAsync({}, index === 1 ? { signal: abort.signal } : {}),
    );
    abort.abort();
    const results = await Promise.allSettled(promises);
    const drawn = results.flatMap((r) => (r.status === 'fulfilled' ? [r.value.draw.data] : []));
    expect(drawn).toEqual([0, 1, 2].map((run) => evaluate(draw, {}, { run }).data));
    expect(program.runs).toBe(3);
    program.runs = 0;
    expect((await program.runAsync()).draw.data).toEqual(drawn[0]);
  });
});

describe('an abort', () => {
  const reason = new Error('enough');

  it('before the call rejects with its reason, and runs nothing', async () => {
    const { program, w } = counter('w');
    await expect(program.runAsync({}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect([w.value.item(), program.runs]).toEqual([0, 0]);
  });

  it('during the run ends it early, and changes nothing', async () => {
    const { program, w } = counter('w', 2000);
    const abort = new AbortController();
    const promise = program.runAsync({}, { signal: abort.signal });
    // Without an abort, the run would take at least half a second.
    setTimeout(() => abort.abort(reason), 10);
    await expect(promise).rejects.toBe(reason);
    expect([w.value.item(), program.runs]).toEqual([0, 0]);
    program.dispose();
  });

  it('while its feeds are read rejects, too', async () => {
    const x = input('x', []);
    const w = state('w', 0);
    const program = compile({ outputs: {}, updates: [[w, add(w, x)]] });
    const abort = new AbortController();
    const feeds = {
      get x() {
        abort.abort(reason);
        return tensor(1);
      },
    };
    await expect(program.runAsync(feeds, { signal: abort.signal })).rejects.toBe(reason);
    expect([w.value.item(), program.runs]).toEqual([0, 0]);
  });

  it('of a queued run removes only that run from the queue', async () => {
    // The first run takes so long that it is still in progress when the abort removes the second run from the queue.
    const { program, w } = counter('w', 400);
    const abort = new AbortController();
    const promises = [undefined, abort.signal, undefined].map((signal) =>
      program.runAsync({}, { signal }),
    );
    abort.abort(reason);
    abort.abort(new Error('again'));
    expect(await settled(promises)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    await expect(promises[1]).rejects.toBe(reason);
    expect([w.value.item(), program.runs]).toEqual([2, 2]);
  });

  it('after the run does nothing, and its listener is removed', async () => {
    const { program } = counter('w', 2);
    const abort = new AbortController();
    const listeners = new Set<unknown>();
    const { signal } = abort;
    const [on, off] = [signal.addEventListener, signal.removeEventListener];
    signal.addEventListener = (...given: Parameters<typeof on>) => {
      listeners.add(given[1]);
      on.apply(signal, given);
    };
    signal.removeEventListener = (...given: Parameters<typeof off>) => {
      listeners.delete(given[1]);
      off.apply(signal, given);
    };
    await program.runAsync({}, { signal });
    expect(listeners.size).toBe(0);
    abort.abort(reason);
    await new Promise((done) => setTimeout(done, 5));
    expect(program.runs).toBe(1);
  });

  it('at any time either prevents all changes or comes after the run', async () => {
    const { program, w } = counter('w', 3);
    let done = 0;
    for (let round = 0; round < 200; round++) {
      const abort = new AbortController();
      const promise = program.runAsync({}, { signal: abort.signal });
      const wait = round % 20;
      if (wait > 0) await new Promise((go) => setTimeout(go, wait / 20));
      abort.abort(reason);
      const [status] = await settled([promise]);
      if (status === 'fulfilled') done++;
      expect([w.value.item(), program.runs]).toEqual([done, done]);
    }
    expect(done).toBeLessThan(200);
  });

  it.each([3, 'signal', {}, null])('needs a signal, not %j', async (signal) => {
    const { program } = counter('w', 1);
    await expect(program.runAsync({}, { signal: signal as never })).rejects.toThrow(ValueError);
  });
});

describe('programs that share leaves', () => {
  it('train one after another, in the order of the calls', async () => {
    const w = state('w', 1);
    const double = compile({
      outputs: { work: slow(mul(w, 0), 20) },
      updates: [[w, mul(w, 2)]],
    });
    const increment = compile({ outputs: {}, updates: [[w, add(w, 1)]] });
    const promises = [double, increment, double, increment, increment].map((p) => p.runAsync());
    // A synchronous run of another program keeps the order, too: it waits for the earlier runs that write `w`.
    const triple = compile({ outputs: { w }, updates: [[w, mul(w, 3)]] });
    expect(triple.run().w.item()).toBe(8);
    await Promise.all(promises);
    expect(w.value.item()).toBe(24);
  });

  it('never read a partial update', async () => {
    const [a, b] = [state('a', Tensor.zeros([1000])), state('b', Tensor.zeros([1000]))];
    const writer = compile({
      outputs: {},
      updates: [
        [a, add(a, 1)],
        [b, add(b, 1)],
      ],
    });
    const reader = compile({ outputs: { a, b, work: slow(mul(sum(a), 0), 2) } });
    const writes = Array.from({ length: 60 }, () => writer.runAsync());
    const reads = Array.from({ length: 60 }, () => reader.runAsync());
    for (let i = 0; i < 20; i++) {
      const { a: left, b: right } = evaluate({ a, b });
      expect(new Set([...left.data, ...right.data]).size).toBe(1);
    }
    for (const { a: left, b: right } of await Promise.all(reads)) {
      expect(new Set([...left.data, ...right.data]).size).toBe(1);
    }
    await Promise.all(writes);
    expect(a.value.data[0]).toBe(60);
  });

  it('swap leaves without a deadlock, many at once', async () => {
    const leaves = Array.from({ length: 6 }, (_, i) => state(`leaf ${i}`, [i, i]));
    const programs = leaves.map((leaf, i) => {
      const other = leaves[(i + 1) % 6] as typeof leaf;
      return compile({
        outputs: {},
        updates: [
          [leaf, other],
          [other, leaf],
        ],
      });
    });
    const promises = Array.from({ length: 300 }, (_, i) =>
      (programs[(i * 5) % 6] as (typeof programs)[0]).runAsync(),
    );
    await Promise.all(promises);
    const values = leaves.map(({ value }) => value.data);
    expect(values.map(([first]) => first).sort()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(values.every(([first, second]) => first === second)).toBe(true);
  });

  it('may be more than the possible threads', async () => {
    const w = parameter('w', [1, 2]);
    const programs = Array.from({ length: 100 }, (_, i) => compile({ outputs: { y: mul(w, i) } }));
    const results = await Promise.all(programs.map((program) => program.runAsync()));
    expect(results.map(({ y }) => y.data[1])).toEqual(programs.map((_, i) => 2 * i));
  });

  it('prevent a leaf from being set while they run, until they end in any way', async () => {
    const { w, program } = counter('w');
    const other = state('other', 0);
    const abort = new AbortController();
    const promises = [program.runAsync(), program.runAsync({}, { signal: abort.signal })];
    const error = errorOf(() => w.set(5));
    expect(error).toBeInstanceOf(StateError);
    expect(error.message).toContain("[state 'w'] set: a run that reads or writes it is in flight");
    other.set(1);
    abort.abort();
    await Promise.allSettled(promises);
    w.set(5);
    expect(program.run().before.item()).toBe(5);
    await expect(program.runAsync({ unknown: 1 })).rejects.toThrow(ValueError);
    w.set(6);
  });

  it('make evaluate wait, which reads and writes only whole updates', async () => {
    const { w, program } = counter('w');
    const promises = [program.runAsync(), program.runAsync()];
    expect(evaluate(w, {}, { updates: [[w, mul(w, 10)]] }).item()).toBe(2);
    expect(w.value.item()).toBe(20);
    await Promise.all(promises);
  });
});

describe('dispose', () => {
  it('lets runs in flight finish', async () => {
    const { program, w } = counter('w');
    const promises = [program.runAsync(), program.runAsync()];
    program.dispose();
    const results = await Promise.all(promises);
    expect(results.map(({ before }) => before.item())).toEqual([0, 1]);
    expect(w.value.item()).toBe(2);
    await expect(program.runAsync()).rejects.toThrow(StateError);
  });
});

describe('several steps in one call', () => {
  const setUp = () => {
    const x = input('x', ['batch', 2]);
    const w = state('w', [0, 0]);
    const total = sum(x).named('total');
    const program = compile({
      outputs: { total, before: w, logs: log(x).named('logs') },
      updates: [[w, add(w, sum(x, 0))]],
    });
    const steps = 4;
    const feeds = new Map([['x', sharedArray('float32', steps * 6)]]);
    feeds.get('x')?.set(Float32Array.from({ length: steps * 6 }, (_, i) => i + 1));
    const outputs = new Map([
      ['total', sharedArray('float32', steps)],
      ['before', sharedArray('float32', steps * 2)],
      ['logs', sharedArray('float32', steps * 6)],
    ]);
    const bindings = new Map([['batch', 3]]);
    const request = { steps, bindings, feeds, outputs, checkFinite: false, signal: undefined };
    return { program, w, request, steps: stepper(program) };
  };

  it('give the same results as single runs', async () => {
    const { program, w, request, steps } = setUp();
    expect([...steps.inputs.keys()]).toEqual(['x']);
    expect([...steps.outputs.keys()]).toEqual(['total', 'before', 'logs']);
    await steps.runSteps(request);
    const twin = setUp();
    const fed = request.feeds.get('x') as Float32Array;
    for (let step = 0; step < 4; step++) {
      const x = new Tensor(fed.slice(6 * step, 6 * step + 6), [3, 2]);
      const { total, before } = twin.program.run({ x });
      expect(request.outputs.get('total')?.[step]).toBe(total.item());
      expect(request.outputs.get('before')?.slice(2 * step, 2 * step + 2)).toEqual(before.data);
    }
    expect(w.value.data).toEqual(twin.w.value.data);
    expect(program.runs).toBe(4);
    expect(program.run({ x: [[1, 1]] }).total.item()).toBe(2);
  });

  it('stop at the first value that is not finite, name its node, and keep the steps before it', async () => {
    const { program, w, request, steps } = setUp();
    (request.feeds.get('x') as Float32Array)[2 * 6 + 3] = 0;
    await expect(steps.runSteps({ ...request, checkFinite: true })).rejects.toThrow(
      "run 2: [log 'logs'] is -Infinity at [1, 1]",
    );
    expect(program.runs).toBe(2);
    expect(w.value.data[0]).toBe(1 + 3 + 5 + 7 + 9 + 11);
  });

  it('end after a complete step if they are aborted', async () => {
    const { program, w } = counter('w', 60);
    const steps = 200;
    const outputs = new Map([
      ['before', sharedArray('float32', steps)],
      ['work', sharedArray('float32', steps)],
    ]);
    const abort = new AbortController();
    const promise = stepper(program).runSteps({
      steps,
      bindings: new Map(),
      feeds: new Map(),
      outputs,
      checkFinite: false,
      signal: abort.signal,
    });
    setTimeout(() => abort.abort('stop'), 20);
    await expect(promise).rejects.toBe('stop');
    expect(program.runs).toBeLessThan(steps);
    expect(w.value.item()).toBe(program.runs);
  });

  it('are refused if memory is missing, too short or not shared', async () => {
    const { program, w, request, steps } = setUp();
    for (const x of [undefined, sharedArray('float32', 23), new Float32Array(24)]) {
      const feeds = new Map(x ? [['x', x]] : []);
      await expect(steps.runSteps({ ...request, feeds })).rejects.toThrow(/feed 0/);
    }
    // A call that was refused leaves no run in flight and reserves no leaf, so the following calls succeed.
    program.runs = 3;
    w.set([1, 1]);
    await steps.runSteps(request);
    expect(program.runs).toBe(7);
  });
});
