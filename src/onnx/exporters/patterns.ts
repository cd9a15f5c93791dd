/**
 * Several nodes of the graph that are one operator of ONNX, such as a product and the bias that is added to it. The graph
 * computes the same without them, but the files are shorter, and other tools recognise the operators.
 */

import { type Dim, type Shape, sameShape } from '../../graph/dimension.js';
import { Constant } from '../../graph/leaf.js';
import type { Node } from '../../graph/node.js';
import { keptShape } from '../../ops/broadcast.js';
import { normalization, normalizesRows, product } from './composed.js';
import { Float } from './emitter.js';
import { reshaped } from './moving.js';
import { largest, reduced, reductions } from './reductions.js';
import { type Exported, fitsAttribute } from './row.js';
import { convolution, isMaxPool, pooling } from './windows.js';

/** How a node is exported: from the values of other nodes than its inputs. */
export interface Match {
  readonly inputs: readonly Node[];
  emit(exported: Exported): string;
}

/** What a pattern knows besides the node. */
export interface Matching {
  readonly opset: number;
  /** Whether a single node reads the value of a node, and it is no output. Then it need not be emitted itself. */
  isInner(node: Node): boolean;
}

type Pattern = (node: Node, matching: Matching) => Match | undefined;

/** Returns the inputs of a node if its op is the given one. */
function operandsOf(node: Node | undefined, op: string): readonly Node[] | undefined {
  return node?.op.name === op ? node.inputs : undefined;
}

/** Returns the only element of a constant; undefined for any other node. */
function numberOf(node: Node | undefined): number | undefined {
  return node instanceof Constant && node.value.size === 1
    ? (node.value.data[0] as number)
    : undefined;
}

const input = (node: Node, index = 0) => node.inputs[index] as Node;

// ---- Reductions that keep the axes.

/** A reduction whose axes are put back with length 1. */
const keepsAxes: Pattern = (node, { isInner }) => {
  const inner = input(node);
  const { op } = inner;
  const isReduction = Object.hasOwn(reductions, op.name);
  if (!(isReduction || op.name === 'argmax') || !isInner(inner)) return undefined;
  const x = input(inner);
  const { axes } = inner.attributes as { axes: readonly number[] };
  const isOne = isReduction ? axes.length > 0 : axes.length === 1;
  if (!isOne || !sameShape(node.shape, keptShape(x.shape, axes))) return undefined;
  return {
    inputs: [x],
    emit: (exported) => {
      const { emitter, names } = exported;
      if (!isReduction) {
        return emitter.op('ArgMax', names, { axis: axes[0], keepdims: 1 });
      }
      const [type, since] = reductions[op.name] as readonly [string, number?];
      return reduced({ ...exported, node: inner }, type, true, since);
    },
  };
};

/** The negative of the largest negative: the least element. */
const leastElement: Pattern = (node, { isInner }) => {
  const largestNegative = input(node);
  const [negative] = operandsOf(largestNegative, 'max') ?? [];
  const [x] = operandsOf(negative, 'neg') ?? [];
  const { axes } = largestNegative.attributes as { axes: readonly number[] };
  if (!negative || !x || axes.length === 0) return undefined;
  if (!isInner(largestNegative) || !isInner(negative)) return undefined;
  return {
    inputs: [x],
    emit: ({ emitter, names }) => emitter.reduce('ReduceMin', names[0] as string, axes, false),
  };
};

// ---- Sequences, which the graph convolves and pools as images of height 1.

/** Returns sequences [a, b, length] that a node has as images [a, b, 1, length]. */
function sequenceOf(images: Node): Node | undefined {
  const [x] = operandsOf(images, 'reshape') ?? [];
  if (x?.shape.length !== 3 || images.shape.length !== 4) return undefined;
  return sameShape(images.shape, x.shape.toSpliced(2, 0, 1)) ? x : undefined;
}

