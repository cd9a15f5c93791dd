// Ops with several results: their graph, their gradients, and their values in both executors.
import { describe, expect, it } from 'vitest';
import {
  add,
  argsort,
  BackwardPass,
  backward,
  broadcastTo,
  cast,
  checkGradients,
  compile,
  constant,
  defineOp,
  dot,
  evaluate,
  exp,
  GraphError,
  input,
  mul,
  Node,
  none,
  notDifferentiable,
  parameter,
  reshape,
  result,
  type SeveralDeclaration,
  ShapeError,
  softmax,
  sort,
  sortWithIndices,
  state,
  sub,
  sum,
  takeAlongAxis,
  tensor,
  transpose,
  ValueError,
  WaitList,
} from '../../src/index.js';
import { errorOf } from '../support.js';

const float64 = { dtype: 'float64' } as const;
const matrix = () =>
  parameter(
    'x',
    tensor(
      [
        [3, 1, 2.5, -4],
        [0.5, 7, -1, 6],
      ],
      float64,
    ),
  );
const weights = constant(
  tensor(
    [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ],
    float64,
  ),
);
const severalOf = (node: Node) => node.inputs[0] as Node;

/** For each call of the rule of `moments`, which of its results got a gradient. */
const received: string[] = [];

/** The sums of the rows of a matrix, its squares, and its elements as integers. */
const moments = defineOp<object, 'sums' | 'squares' | 'whole'>({
  name: 'test moments',
  arity: 1,
  results: ([x]) => {
    const { dtype, shape } = x as Node;
    return {
      sums: { dtype, shape: shape.slice(0, 1) },
      squares: { dtype, shape },
      whole: { dtype: 'int32', shape },
    };
  },
  lowering: {
    kind: 'compose',
    expand: ([x]) => {
      const node = x as Node;
      return { sums: sum(node, 1), squares: mul(node, node), whole: cast(node, 'int32') };
    },
  },
  gradient: ({ inputs: [x], gradients: { sums, squares, whole } }) => {
    const node = x as Node;
    received.push([sums, squares, whole].map((sent) => (sent === none ? '-' : 'g')).join(''));
    const parts: Node[] = [];
    if (sums instanceof Node) {
      const [rows] = node.shape;
      parts.push(broadcastTo(reshape(sums, [rows ?? 0, 1]), node.shape));
    }
    if (squares instanceof Node) parts.push(mul(mul(2, node), squares));
    return [parts.reduce((a, b) => add(a, b))];
  },
  samples: [],
  refused: [],
});

