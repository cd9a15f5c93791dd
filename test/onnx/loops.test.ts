// Compares imported loops with ONNX Runtime: Scan, Loop, and recurrent operators whose number of steps has a name.
import { describe, expect, it } from 'vitest';
import {
  checkGradients,
  compile,
  evaluate,
  input,
  type Node,
  parameter,
  type Tensor,
  tensor,
} from '../../src/index.js';
import { importOnnx } from '../../src/onnx/index.js';
import {
  type Attributes,
  body,
  bytesOf,
  compare,
  counted,
  type Form,
  forms,
  infos,
  ints,
  row,
  scalar,
} from './forms.js';
import { graphProto, nodeProto, tensorProto } from './support.js';

/** s = s + x, and what is kept of the step: 2 s. */
const sums = body('s x', 's2 kept', [
  ['Add', 's x', 's2'],
  ['Add', 's2 s2', 'kept'],
]);

const scanning = (attributes: Attributes, more: Partial<Form> = {}): Form => ({
  nodes: [['Scan', 's0 x', 'last y', { body: sums, num_scan_inputs: 1, ...attributes }]],
  feeds: { s0: counted([3]), x: counted([4, 3]) },
  outputs: { last: 'float', y: 'float' },
  ...more,
});

const named = { s0: [3], x: ['n', 3] } as const;

describe('Scan', () => {
  it.each(
    forms({
      forward: scanning({}),
      'of operator set 9': scanning({}, { opset: 9 }),
      'along a name': scanning({}, { dims: named }),
      'along a name, one step': scanning(
        {},
        { dims: named, feeds: { s0: counted([3]), x: counted([1, 3]) } },
      ),
      'of an input backwards': scanning({ scan_input_directions: [1] }, { dims: named }),
      'of an output backwards': scanning({ scan_output_directions: [1] }, { dims: named }),
      'of both backwards': scanning(
        { scan_input_directions: [1], scan_output_directions: [1] },
        { dims: named },
      ),
      'along other axes': scanning(
        { scan_input_axes: [1], scan_output_axes: [-1] },
        { feeds: { s0: counted([4]), x: counted([4, 3]) }, dims: { s0: [4], x: [4, 'n'] } },
      ),
      'of rows of several axes, into the middle': scanning(
        { scan_input_axes: [-2], scan_output_axes: [1], scan_input_directions: [1] },
        { feeds: { s0: counted([2, 3]), x: counted([2, 5, 3]) } },
      ),
      'of mixed directions, with names from outside': {
        nodes: [
          ['Mul', 'w w', 'w2'],
          [
            'Scan',
            's0 a b',
            's y z',
            {
              num_scan_inputs: 2,
              scan_input_directions: [0, 1],
              scan_output_directions: [1, 0],
              body: body('s a b', 's2 p q', [
                ['Mul', 'a w2', 'aw'],
                ['Add', 'aw b', 'p'],
                ['Add', 's p', 's2'],
                ['Mul', 's2 w', 'q'],
              ]),
            },
          ],
        ],
        feeds: {
          s0: row(1, 2),
          a: counted([5, 2]),
          b: counted([5, 2], 'float', 0.5),
          w: row(3, -1),
        },
        dims: { s0: [2], a: ['n', 2], b: ['n', 2], w: [2] },
        outputs: { s: 'float', y: 'float', z: 'float' },
      },
      'without states': {
        nodes: [
          [
            'Scan',
            'x',
            'y',
            {
              num_scan_inputs: 1,
              body: body('x', 'y', [['ReduceMax', 'x', 'y', { keepdims: 0 }]]),
            },
          ],
        ],
        feeds: { x: counted([4, 3]) },
        dims: { x: ['n', 3] },
      },
      'without what is kept, of integers': {
        nodes: [
          [
            'Scan',
            's0 x',
            'last',
            {
              num_scan_inputs: 1,
              body: body('s:int64 x:int64', 't:int64', [['Add', 's x', 't']]),
            },
          ],
        ],
        feeds: { s0: scalar(100), x: ints(1, 2, 3) },
        outputs: { last: 'int64' },
      },
      'in a Scan': {
        nodes: [
          [
            'Scan',
            'x',
            'y',
            {
              num_scan_inputs: 1,
              body: body('r', 'inner', [
                ['ReduceSum', 'r', 'zero_', { keepdims: 0 }],
                ['Scan', 'zero_ r', 'last inner', { num_scan_inputs: 1, body: sums }],
              ]),
            },
          ],
        ],
        feeds: { x: counted([4, 3]) },
        dims: { x: ['n', 'm'] },
      },
    }),
  )('%s', (_, form) => compare(form));

  it('has as many instructions for 10,000 steps as for 4', async () => {
    const model = await importOnnx(bytesOf(scanning({}, { dims: named })), { name: 'long' });
    const nodes = model.apply({ s0: input('s0', [3]), x: input('x', ['n', 3]) });
    const program = compile({ outputs: nodes });
    const instructions = (steps: number) => {
      const x = tensor(new Float32Array(3 * steps).fill(1), { shape: [steps, 3] });
      const { last } = program.run({ s0: [0, 1, 2], x }) as { last: Tensor };
      expect(last.toArray()).toEqual([steps, steps + 1, steps + 2]);
      return program.stats().instructions;
    };
    expect(instructions(4)).toBe(instructions(10_000));
  });

  it('has no steps of a sequence without rows', async () => {
    const model = await importOnnx(bytesOf(scanning({}, { dims: named })), { name: 'empty' });
    const nodes = model.apply({ s0: input('s0', [3]), x: input('x', ['n', 3]) });
    const x = tensor(new Float32Array(0), { shape: [0, 3] });
    const { last, y } = evaluate(nodes as { last: Node; y: Node }, { s0: [1, 2, 3], x });
    expect([last.toArray(), y.shape]).toEqual([
      [1, 2, 3],
      [0, 3],
    ]);
  });

  it('has gradients with respect to states, to what is scanned, and to weights of the body', async () => {
    const step = body('s x', 't y', [
      ['MatMul', 's w', 'product'],
      ['Add', 'product x', 'sum'],
      ['Tanh', 'sum', 't'],
      ['Mul', 't x', 'y'],
    ]);
    const form: Form = {
      nodes: [
        [
          'Scan',
          's0 x',
          'last y',
          { num_scan_inputs: 1, scan_input_directions: [1], scan_output_axes: [1], body: step },
        ],
      ],
      constants: { w: counted([3, 3], 'float', 0.1) },
      feeds: { s0: counted([2, 3]), x: counted([4, 2, 3]) },
      outputs: { last: 'float', y: 'float' },
    };
    const model = await importOnnx(bytesOf(form), { name: 'trained', dtype: 'float64' });
    model.unfreeze();
    const leaf = (name: string, shape: number[]) => {
      const [, elements] = counted(shape, 'float', 0.1);
      return parameter(name, tensor([...elements], { shape, dtype: 'float64' }));
    };
    const [s0, x] = [leaf('s0', [2, 3]), leaf('x', [4, 2, 3])];
    const { last, y } = model.apply({ s0, x }) as { last: Node; y: Node };
    const leaves = [s0, x, ...model.variables.values()];
    expect(leaves.length).toBe(3);
    checkGradients(last, leaves);
    checkGradients(y, leaves);
  });
});

