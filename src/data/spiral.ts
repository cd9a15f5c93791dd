/** Three interleaved spirals: a classification task that no straight line solves. */

import { ShapeError, ValueError } from '../errors.js';
import { type Tensor, tensor } from '../tensor/tensor.js';

export interface SpiralOptions {
  /** Arms, and classes; 3 by default. */
  readonly classes?: number;
  /** The angle that an arm winds through from the centre to the rim, in turns; 0.75 by default. */
  readonly turns?: number;
  /** The standard deviation of the noise on the angle, in radians; 0.2 by default. */
  readonly noise?: number;
}

export interface SpiralDraws {
  /** How far out along its arm each point lies: n uniform draws from [0, 1). */
  readonly positions: ArrayLike<number>;
  /** n standard normal draws, which move each point off its arm. */
  readonly noise: ArrayLike<number>;
}

export interface LabelledPoints {
  /** [n, 2] float32: x and y, within the unit disc. */
  readonly points: Tensor;
  /** [n] int32: the arm that each point belongs to. */
  readonly labels: Tensor;
}

// An arm starts a little way out: at the centre itself all arms meet and no label is right.
const innerRadius = 0.08;

/**
 * Places n points on the arms of a spiral, point i on arm i mod `classes`. Random numbers are an
 * argument: sets drawn from independent streams (other seeds) are disjoint, and `sharedPoints` says
 * whether they are.
 *
 *     radius = 0.08 + 0.92 position
 *     angle  = 2 pi (arm / classes + turns * position) + noise
 *
 * @throws ShapeError when there are not as many positions as noises; ValueError for fewer than two
 *   classes or a position outside [0, 1]
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

/** How many points of `test` are also, bit for bit, points of `train`: 0 for a fair test. */
export function sharedPoints(train: LabelledPoints, test: LabelledPoints): number {
  const seen = new Set(keysOf(train));
  return keysOf(test).filter((key) => seen.has(key)).length;
}

function keysOf({ points }: LabelledPoints): string[] {
  const { data } = points;
  return Array.from({ length: data.length / 2 }, (_, i) => `${data[2 * i]} ${data[2 * i + 1]}`);
}
