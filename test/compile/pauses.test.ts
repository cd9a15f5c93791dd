// Tests the pauses between the slices of a compile, in a process whose clock and threads are simulated.
import { describe, expect, it } from 'vitest';
import { type Host, Pauses } from '../../src/compile/pauses.js';

/** A process in which other threads use `busy` cores until the time `until`. It records the times of its sleeps. */
function simulated({ cores = 2, busy = 2, until = Infinity } = {}) {
  const sleeps: number[] = [];
  let time = 0;
  const host: Host = {
    cores,
    cpuTime: () => busy * Math.min(time, until),
    now: () => time,
    sleep: async (milliseconds) => {
      sleeps.push(time);
      time += milliseconds;
    },
  };
  /** Compiles for `slices` slices of 1 ms. Returns the length of the pause after each slice. */
  const compile = async (pauses: Pauses, slices: number) => {
    const compiling = pauses.ofCompile();
    const lengths: number[] = [];
    for (let i = 0; i < slices; i++) {
      time++;
      const begin = time;
      await compiling.after(1);
      lengths.push(time - begin);
    }
    return lengths;
  };
  return { host, compile, sleeps };
}

const total = (lengths: readonly number[]) => lengths.reduce((sum, length) => sum + length, 0);

describe('the pauses of a compile', () => {
  it('begin after 20 ms of work, and last as long as the other threads compute', async () => {
    const { host, compile } = simulated({ until: 50 });
    const lengths = await compile(new Pauses(host), 100);
    expect(lengths.slice(0, 19)).toEqual(new Array(19).fill(0));
    // The threads become quiet at 50 ms. The last pause that they lengthen ends then; the others end after 1 ms.
    expect(lengths[19]).toBe(16);
    expect(Math.max(...lengths.slice(40))).toBe(1);
  });

  it('take at most 16 ms after one slice, and in total at most as long as the work', async () => {
    const { host, compile } = simulated();
    const lengths = await compile(new Pauses(host), 200);
    expect(Math.max(...lengths)).toBe(16);
    expect(total(lengths)).toBeGreaterThan(150);
    expect(total(lengths)).toBeLessThanOrEqual(201);
  });

  it('end after 1 ms if one other thread computes', async () => {
    const { host, compile } = simulated({ busy: 1 });
    const lengths = await compile(new Pauses(host), 100);
    expect(Math.max(...lengths)).toBe(1);
  });

  it('are omitted in short compiles', async () => {
    const { host, compile, sleeps } = simulated();
    const pauses = new Pauses(host);
    for (let i = 0; i < 10; i++) await compile(pauses, 19);
    expect(sleeps).toEqual([]);
  });

  it('are omitted after compiles have worked for 1.5 s in the process', async () => {
    const { host, compile, sleeps } = simulated();
    const pauses = new Pauses(host);
    await compile(pauses, 1499);
    expect(sleeps.length).toBeGreaterThan(1000);
    const before = sleeps.length;
    await compile(pauses, 500);
    expect(sleeps.length).toBe(before);
  });

  it('are omitted if each thread of V8 has a core', async () => {
    const { host, compile, sleeps } = simulated({ cores: 8 });
    await compile(new Pauses(host), 200);
    expect(sleeps).toEqual([]);
  });
});
