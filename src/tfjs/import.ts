/** `importTfjs`: reads a model of TensorFlow.js. */

import { describeValue } from '../arguments/describe.js';
import { checkedLater, oneOf } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { assertList, assertRecord } from '../arguments/read.js';
import { FormatError, ShapeError, ValueError } from '../errors.js';
import { type Dim, dimension, isDimensionName, type Shape } from '../graph/dimension.js';
import type { TensorInfo } from '../imports/inputs.js';
import { inSlices } from '../imports/slices.js';
import type { Scope } from '../modules/scope.js';
import type { DType } from '../tensor/dtype.js';
import { formatShape } from '../tensor/shape.js';
import { readArtifacts, type TfjsSource } from './artifacts.js';
import { TfjsModule } from './imported.js';
import { type Model, type ModelInput, modelOf, type Ref } from './topology.js';

const importOptions = declareOptions('importTfjs', {
  /** The name or the scope of the module. */
  name: required(checkedLater<string | Scope>('the name or the scope of the module'), 'scope'),
  /**
   * The shapes of inputs, by their names: numbers and names of dimensions. By default those of the file. There, a batch
   * without a number is called `batch`, and another dimension has the name of its input and the number of its axis.
   */
  inputs: optional(
    checkedLater<Readonly<Record<string, readonly Dim[]>>>(
      'a record of shapes by the names of inputs',
    ),
    'shapes',
    'inputShapes',
  ),
  /** The layers whose results the module returns, by name. By default the outputs of the file. */
  outputs: optional(checkedLater<readonly string[]>('a list of names of layers'), 'until'),
  /** The dtype of all floating-point tensors; float32 by default. float64 is for checks of gradients. */
  dtype: optional(oneOf('float32', 'float64'), 'type'),
});

/** Options of `importTfjs`. */
export interface ImportTfjsOptions extends OptionsOf<typeof importOptions> {}

/**
 * Reads a model of layers of TensorFlow.js, and makes it a module: one that `model.save` of TensorFlow.js has written,
 * or the converter from Keras. The files with the weights must be in the folder of model.json, also after links are
 * followed, or in that to which model.json is a link, as in the cache of Hugging Face.
 *
 * Its weights are parameters, which are frozen: `unfreeze` them to train, all or some. `trainable` in the file is not
 * read. The moving statistics of batch normalisations are states. The paths of variables are the names of the weights in
 * the file; the kernels of convolutions have the order of forebay, [filters, channels, height, width]. The inputs and the
 * outputs have the order of the file, such as [batch, height, width, channels]. If a layer has several results that are
 * outputs, those after the first are called `NAME:1`, `NAME:2` and so on. Recurrent layers are unrolled:
 * each of at most 4,096 steps has nodes of its own.
 *
 * The files are read, and the graph built, in slices of a few milliseconds, so other work of the process goes on. Only a
 * layer with large weights takes longer. `apply` builds the graph at once, which takes about 0.1 ms for each step of a
 * recurrent layer. A model has at most 100,000 inputs of layers, steps of recurrent layers and phases of enlargements.
 *
 * ```ts
 * const model = await importTfjs('model/model.json', { name: 'model' });
 * const { dense_2: y } = model.apply(x);
 * ```
 *
 * docs/guides/tfjs.md lists the layers.
 * @param source a path or a `file:` URL of model.json, or a model in memory: { modelTopology, weightSpecs, weightData }
 * @throws (rejects with) FormatError if a file is missing, damaged, or no model of layers, if a file with weights is not
 *   in the folder of the model, or if the model uses what forebay does not support (the error lists all such layers), or
 *   has too many inputs and steps of layers;
 *   ValueError if `source` is none, if an option is missing, unknown or invalid, or if the model has no input or layer
 *   of a name; ShapeError if a shape does not fit its input, or a layer cannot be applied to it
 */
export async function importTfjs(
  source: TfjsSource,
  options: ImportTfjsOptions,
): Promise<TfjsModule> {
  const read = importOptions.read(options);
  const { file, topology, weights } = await readArtifacts(source);
  const model = modelOf(file, topology);
  const floats = read.dtype ?? 'float32';
  const module = new TfjsModule(read.name, {
    file,
    model,
    weights,
    inputs: inputsOf(file, model, floats, read),
    outputs: outputsOf(model, read),
    whole: read.outputs === undefined,
    floats,
  });
  await inSlices(module.prepare());
  return module;
}

