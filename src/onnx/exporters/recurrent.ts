/** Recurrent layers, each of which is one operator of ONNX. */

import { evaluate } from '../../evaluate/evaluate.js';
import { assertUnwritten } from '../../graph/in-flight.js';
import { constant, isVariable } from '../../graph/leaf.js';
import type { Node } from '../../graph/node.js';
import { reachable } from '../../graph/topology.js';
import {
  type Application,
  type AppliedDirection,
  appliedResult,
  type CellKind,
  type GatesOf,
} from '../../nn/applications.js';
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

/** Returns the states before the first time step of a layer, those of one direction after another. */
function initialOf({ kind, directions }: Application): Node[] {
  return operators[kind].states.flatMap((state) =>
    directions.flatMap(({ initial }) => (initial === undefined ? [] : [initial[state] as Node])),
  );
}

/**
 * Returns how a result of a recurrent layer is exported. ONNX Runtime has these operators in float32 only, and its GRU
 * without steps ends the process, so layers of float64 and of no steps are exported as their loops.
 */
export function recurrentMatch(node: Node): Match | undefined {
  const result = node.dtype === 'float32' ? appliedResult(node) : undefined;
  if (result === undefined || result.application.xs.shape[0] === 0) return undefined;
  const { application, last } = result;
  return {
    inputs: [application.xs, ...initialOf(application)],
    emit: (exported) => {
      const values = exported.once(application, () => layered(exported, application));
      if (last === undefined) return values[0] as string;
      const index = operators[application.kind].states.indexOf(last.state);
      return stateOf(exported, application, values[index + 1] as string, last.direction);
    },
  };
}

/**
 * Emits the operator of a layer. Returns its hidden states [steps, batch, units of all directions], and its last states
 * as the operator has them, [directions, batch, units].
 */
function layered(
  { emitter, names }: Exported,
  { kind, directions, name }: Application,
): readonly string[] {
  const { type, states, attributes } = operators[kind];
  const both = directions.length === 2;
  const [x, ...started] = names as readonly [string, ...string[]];
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

function weightsOf<K extends CellKind>(kind: K, { gates }: AppliedDirection): Weights {
  return operators[kind].weights(gates as GatesOf[K]);
}

/** Emits the last state of a direction. */
function stateOf(
  { emitter }: Exported,
  { directions }: Application,
  states: string,
  direction: number,
): string {
  if (directions.length === 1) return emitter.squeeze(states, [0]);
  return emitter.op('Gather', [states, emitter.ints([direction], [])], { axis: 0 });
}
