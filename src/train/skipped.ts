/** Counts the steps that the rules of optimizers have skipped, because the norm of the gradients was not finite. */

import type { Updates } from '../evaluate/updates.js';
import type { Counter } from '../optim/context.js';
import { madeFor } from '../optim/made.js';

/** Counts skipped steps by the states in which the rules count the steps that they have made. */
export class SkippedSteps {
  readonly #counters: readonly Counter[];
  readonly #before: readonly number[];
  #steps = 0;
  #count: number;

  /** @param earlier the number of skipped steps before the next one */
  constructor(
    updates: Updates,
    private readonly earlier: number,
  ) {
    this.#counters = [...madeFor(updates)].flatMap(({ skipping }) => [...skipping]);
    this.#before = this.#counters.map(stepsOf);
    this.#count = earlier;
  }

  /** Whether there are rules that may skip steps. */
  get possible(): boolean {
    return this.#counters.length > 0;
  }

  /** The number of skipped steps, including the earlier ones. */
  get count(): number {
    return this.#count;
  }

  /** Adds steps that have been run. Returns how many of them were skipped. */
  add(steps: number): number {
    this.#steps += steps;
    const skipped = this.#counters.map((counter, index) => {
      const made = stepsOf(counter) - (this.#before[index] as number);
      // If a rule that accumulates n gradients skips its step, its counters are n steps behind.
      const behind = counter.gates.reduce((product, { n }) => product * n, 1);
      return Math.round((this.#steps - made) / behind);
    });
    const before = this.#count;
    this.#count = this.earlier + Math.max(0, ...skipped);
    return this.#count - before;
  }
}

/** Returns how many steps the outermost rule has made, according to the counter of an inner rule. */
function stepsOf({ step, gates }: Counter): number {
  return gates.reduce(
    (steps, { position, n }) => steps * n + position.value.item(),
    step.value.item(),
  );
}
