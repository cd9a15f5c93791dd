/**
 * The forms that layers have in PyTorch: the names of their tensors, and how the values of variables are laid out in
 * them. The table at the end has all forms.
 */

import { evaluate } from '../evaluate/evaluate.js';
import { constant, type Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { Module } from '../modules/module.js';
import { type ExtraTensor, type Group, sameValue } from '../modules/weights.js';
import { add, concat, slice, transpose } from '../ops/index.js';
import { Tensor, tensor } from '../tensor/tensor.js';
import { BatchNorm } from './batch-norm.js';
import { Dense } from './dense.js';
import { GRU, type GRUGates } from './gru.js';
import { LSTM, type LSTMGates } from './lstm.js';
import { MultiHeadAttention } from './multi-head-attention.js';
import { SimpleRNN, type SimpleRNNGates } from './simple-rnn.js';
import { TransformerEncoderLayer } from './transformer.js';

/** The form of a module in PyTorch. Names are relative to the module. */
export interface Form {
  /** The groups of the variables that have other names or layouts than in forebay. */
  readonly groups: readonly Group[];
  /** The names of modules that the module holds, if they differ from those in forebay. */
  readonly children: ReadonlyMap<Module, string>;
  /** Modules that the module holds, but that have no counterpart in PyTorch, because the groups have their variables. */
  readonly inner: ReadonlySet<Module>;
}

/** Returns the form of a module. */
export function formOf(module: Module): Form {
  const own = rows.map((form) => form(module)).find((form) => form !== undefined);
  return { groups: [], children: new Map(), inner: new Set(), ...own };
}

/** Functions of nodes between the variables of a group and its tensors. */
interface Graphs {
  /** Returns nodes for the variables from nodes for the tensors. */
  readonly read: (tensors: readonly Node[]) => Node[];
  /** Returns nodes for the tensors from nodes for the variables. */
  readonly write: (variables: readonly Node[]) => Node[];
}

function group(
  variables: readonly Variable[],
  tensors: Readonly<Record<string, readonly number[]>>,
  { read, write }: Graphs,
): Group {
  const computed = (build: (nodes: Node[]) => Node[]) => (values: readonly Tensor[]) =>
    evaluate(build(values.map((value) => constant(value))));
  return {
    variables,
    tensors: Object.entries(tensors).map(([name, shape]) => ({ names: [name], shape })),
    extras: [],
    layout: { read: computed(read), write: computed(write) },
  };
}

const shapeOf = (variable: Variable) => variable.value.shape as [number, number];

function denseForm({ weight }: Dense): Partial<Form> {
  const [inputs, units] = shapeOf(weight);
  const transposed = ([matrix]: readonly Node[]) => [transpose(matrix as Node)];
  const tensors = { weight: [units, inputs] };
  return { groups: [group([weight], tensors, { read: transposed, write: transposed })] };
}

function batchNormForm({ weight, bias, mean, variance }: BatchNorm): Partial<Form> {
  const tracked: ExtraTensor = {
    names: ['num_batches_tracked'],
    value: tensor(0, { dtype: 'int32' }),
    elements: 'int64',
  };
  return {
    groups: [
      sameValue(weight, ['weight']),
      sameValue(bias, ['bias']),
      sameValue(mean, ['running_mean']),
      { ...sameValue(variance, ['running_var']), extras: [tracked] },
    ],
  };
}

/** Returns equal parts of a node along axis 0. */
function parts(node: Node, count: number): Node[] {
  const size = (node.shape[0] as number) / count;
  return Array.from({ length: count }, (_, index) =>
    slice(node, { axis: 0, start: index * size, end: (index + 1) * size }),
  );
}

function attentionForm({ query, key, value, output }: MultiHeadAttention): Partial<Form> {
  const layers = [query, key, value];
  const features = shapeOf(query.weight)[0];
  return {
    groups: [
      group(
        layers.map(({ weight }) => weight),
        { in_proj_weight: [3 * features, features] },
        {
          read: ([all]) => parts(all as Node, 3).map((part) => transpose(part)),
          write: (weights) => [
            concat(
              weights.map((weight) => transpose(weight)),
              0,
            ),
          ],
        },
      ),
      group(
        layers.map(({ bias }) => bias as Variable),
        { in_proj_bias: [3 * features] },
        {
          read: ([all]) => parts(all as Node, 3),
          write: (biases) => [concat(biases, 0)],
        },
      ),
    ],
    children: new Map([[output, 'out_proj']]),
    inner: new Set(layers),
  };
}

const encoderForm = ({ attention, hidden, output }: TransformerEncoderLayer): Partial<Form> => ({
  children: new Map<Module, string>([
    [attention, 'self_attn'],
    [hidden, 'linear1'],
    [output, 'linear2'],
  ]),
});

/**
 * A gate of a recurrent layer. Either it has one weight [inputs + units, units] and one bias; or one weight and one bias
 * for x, and one weight and one bias for the hidden state.
 */
interface Gate {
  readonly weights: readonly Variable[];
  readonly biases: readonly Variable[];
}

const joined = ({
  weight,
  bias,
}: {
  readonly weight: Variable;
  readonly bias: Variable;
}): Gate => ({
  weights: [weight],
  biases: [bias],
});

// The gates in the order of PyTorch.
const lstmGates = ({ input, forget, cell, output }: LSTMGates) =>
  [input, forget, cell, output].map(joined);
const gruGates = ({ reset, update, candidate }: GRUGates): Gate[] => [
  joined(reset),
  joined(update),
  {
    weights: [candidate.inputWeight, candidate.recurrentWeight],
    biases: [candidate.bias, candidate.recurrentBias],
  },
];
const simpleGates = (gates: SimpleRNNGates) => [joined(gates)];

/** Returns the form of a recurrent layer. */
function recurrentForm<G>(
  stack: readonly { readonly forward: G; readonly backward?: G }[],
  gatesOf: (gates: G) => Gate[],
): Partial<Form> {
  const groups = stack.flatMap(({ forward, backward }, layer) => [
    ...gateGroups(gatesOf(forward), `l${layer}`),
    ...(backward === undefined ? [] : gateGroups(gatesOf(backward), `l${layer}_reverse`)),
  ]);
  return { groups };
}

/**
 * Returns the groups of a layer and direction. PyTorch stacks the weights of all gates, transposed: those for x, and
 * those for the hidden state. It does so with the biases, of which it has two for each gate.
 */
function gateGroups(gates: readonly Gate[], suffix: string): Group[] {
  const [units, inputs] = sizesOf(gates[0] as Gate);
  const rows = gates.length * units;
  const count = gates.length;
  return [
    group(
      gates.flatMap(({ weights }) => weights),
      { [`weight_ih_${suffix}`]: [rows, inputs], [`weight_hh_${suffix}`]: [rows, units] },
      {
        read: ([forX, forHidden]) => {
          const hidden = parts(forHidden as Node, count);
          return parts(forX as Node, count).flatMap((part, index) => {
            const both = [transpose(part), transpose(hidden[index] as Node)];
            return gates[index]?.weights.length === 1 ? [concat(both, 0)] : both;
          });
        },
        write: (weights) => {
          const next = iterated(weights);
          const both = gates.map(({ weights }) =>
            weights.length === 1 ? splitAt(next(), inputs) : [next(), next()],
          );
          return [0, 1].map((which) =>
            concat(
              both.map((pair) => transpose(pair[which] as Node)),
              0,
            ),
          );
        },
      },
    ),
    group(
      gates.flatMap(({ biases }) => biases),
      { [`bias_ih_${suffix}`]: [rows], [`bias_hh_${suffix}`]: [rows] },
      {
        read: ([forX, forHidden]) => {
          const hidden = parts(forHidden as Node, count);
          return parts(forX as Node, count).flatMap((part, index) => {
            const other = hidden[index] as Node;
            return gates[index]?.biases.length === 1 ? [add(part, other)] : [part, other];
          });
        },
        write: (biases) => {
          const next = iterated(biases);
          const both = gates.map(({ biases }) => {
            const first = next();
            return [first, biases.length === 1 ? zerosLike(first, units) : next()];
          });
          return [0, 1].map((which) =>
            concat(
              both.map((pair) => pair[which] as Node),
              0,
            ),
          );
        },
      },
    ),
  ];
}

/** Returns the number of units and of inputs of a gate. */
function sizesOf({ weights: [first, second] }: Gate): [units: number, inputs: number] {
  const [rows, units] = shapeOf(first as Variable);
  return [units, second === undefined ? rows - units : rows];
}

/** Returns a function that returns one node after the other. */
function iterated(nodes: readonly Node[]): () => Node {
  let index = 0;
  return () => nodes[index++] as Node;
}

/** Returns the rows before `row`, and the others. */
function splitAt(matrix: Node, row: number): [Node, Node] {
  return [slice(matrix, { axis: 0, start: 0, end: row }), slice(matrix, { axis: 0, start: row })];
}

const zerosLike = ({ dtype }: Node, length: number) => constant(Tensor.zeros([length], { dtype }));

/** Returns a function that returns the form of a module if it is of the class `layer`. */
function row<M extends Module>(
  layer: abstract new (...args: never[]) => M,
  form: (module: M) => Partial<Form>,
): (module: Module) => Partial<Form> | undefined {
  return (module) => (module instanceof layer ? form(module) : undefined);
}

/** The forms of the layers. A layer without a row has the same names and layouts in PyTorch. */
const rows = [
  row(Dense, denseForm),
  row(BatchNorm, batchNormForm),
  row(MultiHeadAttention, attentionForm),
  row(TransformerEncoderLayer, encoderForm),
  row(LSTM<number, boolean>, ({ stack }) => recurrentForm(stack, lstmGates)),
  row(GRU<number, boolean>, ({ stack }) => recurrentForm(stack, gruGates)),
  row(SimpleRNN<number, boolean>, ({ stack }) => recurrentForm(stack, simpleGates)),
];
