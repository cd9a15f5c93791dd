/** Matrix products, batches of products, and the panels into which right operands are packed for the product kernel. */

import type { Lowering } from '../graph/lowering.js';
import type { Node } from '../graph/node.js';
import { isMatrix } from '../ir/blocks.js';
import type { Builder } from '../ir/builder.js';
import type { Location } from '../ir/location.js';
import { type Ref, transposed, viewed } from '../ir/value.js';
import { count, equalLists } from '../ir/view.js';
import { prepareProduct } from '../native/kernels.js';
import { dtypeCodes } from '../native/table.js';
import { bytesOf, type TypedArray } from '../tensor/dtype.js';
import { sizeOf } from '../tensor/shape.js';
import { stretched } from './layout.js';
import type {
  InstructionRecord,
  InstructionWriter,
  LoweringRecord,
  ValueRecord,
} from './record.js';

/** A matrix product over the last two axes of both operands. */
export const product: LoweringRecord<Extract<Lowering, { kind: 'product' }>> = {
  expand: (_lowering, node, { withoutZeroParts }) => withoutZeroParts(node),
  step: ({ transposes }, { attributes, shape, inputShapes }) => {
    const [a, b] = inputShapes as [readonly number[], readonly number[]];
    const flags = transposes(attributes);
    const [m, n] = shape.slice(-2) as [number, number];
    const k = (flags.a ? a.at(-2) : a.at(-1)) as number;
    const matrix = { n, k, transposeA: flags.a, transposeB: flags.b };
    // If `b` is one matrix and `a` is a batch of matrices that are not transposed, one product computes the rows of the
    // whole batch.
    const folds = b.length === 2 && !flags.a;
    const batch = folds ? [] : shape.slice(0, -2);
    const run = prepareProduct({
      ...matrix,
      m: folds ? sizeOf(shape.slice(0, -1)) : m,
      batch,
      batchStridesA: folds ? [] : stretched(a.slice(0, -2), batch, m * k).strides,
      batchStridesB: folds ? [] : stretched(b.slice(0, -2), batch, k * n).strides,
      batchStridesC: folds ? [] : stretched(batch, batch, m * n).strides,
    });
    return (out, [left, right]) => run(out, left as TypedArray, right as TypedArray);
  },
  lower: ({ transposes }, { build, node, bound, args: [left, right] }) => {
    const flags = transposes(bound.attributes);
    const a = flags.a ? lastTwoSwapped(left as Ref) : (left as Ref);
    const b = flags.b ? lastTwoSwapped(right as Ref) : (right as Ref);
    const { shape } = bound;
    const k = a.shape.at(-1) as number;
    const alone = (ref: Ref) => count(ref.shape.slice(0, -2)) === 1;
    if (alone(b) && (alone(a) || !flags.a)) {
      const rows = build.reshape(a, [count(a.shape.slice(0, -1)), k], node);
      const matrix = build.reshape(b, b.shape.slice(-2), node);
      return build.reshape(build.product(rows, matrix, node), shape, node);
    }
    const batch = shape.slice(0, -2);
    return batched(
      build,
      build.stretch(a, [...batch, ...a.shape.slice(-2)]),
      build.stretch(b, [...batch, ...b.shape.slice(-2)]),
      node,
    );
  },
};

/** Returns the ref with its last two axes exchanged. */
function lastTwoSwapped(ref: Ref): Ref {
  const swap = (list: readonly number[]) => [
    ...list.slice(0, -2),
    list.at(-1) as number,
    list.at(-2) as number,
  ];
  const { value, offset, shape, strides } = ref;
  return viewed(value, { offset, shape: swap(shape), strides: swap(strides) });
}

/**
 * A matrix product [M, K] x [K, N]. If there is a third operand [M, N], the product is added onto it, in its memory.
 */
