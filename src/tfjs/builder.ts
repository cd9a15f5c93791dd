/** Builds the graph of a model: applies its layers by the rows of the layer table. */

import {
  DTypeError,
  type ForebayError,
  FormatError,
  GraphError,
  ShapeError,
  ValueError,
} from '../errors.js';
import { withinLayer } from '../graph/calls.js';
import { isNode, type Node } from '../graph/node.js';
import type { Obstacles } from '../imports/obstacles.js';
import type { Pauses } from '../imports/slices.js';
import { type Built, LayerCall, Unsupported, type Variables } from './call.js';
import { rowOf } from './layers/index.js';
import type { Layer, Model, Ref } from './topology.js';
import { Value } from './value.js';

/** In place of the results of a layer that cannot be built, because forebay does not support it or a layer before it. */
export const absent: unique symbol = Symbol('absent');

type Results = readonly Value[] | typeof absent;

export class Builder {
  constructor(
    readonly file: string,
    readonly variables: Variables,
    readonly obstacles: Obstacles,
  ) {}

  /** Lists the layers of classes that forebay does not have, also those that no output needs. */
  list(model: Model): void {
    for (const layer of model.layers.values()) this.#list(layer);
  }

  #list(layer: Layer): void {
    if (layer.kind === 'InputLayer') return;
    if (layer.model !== undefined) this.list(layer.model);
    else if (rowOf(layer.kind) === undefined) this.#miss(layer, noSuchLayer);
    else if (layer.inner !== undefined) this.#list(layer.inner);
  }

  #miss(layer: Layer, reason: string): void {
    // That there is no such layer is said first, and it is more than what follows from it.
    const { unsupported } = this.obstacles;
    if (!unsupported.has(describe(layer))) unsupported.set(describe(layer), reason);
  }

  /**
   * Applies a model. It pauses for each input of each layer, and for each step of a recurrent layer.
   * @param above the names of the models around it, and its own, which may be in the names of weights
   */
  *apply(
    model: Model,
    inputs: readonly Value[],
    above: readonly string[],
    outputs: readonly Ref[] = model.outputs,
  ): Pauses<(Value | typeof absent)[]> {
    if (inputs.length !== model.inputs.length) {
      throw new FormatError(
        `${this.file}: the model '${model.name}' has ${model.inputs.length} inputs, but is applied to ${inputs.length}`,
      );
    }
    const results = new Map<string, Results>();
    model.inputs.forEach(({ name }, index) => {
      results.set(keyOf({ layer: name, call: 0 }), [inputs[index] as Value]);
    });
    const asked = new Set<string>();
    const stack = [...outputs].reverse();
    while (stack.length > 0) {
      const ref = stack.at(-1) as Ref;
      const key = keyOf(ref);
      if (results.has(key)) {
        stack.pop();
        continue;
      }
      const layer = model.layers.get(ref.layer);
      const call = layer?.calls[ref.call];
      if (layer === undefined || call === undefined) {
        const what = layer === undefined ? 'there is no such layer' : 'it is not applied so often';
        throw new FormatError(
          `${this.file}: the model '${model.name}' refers to application ${ref.call} of the layer '${ref.layer}', but ${what}`,
        );
      }
      const missing = call.inputs.filter((from) => !results.has(keyOf(from)));
      if (missing.length > 0) {
        if (asked.has(key)) {
          throw new FormatError(`${this.file}: ${describe(layer)} depends on itself`);
        }
        asked.add(key);
        for (const from of missing.reverse()) stack.push(from);
        continue;
      }
      const values: (Value | typeof absent)[] = [];
      for (const from of call.inputs) {
        yield;
        values.push(this.#pick(model, results, from));
      }
      if (call.unsupported !== undefined) {
        this.#miss(layer, call.unsupported);
        results.set(key, absent);
        continue;
      }
      results.set(
        key,
        values.includes(absent) ? absent : yield* this.#step(layer, values as Value[], above),
      );
    }
    return outputs.map((ref) => this.#pick(model, results, ref));
  }

  #pick(model: Model, results: ReadonlyMap<string, Results>, ref: Ref): Value | typeof absent {
    const all = results.get(keyOf(ref)) as Results;
    if (all === absent) return absent;
    const value = all[ref.index];
    if (value !== undefined) return value;
    throw new FormatError(
      `${this.file}: the model '${model.name}' refers to result ${ref.index} of the layer '${ref.layer}', which has ${all.length}`,
    );
  }

  /** Applies a layer, which may be a model. */
  *#step(layer: Layer, inputs: readonly Value[], above: readonly string[]): Pauses<Results> {
    if (layer.model !== undefined) {
      if (inputs.some(({ mask }) => mask !== undefined)) {
        this.#miss(layer, masked);
        return absent;
      }
      const values = yield* this.apply(layer.model, inputs, [...above, layer.name]);
      return values.includes(absent)
        ? absent
        : values.map((value) => (value as Value).masked(undefined));
    }
    try {
      return yield* this.#run(layer, inputs, pathsOf([...above, layer.name]), above);
    } catch (cause) {
      if (cause instanceof Unsupported) this.#miss(layer, cause.message);
      else this.obstacles.first ??= located(`${this.file}: ${describe(layer)}`, cause);
      return absent;
    }
  }

  *#run(
    layer: Layer,
    inputs: readonly Value[],
    paths: readonly string[],
    above: readonly string[],
  ): Pauses<Value[]> {
    const found = rowOf(layer.kind);
    if (found === undefined) throw new Unsupported(noSuchLayer);
    const mask = inputs.find((value) => value.mask !== undefined)?.mask;
    if (mask !== undefined && found.mask === 'refuse') throw new Unsupported(masked);
    const applyInner = (inner: Layer, values: readonly Value[], below?: string) =>
      this.#inner(layer, inner, values, paths, above, below);
    const call = new LayerCall(this.variables, layer, inputs, paths, applyInner);
    const made = withinLayer(layer.kind, layer.name, () => found.build(call));
    const built = isPauses(made) ? yield* pausing(layer, made) : made;
    call.assertAllRead();
    const list = valuesOf(built);
    return found.mask === 'pass' && mask !== undefined
      ? list.map((value) => value.masked(mask))
      : list;
  }

  /** Applies a layer within another one. What it does not support is said of the outer one. */
  *#inner(
    layer: Layer,
    inner: Layer,
    inputs: readonly Value[],
    paths: readonly string[],
    above: readonly string[],
    below: string | undefined,
  ): Pauses<Value[]> {
    if (inner.model !== undefined) {
      const names = [...above, layer.name, inner.name];
      const values = yield* this.apply(inner.model, inputs, names);
      if (values.includes(absent)) throw new Unsupported(`forebay does not support its layers`);
      return values as Value[];
    }
    const own = below === undefined ? [...paths, inner.name] : [];
    const beneath = below === undefined ? [] : paths.map((path) => `${path}/${below}`);
    return yield* this.#run(inner, inputs, [...own, ...beneath], above);
  }
}

