/** What a row of the operator table sees of a node: its inputs, its attributes, and the version of its operator. */

import { FormatError } from '../errors.js';
import type { Dim } from '../graph/dimension.js';
import type { Node } from '../graph/node.js';
import type { DType } from '../tensor/dtype.js';
import { type ElementType, elementTypes, type Known, type Stored } from './elements.js';
import {
  type AttributeProto,
  attributeTypes,
  type GraphProto,
  type NodeProto,
} from './messages.js';
import { Value } from './value.js';

/** The reason why forebay cannot import a node. */
export class Unsupported extends Error {}

/** What the import of a file has in common for all nodes. */
export interface Importing {
  /** The name of the file in error messages. */
  readonly file: string;
  /** Returns the dtype of values of a type. */
  dtypeOf(type: ElementType): DType;
  /** Returns the tensor of a message, with the name that its variable gets. */
  stored(proto: NonNullable<AttributeProto['t']>, name: string): Stored;
  /** Returns the value of a tensor of the file. */
  valueOf(stored: Stored): Value;
  /** Returns the parameter of a tensor of the file. */
  parameterOf(stored: Stored): Node;
  /** Returns a parameter with the elements of a list in an attribute of a node. */
  listed(
    owner: NodeProto,
    attribute: string,
    elements: readonly number[],
    shape: readonly number[],
  ): Node;
  /** Returns a parameter or a state with the elements of a tensor of the file that no other input of a node has. */
  ownVariable(kind: 'parameter' | 'state', stored: Stored, owner: NodeProto, input: number): Node;
  /** How many elements and parts of graphs may still be made. */
  readonly budget: Budget;
}

const most = 2 ** 25;

/** Limits what a model can make of a few bytes, such as a range of numbers. */
export class Budget {
  #left = most;

  /**
   * Takes a number of elements or parts.
   * @returns the number
   * @throws FormatError if it is not a whole number, or if nothing is left of the budget
   */
  take(count: number, what: string): number {
    if (!Number.isSafeInteger(count) || count < 0) {
      throw new FormatError(`expected a whole number of ${what}, but found ${count}`);
    }
    if (count > this.#left) {
      throw new FormatError(
        `${count} ${what} are more than a model may have: ${this.#left} of ${most} elements and parts are left`,
      );
    }
    this.#left -= count;
    return count;
  }
}

const kinds = Object.entries(attributeTypes);

/** A node of the file with its inputs. */
export class Call {
  readonly #inputs: readonly (Value | undefined)[];
  readonly #attributes: ReadonlyMap<string, AttributeProto>;
  readonly #read = new Set<string>();

  constructor(
    readonly importing: Importing,
    readonly proto: NodeProto,
    /** The version of the operator set. */
    readonly version: number,
    inputs: readonly (Value | undefined)[],
    attributes: ReadonlyMap<string, AttributeProto>,
  ) {
    this.#inputs = inputs;
    this.#attributes = attributes;
  }

  /** How error messages name the node: its operator, and its name or its output. */
  get name(): string {
    return describe(this.proto);
  }

  /** The name of the node, or that of its first output, as layers and loops of the graph have it. */
  get label(): string {
    return labelOf(this.proto);
  }

  /** Ends the import of the node, because forebay does not support it. */
  unsupported(reason: string): never {
    throw new Unsupported(reason);
  }

  // ---- Inputs.

  /** The number of inputs, with those that are left out. */
  get count(): number {
    return this.#inputs.length;
  }

  has(index: number): boolean {
    return this.#inputs[index] !== undefined;
  }

  /** @throws FormatError if the node does not have the input */
  value(index: number): Value {
    const value = this.#inputs[index];
    if (value !== undefined) return value;
    throw new FormatError(`input ${index} is missing`);
  }

  /** All inputs. @throws FormatError if one is left out */
  values(): Value[] {
    return this.#inputs.map((_, index) => this.value(index));
  }

