/** What the recurrent layers have in common: stacks of layers, two directions, and the loops over the time steps. */

import { describeValue } from '../arguments/describe.js';
import { checkedLater, flag, fraction } from '../arguments/kinds.js';
import {
  type Declaration,
  type DeclaredOptions,
  declareOptions,
  type OptionsOf,
  optional,
  required,
} from '../arguments/options.js';
import { assertList, isList, isRecord, reading } from '../arguments/read.js';
import { GraphError, ShapeError, ValueError } from '../errors.js';
import type { Dim } from '../graph/dimension.js';
import { constant } from '../graph/leaf.js';
import { isNode, type Node, nodeOf } from '../graph/node.js';
import { Module } from '../modules/module.js';
import type { Scope } from '../modules/scope.js';
import { broadcastTo, concat, stack } from '../ops/index.js';
import { type Recompute, recomputeOption } from '../ops/scan.js';
import { formatShape } from '../tensor/shape.js';
import { type AppliedDirection, type CellKind, recordApplication } from './applications.js';
import { dropping } from './dropout.js';
import { type Drawn, drawn, shared, size } from './layer.js';
import { applied, checkedLengths, type State, withoutPadding } from './sequence.js';

const recurrentOptions = declareOptions('new SimpleRNN, new GRU, new LSTM', {
  /** The number of input features at each time step. */
  inputs: required(size, 'inputSize', 'inFeatures', 'inputDim'),
  /** The length of the hidden state of each layer and direction. */
  units: required(size, 'hiddenSize', 'hidden', 'outputs'),
  /** The number of layers, of which each reads the hidden states of the one before it; 1 by default. */
  layers: optional(size, 'numLayers'),
  /** Whether each layer has a second direction, from the last time step to the first; false by default. */
  bidirectional: optional(flag),
  /** The rate with which the hidden states between two layers are dropped in `training`; 0 by default. */
  dropout: optional(fraction),
  ...shared,
});

/** Options that all recurrent layers share. */
export interface RecurrentOptions extends OptionsOf<typeof recurrentOptions> {}

/** The options on which the form of the states of a recurrent layer depends. */
export interface Stacked<L extends number, B extends boolean> {
  /** The number of layers; 1 by default. */
  readonly layers?: L | undefined;
  /** Whether each layer has a second direction; false by default. */
  readonly bidirectional?: B | undefined;
}

/** The states or the parameters of the two directions of a layer. */
export interface Directions<T> {
  /** Those of the direction from the first time step to the last. */
  readonly forward: T;
  /** Those of the direction from the last time step to the first. */
  readonly backward: T;
}

/** The states of one layer: a state record or, for two directions, a record { forward, backward } of two. */
export type LayerStatesOf<S, B extends boolean> = boolean extends B
  ? S | Directions<S>
  : B extends true
    ? Directions<S>
    : S;

/**
 * The states of a recurrent layer: a state record; for two directions, a record { forward, backward } of two; for several
 * layers, a list with one of these for each layer.
 */
export type StatesOf<S, L extends number, B extends boolean> = number extends L
  ? LayerStatesOf<S, B> | readonly LayerStatesOf<S, B>[]
  : L extends 1
    ? LayerStatesOf<S, B>
    : readonly LayerStatesOf<S, B>[];

export const hiddenState = declareOptions('Recurrent.step, Recurrent.unroll', {
  /** The hidden state, which is the output of the layer at this time step: [batch, units]. */
  hidden: required(nodeOf('a node [batch, units]'), 'h'),
});

/** The state that a GRU or a simple recurrent layer carries from one time step to the next: [batch, units]. */
export interface HiddenState extends OptionsOf<typeof hiddenState> {}

/** What a kind of recurrent layer computes. `G` is the type of the parameters of a layer and direction. */
export interface Cell<G, S extends object> {
  readonly kind: CellKind;
  /** Makes the parameters of a layer and direction, below its scope. */
  make(scope: Scope, inputs: number, units: number, how: Drawn): G;
  /** The declaration of a state record. */
  readonly state: Pick<DeclaredOptions<Declaration>, 'declaration'> & {
    read(value: unknown, context?: string): S;
  };
  /** Computes one time step from x [batch, inputs] and the state before it. */
  step(gates: G, x: Node, state: S): S;
}

