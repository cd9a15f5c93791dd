/** The weights of a model: their names, their bytes, and which layer they belong to. */

import { describeValue } from '../arguments/describe.js';
import { FormatError, StateError } from '../errors.js';
import { elementsOf, inMemory } from '../io/bytes.js';
import { type ElementType, readElements, safetensorsType } from '../io/elements.js';
import type { DType, TypedArray } from '../tensor/dtype.js';
import { formatShape, maxRank, stridesOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { isJson, member } from './config.js';

/** A weight of the manifest. */
export interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
  /** The dtype of the elements after they are read. */
  readonly dtype: string;
  /** The type of the elements in the file. */
  readonly type: ElementType;
  /** What is done with elements that are stored as small integers; undefined for all others. */
  readonly scaling: { readonly scale: number; readonly min: number } | undefined;
  /** The bytes in the file. */
  readonly bytes: number;
}

const typeOf = (code: string) => safetensorsType(code) as ElementType;

/** The types in the file, by the dtypes of the format. */
const stored: Readonly<Record<string, ElementType>> = {
  float32: typeOf('F32'),
  int32: typeOf('I32'),
  bool: typeOf('BOOL'),
  uint8: typeOf('U8'),
};

const quantized: Readonly<Record<string, ElementType>> = {
  uint8: typeOf('U8'),
  uint16: typeOf('U16'),
  float16: typeOf('F16'),
};

/** Returns an entry of the manifest, checked. @throws FormatError if it is not valid, or of a dtype that forebay does not read */
export function specOf(file: string, entry: unknown): WeightSpec {
  const name = isJson(entry) ? member(entry, 'name') : undefined;
  if (!isJson(entry) || typeof name !== 'string' || name === '') {
    throw new FormatError(`${file}: a weight of the manifest has no name`);
  }
  const context = `${file}: weight '${name}'`;
  const dims = member(entry, 'shape');
  const isSize = (dim: unknown) => Number.isSafeInteger(dim) && (dim as number) >= 0;
  if (!Array.isArray(dims) || dims.length > maxRank || !dims.every(isSize)) {
    const came = Array.isArray(dims)
      ? `[${dims.slice(0, maxRank + 1).join(', ')}]`
      : describeValue(dims);
    throw new FormatError(
      `${context}: expected a shape of at most ${maxRank} dimensions from 0 to 2^53 - 1, but found ${came}`,
    );
  }
  const shape: readonly number[] = dims;
  const size = elementsOf(shape, 'float64');
  if (size === undefined) {
    throw new FormatError(`${context}: its shape ${formatShape(shape)} is larger than any memory`);
  }
  const { dtype, type, scaling } = formatOf(context, entry);
  return { name, shape, dtype, type, scaling, bytes: size * type.bytes };
}

function formatOf(
  context: string,
  entry: Readonly<Record<string, unknown>>,
): Pick<WeightSpec, 'dtype' | 'type' | 'scaling'> {
  const dtype = member(entry, 'dtype');
  const known = typeof dtype === 'string' && Object.hasOwn(stored, dtype) ? dtype : undefined;
  if (known === undefined) {
    throw new FormatError(
      `${context}: its elements are ${typeof dtype === 'string' ? dtype : describeValue(dtype)}, but forebay reads ${Object.keys(stored).join(', ')}`,
    );
  }
  const quantization = member(entry, 'quantization');
  if (quantization === undefined || quantization === null) {
    return { dtype: known, type: stored[known] as ElementType, scaling: undefined };
  }
  const field = (key: string) => (isJson(quantization) ? member(quantization, key) : undefined);
  const kind = field('dtype');
  const type =
    typeof kind === 'string' && Object.hasOwn(quantized, kind) ? quantized[kind] : undefined;
  const fits = kind === 'float16' ? known === 'float32' : known === 'float32' || known === 'int32';
  if (type === undefined || !fits) {
    throw new FormatError(
      `${context}: ${known} cannot be quantized as ${typeof kind === 'string' ? kind : describeValue(kind)}`,
    );
  }
  if (kind === 'float16') return { dtype: known, type, scaling: undefined };
  const [scale, min] = [field('scale'), field('min')];
  if (Number.isFinite(scale) && Number.isFinite(min)) {
    return { dtype: known, type, scaling: { scale: scale as number, min: min as number } };
  }
  throw new FormatError(
    `${context}: its quantization must have the numbers scale and min, but they are ${describeValue(scale)} and ${describeValue(min)}`,
  );
}

/** How a weight is arranged for the ops of forebay. */
export interface Arrangement {
  /** The axes of the weight in the file, in their new order. */
  readonly order?: readonly number[];
  /** The shape after that. */
  readonly shape?: readonly number[];
}

/** Which weight a layer asks for. */
export interface WeightPlace {
  /** The paths that the layer may have in the file, the most likely first. */
  readonly paths: readonly string[];
  /** The names that the weight may have in the layer. */
  readonly keys: readonly string[];
  /** The number of the weight in the layer, which some converters write in place of the name. */
  readonly index: number;
  /** Whether the name of the cell of a recurrent layer may be between the layer and the weight. */
  readonly inCell: boolean;
}

