import { describe, expect, it } from 'vitest';
import { trigonometric, trigonometricWindows } from '../../src/data/trigonometric.js';
import { ValueError } from '../../src/errors.js';

describe('trigonometric', () => {
  it('makes one turn in 20 samples', () => {
    const { data, shape } = trigonometric(21);
    expect(shape).toEqual([21, 2]);
    const known: readonly (readonly [number, number, number])[] = [
      [0, 1, 0],
      [5, 0, 1],
      [10, -1, 0],
      [15, 0, -1],
      [20, 1, 0],
      // Sample 2 consists of the cosine and the sine of 36 degrees.
      [2, (1 + Math.sqrt(5)) / 4, Math.sqrt(10 - 2 * Math.sqrt(5)) / 4],
    ];
    for (const [sample, cos, sin] of known) {
      expect(data[2 * sample]).toBeCloseTo(cos, 6);
      expect(data[2 * sample + 1]).toBeCloseTo(sin, 6);
    }
  });

  it('continues from any sample', () => {
    expect([...trigonometric(10, 7).data]).toEqual([...trigonometric(17).data.slice(14)]);
    expect(() => trigonometric(-1)).toThrow(ValueError);
  });
});

describe('trigonometricWindows', () => {
  it('makes the windows of the seed: 96 of 5 steps, with the next sample as the target of each step', () => {
    const { inputs, targets } = trigonometricWindows();
    const series = trigonometric(101).data;
    expect(inputs.shape).toEqual([5, 96, 2]);
    expect(targets.shape).toEqual([5, 96, 2]);
    for (let step = 0; step < 5; step++) {
      for (let window = 0; window < 96; window++) {
        for (let axis = 0; axis < 2; axis++) {
          const at = (step * 96 + window) * 2 + axis;
          expect(inputs.data[at]).toBe(series[2 * (window + step) + axis]);
          expect(targets.data[at]).toBe(series[2 * (window + step + 1) + axis]);
        }
      }
    }
  });

  it('makes windows of other lengths, down to one window', () => {
    expect(trigonometricWindows({ samples: 12, steps: 12 }).inputs.shape).toEqual([12, 1, 2]);
    expect(() => trigonometricWindows({ samples: 4, steps: 5 })).toThrow(/at most 4 steps/);
    expect(() => trigonometricWindows({ steps: 0 })).toThrow(ValueError);
  });
});
