// What the bodies of imported loops may contain, compared with ONNX Runtime.
import { expect, it } from 'vitest';
import {
  checkGradients,
  constant,
  evaluate,
  input,
  type Node,
  parameter,
  Tensor,
  tensor,
  training,
} from '../../src/index.js';
import { importOnnx } from '../../src/onnx/index.js';
import {
  body,
  bytesOf,
  compare,
  counted,
  type Form,
  ints,
  row,
  type Step,
  scalar,
  type TypeName,
} from './forms.js';
import { graphProto, tensorProto } from './support.js';

/** A Scan of a state and rows with a named number of steps. The results are the last state and y. */
const scanning = (
  inputs: string,
  outputs: string,
  nodes: readonly Step[],
  more: Partial<Form> = {},
): Form => ({
  nodes: [['Scan', 's0 x', 'last y', { num_scan_inputs: 1, body: body(inputs, outputs, nodes) }]],
  feeds: { s0: counted([3]), x: counted([4, 3]) },
  dims: { s0: [3], x: ['n', 3] },
  outputs: { last: 'float', y: 'float' },
  ...more,
});

it.each(['__proto__', 'constructor', '1', 'a/b.c', 'then'])('a state named %s', (name) =>
  compare(
    scanning(`${name} x`, 's2 k', [
      ['Add', `${name} x`, 's2'],
      ['Mul', `${name} x`, 'k'],
    ]),
  ),
);

it('the shape of a row, and that of the result of a loop', () => {
  const form = scanning('s x', 's2 k', [
    ['Shape', 'x', 'shape'],
    ['Cast', 'shape', 'sizes', { to: 1 }],
    ['Add', 's x', 'sum'],
    ['Add', 'sum sizes', 's2'],
    ['Identity', 's2', 'k'],
  ]);
  return compare({
    ...form,
    nodes: [
      ...form.nodes,
      ['Shape', 'y', 'all'],
      ['Gather', 'all zero', 'n'],
      ['Cast', 'n', 'count', { to: 1 }],
      ['Mul', 'last count', 'r'],
    ],
    constants: { zero: scalar(0) },
    outputs: { r: 'float' },
  });
});

it('bools', () => {
  const bool = 'bool' satisfies TypeName;
  return compare(
    scanning(
      's:bool x:bool',
      's2:bool k:bool',
      [
        ['Xor', 's x', 's2'],
        ['Not', 's2', 'k'],
      ],
      {
        feeds: { s0: [[2], [1, 0], bool], x: [[3, 2], [1, 0, 1, 1, 0, 0], bool] },
        dims: { s0: [2], x: ['n', 2] },
        outputs: { last: bool, y: bool },
      },
    ),
  );
});

it('an If whose condition is known', () =>
  compare(
    scanning(
      's x',
      's2 k',
      [
        [
          'If',
          'c',
          's2',
          {
            then_branch: body('', 'q', [['Mul', 's x', 'q']]),
            else_branch: body('', 'r', [['Add', 's x', 'r']]),
          },
        ],
        ['Identity', 's2', 'k'],
      ],
      { constants: { c: [[], [1], 'bool'] } },
    ),
  ));

it('results that depend on no argument', () =>
  compare(
    scanning(
      's x',
      's2 k',
      [
        ['Add', 'w w', 's2'],
        ['Mul', 'w w', 'k'],
      ],
      { constants: { w: row(1, 2, 3) } },
    ),
  ));

// ONNX Runtime returns memory that nobody has written.
it('arguments that are results', async () => {
  const model = await importOnnx(bytesOf(scanning('s x', 's x', [])), { name: 'through' });
  const nodes = model.apply({ s0: input('s0', [3]), x: input('x', ['n', 3]) });
  const feeds = {
    s0: [1, 2, 3],
    x: [
      [4, 5, 6],
      [7, 8, 9],
    ],
  };
  const { last, y } = evaluate(nodes as { last: Node; y: Node }, feeds);
  expect([last.toArray(), y.toArray()]).toEqual([feeds.s0, feeds.x]);
});

it('a loop of constants is not computed at the import', async () => {
  const form: Form = {
    nodes: [
      [
        'Loop',
        'm c k',
        'last',
        { body: body('i:int64:0 c:bool:0 v:int64', 'c v2', [['Add', 'v i', 'v2']]) },
      ],
      ['Reshape', 'x last', 'y'],
    ],
    constants: { m: scalar(2 ** 30), c: [[], [1], 'bool'], k: ints(1) },
    feeds: { x: row(1, 2) },
  };
  await expect(importOnnx(bytesOf(form), { name: 'long' })).rejects.toThrow(
    /the shape is computed/,
  );
});

it('a Loop reads tensors of its body and of the graph around it as parameters', async () => {
  const graph = graphProto({
    ...body('i:int64:0 c:bool x', 'c2:bool x2 kept', [
      ['Identity', 'c', 'c2'],
      ['Mul', 'x inner', 'p'],
      ['Add', 'p outer', 'x2'],
      ['Identity', 'x', 'kept'],
    ]),
    initializer: [tensorProto('inner', [2], [2, 3])],
  });
  const form: Form = {
    nodes: [['Loop', 'm c x', 'last y', { body: graph }]],
    constants: { m: scalar(3), c: [[], [1], 'bool'], outer: row(1, -1) },
    feeds: { x: row(1, 0.5) },
    outputs: { last: 'float', y: 'float' },
  };
  await compare(form);
  const model = await importOnnx(bytesOf(form), { name: 'weighted', dtype: 'float64' });
  expect([...model.variables.keys()].sort()).toEqual(['inner', 'outer']);
  model.unfreeze();
  const x = parameter('x', tensor([0.5, 1.5], { dtype: 'float64' }));
  const { last, y } = model.apply({ x }) as { last: Node; y: Node };
  checkGradients(last, [x, ...model.variables.values()]);
  checkGradients(y, [x, ...model.variables.values()]);
});

it('a Dropout, which in training drops others in each step', async () => {
  const form = scanning(
    's x',
    's2 k',
    [
      ['Add', 's x', 's2'],
      ['Dropout', 'x half', 'k'],
    ],
    { constants: { half: scalar(0.5, 'float') }, dims: { s0: [64], x: [8, 64] } },
  );
  const model = await importOnnx(bytesOf(form), { name: 'dropping' });
  const x = input('x', [8, 64]);
  const { y } = training(() => model.apply({ s0: constant(Tensor.zeros([64])), x }));
  const rows = evaluate(y as Node, { x: Tensor.ones([8, 64]) }).toArray() as number[][];
  expect(new Set(rows.map((row) => row.join())).size).toBe(8);
  expect(new Set(rows.flat())).toEqual(new Set([0, 2]));
});
