/** Compares the instructions of a program for several sizes of a dimension, and finds which numbers grow with the size. */

import type { Bindings } from '../../graph/dimension.js';
import { Constant } from '../../graph/leaf.js';
import type { Pace, Sliced } from '../../graph/sliced.js';
import type { Formula } from '../../ir/builder.js';
import { equalLists } from '../../ir/view.js';
import type { Instruction } from '../../primitives/index.js';
import type { Specialised } from '../specialise.js';

/** How a number grows: what each unit of the size adds, and what a size of the other parity adds. */
export interface Growth {
  readonly each: number;
  readonly parity: number;
}

/** Returns how the number grows that has these values, one for each size; undefined if it does not grow in this way. */
export type GrowthOf = (values: readonly number[]) => Growth | undefined;

/** What a specialisation gives, divided into the list of instructions, which may be long, and the rest. */
export interface Parts {
  readonly list: readonly Instruction[];
  readonly rest: Omit<Specialised['instructions'], 'list'> & Pick<Specialised, 'valueBytes'>;
}

export function partsOf({ instructions: { list, ...rest }, valueBytes }: Specialised): Parts {
  return { list, rest: { ...rest, valueBytes } };
}

/** An object, or a list, whose keys are its indices. */
type Fields = Readonly<Record<string, unknown>>;

export class Comparison {
  /** The numbers that grow, by the object or list of the first size that has them, and by key. */
  readonly growths = new Map<object, Map<string, Growth>>();
  /** The objects, lists and constants of the first size in which something changes with the size. */
  readonly changed = new Set<object>();
  /** For each object of the first size that was compared, those of the other sizes. */
  readonly #partners = new Map<object, readonly unknown[]>();
  /** For each memory of another size, that of the first size. */
  readonly #owners = new Map<unknown, object>();
  #alike = true;

  /**
   * @param bindings the bindings with the sizes
   * @param formulas the formulas of constants of the first size
   */
  constructor(
    private readonly bindings: readonly Bindings[],
    private readonly formulas: ReadonlyMap<Constant, Formula>,
    private readonly growthOf: GrowthOf,
  ) {}

  /** Returns whether the parts, one for each size, differ in nothing but numbers that grow and constants with formulas. */
  *run(parts: readonly Parts[], pace: Pace): Sliced<boolean> {
    const [{ list }] = parts as readonly [Parts];
    if (!parts.every((other) => other.list.length === list.length)) return false;
    for (let i = 0; i < list.length && this.#alike; i++) {
      this.#compare(parts.map((other) => other.list[i]));
      if (pace.due(8)) yield;
    }
    this.#compare(parts.map(({ rest }) => rest));
    return this.#alike;
  }

  /** Compares values that are no numbers. Returns whether something in them changes. */
  #compare(values: readonly unknown[]): boolean {
    const [first] = values;
    if (first instanceof Constant) return this.#compareConstants(first, values);
    if (!values.some((other) => !Object.is(other, first))) return false;
    if (!this.#alike || !values.every((other) => isSameKind(other, first))) return this.#differ();
    const own = first as object;
    const partners = this.#partners.get(own);
    if (partners?.every((other, i) => other === values[i])) return this.changed.has(own);
    if (isMemory(own) && (partners || !this.#claim(own, values))) return this.#differ();
    if (!partners) this.#partners.set(own, values);
    const changes =
      own instanceof Map
        ? this.#compareMaps(values as ReadonlyMap<unknown, unknown>[])
        : this.#compareFields(values as Fields[], partners !== undefined);
    if (changes) this.changed.add(own);
    return changes;
  }

  #differ(): false {
    this.#alike = false;
    return false;
  }

  /** Notes to which memory of the first size the memories belong. Returns false if one belongs to another one. */
  #claim(own: object, values: readonly unknown[]): boolean {
    for (const other of values) {
      if ((this.#owners.get(other) ?? own) !== own) return false;
      this.#owners.set(other, own);
    }
    return true;
  }

  /** A constant with a formula changes, even if it is the same for all these sizes. */
  #compareConstants(first: Constant, values: readonly unknown[]): boolean {
    const partners = this.#partners.get(first);
    if (partners?.every((other, i) => other === values[i])) return this.changed.has(first);
    if (partners && !partners.every((other, i) => hasElementsOf(other, values[i])))
      return this.#differ();
    this.#partners.set(first, values);
    const formula = this.formulas.get(first);
    const isKnown = (other: unknown, i: number) =>
      hasElementsOf(formula ? formula(this.bindings[i] as Bindings) : first, other);
    if (!values.every(isKnown)) return this.#differ();
    if (formula) this.changed.add(first);
    return formula !== undefined;
  }

  #compareMaps(values: readonly ReadonlyMap<unknown, unknown>[]): boolean {
    const pairs = values.map((map) => [...map].flat());
    const first = pairs[0] as readonly unknown[];
    let changes = false;
    for (const [i, one] of first.entries()) {
      const all = pairs.map((list) => list[i]);
      if (typeof one === 'number' && all.some((other) => other !== one)) return this.#differ();
      if (typeof one !== 'number' && this.#compare(all)) changes = true;
    }
    return changes;
  }

  /** @param again whether the first object was compared with others before */
  #compareFields(values: readonly Fields[], again: boolean): boolean {
    const [first] = values as readonly [Fields];
    const keys = Object.keys(first);
    let changes = false;
    for (const key of keys) {
      // The nodes of an instruction only have names for errors and profiles. Nodes of an expansion may be made again.
      if (key === 'nodes') continue;
      const all = values.map((other) => other[key]);
      const isNumber = typeof first[key] === 'number';
      if (isNumber ? this.#compareNumbers(first, key, all, again) : this.#compare(all))
        changes = true;
    }
    const isComplete = values.every((other) => Object.keys(other).length === keys.length);
    return isComplete ? changes : this.#differ();
  }

  /** Returns whether a number grows. It must grow as before, if it was compared before: lists are shared. */
  #compareNumbers(owner: object, key: string, values: readonly unknown[], again: boolean): boolean {
    const [first] = values;
    const changes = values.some((other) => !Object.is(other, first));
    const growth = changes ? this.growthOf(values as number[]) : undefined;
    if (changes && !growth) return this.#differ();
    const known = this.growths.get(owner)?.get(key);
    if (again) {
      const isKnown = known?.each === growth?.each && known?.parity === growth?.parity;
      return isKnown ? changes : this.#differ();
    }
    if (!growth) return false;
    const growths = this.growths.get(owner) ?? new Map<string, Growth>();
    this.growths.set(owner, growths);
    growths.set(key, growth);
    return true;
  }
}

/** Whether both are lists, or both are maps of the same size, or both are objects without a class. */
function isSameKind(other: unknown, first: unknown): boolean {
  if (typeof first !== 'object' || typeof other !== 'object' || !first || !other) return false;
  if (Array.isArray(first)) return Array.isArray(other) && other.length === first.length;
  if (first instanceof Map) return other instanceof Map && other.size === first.size;
  const plain = Object.prototype;
  return Object.getPrototypeOf(first) === plain && Object.getPrototypeOf(other) === plain;
}

/** Whether an object is a `Memory`, which instructions compare by its identity. */
function isMemory(value: object): boolean {
  return 'leaf' in value && 'length' in value;
}

function hasElementsOf(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (!(one instanceof Constant && other instanceof Constant)) return false;
  const { value: a } = one;
  const { value: b } = other;
  if (a.dtype !== b.dtype || !equalLists(a.shape, b.shape)) return false;
  for (let i = 0; i < a.size; i++) if (!Object.is(a.data[i], b.data[i])) return false;
  return true;
}
