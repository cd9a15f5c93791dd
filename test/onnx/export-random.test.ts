// Exports random graphs, imports the files, and compares the results with those of the graphs and of ONNX Runtime.
import { describe, expect, it } from 'vitest';
import { evaluate, FormatError, GraphError, type Node, type Tensor } from '../../src/index.js';
import { modelOf } from '../../src/onnx/export.js';
import { type Case, drawCase, type Expected } from '../compile/random/cases.js';
import type { Numbers } from '../compile/random/draft.js';
import { bytesOf, computed, imported } from './exported.js';
import { run } from './runtime.js';

type Outputs = Readonly<Record<string, Node>>;

/** Returns the outputs that can be exported: those without draws, and without gradients that have no form in ONNX. */
function exportable({ outputs }: Case): Outputs {
  return Object.fromEntries(
    Object.entries(outputs).filter(([, node]) => {
      try {
        modelOf({ outputs: node });
        return true;
      } catch (error) {
        expect(error).toBeInstanceOf(GraphError);
        expect((error as Error).message).toMatch(
          /cannot be exported: it |no input of the file has the dimension/,
        );
        return false;
      }
    }),
  );
}

/** Returns the imported outputs; undefined if the import does not support the file. */
async function again(outputs: Outputs): Promise<Outputs | undefined> {
  try {
    return await imported(bytesOf({ outputs }));
  } catch (error) {
    // The operator TopK is imported only with a number of elements.
    const limit = /does not support a node of the model: TopK .*: k depends on a dimension/;
    if (error instanceof FormatError && limit.test(error.message)) return undefined;
    throw error;
  }
}

/** Returns the first difference between results, which may be as large as the case allows. */
function differs(expected: Record<string, Tensor>, found: Record<string, Tensor>, run: Expected) {
  for (const { name, tolerance } of run.outputs) {
    const [wanted, other] = [expected[name], found[name]];
    if (wanted === undefined || other === undefined) continue;
    if (wanted.shape.join() !== other.shape.join()) return `${name}: [${other.shape}]`;
    const wrong = wanted.data.findIndex(
      (value, index) => !(Math.abs(value - (other.data[index] as number)) <= tolerance),
    );
    if (wrong >= 0) return `${name}[${wrong}]: ${other.data[wrong]}, not ${wanted.data[wrong]}`;
  }
  return undefined;
}

const feedsOf = (outputs: Outputs, { feeds }: Expected) => {
  const names = Object.values(modelOf({ outputs }).graph?.input ?? {}).map(({ name }) => name);
  return Object.fromEntries(
    Object.entries(feeds).filter(([name]) => names.includes(name)),
  ) as Record<string, Tensor>;
};

const kinds: readonly (readonly [string, Numbers, number])[] = [
  ['float32', { exact: false, dtype: 'float32', scale: 1 }, 60_000],
  ['small integers', { exact: true, dtype: 'float64', scale: 1 }, 70_000],
];

describe.each(kinds)('random graphs of %s', (_kind, numbers, first) => {
  it('compute the same when they are exported and imported', async () => {
    let compared = 0;
    for (let seed = first; seed < first + 100; seed++) {
      const drawn = drawCase(seed, numbers);
      for (const [index, { value }] of drawn.variables.entries()) {
        value.data.set(drawn.initial[index] as never);
      }
      const outputs = exportable(drawn);
      const other = Object.keys(outputs).length === 0 ? undefined : await again(outputs);
      if (other === undefined) continue;
      for (const one of drawn.runs.slice(0, 2)) {
        const feeds = feedsOf(outputs, one);
        expect([seed, differs(evaluate(outputs, feeds), computed(other, feeds), one)]).toEqual([
          seed,
          undefined,
        ]);
        compared += Object.keys(outputs).length;
      }
    }
    expect(compared).toBeGreaterThan(400);
  });
});

/** ONNX Runtime has no kernels for convolutions of float64, so integers are float32 here. */
const runtimeKinds: readonly (readonly [string, Numbers, number, number])[] = [
  ['float32', { exact: false, dtype: 'float32', scale: 1 }, 80_000, 350],
  ['small integers', { exact: true, dtype: 'float32', scale: 1 }, 90_000, 150],
];

describe.each(runtimeKinds)('random graphs of %s', (_kind, numbers, first, graphs) => {
  it('compute the same in ONNX Runtime', async () => {
    let compared = 0;
    for (let seed = first; seed < first + graphs; seed++) {
      const drawn = drawCase(seed, numbers);
      for (const [index, { value }] of drawn.variables.entries()) {
        value.data.set(drawn.initial[index] as never);
      }
      const outputs = exportable(drawn);
      const [once] = drawn.runs;
      if (Object.keys(outputs).length === 0 || once === undefined) continue;
      const feeds = feedsOf(outputs, once);
      const theirs = await run(bytesOf({ outputs }), feeds);
      expect([seed, differs(evaluate(outputs, feeds), theirs, once)]).toEqual([seed, undefined]);
      compared++;
    }
    expect(compared).toBeGreaterThan(0.8 * graphs);
  }, 120_000);
});
