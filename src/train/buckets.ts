/**
 * Chooses the sizes to which minibatches of ragged data are padded. Each example belongs to a bucket: a size for each
 * dimension in which examples differ.
 */

import { describeValue } from '../arguments/describe.js';
import { checkedLater } from '../arguments/kinds.js';
import { assertList, assertRecord, isList } from '../arguments/read.js';
import { ShapeError, ValueError } from '../errors.js';
import type { Bindings } from '../graph/dimension.js';

/**
 * The sizes to which minibatches may be padded, in ascending order: a list, if the examples differ in one dimension, or
 * a list for each of these dimensions, by name. The last size of a list must hold the largest example.
 */
export type BucketSizes = readonly number[] | Readonly<Record<string, readonly number[]>>;

export const bucketSizes = checkedLater<BucketSizes>(
  'a list of sizes, or a record of such lists by dimension',
);

/** The sizes of the examples in the dimensions in which they may differ, by the names of the dimensions. */
export type RaggedSizes = ReadonlyMap<string, Int32Array>;

export interface Buckets {
  /** The sizes of the named dimensions of each bucket; without 'batch'. In ascending order, with the largest one last. */
  readonly bindings: readonly Bindings[];
  /** The bucket of each example; undefined if there is only one bucket. */
  readonly of: Int32Array | undefined;
  /** For each bucket but the last, a later bucket that is at least as large in every dimension. */
  readonly next: readonly number[];
}

// A program keeps the code of eight bindings: these, and that of the last minibatch, which is smaller.
const mostBuckets = 7;
/** If examples have more sizes than this, the sizes are rounded up before some are chosen. */
const mostChoices = 256;

/**
 * Assigns the examples to buckets.
 * @param rows the number of examples
 * @param fixed the sizes of the named dimensions in which all examples are equal
 * @param given the option `buckets`
 * @throws ValueError if the option does not fit the dataset; ShapeError if an example is larger than the last size
 */
export function bucketsOf(
  context: string,
  rows: number,
  ragged: RaggedSizes,
  fixed: Bindings,
  batchSize: number,
  given: BucketSizes | undefined,
): Buckets {
  const names = [...ragged.keys()];
  const asked = given === undefined ? new Map() : readSizes(context, given, ragged);
  const most = names.length === 0 ? 1 : Math.floor(mostBuckets ** (1 / names.length) + 1e-9);
  const choices = names.map((name) => {
    const sizes = ragged.get(name) as Int32Array;
    return asked.get(name) ?? chosenSizes(sizes, Math.max(1, most), batchSize);
  });
  // The position of each example's size among the sizes of a dimension. Together they make one number, the key.
  const keys = new Float64Array(rows);
  names.forEach((name, dim) => {
    const sizes = ragged.get(name) as Int32Array;
    const list = choices[dim] as readonly number[];
    for (let row = 0; row < rows; row++) {
      keys[row] = (keys[row] as number) * list.length + firstHolding(list, sizes[row] as number);
    }
  });
  const boundsOf = (key: number): readonly number[] => {
    const bounds: number[] = [];
    let rest = key;
    for (const list of [...choices].reverse()) {
      bounds.unshift(list[rest % list.length] as number);
      rest = Math.floor(rest / list.length);
    }
    return bounds;
  };
  const used = [...new Set(keys)].sort((a, b) => a - b);
  const bounds = used.map(boundsOf);
  // Minibatches that a bucket cannot fill are padded to a later one, so the last must hold all examples.
  const largest = names.map((_, dim) => {
    return bounds.reduce((most, sizes) => Math.max(most, sizes[dim] as number), 0);
  });
  if (!bounds.some((sizes) => holds(sizes, largest))) bounds.push(largest);
  const indices = new Map(used.map((key, index) => [key, index]));
  return {
    bindings: bounds.map((sizes) => {
      return new Map([
        ...fixed,
        ...names.map((name, dim) => [name, sizes[dim] as number] as const),
      ]);
    }),
    of:
      bounds.length === 1 ? undefined : Int32Array.from(keys, (key) => indices.get(key) as number),
    next: bounds.map((sizes, index) => {
      return bounds.findIndex((others, other) => other > index && holds(others, sizes));
    }),
  };
}

/** Whether a bucket of these sizes holds every example that a bucket of the sizes `others` holds. */
function holds(sizes: readonly number[], others: readonly number[]): boolean {
  return sizes.every((size, dim) => size >= (others[dim] as number));
}

