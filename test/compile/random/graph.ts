/**
 * Draws a random graph from a seed. First draws structures that the compiler rewrites, and then single nodes whose
 * operands are the nodes so far.
 */

import type { Bindings } from '../../../src/graph/dimension.js';
import { type Node, reshape, transpose, type Updates } from '../../../src/index.js';
import { convolutionStep, convolutions } from './convolutions.js';
import { Draft, type Numbers, scaled } from './draft.js';
import type { Draws } from './draws.js';
import {
  addStep,
  binaryStep,
  byteStep,
  causalStep,
  dropoutStep,
  equalStep,
  fromBytesStep,
  fromIntegerStep,
  integerStep,
  moveBytesStep,
  randomStep,
  type Step,
  unaryStep,
  whereStep,
} from './elementwise.js';
import {
  alike,
  attention,
  blocks,
  columnsOnly,
  dense,
  joinedTwice,
  overParts,
  productOfParts,
  stridedWindows,
  sumOfJoins,
  sumOfProducts,
  sumsButOne,
  tied,
  wide,
  windows,
} from './nets.js';
import { recurrent, type Structure } from './recurrent.js';
import { redundant } from './redundant.js';
import {
  bagStep,
  cumsumStep,
  gatherStep,
  labelsStep,
  poolStep,
  scatterStep,
  sortStep,
  takeStep,
} from './routines.js';
import {
  broadcastStep,
  concatStep,
  flipStep,
  matmulStep,
  maxStep,
  outerStep,
  reshapeStep,
  rowsStep,
  sharedMatmulStep,
  sliceStep,
  softmaxStep,
  stackStep,
  sumStep,
  transposeStep,
} from './shapes.js';
import { differentiate, updatesOf } from './updates.js';

export interface Graph {
  readonly draft: Draft;
  readonly outputs: Readonly<Record<string, Node>>;
  readonly updates: Updates;
}

const steps: readonly (readonly [number, Step])[] = [
  [16, unaryStep],
  [20, binaryStep],
  [2, equalStep],
  [4, whereStep],
  [6, causalStep],
  [5, addStep],
  [2, randomStep],
  [3, dropoutStep],
  [3, integerStep],
  [3, fromIntegerStep],
  [4, byteStep],
  [3, moveBytesStep],
  [2, fromBytesStep],
  [7, transposeStep],
  [8, reshapeStep],
  [4, broadcastStep],
  [12, sliceStep],
  [4, flipStep],
  [7, concatStep],
  [3, stackStep],
  [8, sumStep],
  [3, maxStep],
  [4, gatherStep],
  [6, bagStep],
  [6, scatterStep],
  [3, takeStep],
  [3, cumsumStep],
  [2, labelsStep],
  [4, sortStep],
  [3, poolStep],
  [3, convolutionStep],
  [2, softmaxStep],
  [4, rowsStep],
  [14, matmulStep],
  [6, sharedMatmulStep],
  [5, outerStep],
];

const structures: readonly (readonly [number, Structure])[] = [
  [50, recurrent],
  [20, dense],
  [5, tied],
  [14, sumOfProducts],
  [29, productOfParts],
  [9, columnsOnly],
  [4, attention],
  [5, alike],
  [8, overParts],
  [14, wide],
  [5, sumOfJoins],
  [6, windows],
  [6, stridedWindows],
  [8, blocks],
  [8, joinedTwice],
  [22, redundant],
  [13, convolutions],
  [8, sumsButOne],
];

/**
 * Draws the bindings of the runs (the sizes of the named dimensions): one empty binding if the graph has no named
 * dimensions, else two bindings.
 */
function drawBindings(draws: Draws, numbers: Numbers): Bindings[] {
  const small = () =>
    draws.weighted([
      [5, 1],
      [5, 2],
      [6, 3],
      [4, 5],
      [0.3, 0],
    ]);
  const size = () => scaled(draws, numbers, small());
  return draws.weighted<() => Bindings[]>([
    [4, () => [new Map()]],
    [5, () => [new Map([['batch', size()]]), new Map([['batch', size()]])]],
    [
      1,
      () =>
        [0, 1].map(
          () =>
            new Map([
              ['batch', size()],
              ['steps', size()],
            ]),
        ),
    ],
  ])();
}

export function drawGraph(draws: Draws, numbers: Numbers): Graph {
  const draft = new Draft(draws, numbers, drawBindings(draws, numbers));
  const roots: Node[] = [];
  for (
    let i = draws.weighted([
      [4, 0],
      [5, 1],
      [1, 2],
    ]);
    i > 0;
    i--
  ) {
    roots.push(...draws.weighted(structures)(draft));
  }
  const extend = (count: number) => {
    for (let i = 0; i < count; i++) {
      const node = draws.weighted(steps)(draft);
      const fits = node && node.shape.length <= 5 && draft.isSmall(node.shape);
      if (fits) draft.keep(node);
    }
  };
  extend(roots.length === 0 ? draws.between(4, 22) : draws.between(0, 8));
  const floating = draft.pool.filter(({ op }) => op.lowering.kind !== 'leaf');
  if (draws.chance(0.5) || roots.length === 0) roots.push(...draws.shuffled(floating.slice(-4)));
  if (roots.length === 0) roots.push(draft.any());
  const differentiated = draws.chance(0.7)
    ? differentiate(draft, roots.slice(0, draws.between(1, 2)))
    : undefined;
  const found: Node[] = differentiated?.loss ? [differentiated.loss] : [];
  for (const leaf of differentiated?.reached ?? []) {
    if (draws.chance(0.4)) found.push(draft.keep(differentiated?.gradients.of(leaf) as Node));
  }
  if (found.length > 0 && draws.chance(0.2)) extend(3);
  const updates = draws.chance(0.6) ? updatesOf(draft, differentiated) : [];
  return { draft, outputs: outputsOf(draft, [...roots, ...found]), updates };
}

/**
 * Returns the outputs of the graph: some of the nodes in `built`, and sometimes any other node or leaf, the same node
 * twice, or a reshaped or transposed output.
 */
function outputsOf(draft: Draft, built: readonly Node[]): Record<string, Node> {
  const { draws, pool, integers, bytes } = draft;
  const outputs = draws.shuffled(built).slice(0, draws.between(1, 4));
  if (draws.chance(0.3)) outputs.push(draws.pick(pool));
  if (integers.length > 0 && draws.chance(0.4)) outputs.push(draws.pick(integers));
  if (bytes.length > 0 && draws.chance(0.4)) outputs.push(draws.pick(bytes));
  const again = draws.pick(outputs);
  if (draws.chance(0.1)) outputs.push(again);
  if (draws.chance(0.15)) outputs.push(reshape(again, [...again.shape, 1]));
  if (draws.chance(0.1)) outputs.push(transpose(again));
  return Object.fromEntries(outputs.map((node, i) => [`y${i}`, node]));
}
