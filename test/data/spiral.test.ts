import { describe, expect, it } from 'vitest';
import { type LabelledPoints, sharedPoints, spiral } from '../../src/data/spiral.js';
import { ShapeError, ValueError } from '../../src/errors.js';

/**
 * Returns random numbers that do not depend on forebay. They are made by a 32-bit linear congruential generator and by
 * the Box-Muller transform.
 */
function draws(count: number, seed: number) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return {
    positions: Float32Array.from({ length: count }, uniform),
    noise: Float32Array.from({ length: count }, normal),
  };
}

const xy = ({ points }: LabelledPoints, index: number) =>
  [points.data[2 * index] as number, points.data[2 * index + 1] as number] as const;

describe('spiral', () => {
  it('winds each arm from near the centre to the rim', () => {
    const set = spiral({ positions: [0, 0, 0, 1, 1, 1], noise: new Float32Array(6) });
    expect(set.points.shape).toEqual([6, 2]);
    expect([...set.labels.data]).toEqual([0, 1, 2, 0, 1, 2]);
    expect(set.labels.dtype).toBe('int32');
    // The three arms start at angles that differ by a third of a turn. Each arm ends three quarters of a turn after its
    // start.
    const third = (2 * Math.PI) / 3;
    for (const arm of [0, 1, 2]) {
      const [x0, y0] = xy(set, arm);
      expect(x0).toBeCloseTo(0.08 * Math.cos(arm * third), 6);
      expect(y0).toBeCloseTo(0.08 * Math.sin(arm * third), 6);
      const [x1, y1] = xy(set, 3 + arm);
      expect(x1).toBeCloseTo(Math.cos(arm * third + 1.5 * Math.PI), 6);
      expect(y1).toBeCloseTo(Math.sin(arm * third + 1.5 * Math.PI), 6);
    }
  });

  it('moves a point along its circle by the noise, in radians', () => {
    const [x, y] = xy(spiral({ positions: [1, 1], noise: [2, 0] }, { noise: 0.3, turns: 0 }), 0);
    expect(Math.atan2(y, x)).toBeCloseTo(0.6, 6);
    expect(Math.hypot(x, y)).toBeCloseTo(1, 6);
  });

  it('is learnable: the nearest arm is the right one for more than 99 points in 100', () => {
    const set = spiral(draws(3000, 5));
    let right = 0;
    for (let index = 0; index < 3000; index++) {
      const [x, y] = xy(set, index);
      const along = ((Math.hypot(x, y) - 0.08) / 0.92) * 0.75;
      const turn = Math.atan2(y, x) / (2 * Math.PI) - along;
      const arm = ((Math.round(turn * 3) % 3) + 3) % 3;
      if (arm === set.labels.data[index]) right++;
    }
    expect(right / 3000).toBeGreaterThan(0.99);
  });

  it('gives disjoint sets from independent draws, and sharedPoints counts the overlap', () => {
    const train = spiral(draws(600, 1));
    const test = spiral(draws(600, 2));
    expect(sharedPoints(train, test)).toBe(0);
    expect(sharedPoints(train, train)).toBe(600);
    const both = spiral({
      positions: [...draws(300, 1).positions, ...draws(300, 2).positions],
      noise: [...draws(300, 1).noise, ...draws(300, 2).noise],
    });
    expect(sharedPoints(spiral(draws(300, 1)), both)).toBe(300);
  });

  it('refuses draws that do not fit', () => {
    expect(() => spiral({ positions: [0, 1], noise: [0] })).toThrow(ShapeError);
    expect(() => spiral({ positions: [Number.NaN], noise: [0] })).toThrow(ValueError);
    expect(() => spiral({ positions: [1.5], noise: [0] })).toThrow(/1\.5 at index 0/);
    expect(() => spiral({ positions: [], noise: [] }, { classes: 1 })).toThrow(ValueError);
    expect(spiral({ positions: [], noise: [] }).points.shape).toEqual([0, 2]);
  });
});
