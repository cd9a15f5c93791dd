/**
 * Templates: the instructions of a program as a function of the size of one dimension.
 *
 * The sizes, strides and offsets in instructions are polynomials of the dimensions, because the dimensions of a graph
 * are, unless they have quotients that are rounded down. As long as the passes decide alike, such a number is a + b n for
 * the size n. If the values of a carry are in two slots by turns, it may be a + b n + c for sizes of one parity.
 * Specialisations for two even and two odd sizes determine a, b and c, and show whether all numbers have this form. The
 * instructions for another size are then a copy with other numbers.
 *
 * The rules that simplify values look at numbers, some of which depend on the size, such as a count of elements. They
 * only ask whether a number is 0, 1, or normal, and whether a bool is true. If that differs for another size, the template
 * is not used.
 */

import type { Bindings } from '../../graph/dimension.js';
import { Constant } from '../../graph/leaf.js';
import type { Pace, Sliced } from '../../graph/sliced.js';
import type { Instruction } from '../../primitives/index.js';
import { smallestNormal } from '../../tensor/dtype.js';
import type { Specialised } from '../specialise.js';
import { Comparison, type Growth, type GrowthOf, type Parts, partsOf } from './comparison.js';

/** What the passes have made for one size of the dimension. */
export interface Sample {
  readonly size: number;
  readonly bindings: Bindings;
  readonly made: Specialised;
}

const noGrowth: Growth = { each: 0, parity: 0 };

export class Template {
  private constructor(
    private readonly first: Sample,
    private readonly parts: Parts,
    private readonly changes: Pick<Comparison, 'growths' | 'changed'>,
  ) {}

  /**
   * Returns the template of samples, of which two have even and two have odd sizes; undefined if their instructions
   * differ in more than such numbers.
   */
  static *of(samples: readonly Sample[], pace: Pace): Sliced<Template | undefined> {
    const [first] = samples as readonly [Sample];
    const parts = samples.map(({ made }) => partsOf(made));
    const bindings = samples.map((sample) => sample.bindings);
    const comparison = new Comparison(bindings, first.made.formulas, growthIn(samples));
    if (!(yield* comparison.run(parts, pace))) return undefined;
    const { growths, changed } = comparison;
    return new Template(first, parts[0] as Parts, { growths, changed });
  }

  /** Whether the rules see the same in the constants for another size. */
  suits(bindings: Bindings): boolean {
    for (const [known, formula] of this.first.made.formulas)
      if (aspectOf(known) !== aspectOf(formula(bindings))) return false;
    return true;
  }

  /** Returns the instructions for another size, without formulas. `bindings` has this size. */
  *at(size: number, bindings: Bindings, pace: Pace): Sliced<Specialised> {
    const copied = this.#copying(size - this.first.size, bindings);
    const list: Instruction[] = [];
    for (const instruction of this.parts.list) {
      list.push(copied(instruction) as Instruction);
      if (pace.due(4)) yield;
    }
    const { valueBytes, ...rest } = copied(this.parts.rest) as Parts['rest'];
    return { instructions: { ...rest, list }, valueBytes, formulas: new Map() };
  }

  /** Returns whether the template gives what the passes have made. */
  *gives({ size, bindings, made }: Sample, pace: Pace): Sliced<boolean> {
    const own = yield* this.at(size, bindings, pace);
    const equal: GrowthOf = ([a, b]) => (a === b ? noGrowth : undefined);
    const comparison = new Comparison([bindings, bindings], new Map(), equal);
    return yield* comparison.run([partsOf(own), partsOf(made)], pace);
  }

  /** Returns a function that copies values, whose size is larger by `more`. Parts that do not change are shared. */
  #copying(more: number, bindings: Bindings): (value: unknown) => unknown {
    const { growths, changed } = this.changes;
    const { formulas } = this.first.made;
    const isOther = more % 2 !== 0;
    const copies = new Map<object, unknown>();
    const fieldsOf = (fields: object, copy: Record<string, unknown>) => {
      for (const key of Object.keys(copy)) copy[key] = copied(copy[key]);
      for (const [key, { each, parity }] of growths.get(fields) ?? [])
        copy[key] = (copy[key] as number) + each * more + (isOther ? parity : 0);
      return copy;
    };
    const copyOf = (value: object): unknown => {
      if (value instanceof Constant) return formulas.get(value)?.(bindings);
      if (value instanceof Map) return new Map([...value].map(([k, v]) => [copied(k), copied(v)]));
      const copy = Array.isArray(value) ? [...value] : { ...value };
      return fieldsOf(value, copy as Record<string, unknown>);
    };
    const copied = (value: unknown): unknown => {
      if (typeof value !== 'object' || value === null || !changed.has(value)) return value;
      const known = copies.get(value) ?? copyOf(value);
      copies.set(value, known);
      return known;
    };
    return copied;
  }
}

/** Returns what the rules see in a constant: what its first and its last element are. */
function aspectOf({ value: { data, size, dtype } }: Constant): string {
  const of = (element: number) => {
    if (Object.is(element, -0)) return '-0';
    if (element === 0 || element === 1) return `${element}`;
    return Number.isFinite(element) && Math.abs(element) >= smallestNormal[dtype]
      ? 'normal'
      : 'other';
  };
  return size === 0 ? 'none' : `${of(data[0] as number)} ${of(data[size - 1] as number)}`;
}

/** Returns how numbers grow in samples, of which two have even and two have odd sizes. */
function growthIn(samples: readonly Sample[]): GrowthOf {
  const [first] = samples as readonly [Sample];
  const more = samples.map(({ size }) => size - first.size);
  const isOther = more.map((difference) => difference % 2 !== 0);
  const alike = isOther.indexOf(false, 1);
  const other = isOther.indexOf(true);
  return (values) => {
    const start = values[0] as number;
    const grown = (i: number) => (values[i] as number) - start;
    const each = grown(alike) / (more[alike] as number);
    const parity = grown(other) - each * (more[other] as number);
    const isExact = (value: number, i: number) =>
      value === start + each * (more[i] as number) + (isOther[i] ? parity : 0);
    if (!Number.isSafeInteger(each) || !Number.isSafeInteger(parity)) return undefined;
    return values.every(isExact) ? { each, parity } : undefined;
  };
}
