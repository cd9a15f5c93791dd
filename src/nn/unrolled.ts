/**
 * Remembers which nodes are the results of a recurrent layer that was unrolled over time. The graph knows only the nodes
 * of the time steps, but a file may have one operator for all of them.
 */

import type { Node } from '../graph/node.js';
import type { GRUGates } from './gru.js';
import type { LSTMGates } from './lstm.js';
import type { SimpleRNNGates } from './simple-rnn.js';

/** The parameters of a layer and direction, by what it computes. */
export interface GatesOf {
  readonly SimpleRNN: SimpleRNNGates;
  readonly GRU: GRUGates;
  readonly LSTM: LSTMGates;
}

export type CellKind = keyof GatesOf;

/** One direction of a layer. */
export interface UnrolledDirection<K extends CellKind = CellKind> {
  readonly gates: GatesOf[K];
  /** The states before the first time step, by name; undefined if they are zeros. */
  readonly initial: Readonly<Record<string, Node>> | undefined;
}

/** A layer that was applied to a sequence. */
export interface UnrolledLayer {
  readonly kind: CellKind;
  /** The full name of the layer. */
  readonly name: string;
  /**
   * What the layer reads: a node [steps, batch, inputs], a node [batch, inputs] for each time step, or the hidden states of
   * the layer before it.
   */
  readonly reads: Node | readonly Node[] | UnrolledLayer;
  /** The direction from the first time step to the last, and perhaps the one from the last to the first. */
  readonly directions: readonly UnrolledDirection[];
}

/** A result: the hidden states at all time steps, or a state after the last one of a direction. */
export interface UnrolledResult {
  readonly layer: UnrolledLayer;
  readonly last: { readonly direction: number; readonly state: string } | undefined;
}

const results = new WeakMap<Node, UnrolledResult>();

/** Records that a node is a result of a layer. */
export function recordUnrolled(node: Node, result: UnrolledResult): void {
  results.set(node, result);
}

/** Returns the result of a layer that a node is; undefined if it is none. */
export function unrolledResult(node: Node): UnrolledResult | undefined {
  return results.get(node);
}
