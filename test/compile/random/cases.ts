/**
 * Draws cases. A case consists of a random graph, its feeds, and the results of the interpreter, with which the results
 * of a program can be compared. A graph whose results cannot be compared is not used.
 */

import { Interpreter } from '../../../src/evaluate/interpreter.js';
import { executionOrder } from '../../../src/evaluate/lowered.js';
import type { Bindings } from '../../../src/graph/dimension.js';
import { resultsOf } from '../../../src/graph/results.js';
import { type Feeds, type Node, ShapeError, type Tensor, Variable } from '../../../src/index.js';
import { isFloating, type TypedArray } from '../../../src/tensor/dtype.js';
import type { Numbers } from './draft.js';
import { Draws } from './draws.js';
import { drawGraph, type Graph } from './graph.js';
import { Magnitudes } from './magnitudes.js';
import { type Sizes, Unfit } from './sizes.js';

/** One run of a graph: its feeds and its expected results. */
export interface Expected {
  readonly bindings: Bindings;
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly outputs: readonly Result[];
  /** The values of the leaves after the run. */
  readonly leaves: readonly Result[];
}

/** An expected value, and the largest allowed difference from it. */
export interface Result {
  readonly name: string;
  readonly data: TypedArray;
  readonly tolerance: number;
}

export interface Case extends Graph {
  readonly seed: number;
  readonly numbers: Numbers;
  readonly variables: readonly Variable[];
  readonly initial: readonly TypedArray[];
  readonly runs: readonly Expected[];
}

/**
 * The allowed difference is this number times the largest magnitude of the node's elements (see magnitudes.ts), or this
 * number itself if that magnitude is below 1.
 */
const tolerances = { float32: 1e-4, float64: 1e-11 } as const;
const attemptsPerGraph = 3;

/** Counts, by reason, the attempts in which the runs of a drawn graph could not be compared. */
export const refused = new Map<string, number>();

/** Returns the case of a seed. Draws graphs until it finds one whose runs can be compared. */
export function drawCase(seed: number, numbers: Numbers): Case {
  const draws = new Draws(seed);
  try {
    for (;;) {
      const found = comparable(drawGraph(draws, numbers), numbers);
      if (found) return { seed, numbers, ...found };
    }
  } catch (cause) {
    throw new Error(`the graph of seed ${seed} cannot be built or interpreted`, { cause });
  }
}

/**
 * Draws values of leaves and inputs until the runs of the graph can be compared. Returns the graph with these values
 * and its runs, or undefined if all attempts fail.
 */
function comparable(graph: Graph, numbers: Numbers): Omit<Case, 'seed' | 'numbers'> | undefined {
  for (let attempt = 0; attempt < attemptsPerGraph; attempt++) {
    try {
      return { ...graph, ...interpreted(graph, numbers, attempt) };
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      refused.set(error.message, (refused.get(error.message) ?? 0) + 1);
      if (error.message === 'refused') return undefined; // The graph is refused for any values.
    }
  }
  return undefined;
}

function interpreted(
  { draft, outputs, updates }: Graph,
  numbers: Numbers,
  attempt: number,
): Pick<Case, 'variables' | 'initial' | 'runs'> {
  const wanted = Object.entries(outputs);
  const order = executionOrder([
    ...wanted.map(([, node]) => node),
    ...updates.map(([, value]) => value),
  ]).filter((node) => !resultsOf(node));
  const indexOf = new Map(order.map((node, i) => [node, i]));
  const read = order.filter((node): node is Variable => node instanceof Variable);
  const variables = [...new Set([...read, ...updates.map(([leaf]) => leaf)])];
  // States that an optimizer has created are not in the draft. They start from zeros in every attempt.
  for (const { value } of variables) value.data.fill(0);
  draft.setLeaves(attempt);
  const initial = variables.map(({ value }) => value.data.slice());
  const interpreter = new Interpreter(order, updates);
  const [first] = draft.bindings as readonly [Bindings];
  const toleranceOf = (node: Node, magnitudes: Magnitudes) =>
    numbers.exact || !isFloating(node.dtype)
      ? 0
      : tolerances[numbers.dtype] * Math.max(1, magnitudes.largest(node));
  const allowed = new Map<Variable, number>();
  let carried = new Map<Node, Sizes>();
  const runs = [...draft.bindings, first].map((bindings, run): Expected => {
    const all = draft.feeds(bindings, attempt);
    const feeds = Object.fromEntries(
      order.flatMap(({ op, name }) => (op.name === 'input' ? [[name, all[name as string]]] : [])),
    ) as Record<string, Tensor>;
    const values = interpret(interpreter, feeds, run).map(({ data }) => data);
    const magnitudes = new Magnitudes(order, values, bindings, numbers, carried);
    for (const [leaf, value] of updates) allowed.set(leaf, toleranceOf(value, magnitudes));
    // The leaves that this run writes contain rounding errors. The next run reads these leaves, so it needs their
    // magnitudes.
    const written = updates.map(([leaf, value]) => [leaf, magnitudes.of(value)] as const);
    if (!numbers.exact) carried = new Map([...carried, ...written]);
    return {
      bindings,
      feeds,
      outputs: wanted.map(([name, node]) => ({
        name,
        data: values[indexOf.get(node) as number] as TypedArray,
        tolerance: toleranceOf(node, magnitudes),
      })),
      leaves: variables.map((leaf) => ({
        name: `${leaf}`,
        data: leaf.value.data.slice(),
        tolerance: allowed.get(leaf) ?? 0,
      })),
    };
  });
  return { variables, initial, runs };
}

/** Runs the interpreter. Throws Unfit if the interpreter refuses the graph with a ShapeError. */
function interpret(interpreter: Interpreter, feeds: Feeds, run: number): Tensor[] {
  try {
    return interpreter.run(feeds, run);
  } catch (error) {
    // The graph has a dimension name that no input has, or a dimension that is too small for a slice or a reduction.
    if (error instanceof ShapeError) throw new Unfit('refused');
    throw error;
  }
}
