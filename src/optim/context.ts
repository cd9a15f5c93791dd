/** What the rules of one call of `optimize` share: the names of their states, the counters of steps, and conditions. */

import { state, type Variable } from '../graph/leaf.js';
import type { Node } from '../graph/node.js';
import { add, where } from '../ops/index.js';
import { Tensor, tensor } from '../tensor/tensor.js';
import { allOf, impliedBy } from './conditions.js';
import type { Flow } from './flow.js';
import { type Rate, rateAt } from './rate.js';

/** How the states of an optimizer are named. */
export interface Naming {
  /** The beginning of error messages. */
  readonly context: string;
  /** Returns the name of a state that all parameters of a rule share. `index` is the index of the rule. */
  shared(index: string, label: string): string;
  /** Returns the name of a state of one parameter. */
  of(index: string, label: string, part: string, parameter: Variable): string;
}

/** A leaf, its next value, and the context of the rule that writes it. */
interface Write {
  readonly leaf: Variable;
  readonly next: Node;
  readonly context: Context;
  /** The context whose requirements do not apply to this write. */
  readonly except?: Context | undefined;
}

/** A condition without which a step is skipped. */
interface Requirement {
  readonly context: Context;
  readonly holds: Node;
}

/** Says which steps the rules within a context really make: those in which a position is n - 1. */
export interface Gate {
  /** Whether this is such a step. */
  readonly last: Node;
  /** The position, from 0 to n - 1, which each step of the outer context increases. */
  readonly position: Variable;
  readonly n: number;
}

/** The steps that the rules of a context have made: `step` counts them, and the gates count the steps between them. */
export interface Counter {
  readonly step: Variable;
  /** The gates, from the innermost to the outermost. */
  readonly gates: readonly Gate[];
}

/** The results of building the graph of a rule. */
export class Build {
  /** The rates, in the order of the rules. */
  readonly rates: Node[] = [];
  /** The averaged value of each parameter that has one. */
  readonly averages = new Map<Variable, Variable>();
  /** The counters of the rules that may skip steps. */
  readonly skipping = new Set<Counter>();
  readonly #labels = new Map<string, number>();
  readonly #shared: Write[] = [];
  readonly #own = new Map<Variable, Write[]>();
  readonly #requirements: Requirement[] = [];
  readonly #afterwards: ((flow: Flow, next: Node) => void)[] = [];
  readonly #conditions = new Map<string, Node | undefined>();

  constructor(readonly naming: Naming) {}

  /** Returns a label that no other rule with the same index has. */
  label(index: string, kind: string): string {
    const key = `${index} ${kind}`;
    const count = this.#labels.get(key) ?? 0;
    this.#labels.set(key, count + 1);
    return count === 0 ? kind : `${kind}${count + 1}`;
  }

  share(write: Write): void {
    this.#shared.push(write);
  }

  write(parameter: Variable, write: Write): void {
    const writes = this.#own.get(parameter) ?? [];
    this.#own.set(parameter, writes);
    writes.push(write);
  }

  require(requirement: Requirement): void {
    this.#requirements.push(requirement);
  }

  /** Calls `then` for each parameter, with its next value, when all directions are known. */
  after(then: (flow: Flow, next: Node) => void): void {
    this.#afterwards.push(then);
  }