describe('an op with several results', () => {
  it('gives each result its own shape and dtype', () => {
    const { sums, squares, whole } = moments(matrix());
    expect([sums, squares, whole].map(({ dtype, shape }) => [dtype, shape])).toEqual([
      ['float64', [2]],
      ['float64', [2, 4]],
      ['int32', [2, 4]],
    ]);
    const wanted = { sums, squares, whole };
    const values = evaluate(wanted);
    expect(values.sums.toArray()).toEqual([2.5, 12.5]);
    expect(values.whole.toArray()).toEqual([
      [3, 1, 2, -4],
      [0, 7, -1, 6],
    ]);
    const computed = compile({ outputs: wanted }).run({});
    for (const key of ['sums', 'squares', 'whole'] as const) {
      expect(computed[key].toArray()).toEqual(values[key].toArray());
    }
  });

  it('has one node for each result', () => {
    const { values, indices } = sortWithIndices(matrix());
    const node = severalOf(values);
    expect(severalOf(indices)).toBe(node);
    expect(result(node, 'values')).toBe(values);
    expect(result(node, 'indices')).toBe(indices);
    const x = matrix();
    expect(sort(x)).toBe(sortWithIndices(x).values);
  });

  it.each<[string, (x: Node) => Node, string]>([
    ['one result', (x) => sum(mul(moments(x).sums, constant(tensor([2, 3], float64)))), 'g--'],
    ['another result', (x) => sum(mul(moments(x).squares, weights)), '-g-'],
    [
      'two results',
      (x) => {
        const { sums, squares } = moments(x);
        return add(sum(exp(mul(0.1, sums))), sum(mul(squares, weights)));
      },
      'gg-',
    ],
  ])('sends the gradients of %s, and none of the others', (_which, build, wanted) => {
    const x = matrix();
    received.length = 0;
    backward(build(x));
    expect(received).toEqual([wanted]);
    checkGradients(build(x), [x]);
  });

  it('can be differentiated twice', () => {
    const x = matrix();
    const { sums, squares } = moments(x);
    const first = backward(sum(mul(exp(mul(0.1, sums)), sum(mul(squares, weights), 1)))).of(x);
    checkGradients(sum(mul(first, weights)), [x]);
  });

  it('sends no gradient, and calls no rule, if none of its results got one', () => {
    const x = matrix();
    const { whole } = moments(x);
    const loss = sum(add(mul(x, x), cast(whole, 'float64')));
    received.length = 0;
    const gradients = backward(loss);
    expect(received).toEqual([]);
    expect(gradients.reaches(severalOf(whole))).toBe(false);
    expect(evaluate(gradients.of(x)).toArray()).toEqual([
      [6, 2, 5, -8],
      [1, 14, -2, 12],
    ]);
  });

  it('adds the gradients of two nodes of one result', () => {
    const x = matrix();
    const { sums } = moments(x);
    sum(moments(x).sums);
    const labelled = result(severalOf(sums), 'sums').named('labelled');
    expect(labelled).not.toBe(sums);
    const loss = sum(add(mul(sums, 2), mul(labelled, 3)));
    expect(evaluate(backward(loss).of(x)).toArray()).toEqual([
      [5, 5, 5, 5],
      [5, 5, 5, 5],
    ]);
  });

  it('waits for its results, which a pass can run step by step', () => {
    const x = matrix();
    const { sums, squares } = moments(x);
    const loss = add(sum(sums), sum(squares));
    const node = severalOf(sums);
    const waits = WaitList.of(loss);
    expect(waits.edges(node).map(({ parent }) => parent)).toEqual([sums, squares]);
    expect(dot(loss)).toContain('test moments\\nwaits for 2');
    const pass = new BackwardPass(waits.register(loss, 'start')).send(
      loss,
      'start',
      constant(1, float64),
    );
    const steps: Node[] = [];
    for (let next = pass.step(); next; next = pass.step()) steps.push(next);
    expect(steps.indexOf(node)).toBeGreaterThan(steps.indexOf(squares));
    expect(steps.indexOf(node)).toBeGreaterThan(steps.indexOf(sums));
    expect(pass.reaches(node)).toBe(true);
    expect(errorOf(() => pass.gradient(node))).toBeInstanceOf(GraphError);
  });

  it('has no value of its own', () => {
    const x = matrix();
    const node = severalOf(sort(x));
    const why =
      /has several results \(values, indices\) and no value of its own; choose one with result\(node, key\)/;
    const outer = WaitList.of(sort(x)).register(node, 'outside');
    const uses: (() => unknown)[] = [
      () => add(node, 1),
      () => transpose(node),
      () => cast(node, 'float32'),
      () => softmax(node),
      () => evaluate(node),
      () => compile({ outputs: { node } }),
      () => compile({ outputs: {}, updates: [[state('s', tensor(0)), node]] }),
      () => backward(node),
      () => backward(sum(x), { gradient: node }),
      () => backward(sum(sort(x))).of(node),
      () => new BackwardPass(outer).send(node, 'outside', constant(1)),
      () => checkGradients(node, [x]),
    ];
    for (const use of uses) {
      const error = errorOf(use);
      expect([error.constructor, error.message]).toEqual([GraphError, expect.stringMatching(why)]);
    }
  });

  it('refuses other keys, and nodes with one result', () => {
    const values = sort(matrix());
    expect(() => result(severalOf(values), 'order')).toThrow(
      new ValueError(
        `result: expected a result of ${severalOf(values)} (values, indices), but received the string "order"`,
      ),
    );
    expect(() => result(values, 'values')).toThrow(GraphError);
    expect(() => result(3 as unknown as Node, 'values')).toThrow(GraphError);
  });
});

