// Loops that forebay does not support, and loops of damaged files.
import { describe, expect, it } from 'vitest';
import { FormatError, ShapeError } from '../../src/index.js';
import { importOnnx } from '../../src/onnx/index.js';
import {
  type Attributes,
  body,
  bytesOf,
  counted,
  type Form,
  row,
  type Step,
  scalar,
  type Values,
} from './forms.js';

const importing = (form: Form) => importOnnx(bytesOf(form), { name: 'refused' });

describe('a Scan is refused', () => {
  const sums: readonly Step[] = [
    ['Add', 's x', 's2'],
    ['Add', 's2 s2', 'kept'],
  ];
  const usual = body('s x', 's2 kept', sums);
  const scanning = (attributes: Attributes, more: Partial<Form> = {}): Form => ({
    nodes: [['Scan', 's0 x', 'last y', { body: usual, num_scan_inputs: 1, ...attributes }]],
    feeds: { s0: counted([3]), x: counted([4, 3]) },
    outputs: { last: 'float', y: 'float' },
    ...more,
  });
  it.each([
    [
      'of operator set 8',
      scanning({}, { opset: 8 }),
      FormatError,
      /Scan .*: the form of operator set 8/,
    ],
    [
      'without a body',
      { ...scanning({}), nodes: [['Scan', 's0 x', 'last y', { num_scan_inputs: 1 }]] },
      FormatError,
      /the attribute 'body' is missing/,
    ],
    [
      'without num_scan_inputs',
      { ...scanning({}), nodes: [['Scan', 's0 x', 'last y', { body: usual }]] },
      FormatError,
      /the attribute 'num_scan_inputs' is missing/,
    ],
    [
      'of a body without outputs',
      scanning({ body: body('s x', '', sums) }),
      FormatError,
      /its body has 0 outputs, but at least 1 are expected/,
    ],
    [
      'of a body with too many inputs',
      scanning({ body: body('s x z', 's2 kept', sums) }),
      FormatError,
      /its body has 3 inputs, but the node gives it 2 values/,
    ],
    [
      'of a body with two inputs of a name',
      scanning({ body: body('s s', 's s', []) }),
      FormatError,
      /two inputs of its body are named 's'/,
    ],
    [
      'of a body with an output that it does not compute',
      scanning({ body: body('s x', 's2 lost', sums) }),
      FormatError,
      /there is no tensor 'lost'/,
    ],
    [
      'with more outputs than its body',
      scanning({ body: body('s x', 's2', sums) }),
      FormatError,
      /the node has 2 outputs, but its body has 1/,
    ],
    ...[0, 3, -1].map(
      (count) =>
        [
          `that scans ${count} of 2 inputs`,
          scanning({ num_scan_inputs: count }),
          FormatError,
          new RegExp(`attribute 'num_scan_inputs' is ${count}, but the node has 2 inputs`),
        ] as const,
    ),
    ...(['scan_input_axes', 'scan_output_axes'] as const).flatMap((name) =>
      [2, -3].map(
        (axis) =>
          [
            `along axis ${axis} of ${name}`,
            scanning({ [name]: [axis] }),
            FormatError,
            new RegExp(`attribute '${name}' has axis ${axis} of a tensor of 2 axes`),
          ] as const,
      ),
    ),
    [
      'with too many axes',
      scanning({ scan_input_axes: [0, 0] }),
      FormatError,
      /attribute 'scan_input_axes' has 2 numbers, but 1 are needed/,
    ],
    [
      'in another direction',
      scanning({ scan_output_directions: [2] }),
      FormatError,
      /attribute 'scan_output_directions' must be of 0 and 1, but has 2/,
    ],
    [
      'with an attribute that it does not have',
      scanning({ speed: 3 }),
      FormatError,
      /attribute 'speed'/,
    ],
    [
      'of a scalar',
      scanning({}, { feeds: { s0: counted([3]), x: scalar(1, 'float') } }),
      FormatError,
      /has axis 0 of a tensor of 0 axes/,
    ],
    [
      'of unequal lengths',
      {
        nodes: [
          [
            'Scan',
            'x z',
            'y',
            { num_scan_inputs: 2, body: body('x z', 'y', [['Add', 'x z', 'y']]) },
          ],
        ],
        feeds: { x: counted([4, 3]), z: counted([5, 3]) },
      },
      ShapeError,
      /Scan .*over\.z has 5 steps, but over\.x has 4/,
    ],
    [
      'of a state that changes its shape',
      scanning({
        body: body('s x', 's2 x2', [
          ['Concat', 's x', 's2', { axis: 0 }],
          ['Add', 'x x', 'x2'],
        ]),
      }),
      ShapeError,
      /the carry s began with shape \[3\], but its next value .* has \[6\]/,
    ],
    [
      'of a body with an operator that forebay does not have',
      scanning({
        body: body('s x', 's2 kept', [
          ['Add', 's x', 's2'],
          ['Swirl', 's2', 'kept'],
        ]),
      }),
      FormatError,
      /does not support a node of the model: Swirl .*forebay has no such operator/,
    ],
    [
      'whose body reads its result',
      scanning({
        body: body('s x', 's2 kept', [
          ['Add', 's x', 's2'],
          ['Add', 's2 last', 'kept'],
        ]),
      }),
      FormatError,
      /depends on itself/,
    ],
  ] as const satisfies readonly (readonly [
    string,
    Form,
    typeof FormatError | typeof ShapeError,
    RegExp,
  ])[])('%s', async (_, form, Kind, message) => {
    const imported = importing(form);
    await expect(imported).rejects.toThrow(Kind);
    await expect(imported).rejects.toThrow(message);
  });
});

