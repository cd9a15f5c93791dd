// Programs with loops: what leaves the loop, how large they are, and that they agree with the unrolled graph.
import { describe, expect, it } from 'vitest';
import { specialise } from '../../src/compile/specialise.js';
import {
  adam,
  add,
  backward,
  broadcastTo,
  compile,
  constant,
  Dense,
  evaluate,
  GRU,
  GraphError,
  input,
  LSTM,
  matmul,
  mse,
  mul,
  type Node,
  parameter,
  randomNormal,
  reshape,
  SimpleRNN,
  type Stats,
  scan,
  setThreads,
  sgd,
  sub,
  sum,
  Tensor,
  tanh,
  tensor,
  topK,
  transpose,
} from '../../src/index.js';
import { randomTensor } from '../support.js';
import { unrolled } from '../unrolled.js';

/** Returns a float32 tensor of random numbers from -1 to 1. */
const floats = (shape: readonly number[], seed: number) => {
  const { data } = randomTensor(shape, seed);
  return new Tensor(Float32Array.from(data as Float64Array), shape);
};

const kinds = { SimpleRNN, GRU, LSTM };
type Kind = keyof typeof kinds;
const [batch, inputs, units, outputs] = [3, 4, 5, 6];

/** The training of a recurrent layer with a readout, by a loop or unrolled by hand. */
function training(kind: Kind, steps: number | string, by: 'loop' | 'hand' = 'loop') {
  const layer = new kinds[kind]('layer', { inputs, units, seed: 1 });
  const readout = new Dense('readout', { inputs: units, units: outputs, seed: 2 });
  const xs = input('xs', [steps, batch, inputs]);
  const { hidden } = by === 'loop' ? layer.unroll(xs) : unrolled(layer, xs);
  const loss = mse(readout.apply(hidden), input('target', [steps, batch, outputs]));
  const updates = sgd(loss, [layer, readout], { rate: 0.1 });
  return { loss, updates, layer };
}

const statsOf = (kind: Kind, steps: number, name?: string, by?: 'loop' | 'hand') => {
  const { loss, updates } = training(kind, name ?? steps, by);
  const bindings = new Map(name === undefined ? [] : [[name, steps]]);
  return specialise([loss], updates, bindings).stats;
};

/** Returns the shapes of products, each as often as a run computes it. */
const repeated = (shapes: Stats['productShapes']) =>
  shapes.flatMap(([m, n, k, trips = 1]) => Array<string>(trips).fill(`${m} x ${n} x ${k}`)).sort();

describe('a recurrent layer in a loop', () => {
  it.each(Object.keys(kinds) as Kind[])('has the products of the unrolled %s', (kind) => {
    for (const steps of [1, 2, 7]) {
      const byHand = repeated(statsOf(kind, steps, undefined, 'hand').productShapes);
      for (const name of ['steps', undefined]) {
        expect(repeated(statsOf(kind, steps, name).productShapes)).toEqual(byHand);
      }
    }
  });

  it('has two products in the loops, and all others outside of them', () => {
    const { productShapes } = statsOf('LSTM', 7, 'steps');
    const inLoops = productShapes.filter(({ length }) => length === 4);
    expect(inLoops).toEqual([
      [batch, 4 * units, units, 6],
      [batch, units, 4 * units, 6],
    ]);
  });

  it('has as many instructions for 10,000 steps as for 100, and memory in proportion', () => {
    const [short, long] = [statsOf('LSTM', 100, 'steps'), statsOf('LSTM', 10_000, 'steps')];
    expect(long.instructions).toBe(short.instructions);
    expect(long.instructions).toBeLessThan(30);
    expect(long.arenaBytes / short.arenaBytes).toBeLessThan(110);
  });

  it.each(Object.keys(kinds) as Kind[])('trains as the unrolled %s does', (kind) => {
    const feeds = (steps: number) => ({
      xs: floats([steps, batch, inputs], 3),
      target: floats([steps, batch, outputs], 4),
    });
    const [loop, byHand] = [training(kind, 'steps'), training(kind, 6, 'hand')];
    const compiled = ({ loss, updates }: ReturnType<typeof training>) =>
      compile({ outputs: { loss }, updates });
    const [program, other] = [compiled(loop), compiled(byHand)];
    for (let step = 0; step < 5; step++) {
      const [a, b] = [program.run(feeds(6)), other.run(feeds(6))];
      expect(a.loss.item() as number).toBeCloseTo(b.loss.item() as number, 5);
    }
    loop.layer.parameters.forEach((leaf, i) => {
      const expected = byHand.layer.parameters[i]?.value.data as Float32Array;
      leaf.value.data.forEach((x, at) => {
        expect(x as number).toBeCloseTo(expected[at] as number, 5);
      });
    });
    // Other numbers of steps need no other program.
    for (const steps of [1, 2, 11]) {
      expect(Number.isFinite(program.run(feeds(steps)).loss.item())).toBe(true);
    }
  });
});

