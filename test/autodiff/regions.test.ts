// Tests gradients that arrive for only a region of a node, because only slices of the node are read.
import { describe, expect, it } from 'vitest';
import { topologicalOrder } from '../../src/graph/topology.js';
import {
  add,
  backward,
  checkGradients,
  compile,
  constant,
  conv1d,
  conv2d,
  defineOp,
  evaluate,
  gather,
  input,
  matmul,
  mul,
  type Node,
  neg,
  type OpDeclaration,
  parameter,
  relu,
  reshape,
  ShapeError,
  slice,
  sqrt,
  sum,
  tanh,
  tensor,
  transpose,
  ValueError,
} from '../../src/index.js';
import { buildSample, differentiable, opsUnderTest, titleOf } from '../ops/samples.js';
import { errorOf, generator, randomTensor } from '../support.js';

const nodesOf = (...roots: Node[]) => topologicalOrder(roots, ({ inputs }) => inputs);

/** Returns a slice of a node along each axis, at random positions; undefined if each axis has at most one element. */
function randomRegion(node: Node, seed: number): Node | undefined {
  const draw = generator(seed);
  let region = node;
  node.shape.forEach((length, axis) => {
    const most = length as number;
    const size = 1 + Math.floor(draw() * most);
    const start = Math.floor(draw() * (most - size + 1));
    if (most > 1) region = slice(region, { axis, start, end: start + size });
  });
  return region === node ? undefined : region;
}

const cases = opsUnderTest
  .filter(({ op }) => op.local && op.notDifferentiable === undefined)
  .flatMap(({ name, op }) =>
    op.samples.map((sample, index) => ({ title: titleOf(name, sample, index), sample, index })),
  )
  .filter(({ sample }) => {
    const built = buildSample(sample, 1);
    return (
      built.root.dtype === 'float64' &&
      !(built.root.shape as number[]).includes(0) &&
      differentiable(built).length > 0
    );
  });

describe('the gradient of a slice of a node equals central differences', () => {
  it('for at least 30 ops', () => {
    expect(opsUnderTest.filter(({ op }) => op.local).length).toBeGreaterThan(30);
    expect(cases.length).toBeGreaterThan(100);
  });

  it.each(cases)('$title', ({ sample, index }) => {
    const options = { ...(sample.step !== undefined && { step: sample.step }) };
    for (const seed of [index, 50 + index]) {
      const built = buildSample(sample, 700 + seed);
      const region = randomRegion(built.root, 800 + seed);
      if (region) checkGradients(region, differentiable(built), { seed: 900 + seed, ...options });
    }
  });
});

describe('convolutions', () => {
  const options = [
    { stride: 1, dilation: 1, padding: [0, 0] },
    { stride: 2, dilation: 1, padding: [1, 2] },
    { stride: 1, dilation: 3, padding: [6, 0] },
    { stride: 3, dilation: 2, padding: [4, 5] },
  ] as const;
  const axis = 2;

  it.each(options)('read only the elements of the region: %o', ({ stride, dilation, padding }) => {
    const x = parameter('x', randomTensor([2, 4, 13], 1));
    const w = parameter('w', randomTensor([6, 2, 3], 2));
    const y = conv1d(x, w, { stride, dilation, padding, groups: 2 });
    const length = y.shape[axis] as number;
    for (let start = 0; start < length; start++) {
      for (const end of new Set([start + 1, length])) {
        checkGradients(slice(y, { axis, start, end }), [x, w]);
      }
    }
  });

  it('flow on as regions: of a causal network whose last step is read, each reads its receptive field', () => {
    const x = parameter('x', randomTensor([2, 3, 40], 3));
    let y: Node = x;
    for (const [i, dilation] of [1, 2, 4].entries()) {
      const w = parameter(`w${i}`, randomTensor([3, 3, 3], 4 + i));
      y = relu(conv1d(y, w, { dilation, padding: [2 * dilation, 0] }));
    }
    const gradients = backward(sum(slice(y, { axis, start: 39 }))).of(x);
    const lengths = nodesOf(gradients)
      .filter(({ op }) => op.name === 'convolutionInputGradient')
      .map(({ shape }) => shape[3]);
    // One step reads 9 of the layer below (1 + 2 · 4), these read 13 (9 + 2 · 2), and these 15.
    expect(lengths.sort((a, b) => (a as number) - (b as number))).toEqual([9, 13, 15]);
  });

  it('are computed whole if the region reads only padding', () => {
    const x = parameter('x', randomTensor([1, 2, 3], 7));
    const w = parameter('w', randomTensor([2, 2, 1], 8));
    checkGradients(slice(conv1d(x, w, { padding: [2, 0] }), { axis, end: 1 }), [x, w]);
  });
});

