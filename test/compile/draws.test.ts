/** Tests random draws that have no memory, because the fused loops that load them compute them. */

import { describe, expect, it } from 'vitest';
import { specialise } from '../../src/compile/specialise.js';
import {
  add,
  backward,
  broadcastTo,
  cast,
  compile,
  evaluate,
  flip,
  greater,
  input,
  matmul,
  mean,
  mul,
  type Node,
  parameter,
  randomNormal,
  randomTruncatedNormal,
  randomUniform,
  reshape,
  sgd,
  slice,
  softmax,
  square,
  state,
  sub,
  sum,
  Tensor,
  tanh,
  transpose,
  type Updates,
  where,
} from '../../src/index.js';
import { generator } from '../support.js';
import { positionsOf, weight } from './support.js';

const randomOpcode = 7;

function dropout(x: Node, seed = 5): Node {
  return where(greater(randomUniform(x.shape, { seed }), 0.5), mul(x, 2), 0);
}

/** Returns the bytes of the arena, the number of instructions that draw, and the rewrites that were applied. */
function compiled(outputs: readonly Node[], updates: Updates = []) {
  const fired = new Map<string, number>();
  const { code, stats } = specialise(outputs, updates, new Map(), undefined, fired);
  const opcodes = [...positionsOf(code)].map((at) => code[at]);
  return {
    bytes: code[7] as number,
    instructions: stats.instructions,
    stored: opcodes.filter((opcode) => opcode === randomOpcode).length,
    loaded: fired.get('fuse: draw in a loop') ?? 0,
  };
}

/** Checks that a program gives the same bits as the reference executor, in several runs and with 1 and 2 threads. */
function agrees(outputs: Readonly<Record<string, Node>>) {
  for (const threads of [1, 2]) {
    const program = compile({ outputs, threads });
    for (let run = 0; run < 3; run++) {
      const results = program.run({});
      for (const [name, node] of Object.entries(outputs)) {
        expect(results[name]).toEqual(evaluate(node, {}, { run }));
      }
    }
    program.dispose();
  }
}

/** Returns the elements of x whose indices along each axis are from `start` to `end`, in steps of `step`. */
function part(
  x: Node,
  ...ranges: readonly (readonly [start: number, end: number, step?: number])[]
) {
  return ranges.reduce(
    (whole, [start, end, step = 1], axis) => slice(whole, { axis, start, end, step }),
    x,
  );
}

const random = (shape: readonly [number, number]) => {
  const next = generator(3);
  const values = Float32Array.from({ length: shape[0] * shape[1] }, () => next() - 0.5);
  return new Tensor(values, shape, 'float32');
};

describe('the draw of a dropout', () => {
  it('takes no memory and no instruction in a training step', () => {
    const x = input('x', [4096, 64]);
    const [first, second] = [weight('first', [64, 512]), weight('second', [512, 8])];
    const step = (regularize: (h: Node) => Node) => {
      const loss = mean(square(matmul(regularize(matmul(x, first)), second)));
      return compiled([loss], sgd(loss, [first, second], { rate: 0.1 }));
    };
    const [plain, dropped] = [step((h) => h), step((h) => dropout(h))];
    // One loop drops units in the forward direction, and one loop drops gradients in the backward direction.
    expect(dropped).toEqual({ ...plain, loaded: 1, instructions: plain.instructions + 2 });
    expect(plain.stored).toBe(0);
  });

  it('has the same bits in the forward and the backward direction as in the reference executor', () => {
    const x = parameter('x', random([300, 70]));
    const loss = mean(square(dropout(square(x))));
    const gradient = backward(loss).of(x);
    expect(compiled([loss, gradient])).toMatchObject({ stored: 0, loaded: 1 });
    agrees({ dropped: dropout(square(x)), gradient });
  });

  it('is computed by loops over whole rows', () => {
    const x = parameter('x', random([120, 90]));
    const loss = mean(square(dropout(softmax(dropout(x, 6)))));
    const gradient = backward(loss).of(x);
    expect(compiled([loss, gradient])).toMatchObject({ stored: 0, loaded: 2 });
    agrees({ probabilities: dropout(softmax(dropout(x, 6))), gradient });
  });

  it('does not hide the kinds of the instructions in a profile', () => {
    const y = matmul(dropout(parameter('x', random([30, 40]))), weight('w', [40, 8]));
    const program = compile({ outputs: { y } });
    expect(
      program
        .profile({})
        .map(({ kind }) => kind)
        .sort(),
    ).toEqual(['group', 'product']);
    program.dispose();
  });

  it('is another one in each run', () => {
    const x = parameter('x', Tensor.ones([64, 64]));
    const program = compile({ outputs: { y: dropout(x) } });
    expect(program.run({})).not.toEqual(program.run({}));
    program.dispose();
  });
});

