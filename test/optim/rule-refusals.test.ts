// What rules, optimizers and schedules refuse, with the beginning of each error.
import { describe, expect, it } from 'vitest';
import {
  accumulate,
  adam,
  adamW,
  averageWeights,
  chain,
  clipGlobalNorm,
  type ForebayError,
  GraphError,
  groups,
  optimize,
  ShapeError,
  scaleByRate,
  schedules,
  sgd,
  state,
  tensor,
  ValueError,
} from '../../src/index.js';
import { errorOf } from '../support.js';
import { fedProblem } from './problems.js';

describe('rules refuse', () => {
  const { w, loss } = fedProblem();
  const odd = (value: unknown) => value as never;
  it.each<[string, () => unknown, new (m: string) => ForebayError, string]>([
    [
      'lr',
      () => optimize(loss, w, adamW(odd({ lr: 1 }))),
      ValueError,
      "adamW: there is no option 'lr'; did you mean 'rate'?",
    ],
    [
      'an unknown option of optimize',
      () => optimize(loss, w, adam(), odd({ nam: 'a' })),
      ValueError,
      "did you mean 'name'",
    ],
    ['no rule', () => optimize(loss, w, odd(undefined)), ValueError, 'optimize: expected a rule'],
    [
      'options in place of a rule',
      () => optimize(loss, w, odd({ rate: 1 })),
      ValueError,
      'expected a rule, such as adam({ rate: 0.001 }), but received an object { rate }',
    ],
    [
      'a state in a list',
      () => optimize(loss, [w, state('old', 1)], adam()),
      GraphError,
      "expected parameters, but received [state 'old']",
    ],
    [
      'a state',
      () => sgd(loss, odd(state('old', 1)), { rate: 1 }),
      GraphError,
      'optimizers do not train states',
    ],
    ['an empty list', () => optimize(loss, [], adam()), ValueError, 'at least one parameter'],
    [
      'lists without parameters',
      () => optimize(loss, [[], []], adam()),
      ValueError,
      'at least one parameter',
    ],
    [
      'no loss',
      () => optimize(odd(null), w, adam()),
      GraphError,
      'write optimize(loss, trainables, rule)',
    ],
    [
      'a rule in place of what is trained',
      () => optimize(loss, odd(adam()), adam()),
      ValueError,
      'but received the rule chain(scaleByAdam, scaleByRate)',
    ],
    [
      'a rate that is bool',
      () => scaleByRate(state('rate', tensor(1, { dtype: 'bool' }))),
      ValueError,
      '(of any dtype but bool)',
    ],
    ['an empty chain', () => chain(), ValueError, 'at least one rule'],
    ['a chain of numbers', () => chain(odd(1)), ValueError, 'chain: expected a rule'],
    [
      'a limit of 0',
      () => clipGlobalNorm(0),
      ValueError,
      'clipGlobalNorm: expected a finite number greater than 0',
    ],
    [
      'nesterov without momentum',
      () => sgd({ rate: 1, nesterov: true }),
      ValueError,
      'nesterov needs a momentum',
    ],
    [
      '0 gradients',
      () => accumulate(0, adam()),
      ValueError,
      'accumulate: expected a number of gradients (a positive integer)',
    ],
    [
      'an average without decay',
      () => averageWeights(adam(), odd({})),
      ValueError,
      'averageWeights: decay must be',
    ],
    [
      'a parameter without a group',
      () => optimize(loss, w, groups([[() => false, adam()]])),
      ValueError,
      "[parameter 'w'] (path 'w') belongs to no group",
    ],
    [
      'a rule for all others before the end',
      () => groups(odd([adam(), adam()])),
      ValueError,
      'only the last rule may be for all others',
    ],
    ['no groups', () => groups([]), ValueError, 'groups: expected a list'],
    [
      'a group without a function',
      () => groups(odd([['trunk', adam()]])),
      ValueError,
      'but received [the string "trunk", …] in it',
    ],
    [
      'a rate that returns a number',
      () => optimize(loss, w, sgd({ rate: odd(() => 1) })),
      GraphError,
      'optimize: the rate: expected the function to return a node',
    ],
    [
      'a rate of two elements',
      () => sgd(loss, w, { rate: () => w }),
      ShapeError,
      "sgd: the rate: expected the function to return a node of shape [], but [parameter 'w'] has shape [2]",
    ],
    [
      'a warm-up that is too long',
      () => schedules.cosine({ peak: 1, warmup: 5, total: 5 }),
      ValueError,
      'warmup must be less than total',
    ],
    [
      'boundaries that do not increase',
      () => schedules.piecewise({ boundaries: [3, 3], rates: [1, 2, 3] }),
      ValueError,
      'boundaries must increase',
    ],
    [
      'too few rates',
      () => schedules.piecewise({ boundaries: [3], rates: [1] }),
      ValueError,
      '1 boundaries and 1 rates',
    ],
  ])('%s', (_what, call, error, message) => {
    expect(errorOf(call)).toBeInstanceOf(error);
    expect(errorOf(call).message).toContain(message);
  });
});