describe('the region', () => {
  const x = parameter('x', randomTensor([4, 6], 10));
  const w = parameter('w', randomTensor([6, 5], 11));
  const y = tanh(matmul(x, w));
  const at = (start: number, end: number) =>
    slice(slice(y, { axis: 1, start, end }), { axis: 0, start: 2 });
  const shapesOf = (root: Node, name: string) =>
    nodesOf(backward(sum(root)).of(x))
      .filter(({ op }) => op.name === name)
      .map(({ shape }) => shape);

  it('has the windows of all parts', () => {
    const both = add(sum(at(0, 2)), mul(2, sum(at(1, 3))));
    checkGradients(both, [x, w]);
    // The gradient of the product is computed for rows 2 and 3, and columns 0, 1 and 2.
    expect(shapesOf(both, 'assemble')).toEqual([
      [2, 3],
      [4, 6],
    ]);
  });

  it('is the window if all parts have the same', () => {
    const twice = add(sum(at(1, 3)), mul(2, sum(tanh(at(1, 3)))));
    checkGradients(twice, [x, w]);
    expect(shapesOf(twice, 'assemble')).toEqual([[4, 6]]);
  });

  it.each([
    ['a gradient arrives for the whole node', () => add(sum(at(1, 2)), sum(mul(y, y)))],
    [
      'the windows together need the whole node',
      () => add(sum(slice(y, { axis: 1, end: 1 })), sum(slice(y, { axis: 1, start: 4 }))),
    ],
    ['a window has steps', () => sum(slice(y, { axis: 0, step: 3 }))],
  ])('is the node if %s', (_, root) => {
    checkGradients(root(), [x, w]);
    expect(shapesOf(root(), 'assemble')).toContainEqual([4, 5]);
  });

  it('may depend on names', () => {
    const feed = input('feed', ['n', 'n', 3], { dtype: 'float64' });
    const product = matmul(tanh(feed), transpose(w32));
    const root = sum(slice(reshape(product, ['n', 1, 'n', 2]), { axis: 0, start: 1, end: 'n' }));
    const gradient = backward(root).of(w32);
    const full = sum(mul(product, input('mask', ['n', 'n', 2], { dtype: 'float64' })));
    const mask = tensor([0, 0, 0, 0, 1, 1, 1, 1], { shape: [2, 2, 2], dtype: 'float64' });
    const feeds = { feed: randomTensor([2, 2, 3], 12), mask };
    const [part, whole] = evaluate([gradient, backward(full).of(w32)], feeds).map(({ data }) => [
      ...data,
    ]);
    expect(part).toHaveLength(6);
    for (const [i, value] of (part as number[]).entries()) {
      expect(value).toBeCloseTo((whole as number[])[i] as number, 12);
    }
  });
  const w32 = parameter('w32', randomTensor([2, 3], 13));

  it('may have names along the axes that all windows share', () => {
    const steps = input('steps', ['batch', 8, 16], { dtype: 'float64' });
    const filters = parameter('filters', randomTensor([4, 8, 3], 14));
    const network = relu(conv1d(steps, filters));
    const window = (start: number) => sum(slice(network, { axis: 2, start, end: start + 1 }));
    const gradient = backward(add(window(12), window(13))).of(filters);
    const lengths = nodesOf(gradient)
      .filter(({ op }) => op.name === 'convolutionWeightGradient')
      .map(({ inputs }) => inputs.map(({ shape }) => shape[3]));
    expect(lengths).toEqual([[4, 2]]);
  });

  it('is the node if more than three quarters of it are read', () => {
    const root = sum(slice(slice(y, { axis: 0, start: 0, end: 4 }), { axis: 1, start: 1 }));
    expect(shapesOf(root, 'assemble')).toContainEqual([4, 5]);
  });

  it('has second derivatives', () => {
    const image = parameter('image', randomTensor([1, 2, 5, 6], 15));
    const kernel = parameter('kernel', randomTensor([3, 2, 2, 3], 16));
    const convolved = tanh(conv2d(image, kernel, { padding: 1, stride: [1, 2] }));
    const corner = slice(slice(convolved, { axis: 2, start: 3, end: 5 }), {
      axis: 3,
      start: 1,
      end: 2,
    });
    const first = backward(sum(mul(corner, corner)));
    const squares = [image, kernel].map((leaf) => sum(mul(first.of(leaf), first.of(leaf))));
    checkGradients(add(...(squares as [Node, Node])), [image, kernel]);
  });

  it('keeps what is not read out of the gradient, also an infinite derivative', () => {
    const numbers = parameter('numbers', tensor([0, 1, 4], { dtype: 'float64' }));
    const gradient = backward(sum(slice(sqrt(numbers), { axis: 0, start: 1 }))).of(numbers);
    expect(evaluate(gradient).toArray()).toEqual([0, 0.5, 0.25]);
    expect(compile({ outputs: { gradient } }).run().gradient.toArray()).toEqual([0, 0.5, 0.25]);
  });

  it('ends at an op that depends on all elements', () => {
    const indices = constant(tensor([1, 3, 0], { dtype: 'int32' }));
    const root = slice(tanh(gather(neg(x), indices)), { axis: 0, start: 1 });
    checkGradients(root, [x]);
  });

  it('gives a program the gradients of the reference executor', () => {
    const gradients = backward(sum(at(1, 3)));
    const nodes = { x: gradients.of(x), w: gradients.of(w) };
    const program = compile({ outputs: nodes });
    const values = program.run();
    for (const key of ['x', 'w'] as const) {
      const [got, wanted] = [values[key].data, evaluate(nodes[key]).data];
      for (let i = 0; i < wanted.length; i++) {
        expect(got[i] as number).toBeCloseTo(wanted[i] as number, 12);
      }
    }
  });
});

