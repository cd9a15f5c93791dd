// Tests the compiler passes "place" and "arena", which decide the location of every value in memory. Each block of
// an assembled value is computed directly at its position in that value. Values that are not in use at the same time
// share memory.
import { describe, expect, it } from 'vitest';
import {
  adam,
  add,
  concat,
  exp,
  FeedForward,
  input,
  LSTM,
  matmul,
  mse,
  mul,
  type Node,
  neg,
  sgd,
  slice,
  softmaxCrossEntropy,
  stack,
  state,
  tanh,
  transpose,
  VariationalAutoencoder,
} from '../../src/index.js';
import type { Memory } from '../../src/ir/location.js';
import { instructionRecord } from '../../src/primitives/index.js';
import { bytesOf } from '../../src/tensor/dtype.js';
import { unrolled } from '../unrolled.js';
import { kinds, type Placed, placed, weight } from './support.js';

const [x, y] = [input('x', [6, 3]), input('y', [6, 3])];

describe('place', () => {
  it('computes the operands of a concat directly into the result', () => {
    expect(kinds(placed([concat([tanh(x), exp(y)], 1)]))).toBe('group group');
  });

  it('copies an operand that already has its own memory', () => {
    expect(kinds(placed([concat([tanh(x), y], 1)]))).toBe('group copy');
    // Two concatenations have the operands h and exp(y), in different orders. The operands are computed inside the
    // larger value and copied to the smaller one.
    const h = tanh(x);
    const both = [concat([exp(y), h], 1), concat([h, exp(y), neg(y)], 1)];
    expect(kinds(placed(both)).match(/copy/g)?.length).toBe(2);
  });

  it('reads an assembled value inside another one that contains its operands', () => {
    const [a, b, c] = [tanh(x), exp(x), neg(x)] as const;
    const all = placed([stack([a, b, c], 0), mul(stack([a, b], 0), 2)]);
    expect(kinds(all)).not.toContain('copy');
    expect(all.fired.get('place: blocks are adjacent already')).toBe(1);
  });

  it('reads an assembled value block by block if only fused loops read it', () => {
    const [v, w] = [weight('v', [3, 4]), weight('w', [2, 4])];
    const d = [tanh(input('d', [6, 4])), tanh(input('e', [5, 4]))] as const;
    const gradients = [
      matmul(x, d[0], { transposeA: true }),
      matmul(input('z', [5, 2]), d[1], { transposeA: true }),
    ];
    // Each product is also an output, so it has memory of its own outside the concatenation.
    const joined = add(concat(gradients, 0), concat([v, w], 0));
    expect(kinds(placed([...gradients, joined])).match(/copy/g)).toBeNull();
  });

  it('packs weights once if they are separate or if several products read them', () => {
    const w = weight('w', [3, 3]);
    const first = tanh(matmul(x, w));
    expect(kinds(placed([matmul(tanh(matmul(first, w)), w)]))).toBe(
      'pack product group product group product',
    );
    const heads = ['a', 'b'].map((name) => tanh(matmul(x, weight(name, [3, 2]))));
    expect(kinds(placed(heads))).toBe('pack product group');
  });

  it('copies an output only if it is not row-major', () => {
    expect(kinds(placed([tanh(x), y]))).toBe('group');
    const all = tanh(x);
    expect(kinds(placed([all, slice(all, { axis: 1, start: 1 })]))).toBe('group copy');
    expect(kinds(placed([transpose(y)]))).toBe('copy');
  });
});

describe('updates', () => {
  it('are written by the group that computes them, after everything that reads the old values', () => {
    const [a, b] = [state('a', [1, 2, 3]), state('b', [4, 5, 6])];
    // The new value of b needs the old value of a, so the old value is copied before a is written.
    const { instructions } = placed(
      [],
      [
        [a, mul(a, 2)],
        [b, add(a, b)],
      ],
    );
    expect(instructions.list.map(({ kind }) => kind)).toEqual(['copy', 'group', 'group']);
    expect(instructions.writeStart).toBe(1);
  });
});

