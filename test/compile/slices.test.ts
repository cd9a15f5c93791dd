// Tests compiling in slices: how much work the compiler does before it yields to the event loop, and how the total work
// grows with the graph.
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { CodeBuffer } from '../../src/compile/passes/code-buffer.js';
import { compile, Program } from '../../src/compile/program.js';
import { specialisation } from '../../src/compile/specialise.js';
import {
  finished,
  Pace,
  type Sliced,
  sorted,
  stepsPerSlice,
  withoutPauses,
} from '../../src/graph/sliced.js';
import {
  adam,
  add,
  exp,
  input,
  LSTM,
  mul,
  type Node,
  parameter,
  predict,
  type Signature,
  StateError,
  square,
  state,
  sum,
  tensor,
  type Updates,
  ValueError,
} from '../../src/index.js';
import { errorOf } from '../support.js';
import { unrolled } from '../unrolled.js';

/**
 * Runs all passes and returns counts: the steps of work (`steps`), the calls of `Pace.due` (`calls`), the yields
 * (`slices`), and the largest number of calls with work between two yields (`longest`).
 */
function counted(outputs: readonly Node[], updates: Updates, batch: number) {
  const due = Pace.prototype.due;
  let [steps, sinceYield, longest, calls] = [0, 0, 0, 0];
  Pace.prototype.due = function (count = 1) {
    steps += count;
    calls++;
    if (count > 0) sinceYield++;
    longest = Math.max(longest, sinceYield);
    return due.call(this, count);
  };
  try {
    const work = specialisation(outputs, updates, new Map([['batch', batch]]));
    let slices = 0;
    for (; !work.next().done; slices++) sinceYield = 0;
    return { steps, calls, longest, slices };
  } finally {
    Pace.prototype.due = due;
  }
}

/** An LSTM that is unrolled by hand, so that the graph grows with the steps. */
function lstm(steps: number) {
  const layer = new LSTM('lstm', { inputs: 3, units: 4 });
  const { hidden } = unrolled(layer, input('xs', [steps, 'batch', 3]));
  const loss = sum(square(hidden));
  return { loss, updates: adam(loss, layer.parameters) };
}

const outputsOf = (count: number) => {
  const x = input('x', ['batch', 4]);
  return Array.from({ length: count }, (_, i) => exp(mul(x, i + 0.5)));
};

describe('the passes', () => {
  it('yield after a bounded number of steps, however long the graph is', () => {
    const { loss, updates } = lstm(60);
    const { longest, slices, steps } = counted([loss], updates, 2);
    expect(longest).toBeLessThanOrEqual(stepsPerSlice);
    expect(slices).toBeGreaterThan(1000);
    // If one loop of a pass did not yield, there would be fewer slices for the same number of steps.
    expect(slices).toBeGreaterThan(steps / stepsPerSlice / 4);
  });

  it('take twice the steps for twice the outputs', () => {
    const few = counted(outputsOf(1500), [], 2).steps;
    const many = counted(outputsOf(3000), [], 2).steps;
    expect(many / few).toBeLessThan(2.2);
  });

  it('sort as Array.prototype.sort does, and keep the order of equals', () => {
    const items = Array.from({ length: 5000 }, (_, i) => ({ key: (i * 7919) % 613, i }));
    const compare = (a: { key: number }, b: { key: number }) => a.key - b.key;
    const work = sorted(items, compare, new Pace());
    let slices = 0;
    for (;;) {
      const { done, value } = work.next();
      if (done) {
        expect(value).toEqual([...items].sort(compare));
        break;
      }
      slices++;
    }
    expect(slices).toBeGreaterThan(100);
  });
});

/** The signature of a program with outputs of the names `K`. */
interface Named<K extends string> extends Signature {
  readonly outputs: Readonly<Record<K, Node>>;
}

/**
 * Returns a program that compiles slowly: `slices` extra slices come before its passes, and each takes a turn of the
 * event loop. Also returns two lists of batch sizes: `made` has one entry for each compile that started, and `finished`
 * has one for each compile whose extra slices ended.
 */
function watched(slices = 20) {
  const x = input('x', ['batch', 2]);
  const w = state('w', [0, 0]);
  const made: number[] = [];
  const finished: number[] = [];
  function* slow(...graph: Parameters<typeof specialisation>): Sliced<never> {
    const batch = graph[2].get('batch') as number;
    made.push(batch);
    for (let slice = 0; slice < slices; slice++) {
      // A slice takes 1.5 ms, which is long enough that the compiler yields to the event loop after each slice.
      const end = performance.now() + 1.5;
      while (performance.now() < end);
      yield;
    }
    finished.push(batch);
    return (yield* specialisation(...graph)) as never;
  }
  const total = add(sum(x), sum(w)).named('total');
  const options = { outputs: { total }, updates: [[w, add(w, sum(x, 0))]] as const };
  const program = new Program<Named<'total'>>(options, slow);
  return { program, w, made, finished };
}

