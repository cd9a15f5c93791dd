/** Checks that forebay and its peers compute the same results, before anything is timed. */

import { BenchError } from './errors.js';
import { type Named, readTensor, type Tensors } from './exchange.js';
import { layersOf } from './layers.js';
import type { Form } from './protocol.js';
import type { ModelSpec } from './workloads.js';

/** The greatest difference between the results of a contender and the expected ones. */
export interface Agreement {
  /** The greatest distance of all tensors: |a - b| / |b| in the Euclidean norm. */
  readonly distance: number;
  /** The name of the tensor that has this distance. */
  readonly tensor: string;
  readonly tolerance: number;
}

/**
 * Whether a rounding error of an activation can change a gradient by more than a rounding error: if the input of a ReLU
 * is within the rounding error of 0, one library may compute 0 and another a positive number. Of such workloads, the
 * results of forebay and of its peers are each compared with results in float64, which forebay computes, too. Two
 * libraries may differ by the sum of their errors.
 */
export function hasKinks(spec: ModelSpec): boolean {
  const always = ['conv', 'cnn', 'resnet', 'tcn', 'bag'].includes(spec.kind);
  return always || (spec.kind === 'mlp' && spec.batch > 1);
}

/** The distance up to which the results of forebay count as equal to the float64 reference, if there are kinks. */
export const ownKinks = 3e-3;

/**
 * Returns the distance up to which two results count as equal. The rounding error of sums is about 1e-6 of their norm
 * in float32, and about 1e-15 in float64. A ReLU whose input is within its rounding error changes one unit of one
 * example, which is at most about 1e-3 of the norm of a gradient in these networks. In `resnet-cifar`, which has 6 ReLUs of
 * 65,536 units for each of 32 images, several are: on AVX-512, PyTorch 2.15 is 4.1e-3 from the
 * float64 reference, and forebay, which must stay within `ownKinks`, 0.9e-3. A real error, such as a missing time step, gate or factor, is 1e-2 or more.
 */
export function toleranceOf(spec: ModelSpec, dtype: Named['dtype']): number {
  if (spec.kind === 'resnet') return 6e-3;
  if (hasKinks(spec)) return ownKinks;
  return dtype === 'float64' ? 1e-10 : 2e-5;
}

/**
 * Returns |a - b| / |scale| in the Euclidean norm; Infinity if a value is not finite, or if the scale is 0 and a is not
 * b. The scale is b unless it is given.
 */
export function distance(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  scale: ArrayLike<number> = b,
): number {
  let difference = 0;
  for (let index = 0; index < b.length; index++) {
    difference += ((a[index] as number) - (b[index] as number)) ** 2;
  }
  if (difference === 0) return 0;
  let norm = 0;
  for (let index = 0; index < scale.length; index++) norm += (scale[index] as number) ** 2;
  const relative = Math.sqrt(difference / norm);
  return Number.isFinite(relative) ? relative : Infinity;
}

/**
 * Returns, for the name of each gradient that is 0 but for rounding errors, the name of the gradient with which it is
 * compared: the biases before a batch normalisation are compared with the weights.
 */
function scalesOf(spec: ModelSpec): ReadonlyMap<string, string> {
  const normalised = layersOf(spec).filter((layer) => layer.normalised);
  return new Map(normalised.map(({ name }) => [`${name}.bias`, `${name}.weight`]));
}

/**
 * Returns true if two losses agree. They may differ by 2 % of the change of the loss since the first step, because in a
 * step of Adam an element moves by the whole rate, up or down, even if its gradient is only a rounding error. A further
 * 1e-3 of the first loss is allowed, because a plain sum of 10^6 float32 terms has an error (4e-4 in TensorFlow.js).
 */
function closeLosses(a: number, b: number, first: number): boolean {
  return Math.abs(a - b) <= 0.02 * Math.abs(b - first) + 1e-3 * Math.abs(first);
}

/**
 * Compares the results of a form of a peer with the expected ones, and its losses with those of forebay. Returns the
 * greatest difference.
 * @param own what forebay computed, the expected results (those of forebay, or results in float64), and the distance up
 *   to which they count as equal, by default `toleranceOf` the workload
 * @throws BenchError that names the workload, the peer, its form and the tensor, if they differ
 */
export function assertAgreement(
  workload: string,
  spec: ModelSpec,
  peer: { readonly name: string; readonly form: Form; readonly folder: string },
  own: { readonly form: Form; readonly results: Tensors; readonly tolerance?: number },
): Agreement {
  const expected = hasKinks(spec) ? 'the float64 reference' : 'forebay';
  const fail = (message: string, other = 'forebay'): never => {
    throw new BenchError(
      `${workload}: ${peer.name} (${peer.form.name}) and ${other} do not compute the same: ${message}`,
    );
  };
  let worst: Agreement = { distance: 0, tensor: '', tolerance: toleranceOf(spec, spec.dtype) };
  const scales = scalesOf(spec);
  const names = new Set(peer.form.results.map(({ name }) => name));
  for (const { name } of own.form.results) {
    if (!names.has(name)) fail(`${peer.name} reports nothing for '${name}'`);
  }
  for (const entry of peer.form.results) {
    const mine = own.results.get(entry.name);
    if (entry.shape.join() !== mine.shape.join()) {
      fail(`'${entry.name}' is [${entry.shape}] there, but [${mine.shape}] here`);
    }
    const tolerance = own.tolerance ?? toleranceOf(spec, entry.dtype);
    const scale = own.results.get(scales.get(entry.name) ?? entry.name);
    const apart = distance(readTensor(peer.folder, entry), mine.values, scale.values);
    if (!(apart <= tolerance)) {
      const what = spec.kind === 'predict' ? 'output' : 'gradient of';
      fail(
        `the ${what} '${entry.name}' is ${apart.toExponential(1)} of its norm apart (${tolerance} is allowed)`,
        expected,
      );
    }
    if (apart >= worst.distance) worst = { distance: apart, tensor: entry.name, tolerance };
  }
  const [first] = own.form.losses;
  for (const [step, loss] of peer.form.losses.entries()) {
    const mine = own.form.losses[step] as number;
    if (!closeLosses(loss, mine, first as number)) {
      fail(`after ${step} steps the loss is ${loss} there, but ${mine} here`);
    }
  }
  return worst;
}
