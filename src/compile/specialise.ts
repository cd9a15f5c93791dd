/** Runs all passes of the compiler for one binding of the dimension names. */

import type { Updates } from '../evaluate/interpreter.js';
import { executionWalk } from '../evaluate/lowered.js';
import type { Bindings } from '../graph/dimension.js';
import type { Constant } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { finished, Pace, type Sliced } from '../graph/sliced.js';
import { Builder, type Fired, type Formula } from '../ir/builder.js';
import type { Rules } from '../ir/rule.js';
import { executor } from '../ir/target.js';
import type { Ref } from '../ir/value.js';
import { type Instruction, instructionRecord } from '../primitives/index.js';
import { bytesOf } from '../tensor/dtype.js';
import type { Encoded, Stats } from './encoded.js';
import type { Constants } from './options.js';
import { arrange } from './passes/arena.js';
import { fuseBodies, settleLoops } from './passes/bodies.js';
import { distribute } from './passes/distribute/index.js';
import { encode } from './passes/encode.js';
import { fuse } from './passes/fuse.js';
import { type Instructions, instruct } from './passes/instruct.js';
import { layout } from './passes/layout.js';
import { lower } from './passes/lower.js';
import { moveOnce } from './passes/once.js';
import { Placement } from './passes/place.js';
import { share } from './passes/share/index.js';
import { simplify } from './passes/simplify/index.js';
import { rules } from './passes/simplify/rules.js';

/** The instructions of a graph in one binding. Where their values are in the arena is not yet known. */
export interface Specialised {
  readonly instructions: Instructions;
  /** See `Stats.valueBytes`. */
  readonly valueBytes: number;
  /** The formulas of the constants that depend on the binding. */
  readonly formulas: ReadonlyMap<Constant, Formula>;
}

/**
 * Runs the passes in slices. It yields after at most `stepsPerSlice` steps of work, so that the caller can return to
 * the event loop between slices.
 * @param constants the variables that change rarely; undefined if nothing is kept from run to run
 * @param fired the map in which the passes count how often each rewrite was applied
 * @param simplifying the rules that simplify values; the tests turn some of them off
 * @throws ShapeError if a shape of the graph is not valid under this binding
 */
export function* specialisation(
  outputs: readonly Node[],
  updates: Updates,
  bindings: Bindings,
  constants: Constants = undefined,
  fired: Fired = new Map(),
  simplifying: Rules = rules,
): Sliced<Encoded> {
  const graph = { outputs, updates, constants };
  const pace = new Pace();
  const specialised = yield* instructionsOf(graph, bindings, pace, fired, simplifying);
  return yield* encodedOf(specialised, pace, fired);
}

/** What is compiled. */
export interface Graph {
  readonly outputs: readonly Node[];
  readonly updates: Updates;
  readonly constants: Constants;
}

/** Runs the passes that make the instructions. See `specialisation`. */
export function* instructionsOf(
  { outputs, updates, constants }: Graph,
  bindings: Bindings,
  pace: Pace,
  fired: Fired = new Map(),
  simplifying: Rules = rules,
): Sliced<Specialised> {
  const wanted = [...outputs, ...updates.map(([, value]) => value)];
  const build = new Builder(simplifying, fired, executor, pace);
  const simplified = yield* simplify(yield* valuesOf(wanted, bindings, build), build);
  const spread = yield* distribute(simplified, build);
  yield* build.forgetOthers(spread);
  const shared = yield* share(spread, build);
  yield* build.forgetOthers(shared);
  const roots = yield* settleLoops(yield* layout(shared, build), build);
  const bodies = yield* fuseBodies(roots, build);
  const fused = yield* fuse(
    roots.slice(0, outputs.length),
    updates.map(([leaf], i) => ({ leaf, ref: roots[outputs.length + i] as Ref })),
    build,
    constants,
    bodies,
  );
  const placement = yield* Placement.of(fused, fired, pace);
  const inOrder = yield* instruct(fused, placement, build.target, fired, pace);
  const instructions = yield* moveOnce(inOrder, constants, pace);
  let valueBytes = 0;
  for (const { kind, size, dtype } of fused.order) {
    if (kind !== 'leaf') valueBytes += size * bytesOf[dtype];
    if (pace.due()) yield;
  }
  return { instructions, valueBytes, formulas: build.formulas };
}

/** Runs the passes that arrange the values of instructions in memory, and encode the instructions. */
export function* encodedOf(
  { instructions, valueBytes }: Omit<Specialised, 'formulas'>,
  pace: Pace,
  fired: Fired = new Map(),
): Sliced<Encoded> {
  const arena = yield* arrange(instructions, fired, pace);
  const encoded = yield* encode(instructions, arena, pace);
  return {
    ...encoded,
    stats: {
      ...statsOf(instructions),
      onceInstructions: encoded.kept?.instructions ?? 0,
      arenaBytes: arena.bytes,
      keptBytes: arena.keptBytes,
      leafBytes: leafBytes(encoded),
      valueBytes,
    },
  };
}

/** Returns the values of the nodes. The values of all other nodes can then be freed, because only this function has them. */
function* valuesOf(nodes: readonly Node[], bindings: Bindings, build: Builder): Sliced<Ref[]> {
  const order = yield* executionWalk(nodes, build.pace);
  const lowered = yield* lower(order, bindings, build);
  return nodes.map((node) => lowered.get(node) as Ref);
}

/** Runs all passes without a pause. @throws ShapeError if a shape of the graph is not valid under this binding */
export function specialise(...graph: Parameters<typeof specialisation>): Encoded {
  return finished(specialisation(...graph));
}

function statsOf({
  list,
}: Instructions): Pick<
  Stats,
  'instructions' | 'products' | 'productShapes' | 'groups' | 'packedBytes'
> {
  const productShapes: Stats['productShapes'][number][] = [];
  let instructions = 0;
  let groups = 0;
  let packedBytes = 0;
  for (const { instruction, trips } of eachInstruction(list)) {
    const record = instructionRecord(instruction);
    const counted = record.counted(instruction);
    instructions++;
    if (counted.product)
      productShapes.push(trips === undefined ? counted.product : [...counted.product, trips]);
    if (counted.group) groups++;
    packedBytes += counted.packedBytes ?? 0;
  }
  return {
    instructions,
    products: productShapes.length,
    productShapes,
    groups,
    packedBytes,
  };
}

/**
 * Yields instructions, each followed by those of its body if it is a loop. `trips` is how often a run executes an
 * instruction of a body; undefined outside of loops.
 */
function* eachInstruction(
  list: readonly Instruction[],
  trips?: number,
): Generator<{ readonly instruction: Instruction; readonly trips: number | undefined }> {
  for (const instruction of list) {
    yield { instruction, trips };
    for (const { first, end, instruction: inner } of instructionRecord(instruction).body?.(
      instruction,
    ) ?? [])
      yield* eachInstruction([inner], (trips ?? 1) * (end - first));
  }
}

function leafBytes({ leaves }: Pick<Encoded, 'leaves'>): number {
  return leaves.reduce((bytes, { value, dtype }) => bytes + value.size * bytesOf[dtype], 0);
}
