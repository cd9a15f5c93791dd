// Tests how the fastest of several forms is found, with invented times.
import { describe, expect, it } from 'vitest';
import { findFastest, timeStep } from '../../bench/src/fastest.js';

/**
 * Returns a function `time`, and the list `asked` of the ways that were timed so far. `times` has a list of invented
 * times for each way. `time` returns the next time of its way. After the end of the list, it returns the last time
 * again.
 */
function stopwatch(times: Readonly<Record<string, readonly number[]>>) {
  const asked: string[] = [];
  const time = async (way: string) => {
    const own = times[way] as readonly number[];
    const turn = asked.filter((name) => name === way).length;
    asked.push(way);
    return own[Math.min(turn, own.length - 1)] as number;
  };
  return { asked, time };
}

describe('the fastest of several ways', () => {
  it('is the one with the least time, at any position', async () => {
    for (const ways of [
      ['slow', 'fast', 'slower'],
      ['fast', 'slow', 'slower'],
      ['slower', 'slow', 'fast'],
    ]) {
      const { time } = stopwatch({ slow: [2], fast: [1], slower: [9] });
      expect((await findFastest(ways, time)).best).toBe('fast');
    }
  });

  it('is found even if it met one slow moment, because the least of several heats counts', async () => {
    const { asked, time } = stopwatch({ unlucky: [1.3, 0.9, 0.9], steady: [1] });
    const { best, seconds } = await findFastest(['unlucky', 'steady'], time);
    expect(best).toBe('unlucky');
    expect([...seconds]).toEqual([
      ['unlucky', 0.9],
      ['steady', 1],
    ]);
    // The two ways are timed in turns, so that a slow moment of the machine does not affect only one of them.
    expect(asked.slice(0, 4)).toEqual(['unlucky', 'steady', 'unlucky', 'steady']);
  });

  it('times a way that is far behind only once, and does not repeat the only way', async () => {
    const far = stopwatch({ near: [1], far: [2] });
    await findFastest(['far', 'near'], far.time);
    expect(far.asked.filter((way) => way === 'far')).toHaveLength(1);
    expect(far.asked.filter((way) => way === 'near').length).toBeGreaterThan(1);
    const alone = stopwatch({ only: [1] });
    await findFastest(['only'], alone.time);
    expect(alone.asked).toEqual(['only']);
    await expect(findFastest([], alone.time)).rejects.toThrow(RangeError);
  });
});

describe('the time of a step', () => {
  it('is measured over enough steps to fill a part of a slice, without the first ones', async () => {
    const counts: number[] = [];
    const seconds = await timeStep(async (steps) => {
      counts.push(steps);
      // Every step takes 0.1 ms, but the first call takes 10 ms more.
      return 0.0001 * steps + (counts.length === 1 ? 0.01 : 0);
    }, 0.4);
    expect(seconds).toBeCloseTo(0.0001, 10);
    expect(counts[0]).toBe(1);
    expect(0.0001 * (counts.at(-1) as number)).toBeGreaterThanOrEqual(0.1);
  });

  it('is measured over one step if a step is long', async () => {
    const counts: number[] = [];
    const seconds = await timeStep(async (steps) => {
      counts.push(steps);
      return 3 * steps;
    }, 0.4);
    expect([seconds, counts]).toEqual([3, [1]]);
  });
});
