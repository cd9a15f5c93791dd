/** Rules for reductions and column sums. */

import type { Rule } from '../../../ir/rule.js';
import { numberOf, type Ref } from '../../../ir/value.js';
import { count } from '../../../ir/view.js';
import { kernelFacts } from '../../../native/addon.js';

const oneElement: Rule = {
  name: 'simplify: reduction of one element',
  matches: 'a reduction over axes of length 1 to a sum or a maximum',
  gives: 'the operand, in the shape of the result',
  exact: 'the sum or the maximum of one element is this element',
  kernel: undefined,
  apply: ({ shape, args, details, node }, build) => {
    const ref = args[0] as Ref;
    if (count(ref.shape.slice(shape.length)) !== 1) return undefined;
    if (kernelFacts('reduce', details.kernel as string).indexes) return undefined;
    return build.reshape(ref, shape, node);
  },
};

const zeroColumns: Rule = {
  name: 'simplify: column sums of zeros',
  matches: 'the sum of the rows of a matrix of zeros',
  gives: 'zeros',
  exact: '0 + 0 is 0',
  kernel: undefined,
  apply: ({ dtype, shape, args }, build) =>
    numberOf(args[0] as Ref) === 0 ? build.filled(0, dtype, shape) : undefined,
};

export const reduceRules: readonly Rule[] = [oneElement];
export const columnSumRules: readonly Rule[] = [zeroColumns];
