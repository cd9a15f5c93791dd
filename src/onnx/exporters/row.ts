/** Rows of the table of exported ops, and what many of them share. */

import type { Node } from '../../graph/node.js';
import { type Attributes, type Emitter, Float } from './emitter.js';

/** What a row sees of the node that it exports. */
export interface Exported {
  readonly emitter: Emitter;
  readonly node: Node;
  /** The inputs of the node. */
  readonly inputs: readonly Node[];
  /** The names of their values in the file. */
  readonly names: readonly string[];
  /**
   * Returns what `make` returned when it was first called for this key. Results that several nodes of the graph have, such
   * as the values and the indices of a sort, are emitted once in this way.
   */
  once(key: object, make: () => readonly string[]): readonly string[];
  /** The keys of the results that are read, of an op with several results. */
  readonly wanted: ReadonlySet<string>;
  /**
   * Exports nodes of the body of a loop. Returns the names of their values.
   * @param inside emits the nodes of the body
   * @param known the names of the values of arguments
   */
  within(inside: Emitter, roots: readonly Node[], known: ReadonlyMap<Node, string>): string[];
  /** Returns the error for a node that cannot be exported. */
  refuse(reason: string): Error;
}

/** How an op is exported. */
export type Row =
  /** By operators of ONNX. */
  | {
      readonly kind: 'operators';
      /** The operators, for the table in the docs. */
      readonly to: string;
      /** Emits nodes, and returns the name of the value of the node; for an op with several results, by key. */
      emit(exported: Exported): string | Readonly<Record<string, string>>;
      /** Whether this node can be exported so. Otherwise, its expansion is exported. */
      when?(node: Node, opset: number): boolean;
      /** Returns the nodes whose values are read; by default, the inputs. */
      reads?(node: Node): readonly Node[];
    }
  /** By the ops of which it is composed. */
  | {
      readonly kind: 'expansion';
      readonly to: string;
      /** Returns the node that is exported instead, if that is not the one that is computed. */
      expand?(node: Node, key: string | undefined): Node | undefined;
    }
  /** The value of the node is that of its input. */
  | { readonly kind: 'input' }
  /** Not at all. */
  | { readonly kind: 'refused'; readonly reason: string };

export type OperatorRow = Row & { readonly kind: 'operators' };
export type Rows = Readonly<Record<string, Row>>;

type Emit = (exported: Exported) => string | Readonly<Record<string, string>>;

/** Makes a row. @param to the operators, for the table in the docs */
export function row(
  to: string,
  emit: Emit,
  when?: (node: Node, opset: number) => boolean,
): OperatorRow {
  return { kind: 'operators', to, emit, ...(when && { when }) };
}

/** An op that is exported as the ops of which it is composed. @param to the operators, for the table in the docs */
export function expansion(
  to: string,
  expand?: (node: Node, key: string | undefined) => Node | undefined,
): Row {
  return { kind: 'expansion', to, ...(expand && { expand }) };
}

export function refused(reason: string): Row {
  return { kind: 'refused', reason };
}

/** An op that is one operator with the same inputs, and no attributes or those that are given. */
export function same(type: string, attributes?: Attributes): Row {
  return row(type, ({ emitter, names }) => emitter.op(type, names, attributes));
}

/** The attributes of the op of a node. */
export function attributesOf<A>({ node }: Pick<Exported, 'node'>): A {
  return node.attributes as A;
}

/** Whether a number is the same in an attribute of the node, which is float32, as in the dtype of the node. */
export function fitsAttribute(value: number, { dtype }: Node): boolean {
  const rounded = Math.fround(value);
  return Number.isFinite(rounded) && (dtype !== 'float64' || rounded === value);
}

export { Float };