const one = { x: [[1, 2]] };
const two = {
  x: [
    [1, 2],
    [3, 4],
  ],
};

describe('prepare', () => {
  it('compiles for sizes that are run later, and lets the event loop go on', async () => {
    const { program, made } = watched();
    let turns = 0;
    let done = false;
    const prepared = program.prepare({ batch: 2 }).then(() => {
      done = true;
    });
    while (!done) {
      await setImmediate();
      turns++;
    }
    await prepared;
    expect(turns).toBeGreaterThan(10);
    program.run(two);
    await program.runAsync(two);
    await program.prepare({ batch: 2 });
    expect(made).toEqual([2]);
    expect(program.stats().instructions).toBeGreaterThan(0);
  });

  it('has nothing to do for a graph without names', async () => {
    const program = compile({ outputs: { y: mul(parameter('p', [1, 2]), 2) } });
    await program.prepare();
    await program.prepare({});
  });

  it.each<[string, unknown, string]>([
    ['no sizes', null, 'prepare: expected the sizes of dimensions by name, such as { batch: 64 }'],
    ['a list', [64], 'but received an array of 1'],
    ['a missing name', {}, "prepare: the size of dimension 'batch' is missing"],
    ['an unknown name', { batch: 1, n: 2 }, "prepare: no input has a dimension 'n'"],
    ['a fraction', { batch: 1.5 }, "dimension 'batch' must be a whole number of at least 0"],
    ['a negative size', { batch: -1 }, 'but is number -1'],
    ['a string', { batch: '1' }, 'but is the string "1"'],
  ])('refuses %s', async (_what, dims, message) => {
    const { program } = watched();
    const error = await program.prepare(dims as never).then(
      () => undefined,
      (cause: Error) => cause,
    );
    expect(error).toBeInstanceOf(ValueError);
    expect(error?.message).toContain(message);
  });

  it('rejects with what the passes throw', async () => {
    const x = input('x', ['n']);
    const w = state('w', [1, 2]);
    const program = compile({ outputs: {}, updates: [[w, mul(x, 2)]] });
    await expect(program.prepare({ n: 3 })).rejects.toThrow('update of [state');
    await program.prepare({ n: 2 });
  });

  it('does no work after an abort, also if the same sizes are wanted again at once', async () => {
    const { program, made, finished } = watched();
    const controller = new AbortController();
    const aborted = program.runAsync(two, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    await program.runAsync(two);
    expect(made).toEqual([2]);
    expect(finished).toEqual([2]);
  });

  it('rejects when the program is disposed of meanwhile, and stops compiling', async () => {
    const { program, finished } = watched();
    const promise = program.prepare({ batch: 1 });
    await setImmediate();
    program.dispose();
    await expect(promise).rejects.toThrow(StateError);
    for (let turn = 0; turn < 50; turn++) await setImmediate();
    expect(finished).toEqual([]);
    await expect(program.prepare({ batch: 1 })).rejects.toThrow('disposed of');
  });
});

describe('runs that wait for a compile', () => {
  it('share it, and start in the order of calling', async () => {
    const { program, made, w } = watched();
    await program.prepare({ batch: 2 });
    const order: string[] = [];
    const log = (name: string) => (result: { total: { item(): number } }) => {
      order.push(`${name} ${result.total.item()}`);
    };
    await Promise.all([
      program.runAsync(one).then(log('first')),
      program.runAsync(one).then(log('second')),
      program.runAsync(two).then(log('third')), // prepare has compiled for this batch size
    ]);
    expect(made).toEqual([2, 1]);
    expect(order).toEqual(['first 3', 'second 6', 'third 16']);
    expect(w.value.data).toEqual(Float32Array.of(6, 10));
    expect(program.runs).toBe(3);
  });

  it('read feeds as they were when they were called', async () => {
    const { program } = watched();
    const x = tensor([[1, 2]]);
    const promise = program.runAsync({ x });
    x.data.fill(9);
    expect((await promise).total.item()).toBe(3);
  });

  it('are in flight: no run on this thread, no index, no new value of a leaf', async () => {
    const { program, w } = watched();
    const promise = program.runAsync(one);
    expect(errorOf(() => program.run(one))).toBeInstanceOf(StateError);
    expect(errorOf(() => program.profile(one)).message).toContain('a run of it is in flight');
    expect(
      errorOf(() => {
        program.runs = 3;
      }),
    ).toBeInstanceOf(StateError);
    expect(errorOf(() => w.set([1, 1]))).toBeInstanceOf(StateError);
    await promise;
    w.set([0, 0]);
    expect(program.run(one).total.item()).toBe(3);
  });

  it('may be aborted at once; those behind go on', async () => {
    const { program, w, made } = watched();
    const abort = new AbortController();
    const aborted = program.runAsync(one, { signal: abort.signal });
    const behind = program.runAsync(two);
    for (let turn = 0; turn < 3; turn++) await setImmediate(); // the compile for `one` has begun
    abort.abort('enough');
    await expect(aborted).rejects.toBe('enough');
    expect((await behind).total.item()).toBe(10);
    expect(made).toEqual([1, 2]);
    expect(w.value.data).toEqual(Float32Array.of(4, 6));
    expect(program.runs).toBe(1);
    w.set([0, 0]);
  });

  it('end when the program is disposed of after they were called', async () => {
    const { program } = watched();
    const promises = [program.runAsync(one), program.runAsync(two)];
    program.dispose();
    const totals = (await Promise.all(promises)).map(({ total }) => total.item());
    expect(totals).toEqual([3, 13]);
    await expect(program.runAsync(one)).rejects.toThrow(StateError);
  });

  it('leave a compile on this thread to run, which finishes it', async () => {
    const { program, made } = watched();
    const prepared = program.prepare({ batch: 1 });
    await setImmediate();
    expect(program.run(one).total.item()).toBe(3);
    await prepared;
    expect(made).toEqual([1]);
  });

  it('reject with what the compile throws, and the next one starts', async () => {
    const x = input('x', ['n']);
    const w = state('w', [1, 2]);
    const program = compile({ outputs: { s: sum(x) }, updates: [[w, mul(x, 2)]] });
    const [wrong, right] = [program.runAsync({ x: [1, 2, 3] }), program.runAsync({ x: [1, 2] })];
    await expect(wrong).rejects.toThrow('update of [state');
    expect((await right).s.item()).toBe(3);
    expect(program.runs).toBe(1);
  });
});

describe('predict', () => {
  it('compiles for its last, shorter batch in slices', async () => {
    const x = input('x', ['batch', 2]);
    let yields = 0;
    function* spied(...graph: Parameters<typeof specialisation>): Sliced<never> {
      const work = specialisation(...graph);
      for (;;) {
        const { done, value } = work.next();
        if (done) return value as never;
        yields++;
        yield;
      }
    }
    const program = new Program<Named<'y'>>({ outputs: { y: mul(x, 2) } }, spied);
    const { y } = await predict(
      program,
      { x: tensor(new Float32Array(14).fill(1), { shape: [7, 2] }) },
      { batchSize: 4 },
    );
    expect(y.shape).toEqual([7, 2]);
    expect(yields).toBeGreaterThan(1);
  });
});

describe('work that must not pause', () => {
  it('is never due to yield, and is due again afterwards', () => {
    const pace = new Pace();
    expect(withoutPauses(() => pace.due(10 * stepsPerSlice))).toBe(false);
    expect(pace.due(stepsPerSlice)).toBe(true);
  });

  it('ends with an error, too', () => {
    const fail = () => {
      throw new ValueError('no');
    };
    expect(() => withoutPauses(fail)).toThrow('no');
    expect(new Pace().due(stepsPerSlice)).toBe(true);
  });

  it('may run within other work that must not pause', () => {
    const pace = new Pace();
    withoutPauses(() => {
      withoutPauses(() => pace.due());
      expect(pace.due(stepsPerSlice)).toBe(false);
    });
  });
});

describe('the buffer for code', () => {
  it('returns the numbers that were written and replaced, after a header', () => {
    for (const length of [0, 1, 4095, 4096, 4097, 10_000]) {
      const buffer = new CodeBuffer();
      for (let i = 0; i < length; i++) buffer.push(i);
      if (length > 0) buffer.set(length - 1, -1);
      expect(buffer.length).toBe(length);
      const code = finished(buffer.after([7, 8], new Pace()));
      const expected = Array.from({ length }, (_, i) => (i === length - 1 ? -1 : i));
      expect([...code]).toEqual([7, 8, ...expected]);
    }
  });
});
