/** Modules: what models are made of. A module has variables and other modules in its fields, and a method `forward`. */

import { types } from 'node:util';
import { brand, describeValue } from '../arguments/describe.js';
import { callback, checkedLater, filledText, seedNumber } from '../arguments/kinds.js';
import {
  declareOptions,
  type Kind,
  type OptionsOf,
  optional,
  required,
} from '../arguments/options.js';
import { assertList, assertRecord, isList, isRecord } from '../arguments/read.js';
import { GraphError, ValueError } from '../errors.js';
import { withinLayer } from '../graph/calls.js';
import type { Shape } from '../graph/dimension.js';
import { freezeAll, isFrozen, unfreezeAll } from '../graph/frozen.js';
import { initializer, type LeafOptions, parameter, state, type Variable } from '../graph/leaf.js';
import { isNode, type Node } from '../graph/node.js';
import { subSeed } from '../graph/seed.js';
import { reachable } from '../graph/topology.js';
import { dtypeName } from '../tensor/dtype.js';
import type { TensorLike } from '../tensor/tensor.js';
import { entriesOf } from './entries.js';
import { heldBy, modulesOf } from './held.js';
import { isModule, noteModule } from './known.js';
import { type Scope, scopeFrom } from './scope.js';

/** The arguments of a function type. */
export type ArgumentsOf<F> = F extends (...args: infer A) => unknown ? A : never;
/** The result of a function type. */
export type ResultOf<F> = F extends (...args: infer _Arguments) => infer R ? R : never;

/**
 * Chooses variables: a function of the variable and of its path relative to the module, or a regular expression that the
 * path must match.
 */
export type Match = ((variable: Variable, path: string) => boolean) | RegExp;

const matchKind: Kind<Match> = {
  expected: 'a function (variable, path) => boolean, or a regular expression',
  accepts: (value) => typeof value === 'function' || types.isRegExp(value),
};

const ownParameterOptions = declareOptions('Module.parameter', {
  /** The shape. */
  shape: required(checkedLater<readonly number[]>('a list of numbers'), 'size', 'dims'),
  /** The initialiser; by default that of the scope. */
  init: optional(initializer, 'initializer'),
  /** The dtype; by default that of the scope, or `float32`. */
  dtype: optional(dtypeName, 'type'),
  /** The seed; by default, it is derived from the name of the parameter and from the seed of the scope. */
  seed: optional(seedNumber),
});

/** Options of the method `parameter` of modules. */
export interface OwnParameterOptions extends OptionsOf<typeof ownParameterOptions> {}

let resultsOf: (module: Module) => readonly Shape[];

/** How deep lists and records in the result of a module are searched for nodes. */
const deepest = 8;

/** The modules whose `forward` is running, from the outermost to the innermost. */
const applying: Module[] = [];

/**
 * The base class of layers and models. A subclass makes its variables and the modules that it consists of in its
 * constructor, keeps them in fields, and defines `forward`:
 *
 * ```ts
 * class Net extends Module {
 *   readonly hidden: Dense;
 *   readonly output: Dense;
 *   constructor(scope: string | Scope) {
 *     super(scope);
 *     this.hidden = new Dense(this.scope('hidden'), { inputs: 784, units: 128, activation: relu });
 *     this.output = new Dense(this.scope('output'), { inputs: 128, units: 10 });
 *   }
 *   forward(x: Node) {
 *     return this.output.apply(this.hidden.apply(x));
 *   }
 * }
 * const logits = new Net('net').apply(x);
 * ```
 *
 * Variables and modules are found in the fields, also in arrays, records and Maps, but not in private fields (`#hidden`).
 */
export abstract class Module {
  static {
    brand<Module>(Module, (module) => `the module ${module}`);
    resultsOf = (module) => module.#results;
  }

  readonly #scope: Scope;
  /** The modules that this one may apply, as `apply` has last seen them. */
  #modules: ReadonlySet<Module> = new Set();
  /** Whether fields hold all modules and variables that the module uses. */
  #checked = false;
  /** The shapes of the nodes that the last application returned. */
  #results: readonly Shape[] = [];
  /** The variables that the methods `parameter` and `state` have made. */
  readonly #made: Variable[] = [];

  /**
   * Makes a module.
   * @param scope the name of the module; or the scope of the module, from the method `scope` of the module above it
   * @throws ValueError if `scope` is neither a scope nor a non-empty string, or if another module has the scope;
   *   GraphError if called as `new Module`
   */
  constructor(scope: string | Scope) {
    if (new.target === Module) {
      throw new GraphError(
        'Module: this class has no instances of its own; extend it, and define the method forward',
      );
    }
    this.#scope = scopeFrom(new.target.name, scope);
    this.#scope.claim(this);
    noteModule(this);
  }

