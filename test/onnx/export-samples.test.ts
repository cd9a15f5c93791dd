// Exports the samples of all ops, imports the files, and compares the results with those of the graphs. Also demands that
// each op has a row in the table of exporters.
import { describe, expect, it } from 'vitest';
import { input, type Node, type Sample, type SampleInput, Tensor } from '../../src/index.js';
import { exporterOf, exporters } from '../../src/onnx/exporters/index.js';
import type { DType } from '../../src/tensor/dtype.js';
import { opsUnderTest, titleOf } from '../ops/samples.js';
import { generator } from '../support.js';
import { bytesOf, difference } from './exported.js';

/** Returns the value of an operand of a sample. Numbers without a dtype get the given one. */
function operandOf(
  { shape, low = -1, high = 1, gap = 0, values, dtype }: SampleInput,
  otherwise: DType,
  draw: () => number,
): Tensor {
  const size = shape.reduce((product, dim) => product * dim, 1);
  const made = Tensor.zeros(shape, { dtype: dtype ?? otherwise });
  for (let index = 0; index < size; index++) {
    const drawn = low + (high - low) * draw();
    const number =
      values?.[index] ?? (Math.abs(drawn) < gap ? drawn + Math.sign(drawn || 1) * gap : drawn);
    made.data[index] = made.dtype === 'bool' ? Number(number > 0) : number;
  }
  return made;
}

function built(sample: Sample, dtype: DType): { root: Node; feeds: Record<string, Tensor> } {
  const draw = generator(1);
  const feeds = Object.fromEntries(
    sample.inputs.map((operand, index) => [`x${index}`, operandOf(operand, dtype, draw)]),
  );
  const leaves = Object.entries(feeds).map(([name, value]) =>
    input(name, value.shape, { dtype: value.dtype }),
  );
  return { root: sample.build(...leaves), feeds };
}

/** The samples of ops that can be exported. */
const samples = opsUnderTest
  .filter(({ name }) => exporterOf(name)?.kind !== 'refused')
  .flatMap(({ name, op }) =>
    op.samples.map((sample, index) => ({ title: titleOf(name, sample, index), sample })),
  );

describe('the table of exporters', () => {
  it('has a row for each op, and only for ops', () => {
    const declared = opsUnderTest.map(({ name }) => name);
    expect(declared.filter((name) => exporterOf(name) === undefined)).toEqual([]);
    const inner = ['sideUpdate', 'scan']; // like leaves, they are not declared
    expect(Object.keys(exporters).filter((name) => !declared.includes(name))).toEqual(inner);
  });

  it('refuses only draws, and what only training needs', () => {
    const refused = Object.entries(exporters).flatMap(([name, row]) =>
      row.kind === 'refused' ? [name] : [],
    );
    expect(refused.sort()).toEqual([
      'avgPoolGradient',
      'convolutionWeightGradient',
      'maxPool',
      'maxPoolGradient',
      'randomNormal',
      'randomTruncatedNormal',
      'randomUniform',
      'recurrence',
      'trainingBatch',
    ]);
  });
});

describe.each(['float32', 'float64'] as const)('samples of %s', (dtype) => {
  it.each(samples)('$title', async ({ sample }) => {
    const { root, feeds } = built(sample, dtype);
    const tolerance = dtype === 'float32' ? 2e-6 : 1e-13;
    for (const opset of [16, 18, 20, 23]) {
      expect(await difference({ y: root }, feeds, { opset, tolerance })).toBeUndefined();
    }
  });
});

describe('ops that cannot be exported', () => {
  const refused = opsUnderTest.filter(
    ({ name }) => exporterOf(name)?.kind === 'refused' && name !== 'maxPool',
  );
  it.each(refused)('$name: the error names the node', ({ name, op }) => {
    const { root } = built(op.samples[0] as Sample, 'float64');
    expect(() => bytesOf({ outputs: root })).toThrow(
      new RegExp(`^exportOnnx: \\[${name} #\\d+\\].* cannot be exported: it `),
    );
  });
});
