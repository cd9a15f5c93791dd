// Tests programs that run on the JavaScript thread: their results, their errors, and that a program can be used
// after an error.
import { describe, expect, expectTypeOf, it } from 'vitest';
import { compile } from '../../src/compile/program.js';
import {
  add,
  constant,
  div,
  evaluate,
  type Feeds,
  input,
  log,
  mul,
  NumericError,
  randomNormal,
  StateError,
  setSeed,
  state,
  sum,
  Tensor,
  tensor,
  ValueError,
} from '../../src/index.js';
import { errorOf } from '../support.js';
import { batch, bytes, model } from './model.js';

describe('a program', () => {
  it('gives the results of evaluate, by the names of the outputs', () => {
    const { loss, prediction, w } = model();
    const program = compile({ outputs: { loss, prediction, w, again: loss, two: constant(2) } });
    for (const rows of [4, 1, 4]) {
      const results = program.run(batch(rows));
      const wanted = evaluate({ loss, prediction, w, again: loss, two: constant(2) }, batch(rows));
      expect(Object.keys(results)).toEqual(['loss', 'prediction', 'w', 'again', 'two']);
      expect(results.prediction.shape).toEqual([rows, 2]);
      for (const [name, t] of Object.entries(wanted)) {
        const found = results[name as keyof typeof results];
        expect([found.dtype, found.shape]).toEqual([t.dtype, t.shape]);
        found.data.forEach((value, i) => {
          expect(value).toBeCloseTo(t.data[i] as number, 5);
        });
      }
      expect(results.loss.data.buffer).not.toBe(results.again.data.buffer);
    }
    expectTypeOf(program.run).returns.toEqualTypeOf<{
      loss: Tensor;
      prediction: Tensor;
      w: Tensor<'float32'>;
      again: Tensor;
      two: Tensor<'float32'>;
    }>();
  });

  it('returns tensors that later runs do not change', () => {
    const { loss, w, updates } = model();
    const program = compile({ outputs: { loss, w }, updates });
    const first = program.run(batch(2));
    const kept = bytes(first.w);
    program.run(batch(2));
    expect(bytes(first.w)).toEqual(kept);
    expect(first.w.data.buffer).toBeInstanceOf(ArrayBuffer);
    expect(bytes(w.value)).not.toEqual(kept);
  });

  it('computes outputs and updates from the old values of all leaves', () => {
    const [a, b] = [state('a', [1, 2]), state('b', [3, 4])];
    const program = compile({
      outputs: { a, b },
      updates: [
        [a, add(b, 0)],
        [b, a],
      ],
    });
    expect(program.run().a.toArray()).toEqual([1, 2]);
    expect([a.value.toArray(), b.value.toArray()]).toEqual([
      [3, 4],
      [1, 2],
    ]);
  });

  it('accepts feeds in every form that evaluate accepts', () => {
    const x = input('x', [2]);
    const program = compile({ outputs: { y: mul(x, 2) } });
    const shared = new Float32Array(new SharedArrayBuffer(8));
    shared.set([1, 2]);
    const view = new Float32Array([9, 1, 2, 9]).subarray(1, 3);
    for (const fed of [[1, 2], tensor([1, 2]), new Float32Array([1, 2]), shared, view]) {
      expect(program.run({ x: fed }).y.toArray()).toEqual([2, 4]);
    }
    const s = input('s', []);
    expect(compile({ outputs: { s } }).run({ s: 7 }).s.item()).toBe(7);
  });

  it('may be fed with the value of a leaf that it writes', () => {
    const x = input('x', [2]);
    const w = state('w', [1, 2]);
    const program = compile({ outputs: { x }, updates: [[w, add(add(w, x), x)]] });
    expect(program.run({ x: w.value }).x.toArray()).toEqual([1, 2]);
    expect(w.value.toArray()).toEqual([3, 6]);
    const large = state('large', Tensor.ones([4096]));
    const fed = input('fed', [4096]);
    const sized = compile({ outputs: {}, updates: [[large, add(add(large, fed), fed)]] });
    sized.run({ fed: large.value });
    expect(large.value.data.every((value) => value === 3)).toBe(true);
  });

  it('may have no outputs, no feeds and no elements', () => {
    const w = state('w', 1);
    const program = compile({ outputs: {}, updates: [[w, add(w, 1)]] });
    expect(program.run()).toEqual({});
    expect(w.value.item()).toBe(2);
    expect(compile({ outputs: {} }).run()).toEqual({});
    const none = input('none', ['n']);
    expect(compile({ outputs: { y: add(none, 1) } }).run({ none: [] }).y.shape).toEqual([0]);
  });

  it('reads what another program or set() has written', () => {
    const w = state('w', 1);
    const step = compile({ outputs: {}, updates: [[w, mul(w, 3)]] });
    const show = compile({ outputs: { w: add(w, 0) } });
    step.run();
    expect(show.run().w.item()).toBe(3);
    w.set(5);
    step.run();
    expect(show.run().w.item()).toBe(15);
  });

  it('keeps a limited number of bindings, and compiles a removed one again', () => {
    const { loss, w, updates } = model();
    const program = compile({ outputs: { loss }, updates });
    const start = w.value.data.slice();
    const losses: number[] = [];
    for (const round of [0, 1]) {
      w.set(start);
      for (let rows = 1; rows <= 20; rows++) {
        const loss = program.run(batch(rows)).loss.item();
        if (round === 0) losses.push(loss);
        else expect(loss).toBe(losses[rows - 1]);
      }
    }
    expect(program.runs).toBe(40);
  });

  it('returns statistics of the compiled program', () => {
    const { loss, updates } = model();
    const program = compile({ outputs: { loss }, updates });
    expect(errorOf(() => program.stats())).toBeInstanceOf(StateError);
    program.run(batch(4));
    const { products, productShapes } = program.stats();
    expect(products).toBe(2);
    expect(productShapes.length).toBe(2);
    program.run(batch(5));
    expect(program.stats().productShapes.flat()).toContain(5);
    // If the graph has no named dimensions, stats are available before the first run.
    expect(compile({ outputs: { two: add(constant(1), 1) } }).stats().products).toBe(0);
  });

  it('returns a profile of a run, which counts as a run', () => {
    const { loss, prediction, updates } = model();
    const program = compile({ outputs: { loss }, updates });
    const before = evaluate(loss, batch(4)).item();
    const rows = program.profile(batch(4));
    expect(rows).toHaveLength(program.stats().instructions);
    expect(rows.map(({ instruction }) => instruction).sort()).toEqual(rows.map((_, i) => i));
    expect(rows.some(({ nodes }) => nodes.includes(`${prediction}`))).toBe(true);
    expect(rows.filter(({ kind }) => kind.includes('product'))).toHaveLength(2);
    expect(rows.every(({ microseconds }) => microseconds >= 0)).toBe(true);
    expect(rows.reduce((total, { share }) => total + share, 0)).toBeCloseTo(1, 6);
    const times = rows.map(({ microseconds }) => microseconds);
    expect(times).toEqual([...times].sort((a, b) => b - a));
    expect(program.runs).toBe(1);
    expect(program.run(batch(4)).loss.item()).toBeLessThan(before);
  });
});

