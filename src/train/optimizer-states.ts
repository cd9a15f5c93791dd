/**
 * Adapts a checkpoint to parameters that were frozen or unfrozen since it was written. The checkpoint then has states of
 * optimizers for parameters that are no longer trained, or lacks them for parameters that are trained now.
 */

import type { Updates } from '../evaluate/updates.js';
import type { Variable } from '../graph/leaf.js';

/** The state of one parameter, or a state that the parameters of a rule share, by the parts of its name. */
interface StateName {
  /** What the names of all states of the same rule have in common. It begins with the name of the optimizer and '/'. */
  readonly rule: string;
  /** The name of the parameter; undefined for a shared state. */
  readonly parameter: string | undefined;
}

const ofParameter = /^(.+\/\d+(?:\.\d+)*\.)\w+\.\w+\/(.+)$/;
const shared = /^(.+\/\d+(?:\.\d+)*\.)\w+(?:\.position)?$/;
const ofEarlierNames = /^(.+)\.((?:adam|sgd)\d*)\.(?:m|v|largest|velocity)$/;
const earlierStep = /^(.+)\.((?:adam|sgd)\d*)\.step$/;

/** Returns the parts of the name of a state of an optimizer; undefined for other names. */
function stateName(name: string): StateName | undefined {
  const own = ofParameter.exec(name);
  if (own) return { rule: own[1] as string, parameter: own[2] };
  const earlier = ofEarlierNames.exec(name);
  if (earlier) return { rule: `${earlier[2]} by parameter`, parameter: earlier[1] };
  const counter = earlierStep.exec(name);
  if (counter) return { rule: `${counter[2]} by parameter`, parameter: undefined };
  const common = shared.exec(name);
  return common ? { rule: common[1] as string, parameter: undefined } : undefined;
}

/** Returns whether all parameters of a rule of `groups` were frozen when the checkpoint was written. */
function wasFrozen(
  rule: string,
  stored: readonly StateName[],
  asked: readonly StateName[],
  inFile: ReadonlySet<string>,
): boolean {
  const optimizer = rule.slice(0, rule.lastIndexOf('/') + 1);
  const others = stored.filter((state) => optimizer !== '' && state.rule.startsWith(optimizer));
  const known = new Set(others.map(({ parameter }) => parameter));
  const own = asked.flatMap((state) => (state.rule === rule ? (state.parameter ?? []) : []));
  return (
    others.length > 0 &&
    own.length > 0 &&
    others.every((state) => state.rule !== rule) &&
    own.every((parameter) => inFile.has(parameter) && !known.has(parameter))
  );
}

/**
 * Returns the leaves of updates by their names in a checkpoint, and the names in the checkpoint that are ignored.
 *
 * - A state in the checkpoint is ignored if it belongs to a parameter that the updates read but do not train, or to a rule
 *   that has only such parameters.
 * - A state that the checkpoint lacks keeps its value if the checkpoint has other states of its rule, but none for its
 *   parameter.
 * - All states of a rule keep their values if the checkpoint has states of the other rules of its optimizer, but none of
 *   this rule and none for its parameters: all parameters of the rule were frozen.
 * - The counter `FIRST.adam.step` is found under the name of another parameter.
 */
export function adaptedTo(
  names: readonly string[],
  leaves: ReadonlyMap<string, Variable>,
  updates: Updates,
): { wanted: ReadonlyMap<string, Variable>; ignored: ReadonlySet<string> } {
  const written = new Set(updates.map(([leaf]) => leaf));
  const inFile = new Set(names);
  const states = (of: Iterable<string>) =>
    [...of].flatMap((name) => {
      const parts = stateName(name);
      return parts === undefined ? [] : [{ name, ...parts }];
    });
  const [stored, asked] = [states(inFile), states(leaves.keys())];
  const rules = new Set(asked.map(({ rule }) => rule));
  const frozen = (name: string | undefined) => {
    const leaf = leaves.get(name ?? '');
    return leaf !== undefined && !written.has(leaf);
  };
  const untrained = new Set([...rules].filter((rule) => wasFrozen(rule, stored, asked, inFile)));
  const ignored = new Set<string>();
  const wanted = new Map(leaves);
  for (const { name, rule, parameter } of stored) {
    if (leaves.has(name)) continue;
    const alone = parameter === undefined && !rules.has(rule);
    const others = stored.filter((state) => state.rule === rule && state.parameter !== undefined);
    if (alone ? others.every((state) => frozen(state.parameter)) : frozen(parameter)) {
      ignored.add(name);
    }
  }
  for (const { name, rule, parameter } of asked) {
    if (inFile.has(name)) continue;
    if (untrained.has(rule)) wanted.delete(name);
    const ofRule = stored.filter((state) => state.rule === rule);
    if (parameter !== undefined) {
      const known = ofRule.some((state) => state.parameter === parameter);
      if (ofRule.length > 0 && !known && inFile.has(parameter)) wanted.delete(name);
    } else if (earlierStep.test(name)) {
      const counters = ofRule.filter((one) => earlierStep.test(one.name) && !leaves.has(one.name));
      const [only] = counters;
      if (only === undefined || counters.length > 1) continue;
      wanted.set(only.name, leaves.get(name) as Variable);
      wanted.delete(name);
    }
  }
  return { wanted, ignored };
}
