/** `optimize` builds the updates of one training step by a rule. `rates` and `averages` return nodes of such updates. */

import { describeValue } from '../arguments/describe.js';
import { filledText } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { backward } from '../autodiff/backward.js';
import { differentiatedNodes, type Gradients, isGradients } from '../autodiff/gradients.js';
import { GraphError, ValueError } from '../errors.js';
import { checkUpdates, type Updates } from '../evaluate/updates.js';
import { noteTrained } from '../graph/frozen.js';
import type { Variable } from '../graph/leaf.js';
import { isNode, type Node } from '../graph/node.js';
import { restricted, sideUpdates } from '../graph/side-updates.js';
import { sub } from '../ops/index.js';
import { Build, Context, type Naming } from './context.js';
import { Factor } from './factor.js';
import { Flow } from './flow.js';
import { madeFor, noteMade } from './made.js';
import { namesByRule } from './naming.js';
import { applyRule, assertRule, type Rule } from './rule.js';
import { type Trainable, type Trainables, trainablesIn } from './trainables.js';

const optimizeOptions = declareOptions('optimize', {
  /**
   * The name with which the names of the states begin; 'optimizer' by default. Two optimizers of one program need
   * different names: `compile` refuses two leaves of one name, such as two counters of steps. `adamW(loss, …)`,
   * `lion(loss, …)`, `rmsProp(loss, …)` and `adagrad(loss, …)` use the default name.
   */
  name: optional(filledText, 'scope', 'prefix'),
});

/** Options of `optimize`. */
export interface OptimizeOptions extends OptionsOf<typeof optimizeOptions> {}

/**
 * Returns the updates of one training step by a rule: [leaf, next value] pairs of the parameters, of the states of the
 * rule, and of the side updates of the loss. Frozen parameters are left out.
 *
 * A state of the parameter PARAMETER is named `NAME/INDEX.KIND.PART/PARAMETER`, as in
 * `optimizer/0.adam.m/net.norm.weight`, where INDEX is the index of the rule in `groups`, and 0 without groups. A state
 * that all parameters of a rule share is named `NAME/INDEX.KIND`, as in `optimizer/0.step`, the counter of steps.
 *
 * @param lossOrGradients a scalar loss, or gradients that `backward` returned
 * @param trainables a module, a parameter, or a list of them
 * @throws GraphError if the loss is not a node, if an element of `trainables` is not a parameter, if two parameters have
 *   the same name, or if no gradient reaches a parameter; ShapeError or DTypeError if the loss is not a floating-point
 *   scalar; ValueError if there is nothing to train because `trainables` is empty or everything is frozen, if `rule` is
 *   not a rule, or if an option is unknown or invalid
 */
export function optimize(
  lossOrGradients: Node | Gradients,
  trainables: Trainables,
  rule: Rule,
  options?: OptimizeOptions,
): Updates {
  const { name = 'optimizer' } = optimizeOptions.read(options);
  return updatesBy('optimize', lossOrGradients, trainables, rule, () =>
    namesByRule('optimize', name),
  );
}

/** Builds the updates. @param namingOf returns the names of the states, given the parameters */
export function updatesBy(
  optimizer: string,
  lossOrGradients: Node | Gradients,
  trainables: Trainables,
  rule: Rule,
  namingOf: (trained: readonly Trainable[]) => Naming,
): Updates {
  if (!isGradients(lossOrGradients) && !isNode(lossOrGradients)) {
    const rest = optimizer === 'optimize' ? 'trainables, rule' : 'parameters, options';
    throw new GraphError(
      `${optimizer}: expected a loss (a node) or its gradients, but received ${describeValue(lossOrGradients)}; write ${optimizer}(loss, ${rest})`,
    );
  }
  const trained = trainablesIn(optimizer, trainables);
  assertRule(rule, optimizer);
  const gradients = isGradients(lossOrGradients) ? lossOrGradients : backward(lossOrGradients);
  const factor = new Factor(1);
  const flows = trained.map(({ parameter, path }) => {
    if (!gradients.reaches(parameter)) {
      throw new GraphError(
        `${optimizer}: no gradient reaches ${parameter}: every path from it to the loss is stopped`,
      );
    }
    return new Flow(parameter, path, [{ factor, value: gradients.of(parameter) }]);
  });
  const build = new Build(namingOf(trained));
  const context = new Context(build);
  const moved = applyRule(rule, context, flows);
  const own = build.finish(context, moved, ({ parameter, value }) => sub(parameter, value));
  const roots = isGradients(lossOrGradients)
    ? differentiatedNodes(lossOrGradients)
    : [lossOrGradients];
  const beside = sideUpdates(...roots).map(
    ([leaf, next]) =>
      [leaf, restricted(leaf, next, (next) => build.guarded({ leaf, next, context }))] as const,
  );
  const updates = [...own, ...beside];
  noteMade(own, build);
  noteTrained(trained.map(({ parameter }) => parameter));
  return updates;
}

/**
 * Returns the learning rates of updates as float64 nodes of shape []: one for each rule that has a rate, in their order.
 * Their values are the rates with which a run trains. The list may contain other updates, too.
 * @throws ValueError or GraphError if `updates` is not a list of updates
 */
export function rates(updates: Updates): readonly Node[] {
  return [...madeFor(checkUpdates(updates))].flatMap(({ rates }) => rates);
}

/**
 * Returns the averages that `averageWeights` keeps, by parameter, for `substitute`. The list may contain other updates, too.
 * @throws ValueError if the updates have no averages, or if `updates` is not a list of updates; GraphError if the pairs
 *   are not updates
 */
export function averages(updates: Updates): Map<Variable, Node> {
  const found = new Map<Variable, Node>();
  for (const made of madeFor(checkUpdates(updates))) {
    for (const [parameter, average] of made.averages) found.set(parameter, average);
  }
  if (found.size > 0) return found;
  throw new ValueError(
    'averages: these updates have no averages; build them with averageWeights: optimize(loss, trainables, averageWeights(rule, { decay }))',
  );
}
