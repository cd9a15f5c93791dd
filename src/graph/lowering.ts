/** How ops are computed, as data: what a declaration says to the executors, and what they pass back to it in a run. */

import type { Bindings, Dim } from './dimension.js';
import type { Node } from './node.js';
import type { BoundResults } from './results.js';
import type { Window } from './window.js';

/** A strided window of a buffer: element (i, j, …) is at offset + i * strides[0] + j * strides[1] + … */
export interface View {
  /** The index of the first element in the buffer. */
  readonly offset: number;
  /**
   * The distance between neighbouring elements along each axis, in elements. 0 repeats an element. A negative distance
   * leads to elements before the first one.
   */
  readonly strides: readonly number[];
}

/**
 * A node during one run, in which all its dimensions are numbers. Executors pass it to the functions of the node's
 * lowering.
 */
export interface Bound<A> {
  /** The arguments of the op besides its inputs. */
  readonly attributes: A;
  /** The node's shape. */
  readonly shape: readonly number[];
  /** The inputs' shapes. */
  readonly inputShapes: readonly (readonly number[])[];
  /** Returns the size of a dimension in this run. */
  readonly bind: (dim: Dim) => number;
  /** For each dimension name, the number to which it is bound in this run. */
  readonly bindings: Bindings;
  /** The shapes of the results, by key, if the op has several. Then `shape` means nothing. */
  readonly results: BoundResults;
}

/** How a routine is called. Each shape has as many elements as the input or the result. */
export interface RoutineShapes {
  /** The shape in which each input is read. */
  readonly reads: readonly (readonly number[])[];
  /** The shape in which the result is written. */
  readonly write: readonly number[];
  /** The integers of the routine. */
  readonly integers: readonly number[];
}

/** How a routine with several results is called. */
export interface SeveralRoutineShapes extends Omit<RoutineShapes, 'write'> {
  /**
   * The shape in which each result is written, by key. The keys are in the order of the declared results, in which the
   * routine writes them. If one result has no elements, none may have any.
   */
  readonly writes: Readonly<Record<string, readonly number[]>>;
}

/** A convolution of images with filters, y = conv(x, weight), in one run. */
export interface ConvolutionCall {
  /** The shape [batch, channels, height, width] of the images. */
  readonly x: readonly number[];
  /** The shape [filters, channels / groups, kernel height, kernel width] of the weight. */
  readonly weight: readonly number[];
  /** The shape [batch, filters, rows, columns] of the result. */
  readonly y: readonly number[];
  /** The distance between neighbouring windows. */
  readonly stride: readonly [rows: number, columns: number];
  /** The distance between neighbouring elements of a window. */
  readonly dilation: readonly [rows: number, columns: number];
  /** The zeros that are added to x: [[top, bottom], [left, right]]. */
  readonly padding: readonly [readonly [number, number], readonly [number, number]];
  /** The number of groups of channels; the filters of a group read only its channels. */
  readonly groups: number;
}

/**
 * How an op is computed, as data. The executors (the interpreter and the compiler) choose kernels by `kind`, and never
 * by the name of the op.
 */