/** x = x + x times the index of the step, and what is kept: x. */
const powers = body('i:int64:0 c:bool:0 x', 'c2:bool x2 kept', [
  ['Identity', 'c', 'c2'],
  ['Cast', 'i', 'f', { to: 1 }],
  ['Mul', 'x f', 'p'],
  ['Add', 'x p', 'x2'],
  ['Identity', 'x', 'kept'],
]);

const looping = (
  graph: ReturnType<typeof body>,
  more: Partial<Form> = {},
  from = 'm c x',
): Form => ({
  nodes: [
    ['Loop', from, Object.keys(more.outputs ?? { last: 0, y: 0 }).join(' '), { body: graph }],
  ],
  constants: { m: scalar(5), c: [[], [1], 'bool'] },
  feeds: { x: row(1, 0.5) },
  outputs: { last: 'float', y: 'float' },
  ...more,
});

describe('Loop', () => {
  const grows = body('i:int64:0 c:bool x', 'c2:bool x2 kept', [
    ['Identity', 'c', 'c2'],
    ['Concat', 'x x', 'x2', { axis: 0 }],
    ['ReduceSum', 'x2', 'kept', { keepdims: 0 }],
  ]);
  const onlyLast = { outputs: { last: 'float' } } as const;
  it.each(
    forms({
      'a known number of times': looping(powers),
      'without a condition': looping(powers, {}, 'm - x'),
      'with a condition of one axis': looping(
        body('i:int64:0 c:bool x', 'c2:bool x2 kept', [
          ['Identity', 'c', 'c2'],
          ['Add', 'x x', 'x2'],
          ['Mul', 'x x', 'kept'],
        ]),
        { constants: { m: scalar(3), c: [[1], [1], 'bool'] } },
      ),
      'with a condition that is a constant': looping(
        body('i:int64:0 c:bool x', 'c2:bool x2 kept', [
          ['Constant', '', 'c2', { value: tensorProto('', [], [1], 'bool') }],
          ['Add', 'x x', 'x2'],
          ['Mul', 'x x', 'kept'],
        ]),
      ),
      'more often than is unrolled': looping(
        body('i:int64:0 c:bool x', 'c2:bool x2 kept', [
          ['Identity', 'c', 'c2'],
          ['Cast', 'i', 'f', { to: 1 }],
          ['Add', 'x f', 'x2'],
          ['Sin', 'x2', 'kept'],
        ]),
        { constants: { m: scalar(300), c: [[], [1], 'bool'] } },
      ),
      // ONNX Runtime guesses the shape of what is kept of no steps.
      'not once': {
        ...looping(powers, { constants: { m: scalar(0), c: [[], [1], 'bool'] } }),
        ...onlyLast,
      },
      'not once, by the condition': {
        ...looping(powers, { constants: { m: scalar(3), c: [[], [0], 'bool'] } }),
        ...onlyLast,
      },
      'as often as an axis is long': {
        nodes: [
          ['Shape', 'z', 'shape'],
          ['Gather', 'shape zero', 'n'],
          [
            'Loop',
            'n c x',
            'last y',
            {
              body: body('i:int64:0 c:bool x', 'c2:bool x2 kept', [
                ['Identity', 'c', 'c2'],
                ['Gather', 'z i', 'r', { axis: 0 }],
                ['Add', 'x r', 'x2'],
                ['Mul', 'x2 r', 'kept'],
              ]),
            },
          ],
        ],
        constants: { zero: scalar(0), c: [[], [1], 'bool'] },
        feeds: { x: row(1, 2), z: counted([6, 2]) },
        dims: { x: [2], z: ['n', 2] },
        outputs: { last: 'float', y: 'float' },
      },
      'of a shape that changes': looping(grows),
      'that its body ends, by what is known': looping(
        body('i:int64:0 c:bool x', 'c2:bool x2 kept', [
          ['Less', 'i two', 'c2'],
          ['Add', 'x x', 'x2'],
          ['Identity', 'x', 'kept'],
        ]),
        { constants: { m: scalar(9), two: scalar(2), c: [[], [1], 'bool'] } },
      ),
      'of integers, in an If': {
        nodes: [
          [
            'If',
            'c',
            'last',
            {
              then_branch: graphProto({
                name: 'then',
                node: [
                  nodeProto('Loop', ['m', 'c', 'k'], ['t'], {
                    body: body('i:int64:0 c_:bool x:int64', 'c2:bool x2:int64', [
                      ['Identity', 'c_', 'c2'],
                      ['Add', 'x i', 'x2'],
                    ]),
                  }),
                ],
                output: infos('t:int64'),
              }),
              else_branch: graphProto({
                name: 'else',
                node: [nodeProto('Identity', ['k'], ['e'])],
                output: infos('e:int64'),
              }),
            },
          ],
        ],
        constants: { m: scalar(5), c: [[], [1], 'bool'] },
        feeds: { k: ints(7, 8) },
        outputs: { last: 'int64' },
      },
      'in a Loop, with a slice at its index': looping(
        body('i:int64:0 c:bool x', 'c2:bool x2', [
          ['Identity', 'c', 'c2'],
          [
            'Loop',
            'two c x',
            'x2',
            {
              body: body('j:int64:0 d:bool v', 'd2:bool v2', [
                ['Identity', 'd', 'd2'],
                ['Unsqueeze', 'j zero', 'from'],
                ['Add', 'from one', 'to'],
                ['Slice', 'table from to', 'part'],
                ['Cast', 'i', 'f', { to: 1 }],
                ['Mul', 'part f', 'scaled'],
                ['Add', 'v scaled', 'v2'],
              ]),
            },
          ],
        ]),
        {
          constants: {
            m: scalar(100),
            two: scalar(2),
            zero: ints(0),
            one: ints(1),
            table: row(1, 10),
            c: [[], [1], 'bool'],
          },
          ...onlyLast,
        },
      ),
    }),
  )('%s', (_, form) => compare(form));
});

it('a Loop of no steps keeps no rows, of the shape that a step would keep', async () => {
  const form = looping(powers, { constants: { m: scalar(-3), c: [[], [1], 'bool'] } });
  const model = await importOnnx(bytesOf(form), { name: 'none' });
  const nodes = model.apply({ x: input('x', [2]) }) as { last: Node; y: Node };
  const { last, y } = evaluate(nodes, { x: [1, 2] });
  expect([last.toArray(), y.shape]).toEqual([
    [1, 2],
    [0, 2],
  ]);
});
