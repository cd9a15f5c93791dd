/** Rules for sums. */

import type { Rule } from '../../../ir/rule.js';
import { numberOf, type Ref, showsAll, type Value } from '../../../ir/value.js';
import { equalLists } from '../../../ir/view.js';
import { repeatedMap } from './map.js';

const zeroTerm: Rule = {
  name: 'simplify: zero term',
  matches: 'a sum, some of whose terms are 0',
  gives: 'the sum of the other terms',
  exact: 'x + 0 is x, except for the sign of a zero: -0 + 0 is 0',
  kernel: undefined,
  apply: ({ dtype, shape, args, node }, build) => {
    if (!args.some(isZero)) return undefined;
    const others = args.filter((term) => !isZero(term));
    return build.sum(dtype, shape, others, node);
  },
};

function isZero(term: Ref): boolean {
  return numberOf(term) === 0;
}

const oneTerm: Rule = {
  name: 'simplify: sum of one term',
  matches: 'a sum of one term',
  gives: 'the term',
  exact: 'nothing is added',
  kernel: undefined,
  apply: ({ args }) => (args.length === 1 ? args[0] : undefined),
};

const sumOfNumbers: Rule = {
  name: 'simplify: sum of numbers',
  matches: 'a sum whose terms are numbers',
  gives: 'a number',
  exact: 'the numbers are added by the same kernel in the same order',
  kernel: undefined,
  apply: ({ dtype, shape, args, node }, build) => {
    if (!args.every((term) => numberOf(term) !== undefined)) return undefined;
    const [first, ...others] = args as readonly [Ref, ...Ref[]];
    return others.reduce(
      (total, term) => build.map('add', dtype, shape, [total, term], node),
      first,
    );
  },
};

const sumOfAssembled: Rule = {
  name: 'simplify: sum of assembled values',
  matches: 'a sum of assembled values whose blocks have the same positions and shapes',
  gives: 'a value that is assembled from sums of blocks',
  exact: 'every element is the sum of the same terms',
  kernel: undefined,
  apply: ({ args, node }, build) => {
    const { value: first } = args[0] as Ref;
    const { starts } = first.details;
    if (!starts || !args.every((term) => isAssembledLike(first, term))) return undefined;
    const blocks = starts.map((start, i) => {
      const { shape } = first.args[i] as Ref;
      const terms = args.map((term) => term.value.args[i] as Ref);
      return { start, ref: build.sum(first.dtype, shape, terms, node) };
    });
    return build.assemble(first.dtype, first.shape, blocks, node);
  },
};

/** Whether a term is a whole assembled value without gaps whose blocks are where those of `first` are. */
function isAssembledLike(first: Value, term: Ref): boolean {
  const { kind, args, details } = term.value;
  return (
    kind === 'assemble' &&
    !details.adds &&
    !details.gaps &&
    showsAll(term) &&
    equalLists(term.shape, first.shape) &&
    args.length === first.args.length &&
    args.every(
      (block, i) =>
        equalLists(block.shape, (first.args[i] as Ref).shape) &&
        equalLists(
          details.starts?.[i] as readonly number[],
          first.details.starts?.[i] as readonly number[],
        ),
    )
  );
}

export const sumRules: readonly Rule[] = [
  zeroTerm,
  oneTerm,
  sumOfNumbers,
  sumOfAssembled,
  repeatedMap,
];
