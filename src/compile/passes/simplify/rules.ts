/**
 * The rules of simplification. The builder applies them to each value and each view that any pass makes, so they need
 * no traversal of their own: a value that a rule replaces is never made. Two more steps of simplification belong to the
 * builder: it merges equal values, and composes views of views.
 */

import type { Rules } from '../../../ir/rule.js';
import { assembleRules, viewRules } from './assemble.js';
import { mapRules } from './map.js';
import { productRules } from './product.js';
import { columnSumRules, reduceRules } from './reduce.js';
import { routineRules } from './routine.js';
import { sumRules } from './sum.js';

export const rules: Rules = {
  values: {
    map: mapRules,
    sum: sumRules,
    product: productRules,
    columnSum: columnSumRules,
    reduce: reduceRules,
    assemble: assembleRules,
    routine: routineRules,
  },
  views: viewRules,
};
