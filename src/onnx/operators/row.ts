/** Rows of the operator table, and what many of them share. */

import { evaluate } from '../../evaluate/evaluate.js';
import type { Dim, Shape } from '../../graph/dimension.js';
import { constant } from '../../graph/leaf.js';
import type { Node } from '../../graph/node.js';
import { add, cast, div, floor, mul, sub } from '../../ops/index.js';
import { isFloating } from '../../tensor/dtype.js';
import { sizeOf } from '../../tensor/shape.js';
import { tensor } from '../../tensor/tensor.js';
import type { Call } from '../call.js';
import { type ElementType, isFloatingType, Known, rangeOf } from '../elements.js';
import { isConstant, type Value } from '../value.js';

/** The results of a node. A result that is a node has the type of the input with its dtype. */
export type Built = Node | Value | readonly (Node | Value | undefined)[];

/** An operator of ONNX. */
export interface Row {
  /** Builds the graph of a node with this operator. */
  readonly build: (call: Call) => Built;
  /** What is not supported, for the table in the docs. */
  readonly without?: string;
}

export type Rows = Readonly<Record<string, Row>>;

/** Makes a row. @param without what is not supported, for the table in the docs */
export function row(build: (call: Call) => Built, without?: string): Row {
  return without === undefined ? { build } : { build, without };
}

// ---- Elements that are known.

/** The largest number of elements that are computed at the import. */
const mostElements = 2 ** 16;
/** Returns the elements of a value if they are known and cannot be trained. */
export function foldable(value: Value): Known | undefined {
  if (value.stored !== undefined && isFloatingType(value.type) && value.stored.size > 1) {
    return undefined;
  }
  return value.known;
}

/** Returns the shape to which shapes broadcast, by NumPy's rules; undefined if they do not. */
function broadcastNumbers(shapes: readonly (readonly number[])[]): number[] | undefined {
  const rank = Math.max(...shapes.map(({ length }) => length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    for (let axis = 0; axis < shape.length; axis++) {
      const at = rank - shape.length + axis;
      const dim = shape[axis] as number;
      if (result[at] === 1) result[at] = dim;
      else if (dim !== 1 && dim !== result[at]) return undefined;
    }
  }
  return result;
}

/**
 * Applies a function to the elements of integers and bools that are known, which may be dimensions with names. The
 * operands broadcast. Returns undefined if an operand is not known or is a float, or if the function returns undefined.
 */
export function elementwiseKnown(
  call: Call,
  type: ElementType,
  apply: (...elements: Dim[]) => Dim | undefined,
  operands: readonly Value[] = call.values(),
): Value | undefined {
  const knowns: Known[] = [];
  for (const operand of operands) {
    if (isFloatingType(operand.type)) return undefined;
    const known = foldable(operand);
    if (known === undefined) return undefined;
    knowns.push(known);
  }
  const shape = broadcastNumbers(knowns.map((known) => known.shape));
  if (shape === undefined || sizeOf(shape) > mostElements) return undefined;
  const readers = knowns.map((known) => reader(known, shape));
  const elements: Dim[] = [];
  for (let index = 0; index < sizeOf(shape); index++) {
    const element = inRange(apply(...readers.map((read) => read(index))), type);
    if (element === undefined) return undefined;
    elements.push(element);
  }
  return call.result(new Known(type, shape, elements));
}

/** Wraps an integer around in the range of a type of fewer than 32 bits, as `numeric` does. */
function inRange(element: Dim | undefined, type: ElementType): Dim | undefined {
  if (element === undefined || type.bytes >= 4 || type.name === 'bool') return element;
  if (typeof element !== 'number') return undefined;
  const [least, greatest] = rangeOf(type);
  const span = greatest - least + 1;
  return element - Math.floor((element - least) / span) * span;
}

/** Returns a function that returns the element at an index of the shape to which the elements broadcast. */
function reader({ shape: own, elements }: Known, shape: readonly number[]): (index: number) => Dim {
  if (elements.length === 1) return () => elements[0] as Dim;
  const steps = shape.map(() => 0);
  let step = 1;
  for (let axis = own.length - 1; axis >= 0; axis--) {
    const dim = own[axis] as number;
    if (dim !== 1) steps[axis + shape.length - own.length] = step;
    step *= dim;
  }
  return (index) => {
    let [rest, at] = [index, 0];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const dim = shape[axis] as number;
      at += (rest % dim) * (steps[axis] as number);
      rest = Math.floor(rest / dim);
    }
    return elements[at] as Dim;
  };
}

