/** `importOnnx`: reads a model of an ONNX file. */

import { describeValue } from '../arguments/describe.js';
import { checkedLater, oneOf } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { assertList, assertRecord } from '../arguments/read.js';
import { DTypeError, FormatError, ShapeError, ValueError } from '../errors.js';
import { type Dim, dimension, isDimensionName, type Shape } from '../graph/dimension.js';
import { inSlices } from '../imports/slices.js';
import type { FileSource } from '../io/sources.js';
import type { Scope } from '../modules/scope.js';
import { formatShape } from '../tensor/shape.js';
import { asTensor, type Tensor, type TensorLike } from '../tensor/tensor.js';
import { type ElementType, elementTypeName, elementTypeOf } from './elements.js';
import { readModel } from './file.js';
import { type Model, type ModelInput, OnnxModule } from './imported.js';
import { domainOf, functionKey, newest, oldest, setsOf } from './interpreter.js';
import {
  type GraphProto,
  type ModelProto,
  model as modelFields,
  type ValueInfoProto,
} from './messages.js';
import { decode } from './protobuf.js';

const importOptions = declareOptions('importOnnx', {
  /** The name or the scope of the module. */
  name: required(checkedLater<string | Scope>('the name or the scope of the module'), 'scope'),
  /**
   * The shapes of inputs, by their names: numbers and names of dimensions. By default those of the file, whose dimensions
   * without a number have names.
   */
  inputs: optional(
    checkedLater<Readonly<Record<string, readonly Dim[]>>>(
      'a record of shapes by the names of inputs',
    ),
    'shapes',
    'inputShapes',
  ),
  /** Values for inputs, by their names. They are not fed any more, and what depends on them alone is computed now. */
  values: optional(
    checkedLater<Readonly<Record<string, TensorLike>>>('a record of values by the names of inputs'),
    'constants',
  ),
  /** The tensors of the file that the module returns: any of them, by name. By default the outputs of the file. */
  outputs: optional(
    checkedLater<readonly string[]>('a list of names of tensors of the file'),
    'until',
  ),
  /** The dtype of all floating-point tensors; by default that of the file. float64 is for checks of gradients. */
  dtype: optional(oneOf('float32', 'float64'), 'type'),
  /**
   * The bytes of the files with the elements of tensors, by the names that the model has for them. A model that is
   * imported by its path finds them in its folder.
   */
  externalData: optional(
    checkedLater<Readonly<Record<string, Uint8Array | ArrayBuffer | SharedArrayBuffer>>>(
      'a record of bytes by file name',
    ),
  ),
});

/** Options of `importOnnx`. */
export interface ImportOnnxOptions extends OptionsOf<typeof importOptions> {}

/**
 * Reads a model of an ONNX file, and makes it a module. Its weights are parameters, which are frozen: `unfreeze` them to
 * train. Their paths are the names of their tensors in the file. Biases and scales whose elements are all equal, which
 * exporters store once for all layers, are a parameter of each node that reads them, with the name of the node in its path
 * if it is not the first. Shape arithmetic and the conditions of `If` are computed now. `Scan`, `Loop`, and the operators
 * LSTM, GRU and RNN become loops, as `scan` makes them. int64 tensors are int32. The file is read, and the graph built, in
 * slices of a few milliseconds, so other work of the process goes on.
 *
 * ```ts
 * const trunk = await importOnnx('model.onnx', { name: 'trunk', outputs: ['features'] });
 * const { features } = trunk.apply({ x });
 * ```
 *
 * Operator sets 7 to 28 are read; docs/onnx.md lists the operators.
 * @param file a path, a `file:` URL, or the bytes of a file
 * @throws (rejects with) FormatError if the file is missing, damaged, or no ONNX model, if it uses what forebay does not
 *   support (the error lists all such nodes), or if a file with the elements of tensors is missing; ValueError if an
 *   option is missing, unknown or invalid, or if the model has no input or tensor of a name; ShapeError or DTypeError if
 *   a value or a shape does not fit its input
 */