/** An LSTM that is unrolled by hand. */
function lstm(perStep: boolean): [Node[], ReturnType<typeof sgd>] {
  const xs = input('xs', [5, 2, 3]);
  const layer = new LSTM('lstm', { inputs: 3, units: 4 });
  const readout = new FeedForward('readout', { inputs: 4, units: 2 });
  const { hidden } = unrolled(layer, xs);
  const steps = [0, 1, 2, 3, 4].map((t) => slice(hidden, { axis: 0, start: t, end: t + 1 }));
  const predicted = perStep
    ? concat(
        steps.map((h) => readout.apply(h)),
        0,
      )
    : readout.apply(hidden);
  const loss = mse(predicted, input('target', [5, 2, 2]));
  return [[loss], sgd(loss, [...layer.parameters, ...readout.parameters], { rate: 0.1 })];
}

function classifier(): [Node[], ReturnType<typeof sgd>] {
  const layers = [
    new FeedForward('a', { inputs: 7, units: 6, activation: tanh }),
    new FeedForward('b', { inputs: 6, units: 5 }),
  ];
  const logits = layers.reduce<Node>((h, layer) => layer.apply(h), input('x', [8, 7]));
  const loss = softmaxCrossEntropy(logits, input('label', [8], { dtype: 'int32' }));
  return [
    [loss, logits],
    adam(
      loss,
      layers.flatMap(({ parameters }) => parameters),
    ),
  ];
}

function autoencoder(): [Node[], ReturnType<typeof sgd>] {
  const vae = new VariationalAutoencoder('vae', { inputs: 9, hidden: 7, latent: 3 });
  const loss = vae.loss(input('x', [4, 9]));
  return [[loss], adam(loss, vae.parameters)];
}

it.each([
  ['an unrolled LSTM', () => lstm(false)],
  ['an unrolled LSTM, read out step by step', () => lstm(true)],
])('copies nothing to train %s', (_name, make) => {
  expect(kinds(placed(...make()))).not.toContain('copy');
});

describe('arena', () => {
  it.each([
    ['an unrolled LSTM', () => lstm(false)],
    ['an unrolled LSTM, read out step by step', () => lstm(true)],
    ['a classifier', classifier],
    ['an auto-encoder', autoencoder],
  ])('overwrites nothing before it is read: %s', (_name, make) => {
    const all = placed(...make());
    expect(firstClobbered(all)).toBeUndefined();
    // This proves that firstClobbered works: if all memories have the same address, it must find one that is
    // overwritten too early.
    const moved = new Map([...all.arena.offsets].map(([memory]) => [memory, 0]));
    expect(firstClobbered({ ...all, arena: { ...all.arena, offsets: moved } })).toBeDefined();
  });

  it('computes the gradient of a cross-entropy in the memory of the logits', () => {
    const [rows, classes] = [32, 512];
    const w = weight('w', [4, classes]);
    const logits = matmul(input('x', [rows, 4]), w);
    const labels = input('labels', [rows], { dtype: 'int32' });
    const loss = softmaxCrossEntropy(logits, labels);
    const { arena } = placed([loss], sgd(loss, [w], { rate: 0.1 }));
    // The logits of the labels are taken before the loop that overwrites the logits.
    expect(arena.bytes).toBeLessThan(1.3 * rows * classes * 4);
  });

  it('needs much less memory than all values together', () => {
    const { arena } = placed(...lstm(false));
    const sum = [...arena.offsets.keys()].reduce((bytes, { length }) => bytes + 4 * length, 0);
    expect(arena.bytes).toBeLessThan(0.8 * sum);
  });
});

/**
 * Returns the index of the first instruction that reads a memory whose contents have been overwritten; undefined if
 * there is none. For this, it tracks which memories of the arena still have their contents.
 */
function firstClobbered({ instructions: { list }, arena }: Placed): number | undefined {
  const range = (memory: Memory) => {
    const start = arena.offsets.get(memory) as number;
    return [start, start + memory.length * bytesOf[memory.dtype]] as const;
  };
  let alive: Memory[] = [];
  for (const [time, instruction] of list.entries()) {
    for (const { memory } of [...instructionRecord(instruction).reads(instruction)].flat()) {
      if (!memory.leaf && !alive.includes(memory)) return time;
    }
    for (const { memory } of [...instructionRecord(instruction).writes(instruction)].flat()) {
      if (memory.leaf) continue;
      const [start, end] = range(memory);
      const apart = (other: Memory) => {
        const [from, to] = range(other);
        return other === memory || to <= start || from >= end;
      };
      alive = [...alive.filter(apart), ...(alive.includes(memory) ? [] : [memory])];
    }
  }
  return undefined;
}
