// Tests how the compiler handles views that read backwards (their strides are negative) and windows that have steps:
// where it can use them, where it copies, and that programs agree with evaluate().
import { describe, expect, it } from 'vitest';
import {
  add,
  argmax,
  assemble,
  backward,
  compile,
  concat,
  constant,
  evaluate,
  exp,
  flip,
  matmul,
  max,
  mul,
  type Node,
  neg,
  Part,
  parameter,
  reshape,
  sgd,
  slice,
  stack,
  sum,
  type Tensor,
  tanh,
  transpose,
  type Updates,
} from '../../src/index.js';
import { randomTensor } from '../support.js';
import { kinds, placed } from './support.js';

let made = 0;
function leaf(...shape: number[]): ReturnType<typeof parameter> {
  made++;
  return parameter(`p${made}`, randomTensor(shape, made));
}

/** Expects that a program computes what evaluate() computes, up to rounding. */
function agrees(outputs: Readonly<Record<string, Node>>): void {
  const expected = evaluate(outputs);
  const program = compile({ outputs });
  const found = program.run();
  program.dispose();
  for (const [name, { shape, data }] of Object.entries(expected)) {
    const got = found[name] as Tensor;
    expect(got.shape, name).toEqual(shape);
    Array.from(data).forEach((value, i) => {
      expect(Math.abs((got.data[i] as number) - value), `${name} ${i}`).toBeLessThan(1e-5);
    });
  }
}

describe('a view that reads backwards', () => {
  const [x, w] = [leaf(4, 6), leaf(6, 5)];

  it('is an operand of products, alone, transposed and in batches', () => {
    const [a, b] = [leaf(2, 3, 4), leaf(2, 4, 5)];
    agrees({
      left: matmul(flip(x, 1), w),
      leftRows: matmul(flip(x, 0), w),
      right: matmul(x, flip(w, 0)),
      both: matmul(flip(x), flip(w)),
      transposed: matmul(flip(x), x, { transposeB: true }),
      row: matmul(slice(flip(x, 0), { axis: 0, end: 1 }), w),
      column: matmul(x, slice(flip(w, 1), { axis: 1, end: 1 })),
      batches: matmul(flip(a, 0), b),
      matrices: matmul(a, flip(b, [1, 2])),
      stepped: matmul(slice(x, { axis: 1, step: 2 }), slice(w, { axis: 0, step: -2 })),
    });
  });

  it('is part of a weight that is packed', () => {
    const v = leaf(6, 3);
    const weights = concat([flip(w, 1), v], 1);
    agrees({ y: matmul(tanh(x), weights), z: matmul(exp(x), weights) });
    const rows = concat([flip(leaf(2, 5), 0), slice(w, { axis: 0, end: 4 })], 0);
    agrees({ y: matmul(tanh(x), rows), z: matmul(exp(x), rows) });
  });

  it('is reduced', () => {
    const y = flip(x, 1);
    agrees({
      rows: sum(y, 1),
      columns: sum(flip(x), 0),
      all: sum(mul(y, y)),
      whole: sum(flip(x)),
      largest: max(y, 0),
      where: argmax(y, 1),
      whereColumn: argmax(flip(x), 0),
      stepped: sum(slice(x, { axis: 1, start: 4, step: -3 }), 0),
    });
  });

  it('is an output, a block, and folded if it is a view of a constant', () => {
    const one = slice(x, { axis: 0, start: 2, step: -1 });
    agrees({
      one,
      joined: concat([one, tanh(one)], 0),
      stacked: stack([flip(one, 1), one], 1),
      again: flip(flip(one, [0, 1]), 1),
      folded: mul(flip(constant([[1, 2, 3]]), 1), constant([[4], [5]])),
    });
  });

  it('is not loaded in place by a loop that writes its memory', () => {
    const p = parameter('p', randomTensor([8], 99));
    const before = Array.from(p.value.data);
    const updates: Updates = [[p, add(mul(p, 2), flip(p))]];
    const program = compile({ outputs: {}, updates });
    program.run();
    program.dispose();
    const expected = before.map((v, i) =>
      Math.fround(Math.fround(2 * v) + (before[7 - i] as number)),
    );
    Array.from(p.value.data).forEach((v, i) => {
      expect(Math.abs(v - (expected[i] as number))).toBeLessThan(1e-6);
    });
  });

  it('of a product has another product added onto it, at the same elements', () => {
    const [a, b, u] = [leaf(6, 3), leaf(3, 4), leaf(4, 4)];
    const inputs = matmul(a, b);
    const recur = (turned: (rows: Node) => Node) => {
      let h: Node = leaf(2, 4);
      for (let t = 0; t < 3; t++) {
        const rows = slice(inputs, { axis: 0, start: 2 * t, end: 2 * t + 2 });
        h = tanh(add(turned(rows), flip(matmul(h, u), 0)));
      }
      return h;
    };
    const both = recur((rows) => flip(rows, 0));
    expect(placed([both]).fired.get('share: product onto a product')).toBe(2);
    agrees({ both });
    const one = recur((rows) => rows);
    expect(placed([one]).fired.get('share: product onto a product')).toBeUndefined();
    agrees({ one, both });
  });

  it('is the gradient of a slice of all elements that reads backwards', () => {
    const [x, c] = [leaf(5, 2), leaf(5, 2)];
    const gradient = backward(sum(mul(slice(x, { axis: 0, step: -1 }), c))).of(x);
    expect(kinds(placed([mul(gradient, 2)]))).toBe('group');
    agrees({ gradient });
  });
});

