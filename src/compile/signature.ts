/**
 * The types of programs. A signature has the inputs, outputs and metrics of a program; the types of feeds, results,
 * dimensions and records follow from it. They exist only in TypeScript.
 */

import type { Input } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import type { Holds } from '../tensor/dtype.js';
import type { Tensor, TensorLike } from '../tensor/tensor.js';

/** Inputs by the names under which they are fed. */
export type Inputs = Readonly<Record<string, Input>>;

/** Nodes by name. */
export type Nodes = Readonly<Record<string, Node>>;

/**
 * The inputs, outputs and metrics of a program, by name. `Signature` itself is the signature of a program about which
 * TypeScript knows nothing.
 */
export interface Signature {
  /** The inputs by the names under which they are fed. Names are known only if `compile` got the option `inputs`. */
  readonly inputs: Inputs;
  /** The nodes of the option `outputs` of `compile`. */
  readonly outputs: Nodes;
  /** The nodes of the option `metrics` of `compile`. */
  readonly metrics: Nodes;
}

/** The record `V`, with the keys `K`. If it has no keys, TypeScript refuses any property, as `{}` would not. */
type Exactly<K extends PropertyKey, V extends Readonly<Record<K, unknown>>> = [K] extends [never]
  ? Readonly<Record<string, never>>
  : { readonly [N in K]: V[N] };

/** The values of the inputs in one run, or the examples of a dataset, by the names of the inputs. */
export type FeedsOf<T extends Signature> = Exactly<
  keyof T['inputs'],
  { readonly [N in keyof T['inputs']]: TensorLike<T['inputs'][N]['dtype']> }
>;

/** The names of the dimensions in the shapes of inputs. */
type DimNames<I extends Inputs> = {
  [N in keyof I]: Extract<I[N]['shape'][number], string>;
}[keyof I];

/** The sizes of the named dimensions of a program, by name. */
export type DimsOf<T extends Signature> = Exactly<
  DimNames<T['inputs']>,
  Readonly<Record<DimNames<T['inputs']>, number>>
>;

/** The values of nodes, by the names of the nodes. */
export type TensorsOf<N extends Nodes> = { [K in keyof N]: Tensor<N[K]['dtype']> };

/** The results of a run: the values of the outputs and of the metrics, by name. */
export type ResultsOf<T extends Signature> = TensorsOf<T['outputs'] & T['metrics']>;

/** Tensors to which a run writes its results, by name. */
export type IntoOf<T extends Signature> = {
  readonly [K in keyof (T['outputs'] & T['metrics'])]: Tensor &
    Holds<(T['outputs'] & T['metrics'])[K]['dtype']>;
};

/** Means over examples, by the names of nodes. Nodes with several elements have no mean, and are left out. */
export type MeansOf<N extends Nodes> = { readonly [K in keyof N]: number };

/** A field `metrics` of type `R`, in records about a program with the metrics `M`; absent if it has no metrics. */
export type MetricsField<M extends Nodes, R> = [keyof M] extends [never]
  ? unknown
  : string extends keyof M
    ? { readonly metrics?: R }
    : { readonly metrics: R };

/** A record `R`. A parameter of this type may be left out if no property of the record is required. */
export type OrNothing<R> = R | (Record<never, never> extends R ? Nothing : never);
// TypeScript lets a caller leave out a parameter whose type includes `void`.
type Nothing<T = void> = T;