/** A convolution or a pooling of sequences. */
const ofSequences: Pattern = (node, { isInner }) => {
  const images = input(node);
  if (!isSequence(node, images) || !isInner(images)) return undefined;
  const { name } = images.op;
  if (name === 'convolution' || name === 'convolutionInputGradient') {
    const operands = images.inputs.map(sequenceOf);
    if (!operands.every((operand) => operand !== undefined)) return undefined;
    const [, weight] = operands as [Node, Node];
    if (weight.shape.includes(0)) return undefined;
    return {
      inputs: operands,
      emit: (exported) => convolution(exported, images, exported.names, weight.shape),
    };
  }
  const isPool = name === 'avgPool' || isMaxPool(images);
  const x = isPool ? sequenceOf(input(images)) : undefined;
  if (x === undefined) return undefined;
  return {
    inputs: [x],
    emit: (exported) => pooling(exported, images, exported.names[0] as string, true),
  };
};

function isSequence(node: Node, images: Node): boolean {
  return images.shape.length === 4 && sameShape(images.shape, node.shape.toSpliced(2, 0, 1));
}

// ---- Biases.

/** Returns the vector [channels] that a node has in the shape [channels, 1, ..], for x with `rank` axes. */
function channelsOf(node: Node | undefined, channels: Dim, rank: number): Node | undefined {
  if (node === undefined) return undefined;
  const vector = rank > 2 ? operandsOf(node, 'reshape')?.[0] : node;
  const shape = [channels, ...Array<Dim>(Math.max(0, rank - 2)).fill(1)];
  if (vector === undefined || !sameShape(node.shape, shape)) return undefined;
  return sameShape(vector.shape, [channels]) ? vector : undefined;
}

/** A convolution to whose channels a bias is added. */
const biasedConvolution: Pattern = (node, { isInner }) => {
  const [convolved, bias] = node.inputs as [Node, Node];
  const images = convolved.op.name === 'reshape' ? input(convolved) : convolved;
  const isConvolution = ['convolution', 'convolutionInputGradient'].includes(images.op.name);
  const vector = channelsOf(bias, convolved.shape[1] as Dim, convolved.shape.length);
  if (!isConvolution || vector === undefined || !isInner(convolved)) return undefined;
  const operands =
    images === convolved
      ? images.inputs
      : isSequence(convolved, images) && isInner(images)
        ? images.inputs.map(sequenceOf)
        : [];
  const [x, weight] = operands;
  if (x === undefined || weight === undefined || weight.shape.includes(0)) return undefined;
  return {
    inputs: [x, weight, vector],
    emit: (exported) => convolution(exported, images, exported.names, weight.shape),
  };
};

/** A product of matrices to which a bias is added. */
const biasedProduct: Pattern = (node, { isInner }) => {
  const [multiplied, bias] = node.inputs as [Node, Node];
  const operands = operandsOf(multiplied, 'matmul');
  if (!operands?.every(({ shape }) => shape.length === 2) || !isInner(multiplied)) return undefined;
  const columns = multiplied.shape[1] as Dim;
  if (!sameShape(bias.shape, [columns]) || multiplied.shape.includes(0)) return undefined;
  return {
    inputs: [...operands, bias],
    emit: ({ emitter, names }) => product(emitter, multiplied, names),
  };
};

/** A layer normalisation with a bias. */
const biasedNormalization: Pattern = (node, { isInner, opset }) => {
  const [normal, bias] = node.inputs as [Node, Node];
  const operands = operandsOf(normal, 'normalization');
  if (operands === undefined || !isInner(normal)) return undefined;
  const { centered } = normal.attributes as { centered: boolean };
  const [, weight] = operands as [Node, Node];
  if (!centered || !normalizesRows(normal, opset)) return undefined;
  if (!sameShape(bias.shape, weight.shape)) return undefined;
  return {
    inputs: [...operands, bias],
    emit: ({ emitter, names }) => normalization(emitter, normal, names),
  };
};

// ---- Normalisation of channels.

/** Returns the operands of scale / sqrt(variance + epsilon). */
function scaleOf(node: Node | undefined) {
  const [scale, root] = operandsOf(node, 'div') ?? [];
  const [sum] = operandsOf(root, 'sqrt') ?? [];
  const [variance, constant] = operandsOf(sum, 'add') ?? [];
  const epsilon = numberOf(constant);
  if (scale === undefined || variance === undefined || epsilon === undefined) return undefined;
  return { scale, variance, epsilon };
}

