/**
 * Makes the series (cos, sin) of period 20, on which the seed (the blog post that forebay is based on) trains an LSTM.
 * The series is cut into windows, to train the prediction of the next sample.
 */

import { ValueError } from '../errors.js';
import { type Tensor, tensor } from '../tensor/tensor.js';

/** The number of samples in one period. */
export const trigonometricPeriod = 20;

export interface Windows {
  /** A float32 tensor of shape [steps, windows, 2]. Window w holds the samples w, w + 1, …, w + steps - 1. */
  readonly inputs: Tensor;
  /** A float32 tensor of shape [steps, windows, 2]: for each sample of `inputs`, the next sample of the series. */
  readonly targets: Tensor;
}

/**
 * Returns `count` samples of the curve, beginning at sample `start`. Sample t is (cos(2 pi t / 20), sin(2 pi t / 20)).
 * @returns a float32 tensor of shape [count, 2]
 * @throws ValueError if `count` is not a non-negative integer
 */
export function trigonometric(count: number, start = 0): Tensor {
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new ValueError(
      `trigonometric: expected a non-negative number of samples, but received ${count}`,
    );
  }
  const data = new Float32Array(2 * count);
  for (let index = 0; index < count; index++) {
    const angle = (2 * Math.PI * (start + index)) / trigonometricPeriod;
    data[2 * index] = Math.cos(angle);
    data[2 * index + 1] = Math.sin(angle);
  }
  return tensor(data, { shape: [count, 2] });
}

/**
 * Returns all windows of `steps` successive samples among the samples 0, …, `samples` - 1. The target of each step is
 * the next sample, so the last target of the last window is sample `samples`. The defaults are those of the blog
 * post: 100 samples, which give 96 windows of 5 steps.
 * @throws ValueError if `samples` or `steps` is not an integer, or if not 1 <= steps <= samples
 */
export function trigonometricWindows(
  options: { readonly samples?: number; readonly steps?: number } = {},
): Windows {
  const { samples = 100, steps = 5 } = options;
  if (!Number.isSafeInteger(steps) || !Number.isSafeInteger(samples) || steps < 1) {
    throw new ValueError(
      `trigonometricWindows: expected whole numbers of samples and steps, but received ${samples} and ${steps}`,
    );
  }
  if (steps > samples) {
    throw new ValueError(
      `trigonometricWindows: expected at most ${samples} steps, the number of samples, but received ${steps}`,
    );
  }
  const series = trigonometric(samples + 1).data;
  const windows = samples - steps + 1;
  const inputs = new Float32Array(steps * windows * 2);
  const targets = new Float32Array(steps * windows * 2);
  for (let step = 0; step < steps; step++) {
    // Step s of window w is sample s + w. So the values of step s of all windows are the series from sample s.
    inputs.set(series.subarray(2 * step, 2 * (step + windows)), 2 * step * windows);
    targets.set(series.subarray(2 * (step + 1), 2 * (step + 1 + windows)), 2 * step * windows);
  }
  const shape = [steps, windows, 2];
  return { inputs: tensor(inputs, { shape }), targets: tensor(targets, { shape }) };
}
