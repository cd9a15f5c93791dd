/** Families: the specialisations of one graph that differ only in the size of one dimension, and their template. */

import type { Pace, Sliced } from '../../graph/sliced.js';
import { type Sample, Template } from './template.js';

/** The smallest size in a template. For fewer steps or rows, the passes decide in other ways. */
const smallest = 3;
/** No sizes above are tried, because a constant can have as many elements. */
const largestTried = 2 ** 16;
/**
 * The number of specialisations after which sizes are tried that nobody asked for. A long program waits for one more:
 * it may have only a second size, such as the last minibatch of an epoch.
 */
const patience = { short: 2, long: 3 };
const longInstructions = 256;
/** How often a family looks for a template. */
const maxSearches = 4;

/** Runs the passes for a size that nobody asked for. Undefined if the graph is not valid for this size. */
export type Try = (size: number) => Sliced<Sample | undefined>;

/** A template, and the sizes between which it is known. */
interface Known {
  readonly template: Template;
  readonly from: number;
  readonly to: number;
}

export class Family {
  /** The latest specialisations, as long as there is no template. */
  #samples: Sample[] = [];
  #template: Known | undefined;
  #searches = 0;
  /** Counts the calls of `learn`: one that was interrupted by another one does not continue. */
  #lessons = 0;

  /** Returns the template, if it is known for smaller and for larger sizes. */
  covering(size: number): Template | undefined {
    const known = this.#template;
    return known && known.from <= size && size <= known.to ? known.template : undefined;
  }

  /** Uses a specialisation to find the template, or to extend the sizes for which it is known. */
  *learn(sample: Sample, attempt: Try, pace: Pace): Sliced<void> {
    const lesson = ++this.#lessons;
    const isNew = !this.#samples.some(({ size }) => size === sample.size);
    // A size between may have been compiled because a number is 0 there, say.
    if (sample.size < smallest || !isNew || this.covering(sample.size)) return;
    const found = this.#template
      ? yield* this.#extended(this.#template, sample, attempt, pace)
      : yield* this.#searched(sample, attempt, pace);
    if (lesson !== this.#lessons) return;
    this.#template = found;
    this.#samples = found ? [] : [...this.#samples, sample].slice(-patience.long);
  }

  *#extended(known: Known, sample: Sample, attempt: Try, pace: Pace): Sliced<Known | undefined> {
    const { template, from, to } = known;
    const { size } = sample;
    if (!(yield* template.gives(sample, pace))) return undefined;
    if (size < from) return { template, from: size, to };
    const above = 2 * size + 1;
    const further = above <= largestTried ? yield* attempt(above) : undefined;
    const isFurther = further !== undefined && (yield* template.gives(further, pace));
    return { template, from, to: isFurther ? above : size };
  }

  *#searched(sample: Sample, attempt: Try, pace: Pace): Sliced<Known | undefined> {
    const samples = [...this.#samples, sample];
    const { length } = sample.made.instructions.list;
    const needed = length < longInstructions ? patience.short : patience.long;
    if (samples.length < needed || this.#searches === maxSearches) return undefined;
    this.#searches++;
    const [one, other] = samples.slice(-2) as [Sample, Sample];
    const top = Math.max(one.size, other.size);
    if (2 * top + 4 > largestTried) return undefined;
    const found: Sample[] = [one, other];
    for (const size of sizesAbove(one.size, other.size)) {
      const tried = yield* attempt(size);
      if (!tried) return undefined;
      found.push(tried);
    }
    const template = yield* Template.of(found, pace);
    const sizes = found.map(({ size }) => size);
    return template && { template, from: Math.min(...sizes), to: Math.max(...sizes) };
  }
}

/**
 * Returns two larger sizes, so that there are two even and two odd sizes. The sums of these two pairs differ, because the
 * square of a size grows in both pairs alike if their sums are equal.
 */
function sizesAbove(one: number, other: number): readonly [number, number] {
  const odd = 2 * Math.max(one, other) + 1;
  if (one % 2 === other % 2) return one % 2 === 0 ? [odd, odd + 2] : [odd + 1, odd + 3];
  const difference = one % 2 === 0 ? other - one : one - other;
  return [odd, difference === 1 ? odd + 3 : odd + 1];
}