/**
 * A batch normalisation in inference: as forebay's layer computes it, (x - mean) factor + bias; or as the operator is
 * imported, x factor + (bias - mean factor).
 */
const batchNormalization: Pattern = (node, { isInner }) => {
  const [scaled, offset] = node.inputs as [Node, Node];
  const [left, right] = operandsOf(scaled, 'mul') ?? [];
  if (left === undefined || right === undefined || node.shape.length < 2) return undefined;
  const [channels, rank] = [node.shape[1] as Dim, node.shape.length];
  const vector = (one: Node | undefined) => channelsOf(one, channels, rank);
  const factor = vector(right);
  const parts = scaleOf(factor);
  const last = vector(offset);
  if (parts === undefined || last === undefined || !isInner(scaled)) return undefined;
  const { scale, variance, epsilon } = parts;
  const found = centred(left, last, vector) ?? shifted(left, last, factor as Node);
  if (found === undefined || !fitsAttribute(epsilon, node)) return undefined;
  const vectors = [scale, found.bias, found.mean, variance];
  if (!vectors.every(({ shape }) => sameShape(shape, [channels]))) return undefined;
  if (!sameShape(found.x.shape, node.shape)) return undefined;
  return {
    inputs: [found.x, ...vectors],
    emit: ({ emitter, names }) =>
      emitter.op('BatchNormalization', names, { epsilon: new Float(epsilon) }),
  };
};

function centred(left: Node, bias: Node, vector: (node: Node | undefined) => Node | undefined) {
  const [x, along] = operandsOf(left, 'sub') ?? [];
  const mean = vector(along);
  return x === undefined || mean === undefined ? undefined : { x, mean, bias };
}

function shifted(x: Node, offset: Node, factor: Node) {
  const [bias, moved] = operandsOf(offset, 'sub') ?? [];
  const [mean, own] = operandsOf(moved, 'mul') ?? [];
  return bias === undefined || mean === undefined || own !== factor ? undefined : { x, mean, bias };
}

/** A group normalisation. Before operator set 21, the operator has a weight for each group and not for each channel. */
const groupNormalization: Pattern = (node, { isInner, opset }) => {
  const [sum] = node.inputs as [Node];
  const [normal, bias] = operandsOf(sum, 'add') ?? [];
  const [grouped, weight] = operandsOf(normal, 'normalization') ?? [];
  const [x] = operandsOf(grouped, 'reshape') ?? [];
  if (!normal || !bias || !grouped || !weight || !x || opset < 21) return undefined;
  const { axes, centered, epsilon } = normal.attributes as {
    axes: readonly number[];
    centered: boolean;
    epsilon: number;
  };
  const [groups, members] = grouped.shape.slice(1, 3) as [Dim, Dim];
  const [batch, channels, ...rest] = x.shape as [Dim, Dim, ...Dim[]];
  // The operator computes in float32.
  const isFloat32 = x.dtype === 'float32' && typeof groups === 'number' && centered;
  const isGrouped =
    sameShape(node.shape, x.shape) &&
    sameShape(grouped.shape, [batch, groups, members, ...rest]) &&
    axes.length === grouped.shape.length - 2 &&
    axes.every((axis, index) => axis === index + 2);
  const vectors = [weight, bias].map((one) => {
    const [vector] = operandsOf(one, 'reshape') ?? [];
    const fits = sameShape(one.shape, [groups, members, ...rest.map(() => 1)] as Shape);
    return fits && vector && sameShape(vector.shape, [channels]) ? vector : undefined;
  });
  if (!isFloat32 || !isGrouped || !isInner(sum) || !isInner(normal)) return undefined;
  if (!vectors.every((vector) => vector !== undefined)) return undefined;
  return {
    inputs: [x, ...vectors],
    emit: ({ emitter, names }) =>
      emitter.op('GroupNormalization', names, {
        num_groups: groups,
        epsilon: new Float(epsilon),
      }),
  };
};