describe('the declaration of an op with several results', () => {
  const declaration = (name: string, change: object) =>
    ({
      name,
      arity: 1,
      results: ([x]) => ({ a: { dtype: (x as Node).dtype, shape: (x as Node).shape } }),
      lowering: { kind: 'compose', expand: ([x]) => ({ a: x as Node }) },
      gradient: notDifferentiable('a test needs none'),
      samples: [],
      refused: [],
      ...change,
    }) as SeveralDeclaration;
  const routine = (shapes: object) => ({
    lowering: { kind: 'routine', routine: 'sort', call: () => shapes },
  });
  const same = () => ({ dtype: 'float32', shape: [] });
  const boom = () => {
    throw new Error('boom');
  };
  const both = ([x]: readonly Node[]) => ({
    b: { dtype: 'float64', shape: (x as Node).shape },
    c: { dtype: 'int32', shape: (x as Node).shape },
  });

  it.each<[string, object, new (message: string) => Error, string]>([
    ['no results', { results: () => ({}) }, ValueError, 'at least one result'],
    ['a key that is a number', { results: () => ({ 0: same() }) }, ValueError, 'that are names'],
    [
      'the key __proto__',
      { results: () => ({ ['__proto__']: same() }) },
      ValueError,
      'that are names',
    ],
    [
      'a getter that throws',
      {
        results: () => ({ a: Object.defineProperty({}, 'dtype', { enumerable: true, get: boom }) }),
      },
      ValueError,
      'boom',
    ],
    ['results that are no record', { results: () => 3 }, ValueError, 'at least one result'],
    [
      'a result without shape',
      { results: () => ({ a: { dtype: 'int32' } }) },
      ShapeError,
      "result 'a'",
    ],
    [
      'another kind of lowering',
      { lowering: { kind: 'map', kernel: 'neg' } },
      GraphError,
      'must be of kind routine or compose',
    ],
    [
      'an expansion without a key',
      { lowering: { kind: 'compose', expand: () => ({}) } },
      GraphError,
      "must expand to a node for each of its results (a), but 'a' is undefined",
    ],
    [
      'an expansion of another shape',
      { lowering: { kind: 'compose', expand: ([x]: Node[]) => ({ a: sum(x as Node) }) } },
      GraphError,
      'expands to',
    ],
    [
      'a routine with more results',
      routine({ reads: [[2, 4, 1]], writes: { a: [2, 4, 1] }, integers: [0] }),
      ShapeError,
      "routine 'sort' has 2 results, but the op has 1",
    ],
    [
      'a written shape of another size',
      {
        ...routine({ reads: [[2, 4, 1]], writes: { b: [2, 4, 1], c: [2, 3, 1] }, integers: [0] }),
        results: both,
      },
      ShapeError,
      'cannot write a result of shape [2, 4] as [2, 3, 1]',
    ],
    [
      'a result that is not written',
      {
        ...routine({ reads: [[2, 4, 1]], writes: { b: [2, 4, 1] }, integers: [0] }),
        results: both,
      },
      ValueError,
      'expected a list of numbers',
    ],
  ])('is refused for %s', (name, change, error, message) => {
    for (const run of [
      (node: Node) => evaluate(node),
      (node: Node) => compile({ outputs: { node } }).run({}),
    ]) {
      const title = `wrong results: ${name}, ${run}`;
      const found = errorOf(() => {
        run(Object.values(defineOp(declaration(title, change))(matrix()))[0] as Node);
      });
      expect(found.message).toContain(message);
      expect(found).toBeInstanceOf(error);
    }
  });
});

