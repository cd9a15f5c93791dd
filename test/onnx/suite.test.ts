// Runs the small node tests of the Python package onnx 1.23.2 that forebay passes, which tools/onnx/suite.mjs has packed
// into data/suite.json.gz. `evaluate` and programs must both give the results of the reference implementation.
import { describe, expect, it } from 'vitest';
import { Leaf } from '../../src/graph/leaf.js';
import { reachable } from '../../src/graph/topology.js';
import { compile, evaluate, input, type Node, type Tensor } from '../../src/index.js';
import type { Stored } from '../../src/onnx/elements.js';
import { importOnnx } from '../../src/onnx/index.js';
import { type SuiteCase, suiteCases } from './support.js';

const cases = suiteCases(new URL('data/suite.json.gz', import.meta.url));

/** Inputs of floats that are counts, or places in an image. */
const fixedFloats = new Set(['roi', 'scales', 'start', 'limit', 'delta', 'r', 'ratio', 'depth']);

/** Returns the inputs that are given as constants: shapes, axes, counts and conditions. */
function constants({ constants }: SuiteCase, inputs: ReadonlyMap<string, Stored>) {
  return new Map(
    [...inputs].filter(
      ([name, { shape, type }]) =>
        constants &&
        shape.length <= 1 &&
        (!type.dtype.startsWith('float') || fixedFloats.has(name)),
    ),
  );
}

/** Returns the feeds of the inputs that a graph has. */
function feedsOf(node: Node, feeds: Readonly<Record<string, Tensor>>) {
  const names = new Set(
    reachable([node]).flatMap((leaf) =>
      leaf instanceof Leaf && leaf.kind === 'input' ? [leaf.name as string] : [],
    ),
  );
  return Object.fromEntries(Object.entries(feeds).filter(([name]) => names.has(name)));
}

/** Types of 16 bits are computed as float32. The suite rounds after each operation. */
const precision: Readonly<Record<string, number>> = { float16: 2 ** -9, bfloat16: 2 ** -5 };

function expectClose(name: string, result: Tensor, expected: Stored, { rtol, atol }: SuiteCase) {
  expect(result.shape, name).toEqual(expected.shape);
  expect(result.dtype, name).toBe(expected.type.dtype);
  const wanted = expected.numbers();
  const relative = Math.max(rtol, precision[expected.type.name] ?? 1e-5);
  const largest = Math.max(0, ...wanted.filter(Number.isFinite).map(Math.abs));
  const absolute = Math.max(atol, largest * 2 ** -22);
  wanted.forEach((value, index) => {
    const came = result.data[index] as number;
    const close =
      Object.is(came, value) ||
      came === value ||
      Math.abs(came - value) <= absolute + relative * Math.abs(value);
    expect(
      close || (Number.isNaN(came) && Number.isNaN(value)),
      `${name}[${index}]: ${came}, not ${value}`,
    ).toBe(true);
  });
}

describe('the node tests of onnx', () => {
  it('are many, of all families of operators', () => {
    expect(cases.length).toBeGreaterThan(850);
    const names = cases.map(({ name }) => name).join(' ');
    for (const part of [
      'conv_',
      'lstm',
      'gru',
      'attention',
      'resize',
      'softmax',
      'gather',
      'einsum',
      'batchnorm',
      'dft',
      'quantizelinear',
      'sce_',
    ]) {
      expect(names).toContain(`test_${part}`);
    }
  });

  it.each(cases.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    for (const { inputs, outputs } of one.sets) {
      const fixed = constants(one, inputs);
      const model = await importOnnx(one.model, {
        name: 'model',
        values: Object.fromEntries(
          [...fixed].map(([name, stored]) => [name, stored.tensor(stored.type.dtype)]),
        ),
      });
      const names = Object.keys(model.inputs);
      const leaves = names.map((name, index) => {
        const { shape, type } = inputs.get(name) as Stored;
        return [name, input(`x${index}`, shape, { dtype: type.dtype })] as const;
      });
      const feeds = Object.fromEntries(
        names.map((name, index) => {
          const stored = inputs.get(name) as Stored;
          return [`x${index}`, stored.tensor(stored.type.dtype)];
        }),
      );
      const nodes = model.apply(Object.fromEntries(leaves));
      const needed = Object.assign({}, ...Object.values(nodes).map((node) => feedsOf(node, feeds)));
      const compiled = compile({ outputs: nodes }).run(needed);
      for (const [name, expected] of outputs) {
        const node = nodes[name] as Node;
        expectClose(name, evaluate(node, feedsOf(node, feeds)), expected, one);
        expectClose(`compiled ${name}`, compiled[name] as Tensor, expected, one);
      }
    }
  });
});