export const productValue: ValueRecord = {
  rebuild: (build, { node }, [a, b, onto]) => build.product(a as Ref, b as Ref, node, onto),
  fusing: undefined,
  arrange: 'fixed',
  part: undefined,
  instruct: (value, writer, nodes) => {
    const [a, b, onto] = value.args as readonly [Ref, Ref, Ref | undefined];
    const [m, n] = value.shape as readonly [number, number];
    const k = a.shape[1] as number;
    const left = writer.locate(a);
    const panels = writer.prepared(
      value,
      (operand) => packed(operand, writer, nodes),
      (operand) => {
        const strides = [left, writer.locate(operand)].flatMap((at) => at.strides);
        return writer.target.panelsSave(value.dtype, [m, n, k], strides);
      },
    );
    writer.emit({
      kind: 'product',
      m,
      n,
      k,
      a: left,
      b: panels ?? writer.locate(b),
      packed: panels !== undefined,
      c: writer.locationOf(value),
      accumulates: onto !== undefined,
      nodes,
    });
  },
  reads: ({ args }, operand, { shape, strides }) =>
    operand === args[2] ? strides[1] === 1 || shape[1] === 1 : isMatrix(shape, strides),
  // A product can be written only to rows whose elements are adjacent.
  writes: ({ args, shape: [rows, columns] }, { strides: [down, across] }) =>
    args.length === 2 &&
    (columns === 1 || across === 1) &&
    (rows === 1 || (down as number) >= (columns as number)),
  onto: ({ args }) => args[2],
  drawn: undefined,
  prepared: 1,
  updates: () => undefined,
  varies: false,
};

/** Packs a right operand into panels. Returns the location of the packed elements. */
function packed(b: Ref, writer: InstructionWriter, nodes: readonly Node[]): Location {
  const [k, n] = b.shape as readonly [number, number];
  const { dtype } = b.value;
  const to = writer.fresh(dtype, [writer.target.panelBytes(dtype, k, n) / bytesOf[dtype]]);
  const pieces = writer.isPacked(b.value)
    ? piecesOf(b, writer)
    : [{ row: 0, column: 0, from: writer.locate(b) }];
  writer.emit({ kind: 'pack', k, n, pieces, to, nodes });
  return to;
}

/** Returns the blocks of an assembled right operand, with their positions and locations. */
function piecesOf(b: Ref, writer: InstructionWriter): PackInstruction['pieces'] {
  const { value } = b;
  // The ref selects the whole value or its transpose, because the value is packed. `upright` is false if it selects
  // the transpose. The stride along an axis of length 1 does not matter.
  const { strides } = value.whole;
  const upright =
    equalLists(b.shape, value.shape) &&
    b.shape.every((size, axis) => size === 1 || b.strides[axis] === strides[axis]);
  const starts = value.details.starts as readonly (readonly [number, number])[];
  return value.args.map((block, i) => {
    const [row, column] = starts[i] as readonly [number, number];
    const from = writer.locate(upright ? block : transposed(block));
    return upright ? { row, column, from } : { row: column, column: row, from };
  });
}

/** Makes a batch of matrix products, [.., M, K] x [.., K, N]. */
export function batched(build: Builder, a: Ref, b: Ref, node: Node | undefined): Ref {
  const { dtype } = a.value;
  const shape = [...a.shape.slice(0, -1), b.shape.at(-1) as number];
  if (count(shape) === 0 || a.shape.at(-1) === 0) return build.filled(0, dtype, shape);
  const args = [a, b].map((ref) => build.matrix(ref, node));
  return build.make({ kind: 'batch', dtype, shape, args, details: {}, node });
}

export const batchValue: ValueRecord = {
  rebuild: (build, { node }, [a, b]) => batched(build, a as Ref, b as Ref, node),
  fusing: undefined,
  arrange: 'fixed',
  part: undefined,
  instruct: (value, writer, nodes) => {
    const [a, b] = value.args as readonly [Ref, Ref];
    writer.emit({
      kind: 'batch',
      a: writer.locate(a),
      b: writer.locate(b),
      c: writer.locationOf(value),
      nodes,
    });
  },
  reads: (_value, _operand, { shape, strides }) => isMatrix(shape, strides),
  writes: () => false,
  onto: () => undefined,
  drawn: undefined,
  prepared: undefined,
  updates: () => undefined,
  varies: false,
};

export interface ProductInstruction {
  readonly kind: 'product';
  readonly nodes: readonly Node[];
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: Location;
  /** The right operand [K, N]. If `packed` is true, its elements are packed in panels for the product kernel. */
  readonly b: Location;
  readonly packed: boolean;
  readonly c: Location;
  readonly accumulates: boolean;
}