/** The weights of a file. */
export class Weights {
  readonly #file: string;
  readonly #specs: ReadonlyMap<string, WeightSpec>;
  readonly #bytes: Map<string, Uint8Array>;
  /** The names by the ends that layers look for, such as `dense/kernel` for `model/dense/kernel`. */
  readonly #ends = new Map<string, Set<string>>();
  /** The same without the cell before the weight: `lstm/kernel` for `lstm/lstm_cell/kernel`. */
  readonly #withoutCell = new Map<string, Set<string>>();
  readonly #used = new Set<string>();

  constructor(file: string, weights: readonly (readonly [spec: WeightSpec, bytes: Uint8Array])[]) {
    this.#file = file;
    const specs = new Map<string, WeightSpec>();
    for (const [spec] of weights) {
      if (specs.has(spec.name)) {
        throw new FormatError(`${file}: two weights are named '${spec.name}'`);
      }
      specs.set(spec.name, spec);
      this.#note(spec.name);
    }
    this.#specs = specs;
    this.#bytes = new Map(weights.map(([{ name }, bytes]) => [name, bytes]));
  }

  #note(name: string): void {
    // Keras writes the numbers of weights below 'vars'.
    const parts = name
      .split('/')
      .filter((part) => part !== 'vars')
      .slice(-mostParts);
    noteEnds(this.#ends, parts, name);
    noteEnds(this.#withoutCell, [...parts.slice(0, -2), ...parts.slice(-1)], name);
  }

  /**
   * Returns the weight of a layer.
   * @throws FormatError if there is none, or if several may be meant
   */
  find({ paths, keys, index, inCell }: WeightPlace): WeightSpec {
    const wanted = paths.flatMap((path) => [...keys, index].map((key) => `${path}/${key}`));
    const [key] = keys;
    const names =
      wanted.map((end) => this.#named(end, inCell)).find((list) => list.length > 0) ?? [];
    const [name] = names;
    if (name === undefined) {
      throw new FormatError(
        `its weight '${key}' is missing: there is no '${paths.at(-1)}/${key}' in the manifest`,
      );
    }
    if (names.length > 1) {
      throw new FormatError(
        `its weight '${key}' may be any of ${names.map((one) => `'${one}'`).join(', ')}`,
      );
    }
    this.#used.add(name);
    return this.#specs.get(name) as WeightSpec;
  }

  /** The weights with a name; if there is none, those whose names end with it. */
  #named(end: string, inCell: boolean): readonly string[] {
    if (this.#specs.has(end)) return [end];
    const below = inCell ? this.#withoutCell.get(end) : undefined;
    return [...new Set([...(this.#ends.get(end) ?? []), ...(below ?? [])])];
  }

  /** The weights that no layer has asked for. */
  unused(): string[] {
    return [...this.#specs.keys()].filter((name) => !this.#used.has(name));
  }

  /** Frees the memory of the file. */
  release(): void {
    this.#bytes.clear();
  }

  /** Returns the elements of a weight. @throws StateError if the memory of the file was freed */
  tensor(spec: WeightSpec, dtype: DType, { order, shape }: Arrangement): Tensor {
    const context = `${this.#file}: weight '${spec.name}'`;
    const bytes = this.#bytes.get(spec.name);
    if (bytes === undefined) {
      throw new StateError(
        `${context}: its elements were not needed at the import, so they were not kept`,
      );
    }
    const made = Tensor.zeros(spec.shape, { dtype });
    const { data } = made;
    readElements(context, inMemory(this.#file, bytes), 0, spec.type, dtype, data);
    if (spec.scaling !== undefined) {
      const { scale, min } = spec.scaling;
      for (let i = 0; i < data.length; i++) data[i] = (data[i] as number) * scale + min;
    }
    const moved = order === undefined ? made : reordered(made, order);
    return shape === undefined ? moved : new Tensor(moved.data, shape, dtype);
  }
}

/** Records a name under all ends of a path. */
function noteEnds(ends: Map<string, Set<string>>, path: readonly string[], name: string): void {
  for (let start = 0; start < path.length; start++) {
    const end = path.slice(start).join('/');
    const names = ends.get(end);
    if (names === undefined) ends.set(end, new Set([name]));
    else names.add(name);
  }
}

/** The largest number of parts of a name that are looked at. */
const mostParts = 12;

/** Returns the elements of a tensor with its axes in another order. */
function reordered(x: Tensor, order: readonly number[]): Tensor {
  const shape = order.map((axis) => x.shape[axis] as number);
  const made = Tensor.zeros(shape, { dtype: x.dtype });
  // The step in the result for each axis of x.
  const strides = stridesOf(shape);
  const steps = x.shape.map((_, axis) => strides[order.indexOf(axis)] as number);
  copyInto(x.data, made.data, x.shape, steps);
  return made;
}

function copyInto(
  from: TypedArray,
  into: TypedArray,
  shape: readonly number[],
  steps: readonly number[],
): void {
  const last = shape.length - 1;
  const [length, step] = [shape[last] as number, steps[last] as number];
  const index = new Array<number>(last).fill(0);
  let at = 0;
  for (let start = 0; start < from.length; start += length) {
    for (let i = 0; i < length; i++) into[at + i * step] = from[start + i] as number;
    for (let axis = last - 1; axis >= 0; axis--) {
      at += steps[axis] as number;
      index[axis] = (index[axis] as number) + 1;
      if (index[axis] !== shape[axis]) break;
      at -= (steps[axis] as number) * (shape[axis] as number);
      index[axis] = 0;
    }
  }
}