const unrollOptions = declareOptions('Recurrent.unroll', {
  /** The states before the first time step, of the form of `last`; zeros by default. */
  initial: optional(checkedLater<object>('a state')),
  /**
   * The number of time steps of each row of the batch, [batch] of int32; by default all rows have all steps. What the input
   * has in the other steps, the padding, does not matter.
   */
  lengths: optional(nodeOf('a node [batch] of int32'), 'sequenceLengths'),
  /**
   * `{ every: k }` saves memory in training, as in `scan`: the states are kept only at every k-th time step, and the others
   * are computed again. The layer is then a loop.
   */
  recompute: recomputeOption,
});

/** Options of `unroll`. `States` is the form of the states of the layer. */
export interface UnrollOptions<States> extends OptionsOf<typeof unrollOptions> {
  /** The states before the first time step, of the form of `last`; zeros by default. */
  readonly initial?: (States & object) | undefined;
}

/** What a layer has for its first direction, and perhaps for the second one. */
interface EachDirection<T> {
  readonly forward: T;
  readonly backward?: T | undefined;
}

/**
 * The base class of the recurrent layers `SimpleRNN`, `GRU` and `LSTM`. It has no instances of its own.
 */
export abstract class Recurrent<
  G,
  S extends object,
  L extends number,
  B extends boolean,
