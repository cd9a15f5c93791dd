// Tests the functions on views. Each result is compared with a list of the elements that the view selects.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  boxOf,
  broadcast,
  compose,
  count,
  dense,
  isContiguous,
  rebase,
  rowMajor,
  type StridedView,
} from '../../src/ir/view.js';

/** Returns the index in memory of each element that a view selects, in row-major order of the view's shape. */
function elements({ offset, shape, strides }: StridedView): number[] {
  let all = [offset];
  shape.forEach((size, axis) => {
    const steps = Array.from({ length: size }, (_, i) => i * (strides[axis] as number));
    all = all.flatMap((at) => steps.map((step) => at + step));
  });
  return all;
}

/**
 * Returns a slice (with a step of either sign), a transpose, a broadcast or a reshape of a dense view. The numbers in
 * `choices` choose which.
 */
function viewOf(shape: readonly number[], choices: readonly number[]): StridedView {
  const [kind = 0, x = 0, y = 0] = choices;
  const view = dense(shape);
  if (kind === 0 && shape.length > 0) {
    const axis = x % shape.length;
    const size = shape[axis] as number;
    const start = size === 0 ? 0 : y % size;
    return {
      offset: start * (view.strides[axis] as number),
      shape: shape.map((dim, i) => (i === axis ? size - start : dim)),
      strides: view.strides,
    };
  }
  if (kind === 1) {
    return { ...view, shape: [...shape].reverse(), strides: [...view.strides].reverse() };
  }
  if (kind === 4 && shape.length > 0) {
    const axis = x % shape.length;
    const size = shape[axis] as number;
    const start = size === 0 ? 0 : y % size;
    const step = [1, 2, 3, -1, -1, -2, -3][(x + y) % 7] as number;
    const reach = step > 0 ? size - 1 - start : start;
    const length = size === 0 ? 0 : Math.floor(reach / Math.abs(step)) + 1;
    return {
      offset: start * (view.strides[axis] as number),
      shape: shape.map((dim, i) => (i === axis ? length : dim)),
      strides: view.strides.map((stride, i) => (i === axis ? step * stride : stride)),
    };
  }
  if (kind === 2) return broadcast(view, [2, ...shape]);
  const size = count(shape);
  const width = 1 + (x % 6);
  return size % width === 0 ? dense([size / width, width]) : dense([size]);
}

const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 });
const choices = fc.tuple(fc.integer({ min: 0, max: 4 }), fc.nat(20), fc.nat(20));

describe('compose', () => {
  it('selects the same elements as the two views one after the other, or returns undefined', () => {
    let composed = 0;
    fc.assert(
      fc.property(shapes, fc.array(choices, { minLength: 1, maxLength: 4 }), (shape, list) => {
        let view = dense(shape);
        let shown = elements(view);
        for (const choice of list) {
          const outer = viewOf(view.shape, choice);
          const next = compose(outer, view);
          if (!next) return;
          composed++;
          shown = elements(outer).map((index) => shown[index] as number);
          expect(elements(next)).toEqual(shown);
          view = next;
        }
      }),
      { numRuns: 3000, seed: 1 },
    );
    expect(composed).toBeGreaterThan(5000);
  });

  it('returns undefined for a reshape across axes whose strides do not match', () => {
    const turned = { offset: 0, shape: [3, 2], strides: [1, 3] };
    expect(compose(dense([6]), turned)).toBeUndefined();
    expect(compose(dense([3, 2, 1]), turned)).toEqual({
      offset: 0,
      shape: [3, 2, 1],
      strides: [1, 3, 0],
    });
  });

  it('composes views that read backwards', () => {
    const backwards = { offset: 5, shape: [6], strides: [-1] };
    expect(compose({ offset: 5, shape: [6], strides: [-1] }, backwards)).toEqual(dense([6]));
    expect(compose(dense([2, 3]), backwards)).toEqual({
      offset: 5,
      shape: [2, 3],
      strides: [-3, -1],
    });
    // Backwards through the rows of a wider matrix.
    const left = { offset: 0, shape: [3, 2], strides: [4, 1] };
    expect(compose({ offset: 5, shape: [3, 2], strides: [-2, -1] }, left)).toEqual({
      offset: 9,
      shape: [3, 2],
      strides: [-4, -1],
    });
    expect(compose(backwards, left)).toBeUndefined();
  });

  it('composes a row of a wider matrix', () => {
    const left = { offset: 2, shape: [3, 4], strides: [10, 1] };
    const row = { offset: 4, shape: [4], strides: [1] };
    expect(compose(row, left)).toEqual({ offset: 12, shape: [4], strides: [1] });
    expect(compose(dense([12]), left)).toBeUndefined();
  });
});

describe('boxOf', () => {
  it('is the smallest box that contains the elements, and rebase selects them relative to it', () => {
    let boxes = 0;
    fc.assert(
      fc.property(shapes, choices, (shape, choice) => {
        const view = viewOf(shape, choice);
        const box = boxOf(view, shape);
        if (!box) return;
        boxes++;
        const unit = rowMajor(shape);
        const coordinates = elements(view).map((element) =>
          unit.map((step, axis) => Math.floor(element / step) % (shape[axis] as number)),
        );
        for (const [axis] of shape.entries()) {
          const along = coordinates.map((at) => at[axis] as number);
          expect(box.start[axis]).toBe(Math.min(...along));
          expect(box.end[axis]).toBe(Math.max(...along) + 1);
        }
        const lengths = box.end.map((end, axis) => end - (box.start[axis] as number));
        const inner = rowMajor(lengths);
        const moved = coordinates.map((at) =>
          at.reduce(
            (sum, x, axis) => sum + (x - (box.start[axis] as number)) * (inner[axis] as number),
            0,
          ),
        );
        expect(elements(rebase(view, box, box.start, lengths))).toEqual(moved);
      }),
      { numRuns: 2000, seed: 2 },
    );
    expect(boxes).toBeGreaterThan(1000);
  });

  it('is undefined for a view that continues from one row into another', () => {
    expect(boxOf({ offset: 2, shape: [2], strides: [1] }, [2, 3])).toBeUndefined();
    expect(boxOf({ offset: 3, shape: [2], strides: [-1] }, [2, 3])).toBeUndefined();
    expect(boxOf({ offset: 5, shape: [2], strides: [-1] }, [2, 3])?.start).toEqual([1, 1]);
  });
});

it('isContiguous is true if the elements are consecutive', () => {
  fc.assert(
    fc.property(shapes, choices, (shape, choice) => {
      const view = viewOf(shape, choice);
      const follows = elements(view).every((element, i) => element === view.offset + i);
      expect(isContiguous(view)).toBe(follows);
    }),
    { numRuns: 1000, seed: 3 },
  );
});
