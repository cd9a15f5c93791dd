/**
 * Tests the pass `layout`: element-wise values, sums and reductions between convolutions are computed with adjacent
 * channels, so that no instruction only transposes.
 */

import { describe, expect, test } from 'vitest';
import {
  add,
  avgPool1d,
  avgPool2d,
  backward,
  compile,
  concat,
  conv1d,
  conv2d,
  evaluate,
  input,
  matmul,
  maxPool1d,
  maxPool2d,
  mean,
  mul,
  type Node,
  relu,
  reshape,
  sgd,
  square,
  sub,
  sum,
  Tensor,
  transpose,
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
    } else if (instruction.kind === 'group' || instruction.kind === 'rows') {
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
    // bias and relu
    group: 1,
    // the gradient of the relu and, in the same loop, that of the bias
    rows: 1,
  });
});

test('the gradient of a bias is the sum of the rows of [batch x height x width, channels]', () => {
  const program = training(chain(2, 16));
  const sums = program.instructions.list.flatMap((instruction) =>
    instruction.kind === 'rows' && instruction.closes.some(({ columns }) => columns)
      ? instruction.segments
      : [],
  );
  for (const { rows, columns, closes } of sums) {
    expect(rows.reduce((product, length) => product * length)).toBe(4 * 120);
    expect(columns).toBe(16);
    expect(closes.map(({ shape }) => shape)).toContainEqual([16]);
  }
  expect(sums.length).toBe(2);
  expect(counted(program).reduce).toBeUndefined();
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

const pools = { maxPool2d, avgPool2d } as const;
/** The routines of each pooling: forward, and its gradient. */
const poolingRoutines = {
  maxPool2d: { forward: { maxPool: 1, maxPoolValues: 1 }, gradient: { maxPoolGradient: 1 } },
  avgPool2d: { forward: { avgPool: 1 }, gradient: { avgPoolGradient: 1 } },
} as const;

describe.each(['maxPool2d', 'avgPool2d'] as const)('%s', (name) => {
  const pool = pools[name];
  const { forward, gradient } = poolingRoutines[name];

  test('between convolutions has adjacent channels, and nothing is copied', () => {
    const h = relu(layer('first', images(3), [3, 16]).y);
    const last = layer('last', pool(h, { size: 2 }), [16, 8]);
    const program = placed([sum(square(last.y))], [], batch);
    expect(counted(program)).toEqual({ convPack: 2, conv: 2, group: 2, ...forward });
    expect(copied(program)).toBe(0);
    expect(transposed(program)).toEqual([]);
  });

  /** The loss of three convolutions, with or without pooling after the first two, and its parameters. */
  const pooledChain = (pooling: boolean, size: number | readonly [number, number] = 2) => {
    const parameters: Variable[] = [];
    let h: Node = images(3);
    for (let i = 0; i < 3; i++) {
      const made = layer(`layer${i}`, h, [i === 0 ? 3 : 16, 16], i === 0 ? 3 : 1);
      parameters.push(...made.parameters);
      h = relu(made.y);
      if (pooling && i < 2) h = pool(h, { size, stride: 2, padding: size === 3 ? 1 : 0 });
    }
    return { loss: mean(square(h)), parameters };
  };

  test.each([
    ['apart', 2],
    ['overlapping', 3],
    ['of one row', [1, 2]],
  ] as const)('in a training step adds only its routines, with windows that are %s', (_, size) => {
    const [plain, pooling] = [training(pooledChain(false)), training(pooledChain(true, size))];
    expect(copied(pooling)).toBe(0);
    expect(transposed(pooling)).toEqual([]);
    expect(kinds(pooling)).not.toMatch(/copy/);
    const twice = Object.entries({ ...forward, ...gradient }).map(([key, n]) => [key, 2 * n]);
    expect(counted(pooling)).toEqual({ ...counted(plain), ...Object.fromEntries(twice) });
  });

  test('before a dense layer keeps adjacent channels, and only its result is copied', () => {
    const first = layer('first', images(3), [3, 16]);
    const dense = weight('dense', [16 * 30, 10]);
    const flat = reshape(pool(relu(first.y), { size: 2 }), ['batch', 16 * 30]);
    const program = placed([matmul(flat, dense)], [], batch);
    expect(counted(program)).toEqual({
      ...forward,
      convPack: 1,
      conv: 1,
      group: 1,
      'copying group': 1,
      product: 1,
    });
    expect(transposed(program)).toEqual(['a group accesses [480,1,96,16]']);
  });

  test('of an input of the program reads the order of the graph, and only its result is copied', () => {
    const last = layer('last', pool(images(16), { size: 2 }), [16, 8]);
    const program = placed([sum(square(last.y))], [], batch);
    expect(counted(program)).toEqual({
      ...forward,
      'copying group': 1,
      convPack: 1,
      conv: 1,
      group: 1,
    });
    expect(copied(program)).toBe(1);
  });

  test('of sequences between convolutions is not copied', () => {
    const filters = [weight('first', [16, 2, 3]), weight('second', [8, 16, 3])] as const;
    const h = relu(conv1d(input('x', ['batch', 2, 20]), filters[0]));
    const pooled = (name === 'maxPool2d' ? maxPool1d : avgPool1d)(h, { size: 2 });
    const program = training({
      loss: mean(square(conv1d(pooled, filters[1]))),
      parameters: [...filters],
    });
    expect(copied(program)).toBe(0);
    expect(transposed(program)).toEqual([]);
    expect(kinds(program)).not.toMatch(/copy/);
  });

  test('of the sequences of an input keeps their order', () => {
    const pooled = (name === 'maxPool2d' ? maxPool1d : avgPool1d)(input('x', [2, 3, 8]), {
      size: 2,
    });
    expect(counted(placed([pooled]))).toEqual(forward);
    expect(placed([pooled]).fired.get('layout: computed in another order')).toBeUndefined();
  });

  test('computes the same bits in both orders, with its first and second gradient', async () => {
    // The transposed input has adjacent channels. The interpreter computes all in the order of the graph.
    const shape = [3, 9, 7, 6];
    const draw = (seed: number, sizes: readonly number[]) => {
      let state = seed;
      const next = () => {
        state = (state * 48_271) % 2_147_483_647;
        return (state % 7) / 7 - 0.4;
      };
      const length = sizes.reduce((product, size) => product * size, 1);
      return new Tensor(Float32Array.from({ length }, next), sizes);
    };
    const x = input('x', shape);
    const pooled = pool(transpose(x, [0, 3, 1, 2]), { size: 3, stride: 2, padding: 1 });
    const given = input('c', [3, 5, 4, 6]);
    // The cotangent of the cotangent is pooled again.
    const first = backward(sum(mul(pooled, square(transpose(given, [0, 3, 1, 2]))))).of(x);
    const second = backward(sum(mul(first, input('d', shape)))).of(given);
    const outputs = { pooled: transpose(pooled, [0, 2, 3, 1]), first, second };
    const feeds = { x: draw(3, shape), c: draw(4, [3, 5, 4, 6]), d: draw(5, shape) };
    const arranged = placed(Object.values(outputs));
    expect(arranged.fired.get('layout: computed in another order')).toBeGreaterThan(2);
    expect(copied(arranged)).toBe(0);
    const results = await compile({ outputs }).run(feeds);
    // Max pooling reads x for its gradient, but average pooling does not.
    const { c, d } = feeds;
    const read = name === 'maxPool2d' ? feeds : { c, d };
    const plain = {
      pooled: evaluate(outputs.pooled, { x: feeds.x }),
      first: evaluate(first, name === 'maxPool2d' ? { x: feeds.x, c } : { c }),
      second: evaluate(second, read),
    };
    for (const key of ['pooled', 'first', 'second'] as const) {
      expect(results[key].data, key).toEqual(plain[key].data);
    }
  });
});

test('an image that both a convolution and a transposed output read is pooled in one order', () => {
  const h = relu(layer('first', images(3), [3, 16]).y);
  const pooled = maxPool2d(h, { size: 2 });
  const program = placed([sum(square(layer('last', pooled, [16, 8]).y)), pooled], [], batch);
  expect(counted(program)).toMatchObject({ maxPool: 1, maxPoolValues: 1, copy: 1 });
  expect(transposed(program)).toEqual([]);
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
