// What a loop keeps for all steps when work leaves it: no more than a few times what it takes anyway.
import { describe, expect, it } from 'vitest';
import { specialise } from '../../src/compile/specialise.js';
import {
  add,
  backward,
  broadcastTo,
  constant,
  Dense,
  GRU,
  input,
  LSTM,
  matmul,
  mul,
  type Node,
  parameter,
  relu,
  SimpleRNN,
  scan,
  sum,
  Tensor,
  tanh,
} from '../../src/index.js';

const steps = 1000;
const [rows, inputs, wide] = [8, 16, 2048];
/** The bytes of a float32 value in all steps. */
const inAllSteps = (...shape: readonly number[]) => shape.reduce((a, b) => a * b, steps * 4);

const statsOf = (...nodes: readonly Node[]) =>
  specialise(nodes, [], new Map([['steps', steps]])).stats;
const weight = (name: string, shape: readonly number[]) =>
  parameter(name, new Tensor(new Float32Array(shape.reduce((x, y) => x * y, 1)).fill(0.5), shape));
const nothing = (shape: readonly number[]) => broadcastTo(constant(0), shape);

const xs = input('xs', ['steps', rows, inputs]);
const a = weight('a', [inputs, wide]);

describe('a loop', () => {
  it('adds up a wide product in each step', () => {
    const { last } = scan(({ s }, x) => [{ s: add(s, sum(relu(matmul(x, a)))) }, undefined], {
      over: xs,
      initial: { s: 0 },
    });
    const { arenaBytes, productShapes } = statsOf(last.s);
    expect(productShapes).toEqual([[rows, wide, inputs, steps]]);
    expect(arenaBytes).toBeLessThan(4 * rows * wide * 4);
  });

  it('keeps a wide product inside that is read element by element', () => {
    const { last } = scan(({ s }, x) => [{ s: add(s, relu(matmul(x, a))) }, undefined], {
      over: xs,
      initial: { s: nothing([rows, wide]) },
    });
    expect(statsOf(last.s).arenaBytes).toBeLessThan(8 * rows * wide * 4);
  });

  it('keeps outer products inside that are added to its state', () => {
    const width = 64;
    const row = (name: string) => input(name, ['steps', 1, width]);
    const { ys } = scan(
      ({ s }, { k, v, q }) => [
        { s: add(mul(s, 0.9), matmul(k, v, { transposeA: true })) },
        matmul(q, s),
      ],
      {
        over: { k: row('k'), v: row('v'), q: row('q') },
        initial: { s: nothing([width, width]) },
      },
    );
    expect(statsOf(ys).arenaBytes).toBeLessThan(8 * inAllSteps(width));
  });

  it('keeps a product inside whose operand it would have to stack', () => {
    // The state is wide, and neither the inputs nor the results are.
    const b = weight('b', [wide, 4]);
    const { ys } = scan(
      ({ s }, x) => {
        const next = add(mul(s, 0.5), sum(x));
        return [{ s: next }, matmul(next, b)];
      },
      { over: input('x', ['steps', 4]), initial: { s: nothing([rows, wide]) } },
    );
    const { arenaBytes, productShapes } = statsOf(ys);
    expect(productShapes).toEqual([[rows, 4, wide, steps]]);
    expect(arenaBytes).toBeLessThan(inAllSteps(rows, 4) + 8 * rows * wide * 4);
  });

  it('counts what several results need once', () => {
    const b = ['b', 'c', 'd'].map((name) => weight(name, [rows * 5, 2]));
    const results = (count: number) => {
      const { ys } = scan(
        ({ s }, x) => {
          const next = add(mul(s, 0.5), sum(x));
          const made = b.slice(0, count).map((one, i) => [`y${i}`, matmul(next, one)] as const);
          return [{ s: next }, Object.fromEntries(made)];
        },
        { over: input('x', ['steps', 4]), initial: { s: nothing([64, rows * 5]) } },
      );
      return statsOf(...Object.values(ys)).productShapes;
    };
    expect(results(1)).toEqual([[64, 2, rows * 5, steps]]);
    expect(results(3).every(({ length }) => length === 3)).toBe(true);
  });

  it('computes the inner product of a chain that is wide in the middle in each step', () => {
    const b = weight('b', [wide, inputs]);
    const { ys } = scan((_, x) => [{}, sum(relu(matmul(relu(matmul(x, a)), b)))], { over: xs });
    const { arenaBytes } = statsOf(ys);
    expect(arenaBytes).toBeLessThan(inAllSteps(rows, inputs));
  });
});

describe('a recurrent layer', () => {
  it.each([
    [1, 8],
    [1, 256],
    [64, 128],
  ])('of %i inputs and %i units has the products of its inputs before the loop', (width, units) => {
    for (const Layer of [SimpleRNN, GRU, LSTM]) {
      const layer = new Layer('layer', { inputs: width, units });
      const { hidden, last } = layer.unroll(input('xs', ['steps', 16, width]));
      const readout = new Dense('readout', { inputs: units, units: 1 }).apply(hidden);
      for (const node of [
        hidden,
        (last as { hidden: Node }).hidden,
        readout,
        sum(mul(last.hidden, 2)),
      ]) {
        const inside = statsOf(node).productShapes.filter(({ length }) => length === 4);
        expect(inside).toHaveLength(1);
      }
    }
  });

  it('sums the gradients of its weights after the loop', () => {
    const w = weight('w', [128, 128]);
    const { last } = scan(({ h }, x) => [{ h: tanh(add(matmul(h, w), x)) }, undefined], {
      over: input('x', ['steps', 16, 128]),
      initial: { h: nothing([16, 128]) },
    });
    const { productShapes } = statsOf(backward(sum(last.h)).of(w));
    expect(productShapes.filter(({ length }) => length === 3)).toEqual([
      [128, 128, (steps - 1) * 16],
    ]);
  });
});