> extends Module {
  /** The number of input features at each time step. */
  readonly inputs: number;
  /** The length of the hidden state of each layer and direction. */
  readonly units: number;
  /** The parameters of the layer; of several layers and directions, those of the first. */
  readonly gates: G;
  /** The parameters of all layers, each a record with those of its directions. */
  readonly stack: readonly { readonly forward: G; readonly backward?: G }[];
  readonly #cell: Cell<G, S>;
  readonly #bidirectional: boolean;
  readonly #dropout: (x: Node) => Node;

  /**
   * Makes the layer. Users construct the subclasses, and not this class.
   * @internal
   * @throws GraphError if called as `new Recurrent`; ValueError if `scope` is neither a non-empty string nor a scope
   *   without a module, or if an option is missing, unknown or invalid; DTypeError if `dtype` is not a dtype
   */
  protected constructor(scope: string | Scope, options: RecurrentOptions, cell: Cell<G, S>) {
    if (new.target === (Recurrent as unknown)) {
      throw new GraphError(
        'Recurrent: this class has no instances of its own; use SimpleRNN, GRU or LSTM',
      );
    }
    super(scope);
    try {
      const read = recurrentOptions.read(options, `${new.target.name} '${this.name}'`);
      const { inputs, units, layers = 1, bidirectional = false } = read;
      const how = drawn(this.ownScope, read);
      const stacked = Array.from({ length: layers }, (_, layer) => {
        const below = layers === 1 ? this.ownScope : this.scope('layers').at(layer);
        const width = layer === 0 ? inputs : units * (bidirectional ? 2 : 1);
        if (!bidirectional) return { forward: cell.make(below, width, units, how) };
        return {
          forward: cell.make(below.scope('forward'), width, units, how),
          backward: cell.make(below.scope('backward'), width, units, how),
        };
      });
      this.inputs = inputs;
      this.units = units;
      this.gates = (stacked[0] as { forward: G }).forward;
      this.stack = stacked;
      this.#cell = cell;
      this.#bidirectional = bidirectional;
      this.#dropout = dropping(this.ownScope, how.seed, read.dropout ?? 0);
    } catch (cause) {
      this.abandon();
      throw cause;
    }
  }

  /**
   * Applies the layer to one time step of a sequence. All time steps share the parameters.
   * @param x the input of this time step: [batch, inputs], of the layer's dtype
   * @param state the state after the previous time step; to start from zeros, call `unroll([x])` instead
   * @returns the state after this time step, of the same form; its nodes have the shape [batch, units]
   * @throws ValueError if x is not a Node, or `state` is not a state of the layer; ShapeError or DTypeError if x or the
   *   state does not fit the layer; GraphError if the layer has two directions, because the second one starts at the last
   *   time step
   */
  step(x: Node, state: StatesOf<S, L, B>): StatesOf<S, L, B> {
    const where = `${this.#named} step`;
    if (state === undefined) {
      throw new ValueError(
        `${where}: expected a state ${this.#form} as the second argument, but received undefined; unroll([x]) starts from zeros`,
      );
    }
    if (this.#bidirectional) {
      throw new GraphError(
        `${where}: a layer of two directions reads the whole sequence, so it has no single steps; call unroll`,
      );
    }
    const states = this.#statesFrom(state, where);
    return this.within(() => {
      let h = x;
      const next = this.stack.map(({ forward }, layer) => {
        const after = this.#cell.step(forward, h, states[layer]?.forward as S);
        h = (after as unknown as State).hidden as Node;
        if (layer < this.stack.length - 1) h = this.#dropout(h);
        return { forward: after };
      });
      return this.#inForm(next);
    });
  }

  /**
   * Applies the layer to all time steps of a sequence, one after another, in a loop for each layer and direction.
   * @param xs the inputs: a node [steps, batch, inputs], whose number of steps may be a name or 0, or a list with a node
   *   [batch, inputs] for each time step
   * @param options `{ initial }`, the state before the first time step, of the form of `last`; zeros by default.
   *   `{ lengths }`, the number of time steps of each row, [batch] of int32: after its last step, the states of a row stay
   *   as they are and its hidden states are 0, and the direction from the last time step to the first begins at its last
   *   step. A run of at least one step fails with a ValueError if a length is negative or larger than the number of steps.
   *   `{ recompute: { every: k } }` keeps the states only at every k-th time step in training, as in `scan`
   * @returns `hidden`, the hidden states of the last layer at all time steps, [steps, batch, units], or
   *   [steps, batch, 2 units] with those of the forward direction first; and `last`, the states after the last time step
   *   of each direction: a state record, `{ forward, backward }` for two directions, a list of them for several layers
   * @throws GraphError if the list has no time steps, or the input of a time step is not a Node; ShapeError or DTypeError
   *   if an input, the state or the lengths do not fit the layer; ValueError if `initial` is not a state of the layer, or
   *   an option is unknown
   */
  unroll(
    xs: Node | readonly Node[],
    options?: UnrollOptions<StatesOf<S, L, B>>,
  ): { hidden: Node; last: StatesOf<S, L, B> } {
    return this.within(() => this.forward(xs, options), [xs, options]);
  }

  /** Does the work of `unroll`. */
  forward(
    xs: Node | readonly Node[],
    options?: UnrollOptions<StatesOf<S, L, B>>,
  ): { hidden: Node; last: StatesOf<S, L, B> } {
    const where = `${this.#named} unroll`;
    const { initial, lengths: given, recompute } = this.#optionsOf(options, where);
    const sequence = this.#sequence(xs, where);
    const lengths = given && checkedLengths(given, sequence, where);
    const states = initial === undefined ? undefined : this.#statesFrom(initial, where);
    // The hidden states of each layer are 0 in the padding already.
    let hidden = lengths ? withoutPadding(sequence, lengths) : sequence;
    const last = this.stack.map((_, layer) => {
      const found = this.#applied(layer, hidden, states?.[layer], lengths, recompute);
      hidden = layer < this.stack.length - 1 ? this.#dropout(found.hidden) : found.hidden;
      return found.last;
    });
    return { hidden, last: this.#inForm(last) };
  }

  /** Applies a layer to a sequence. @param initial the states before the first step; zeros if undefined */
  #applied(
    layer: number,
    xs: Node,
    initial: EachDirection<S> | undefined,
    lengths: Node | undefined,
    recompute: Recompute | undefined,
  ): { hidden: Node; last: EachDirection<S> } {
    const { forward, backward } = this.stack[layer] as EachDirection<G>;
    const name = this.stack.length === 1 ? this.name : `${this.name}.layers.${layer}`;
    const run = (gates: G, own: S | undefined, direction: keyof Directions<G>) => {
      const found = applied({
        name: this.#bidirectional ? `${name}.${direction}` : name,
        xs,
        initial: (own ?? this.#zeros(xs)) as State,
        reverse: direction === 'backward',
        lengths,
        recompute,
        step: (x, before) => this.#cell.step(gates, x, before as unknown as S) as State,
      });
      return { gates, initial: own, ...found } as const;
    };
    const ahead = run(forward, initial?.forward, 'forward');
    const back = backward && run(backward, initial?.backward, 'backward');
    const hidden = back ? concat([ahead.hidden, back.hidden], 2) : ahead.hidden;
    if (lengths === undefined && recompute === undefined) {
      const directions = (back ? [ahead, back] : [ahead]) as unknown as AppliedDirection[];
      recordApplication({ kind: this.#cell.kind, name, xs, hidden, directions });
    }
    const last = { forward: ahead.last, backward: back?.last };
    return { hidden, last: last as unknown as EachDirection<S> };
  }

  /** Reads the options of `unroll`. @throws ValueError that says what to do, if they are a state */
  #optionsOf(given: unknown, where: string): OptionsOf<typeof unrollOptions> {
    const keys = isRecord(given) ? reading(where, given, () => Object.keys(given)) : [];
    const state = [...Object.keys(this.#cell.state.declaration), 'forward', 'backward'];
    if (isList(given) || keys.some((key) => state.includes(key))) {
      throw new ValueError(
        `${where}: expected options, but received a state; pass it as { initial: ${this.#form} }`,
      );
    }
    return unrollOptions.read(given as object | undefined, where);
  }

  get #named(): string {
    return `${this.constructor.name} '${this.name}'`;
  }

  /** The form of the states of the layer, for errors. */
  get #form(): string {
    const keys = `{ ${Object.keys(this.#cell.state.declaration).join(', ')} }`;
    const both = this.#bidirectional ? `{ forward: ${keys}, backward: ${keys} }` : keys;
    return this.stack.length > 1 ? `[${both}, ..] of ${this.stack.length} layers` : both;
  }

  /** Returns a node [steps, batch, inputs]. */
  #sequence(xs: unknown, where: string): Node {
    if (isNode(xs)) {
      if (xs.shape.length === 3) return xs;
      throw new ShapeError(
        `${this.#named}: expected [steps, batch, ${this.inputs}], but received ${xs} of ${formatShape(xs.shape)}`,
      );
    }
    const expected = `${where}: expected a node [steps, batch, inputs], or a list of at least one node [batch, inputs],`;
    const steps = isList(xs) ? assertList(xs, expected) : [];
    const odd = steps.findIndex((x) => !isNode(x));
    if (steps.length > 0 && odd < 0) return this.#sequence(stack(steps as Node[], 0), where);
    const came = odd < 0 ? describeValue(xs) : `a list with ${describeValue(steps[odd])}`;
    throw new GraphError(`${expected} but received ${came}`);
  }

  /** Returns the state in which a sequence begins that has no other one. */
  #zeros({ shape: [, batch], dtype }: Node): S {
    const zeros = broadcastTo(constant(0, { dtype }), [batch as Dim, this.units]);
    const keys = Object.keys(this.#cell.state.declaration);
    return Object.fromEntries(keys.map((key) => [key, zeros])) as unknown as S;
  }

  /** Reads the states that a user gave. @throws ValueError if they are not of the form of the layer */
  #statesFrom(given: unknown, where: string): EachDirection<S>[] {
    const refuse = (value: unknown): never => {
      throw new ValueError(
        `${where}: expected a state ${this.#form}, but received ${describeValue(value)}`,
      );
    };
    const ofDirection = (value: unknown) => this.#cell.state.read(value, where);
    const ofLayer = (value: unknown): EachDirection<S> => {
      if (!this.#bidirectional) return { forward: ofDirection(value) };
      const { forward, backward } = directionsOptions.read(value, where);
      return { forward: ofDirection(forward), backward: ofDirection(backward) };
    };
    if (this.stack.length === 1) return [ofLayer(given)];
    if (!isList(given)) return refuse(given);
    const list = assertList(given, `${where}: expected a state ${this.#form},`);
    if (list.length !== this.stack.length) return refuse(given);
    return list.map(ofLayer);
  }

  /** Returns states in the form of `StatesOf`. */
  #inForm(states: readonly EachDirection<S>[]): StatesOf<S, L, B> {
    const layers = states.map((state) => (this.#bidirectional ? state : state.forward));
    return (layers.length === 1 ? layers[0] : layers) as StatesOf<S, L, B>;
  }
}

const directionsOptions = declareOptions('Recurrent.unroll', {
  /** The state before the first time step. */
  forward: required(checkedLater<object>('a state')),
  /** The state of the second direction, before the last time step. */
  backward: required(checkedLater<object>('a state')),
});
