/** Helpers: models of TensorFlow.js, and the comparison of what they predict with what their imports compute. */

import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { evaluate, input, type Node, Tensor } from '../../src/index.js';
import type { TfjsArtifacts } from '../../src/tfjs/artifacts.js';
import { type ImportTfjsOptions, importTfjs } from '../../src/tfjs/import.js';
import type { TfjsModule } from '../../src/tfjs/imported.js';
import { generator } from '../support.js';

export { tf };

/** The artifacts that `model.save` writes. */
export type Saved = Pick<TfjsArtifacts, 'format'> & {
  readonly modelTopology: Record<string, unknown>;
  readonly weightSpecs: tf.io.WeightsManifestEntry[];
  readonly weightData: ArrayBuffer;
};

/** Gives all weights of a model random values, so that no weight is left out without notice. Variances are positive. */
export function randomise(model: tf.LayersModel, seed = 1): void {
  const draw = generator(seed);
  model.setWeights(
    model.weights.map(({ name, shape }) => {
      const positive = name.includes('variance');
      const size = shape.reduce<number>((product, dim) => product * (dim as number), 1);
      const values = Float32Array.from({ length: size }, () => {
        const number = 1.4 * draw() - 0.7;
        return positive ? Math.abs(number) + 0.2 : number;
      });
      return tf.tensor(values, shape as number[]);
    }),
  );
}

/** Saves a model in memory. */
export async function saved(model: tf.LayersModel): Promise<Saved> {
  let artifacts: tf.io.ModelArtifacts | undefined;
  await model.save(
    tf.io.withSaveHandler(async (given) => {
      artifacts = given;
      return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(given) };
    }),
  );
  return artifacts as unknown as Saved;
}

let count = 0;

/** Imports a model under a name of its own. */
export function imported(
  source: Parameters<typeof importTfjs>[0],
  options: Partial<ImportTfjsOptions> = {},
): Promise<TfjsModule> {
  return importTfjs(source, { name: `model${count++}`, ...options });
}

/** A value for an input: floats, or tokens from 0 to `tokens - 1`. */
export function fed(shape: readonly number[], seed: number, tokens?: number): Float32Array {
  const draw = generator(seed);
  const size = shape.reduce((product, dim) => product * dim, 1);
  return Float32Array.from({ length: size }, () =>
    tokens === undefined ? 4 * draw() - 2 : Math.floor(tokens * draw()),
  );
}

/** Applies a module to inputs of the shapes that it has. */
export function applied(module: TfjsModule): {
  feeds: Record<string, Node>;
  outputs: Record<string, Node>;
} {
  const feeds = Object.fromEntries(
    Object.entries(module.inputs).map(([name, { shape, dtype }]) => [
      name,
      input(name, shape, { dtype }),
    ]),
  );
  return { feeds, outputs: module.apply(feeds) };
}

/** Expects that elements are equal to 1e-5, relative to the larger of 1 and the element. */
export function expectClose(came: Tensor, expected: tf.Tensor, what: string): void {
  expect(came.shape, what).toEqual(expected.shape);
  const values = expected.dataSync();
  const off: string[] = [];
  for (let i = 0; i < values.length; i++) {
    const [ours, theirs] = [came.data[i] as number, values[i] as number];
    const far = Math.abs(ours - theirs) > 1e-5 * Math.max(1, Math.abs(theirs));
    if (far || Number.isNaN(ours) !== Number.isNaN(theirs)) off.push(`${i}: ${ours}, ${theirs}`);
  }
  expect(off.slice(0, 5), what).toEqual([]);
}

/** How an example of a model is made. */
export interface Example {
  readonly tokens?: number;
  readonly options?: Partial<ImportTfjsOptions>;
  readonly seed?: number;
}

/**
 * Imports a model that TensorFlow.js saves, and expects that it computes the same as `predict` of the model that
 * TensorFlow.js loads, for a batch of three rows.
 * @param shapes the shapes of the inputs without the batch
 */
export async function expectSame(
  model: tf.LayersModel,
  shapes: readonly (readonly number[])[],
  { tokens, options = {}, seed = 7 }: Example = {},
): Promise<TfjsModule> {
  randomise(model, seed);
  const artifacts = await saved(model);
  const module = await imported(artifacts, options);
  const values = shapes.map((shape, index) => ({
    shape: [3, ...shape],
    data: fed([3, ...shape], seed + index + 1, tokens),
  }));
  const predicted = model.predict(values.map(({ data, shape }) => tf.tensor(data, shape)));
  const expected = Array.isArray(predicted) ? predicted : [predicted];
  const { outputs } = applied(module);
  const names = Object.keys(module.inputs);
  const feeds = Object.fromEntries(
    values.map(({ data, shape }, index) => {
      const name = names[index] as string;
      const ints = module.inputs[name]?.dtype === 'int32';
      return [name, new Tensor(ints ? Int32Array.from(data) : data, shape)];
    }),
  );
  const came = Object.entries(evaluate(outputs, feeds));
  expect(came.length).toBe(expected.length);
  came.forEach(([name, tensor], index) => {
    expectClose(tensor as Tensor, expected[index] as tf.Tensor, name);
  });
  return module;
}