// ---- Views of views, padding, the largest elements, and products over axes.

/** A reshape of a reshape, which no other pattern replaces. */
const reshapedTwice: Pattern = (node, matching) => {
  const inner = input(node);
  if (inner.op.name !== 'reshape' || !matching.isInner(inner)) return undefined;
  if (ofReshapes.some((pattern) => pattern(inner, matching) !== undefined)) return undefined;
  const x = input(inner);
  return {
    inputs: [x],
    emit: ({ emitter, names }) => reshaped(emitter, names[0] as string, x, node.shape),
  };
};

/** Returns the number that fills all elements of a node. */
function fillerOf(node: Node | undefined): Node | undefined {
  const [filler] = operandsOf(node, 'broadcastTo') ?? [];
  return filler?.shape.length === 0 && numberOf(filler) !== undefined ? filler : undefined;
}

/** Elements of one number before and after those of x along an axis. */
const padded: Pattern = (node) => {
  const { axis } = node.attributes as { axis: number };
  const sides = [node.inputs[0], node.inputs.length > 1 ? node.inputs.at(-1) : undefined];
  const [before, after] = sides.map(fillerOf);
  const filler = before ?? after;
  const middle = node.inputs.slice(before ? 1 : 0, after ? -1 : undefined);
  if (filler === undefined || middle.length !== 1) return undefined;
  if ((before ?? filler) !== filler || (after ?? filler) !== filler) return undefined;
  const counts = [before, after].map((side, index) =>
    side === undefined ? 0 : ((sides[index] as Node).shape[axis] as Dim),
  );
  return {
    inputs: [middle[0] as Node, filler],
    emit: ({ emitter, names: [x, fill] }) => {
      const pads = counts.flatMap((count) => node.shape.map((_, at) => (at === axis ? count : 0)));
      return emitter.op('Pad', [x, emitter.dims(pads), fill]);
    },
  };
};

/** The values of the largest elements, which the operator returns beside their indices. */
const topValues: Pattern = (node) => {
  const [x, indices] = node.inputs as [Node, Node];
  const { axis } = node.attributes as { axis: number };
  const isTop = indices.op.name === 'topK' && input(indices) === x;
  if (!isTop || (indices.attributes as { axis: number }).axis !== axis) return undefined;
  return { inputs: [x], emit: (exported) => largest(exported, indices)[0] as string };
};

/** The last of running products that start with 1: the product along an axis. */
const productAlong: Pattern = (node, { isInner }) => {
  const products = input(node);
  const [joined] = operandsOf(products, 'cumprod') ?? [];
  const [one, x] = operandsOf(joined, 'concat') ?? [];
  if (joined?.inputs.length !== 2 || !one || !x || numberOf(fillerOf(one)) !== 1) return undefined;
  const [cut, run, place] = [node, products, joined].map(
    ({ attributes }) => attributes as { axis: number; start: Dim; step: number },
  ) as [Record<'axis' | 'step', number> & { start: Dim }, { axis: number }, { axis: number }];
  const { axis, start, step } = cut;
  const isLast = axis === run.axis && axis === place.axis && step === 1 && one.shape[axis] === 1;
  if (!isLast || start !== x.shape[axis] || !isInner(products) || !isInner(joined)) {
    return undefined;
  }
  return {
    inputs: [x],
    emit: ({ emitter, names }) => emitter.reduce('ReduceProd', names[0] as string, [axis], true),
  };
};

const ofReshapes: readonly Pattern[] = [keepsAxes, ofSequences, groupNormalization];

/** The patterns, by the op of the node that they replace. The first that matches counts. */
export const patterns: Readonly<Record<string, readonly Pattern[]>> = {
  add: [batchNormalization, biasedNormalization, biasedConvolution, biasedProduct],
  reshape: [...ofReshapes, reshapedTwice],
  neg: [leastElement],
  concat: [padded],
  takeAlongAxis: [topValues],
  slice: [productAlong],
};