/** Compiles outputs, and compares them with `evaluate`. */
function expectAgreement(nodes: Readonly<Record<string, Node>>, feeds = {}): void {
  const program = compile({ outputs: nodes });
  setThreads(1);
  const results = program.run(feeds) as Record<string, { data: ArrayLike<number> }>;
  const reference = evaluate(nodes, feeds);
  for (const [name, { data }] of Object.entries(reference)) {
    const own = results[name]?.data as ArrayLike<number>;
    expect(own.length).toBe(data.length);
    for (let i = 0; i < data.length; i++)
      expect(own[i] as number).toBeCloseTo(data[i] as number, 5);
  }
  setThreads(2);
  expect(compile({ outputs: nodes }).run(feeds)).toEqual(results);
  program.dispose();
}

const w = parameter('w', floats([4, 4], 5));
const h0 = parameter('h0', floats([2, 4], 6));

describe('a loop', () => {
  it.each([1, 2, 5])('has the results of the reference executor, %i steps', (steps) => {
    for (const reverse of [false, true]) {
      const xs = constant(floats([steps, 2, 4], 7));
      const { last, ys } = scan(
        ({ h }, x, t) => {
          const next = tanh(add(matmul(h, w), x));
          const chosen = topK(next, 2);
          return [
            { h: next, count: t },
            { next, top: chosen.values, at: chosen.indices, before: h, product: matmul(next, w) },
          ];
        },
        { over: xs, initial: { h: h0, count: constant(tensor(7, { dtype: 'int32' })) }, reverse },
      );
      expectAgreement({ ...last, ...ys });
    }
  });

  it('reads and writes carries in each other’s places', () => {
    const { last, ys } = scan(
      ({ a, b }) => [
        { a: b, b: add(a, b) },
        { a, b },
      ],
      {
        initial: { a: 0, b: 1 },
        length: 11,
      },
    );
    expectAgreement({ a: last.a, b: last.b, as: ys.a });
    expect([...compile({ outputs: { as: ys.a } }).run({}).as.data]).toEqual([
      0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55,
    ]);
  });

  it.each([1, 2, 3])('may end several carries with one value, %i steps', (steps) => {
    const [first, second] = ['first', 'second'].map((name) => parameter(name, floats([2, 4], 11)));
    const { last, ys } = scan(
      ({ h, before }, x) => {
        const next = add(matmul(h, w), x);
        return [{ h: next, before: next }, sub(h, before)];
      },
      {
        over: constant(floats([steps, 2, 4], 12)),
        initial: { h: first as Node, before: second as Node },
      },
    );
    const gradients = backward(add(sum(ys), sum(last.h)));
    // The last value of the other carry is not read.
    const all = {
      h: last.h,
      ys,
      of: gradients.of(first as Node),
      to: gradients.of(second as Node),
    };
    for (const [key, node] of Object.entries(all)) expectAgreement({ [key]: node });
    expectAgreement(all);
  });

  it.each([1, 2, 3])('may have several gradients with one next value, %i steps', (steps) => {
    const first = parameter('first', floats([2, 4], 11));
    const { ys } = scan(
      ({ a, b }, x) => {
        const next = add(matmul(add(a, b), w), x);
        return [{ a: next, b: mul(tanh(next), 0.5) }, next];
      },
      {
        over: constant(floats([steps, 2, 4], 12)),
        initial: { a: first, b: broadcastTo(constant(0), [2, 4]) },
      },
    );
    const gradient = backward(sum(mul(ys, ys))).of(first);
    expect(evaluate(gradient).data.some((one) => one !== 0)).toBe(true);
    expectAgreement({ gradient });
  });

  it('may be in seven others, and no more in a program', () => {
    const nested = (depth: number): Node => {
      const made = (x: Node, left: number): Node =>
        left === 0
          ? mul(x, 2)
          : scan(({ s }) => [{ s: made(s, left - 1) }, undefined], {
              initial: { s: x },
              length: 1,
              name: `loop${left}`,
            }).last.s;
      return made(constant(3), depth);
    };
    expectAgreement({ y: nested(8) });
    expect(evaluate(nested(9)).data[0]).toBe(6);
    const compiled = () => compile({ outputs: { y: nested(9) } }).run({});
    expect(compiled).toThrow(GraphError);
    expect(compiled).toThrow(
      "[scan 'loop9'] has 9 loops in one another; a program can have at most 8",
    );
  });

  it('computes only the results that are read, and the carries on which they depend', () => {
    const xs = input('xs', ['steps', 2, 4]);
    const { last, ys } = scan(
      ({ h, other }, x) => [
        { h: tanh(add(h, x)), other: matmul(other, w) },
        { product: matmul(x, w), other },
      ],
      { over: xs, initial: { h: h0, other: h0 } },
    );
    const stats = (node: Node) => specialise([node], [], new Map([['steps', 9]])).stats;
    expect(stats(last.h).products).toBe(0);
    // The product depends on no carry, so that it is computed at once, and there is no loop.
    expect(stats(ys.product).productShapes).toEqual([[18, 4, 4]]);
    expect(stats(ys.other).productShapes).toEqual([[2, 4, 4, 8]]);
  });

  it('copies rows that the body cannot read where they are, and no others', () => {
    const xs = input('xs', [3, 4, 'steps']);
    const rows = transpose(xs, [2, 1, 0]);
    const { ys } = scan((_, x) => [{}, topK(reshape(x, [12]), 2).values], { over: rows });
    const plain = scan(({ s }, x) => [{ s: add(s, x) }, undefined], {
      over: rows,
      initial: { s: broadcastTo(constant(0), [4, 3]) },
    });
    const feeds = { xs: floats([3, 4, 5], 10) };
    expectAgreement({ ys, sums: plain.last.s }, feeds);
    const fired = (node: Node) => {
      const count = new Map<string, number>();
      specialise([node], [], new Map([['steps', 5]]), undefined, count);
      return count.get('settle: copied for a loop');
    };
    expect(fired(ys)).toBe(1);
    expect(fired(plain.last.s)).toBeUndefined();
  });

  it('draws the same numbers as one draw of all steps', () => {
    const drawn = randomNormal([5, 2, 4], { seed: 3 });
    const { ys } = scan(({ h }) => [{ h: add(h, randomNormal([2, 4], { seed: 3 })) }, h], {
      initial: { h: broadcastTo(constant(0), [2, 4]) },
      length: 5,
    });
    const { last } = scan(({ h }, x) => [{ h: add(h, x) }, undefined], {
      over: drawn,
      initial: { h: h0 },
    });
    expectAgreement({ ys, end: last.h });
  });

  it('computes a large result in the memory of the caller', () => {
    const xs = input('xs', ['steps', 256]);
    const { ys } = scan(({ s }, x) => [{ s: add(s, x) }, mul(add(s, x), 2)], {
      over: xs,
      initial: { s: broadcastTo(constant(0), [256]) },
    });
    const program = compile({ outputs: { ys } });
    const { ys: result } = program.run({ xs: floats([500, 256], 8) });
    expect(result.shape).toEqual([500, 256]);
    expect(program.stats().arenaBytes).toBeLessThan(500 * 256 * 4);
  });

  it('runs off the JavaScript thread, and trains with states of its optimizer', async () => {
    const xs = input('xs', ['steps', 2, 4]);
    const { last } = scan(({ h }, x) => [{ h: tanh(add(matmul(h, w), x)) }, undefined], {
      over: xs,
      initial: { h: h0 },
    });
    const loss = sum(mul(last.h, last.h));
    const program = compile({ outputs: { loss }, updates: adam(loss, [w, h0], { rate: 0.01 }) });
    const feeds = { xs: floats([20, 2, 4], 9) };
    const losses: number[] = [];
    for (let i = 0; i < 30; i++) losses.push((await program.runAsync(feeds)).loss.item() as number);
    expect(losses.at(-1) as number).toBeLessThan(losses[0] as number);
  });
});
