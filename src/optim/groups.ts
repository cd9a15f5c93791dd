/** `groups`: different rules for different parameters. */

import { describeValue } from '../arguments/describe.js';
import { assertList, isList } from '../arguments/read.js';
import { ValueError } from '../errors.js';
import { type Chooses, choice } from './chain.js';
import type { Flow } from './flow.js';
import { applyRule, assertRule, isRule, Rule } from './rule.js';

/** Rules with functions that choose their parameters. The last element may be a rule for all other parameters. */
export type Groups = readonly (readonly [chooses: Chooses, rule: Rule] | Rule)[];

interface Group {
  readonly chooses: Chooses | undefined;
  readonly rule: Rule;
}

/**
 * Returns a rule that applies another rule to each group of parameters. A parameter belongs to the first group whose
 * function returns true for it; a rule without a function, as the last element, is for all others:
 *
 *     groups([[(p, path) => path.startsWith('trunk.'), adam({ rate: 1e-5 })], adam({ rate: 1e-3 })])
 *
 * The states of a group are named by its index. A group may have no parameters. `clipGlobalNorm` in the rule of a group
 * computes the norm over this group. If it is not finite, the step is skipped for all groups.
 * @throws ValueError if `list` is not such a list, or is empty. `optimize` throws a ValueError if a parameter belongs to
 *   no group; errors of the functions are passed on
 */
export function groups(list: Groups): Rule {
  const expected = 'groups: expected a list of [(parameter, path) => boolean, rule] pairs';
  const given = assertList(list, `${expected},`);
  if (given.length === 0) throw new ValueError(`${expected}, but received an empty list`);
  const all = given.map((group, index) => groupOf(group, index === given.length - 1, expected));
  const text = all.map(({ rule }) => rule).join(', ');
  return new Rule(`groups(${text})`, (context, flows) => {
    const members = all.map((): Flow[] => []);
    for (const flow of flows) {
      const index = all.findIndex(
        ({ chooses }) => chooses === undefined || Boolean(chooses(flow.parameter, flow.path)),
      );
      if (index < 0) {
        throw new ValueError(
          `${context.name}: groups: ${flow.parameter} (path '${flow.path}') belongs to no group; add a rule for all others as the last element, or freeze it`,
        );
      }
      members[index]?.push(flow);
    }
    const moved = all.flatMap(({ rule }, index) => {
      const own = members[index] as Flow[];
      return own.length === 0 ? [] : applyRule(rule, context.at(index), own);
    });
    const by = new Map(moved.map((flow) => [flow.parameter, flow]));
    return flows.map(({ parameter }) => by.get(parameter) as Flow);
  });
}

function groupOf(group: Groups[number], last: boolean, expected: string): Group {
  if (isRule(group)) {
    if (last) return { chooses: undefined, rule: group };
    throw new ValueError(
      `${expected}, but received ${describeValue(group)} without a function before the last element; only the last rule may be for all others`,
    );
  }
  if (!isList(group))
    throw new ValueError(`${expected}, but received ${describeValue(group)} in it`);
  const pair = assertList<unknown>(group, `${expected}, and in it a pair`);
  const [chooses, rule] = pair;
  if (pair.length !== 2 || !choice.accepts(chooses)) {
    const what = pair.length === 2 ? `[${describeValue(chooses)}, …]` : describeValue(pair);
    throw new ValueError(`${expected}, but received ${what} in it`);
  }
  return { chooses: chooses as Chooses, rule: assertRule(rule, 'groups') };
}