/** Returns the position of the first number of an ascending list that is at least `size`. */
function firstHolding(list: readonly number[], size: number): number {
  let [low, high] = [0, list.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle] as number) < size) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Reads the option `buckets`. Returns the sizes by dimension. */
function readSizes(
  context: string,
  given: BucketSizes,
  ragged: RaggedSizes,
): ReadonlyMap<string, readonly number[]> {
  const names = [...ragged.keys()];
  const known = names.map((name) => `'${name}'`).join(', ');
  if (names.length === 0) {
    throw new ValueError(
      `${context}: buckets: the dataset has no list of examples with a named dimension, so no minibatch is padded`,
    );
  }
  if (isList(given) && names.length > 1) {
    throw new ValueError(
      `${context}: buckets: the examples have the dimensions ${known}: expected { ${names.map((name) => `${name}: […]`).join(', ')} }, but received a list`,
    );
  }
  const lists = isList(given)
    ? ([[names[0] as string, given]] as const)
    : assertRecord(
        given as Readonly<Record<string, readonly number[]>>,
        `${context}: buckets must be a list of sizes, or a record of such lists by dimension,`,
      );
  return new Map(
    lists.map(([name, list]) => {
      const sizes = ragged.get(name);
      if (sizes === undefined) {
        throw new ValueError(
          `${context}: buckets: '${name}' is not a dimension in which examples differ (these are ${known})`,
        );
      }
      return [name, checkedSizes(`${context}: buckets of '${name}'`, name, list, sizes)];
    }),
  );
}

function checkedSizes(
  context: string,
  name: string,
  given: readonly number[],
  sizes: Int32Array,
): readonly number[] {
  const list = assertList(given, `${context}: expected a list of sizes,`);
  list.forEach((size, index) => {
    const least = index === 0 ? 1 : (list[index - 1] as number) + 1;
    if (Number.isSafeInteger(size) && size >= least) return;
    throw new ValueError(
      `${context}: expected positive integers in ascending order, but number ${index} is ${describeValue(size)}`,
    );
  });
  const last = list.at(-1);
  if (last === undefined) throw new ValueError(`${context}: expected at least one size`);
  const long = sizes.findIndex((size) => size > last);
  if (long >= 0) {
    throw new ShapeError(
      `${context}: the largest size is ${last}, but '${name}' is ${sizes[long]} in example ${long}`,
    );
  }
  return list;
}

/**
 * Returns at most `most` sizes to which examples are padded. Of all such lists, it returns one with the least padding, in
 * which each size is for at least `least` examples (if there are so many). A size is at least 1.
 */
export function chosenSizes(sizes: Int32Array, most: number, least: number): readonly number[] {
  const longest = sizes.reduce((a, b) => Math.max(a, b), 1);
  const unit = Math.ceil(longest / mostChoices);
  const counts = new Map<number, number>();
  for (const size of sizes) {
    const rounded = Math.min(longest, Math.max(1, Math.ceil(size / unit)) * unit);
    counts.set(rounded, (counts.get(rounded) ?? 0) + 1);
  }
  const choices = [...counts.keys()].sort((a, b) => a - b);
  const upTo = [0]; // upTo[n]: the number of examples that the first n choices hold
  for (const choice of choices) upTo.push((upTo.at(-1) as number) + (counts.get(choice) as number));
  const between = (first: number, end: number) => (upTo[end] as number) - (upTo[first] as number);
  // For each choice, the best list that ends with it, for the examples that it holds. First the lists of one size, then
  // those of two, and so on: the best list of n sizes continues a best list of n - 1.
  let best: Choice[] = choices.map((choice, index) => {
    return { padded: choice * between(0, index + 1), sizes: [choice] };
  });
  let found = best.at(-1) as Choice;
  for (let count = 2; count <= Math.min(most, choices.length); count++) {
    best = choices.map((choice, index) => {
      let chosen: Choice = { padded: Infinity, sizes: [] };
      for (let last = 0; last < index; last++) {
        const own = between(last + 1, index + 1);
        const enough = own >= least && (count > 2 || between(0, last + 1) >= least);
        const { padded, sizes } = best[last] as Choice;
        if (enough && padded + choice * own < chosen.padded) {
          chosen = { padded: padded + choice * own, sizes: [...sizes, choice] };
        }
      }
      return chosen;
    });
    const last = best.at(-1) as Choice;
    if (last.padded < found.padded) found = last;
  }
  return found.sizes;
}

/** Sizes, and the steps that all examples have together if each is padded to one of them. */
interface Choice {
  readonly padded: number;
  readonly sizes: readonly number[];
}