/**
 * A row of an operator that moves elements and computes nothing. If the elements of its data are known, so are those of
 * its result: they are found by moving the positions of the elements.
 * @param data the indices of the inputs whose elements are moved
 * @param build builds the result from the nodes of these inputs, of any dtype
 */
export function moving(
  data: (call: Call) => readonly number[],
  build: (call: Call, nodes: readonly Node[]) => Node,
  without?: string,
): Row {
  return row((call) => {
    const indices = data(call);
    const values = indices.map((index) => call.value(index));
    const { type } = values[0] as Value;
    const folded = moved(call, values, (nodes) => build(call, nodes));
    if (folded !== undefined) return folded;
    return call.as(
      type,
      build(
        call,
        values.map(({ node }) => node),
      ),
    );
  }, without);
}

/** Moves elements that are known. Returns undefined if they are not, or if the result has too many of them. */
export function moved(
  call: Call,
  values: readonly Value[],
  build: (nodes: readonly Node[]) => Node,
): Value | undefined {
  const knowns = values.map(foldable);
  if (!knowns.every((known) => known !== undefined)) return undefined;
  const most = 16 * mostElements;
  if (knowns.some((known) => known.elements.length > most)) return undefined;
  const elements: Dim[] = [];
  const positions = knowns.map((known) => {
    const first = elements.length;
    for (const element of known.elements) elements.push(element);
    const indices = Int32Array.from(known.elements, (_, index) => first + index);
    return constant(tensor(indices, { shape: known.shape }));
  });
  const node = build(positions);
  if (!node.shape.every((dim) => typeof dim === 'number')) return undefined;
  if (sizeOf(node.shape as number[]) > mostElements) return undefined;
  // Where the elements are read may depend on inputs, as in a table that is read at indices.
  if (!isConstant(node)) return undefined;
  const result = evaluate(node);
  const { type } = values[0] as Value;
  const found = Array.from(result.data, (position) => elements[position] as Dim);
  return call.result(new Known(type, result.shape, found));
}

// ---- Numbers.

/**
 * Applies arithmetic to nodes of one type. forebay computes with floats, so integers are computed as float64, which holds
 * all of 32 bits, and wrap around in the range of a smaller type.
 */
export function numeric(
  type: ElementType,
  nodes: readonly Node[],
  apply: (...nodes: Node[]) => Node,
): Node {
  const [first] = nodes as [Node];
  if (isFloating(first.dtype)) return apply(...nodes);
  const result = apply(...nodes.map((node) => cast(node, 'float64')));
  return cast(wrapped(result, type), first.dtype);
}

/** Wraps integers around in the range of a type. Those of 32 and 64 bits do not wrap around. */
export function wrapped(x: Node, type: ElementType): Node {
  if (type.bytes >= 4 || type.name === 'bool') return x;
  const [least, greatest] = rangeOf(type);
  const span = greatest - least + 1;
  return sub(x, mul(floor(div(sub(x, least), span)), span));
}

/** Adds numbers of one shape or of shapes that broadcast. */
export function total(nodes: readonly Node[]): Node {
  return nodes.reduce((sum, node) => add(sum, node));
}

/** Returns integers as a constant. */
export function integers(elements: readonly number[], shape = [elements.length]): Node {
  return constant(tensor(Int32Array.from(elements), { shape }));
}

// ---- Axes.

/** Returns an axis, counted from 0. */
export function axisOf(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** Returns the axes that an operator reduces, counted from 0; all axes if there are none. */
export function axesOf(axes: readonly number[] | undefined, rank: number): number[] {
  return (axes ?? Array.from({ length: rank }, (_, axis) => axis)).map((axis) =>
    axisOf(axis, rank),
  );
}

/** Returns the dimensions of a node, all of which must be numbers. */
export function numbersIn(call: Call, shape: Shape, what: string): number[] {
  return shape.map((dim) =>
    typeof dim === 'number'
      ? dim
      : call.unsupported(
          `${what} has the dimension '${dim}', but must be a number: give it in the option inputs`,
        ),
  );
}
