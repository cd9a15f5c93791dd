/**
 * Remembers which nodes are the results of a recurrent layer. The graph knows only the loops of its directions, but a
 * file may have one operator for the layer.
 */

import type { Node } from '../graph/node.js';
import type { GRUGates } from './gru.js';
import type { LSTMGates } from './lstm.js';
import type { State } from './sequence.js';
import type { SimpleRNNGates } from './simple-rnn.js';

/** The parameters of a layer and direction, by what it computes. */
export interface GatesOf {
  readonly SimpleRNN: SimpleRNNGates;
  readonly GRU: GRUGates;
  readonly LSTM: LSTMGates;
}

export type CellKind = keyof GatesOf;

/** One direction of a layer. */
export interface AppliedDirection<K extends CellKind = CellKind> {
  readonly gates: GatesOf[K];
  /** The states before the first time step; undefined if they are zeros. */
  readonly initial: State | undefined;
  /** The states after the last time step. */
  readonly last: State;
}

/** An application of one layer to sequences of which all rows have all steps. */
export interface Application {
  readonly kind: CellKind;
  /** The full name of the layer. */
  readonly name: string;
  /** What the layer reads: [steps, batch, inputs]. */
  readonly xs: Node;
  /** The direction from the first time step to the last, and perhaps the one from the last to the first. */
  readonly directions: readonly AppliedDirection[];
  /** The hidden states at all time steps, those of both directions side by side. */
  readonly hidden: Node;
}

/** A result: the hidden states at all time steps, or a state after the last one of a direction. */
export interface AppliedResult {
  readonly application: Application;
  readonly last: { readonly direction: number; readonly state: string } | undefined;
}

const results = new WeakMap<Node, AppliedResult>();

/** Records the results of a layer. */
export function recordApplication(application: Application): void {
  results.set(application.hidden, { application, last: undefined });
  for (const [direction, { last }] of application.directions.entries()) {
    for (const [state, node] of Object.entries(last)) {
      results.set(node, { application, last: { direction, state } });
    }
  }
}

/** Returns the result of a layer that a node is; undefined if it is none. */
export function appliedResult(node: Node): AppliedResult | undefined {
  return results.get(node);
}