describe('runs', () => {
  it('are counted, and draws depend on the index', () => {
    setSeed(1);
    const draw = randomNormal([3]);
    const program = compile({ outputs: { draw } });
    const drawn = [0, 1, 2].map(() => bytes(program.run().draw));
    expect(drawn).toEqual([0, 1, 2].map((run) => bytes(evaluate(draw, {}, { run }))));
    expect(program.runs).toBe(3);
    program.runs = 1;
    expect(bytes(program.run().draw)).toEqual(drawn[1]);
    program.runs = 2 ** 40;
    expect(bytes(program.run().draw)).toEqual(bytes(evaluate(draw, {}, { run: 2 ** 40 })));
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 53, '1'])('cannot be set to %s', (runs) => {
    const program = compile({ outputs: { two: constant(2) } });
    expect(
      errorOf(() => {
        program.runs = runs as number;
      }),
    ).toBeInstanceOf(ValueError);
    expect(program.runs).toBe(0);
  });

  it('that fail are not counted', () => {
    const x = input('x', []);
    const program = compile({ outputs: { y: log(x) } });
    expect(errorOf(() => program.run({}))).toBeInstanceOf(ValueError);
    expect(errorOf(() => program.run({ x: 0 }, { checkFinite: true }))).toBeInstanceOf(
      NumericError,
    );
    expect(program.runs).toBe(0);
    program.run({ x: 0 });
    expect(program.runs).toBe(1);
  });
});

describe('checkFinite', () => {
  it('names the first node with a value that is not finite and the element, and writes nothing', () => {
    const x = input('x', ['n', 2]);
    const w = state('w', 1);
    const ratio = div(x, w).named('ratio');
    const inner = log(ratio).named('inner');
    const program = compile({
      outputs: { total: sum(mul(inner, 2)) },
      updates: [[w, add(w, 1)]],
    });
    const bad = {
      x: [
        [1, 2],
        [3, 0],
      ],
    };
    const error = errorOf(() => program.run(bad, { checkFinite: true }));
    expect(error).toBeInstanceOf(NumericError);
    expect(error.message).toBe(
      "run 0: [log 'inner'] is -Infinity at [1, 1]; the run has written nothing",
    );
    expect([w.value.item(), program.runs]).toEqual([1, 0]);
    expect(program.run(bad).total.item()).toBe(-Infinity);
    expect(program.run({ x: [[1, 2]] }, { checkFinite: true }).total.item()).toBeTypeOf('number');
  });

  it('names a feed or a leaf that is not finite', () => {
    const x = input('x', [2]);
    const w = state('w', [1, 2]);
    const program = compile({ outputs: { y: mul(x, w) } });
    const message = (feeds: Feeds) =>
      errorOf(() => program.run(feeds, { checkFinite: true })).message;
    expect(message({ x: [1, Number.NaN] })).toContain("[input 'x'] is NaN at [1]");
    w.set([Infinity, 0]);
    expect(message({ x: [1, 2] })).toContain("[state 'w'] is Infinity at [0]");
  });

  it('checks new values before it writes them', () => {
    const w = state('w', [1, 2]);
    const program = compile({ outputs: {}, updates: [[w, log(add(w, -1))]] });
    const error = errorOf(() => program.run({}, { checkFinite: true }));
    expect(error.message).toMatch(/\[log #\d+\] is -Infinity at \[0\]/);
    expect(w.value.toArray()).toEqual([1, 2]);
  });
});

describe('dispose', () => {
  it('makes every later call throw a StateError, and may be called again', async () => {
    const program = compile({ outputs: { two: add(constant(1), 1) } });
    program.run();
    program.dispose();
    program.dispose();
    for (const use of [
      () => program.run(),
      () => program.profile(),
      () => program.stats(),
      () => {
        program.runs = 1;
      },
    ]) {
      const error = errorOf(use);
      expect(error).toBeInstanceOf(StateError);
      expect(error.message).toContain('the program has been disposed of');
    }
    await expect(program.runAsync()).rejects.toThrow(StateError);
    expect(program.runs).toBe(1);
  });

  it('is called by a `using` declaration', () => {
    const program = compile({ outputs: { two: add(constant(1), 1) } });
    program[Symbol.dispose]();
    expect(errorOf(() => program.run())).toBeInstanceOf(StateError);
  });
});