  /**
   * Returns the updates: first those of the states that parameters share, then for each flow those of its states and
   * that of its parameter, which `next` returns.
   */
  finish(
    context: Context,
    flows: readonly Flow[],
    next: (flow: Flow) => Node,
  ): (readonly [Variable, Node])[] {
    const moved = flows.map((flow) => {
      const write = { leaf: flow.parameter, next: next(flow), context };
      return { flow, write, final: this.guarded(write) };
    });
    for (const then of this.#afterwards) for (const { flow, final } of moved) then(flow, final);
    const pair = (write: Write) => [write.leaf, this.guarded(write)] as const;
    return [
      ...this.#shared.map(pair),
      ...moved.flatMap(({ flow, write, final }) => [
        ...(this.#own.get(flow.parameter) ?? []).map(pair),
        [write.leaf, final] as const,
      ]),
    ];
  }

  /** Returns the value that is written to a leaf: its old value in a step in which it must not change. */
  guarded({ leaf, next, context, except }: Write): Node {
    const applying = this.#requirements.filter(
      (requirement) => except === undefined || !requirement.context.isWithin(except),
    );
    const conditions = [
      ...context.conditions,
      ...applying.map(({ context, holds }) => impliedBy(context.conditions, holds)),
    ];
    const key = conditions.map(({ id }) => id).join(' ');
    if (!this.#conditions.has(key)) this.#conditions.set(key, allOf(conditions));
    const all = this.#conditions.get(key);
    return all === undefined ? next : where(all, next, leaf);
  }
}

/** The place of a rule in the rules of an optimizer. */
export class Context {
  /** The conditions under which the rule makes a step. */
  readonly conditions: readonly Node[];
  #counter: (Counter & { readonly next: Node }) | undefined;

  constructor(
    readonly build: Build,
    private readonly index: string | undefined = undefined,
    private readonly outer?: Context,
    private readonly gate?: Gate,
  ) {
    this.conditions = [...(outer?.conditions ?? []), ...(gate ? [gate.last] : [])];
  }

  /** The index in names of states. Rules around `groups` share the index 0 with the first group, and so its labels. */
  get #printed(): string {
    return this.index ?? '0';
  }

  /** The beginning of error messages. */
  get name(): string {
    return this.build.naming.context;
  }

  /** Returns the context of the rule with the number `index` of several rules. */
  at(index: number): Context {
    const inner = this.index === undefined ? `${index}` : `${this.index}.${index}`;
    return new Context(this.build, inner, this);
  }

  /** Returns the context of a rule that makes only some of the steps. */
  gated(gate: Gate): Context {
    return new Context(this.build, this.index, this, gate);
  }

  isWithin(other: Context): boolean {
    return this === other || (this.outer?.isWithin(other) ?? false);
  }

  /** The counter of the steps of the rule: a float64 state of shape []. It is 0 at the first step. */
  get step(): Variable {
    return this.#counted().step;
  }

  /** The counter after the step. */
  get nextStep(): Node {
    return this.#counted().next;
  }

  #counted() {
    if (this.#counter === undefined) {
      const step = this.sharedState(this.label('step'));
      const next = add(step, 1);
      this.#counter = { step, next, gates: this.gates };
      this.share(step, next);
    }
    return this.#counter;
  }

  /** The gates around the rule, from the innermost to the outermost. */
  get gates(): readonly Gate[] {
    return [...(this.gate ? [this.gate] : []), ...(this.outer?.gates ?? [])];
  }

  /** Returns a label for states of a kind. */
  label(kind: string): string {
    return this.build.label(this.#printed, kind);
  }

  /** Makes a state that all parameters of the rule share: 0, in float64. */
  sharedState(label: string): Variable {
    const name = this.build.naming.shared(this.#printed, label);
    return state(name, tensor(0, { dtype: 'float64' }));
  }

  /** Makes a state of one parameter, with its shape and dtype, whose elements are `first`. */
  state({ parameter }: Flow, label: string, part: string, first: number | Tensor = 0): Variable {
    const { dtype, value } = parameter;
    const name = this.build.naming.of(this.#printed, label, part, parameter);
    if (typeof first !== 'number') return state(name, first);
    return state(name, Tensor.full(value.shape, first, { dtype }));
  }

  /** Writes the next value of a state that all parameters share. */
  share(leaf: Variable, next: Node, except?: Context): void {
    this.build.share({ leaf, next, context: this, except });
  }

  /** Writes the next value of a state of one parameter. */
  write({ parameter }: Flow, leaf: Variable, next: Node, except?: Context): void {
    this.build.write(parameter, { leaf, next, context: this, except });
  }

  /** Skips each step in which a condition does not hold: parameters and states keep their values. */
  require(holds: Node): void {
    this.build.skipping.add(this.#counted());
    this.build.require({ context: this, holds });
  }

  /** Returns a rate as a number or a node. */
  scalar(rate: Rate): number | Node {
    return typeof rate === 'function' ? rateAt(rate, this.step, this.name) : rate;
  }
}
