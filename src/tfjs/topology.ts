/** The layers of a model and what each is applied to, from the JSON of Keras. */

import { describeValue } from '../arguments/describe.js';
import { FormatError } from '../errors.js';
import { type Application, applicationOf, described, type Ref, refOf } from './applications.js';
import { Config, isJson, type Json, member } from './config.js';

export type { Ref };

export interface Layer {
  readonly name: string;
  /** The class, such as `Dense`. */
  readonly kind: string;
  /** Whether this is a function of tensors in place of a layer, such as the sum that Keras 3 writes for `a + b`. */
  readonly operation: boolean;
  /** The configuration. Each application of the layer reads one of its own. */
  readonly config: () => Config;
  /** The layers, if this layer is a model. */
  readonly model: Model | undefined;
  /** The layer that this one applies, if it is a wrapper, such as `TimeDistributed`. */
  readonly inner: Layer | undefined;
  /** The layer that a `Bidirectional` applies backwards, if the file says which it is. */
  readonly backward: Layer | undefined;
  readonly calls: readonly Application[];
}

export interface ModelInput {
  /** The layer that is the input. Its name is that of the input. */
  readonly name: string;
  /** The shape; null where a dimension has no number. Undefined if the file has none. */
  readonly shape: readonly (number | null)[] | undefined;
  readonly dtype: string;
}

export interface Model {
  readonly name: string;
  readonly inputs: readonly ModelInput[];
  readonly outputs: readonly Ref[];
  readonly layers: ReadonlyMap<string, Layer>;
}

/** The largest number of models within models. */
const deepest = 32;

/** Returns the model of the member modelTopology of a file. @throws FormatError if it is none */
export function modelOf(file: string, topology: unknown): Model {
  const found = isJson(topology) ? (member(topology, 'model_config') ?? topology) : topology;
  if (!isJson(found) || typeof member(found, 'class_name') !== 'string') {
    throw new FormatError(
      `${file}: expected a model of layers, whose modelTopology has a class_name, but found ${describeValue(topology)}`,
    );
  }
  const layer = layerOf(file, found, 0);
  if (layer.model === undefined) {
    throw new FormatError(
      `${file}: expected a Sequential or a Functional model, but its class is '${layer.kind}'`,
    );
  }
  return layer.model;
}

/** The functions of tensors that do what the layers of their names do, if their operands have as many axes. */
const operations = new Set(['Add', 'Subtract', 'Multiply', 'Maximum', 'Minimum']);

const functional = new Set(['Functional', 'Model', 'LayersModel']);

function layerOf(file: string, entry: unknown, depth: number): Layer {
  const given = isJson(entry) ? member(entry, 'class_name') : undefined;
  if (!isJson(entry) || typeof given !== 'string') {
    throw new FormatError(
      `${file}: expected a layer with a class_name, but found ${describeValue(entry)}`,
    );
  }
  if (depth > deepest) {
    throw new FormatError(`${file}: expected at most ${deepest} models within models`);
  }
  const home = member(entry, 'module');
  const operation = typeof home === 'string' && home.includes('.ops.');
  const kind = operation && !operations.has(given) ? `keras.ops.${given}` : given;
  // Old files have the layers of a Sequential model in place of its configuration.
  const written = member(entry, 'config');
  const config = Array.isArray(written) ? { layers: written } : written;
  if (!isJson(config)) {
    throw new FormatError(`${file}: the config of a ${kind} is ${describeValue(written)}`);
  }
  const name = member(entry, 'name') ?? member(config, 'name') ?? kind.toLowerCase();
  if (typeof name !== 'string' || name === '') {
    throw new FormatError(`${file}: the name of a ${kind} is ${describeValue(name)}`);
  }
  const context = `${file}: ${kind} '${name}'`;
  let model: Model | undefined;
  if (kind === 'Sequential') model = sequential(file, context, name, config, depth + 1);
  if (functional.has(kind)) model = graph(file, context, name, config, depth + 1);
  const wrapped = (key: string) => {
    const inner = member(config, key);
    return isJson(inner) ? layerOf(file, inner, depth + 1) : undefined;
  };
  return {
    name,
    kind,
    operation,
    config: () => new Config(config),
    model,
    inner: wrapped('layer'),
    backward: wrapped('backward_layer'),
    calls: listOf(context, 'inbound_nodes', member(entry, 'inbound_nodes') ?? []).map((node) =>
      applicationOf(context, node),
    ),
  };
}

function listOf(context: string, what: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new FormatError(`${context}: ${what} must be a list, but is ${describeValue(value)}`);
}

/** Returns the layers by name. @throws FormatError if two have the same name */
function layersOf(file: string, context: string, config: Json, depth: number): Map<string, Layer> {
  const layers = new Map<string, Layer>();
  for (const entry of listOf(context, 'layers', member(config, 'layers'))) {
    const layer = layerOf(file, entry, depth);
    if (layers.has(layer.name)) {
      throw new FormatError(`${context}: two layers are named '${layer.name}'`);
    }
    layers.set(layer.name, layer);
  }
  return layers;
}