const [plain, withPanels] = [2, 4];

export const productInstruction: InstructionRecord<ProductInstruction> = {
  opcodes: { product: plain, 'packed product': withPanels },
  reads: ({ a, b, c, accumulates }) => (accumulates ? [[a, b], [c]] : [[a, b]]),
  writes: ({ c }) => [[c]],
  inPlace: () => [],
  encode: ({ m, n, k, a, b, c, accumulates, packed }, code) => {
    code.push(dtypeCodes[c.memory.dtype], m, n, k, Number(accumulates));
    code.at(a);
    code.push(...a.strides);
    code.at(b);
    if (!packed) code.push(...b.strides);
    code.at(c);
    // A matrix of one row may have any stride between rows, so n, which is valid, is written instead.
    code.push(m === 1 ? n : (c.strides[0] as number));
    return packed ? withPanels : plain;
  },
  varies: () => false,
  counted: ({ m, n, k }) => ({ product: [m, n, k] }),
};

export interface PackInstruction {
  readonly kind: 'pack';
  readonly nodes: readonly Node[];
  readonly k: number;
  readonly n: number;
  readonly pieces: readonly {
    readonly row: number;
    readonly column: number;
    readonly from: Location;
  }[];
  readonly to: Location;
}

export const packInstruction: InstructionRecord<PackInstruction> = {
  opcodes: { pack: 3 },
  *reads({ pieces }) {
    for (const { from } of pieces) yield [from];
  },
  writes: ({ to }) => [[to]],
  inPlace: () => [],
  encode: ({ k, n, pieces, to }, code) => {
    code.push(dtypeCodes[to.memory.dtype], k, n);
    code.at(to);
    code.push(pieces.length);
    for (const { row, column, from } of pieces) {
      const [height, width] = from.shape as readonly [number, number];
      code.push(row, column, height, width);
      code.at(from);
      code.push(...from.strides);
    }
    return packInstruction.opcodes.pack as number;
  },
  varies: () => false,
  counted: ({ to: { memory } }) => ({ packedBytes: memory.length * bytesOf[memory.dtype] }),
};

export interface BatchInstruction {
  readonly kind: 'batch';
  readonly nodes: readonly Node[];
  readonly a: Location;
  readonly b: Location;
  readonly c: Location;
}

export const batchInstruction: InstructionRecord<BatchInstruction> = {
  opcodes: { 'batch product': 6 },
  reads: ({ a, b }) => [[a, b]],
  writes: ({ c }) => [[c]],
  inPlace: () => [],
  encode: ({ a, b, c }, code) => {
    const batch = c.shape.slice(0, -2);
    const [m, n] = c.shape.slice(-2) as [number, number];
    const k = a.shape.at(-1) as number;
    const [left, right] = [storedAs(a), storedAs(b)];
    code.push(dtypeCodes[c.memory.dtype], 0, batch.length, ...batch, m, n, k);
    code.push(Number(left.transposed), Number(right.transposed), left.leading, right.leading, n);
    for (const location of [a, b, c]) {
      code.at(location);
      code.push(...location.strides.slice(0, -2));
    }
    return batchInstruction.opcodes['batch product'] as number;
  },
  varies: () => false,
  counted: ({ a, c }) => {
    const [m, n] = c.shape.slice(-2) as [number, number];
    return { product: [m * count(c.shape.slice(0, -2)), n, a.shape.at(-1) as number] };
  },
};

/** Returns the arguments with which BLAS reads a matrix: whether it is transposed, and its leading dimension. */
function storedAs({ shape, strides }: Location): { transposed: boolean; leading: number } {
  const [rows, columns] = shape.slice(-2) as [number, number];
  const [down, across] = strides.slice(-2) as [number, number];
  const transposed = !(
    (columns <= 1 || across === 1) &&
    (rows <= 1 || down >= Math.max(1, columns))
  );
  const leading = transposed ? Math.max(across, rows) : Math.max(down, columns);
  return { transposed, leading: Math.max(1, leading) };
}