describe('a Loop is refused', () => {
  const truth: Values = [[], [1], 'bool'];
  const doubling = body('i:int64:0 c:bool:0 x', 'c2:bool x2 kept', [
    ['Identity', 'c', 'c2'],
    ['Add', 'x x', 'x2'],
    ['Swirl', 'x', 'kept'],
  ]);
  const until = body('i:int64:0 c:bool:0 x', 'c2:bool x2 x2', [
    ['ReduceSum', 'x', 'sum', { keepdims: 0 }],
    ['Less', 'sum hundred', 'c2'],
    ['Add', 'x x', 'x2'],
  ]);
  const growing = body('i:int64:0 c:bool:0 x', 'c2:bool x2 kept', [
    ['Identity', 'c', 'c2'],
    ['Concat', 'x x', 'x2', { axis: 0 }],
    ['ReduceSum', 'x2', 'kept', { keepdims: 0 }],
  ]);
  const looping = (graph: typeof until, more: Partial<Form> = {}, from = 'm c x'): Form => ({
    nodes: [['Loop', from, 'last y', { body: graph }]],
    feeds: { x: row(1, 2) },
    outputs: { last: 'float', y: 'float' },
    ...more,
    constants: { m: scalar(5), c: truth, hundred: scalar(100, 'float'), ...more.constants },
  });
  const named: Partial<Form> = { dims: { x: ['n'] } };
  it.each([
    ['of a condition of its body', looping(until), /Loop .*its condition is computed in its body/],
    [
      'of a condition of its body, many times',
      looping(until, { constants: { m: scalar(2 ** 40) } }),
      /a trip count of 1099511627776/,
    ],
    [
      'of a condition that is fed',
      looping(doubling, { feeds: { x: row(1, 2), d: truth } }, 'm d x'),
      /2 nodes of the model: Swirl .*Loop .*its condition is computed, but must be known/,
    ],
    [
      'of a trip count that is fed',
      looping(growing, { feeds: { x: row(1, 2), k: scalar(3) } }, 'k c x'),
      /its trip count is computed, but must be known/,
    ],
    ['without a trip count', looping(growing, {}, '- c x'), /it has no trip count/],
    [
      'whose condition ends it',
      looping(
        body('i:int64:0 c:bool:0 x', 'c2:bool x2 kept', [
          ['Not', 'c', 'c2'],
          ['Add', 'x x', 'x2'],
          ['Identity', 'x', 'kept'],
        ]),
        { constants: { m: scalar(100) } },
      ),
      /its condition ends it before the last step/,
    ],
    [
      'of many steps that change a shape',
      looping(growing, { constants: { m: scalar(65) } }),
      /only in a loop of at most 64 steps: 'x' has shape \[2\] before a step and \[4\] after it/,
    ],
    [
      'of steps without a number that change a shape',
      {
        ...looping(growing, named, 'n c x'),
        nodes: [
          ['Size', 'x', 'n'],
          ['Loop', 'n c x', 'last y', { body: growing }],
        ],
      },
      /only in a loop of at most 64 steps: 'x' has shape \[n\] before a step and \[2\*n\] after it/,
    ],
    [
      'of sequences',
      looping(
        body('i:int64:0 c:bool:0 x', 'c2:bool x2 kept', [
          ['Identity', 'c', 'c2'],
          ['SequenceInsert', 'x x', 'x2'],
          ['Identity', 'x', 'kept'],
        ]),
      ),
      /SequenceInsert .*forebay has no such operator/,
    ],
    [
      'of a body without outputs',
      looping(body('i:int64:0 c:bool:0 x', '', [])),
      /its body has 0 outputs, but at least 2 are expected/,
    ],
    [
      'of a body with too few inputs',
      looping(body('i:int64:0 c:bool:0', 'c kept', [])),
      /its body has 2 inputs, but the node gives it 3 values/,
    ],
    [
      'of a trip count of two elements',
      looping(growing, { constants: { m: [[2], [1, 2], 'int64'] } }),
      /its trip count must have one element/,
    ],
  ] as const satisfies readonly (readonly [string, Form, RegExp])[])(
    '%s',
    async (_, form, message) => {
      const imported = importing(form);
      await expect(imported).rejects.toThrow(FormatError);
      await expect(imported).rejects.toThrow(message);
    },
  );

  it('of steps that unroll to too many nodes', async () => {
    // Each loop is unrolled, because its body needs the index of the step as a number.
    // Nodes that nothing needs count, too.
    const unused = Array.from({ length: 200 }, (_, index): Step => ['Identity', 'm', `m${index}`]);
    let graph: typeof until | undefined;
    for (const depth of [4, 3, 2, 1, 0]) {
      const [x, y, k] = [`x${depth}`, `y${depth}`, `k${depth}`];
      const from = `from${depth}`;
      graph = body(`i${depth}:int64:0 c${depth}:bool:0 ${x}`, `c${depth} ${y} ${k}`, [
        ['Unsqueeze', `i${depth} zero`, from],
        ['Slice', `table ${from} end`, `part${depth}`],
        ['ReduceSum', `part${depth}`, k],
        ...(graph === undefined ? unused : []),
        graph === undefined
          ? ['Add', `${x} ${x}`, y]
          : ['Loop', `m c ${x}`, `${y} rows${depth}`, { body: graph }],
      ]);
    }
    const constants = {
      m: scalar(64),
      table: counted([64]),
      zero: [[1], [0], 'int64'],
      end: [[1], [64], 'int64'],
    } as const;
    await expect(importing(looping(graph as typeof until, { constants }))).rejects.toThrow(
      /the graph has more than 500000 nodes/,
    );
  });
});