/** A model whose layers follow one another. */
function sequential(
  file: string,
  context: string,
  name: string,
  config: Json,
  depth: number,
): Model {
  const all = [...layersOf(file, context, config, depth).values()];
  const inputs = all.filter(({ kind }) => kind === 'InputLayer');
  const layers = all.filter(({ kind }) => kind !== 'InputLayer');
  const [first] = layers;
  if (inputs.length > 1 || (first === undefined && inputs.length === 0)) {
    throw new FormatError(
      `${context}: expected one input, and layers, but found ${inputs.length} inputs and ${layers.length} layers`,
    );
  }
  const [given] = inputs;
  const input =
    given === undefined
      ? firstInput(context, first as Layer, member(config, 'build_input_shape'))
      : inputOf(context, given);
  let last: Ref = { layer: input.name, call: 0, index: 0 };
  const chain = new Map<string, Layer>();
  for (const layer of layers) {
    chain.set(layer.name, { ...layer, calls: [{ inputs: [last], unsupported: undefined }] });
    last = { layer: layer.name, call: 0, index: 0 };
  }
  return { name, inputs: [input], outputs: [last], layers: chain };
}

/** Returns the input that a Sequential model without an input layer has. */
function firstInput(context: string, layer: Layer, shape: unknown): ModelInput {
  if (layer.model !== undefined) {
    const [only, ...others] = layer.model.inputs;
    if (only === undefined || others.length > 0) {
      throw new FormatError(`${context}: its first layer must have one input`);
    }
    return only;
  }
  const input = inputOf(context, { ...layer, name: `${layer.name}_input` });
  return input.shape === undefined ? { ...input, shape: shapeOf(context, shape) } : input;
}

/** A model whose layers say what they are applied to. */
function graph(file: string, context: string, name: string, config: Json, depth: number): Model {
  const layers = layersOf(file, context, config, depth);
  const refs = (key: string) => {
    const value = listOf(context, key, member(config, key));
    // Keras 3 writes a single one without a list around it.
    return (typeof value[0] === 'string' ? [value] : value).map((entry) => refOf(context, entry));
  };
  const outputs = refs('output_layers');
  const inputs = refs('input_layers').map(({ layer }) => {
    const found = layers.get(layer);
    if (found?.kind === 'InputLayer') return inputOf(context, found);
    throw new FormatError(`${context}: its input '${layer}' is not an InputLayer of the model`);
  });
  if (inputs.length === 0 || outputs.length === 0) {
    throw new FormatError(
      `${context}: expected inputs and outputs, but it has ${inputs.length} and ${outputs.length}`,
    );
  }
  if (new Set(inputs.map((input) => input.name)).size !== inputs.length) {
    throw new FormatError(`${context}: an input appears twice in input_layers`);
  }
  const shift = shiftOf(layers, outputs);
  const shifted = [...layers].map(([key, layer]): [string, Layer] => [
    key,
    {
      ...layer,
      calls: layer.calls.map((call) => ({ ...call, inputs: call.inputs.map(shift) })),
    },
  ]);
  return { name, inputs, outputs: outputs.map(shift), layers: new Map(shifted) };
}

/**
 * Returns a function that changes the numbers of applications of models within the model. Keras counts the model itself
 * as the first application, but some writers do not. The last application is always referred to, so its number says
 * which it is.
 */
function shiftOf(layers: ReadonlyMap<string, Layer>, outputs: readonly Ref[]): (ref: Ref) => Ref {
  const last = new Map<string, number>();
  const all = [
    ...outputs,
    ...[...layers.values()].flatMap(({ calls }) => calls.flatMap(({ inputs }) => inputs)),
  ];
  for (const { layer, call } of all) last.set(layer, Math.max(last.get(layer) ?? 0, call));
  return (ref) => {
    const layer = layers.get(ref.layer);
    const counted = layer?.model !== undefined && last.get(ref.layer) === layer.calls.length;
    return counted ? { ...ref, call: ref.call - 1 } : ref;
  };
}

function inputOf(context: string, layer: Layer): ModelInput {
  const config = layer.config();
  const shape = config.raw('batch_input_shape') ?? config.raw('batch_shape');
  const dtype = config.raw('dtype') ?? 'float32';
  return {
    name: layer.name,
    shape: shapeOf(`${context}: the input '${layer.name}'`, shape),
    dtype: typeof dtype === 'string' ? dtype : 'float32',
  };
}

function shapeOf(context: string, shape: unknown): readonly (number | null)[] | undefined {
  if (shape === undefined || shape === null) return undefined;
  const isDim = (dim: unknown) =>
    dim === null || (Number.isSafeInteger(dim) && (dim as number) >= -1);
  if (Array.isArray(shape) && shape.length > 0 && shape.length <= 32 && shape.every(isDim)) {
    return shape.map((dim: number | null) => (dim === -1 ? null : dim));
  }
  throw new FormatError(
    `${context}: expected a shape of 1 to 32 dimensions, but found ${described(shape)}`,
  );
}