  /**
   * Frees the scope of a module that cannot be constructed: another module can have it, with other options, for example.
   * The constructors of all layers call this if they throw. It matters for scopes that are kept:
   *
   *     constructor(scope: string | Scope, options: Options) {
   *       super(scope);
   *       try {
   *         …
   *       } catch (cause) {
   *         this.abandon();
   *         throw cause;
   *       }
   *     }
   */
  protected abandon(): void {
    this.#scope.abandon(this);
  }

  /** The full name of the module, such as `net.blocks.0`. The names of its variables begin with this name. */
  get name(): string {
    return this.#scope.path;
  }

  /**
   * Returns the scope `key` below that of the module.
   * @throws ValueError if `key` is not a non-empty string without dots
   */
  scope(key: string): Scope {
    return this.#scope.scope(key);
  }

  /** The scope of the module itself, with the dtype, the seed and the initialiser that its parameters inherit. */
  protected get ownScope(): Scope {
    return this.#scope;
  }

  /**
   * Makes a parameter of the module, named `NAME.key`. Keep it in a field.
   * @throws ValueError if `key` is not a non-empty string, if an option is unknown or invalid, or if neither the options
   *   nor the scope have an initialiser; ShapeError if the shape is not valid; DTypeError if `dtype` is not a dtype
   */
  protected parameter(key: string, options: OwnParameterOptions): Variable {
    const name = this.#nameOf(key, 'parameter');
    const read = ownParameterOptions.read(options, `${this} parameter`);
    const init = read.init ?? this.#scope.init;
    if (init === undefined) {
      throw new ValueError(`${this} parameter: '${key}' needs an initialiser: the option init`);
    }
    const made = parameter(name, {
      shape: read.shape,
      init,
      dtype: read.dtype ?? this.#scope.dtype ?? 'float32',
      seed: read.seed ?? subSeed(this.#scope.seed, name),
    });
    this.#made.push(made);
    return made;
  }

  /**
   * Makes a state of the module, named `NAME.key`. Keep it in a field.
   * @throws ValueError if `key` is not a non-empty string; DTypeError, ShapeError or ValueError as `state` does
   */
  protected state(key: string, value: TensorLike, options?: LeafOptions): Variable {
    const made = state(this.#nameOf(key, 'state'), value, options);
    this.#made.push(made);
    return made;
  }

  #nameOf(key: string, method: string): string {
    if (filledText.accepts(key)) return `${this.name}.${key}`;
    throw new ValueError(
      `${this} ${method}: expected a key (${filledText.expected}), but received ${describeValue(key)}`,
    );
  }

  /** Builds the graph of the module. Subclasses define it; users call `apply`. */
  abstract forward(...inputs: never[]): unknown;

  /**
   * Applies the module: calls `forward`. Errors of ops in `forward`, and of runs that compute them, name the module. All
   * applications of a module share its variables.
   * @throws GraphError if no field holds a module that it uses, or a variable that it has made, because nothing would
   *   train or save it; any error that `forward` throws
   */
  apply(...inputs: ArgumentsOf<this['forward']>): ResultOf<this['forward']> {
    const forward = this.forward as (...inputs: unknown[]) => unknown;
    return this.within(() => forward.apply(this, inputs), inputs) as ResultOf<this['forward']>;
  }

  /**
   * Calls `build`, which applies parts of the module, and returns its result. Methods besides `forward` that build graphs
   * use it, so that errors of ops name the module.
   * @param inputs the operands, if `build` applies the whole module: `summary` then shows the shape of the result
   * @throws GraphError if no field holds a module or a variable that the module uses; ValueError if `build` is not a
   *   function; any error that `build` throws
   */
  protected within<T>(build: () => T, inputs?: readonly unknown[]): T {
    if (!callback().accepts(build)) {
      throw new ValueError(
        `${this} within: expected a function that builds a graph, but received ${describeValue(build)}`,
      );
    }
    this.#scope.confirm(this);
    this.#assertHeld();
    applying.push(this);
    try {
      const result = withinLayer(this.constructor.name, this.name, build);
      if (!this.#checked) this.#assertTrained(nodesIn(result, deepest));
      if (inputs !== undefined) this.#results = nodesIn(result, 1).map(({ shape }) => shape);
      return result;
    } finally {
      applying.pop();
    }
  }

  /** The variables of the module and of all modules below it, by their paths relative to the module. */
  entries(): Map<string, Variable> {
    return entriesOf(this);
  }

  /** The parameters of the module and of all modules below it, in the order of their fields. */
  get parameters(): Variable[] {
    return [...this.entries().values()].filter(({ kind }) => kind === 'parameter');
  }

  /** The states of the module and of all modules below it, in the order of their fields. */
  get states(): Variable[] {
    return [...this.entries().values()].filter(({ kind }) => kind === 'state');
  }

  /** The modules that the fields of the module hold, in the order of the fields. */
  get children(): Module[] {
    return heldBy(this).flatMap(({ value }) => (isModule(value) ? [value] : []));
  }

  /**
   * Freezes parameters: optimizers whose updates are built later do not train them.
   * @param match chooses parameters; by default, all parameters of the module and of all modules below it
   * @throws StateError if updates of an optimizer that were built before train one of them; ValueError if `match` is neither a function
   *   nor a regular expression
   */
  freeze(match?: Match): void {
    freezeAll(this.#chosen(match, 'freeze'), `${this} freeze`);
  }

  /**
   * Undoes `freeze`. Updates that were built before are not changed.
   * @param match chooses parameters; by default, all parameters of the module and of all modules below it
   * @throws ValueError if `match` is neither a function nor a regular expression
   */
  unfreeze(match?: Match): void {
    unfreezeAll(this.#chosen(match, 'unfreeze'));
  }

  /** Whether the module has parameters, and all of them are frozen. */
  get frozen(): boolean {
    const { parameters } = this;
    return parameters.length > 0 && parameters.every(isFrozen);
  }

  /** Returns the class and the name, as in `[Dense 'net.hidden']`. */
  toString(): string {
    return `[${this.constructor.name} '${this.name}']`;
  }

  #chosen(match: Match | undefined, method: string): Variable[] {
    if (match !== undefined && !matchKind.accepts(match)) {
      throw new ValueError(
        `${this} ${method}: expected ${matchKind.expected}, but received ${describeValue(match)}`,
      );
    }
    return [...this.entries()].flatMap(([path, variable]) =>
      variable.kind === 'parameter' && matches(match, variable, path) ? [variable] : [],
    );
  }

  /** Checks that a field holds this module, if others apply it. @throws GraphError if none does */
  #assertHeld(): void {
    if (applying.length === 0 || applying.some((outer) => outer.#modules.has(this))) return;
    // Fields may have been set since the outer module was applied first.
    if (!applying.some((outer) => outer.#look().has(this))) throw unheld(applying.at(-1), this);
  }

  /**
   * Checks that fields hold the modules below the scope of this module and the variables that it has made, if the graph
   * of its result uses them.
   * @throws GraphError if one is not held
   */
  #assertTrained(results: readonly Node[]): void {
    const modules = this.#look();
    const variables = new Set(heldBy(this).map(({ value }) => value));
    const lost = [
      ...(this.#scope.owners() as Module[]).filter((module) => !modules.has(module)),
      ...this.#made.filter((variable) => !variables.has(variable)),
    ];
    if (lost.length > 0) {
      const used = new Set(reachable(results));
      const uses = (one: Module | Variable) =>
        isModule(one) ? [...entriesOf(one).values()].some((own) => used.has(own)) : used.has(one);
      const found = lost.find(uses);
      if (found !== undefined) throw unheld(this, found);
    }
    this.#checked = true;
  }

  #look(): ReadonlySet<Module> {
    this.#modules = modulesOf(this);
    return this.#modules;
  }
}

function matches(match: Match | undefined, variable: Variable, path: string): boolean {
  if (match === undefined) return true;
  // `search` does not depend on `lastIndex`, which a regular expression with the flag g changes.
  return typeof match === 'function' ? match(variable, path) : path.search(match) >= 0;
}

function unheld(outer: Module | undefined, lost: Module | Variable): GraphError {
  const whose = isModule(lost) ? 'its variables' : 'it';
  return new GraphError(
    `${outer}: no field holds ${lost}, so ${whose} would be neither trained nor saved; keep it in a field that is not private (#), or in an array, a record or a Map in such a field`,
  );
}

/** Returns the nodes in the result of a module: the result itself, or those in its lists and records, to a depth. */
function nodesIn(value: unknown, depth: number): Node[] {
  if (isNode(value)) return [value];
  if (depth === 0) return [];
  const expected = 'apply: expected a result that can be read,';
  const parts = isList(value)
    ? assertList(value, expected)
    : isRecord(value)
      ? assertRecord(value, expected).map(([, part]) => part)
      : [];
  return parts.flatMap((part) => nodesIn(part, depth - 1));
}

/** Returns the shapes of the nodes that the last application of a module returned. */
export function lastResults(module: Module): readonly Shape[] {
  return resultsOf(module);
}