export async function importOnnx(
  file: FileSource,
  options: ImportOnnxOptions,
): Promise<OnnxModule> {
  const read = importOptions.read(options);
  const { name, bytes, external } = await readModel(file, read.externalData);
  const model = modelOf(name, decode<ModelProto>(name, 'an ONNX model', modelFields, bytes), read);
  const module = new OnnxModule(read.name, { ...model, external });
  await inSlices(module.prepare());
  return module;
}

function modelOf(
  file: string,
  proto: ModelProto,
  options: ImportOnnxOptions,
): Omit<Model, 'external'> {
  const { graph } = proto;
  if (graph === undefined || proto.opsetImport.length === 0) {
    throw new FormatError(
      `${file}: this is not an ONNX model: it has no graph, or no operator set`,
    );
  }
  const sets = setsOf(proto.opsetImport);
  const version = sets.get('');
  if (version !== undefined && (version < oldest || version > newest)) {
    throw new FormatError(
      `${file}: its operator set is ${version}, but forebay reads ${oldest} to ${newest}`,
    );
  }
  const functions = new Map(
    proto.functions.map((one) => [functionKey(domainOf(one.domain), one.name, one.overload), one]),
  );
  const { declared, refused } = inputsOf(file, graph);
  const fixed = fixedOf(declared, options);
  const shapes = shapesOf(declared, options);
  const inputs = new Map<string, ModelInput>();
  for (const [name, { type, shape }] of declared) {
    if (fixed.has(name) && shapes.has(name)) {
      throw new ValueError(
        `importOnnx: the input '${name}' has both a value and a shape; give one of the options values and inputs`,
      );
    }
    if (!fixed.has(name)) inputs.set(name, { type, shape: shapes.get(name) ?? shape });
  }
  const outputs = outputsOf(file, graph, options);
  return { file, graph, sets, functions, inputs, fixed, refused, outputs, floats: options.dtype };
}

/** Returns the inputs that have no default value, with the shapes of the file. */
function inputsOf(
  file: string,
  graph: GraphProto,
): { declared: Map<string, ModelInput>; refused: Map<string, string> } {
  const defaults = new Set(graph.initializer.map(({ name }) => name));
  const names = new Names();
  const found = new Map<string, ModelInput>();
  const refused = new Map<string, string>();
  for (const info of graph.input) {
    const { name = '', type } = info;
    if (defaults.has(name)) continue;
    const tensor = type?.tensorType;
    const element = elementTypeOf(tensor?.elemType);
    if (tensor === undefined || element === undefined) {
      const what = tensor === undefined ? 'not a tensor' : elementTypeName(tensor.elemType);
      refused.set(name, `it is ${what}`);
      continue;
    }
    if (found.has(name)) throw new FormatError(`${file}: two inputs are named '${name}'`);
    found.set(name, { type: element, shape: shapeOf(file, info, names) });
  }
  return { declared: found, refused };
}

function shapeOf(
  file: string,
  { name = '', type }: ValueInfoProto,
  names: Names,
): Shape | undefined {
  return type?.tensorType?.shape?.dim.map(({ dimValue, dimParam }, axis) => {
    const unnamed = () => names.of(`${name}_${axis}`, `unnamed ${axis} ${name}`);
    if (dimValue === undefined) return dimParam ? names.of(dimParam) : unnamed();
    const size = Number(dimValue);
    // Some exporters write -1 where a dimension has no number.
    if (size === -1) return unnamed();
    if (Number.isSafeInteger(size) && size >= 0) return size;
    throw new FormatError(`${file}: the input '${name}' has a dimension ${size}`);
  });
}

/** Makes names of dimensions of any texts: of letters, digits and _. Different texts have different names. */
class Names {
  readonly #names = new Map<string, string>();
  readonly #taken = new Set<string>();

