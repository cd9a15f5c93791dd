/** Scopes: the paths of modules, with what the modules below inherit. */

import { brand, describeValue } from '../arguments/describe.js';
import { filledText, seedNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { ValueError } from '../errors.js';
import { type Initializer, initializer } from '../graph/leaf.js';
import { type DType, dtypeName } from '../tensor/dtype.js';

const scopeOptions = declareOptions('scope', {
  /** The dtype of the parameters below; `float32` by default. */
  dtype: optional(dtypeName, 'type'),
  /**
   * The seed of the parameters below. By default, seeds are derived from the names of the parameters and from the seed
   * that `setSeed` set.
   */
  seed: optional(seedNumber),
  /** The initialiser of the weights below; by default, each layer has its own. */
  init: optional(initializer, 'initializer'),
});

/** Options of `scope`. What a scope does not set, it inherits from the scope above. */
export interface ScopeOptions extends OptionsOf<typeof scopeOptions> {}

let isOurs: (value: object) => boolean;

/** A module that has a scope. */
interface Owner {
  readonly module: object;
  /** How many scopes had been given to modules before this one. */
  readonly order: number;
  /**
   * Whether a module below this one could not be constructed, so that the constructor of this one may have thrown, too.
   * Then another module may get the scope.
   */
  doubtful: boolean;
}

let claims = 0;

/**
 * A path, such as `net.blocks.0`, with the dtype, seed and initialiser that modules below it inherit. A module has a
 * scope of its own, and gives the scopes below it to the modules that it consists of.
 */
export class Scope {
  static {
    brand<Scope>(Scope, (scope) => `the scope '${scope.path}'`);
    isOurs = (value) => #below in value;
  }

  /** The path, with dots between its parts. */
  readonly path: string;
  /** The dtype of the parameters below; undefined if no scope above sets it. */
  readonly dtype: DType | undefined;
  /** The seed of the parameters below; undefined if no scope above sets it. */
  readonly seed: number | undefined;
  /** The initialiser of the weights below; undefined if no scope above sets it. */
  readonly init: Initializer | undefined;
  /** The scopes below this one, by their keys. */
  readonly #below = new Map<string, Scope>();
  /** The scope of which this one is below; undefined for the scope of a model. */
  readonly #above: Scope | undefined;
  /** The module that has this scope. */
  #owner: Owner | undefined;

  /**
   * Users call `scope`, and not this constructor.
   * @throws ValueError if `path` is not a non-empty string, or if an option is unknown or invalid
   * @internal
   */
  constructor(path: string, options?: ScopeOptions, above?: Scope) {
    if (!filledText.accepts(path)) {
      throw new ValueError(
        `scope: expected a path (${filledText.expected}), but received ${describeValue(path)}`,
      );
    }
    const read = scopeOptions.read(options, `scope '${path}'`);
    this.path = path;
    this.#above = above;
    this.dtype = read.dtype ?? above?.dtype;
    this.seed = read.seed ?? above?.seed;
    this.init = read.init ?? above?.init;
  }

  /**
   * Returns the scope `key` below this one. Every call with the same key returns the same scope.
   * @param options what the new scope sets itself; only the first call with a key may have options
   * @throws ValueError if `key` is not a non-empty string without dots, if an option is unknown or invalid, or if the
   *   scope exists already and options are given
   */
  scope(key: string, options?: ScopeOptions): Scope {
    if (!filledText.accepts(key) || key.includes('.')) {
      throw new ValueError(
        `scope '${this.path}': expected a key (a non-empty string without dots), but received ${describeValue(key)}`,
      );
    }
    const known = this.#below.get(key);
    if (known !== undefined && options !== undefined) {
      throw new ValueError(
        `scope '${known.path}': it exists already, so its options cannot be set; give them where it is first used`,
      );
    }
    if (known !== undefined) return known;
    const made = new Scope(`${this.path}.${key}`, options, this);
    this.#below.set(key, made);
    return made;
  }

  /**
   * Returns the scope with the number `index` below this one.
   * @throws ValueError if `index` is not a non-negative integer
   */
  at(index: number): Scope {
    if (!Number.isSafeInteger(index) || index < 0) {
      throw new ValueError(
        `scope '${this.path}' at: expected a non-negative integer, but received ${describeValue(index)}`,
      );
    }
    return this.scope(`${index}`);
  }

  /**
   * Gives the scope to a module. A scope has at most one.
   * @throws ValueError if another module has it
   * @internal
   */
  claim(module: object): void {
    if (this.#owner?.doubtful === false) throw this.#taken(this.#owner.module, module);
    this.#free();
    this.#owner = { module, order: claims++, doubtful: false };
  }

  /**
   * Takes the scope from a module whose constructor throws, and the scopes below it from the modules that this
   * constructor has made. The constructors of the modules above probably throw the same error. That is known only if
   * they are never applied, so until then their scopes may be claimed again.
   * @internal
   */
  abandon(module: object): void {
    if (this.#owner?.module !== module) return;
    this.#free();
    for (let scope = this.#above; scope; scope = scope.#above) {
      if (scope.#owner) scope.#owner.doubtful = true;
    }
  }

  /**
   * Records that the constructor of a module has returned, because the module is applied.
   * @throws ValueError if another module has got the scope
   * @internal
   */
  confirm(module: object): void {
    const owner = this.#owner;
    if (owner === undefined) return;
    if (owner.module !== module) throw this.#taken(owner.module, module);
    owner.doubtful = false;
  }

  /** Takes the scope from its module, and those below from the modules that got theirs after it. */
  #free(): void {
    const owner = this.#owner;
    if (owner) this.#freeSince(owner.order);
  }

  #freeSince(order: number): void {
    if (this.#owner && this.#owner.order >= order) this.#owner = undefined;
    for (const scope of this.#below.values()) scope.#freeSince(order);
  }

  #taken(owner: object, module: object): ValueError {
    return new ValueError(
      `scope '${this.path}': ${describeKind(owner)} has this scope already, so ${describeKind(module)} cannot have it; give each module a key of its own`,
    );
  }

  /**
   * Returns the modules with scopes below this one.
   * @internal
   */
  owners(): object[] {
    return [...this.#below.values()].flatMap((scope) => [
      ...(scope.#owner === undefined ? [] : [scope.#owner.module]),
      ...scope.owners(),
    ]);
  }

  /** Returns the path. */
  toString(): string {
    return this.path;
  }
}

function describeKind(module: object): string {
  return `a ${module.constructor.name}`;
}

/** Returns whether `value` is a scope that this copy of forebay made. Never throws. */
export function isScope(value: unknown): value is Scope {
  return typeof value === 'object' && value !== null && isOurs(value);
}

/**
 * Returns a scope for a model: a path, with the dtype, seed and initialiser that all its modules inherit.
 * @throws ValueError if `path` is not a non-empty string, or if an option is unknown or invalid
 */
export function scope(path: string, options?: ScopeOptions): Scope {
  return new Scope(path, options);
}

/**
 * Returns the scope of a module that is being constructed.
 * @throws ValueError if `given` is neither a scope nor a non-empty string
 */
export function scopeFrom(kind: string, given: unknown): Scope {
  if (isScope(given)) return given;
  if (filledText.accepts(given)) return new Scope(given as string);
  throw new ValueError(`${kind}: expected a name or a scope, but received ${describeValue(given)}`);
}