const noSuchLayer = 'forebay has no such layer';
const masked = 'its input is a masked sequence';

function isPauses(made: Built | Pauses<Built>): made is Pauses<Built> {
  return !Array.isArray(made) && !isNode(made) && !(made instanceof Value);
}

/** Does the work of a layer, between whose parts other layers may be built. */
function* pausing(layer: Layer, work: Pauses<Built>): Pauses<Built> {
  for (;;) {
    const { done, value } = withinLayer(layer.kind, layer.name, () => work.next());
    if (done) return value;
    yield value;
  }
}

function valuesOf(built: Built): Value[] {
  const list: readonly (Node | Value)[] = Array.isArray(built) ? built : [built];
  return list.map((one) => (isNode(one) ? Value.plain(one) : one));
}

function keyOf({ layer, call }: Pick<Ref, 'layer' | 'call'>): string {
  return `${call} ${layer}`;
}

/** Returns the paths that end with the last name. */
function pathsOf(names: readonly string[]): string[] {
  return names.map((_, start) => names.slice(start).join('/'));
}

/** Returns a layer as error messages name it. */
export function describe({ kind, name }: Layer): string {
  return `${kind} '${name}'`;
}

/** Returns an error that names the file and the layer. */
function located(where: string, cause: unknown): unknown {
  for (const Kind of [ShapeError, DTypeError, ValueError, GraphError, FormatError] as const) {
    if (cause instanceof Kind) {
      return new (Kind as new (text: string, options: ErrorOptions) => ForebayError)(
        `${where}: ${(cause as Error).message}`,
        { cause },
      );
    }
  }
  return cause;
}
