/** The configuration of a layer, as the JSON of a model has it. */

import { describeValue } from '../arguments/describe.js';
import { FormatError } from '../errors.js';

/** A JSON object. */
export type Json = Readonly<Record<string, unknown>>;

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns a member of a JSON object. Members that every object has, such as `constructor`, are not among them. */
export function member(object: Json, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/**
 * Members that say how a layer was made or trained, and how it is computed, but not what it computes. Others that no
 * layer reads are refused, unless they are null or false, because they might change the result.
 */
const harmless =
  /^(name|dtype|trainable|(batch_)?(input_)?shape|batch_size|build_config|module|registered_name|sparse|ragged|optional|autocast|seed|implementation|unroll|use_cudnn|unit_forget_bias|fused|input_(dim|length)|output_dim|.*_(initializer|regularizer|constraint))$/;

/** A configuration. Each layer asks for the members that it reads. */
export class Config {
  readonly #members: Json;
  readonly #read = new Set<string>();

  constructor(members: Json) {
    this.#members = members;
  }

  /** A member as it is; undefined if there is none. */
  raw(key: string): unknown {
    this.#read.add(key);
    return member(this.#members, key);
  }

  /** A member that is neither null nor missing, checked. */
  #get<T, D>(key: string, expected: string, isFit: (value: unknown) => value is T, otherwise: D) {
    const value = this.raw(key);
    if (value === undefined || value === null) return otherwise;
    if (isFit(value)) return value;
    throw new FormatError(`'${key}' must be ${expected}, but is ${describeValue(value)}`);
  }

  /** A whole number from `least`. */
  int<D extends number | undefined>(key: string, otherwise: D, least = 0): number | D {
    const isFit = (value: unknown): value is number =>
      Number.isSafeInteger(value) && (value as number) >= least;
    return this.#get(key, `an integer of at least ${least}`, isFit, otherwise);
  }

  /** A whole number that must be there. */
  needed(key: string, least = 1): number {
    const value = this.int(key, undefined, least);
    if (value !== undefined) return value;
    throw new FormatError(`'${key}' is missing`);
  }

  number(key: string, otherwise: number): number {
    const isFit = (value: unknown): value is number => Number.isFinite(value);
    return this.#get(key, 'a number', isFit, otherwise);
  }

  /** A number from 0 to 1. */
  rate(key: string): number {
    const isFit = (value: unknown): value is number =>
      typeof value === 'number' && value >= 0 && value <= 1;
    return this.#get(key, 'a number from 0 to 1', isFit, 0);
  }

  flag(key: string, otherwise: boolean): boolean {
    const isFit = (value: unknown): value is boolean => typeof value === 'boolean';
    return this.#get(key, 'true or false', isFit, otherwise);
  }

  text<D extends string | undefined>(key: string, otherwise: D): string | D {
    const isFit = (value: unknown): value is string => typeof value === 'string';
    return this.#get(key, 'a text', isFit, otherwise);
  }

  /** A list of integers, or one integer. */
  ints<D extends readonly number[] | undefined>(key: string, otherwise: D): readonly number[] | D {
    const isFit = (value: unknown): value is number | readonly number[] =>
      Number.isSafeInteger(value) || (Array.isArray(value) && value.every(Number.isSafeInteger));
    const found = this.#get(key, 'an integer or a list of integers', isFit, otherwise);
    return typeof found === 'number' ? [found] : found;
  }

  /** One axis, which may be in a list of its own. */
  axis(otherwise: number): number {
    const [axis, ...others] = this.ints('axis', [otherwise]);
    if (axis !== undefined && others.length === 0) return axis;
    throw new FormatError("'axis' must be one axis");
  }

  /** Positive integers, one for each of `count` axes; one number in the configuration is that of all axes. */
  sides<D extends readonly number[] | undefined>(
    key: string,
    count: number,
    otherwise: D,
  ): readonly number[] | D {
    const list = this.ints(key, otherwise);
    if (list === undefined || list === otherwise) return list as D;
    const all = list.length === 1 ? new Array<number>(count).fill(list[0] as number) : list;
    if (all.length === count && all.every((side) => side >= 1 && side < 2 ** 31)) return all;
    throw new FormatError(
      `'${key}' must be a positive integer or a list of ${count}, but is [${list.join(', ')}]`,
    );
  }

  /** Pairs [before, after] for the two axes of an image, from a number, a pair of numbers, or a pair of pairs. */
  borders(key: string, otherwise: number): readonly [Border, Border] {
    const value = this.raw(key) ?? otherwise;
    const isWhole = (side: unknown): side is number =>
      Number.isSafeInteger(side) && (side as number) >= 0 && (side as number) < 2 ** 31;
    const pair = (side: unknown): Border | undefined => {
      if (isWhole(side)) return [side, side];
      const [before, after] = Array.isArray(side) && side.length === 2 ? side : [];
      return isWhole(before) && isWhole(after) ? [before, after] : undefined;
    };
    const [rows, columns] = Array.isArray(value)
      ? value.length === 2
        ? value.map(pair)
        : []
      : [pair(value), pair(value)];
    if (rows !== undefined && columns !== undefined) return [rows, columns];
    throw new FormatError(
      `'${key}' must be a whole number, two of them, or two pairs, but is ${describeValue(value)}`,
    );
  }

  /** The same configuration with another member. */
  with(key: string, change: (given: unknown) => unknown): Config {
    return new Config({ ...this.#members, [key]: change(member(this.#members, key)) });
  }

  /** The members that no one has asked for, and that might change the result. */
  unread(): string[] {
    return Object.entries(this.#members).flatMap(([key, value]) =>
      this.#read.has(key) || value === null || value === false || harmless.test(key) ? [] : [key],
    );
  }
}

/** The numbers of elements at the two sides of an axis. */
export type Border = readonly [before: number, after: number];