  /** @param key distinguishes texts that are equal by chance */
  of(text: string, key = `named ${text}`): string {
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const plain = text.replace(/[^A-Za-z0-9_]/g, '_').replace(/^(?![A-Za-z_])/, '_');
    let name = plain;
    for (let count = 2; this.#taken.has(name) || !isDimensionName(name); count++) {
      name = `${plain}_${count}`;
    }
    this.#taken.add(name);
    this.#names.set(key, name);
    return name;
  }
}

function inputNamed(declared: ReadonlyMap<string, ModelInput>, option: string, name: string) {
  const found = declared.get(name);
  if (found !== undefined) return found;
  const names = [...declared.keys()].join(', ');
  throw new ValueError(
    `importOnnx: ${option}: the model has no input '${name}'; its inputs are ${names || 'none'}`,
  );
}

/** Returns the shapes in the option inputs. */
function shapesOf(
  declared: ReadonlyMap<string, ModelInput>,
  { inputs }: ImportOnnxOptions,
): Map<string, Shape> {
  if (inputs === undefined) return new Map();
  const given = assertRecord(inputs, 'importOnnx: inputs must be a record of shapes,');
  return new Map(
    given.map(([name, dims]) => {
      const context = `importOnnx: the shape of the input '${name}'`;
      const { shape } = inputNamed(declared, 'inputs', name);
      const list = assertList(dims, `${context} must be a list of dimensions,`);
      const made = list.map((dim) => dimension(dim, `${context}:`));
      if (shape === undefined || fits(shape, made)) return [name, made] as const;
      throw new ShapeError(
        `${context} is ${formatShape(shape as Shape)} in the file, but received ${formatShape(made)}`,
      );
    }),
  );
}

/** Whether a shape may be given for that of the file. A name may stand for any number. */
function fits(shape: Shape, given: Shape): boolean {
  return (
    shape.length === given.length &&
    shape.every((dim, axis) => {
      const other = given[axis];
      return typeof dim === 'string' || typeof other === 'string' || dim === other;
    })
  );
}

/** Returns the inputs whose values are fixed. */
function fixedOf(
  declared: ReadonlyMap<string, ModelInput>,
  { values }: ImportOnnxOptions,
): Map<string, { readonly type: ElementType; readonly value: Tensor }> {
  if (values === undefined) return new Map();
  const given = assertRecord(values, 'importOnnx: values must be a record of values,');
  return new Map(
    given.map(([name, value]) => {
      const { type, shape } = inputNamed(declared, 'values', name);
      const context = `importOnnx: the value of the input '${name}':`;
      const tensor = asTensor(value, type.dtype, context);
      if (tensor.dtype !== type.dtype) {
        throw new DTypeError(`${context} expected ${type.dtype}, but received ${tensor.dtype}`);
      }
      if (shape !== undefined && !fits(shape, tensor.shape)) {
        throw new ShapeError(
          `${context} it is ${formatShape(shape)} in the file, but received ${formatShape(tensor.shape)}`,
        );
      }
      return [name, { type, value: tensor }] as const;
    }),
  );
}

function outputsOf(
  file: string,
  graph: GraphProto,
  { outputs }: ImportOnnxOptions,
): readonly string[] {
  if (outputs === undefined) {
    const names = graph.output.map(({ name = '' }) => name);
    if (names.length > 0) return names;
    throw new FormatError(`${file}: the model has no outputs`);
  }
  const names = assertList(outputs, 'importOnnx: outputs must be a list of names of tensors,');
  if (names.length === 0) throw new ValueError('importOnnx: outputs must not be empty');
  const known = new Set([
    ...graph.input.map(({ name }) => name),
    ...graph.initializer.map(({ name }) => name),
    ...graph.node.flatMap(({ output }) => output),
  ]);
  for (const name of names) {
    if (typeof name === 'string' && known.has(name) && name !== '') continue;
    throw new ValueError(
      `importOnnx: outputs: expected the name of a tensor of the model, but received ${describeValue(name)}; the outputs of the model are ${graph.output.map((output) => output.name).join(', ')}`,
    );
  }
  return names;
}