describe("a user's rule local", () => {
  const x = parameter('x', randomTensor([5], 20));
  const axis = 0;
  let count = 0;

  /** Declares an op y[i] = 2 x[i]. */
  function twice(local: OpDeclaration['local']) {
    return defineOp({
      name: `twice${count++}`,
      arity: 1,
      dtype: ([one]) => (one as Node).dtype,
      shape: ([one]) => (one as Node).shape,
      lowering: { kind: 'compose', expand: ([one]) => add(one as Node, one as Node) },
      gradient: ({ gradient }) => [mul(2, gradient)],
      ...(local && { local }),
      samples: [],
      refused: [],
    });
  }

  const root = (local: OpDeclaration['local']) => slice(twice(local)(neg(x)), { axis, start: 3 });

  it('is used', () => {
    checkGradients(
      root(({ region, attributes }) => ({ inputs: [region], attributes })),
      [x],
    );
  });

  it('is found to be wrong by checkGradients', () => {
    const off = root(({ region, attributes }) => ({
      inputs: [{ ...region, start: [(region.start[0] as number) - 1] }],
      attributes,
    }));
    expect(() => checkGradients(off, [x])).toThrow(/x/);
  });

  const region = (start: number[], shape: number[]) => ({
    inputs: [{ start, shape }],
    attributes: {},
  });
  const form = /expected its rule local to return { inputs, attributes }/;
  it.each<[string, unknown, new (message: string) => Error, RegExp]>([
    ['null', null, ValueError, form],
    ['no regions', { attributes: {} }, ValueError, form],
    ['no attributes', { inputs: [{ start: [0], shape: [1] }] }, ValueError, form],
    [
      'two regions',
      {
        inputs: [
          { start: [0], shape: [1] },
          { start: [0], shape: [1] },
        ],
        attributes: {},
      },
      ValueError,
      /received 2 regions for 1 inputs/,
    ],
    [
      'a list',
      { inputs: [[0, 1]], attributes: {} },
      ShapeError,
      /region of input 0.*: \[\] at \[\] is not/,
    ],
    ['another rank', region([0, 0], [2]), ShapeError, /\[2\] at \[0, 0\] is not within \[5\]/],
    [
      'elements outside of the input',
      region([4], [2]),
      ShapeError,
      /\[2\] at \[4\] is not within \[5\]/,
    ],
    [
      'another shape than that of the gradient',
      region([0], [1]),
      ShapeError,
      /expected a gradient of shape \[1\] for the region of input 0, but received \[2\]/,
    ],
  ])('is refused: %s', (_, local, error, message) => {
    const rule = (() => local) as OpDeclaration['local'];
    const caught = errorOf(() => backward(sum(root(rule))));
    expect(caught).toBeInstanceOf(error);
    expect((caught as Error).message).toMatch(message);
  });
});