describe('windows with steps', () => {
  it('that together have all elements are computed in place', () => {
    const x = leaf(8, 3);
    const [even, odd] = [0, 1].map((start) => slice(x, { axis: 0, start, step: 2 })) as [
      Node,
      Node,
    ];
    const gradient = backward(sum(add(mul(even, tanh(odd)), exp(even)))).of(x);
    const { fired, ...passes } = placed([gradient]);
    expect(fired.get('place: computed in place')).toBe(2);
    expect(kinds({ fired, ...passes })).not.toContain('copy');
    agrees({ gradient });
  });

  it('are read back without the assembled value', () => {
    const [a, b] = [leaf(3, 2), leaf(3, 2)];
    const whole = assemble(
      [6, 2],
      [new Part(tanh(a), [4, 0], [-2, 1]), new Part(exp(b), [1, 0], [2, 1])],
    );
    const read = slice(whole, { axis: 0, start: 0, step: 2 });
    const { fired } = placed([read]);
    expect(fired.get('simplify: view of a block')).toBe(1);
    agrees({ read, other: slice(whole, { axis: 0, start: -1, step: -2 }), whole });
  });

  it('may leave gaps, overlap, have several steps, and end before the axis does', () => {
    const [a, b, c] = [leaf(3, 2), leaf(2, 2), leaf(7, 1)];
    const parts = [
      [new Part(a, [0, 0], [3, 2])],
      [new Part(a, [0, 0], [2, 1]), new Part(b, [1, 0], [4, 1])],
      [new Part(a, [6, 2], [-3, -2]), new Part(b, [5, 0], [-5, 1]), new Part(c, [0, 1])],
      [new Part(a, [0, 0], [2, 2]), new Part(a, [1, 0], [2, 2]), new Part(a, [4, 1], [-2, 1])],
    ];
    for (const list of parts) {
      const y = assemble([7, 3], list);
      agrees({
        y,
        read: slice(y, { axis: 0, step: -2 }),
        rows: matmul(y, leaf(3, 2)),
        sums: sum(y, 0),
      });
    }
  });

  it('are not merged with windows of the same blocks that have a gap of zeros', () => {
    const [a, b] = [tanh(leaf(3)), exp(leaf(2))];
    // In memory, both are [3, 2] elements of which one is in no window. It is unused in the first value only.
    const stepped = assemble([5], [new Part(a, [0], [2]), new Part(b, [1], [2])]);
    const gap = assemble(
      [3, 2],
      [new Part(reshape(a, [3, 1]), [0, 0]), new Part(reshape(b, [2, 1]), [0, 1])],
    );
    const { instructions } = placed([stepped, gap]);
    const fills = instructions.list.filter(
      (instruction) => instruction.kind === 'group' && instruction.operations.length === 0,
    );
    expect(fills).toHaveLength(1);
    agrees({ stepped, gap });
    agrees({ gap, stepped });
  });

  it('of a tensor of 32 axes are assembled', () => {
    const shape = new Array<number>(32).fill(1).with(3, 5).with(30, 4);
    const x = parameter('x', randomTensor(shape, 5));
    const y = slice(slice(x, { axis: 3, step: 2 }), { axis: 30, start: 3, step: -3 });
    agrees({ y, gradient: backward(sum(mul(y, y))).of(x) });
  });

  it('train as evaluate() does', () => {
    const x = leaf(7, 4);
    const [w, v] = [parameter('w', randomTensor([4, 6], 7)), parameter('v', randomTensor([6], 8))];
    const hidden = tanh(matmul(slice(x, { axis: 0, step: 2 }), flip(w, 1)));
    const halves = add(
      slice(hidden, { axis: 1, step: 2 }),
      slice(hidden, { axis: 1, start: -1, step: -2 }),
    );
    const loss = sum(mul(transpose(halves), slice(v, { axis: 0, end: 1 })));
    const updates = sgd(loss, [w, v], { rate: 0.1 });
    const start = [w, v].map(({ value }) => value.data.slice());
    evaluate(neg(loss), {}, { updates });
    const expected = [w, v].map(({ value }) => Array.from(value.data));
    [w, v].forEach((p, i) => {
      p.value.data.set(start[i] as Float32Array);
    });
    const program = compile({ outputs: { loss }, updates });
    program.run();
    program.dispose();
    [w, v].forEach(({ value }, i) => {
      Array.from(value.data).forEach((number, j) => {
        expect(Math.abs(number - (expected[i]?.[j] as number))).toBeLessThan(1e-5);
      });
    });
  });
});
