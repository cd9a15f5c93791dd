/** Makes points on interleaved spirals: a classification task that no linear classifier solves. */

import { ShapeError, ValueError } from '../errors.js';
import { type Tensor, tensor } from '../tensor/tensor.js';

export interface SpiralOptions {
  /** The number of arms, each of which is a class; 3 by default. */
  readonly classes?: number;
  /** The angle between the inner and outer end of an arm, in turns; 0.75 by default. */
  readonly turns?: number;
  /** The standard deviation of the noise on the angle, in radians; 0.2 by default. */
  readonly noise?: number;
}

export interface SpiralDraws {
  /** The position of each point along its arm, from inside to outside: n random numbers, uniform in [0, 1). */
  readonly positions: ArrayLike<number>;
  /** n random numbers of the standard normal distribution, which shift the angles of the points. */
  readonly noise: ArrayLike<number>;
}

export interface LabelledPoints {
  /** x and y of each point, within the unit disc: a float32 tensor of shape [n, 2]. */
  readonly points: Tensor;
  /** The index of the arm that each point belongs to: an int32 tensor of shape [n]. */
  readonly labels: Tensor;
}

// The radius of the inner end of an arm. Arms do not start in the centre, because all arms would meet there, and no
// label would be right.
const innerRadius = 0.08;

/**
 * Puts n points on the arms of a spiral, point i on arm i mod `classes`. The random numbers are arguments, so that
 * the caller can make a training set and a test set with different seeds. `sharedPoints` counts the points that are in
 * both sets.
 *
 *     radius = 0.08 + 0.92 position
 *     angle  = 2 pi (arm / classes + turns * position) + noise
 *
 * @throws ShapeError if `positions` and `noise` have different lengths; ValueError if there are fewer than two
 *   classes or a position is outside [0, 1]
 */
export function spiral(draws: SpiralDraws, options: SpiralOptions = {}): LabelledPoints {
  const { classes = 3, turns = 0.75, noise = 0.2 } = options;
  const count = draws.positions.length;
  if (draws.noise.length !== count) {
    throw new ShapeError(
      `spiral: expected one noise for each of ${count} positions, but received ${draws.noise.length}`,
    );
  }
  if (!Number.isSafeInteger(classes) || classes < 2) {
    throw new ValueError(`spiral: expected at least 2 classes, but received ${classes}`);
  }
  const points = new Float32Array(2 * count);
  const labels = new Int32Array(count);
  for (let index = 0; index < count; index++) {
    const arm = index % classes;
    const position = draws.positions[index] as number;
    if (!(position >= 0 && position <= 1)) {
      throw new ValueError(
        `spiral: expected positions from 0 to 1, but received ${position} at index ${index}`,
      );
    }
    const radius = innerRadius + (1 - innerRadius) * position;
    const angle =
      2 * Math.PI * (arm / classes + turns * position) + noise * (draws.noise[index] as number);
    points[2 * index] = radius * Math.cos(angle);
    points[2 * index + 1] = radius * Math.sin(angle);
    labels[index] = arm;
  }
  return { points: tensor(points, { shape: [count, 2] }), labels: tensor(labels) };
}

/** Returns the number of points of `test` whose coordinates equal those of a point of `train`. A fair test has none. */
export function sharedPoints(train: LabelledPoints, test: LabelledPoints): number {
  const seen = new Set(keysOf(train));
  return keysOf(test).filter((key) => seen.has(key)).length;
}

function keysOf({ points }: LabelledPoints): string[] {
  const { data } = points;
  return Array.from({ length: data.length / 2 }, (_, i) => `${data[2 * i]} ${data[2 * i + 1]}`);
}
