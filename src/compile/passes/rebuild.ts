/** Makes new values from old values, with a builder, and applies the changes of a pass. */

import { finished, type Sliced, sorted } from '../../graph/sliced.js';
import type { Builder } from '../../ir/builder.js';
import { byId, type Ref, showsAll, type Value } from '../../ir/value.js';
import { equalLists } from '../../ir/view.js';
import { valueRecord } from '../../primitives/index.js';

/**
 * Rebuilds the values on which roots depend. A value that no rule and no change replaces is not copied: it gets the
 * replacements of its operands, and a new id (`Builder.remake`). So a pass must collect all facts that it stores by id
 * before it rebuilds the first value.
 */
export class Rebuilder {
  /**
   * The replacement of each value that has been rebuilt, indexed by the id that the value had before. Values with larger
   * ids have been made, or made again, since then.
   */
  readonly #made: (Ref | undefined)[];

  /**
   * @param change returns the replacement of a value. If it returns undefined or is left out, the same value is made of
   *   the replacements of the operands
   * @param read returns the replacement of a use of a value. If it returns undefined or is left out, the same view of
   *   the value's replacement is used
   * @param needs returns a value that `change` reads in addition to the operands, which must therefore be rebuilt first
   */
  constructor(
    readonly build: Builder,
    private readonly change?: (value: Value) => Ref | undefined,
    private readonly read?: (ref: Ref) => Ref | undefined,
    private readonly needs?: (value: Value) => Value | undefined,
  ) {
    this.#made = byId(build.end);
  }

  /**
   * Rebuilds all values on which the roots depend, and returns the replacements of the roots. `order` is the list that
   * `reachable` returns for the roots; without it, the list is made here.
   */
  *run(roots: readonly Ref[], order?: readonly Value[]): Sliced<Ref[]> {
    const { pace } = this.build;
    yield* this.#inOrder(order ?? (yield* this.build.valuesOf(roots)));
    const rebuilt: Ref[] = [];
    for (const root of roots) {
      rebuilt.push(this.ref(root));
      if (pace.due()) yield;
    }
    return rebuilt;
  }

  /** Rebuilds these values and all values on which they depend. */
  *values(values: readonly Value[]): Sliced<void> {
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as Value;
      if (!this.#isUnmade(value)) continue;
      if (this.#needsUnmade(value)) yield* this.#ahead(value);
      else this.#make(value);
      if (this.build.pace.due(1 + value.args.length)) yield;
    }
  }

  /** Returns the replacement of a value. If the value or its operands have not been rebuilt, rebuilds them. */
  value(value: Value): Ref {
    if (value.id >= this.#made.length) return value.whole;
    const known = this.#made[value.id];
    if (known) return known;
    if (this.#needsUnmade(value)) finished(this.#ahead(value));
    return this.#make(value);
  }

  /** Rebuilds these values in their order. The operands of each must be rebuilt already or precede it. */
  *#inOrder(values: readonly Value[]): Sliced<void> {
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as Value;
      const needed = this.needs?.(value);
      if (needed) yield* this.values([needed]);
      this.#make(value);
      if (this.build.pace.due(1 + value.args.length)) yield;
    }
  }

  #make(value: Value): Ref {
    const { id } = value;
    if (id >= this.#made.length) return value.whole;
    const known = this.#made[id];
    if (known) return known;
    const made = this.change?.(value) ?? this.#same(value);
    this.#made[id] = made;
    return made;
  }

  #isUnmade({ id }: Value): boolean {
    return id < this.#made.length && !this.#made[id];
  }

  /** Whether a value that must be rebuilt before this one has not been rebuilt. */
  #needsUnmade(value: Value): boolean {
    const { args } = value;
    for (let i = 0; i < args.length; i++) if (this.#isUnmade((args[i] as Ref).value)) return true;
    const needed = this.needs?.(value);
    return needed !== undefined && this.#isUnmade(needed);
  }

  /**
   * Rebuilds the value and its dependencies that are not rebuilt yet. It avoids recursion, because graphs can be deep.
   */
  *#ahead(value: Value): Sliced<void> {
    const { pace } = this.build;
    const found = new Set([value]);
    for (const { args } of found) {
      for (let i = 0; i < args.length; i++) {
        const operand = (args[i] as Ref).value;
        if (this.#isUnmade(operand)) found.add(operand);
      }
      if (pace.due(1 + args.length)) yield;
    }
    yield* this.#inOrder(yield* sorted([...found], (a, b) => a.id - b.id, pace));
  }

  /** Sets the replacement of a value. */
  set(value: Value, ref: Ref): void {
    this.#made[value.id] = ref;
  }

  /** Returns the replacement of a use of a value. */
  ref(ref: Ref): Ref {
    const { value, shape } = ref;
    const changed = this.read?.(ref);
    if (changed) return changed;
    const made = this.value(value);
    if (made.value === value) return ref;
    if (showsAll(ref) && equalLists(shape, made.shape)) return made;
    return this.build.through(ref, made, value.node);
  }

  /** Returns the same value, made of the replacements of its operands. */
  #same(value: Value): Ref {
    const { args } = value;
    let replaced: Ref[] | undefined;
    for (let i = 0; i < args.length; i++) {
      const arg = args[i] as Ref;
      const made = this.ref(arg);
      if (made === arg) continue;
      replaced ??= [...args];
      replaced[i] = made;
    }
    return replaced
      ? this.build.remake(value, replaced, valueRecord(value).rebuild)
      : this.build.following(value);
  }

  /** Returns the same value, made of these operands, which have the elements of its operands. */
  of(value: Value, args: readonly Ref[]): Ref {
    return args.every((arg, i) => arg === value.args[i])
      ? this.build.following(value)
      : this.build.remake(value, args, valueRecord(value).rebuild);
  }
}