  /** An input as a node. @throws FormatError if the node does not have it */
  node(index: number): Node {
    return this.value(index).node;
  }

  /** All inputs as nodes. @throws FormatError if one is left out */
  nodes(): Node[] {
    return this.values().map(({ node }) => node);
  }

  /** An input as a node; undefined if the node does not have it. */
  optional(index: number): Node | undefined {
    return this.#inputs[index]?.node;
  }

  /** An input that is a weight: a parameter, also if it has a single element. */
  weight(index: number): Node {
    const value = this.value(index);
    const stored = value.stored;
    return stored !== undefined && isFloat(value.type)
      ? this.importing.parameterOf(stored)
      : value.node;
  }

  /**
   * A bias or a scale. Exporters store tensors of equal elements once, such as the zeros and ones of new layers, which must
   * not be trained as one. So this node alone has the variable, if all elements are equal.
   */
  vector(index: number): Node {
    const value = this.value(index);
    const { stored } = value;
    if (stored === undefined || !isFloat(value.type)) return value.node;
    return stored.isUniform() ? this.own(index, 'parameter') : this.importing.parameterOf(stored);
  }

  /** An operand of a sum: a weight if it is an initializer with an axis, such as the bias of a layer with one unit. */
  addend(index: number): Node {
    const { stored } = this.value(index);
    const isWeight = stored?.isInitializer === true && stored.shape.length > 0;
    return isWeight ? this.vector(index) : this.node(index);
  }

  /** An input whose variable belongs to this node alone, even if other nodes have an input of equal elements. */
  own(index: number, kind: 'parameter' | 'state'): Node {
    const value = this.value(index);
    return value.stored === undefined
      ? value.node
      : this.importing.ownVariable(kind, value.stored, this.proto, index);
  }

  /** Takes a number of elements or parts from the budget of the import. */
  bounded(count: number, what: string): number {
    return this.importing.budget.take(count, what);
  }

  /** The elements of an input that must be known now. */
  known(index: number, what = `input ${index}`): Known {
    return (
      this.value(index).known ??
      this.unsupported(`${what} is computed, but must be known when the model is imported`)
    );
  }

  /** The elements of an input: numbers, and dimensions with names. */
  dims(index: number, what?: string): readonly Dim[] {
    return this.known(index, what).elements;
  }

  /** The elements of an input, which must be numbers. */
  numbers(index: number, what = `input ${index}`): readonly number[] {
    return (
      this.known(index, what).numbers() ??
      this.unsupported(
        `${what} depends on a dimension without a number: give the option inputs numbers`,
      )
    );
  }

  /** The only element of an input, which must be a number. */
  number(index: number, what = `input ${index}`): number {
    const numbers = this.numbers(index, what);
    if (numbers.length === 1) return numbers[0] as number;
    throw new FormatError(`${what} must have one element, but has ${numbers.length}`);
  }

  // ---- Attributes. Each is asked for by the row. What no row asks for is refused, because it would change the result.

