/**
 * Tests the pass `layout`: element-wise values, sums and reductions between convolutions are computed with adjacent
 * channels, so that no instruction only transposes.
 */

import { expect, test } from 'vitest';
import {
  add,
  avgPool2d,
  backward,
  concat,
  conv1d,
  conv2d,
  input,
  matmul,
  mean,
  mul,
  type Node,
  relu,
  reshape,
  sgd,
  square,
  sub,
  sum,
  type Updates,
  type Variable,
} from '../../src/index.js';
import { kinds, type Placed, placed, weight } from './support.js';

const images = (channels: number) => input('x', ['batch', channels, 10, 12]);
const batch = { batch: 4 };

/** A convolution with a bias. */
function layer(name: string, x: Node, [from, to]: readonly [number, number], size = 3) {
  const filters = weight(`${name}.weight`, [to, from, size, size]);
  const bias = weight(`${name}.bias`, [to]);
  const y = add(conv2d(x, filters, { padding: 'same' }), reshape(bias, [to, 1, 1]));
  return { y, parameters: [filters, bias] };
}

/** How often each routine is called, and what else the program consists of. */
function counted(program: Placed): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const instruction of program.instructions.list) {
    const name = instruction.kind === 'routine' ? instruction.routine : instruction.kind;
    // A group without operations only copies.
    const copies = instruction.kind === 'group' && instruction.operations.length === 0;
    const key = copies ? 'copying group' : name;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

const copied = (program: Placed) => program.fired.get('layout: copied') ?? 0;

/**
 * Returns the operands that are read or written in another order than that of the instruction's own axes: those of
 * groups that are not contiguous, and images whose channels are not adjacent.
 */
function transposed({ instructions: { list } }: Placed): string[] {
  const found: string[] = [];
  for (const instruction of list) {
    if (instruction.kind === 'routine') {
      for (const { shape, strides } of instruction.reads) {
        const image = shape.length === 4 && !instruction.routine.startsWith('convPack');
        if (image && (shape[3] as number) > 4 && strides[3] !== 1) {
          found.push(`${instruction.routine} reads [${strides}]`);
        }
      }
    } else if (instruction.kind === 'group') {
      for (const { loads, stores } of instruction.segments) {
        for (const at of [...loads, ...stores]) {
          const strides = at.strides.filter((stride, axis) => stride > 0 && at.shape[axis] !== 1);
          const descends = strides.every((stride, i) => i === 0 || stride < (strides[i - 1] ?? 0));
          if (!descends) found.push(`a group accesses [${at.strides}]`);
        }
      }
    }
  }
  return found;
}

test('between two convolutions, bias and relu are one group, and nothing is copied', () => {
  const first = layer('first', images(16), [16, 32]);
  const second = layer('second', relu(first.y), [32, 8]);
  const program = placed([sum(square(second.y))], [], batch);
  // The input of the program has adjacent columns, so it is copied.
  expect(counted(program)).toEqual({ 'copying group': 1, convPack: 2, conv: 2, group: 2 });
  expect(transposed(program)).toEqual(['a group accesses [1920,12,1,120]']);
  expect(copied(program)).toBe(1);
  expect(program.fired.get('layout: computed in another order')).toBeGreaterThan(0);
});

test('an input of few channels is not copied', () => {
  const program = placed([sum(square(layer('first', images(3), [3, 32]).y))], [], batch);
  expect(counted(program)).toEqual({ convPack: 1, conv: 1, group: 1 });
});

test('an input that is scaled first is computed in the order of the convolution', () => {
  const scaled = mul(images(16), 1 / 255);
  const program = placed([sum(square(layer('first', scaled, [16, 32]).y))], [], batch);
  expect(counted(program)).toEqual({ group: 2, convPack: 1, conv: 1 });
});

test('an output is written in the order of the graph by the group that computes it', () => {
  const program = placed([relu(layer('first', images(3), [3, 32]).y)], [], batch);
  expect(counted(program)).toEqual({ convPack: 1, conv: 1, group: 1 });
  const y = program.instructions.outputs[0];
  expect(y?.strides).toEqual([32 * 120, 120, 12, 1]);
});

/** The loss of a chain of convolutions with bias and relu, and its parameters. */
function chain(depth: number, width: number): { loss: Node; parameters: Variable[] } {
  const parameters: Variable[] = [];
  let h: Node = images(3);
  for (let i = 0; i < depth; i++) {
    const made = layer(`layer${i}`, h, [i === 0 ? 3 : width, width]);
    parameters.push(...made.parameters);
    h = relu(made.y);
  }
  return { loss: mean(square(h)), parameters };
}

function training({ loss, parameters }: { loss: Node; parameters: Variable[] }): Placed {
  const updates: Updates = sgd(loss, parameters, { rate: 0.1 });
  return placed([loss], updates, batch);
}

test('a layer of a chain adds the same instructions to a training step, and no copy', () => {
  const [three, four] = [training(chain(3, 16)), training(chain(4, 16))];
  expect(copied(four)).toBe(0);
  expect(transposed(four)).toEqual([]);
  const [fewer, more] = [counted(three), counted(four)];
  const added = Object.entries(more).map(([name, count]) => [name, count - (fewer[name] ?? 0)]);
  expect(Object.fromEntries(added)).toEqual({
    convPack: 1,
    conv: 1,
    convPackGradient: 1,
    convInputGradient: 1,
    convWeightGradient: 1,
    // bias and relu; the gradient of the relu
    group: 2,
    // the gradient of the bias
    reduce: 1,
  });
});

test('the gradient of a bias is the sum of the rows of [batch x height x width, channels]', () => {
  const program = training(chain(2, 16));
  const reductions = program.instructions.list.filter(({ kind }) => kind === 'reduce');
  for (const reduction of reductions) {
    if (reduction.kind !== 'reduce') continue;
    expect(reduction.from.shape).toEqual([16, 4 * 120]);
    expect(reduction.from.strides).toEqual([1, 16]);
  }
  expect(reductions.length).toBe(2);
});

test('a residual connection is added in the order of the convolutions', () => {
  const first = layer('first', images(3), [3, 16]);
  const h = relu(first.y);
  const second = layer('second', h, [16, 16]);
  const third = layer('third', relu(add(h, second.y)), [16, 4]);
  const program = training({
    loss: mean(square(third.y)),
    parameters: [...first.parameters, ...second.parameters, ...third.parameters],
  });
  expect(copied(program)).toBe(0);
  expect(transposed(program)).toEqual([]);
  expect(counted(program)['copying group'] ?? 0).toBe(0);
  expect(kinds(program)).not.toMatch(/copy/);
});

test('the blocks of a concatenation along the channels are computed in its memory', () => {
  const h = relu(layer('first', images(3), [3, 16]).y);
  const [left, right] = [layer('left', h, [16, 8], 1), layer('right', h, [16, 24])];
  const joined = concat([relu(left.y), relu(right.y)], 1);
  const program = placed([sum(square(layer('last', joined, [32, 8]).y))], [], batch);
  expect(copied(program)).toBe(0);
  expect(transposed(program)).toEqual([]);
  expect(kinds(program)).not.toMatch(/copy/);
  expect(program.fired.get('place: computed in place')).toBe(2);
});

test('convolutions of sequences have the same chain without copies', () => {
  const x = input('x', ['batch', 2, 20]);
  const filters = [weight('first', [16, 2, 3]), weight('second', [8, 16, 3])] as const;
  const bias = weight('bias', [16, 1]);
  const h = relu(add(conv1d(x, filters[0]), bias));
  const loss = mean(square(conv1d(h, filters[1])));
  const program = training({ loss, parameters: [...filters, bias] });
  expect(copied(program)).toBe(0);
  expect(transposed(program)).toEqual([]);
  expect(kinds(program)).not.toMatch(/copy/);
});

test('a dense layer after convolutions reads the order of the graph', () => {
  const first = layer('first', images(3), [3, 16]);
  const dense = weight('dense', [16 * 120, 10]);
  const flat = reshape(relu(first.y), ['batch', 16 * 120]);
  const loss = mean(square(sub(matmul(flat, dense), input('target', ['batch', 10]))));
  // Only the dense layer reads the relu, so its group writes the order of the graph.
  const untrained = training({ loss, parameters: [dense] });
  expect(transposed(untrained)).toEqual(['a group accesses [1920,1,192,16]']);
  expect(counted(untrained)['copying group']).toBeUndefined();
  // The gradient of the relu reads it, too, in the order of the convolutions. It is copied for the dense layer.
  const trained = training({ loss, parameters: [...first.parameters, dense] });
  expect(counted(trained)['copying group']).toBe(1);
  expect(copied(trained)).toBe(0);
  expect(transposed(trained).length).toBe(2);
});

test('pooling between convolutions reads and writes the order of the graph, so that its result is copied', () => {
  const h = relu(layer('first', images(3), [3, 16]).y);
  const pooled = avgPool2d(h, { size: 2 });
  const last = layer('last', pooled, [16, 8]);
  const program = placed([sum(square(last.y))], [], batch);
  // The relu is computed in the order of the graph, which pooling reads. Only the pooled images are copied.
  expect(counted(program)).toEqual({
    convPack: 2,
    conv: 2,
    group: 2,
    avgPool: 1,
    'copying group': 1,
  });
  expect(copied(program)).toBe(1);
});

test('convolutions with the same weight share its packed form', () => {
  const filters = weight('filters', [16, 16, 3, 3]);
  const x = images(16);
  const once = conv2d(x, filters, { padding: 'same' });
  const twice = conv2d(relu(once), filters, { padding: 'same' });
  const wider = conv2d(relu(twice), filters, { dilation: 2 });
  const loss = sum(square(wider));
  const program = placed([loss, backward(loss).of(x)], [], batch);
  // The forward pass packs once. The backward pass packs for each pair of stride and dilation.
  expect(counted(program)).toMatchObject({ convPack: 1, conv: 3, convPackGradient: 2 });
});
