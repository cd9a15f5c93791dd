/**
 * Pauses between the slices of a compile while other threads of the process compute. The first compiles of a process
 * make much code hot, and V8 optimizes this code on up to four threads of its own. On a machine with fewer cores, these
 * threads compete with the JavaScript thread, and the garbage collector waits for them. Both delay the event loop more
 * than the slices do. During a pause, V8 finishes its work.
 */

import { availableParallelism } from 'node:os';
import { setTimeout } from 'node:timers/promises';

/** The maximum number of threads on which V8 optimizes code. With more cores, there are no pauses. */
const optimizers = 4;
/** After compiles have taken this time in a process, most of their code is optimized. Then there are no pauses. */
const warmUpMilliseconds = 1500;
/** A compile that takes less time than this has no pauses, because V8 optimizes code only after it has run for long. */
const shortMilliseconds = 20;
/** The maximum length of the pause after one slice. */
const maxMilliseconds = 16;
/** A pause ends when the other threads use less than this number of cores. */
const quietCores = 1.5;

/** What a pause reads from the process, and how it waits. */
export interface Host {
  readonly cores: number;
  /** Returns the CPU time that all threads of the process have used, in milliseconds. */
  cpuTime(): number;
  /** Returns the time, in milliseconds. */
  now(): number;
  sleep(milliseconds: number): Promise<unknown>;
}

const nodeProcess: Host = {
  get cores() {
    return availableParallelism();
  },
  cpuTime() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  now: () => performance.now(),
  sleep: (milliseconds) => setTimeout(milliseconds),
};

/** The pauses of all compiles of a process. */
export class Pauses {
  readonly #host: Host;
  /** The time that all compiles have worked, in milliseconds. */
  #total = 0;

  constructor(host: Host = nodeProcess) {
    this.#host = host;
  }

  /** Returns the pauses of one compile. In total, they take at most as long as the compile works. */
  ofCompile(): { after(slice: number): Promise<void> } {
    let [worked, paused] = [0, 0];
    return {
      /** Pauses, if necessary. @param slice the time of the last slice, in milliseconds */
      after: async (slice) => {
        worked += slice;
        this.#total += slice;
        if (worked < shortMilliseconds || this.#total > warmUpMilliseconds) return;
        if (this.#host.cores <= optimizers) paused += await this.#pause(worked - paused);
      },
    };
  }

  /** Pauses until the other threads are quiet, but at most for the given time. Returns the time of the pause. */
  async #pause(most: number): Promise<number> {
    const { now, cpuTime, sleep } = this.#host;
    const begin = now();
    let time = begin;
    while (time - begin < Math.min(most, maxMilliseconds)) {
      const [before, cpuBefore] = [time, cpuTime()];
      // Nothing else runs on this thread while it sleeps, except callbacks of other users of the event loop.
      await sleep(1);
      time = now();
      if (cpuTime() - cpuBefore < quietCores * (time - before)) break;
    }
    return time - begin;
  }
}