  #attribute(name: string, type: keyof typeof attributeTypes): AttributeProto | undefined {
    this.#read.add(name);
    const found = this.#attributes.get(name);
    if (found === undefined) return undefined;
    const number = found.type ?? attributeTypes[type];
    if (number === attributeTypes[type] || number === 0) return found;
    const came = kinds.find(([, code]) => code === number)?.[0] ?? `type ${number}`;
    throw new FormatError(`attribute '${name}' must be ${type}, but is ${came}`);
  }

  /** Whether the file has an attribute. */
  hasAttribute(name: string): boolean {
    this.#read.add(name);
    return this.#attributes.has(name);
  }

  int<T extends number | undefined>(name: string, otherwise: T): number | T {
    const found = this.#attribute(name, 'int');
    return found === undefined ? otherwise : Number(found.i ?? 0n);
  }

  flag(name: string, otherwise = false): boolean {
    return this.int(name, Number(otherwise)) !== 0;
  }

  float<T extends number | undefined>(name: string, otherwise: T): number | T {
    const found = this.#attribute(name, 'float');
    return found === undefined ? otherwise : (found.f ?? 0);
  }

  text<T extends string | undefined>(name: string, otherwise: T): string | T {
    const found = this.#attribute(name, 'string');
    return found === undefined ? otherwise : new TextDecoder().decode(found.s);
  }

  ints<T extends readonly number[] | undefined>(name: string, otherwise: T): readonly number[] | T {
    const found = this.#attribute(name, 'ints');
    return found === undefined ? otherwise : found.ints.map(Number);
  }

  floats<T extends readonly number[] | undefined>(
    name: string,
    otherwise: T,
  ): readonly number[] | T {
    return this.#attribute(name, 'floats')?.floats ?? otherwise;
  }

  texts<T extends readonly string[] | undefined>(
    name: string,
    otherwise: T,
  ): readonly string[] | T {
    const found = this.#attribute(name, 'strings');
    return found === undefined
      ? otherwise
      : found.strings.map((bytes) => new TextDecoder().decode(bytes));
  }

  /** A tensor in an attribute. @param name of the variable that it may become */
  tensor(attribute: string, name: string): Stored | undefined {
    const found = this.#attribute(attribute, 'tensor')?.t;
    return found && this.importing.stored(found, name);
  }

  /**
   * A list of floats that is a weight; undefined if the node does not have it. @param shapeOf returns the shape of the
   * parameter, from the number of elements
   */
  attributeWeight(
    name: string,
    shapeOf: (elements: number) => readonly number[],
  ): Node | undefined {
    const elements = this.floats(name, undefined);
    if (elements === undefined || elements.length === 0) return undefined;
    return this.importing.listed(this.proto, name, elements, shapeOf(elements.length));
  }

  graph(name: string): GraphProto | undefined {
    return this.#attribute(name, 'graph')?.g;
  }

  /** Ends the import if the node has attributes that no row has asked for. */
  assertAllRead(): void {
    const left = [...this.#attributes.keys()].filter((name) => !this.#read.has(name));
    if (left.length > 0)
      this.unsupported(`attribute ${left.map((name) => `'${name}'`).join(', ')}`);
  }

  /**
   * Integers that are an attribute in old versions of an operator, and an input in new ones; undefined if there are
   * none.
   */
  intsAt(index: number, name: string): readonly number[] | undefined {
    if (this.has(index)) return this.numbers(index, name);
    return this.ints(name, undefined);
  }

  // ---- Results.

  dtypeOf(type: ElementType): DType {
    return this.importing.dtypeOf(type);
  }

  /** A result of a type. */
  as(type: ElementType, node: Node): Value {
    return Value.computed(type, node);
  }

  /** A result whose elements are known. */
  result(known: Known): Value {
    return Value.known(known, this.dtypeOf(known.type));
  }

  /** A result that has the type of the input with its dtype, or the usual type of its dtype. */
  like(node: Node): Value {
    const given = this.#inputs.find((input) => input && this.dtypeOf(input.type) === node.dtype);
    return Value.computed(given?.type ?? usual[node.dtype], node);
  }
}

const usual: Readonly<Record<DType, ElementType>> = {
  float32: elementTypes.float,
  float64: elementTypes.double,
  int32: elementTypes.int64,
  bool: elementTypes.bool,
  uint8: elementTypes.uint8,
};

const isFloat = ({ dtype }: ElementType) => dtype === 'float32' || dtype === 'float64';

/** Returns the name of a node, or that of its first output. */
export function labelOf({ name, output }: NodeProto): string {
  return name || (output.find((one) => one !== '') ?? 'node');
}

/** Returns a node of a file as error messages name it: its operator, and its name or its output. */
export function describe({ opType, domain, name, output }: NodeProto): string {
  const operator = domain ? `${domain}.${opType}` : opType;
  return name ? `${operator} '${name}'` : `${operator} with the output '${output[0] ?? ''}'`;
}
