/**
 * Tests that forebay does not have faults of the seed, the Scala code of the blog post on which forebay is based. This
 * file tests the data, and its use in the demos.
 */

import { afterEach, describe, expect, it, vi } from 'vitest';
import type { AnyDemo, Context } from '../../src/cli/demo.js';
import { demo as spiralDemo } from '../../src/cli/demos/spiral.js';
import { demo as trigDemo } from '../../src/cli/demos/trig.js';
import { sharedPoints, spiral } from '../../src/data/spiral.js';
import { trigonometricWindows } from '../../src/data/trigonometric.js';
import { Interpreter } from '../../src/evaluate/interpreter.js';
import { LSTM, Tensor } from '../../src/index.js';
import { generator } from '../support.js';

/** Runs a demo without writing files. Returns the metrics that the demo reports. */
async function figuresOf(demo: unknown, options: Context['options']) {
  const figures: Record<string, unknown> = {};
  const nothing = () => {};
  const context: Context = {
    out: '/nowhere',
    seed: 3,
    options,
    progress: () => ({ advance: nothing, done: nothing }) as ReturnType<Context['progress']>,
    say: nothing,
    write: nothing,
    model: nothing,
    picture: async () => {},
    graph: async () => {},
    metrics: (more) => void Object.assign(figures, more),
  };
  await (demo as AnyDemo).run(context as Context<never>);
  return figures;
}

const point = (t: number) =>
  [Math.cos((2 * Math.PI * t) / 20), Math.sin((2 * Math.PI * t) / 20)].map(Math.fround);

describe('line 8: windows that slide by 1 carry no state, and generating does not overwrite them', () => {
  afterEach(() => void vi.restoreAllMocks());

  it('window w has the points from index w, and its targets are the points from index w + 1', () => {
    const { inputs, targets } = trigonometricWindows({ samples: 12, steps: 5 });
    expect(inputs.shape).toEqual([5, 8, 2]);
    const [xs, ys] = [inputs.toArray(), targets.toArray()] as number[][][][];
    for (let step = 0; step < 5; step++) {
      for (let window = 0; window < 8; window++) {
        expect(xs?.[step]?.[window], `step ${step} of ${window}`).toEqual(point(window + step));
        expect(ys?.[step]?.[window], `target ${step} of ${window}`).toEqual(
          point(window + step + 1),
        );
      }
    }
  });

  /** Runs the trig demo. Returns the inputs and outputs of its network in every run, and the initial states. */
  async function runsOf(recipe: 'seed' | 'default') {
    const runs: { shape: readonly number[]; points: number[]; out: number[]; trains: boolean }[] =
      [];
    const { run } = Interpreter.prototype;
    vi.spyOn(Interpreter.prototype, 'run').mockImplementation(function (
      this: Interpreter,
      feeds = {},
      index,
    ) {
      const outputs = run.call(this, feeds, index);
      const [{ windows }, [out]] = [feeds, outputs];
      // The points are copied, so that a later overwrite of the window does not change the record.
      if (windows instanceof Tensor && out) {
        const [points, answer] = [Array.from(windows.data), Array.from(out.data)];
        runs.push({ shape: windows.shape, points, out: answer, trains: 'targets' in feeds });
      }
      return outputs;
    });
    const unroll = vi.spyOn(LSTM.prototype, 'unroll');
    // The demo runs on the reference executor, because the runs of this executor can be observed. The compiled demo
    // uses the same code.
    await figuresOf(trigDemo, { recipe, seeds: [3], epochs: 1, interpret: true });
    return { runs, initials: unroll.mock.calls.map(([, initial]) => initial) };
  }

  const recipes = ['seed', 'default'] as const;
  it.each(recipes)('%s recipe: every window starts from zeros', async (recipe) => {
    const { runs, initials } = await runsOf(recipe);
    // No call gives an initial state, so every call starts from zeros, and no state is carried from window to window.
    expect(initials.length).toBeGreaterThanOrEqual(2);
    expect(initials.every((initial) => initial === undefined)).toBe(true);
    const training = runs.filter(({ trains }) => trains).map(({ shape }) => shape);
    const [count, each] = recipe === 'seed' ? [96, 1] : [1, 96];
    expect(training).toEqual(new Array(count).fill([5, each, 2]));
  });

  it('each generated point is appended to the last 5, which do not change', async () => {
    const { runs } = await runsOf('seed');
    const generating = runs.filter(({ trains }) => !trains);
    expect(generating).toHaveLength(100);
    let expected = [0, 1, 2, 3, 4].flatMap(point);
    for (const { points, out } of generating) {
      expect(points).toEqual(expected);
      expected = [...expected.slice(2), ...out];
    }
  });
});

describe('line 9: no point is in both the training set and the test set', () => {
  const draw = (seed: number) => {
    const next = generator(seed);
    const stream = () => Float64Array.from({ length: 90 }, next);
    return spiral({ positions: stream(), noise: stream() });
  };

  it('the spiral demo draws disjoint sets', async () => {
    const figures = await figuresOf(spiralDemo, {
      points: 60,
      hidden: 3,
      epochs: 1,
      interpret: false,
    });
    expect(figures.points).toBe(60);
    expect(figures.sharedPoints).toBe(0);
  });

  it('sharedPoints counts a point that is in both sets', () => {
    const [train, test] = [draw(91), draw(92)];
    expect(sharedPoints(train, test)).toBe(0);
    expect(sharedPoints(train, draw(91))).toBe(90);
    test.points.data.set(train.points.data.subarray(8, 12), 40);
    expect(sharedPoints(train, test)).toBe(2);
  });
});
