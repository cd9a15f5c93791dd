/** Recurrent layers, each of which is one operator of ONNX. */

import { evaluate } from '../../evaluate/evaluate.js';
import { assertUnwritten } from '../../graph/in-flight.js';
import { constant, isVariable } from '../../graph/leaf.js';
import { isNode, type Node } from '../../graph/node.js';
import { reachable } from '../../graph/topology.js';
import {
  type CellKind,
  type GatesOf,
  type UnrolledDirection,
  type UnrolledLayer,
  unrolledResult,
} from '../../nn/unrolled.js';
import { broadcastTo, concat, slice, stack, transpose } from '../../ops/index.js';
import type { Match } from './patterns.js';
import type { Exported } from './row.js';

/** The weights of a direction: [gates units, inputs], [gates units, units], and the biases of both, [2 gates units]. */
interface Weights {
  readonly input: Node;
  readonly recurrent: Node;
  readonly bias: Node;
}

/** A weight [inputs + units, units] with a bias. */
interface Gate {
  readonly weight: Node;
  readonly bias: Node;
}

/** An operator of ONNX. */
interface Operator<K extends CellKind> {
  readonly type: string;
  /** The states, in the order of the operator. */
  readonly states: readonly string[];
  readonly attributes?: Readonly<Record<string, number>>;
  weights(gates: GatesOf[K]): Weights;
}

const zerosLike = ({ shape, dtype }: Node) => broadcastTo(constant(0, { dtype }), shape);

/** Joins gates in the order of the operator. The first rows of a weight read the input, and the others the state. */
function joined(gates: readonly Gate[]): Weights {
  const units = (gates[0] as Gate).bias.shape[0] as number;
  const part = (from: (weight: Node) => Node) =>
    concat(
      gates.map(({ weight }) => transpose(from(weight))),
      0,
    );
  const biases = gates.map(({ bias }) => bias);
  return {
    input: part((weight) => slice(weight, { axis: 0, end: -units })),
    recurrent: part((weight) => slice(weight, { axis: 0, start: -units })),
    bias: concat([...biases, ...biases.map(zerosLike)], 0),
  };
}

const operators: { readonly [K in CellKind]: Operator<K> } = {
  SimpleRNN: { type: 'RNN', states: ['hidden'], weights: (gate) => joined([gate]) },
  LSTM: {
    type: 'LSTM',
    states: ['hidden', 'cell'],
    weights: ({ input, output, forget, cell }) => joined([input, output, forget, cell]),
  },
  GRU: {
    type: 'GRU',
    states: ['hidden'],
    attributes: { linear_before_reset: 1 },
    weights: ({ update, reset, candidate }) => {
      const { inputWeight, recurrentWeight, bias, recurrentBias } = candidate;
      const gates = joined([update, reset]);
      const zeros = [update.bias, reset.bias].map(zerosLike);
      return {
        input: concat([gates.input, transpose(inputWeight)], 0),
        recurrent: concat([gates.recurrent, transpose(recurrentWeight)], 0),
        bias: concat([update.bias, reset.bias, bias, ...zeros, recurrentBias], 0),
      };
    },
  },
};

/** Returns the layers up to the given one, from the first. */
function layersOf(last: UnrolledLayer): UnrolledLayer[] {
  const layers = [last];
  for (let { reads } = last; !isNode(reads) && !isList(reads); { reads } = reads) {
    layers.unshift(reads);
  }
  return layers;
}

const isList = (reads: UnrolledLayer['reads']): reads is readonly Node[] => Array.isArray(reads);

/** Returns the states before the first time step of a layer, those of one direction after another. */
function initialOf({ kind, directions }: UnrolledLayer): Node[] {
  return operators[kind].states.flatMap((state) =>
    directions.flatMap(({ initial }) => (initial === undefined ? [] : [initial[state] as Node])),
  );
}

