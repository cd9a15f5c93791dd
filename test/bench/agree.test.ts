// Before any time is measured, the benchmark compares the results of forebay with those of its peers, which are other
// libraries. These tests prove that it finds every wrong result.
import { describe, expect, it } from 'vitest';
import { assertAgreement, distance, toleranceOf } from '../../bench/src/agree.js';
import { refuseReferenceBlas } from '../../bench/src/contenders.js';
import { BenchError } from '../../bench/src/errors.js';
import { type Named, Start, Tensors, writeTensors } from '../../bench/src/exchange.js';
import type { Form } from '../../bench/src/protocol.js';
import { tensorsOf } from '../../bench/src/tensors.js';
import { valuesOf } from '../../bench/src/values.js';
import { type ModelSpec, workloads } from '../../bench/src/workloads.js';
import { smallLstm } from './support.js';

const gradients: Named[] = tensorsOf(smallLstm)
  .filter(({ role }) => role === 'parameter')
  .map((tensor) => ({ ...tensor, values: valuesOf(tensor) }));

/** Compares the results of a peer, `theirs`, with `gradients`, and the losses of the peer with [1, 0.9, 0.8]. */
function compare(theirs: readonly Named[], losses: readonly number[] = [1, 0.9, 0.8]) {
  using start = new Start(smallLstm);
  const form = (prefix: string, tensors: readonly Named[], of: readonly number[]): Form => ({
    name: 'fast',
    losses: of,
    results: writeTensors(start.folder, prefix, tensors),
  });
  const own = form('own', gradients, [1, 0.9, 0.8]);
  return assertAgreement(
    'small',
    smallLstm,
    { name: 'peer', form: form('peer', theirs, losses), folder: start.folder },
    { form: own, results: new Tensors(start.folder, own.results) },
  );
}

/** Returns a copy of the gradients in which `change` is applied to every element of the gradient named `name`. */
function changed(name: string, change: (value: number, index: number) => number): Named[] {
  return gradients.map((tensor) =>
    tensor.name === name ? { ...tensor, values: Float32Array.from(tensor.values, change) } : tensor,
  );
}

describe('the comparison of gradients', () => {
  it('accepts rounding errors, and reports the worst distance', () => {
    expect(compare(gradients)).toMatchObject({ distance: 0 });
    const rounded = changed(
      'lstm.output.weight',
      (value, index) => value * (1 + (index % 2 === 0 ? 1e-6 : -1e-6)),
    );
    const worst = compare(rounded);
    expect(worst.tensor).toBe('lstm.output.weight');
    expect(worst.distance).toBeGreaterThan(9e-7);
    expect(worst.distance).toBeLessThan(2e-6);
  });

  it.each<[string, string, (value: number, index: number) => number]>([
    ['a factor', 'lstm.forget.weight', (value) => value * 1.001],
    ['a sign', 'lstm.cell.bias', (value) => -value],
    ['one element', 'readout.weight', (value, index) => (index === 3 ? value + 1e-3 : value)],
    ['a NaN', 'lstm.input.weight', (value, index) => (index === 0 ? Number.NaN : value)],
    ['nothing but zeros', 'readout.bias', () => 0],
  ])('finds %s and names the workload, the peer and the parameter', (_, name, change) => {
    const wrong = () => compare(changed(name, change));
    expect(wrong).toThrow(BenchError);
    expect(wrong).toThrow(
      new RegExp(`^small: peer \\(fast\\) and forebay .*gradient of '${name}'`),
    );
  });

  it('finds a parameter that a peer leaves out, or gives another shape', () => {
    expect(() => compare(gradients.slice(1))).toThrow(/nothing for 'lstm\.forget\.weight'/);
    const turned = gradients.map((tensor) =>
      tensor.name === 'readout.weight' ? { ...tensor, shape: [2, 5] } : tensor,
    );
    expect(() => compare(turned)).toThrow(/'readout\.weight' is \[2,5\] there, but \[5,2\] here/);
  });

  it('finds an optimizer that takes another step, or none', () => {
    expect(() => compare(gradients, [1, 0.9, 0.81])).toThrow(/after 2 steps the loss is 0\.81/);
    expect(() => compare(gradients, [1, 1, 1])).toThrow(/after 1 steps/);
    expect(() => compare(gradients, [1, Number.NaN, 0.8])).toThrow(/after 1 steps/);
  });

  it('is strict enough to notice one missing step in the sequence of any workload', () => {
    // If one of T time steps is left out, a sum over the time steps changes by about 1/sqrt(T) of its norm.
    for (const spec of Object.values(workloads)) {
      if (spec.kind === 'compile' || !('steps' in spec)) continue;
      expect(toleranceOf(spec, spec.dtype)).toBeLessThan(0.01 / Math.sqrt(spec.steps));
    }
    expect(toleranceOf(workloads['lstm-seed'] as ModelSpec, 'float64')).toBeLessThan(1e-9);
  });

  it('compares a gradient that is 0 but for rounding errors with that of the weight', () => {
    const sizes = { side: 4, channels: [1, 2], hidden: 3, classes: 2, batch: 2, rate: 1 };
    const spec: ModelSpec = { kind: 'cnn', dtype: 'float32', optimizer: 'adam', ...sizes };
    using start = new Start(spec);
    const results = (biases: number) => {
      const tensors = tensorsOf(spec).filter(({ role }) => role === 'parameter');
      const named = tensors.map((tensor) => {
        const values = valuesOf(tensor);
        return { ...tensor, values: tensor.name === 'conv0.bias' ? values.fill(biases) : values };
      });
      return writeTensors(start.folder, `of ${biases}`, named);
    };
    const own = results(1e-9);
    const check = (biases: number) =>
      assertAgreement(
        'images',
        spec,
        {
          name: 'peer',
          form: { name: 'f', losses: [1], results: results(biases) },
          folder: start.folder,
        },
        {
          form: { name: 'g', losses: [1], results: own },
          results: new Tensors(start.folder, own),
        },
      );
    expect(check(-1e-8).distance).toBeLessThan(1e-7);
    expect(() => check(0.1)).toThrow(/gradient of 'conv0\.bias'/);
  });

  it('measures distances relative to the norm', () => {
    expect(distance([3, 4.5], [3, 4])).toBeCloseTo(0.1, 12);
    expect(distance([0, 0], [0, 0])).toBe(0);
    expect(distance([0, 1e-30], [0, 0])).toBe(Infinity);
    expect(distance([Infinity], [1])).toBe(Infinity);
  });
});

describe('the BLAS of a peer', () => {
  const hello = (files: string[], core: string | null = null) => ({
    version: '1',
    capability: null,
    blas: { files, core },
    threads: 1,
  });

  it('is refused if it is the reference BLAS; the error names the file and the remedy', () => {
    const reference = hello(['/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0']);
    expect(() => refuseReferenceBlas(reference)).toThrow(BenchError);
    expect(() => refuseReferenceBlas(reference)).toThrow(/blas\/libblas\.so\.3.*libopenblas0/);
  });

  it.each([
    ['OpenBLAS behind the system-wide name', hello(['/usr/lib/openblas-pthread/libblas.so.3'])],
    ['a library that names its core', hello(['/opt/lib/libblas.so'], 'Haswell')],
    ['MKL', hello(['/opt/intel/libmkl_blas.so'])],
    ['one that is linked in', hello([])],
  ])('is accepted if it is %s', (_, given) => {
    expect(() => refuseReferenceBlas(given)).not.toThrow();
  });
});