describe('a routine with several results', () => {
  const run = (outputs: Readonly<Record<string, Node>>) => {
    const program = compile({ outputs });
    const values = program.run({});
    return { values, instructions: program.stats().instructions, program };
  };

  it('computes all of them in one instruction', () => {
    const { values, indices } = sortWithIndices(matrix());
    const found = run({ values, indices });
    expect(found.instructions).toBe(1);
    expect(found.values.values?.toArray()).toEqual([
      [-4, 1, 2.5, 3],
      [-1, 0.5, 6, 7],
    ]);
    expect(found.values.indices?.toArray()).toEqual([
      [3, 1, 2, 0],
      [2, 0, 3, 1],
    ]);
    expect(found.program.profile({}).map(({ nodes }) => nodes)).toEqual([`${severalOf(values)}`]);
  });

  it('is computed if only its last result is read', () => {
    const { indices } = sortWithIndices(matrix(), 0, { descending: true });
    const found = run({ indices });
    expect(found.instructions).toBe(1);
    expect(found.values.indices?.toArray()).toEqual([
      [0, 1, 0, 1],
      [1, 0, 1, 0],
    ]);
  });

  it('sorts once for the sorted elements and their gradient', () => {
    const x = matrix();
    const y = sort(x);
    const gradient = backward(sum(mul(y, weights))).of(x);
    const { program, values } = run({ y, gradient });
    // The slowest row of a profile is the first.
    const rows = program.profile({}).sort((a, b) => a.instruction - b.instruction);
    const kinds = rows.map(({ nodes }) => nodes.replace(/ .*/, ''));
    expect(kinds).toEqual(['[sort', '[scatterAddAlongAxis']);
    expect(values.gradient?.toArray()).toEqual(evaluate(gradient).toArray());
    checkGradients(sort(x, 0, { descending: true }), [x]);
    const twice = backward(sum(mul(exp(mul(0.1, sort(x))), weights))).of(x);
    checkGradients(mul(twice, weights), [x]);
  });

  it('lets its results be blocks, be read by loops, and be updates', () => {
    const x = matrix();
    const indices = state(
      'indices',
      tensor(
        [
          [0, 0, 0, 0],
          [0, 0, 0, 0],
        ],
        { dtype: 'int32' },
      ),
    );
    const one = sortWithIndices(mul(x, 2));
    const two = sortWithIndices(sub(0, x));
    const y = add(exp(one.values), cast(two.indices, 'float64'));
    const taken = takeAlongAxis(x, one.indices, 1);
    const outputs = { y, taken, last: two.values };
    const updates = [[indices, two.indices]] as const;
    const expected = evaluate(outputs);
    const program = compile({ outputs, updates: [...updates] });
    for (let round = 0; round < 2; round++) {
      const found = program.run({});
      for (const key of ['y', 'taken', 'last'] as const) {
        expect(found[key].toArray()).toEqual(expected[key].toArray());
      }
      expect(indices.value.toArray()).toEqual(evaluate(two.indices).toArray());
    }
  });

  it('has no elements if the axis is empty', () => {
    const x = input('x', ['batch', 3], float64);
    const { values, indices } = sortWithIndices(x, 0);
    const empty = tensor(new Float64Array(0), { shape: [0, 3] });
    const outputs = { values, indices };
    expect(evaluate(outputs, { x: empty }).indices.shape).toEqual([0, 3]);
    const program = compile({ outputs });
    expect(program.run({ x: empty }).indices.shape).toEqual([0, 3]);
    const feeds = {
      x: tensor(
        [
          [2, 1, 0],
          [1, 2, 3],
        ],
        float64,
      ),
    };
    expect(program.run(feeds).indices.toArray()).toEqual(evaluate(argsort(x, 0), feeds).toArray());
  });

  it('merges equal nodes', () => {
    const x = parameter('x', tensor([2, 1, 3]));
    const [a, b] = [mul(x, 2), mul(x, 2)].map((operand) => sortWithIndices(operand));
    const { instructions, values } = run({
      values: a?.values as Node,
      indices: b?.indices as Node,
    });
    expect(instructions).toBe(2);
    expect(values.indices?.toArray()).toEqual([1, 0, 2]);
  });
});