/** What a layer reads, if it is the first: the sequence, or its time steps; and the initial states. */
function inputsOf(layer: UnrolledLayer): Node[] {
  const { reads } = layer;
  const sequence = isNode(reads) ? [reads] : isList(reads) ? reads : [];
  return [...sequence, ...initialOf(layer)];
}

/**
 * Returns how a result of a recurrent layer is exported. ONNX Runtime has these operators in float32 only, so layers of
 * float64 are exported as the nodes of their time steps.
 */
export function recurrentMatch(node: Node): Match | undefined {
  const result = node.dtype === 'float32' ? unrolledResult(node) : undefined;
  if (result === undefined) return undefined;
  const layers = layersOf(result.layer);
  return {
    inputs: layers.flatMap(inputsOf),
    emit: (exported) => {
      const names = [...exported.names];
      let values: readonly string[] = [];
      for (const layer of layers) {
        const own = names.splice(0, inputsOf(layer).length);
        const before = values;
        values = exported.once(layer, () => layered(exported, layer, own, before[0]));
      }
      const { layer, last } = result;
      if (last === undefined) return values[0] as string;
      const index = operators[layer.kind].states.indexOf(last.state);
      return stateOf(exported, layer, values[index + 1] as string, last.direction);
    },
  };
}

/**
 * Emits the operator of a layer. Returns its hidden states [steps, batch, units of all directions], and its last states
 * as the operator has them, [directions, batch, units].
 */
function layered(
  { emitter }: Exported,
  layer: UnrolledLayer,
  names: readonly string[],
  before: string | undefined,
): readonly string[] {
  const { kind, directions, reads, name } = layer;
  const { type, states, attributes } = operators[kind];
  const both = directions.length === 2;
  const initial = initialOf(layer).length;
  const steps = names.slice(0, names.length - initial);
  const x =
    before ??
    (isNode(reads)
      ? (steps[0] as string)
      : emitter.op(
          'Concat',
          steps.map((step) => emitter.unsqueeze(step, [0])),
          { axis: 0 },
        ));
  const weights = directions.map((direction) => weightsOf(kind, direction));
  const [w, r, b] = (['input', 'recurrent', 'bias'] as const).map((key, index) => {
    const all = stack(
      weights.map((own) => own[key]),
      0,
    );
    for (const leaf of reachable([all])) {
      if (isVariable(leaf)) assertUnwritten('exportOnnx', leaf);
    }
    return emitter.constant(evaluate(all), `${name}.${'WRB'[index]}`);
  });
  const started = names.slice(names.length - initial);
  const initials = states.flatMap((_, index) => {
    const own = started.slice(index * directions.length, (index + 1) * directions.length);
    if (own.length === 0) return [];
    const parts = own.map((state) => emitter.unsqueeze(state, [0]));
    return parts.length === 1 ? parts : [emitter.op('Concat', parts, { axis: 0 })];
  });
  const lengths = initials.length > 0 ? [undefined] : [];
  const units = weights[0]?.recurrent.shape[1] as number;
  const [hidden, ...last] = emitter.ops(
    type,
    [x, w, r, b, ...lengths, ...initials],
    1 + states.length,
    {
      hidden_size: units,
      direction: both ? 'bidirectional' : 'forward',
      ...attributes,
    },
  ) as [string, ...string[]];
  if (!both) return [emitter.squeeze(hidden, [1]), ...last];
  // [steps, directions, batch, units]
  const turned = emitter.op('Transpose', [hidden], { perm: [0, 2, 1, 3] });
  return [emitter.op('Reshape', [turned, emitter.ints([0, 0, 2 * units])]), ...last];
}

function weightsOf<K extends CellKind>(kind: K, { gates }: UnrolledDirection): Weights {
  return operators[kind].weights(gates as GatesOf[K]);
}

/** Emits the last state of a direction. */
function stateOf(
  { emitter }: Exported,
  { directions }: UnrolledLayer,
  states: string,
  direction: number,
): string {
  if (directions.length === 1) return emitter.squeeze(states, [0]);
  return emitter.op('Gather', [states, emitter.ints([direction], [])], { axis: 0 });
}
