/** Emits the nodes and the tensors of a file. It knows the format, and nothing of the ops of forebay. */

import { GraphError } from '../../errors.js';
import { type Dim, quotientOf, type Shape, termsOf } from '../../graph/dimension.js';
import { bytesIn, writtenBytes } from '../../io/bytes.js';
import type { DType } from '../../tensor/dtype.js';
import { type Tensor, tensor } from '../../tensor/tensor.js';
import { type ElementType, elementTypes } from '../elements.js';
import {
  type AttributeProto,
  attributeTypes,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from '../messages.js';

/** The type that the elements of each dtype have in a file. ONNX uses int64 for indices, so int32 is written as int64. */
export const writtenTypes: Readonly<Record<DType, ElementType>> = {
  float32: elementTypes.float,
  float64: elementTypes.double,
  int32: elementTypes.int64,
  bool: elementTypes.bool,
  uint8: elementTypes.uint8,
};

/** A float in an attribute, as opposed to an integer. */
export class Float {
  constructor(readonly value: number) {}
}

/** The value of an attribute. A number is an integer. */
export type Attribute = number | string | Float | readonly number[] | GraphProto;
/** Attributes by name. Those that are undefined are left out. */
export type Attributes = Readonly<Record<string, Attribute | undefined>>;

function attributeProto(name: string, value: Attribute): AttributeProto {
  const made: AttributeProto = { name, floats: [], ints: [], strings: [] };
  if (typeof value === 'number') {
    return { ...made, type: attributeTypes.int, i: BigInt(value) };
  }
  if (typeof value === 'string') {
    return { ...made, type: attributeTypes.string, s: new TextEncoder().encode(value) };
  }
  if (value instanceof Float) return { ...made, type: attributeTypes.float, f: value.value };
  if (isInts(value)) return { ...made, type: attributeTypes.ints, ints: value.map(BigInt) };
  return { ...made, type: attributeTypes.graph, g: value };
}

function isInts(value: readonly number[] | GraphProto): value is readonly number[] {
  return Array.isArray(value);
}

/** Returns a tensor as the file has it. The elements are copied, because the value of a leaf may change. */
export function tensorProto(name: string, value: Tensor): TensorProto {
  const rawData =
    value.dtype === 'int32'
      ? bytesIn({ data: BigInt64Array.from(value.data, BigInt) as unknown as Tensor['data'] })
      : writtenBytes(value).slice();
  return tensorOf(name, writtenTypes[value.dtype], value.shape, rawData);
}

function tensorOf(
  name: string,
  { code }: ElementType,
  shape: readonly number[],
  rawData: Uint8Array,
): TensorProto {
  return {
    name,
    dims: shape.map(BigInt),
    dataType: code,
    floatData: [],
    int32Data: [],
    int64Data: [],
    doubleData: [],
    uint64Data: [],
    externalData: [],
    rawData,
  };
}

/** Returns the name and the type of an input or an output of a graph. */
export function valueInfo(
  name: string,
  { dtype, shape }: { readonly dtype: DType; readonly shape: Shape },
): ValueInfoProto {
  const dim = shape.map((one) =>
    typeof one === 'number' ? { dimValue: BigInt(one) } : { dimParam: one },
  );
  return { name, type: { tensorType: { elemType: writtenTypes[dtype].code, shape: { dim } } } };
}

/** Where a name of a dimension is found: the axis of an input. */
export interface Place {
  readonly input: string;
  readonly axis: number;
}

/** Emits nodes, each after those whose results it reads. A result is known by the name of its value. */
export class Emitter {
  readonly nodes: NodeProto[] = [];
  readonly #outermost: Emitter;
  readonly #initializers: TensorProto[] = [];
  readonly #names = new Map<string, string>();
  readonly #counts = new Map<string, number>();
  readonly #known = new Map<string, string>();

  /** @param outer emits the nodes of the graph around, if the nodes are those of the graph of an operator */
  constructor(
    /** The version of the operator set. */
    readonly opset: number,
    /** Where the names of dimensions are found. */
    readonly places: ReadonlyMap<string, Place>,
    outer?: Emitter,
  ) {
    this.#outermost = outer === undefined ? this : outer.#outermost;
  }

  /** The tensors of the file. */
  get initializers(): TensorProto[] {
    return this.#outermost.#initializers;
  }

  // ---- Names.

  /** Takes a name. @param what what has it, for errors @throws GraphError if something else has the name */
  claim(name: string, what: string): void {
    const names = this.#outermost.#names;
    const other = names.get(name);
    if (other === undefined) {
      names.set(name, what);
      return;
    }
    throw new GraphError(
      `exportOnnx: ${other} and ${what} would both be named '${name}' in the file; rename one of them`,
    );
  }

  /** Returns a name that nothing else has, and takes it: `wanted`, or `wanted` with a number. */
  unique(wanted: string, what: string): string {
    const names = this.#outermost.#names;
    let name = wanted;
    for (let count = 2; names.has(name); count++) name = `${wanted}_${count}`;
    names.set(name, what);
    return name;
  }

  /** Returns a name with the next number. */
  #numbered(stem: string, what: string): string {
    const counts = this.#outermost.#counts;
    const count = counts.get(stem) ?? 0;
    counts.set(stem, count + 1);
    return this.unique(`${stem}_${count}`, what);
  }

  // ---- Nodes.

  /**
   * Returns an emitter of the nodes of a graph in this one, such as the body of a loop. There, all values that this graph
   * has so far may be read. Names are those of the file, and all tensors are in the outermost graph.
   */
  inner(): Emitter {
    return new Emitter(this.opset, this.places, this);
  }

  /** Returns the graph of the nodes of an inner emitter. */
  graph(stem: string, input: ValueInfoProto[], output: ValueInfoProto[]): GraphProto {
    const name = this.#numbered(stem, 'a graph');
    return {
      name,
      node: this.nodes,
      initializer: [],
      sparseInitializer: [],
      input,
      output,
      valueInfo: [],
    };
  }

  /** Takes a name for a value that an inner graph gets. */
  value(stem: string): string {
    return this.#numbered(stem, 'a value');
  }

  /** Emits a node with one result. Inputs that are left out are undefined. */
  op(type: string, inputs: readonly (string | undefined)[], attributes: Attributes = {}): string {
    return this.ops(type, inputs, 1, attributes)[0] as string;
  }

  /** Emits a node with several results. */
  ops(
    type: string,
    inputs: readonly (string | undefined)[],
    count: number,
    attributes: Attributes = {},
  ): string[] {
    const name = this.#numbered(type, `a value of ${type}`);
    const output =
      count === 1
        ? [name]
        : Array.from({ length: count }, (_, index) => this.unique(`${name}.${index}`, 'a value'));
    this.nodes.push({
      name,
      opType: type,
      input: inputs.map((input) => input ?? ''),
      output,
      attribute: Object.entries(attributes).flatMap(([key, value]) =>
        value === undefined ? [] : [attributeProto(key, value)],
      ),
    });
    return output;
  }

  /** Emits a node whose result, which has the given name, is another value. The name must have been taken. */
  copy(value: string, name: string): void {
    this.op('Identity', [value]);
    const { length } = this.nodes;
    (this.nodes[length - 1] as NodeProto).output = [name];
  }

  /** Gives values other names, which must have been taken. */
  rename(names: ReadonlyMap<string, string>): void {
    const renamed = (list: string[]) => list.map((name) => names.get(name) ?? name);
    const rename = (nodes: readonly NodeProto[]) => {
      for (const node of nodes) {
        node.input = renamed(node.input);
        node.output = renamed(node.output);
        for (const { g } of node.attribute) if (g !== undefined) rename(g.node);
      }
    };
    rename(this.nodes);
  }

  // ---- Tensors.

  /** Adds a tensor, and returns its name, which nothing else may have. @throws GraphError if something else has it */
  variable(name: string, value: Tensor, what: string): string {
    this.claim(name, what);
    this.initializers.push(tensorProto(name, value));
    return name;
  }

  /** Adds a tensor without a name of its own. */
  constant(value: Tensor, wanted?: string): string {
    const what = 'a constant';
    const name =
      wanted === undefined ? this.#numbered('constant', what) : this.unique(wanted, what);
    this.initializers.push(tensorProto(name, value));
    return name;
  }

  /** Emits what all graphs may read once, in the outermost graph: it comes before the operators with graphs that read it. */
  #once(key: string, make: (outermost: Emitter) => string): string {
    const outermost = this.#outermost;
    const known = outermost.#known.get(key);
    if (known !== undefined) return known;
    const made = make(outermost);
    outermost.#known.set(key, made);
    return made;
  }

  /** A list of integers, or with the shape [] a single one. */
  ints(numbers: readonly number[], shape: readonly number[] = [numbers.length]): string {
    return this.#once(`ints ${shape.join()} ${numbers.join()}`, () => {
      const name = this.#numbered('ints', 'a constant');
      const bytes = new Uint8Array(BigInt64Array.from(numbers, BigInt).buffer);
      this.initializers.push(tensorOf(name, elementTypes.int64, shape, bytes));
      return name;
    });
  }

  /** A number, as a scalar. */
  number(value: number, dtype: DType): string {
    const key = `number ${dtype} ${Object.is(value, -0) ? '-0' : value}`;
    return this.#once(key, () => this.constant(tensor(value, { dtype })));
  }

  // ---- Dimensions.

  /** A dimension, as a list of one integer. @throws GraphError if no input of the file has a name in it */
  dim(dim: Dim): string {
    if (typeof dim === 'number') return this.ints([dim]);
    return this.#once(`dim ${dim}`, (outermost) => {
      const terms = termsOf(dim);
      const [only] = terms;
      if (terms.length === 1 && only?.coefficient === 1 && only.names.length === 1) {
        const name = only.names[0] as string;
        const quotient = quotientOf(name);
        if (!quotient) return outermost.#named(name);
        const { dividend, divisor } = quotient;
        return outermost.op('Div', [outermost.dim(dividend), this.ints([divisor])]);
      }
      return terms
        .map(({ coefficient, names }) => {
          const factors = names.map((name) => outermost.dim(name));
          if (coefficient !== 1 || names.length === 0) factors.push(this.ints([coefficient]));
          return factors.reduce((product, factor) => outermost.op('Mul', [product, factor]));
        })
        .reduce((sum, term) => outermost.op('Add', [sum, term]));
    });
  }

  #named(name: string): string {
    const place = this.places.get(name);
    if (place === undefined) {
      throw new GraphError(
        `exportOnnx: no input of the file has the dimension '${name}', on which the graph depends; add an input with it to the option inputs`,
      );
    }
    const { input, axis } = place;
    if (this.opset >= 15) return this.op('Shape', [input], { start: axis, end: axis + 1 });
    return this.op('Gather', [this.op('Shape', [input]), this.ints([axis])], { axis: 0 });
  }

  /** A dimension, as a scalar integer. */
  scalarDim(dim: Dim): string {
    if (typeof dim === 'number') return this.ints([dim], []);
    return this.#once(`scalar ${dim}`, (outermost) =>
      outermost.op('Squeeze', [outermost.dim(dim), this.ints([0])]),
    );
  }

  /** A list of dimensions, of integers. */
  dims(shape: Shape): string {
    if (shape.every((dim) => typeof dim === 'number')) return this.ints(shape as number[]);
    return this.#once(`dims ${shape.join()}`, (outermost) => {
      // Numbers next to one another are one constant.
      const parts: string[] = [];
      let run: number[] = [];
      const end = () => {
        if (run.length > 0) parts.push(this.ints(run));
        run = [];
      };
      for (const dim of shape) {
        if (typeof dim === 'number') {
          run.push(dim);
        } else {
          end();
          parts.push(outermost.dim(dim));
        }
      }
      end();
      return parts.length === 1 ? (parts[0] as string) : outermost.op('Concat', parts, { axis: 0 });
    });
  }

  // ---- What has another form in older operator sets.

  /** Removes axes of length 1. */
  squeeze(x: string, axes: readonly number[]): string {
    return axes.length === 0 ? x : this.op('Squeeze', [x, this.ints(axes)]);
  }

  /** Adds axes of length 1, which are counted in the result. */
  unsqueeze(x: string, axes: readonly number[]): string {
    return axes.length === 0 ? x : this.op('Unsqueeze', [x, this.ints(axes)]);
  }

  /** Reduces axes, of which there is at least one. The axes are an input from the version `since` on. */
  reduce(type: string, x: string, axes: readonly number[], keepDims: boolean, since = 18): string {
    const keepdims = Number(keepDims);
    return this.opset >= since
      ? this.op(type, [x, this.ints(axes)], { keepdims })
      : this.op(type, [x], { axes, keepdims });
  }

  /** Converts to a type. */
  cast(x: string, dtype: DType): string {
    return this.op('Cast', [x], { to: writtenTypes[dtype].code });
  }
}