/** The dtypes of inputs, by those of the format. Those that are missing are floating-point. */
const dtypes: Readonly<Record<string, DType>> = {
  int32: 'int32',
  int64: 'int32',
  bool: 'bool',
  uint8: 'uint8',
};

/** Returns the shapes and the dtypes of the inputs. The option inputs comes before the file. */
function inputsOf(
  file: string,
  model: Model,
  floats: DType,
  { inputs }: ImportTfjsOptions,
): Map<string, TensorInfo> {
  const given = new Map(
    inputs === undefined
      ? []
      : assertRecord(inputs, 'importTfjs: inputs must be a record of shapes,'),
  );
  for (const name of given.keys()) {
    if (model.inputs.some((input) => input.name === name)) continue;
    throw new ValueError(
      `importTfjs: inputs: the model has no input '${name}'; its inputs are ${model.inputs.map((input) => input.name).join(', ')}`,
    );
  }
  const names = new Names();
  return new Map(
    model.inputs.map((input): [string, TensorInfo] => {
      if (input.dtype === 'string') {
        throw new FormatError(
          `${file}: the input '${input.name}' is string, which forebay does not support`,
        );
      }
      const dtype = Object.hasOwn(dtypes, input.dtype) ? (dtypes[input.dtype] as DType) : floats;
      const shape = shapeOf(file, input, given.get(input.name), names);
      return [input.name, Object.freeze({ shape, dtype })];
    }),
  );
}

function shapeOf(
  file: string,
  { name, shape }: ModelInput,
  given: readonly Dim[] | undefined,
  names: Names,
): Shape {
  if (given === undefined) {
    if (shape !== undefined) {
      return shape.map((dim, axis) => dim ?? (axis === 0 ? 'batch' : names.of(`${name}_${axis}`)));
    }
    throw new FormatError(
      `${file}: the input '${name}' has no shape: give it in the option inputs`,
    );
  }
  const context = `importTfjs: the shape of the input '${name}'`;
  const list = assertList(given, `${context} must be a list of dimensions,`);
  const made = list.map((dim) => dimension(dim, `${context}:`));
  const fits =
    shape === undefined ||
    (shape.length === made.length &&
      shape.every(
        (dim, axis) => dim === null || typeof made[axis] === 'string' || dim === made[axis],
      ));
  if (fits) return made;
  throw new ShapeError(
    `${context} is ${formatShape(shape.map((dim) => dim ?? 'any'))} in the file, but received ${formatShape(made)}`,
  );
}

/** Makes names of dimensions of any texts: of letters, digits and _. Different texts have different names. */
class Names {
  readonly #taken = new Set<string>(['batch']);

  of(text: string): string {
    const plain = text.replace(/[^A-Za-z0-9_]/g, '_').replace(/^(?![A-Za-z_])/, '_');
    let name = plain;
    for (let count = 2; this.#taken.has(name) || !isDimensionName(name); count++) {
      name = `${plain}_${count}`;
    }
    this.#taken.add(name);
    return name;
  }
}

/** Returns the results that the module returns, by name. */
function outputsOf(model: Model, { outputs }: ImportTfjsOptions): Map<string, Ref> {
  const refs = outputs === undefined ? model.outputs : chosen(model, outputs);
  const found = new Map<string, Ref>();
  for (const ref of refs) {
    let name = ref.layer;
    for (let count = 1; found.has(name); count++) name = `${ref.layer}:${count}`;
    found.set(name, ref);
  }
  return found;
}

function chosen(model: Model, outputs: readonly string[]): Ref[] {
  const names = assertList(outputs, 'importTfjs: outputs must be a list of names of layers,');
  if (names.length === 0) throw new ValueError('importTfjs: outputs must not be empty');
  return names.map((name) => {
    const layer = typeof name === 'string' ? model.layers.get(name) : undefined;
    if (layer !== undefined && layer.calls.length > 0) {
      return { layer: layer.name, call: layer.calls.length - 1, index: 0 };
    }
    throw new ValueError(
      `importTfjs: outputs: expected the name of a layer of the model, but received ${describeValue(name)}; its layers are ${[...model.layers.keys()].join(', ')}`,
    );
  });
}