export type Lowering<A extends object = object> =
  /** A leaf: nothing is computed, because the leaf already has a value. */
  | { readonly kind: 'leaf' }
  /** One of the results of the input, whose op has several results. */
  | { readonly kind: 'result' }
  /** One kernel applied to corresponding elements. Operands broadcast. */
  | { readonly kind: 'map'; readonly kernel: string }
  /** Conversion of each element to the node's dtype. */
  | { readonly kind: 'cast' }
  /** The element-wise sum of all inputs, in order. */
  | { readonly kind: 'accumulate' }
  /** One kernel that reduces some axes of the input. */
  | {
      readonly kind: 'reduce';
      readonly kernel: string;
      /** The reduced axes, as indices from 0. */
      axes(attributes: A): readonly number[];
    }
  /** A matrix product over the last two axes of both operands. */
  | {
      readonly kind: 'product';
      /** Returns, for each operand, whether the product reads it with its last two axes swapped. */
      transposes(attributes: A): { readonly a: boolean; readonly b: boolean };
    }
  /** The result has the elements of the input, in the same order. Its shape may differ from that of the input. */
  | { readonly kind: 'alias' }
  /** The input's elements, read through a view. */
  | {
      readonly kind: 'view';
      /** Returns the view of the input's buffer. */
      view(bound: Bound<A>): View;
    }
  /**
   * Every input is written to its own window of the result. With `accumulate`, the result starts as zeros, and every
   * input is added to its window.
   */
  | {
      readonly kind: 'place';
      readonly accumulate: boolean;
      /**
       * Returns, for each input, the window of the result to which the input is written. The window has the elements of
       * the input, in the same order. It has the rank of the result. Steps must not be 0.
       */
      windows(bound: Bound<A>): readonly Window[];
    }
  /** One routine of the addon, which reads all inputs. native/routines has the list of the routines. */
  | {
      readonly kind: 'routine';
      /** The name of the routine. */
      readonly routine: string;
      /** Returns the shapes in which the routine reads the inputs and writes the result, and its integers. */
      call(bound: Bound<A>): RoutineShapes;
    }
  /**
   * A convolution y = conv(x, weight), or one of its gradients. The inputs are x and weight for `y`; the gradient of y
   * and the weight for the gradient of `x`; and x and the gradient of y for the gradient of `weight`.
   */
  | {
      readonly kind: 'convolution';
      /** What the node computes: y, or the gradient of x or weight. */
      readonly computes: 'y' | 'x' | 'weight';
      /** Returns the shapes and the numbers of the convolution. */
      call(bound: Bound<A>): ConvolutionCall;
    }
  /** Random numbers. Each is a pure function of the seed, the index of the run and the index of the element. */
  | {
      readonly kind: 'random';
      readonly kernel: string;
      /** Returns the seed, an integer from 0 to 2^53 - 1. */
      seed(attributes: A): number;
    }
  /** The size of a dimension in the current run, as a scalar. */
  | {
      readonly kind: 'extent';
      /** Returns the dimension. */
      dim(attributes: A): Dim;
    }
  /** Consecutive integers, as many as the only axis of the node has elements in the current run. The dtype is int32. */
  | {
      readonly kind: 'positions';
      /** Returns the first integer. */
      first(attributes: A): number;
    }
  /** A scan: the body, a graph, is computed once in each step. The attributes are a `Loop`. */
  | { readonly kind: 'scan' }
  /** An op without a kernel of its own, which is computed with other ops. */
  | {
      readonly kind: 'compose';
      /**
       * Builds the result with other ops. Returns a node with the value, the shape and the dtype of this op's result.
       */
      expand(inputs: readonly Node[], attributes: A): Node;
    };

/** How an op with several results is computed: by a routine that writes all of them, or by a node for each of them. */
export type SeveralLowering<A extends object = object> =
  | {
      readonly kind: 'routine';
      /** The name of the routine. */
      readonly routine: string;
      /** Returns how the routine is called. */
      call(bound: Bound<A>): SeveralRoutineShapes;
    }
  | {
      readonly kind: 'compose';
      /** Returns nodes with the results, by key, made of other ops. Each has the declared dtype and shape. */
      expand(inputs: readonly Node[], attributes: A): Readonly<Record<string, Node>>;
    };

/** What `typeof` returns for each field of a lowering that is not optional. */
type FieldTypes<L extends Lowering> = {
  readonly [F in Exclude<keyof L, 'kind'> as undefined extends L[F] ? never : F]: [L[F]] extends [
    string,
  ]
    ? 'string'
    : [L[F]] extends [boolean]
      ? 'boolean'
      : 'function';
};

/**
 * The fields of each kind of lowering, with which `defineOp` checks the lowering of a user's op. (A user's op cannot be
 * a leaf, the result of another op or a scan.)
 */
export const loweringFields: {
  readonly [L in Exclude<
    Lowering,
    { kind: 'leaf' | 'result' | 'scan' }
  > as L['kind']]: FieldTypes<L>;
} = {
  map: { kernel: 'string' },
  cast: {},
  accumulate: {},
  reduce: { kernel: 'string', axes: 'function' },
  product: { transposes: 'function' },
  alias: {},
  view: { view: 'function' },
  place: { accumulate: 'boolean', windows: 'function' },
  routine: { routine: 'string', call: 'function' },
  convolution: { computes: 'string', call: 'function' },
  random: { kernel: 'string', seed: 'function' },
  extent: { dim: 'function' },
  positions: { first: 'function' },
  compose: { expand: 'function' },
};

/** The kinds of lowering that an op with several results can have. */
export const severalKinds: { readonly [K in SeveralLowering['kind']]: true } = {
  routine: true,
  compose: true,
};