describe('a draw', () => {
  const x = parameter('x', random([30, 40]));
  const like = (u: Node) => cast(x, u.dtype);
  const drawn = (dtype: 'float32' | 'float64' = 'float32') =>
    randomUniform([40, 30], { seed: 9, dtype });

  it.each<[string, (u: Node) => Node]>([
    ['a transpose', (u) => add(like(u), transpose(u))],
    ['rows and columns', (u) => mul(part(like(u), [2, 12], [3, 18]), part(u, [7, 17], [5, 20]))],
    ['elements at a distance', (u) => square(slice(part(u, [1, 40, 3]), { axis: 1, step: -2 }))],
    ['elements in reverse', (u) => square(flip(u, 1))],
    ['another shape', (u) => add(like(u), reshape(u, [30, 40]))],
    ['one column', (u) => square(part(u, [0, 40], [4, 5]))],
    ['several views', (u) => sub(square(part(u, [0, 40], [1, 30])), part(u, [0, 40], [0, 29]))],
  ])('is loaded through views: %s', (_name, of) => {
    for (const dtype of ['float32', 'float64'] as const) {
      const y = of(drawn(dtype));
      expect(compiled([y])).toMatchObject({ stored: 0, loaded: 1 });
      agrees({ y });
    }
  });

  it('is stored if something else than an element-wise value reads it', () => {
    const u = drawn();
    const kept = state('kept', Tensor.zeros([40, 30]));
    const y = square(u);
    for (const [outputs, updates] of [
      [[y, u], []],
      [[y, matmul(u, x)], []],
      [[y, sum(u, 1)], []],
      [[y], [[kept, u]]],
    ] satisfies [Node[], Updates][]) {
      expect(compiled(outputs, updates)).toMatchObject({ stored: 1, loaded: 0 });
    }
    agrees({ y, u, sums: sum(u, 1) });
  });

  it('is stored if each element is read several times', () => {
    const y = add(x, broadcastTo(randomUniform([40], { seed: 9 }), [30, 40]));
    expect(compiled([y])).toMatchObject({ stored: 1, loaded: 0 });
    agrees({ y });
  });

  it('is stored if more than four values read it, because then its memory is a small part of theirs', () => {
    const u = randomUniform([30, 40], { seed: 9 });
    const mask = greater(u, 0.5);
    const readers = (count: number) =>
      Array.from({ length: count }, (_, i) => where(mask, mul(x, i + 2), 0));
    expect(compiled(readers(4))).toMatchObject({ stored: 0, loaded: 1 });
    expect(compiled(readers(5))).toMatchObject({ stored: 1, loaded: 0 });
    agrees(Object.fromEntries(readers(5).map((y, i) => [`y${i}`, y])));
  });

  it.each([randomNormal, randomTruncatedNormal])(
    'of a normal distribution, which takes longer, is loaded by only one value',
    (normal) => {
      const noise = normal([30, 40], { seed: 2 });
      const noisy = add(x, mul(noise, 0.125));
      expect(compiled([noisy])).toMatchObject({ stored: 0, loaded: 1 });
      const two = [noisy, mul(tanh(x), noise)];
      expect(compiled(two)).toMatchObject({ stored: 1, loaded: 0 });
      agrees({ noisy, scaled: two[1] as Node });
    },
  );

  it('is loaded by loops that write leaves, and only once if their results are checked first', () => {
    const at = () => parameter('w', random([30, 40]));
    const [first, second] = [at(), at()];
    const updated = (w: ReturnType<typeof at>): Updates => [
      [w, sub(w, mul(randomUniform([30, 40], { seed: 4 }), 0.0625))],
    ];
    expect(compiled([], updated(first))).toMatchObject({ stored: 0, loaded: 1, bytes: 0 });
    const program = compile({ outputs: {}, updates: updated(first) });
    for (let run = 0; run < 3; run++) {
      program.run({}, { checkFinite: true });
      evaluate([], {}, { updates: updated(second), run });
    }
    expect(first.value).toEqual(second.value);
    program.dispose();
  });
});
