/** `lora`: adds products of small matrices to the weights of a module, and trains these. */

import { types } from 'node:util';
import { describeValue } from '../arguments/describe.js';
import { checkedLater, positiveNumber, seedNumber } from '../arguments/kinds.js';
import {
  declareOptions,
  type Kind,
  type OptionsOf,
  optional,
  required,
} from '../arguments/options.js';
import { assertList, assertRecord, isList, isRecord } from '../arguments/read.js';
import { ValueError } from '../errors.js';
import { evaluate } from '../evaluate/evaluate.js';
import { freezeForLater } from '../graph/frozen.js';
import { constant, initializer, type Variable } from '../graph/leaf.js';
import { isNode, type Node } from '../graph/node.js';
import { substitute } from '../graph/substitute.js';
import { usersOf } from '../graph/users.js';
import { noteBeside } from '../modules/held.js';
import { isModule } from '../modules/known.js';
import { type ArgumentsOf, Module, type ResultOf } from '../modules/module.js';
import type { Scope } from '../modules/scope.js';
import { add, matmul, mul, reshape, transpose } from '../ops/index.js';
import { isFloating } from '../tensor/dtype.js';
import { formatShape, sizeOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { initializers } from './initializers.js';
import { drawn, layerParameter, size } from './layer.js';

/**
 * Chooses the weights that `lora` adds to. A function gets the parameter, its path relative to the module, and its users:
 * the nodes of the ONNX file that read it, such as `Conv 'Conv_12'`, or nothing if the module is not from a file. A regular
 * expression must match the path or one of the users.
 */
export type LoRAMatch =
  | ((parameter: Variable, path: string, users: readonly string[]) => boolean)
  | RegExp;

const matchKind: Kind<LoRAMatch> = {
  expected: 'a function (parameter, path, users) => boolean, or a regular expression',
  accepts: (value) => typeof value === 'function' || types.isRegExp(value),
};

const loraOptions = declareOptions('lora', {
  /** The name or the scope of the module. */
  name: required(checkedLater<string | Scope>('the name or the scope of the module'), 'scope'),
  /** The rank of what is added to each weight; 8 by default. */
  rank: optional(size, 'r'),
  /** What is added is multiplied by alpha / rank. By default alpha is the rank, so that this is 1. */
  alpha: optional(positiveNumber, 'loraAlpha', 'scale'),
  /** Chooses the weights; by default, all parameters with two axes or more. Those with fewer are always left out. */
  match: optional(matchKind, 'targetModules', 'filter'),
  /** The initialiser of `a`; by default that of the scope, or `initializers.kaimingUniform()`. `b` starts at 0. */
  init: optional(initializer, 'initializer'),
  /** The seed of `a`. By default, it is derived from the names and from the seed that `setSeed` set. */
  seed: optional(seedNumber),
});

/** Options of `lora`. */
export interface LoRAOptions extends OptionsOf<typeof loraOptions> {}

/** What `lora` trains for one weight. */
export interface Adapter {
  /** The matrix that reads the inputs of the weight, [inputs, rank]. */
  readonly a: Variable;
  /** The matrix that gives its outputs, [rank, outputs]. It starts at 0. */
  readonly b: Variable;
}

/**
 * Returns a module that computes what `module` computes, with W + alpha / rank * (a b) in place of the weights W that
 * `match` chooses: Hu et al., LoRA, 2021. `a` and `b` have few elements, and b starts at 0, so at first both modules
 * compute the same.
 *
 * ```ts
 * const adapted = lora(trunk, { name: 'lora', rank: 8, match: /query|value/ });
 * const logits = head.apply(adapted.apply(x));
 * const updates = adamW(crossEntropy(logits, label), [head, adapted], { rate: 1e-3 });
 * …
 * save('tuned.safetensors', { head, lora: adapted });
 * ```
 *
 * The parameters of the new module are only the `a` and `b`: optimizers train these, and files have these. Their paths are
 * the path of the weight, followed by `.a` and `.b`. All parameters of `module` become frozen, so that optimizers whose
 * updates are built later do not train them; `module.unfreeze(match)` makes exceptions. `module` itself still computes what
 * it did before.
 *
 * A weight [inputs, outputs], as that of `Dense`, is such a matrix. A weight with more axes is that of a convolution:
 * [outputs, inputs] with the product of all other axes as inputs. If it has three axes and the first has one or two
 * elements, it is that of a recurrent layer in an ONNX file, [directions, outputs, inputs], whose directions share `a`.
 * @throws ValueError if `module` is not a module, if an option is missing, unknown or invalid, if `name` is a scope that
 *   another module has got (plain names are not compared), or if `match` chooses no parameter with two axes or more (the
 *   error lists what there is); any error that `match` throws
 */
export function lora<M extends Module>(module: M, options: LoRAOptions): LoRA<M> {
  if (!isModule(module)) {
    throw new ValueError(`lora: expected a module, but received ${describeValue(module)}`);
  }
  return new LoRA(module, loraOptions.read(options));
}

/** A module whose weights are sums of those of another module and of products of small matrices. `lora` makes it. */
export class LoRA<M extends Module = Module> extends Module {
  /** The matrices, by the paths of their weights relative to the other module. */
  readonly adapters: ReadonlyMap<string, Adapter>;
  // Private, so that the parameters of the other module are not among those of this one.
  readonly #module: M;
  readonly #factor: number;
  #replacements: ReadonlyMap<Variable, Node> | undefined;

  /** Only `lora` calls this constructor. @internal */
  constructor(module: M, { name, rank = 8, alpha = rank, match, init, seed }: LoRAOptions) {
    super(name);
    try {
      const how = drawn(this.ownScope, { init, seed }, initializers.kaimingUniform());
      const weights = [...chosen(`lora '${this.name}'`, module, match)];
      this.adapters = new Map(
        weights.map(([path, { shape, dtype }]) => {
          const { inputs, outputs } = matrixOf(shape as readonly number[]);
          const make = (key: string, sizes: readonly number[], own = how) =>
            layerParameter(this.ownScope, `${path}.${key}`, sizes, { ...own, dtype });
          const a = make('a', [inputs, rank]);
          const b = make('b', [rank, outputs], { ...how, init: initializers.zeros() });
          return [path, { a, b }];
        }),
      );
      this.#module = module;
      this.#factor = alpha / rank;
      noteBeside(this, module);
      freezeForLater(module.parameters);
    } catch (cause) {
      this.abandon();
      throw cause;
    }
  }

  /** The module to whose weights this one adds. */
  get module(): M {
    return this.#module;
  }

  /**
   * Builds the graph of the other module, with the sums in place of its weights. Users call `apply`.
   * @param inputs what `apply` of the other module takes
   * @returns what it returns: a node, or lists and records of nodes
   * @throws ValueError if it returns anything else; any error that it throws
   */
  forward(...inputs: ArgumentsOf<M['forward']>): ResultOf<M['forward']> {
    const result: unknown = this.#module.apply(...inputs);
    const nodes = new Set<Node>();
    // A first walk collects the nodes, because one substitution of all keeps what they share.
    this.#mapped(result, (node) => {
      nodes.add(node);
      return node;
    });
    const old = [...nodes];
    const made = substitute(old, this.#sums());
    const adapted = new Map(old.map((node, index) => [node, made[index] as Node]));
    return this.#mapped(result, (node) => adapted.get(node) as Node) as ResultOf<M['forward']>;
  }

  /**
   * Returns the values that the parameters and states of the other module have together with what this one adds to them, by
   * their paths: `save('merged.safetensors', adapted.merged())` writes a file for `restore(file, module)`. They are tensors,
   * so `save` refuses them under the option `map`. For a file of another library, call `merge` and save the other module
   * with the map.
   * @throws ShapeError or ValueError if the values cannot be computed
   */
  merged(): Record<string, Tensor> {
    const sums = this.#sums();
    const values = [...this.#module.entries()].map(
      ([path, variable]) => [path, sums.get(variable) ?? variable] as const,
    );
    return evaluate(Object.fromEntries(values));
  }

  /**
   * Adds what this module adds to the weights of the other module to these weights themselves, and sets each `b` to 0. So
   * the other module now computes what this one does, without additional work. All values are written at once, also while
   * programs run.
   * @throws NativeError if there is not enough memory for the new values; then nothing is changed
   */
  merge(): void {
    const zeros = [...this.adapters.values()].map(({ b }) => {
      const { shape, dtype } = b.value;
      return [b, constant(Tensor.zeros(shape, { dtype }))] as const;
    });
    evaluate([], {}, { updates: [...this.#sums(), ...zeros] });
  }

  /** Returns the node in place of each weight. All applications share these nodes. */
  #sums(): ReadonlyMap<Variable, Node> {
    this.#replacements ??= this.within(() => {
      const entries = this.#module.entries();
      return new Map(
        [...this.adapters].map(([path, adapter]) => {
          const weight = entries.get(path) as Variable;
          return [weight, add(weight, productOf(adapter, weight.value.shape, this.#factor))];
        }),
      );
    });
    return this.#replacements;
  }

  /** Returns a result of the other module with other nodes. */
  #mapped(value: unknown, change: (node: Node) => Node, depth = 0): unknown {
    if (isNode(value)) return change(value);
    const within = (part: unknown) => this.#mapped(part, change, depth + 1);
    const expected = `${this}: expected a result that can be read,`;
    if (depth < deepest && isList(value)) return assertList(value, expected).map(within);
    if (depth < deepest && isRecord(value)) {
      const entries = assertRecord(value, expected);
      return Object.fromEntries(entries.map(([name, part]) => [name, within(part)]));
    }
    if (value === undefined || value === null) return value;
    throw new ValueError(
      `${this}: expected ${this.#module} to return a node, or lists and records of nodes, but it returned ${describeValue(value)}`,
    );
  }
}

/** How deep the lists and records of a result may be. */
const deepest = 8;

/** A weight as a matrix. */
interface Matrix {
  readonly inputs: number;
  readonly outputs: number;
  /** Whether the outputs are the first axes of the weight, and the inputs the last. */
  readonly outputsFirst: boolean;
}

function matrixOf(shape: readonly number[]): Matrix {
  const [first, second] = shape as readonly [number, number];
  if (shape.length === 2) return { inputs: first, outputs: second, outputsFirst: false };
  const leading = shape.length === 3 && first <= 2 ? 2 : 1;
  return {
    outputs: sizeOf(shape.slice(0, leading)),
    inputs: sizeOf(shape.slice(leading)),
    outputsFirst: true,
  };
}

/** Returns factor * (a b), in the shape of a weight. */
function productOf({ a, b }: Adapter, shape: readonly number[], factor: number): Node {
  const product = matmul(a, b);
  const scaled = factor === 1 ? product : mul(product, factor);
  return matrixOf(shape).outputsFirst ? reshape(transpose(scaled), shape) : scaled;
}

/** @throws ValueError if there is no parameter with two axes or more that `match` chooses */
function chosen(
  context: string,
  module: Module,
  match: LoRAMatch | undefined,
): Map<string, Variable> {
  const all = [...module.entries()].filter(
    ([, { kind, dtype }]) => kind === 'parameter' && isFloating(dtype),
  );
  const found = all.filter(([path, parameter]) => matches(match, parameter, path));
  const weights = found.filter(([, { shape }]) => shape.length >= 2);
  if (weights.length > 0) return new Map(weights);
  if (found.length > 0) {
    throw new ValueError(
      `${context}: match chooses only parameters with less than two axes, which have no matrices of low rank: ${listed(found)}; the others of ${module} are ${listed(all.filter((one) => !found.includes(one)))}`,
    );
  }
  const has = all.length === 0 ? 'has no floating-point parameters' : `has ${listed(all)}`;
  throw new ValueError(`${context}: match chooses no parameter of ${module}, which ${has}`);
}

function matches(match: LoRAMatch | undefined, parameter: Variable, path: string): boolean {
  if (match === undefined) return true;
  const users = usersOf(parameter);
  if (typeof match === 'function') return match(parameter, path, users);
  // `search` does not depend on `lastIndex`, which a regular expression with the flag g changes.
  return [path, ...users].some((text) => text.search(match) >= 0);
}

/** The largest number of parameters in an error. */
const mostListed = 50;

function listed(parameters: readonly (readonly [path: string, parameter: Variable])[]): string {
  if (parameters.length === 0) return 'none';
  const shown = parameters.slice(0, mostListed).map(([path, parameter]) => {
    const users = usersOf(parameter);
    const used = users.length === 0 ? '' : ` of ${users.join(' and ')}`;
    return `'${path}' ${formatShape(parameter.shape)}${used}`;
  });
  const more = parameters.length - shown.length;
  return `${shown.join(', ')}${more > 0 ? `, and ${more} more` : ''}`;
}
