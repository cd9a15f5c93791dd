/** Schedules: learning rates that depend on the number of the step. */

import { describeValue } from '../arguments/describe.js';
import { checkedLater, numberFrom, positiveNumber, wholeNumber } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional, required } from '../arguments/options.js';
import { assertList } from '../arguments/read.js';
import { ValueError } from '../errors.js';
import { constant } from '../graph/leaf.js';
import { isNode, type Node } from '../graph/node.js';
import { add, cast, cos, div, greater, minimum, mul, pow, sub, where } from '../ops/index.js';

/** A learning rate that is a function of the step: a node of shape [], which is 0 at the first step. */
export type Schedule = (step: Node) => Node;

const rate = numberFrom(0);
const total = required(wholeNumber(1), 'steps', 'totalSteps', 'decaySteps');

const cosineOptions = declareOptions('schedules.cosine', {
  /** The largest rate, which is reached at step `warmup`. */
  peak: required(rate, 'rate', 'maxRate', 'maxLr'),
  /** The number of steps in which the rate rises from 0 to `peak`, along a line; 0 by default. */
  warmup: optional(wholeNumber(0), 'warmupSteps'),
  /** The step at which the rate reaches `end`. It counts from the first step, so it includes the warm-up. */
  total,
  /** The rate at step `total` and after it; 0 by default. */
  end: optional(rate, 'minRate', 'endValue', 'etaMin'),
});

/** Options of `schedules.cosine`. */
export interface CosineOptions extends OptionsOf<typeof cosineOptions> {}

const linearOptions = declareOptions('schedules.linear', {
  /** The rate at the first step. */
  from: required(rate, 'start', 'peak', 'rate'),
  /** The rate at step `total` and after it. */
  to: required(rate, 'end'),
  /** The step at which the rate reaches `to`. */
  total,
});

/** Options of `schedules.linear`. */
export interface LinearOptions extends OptionsOf<typeof linearOptions> {}

const exponentialOptions = declareOptions('schedules.exponential', {
  /** The rate at the first step. */
  rate: required(rate, 'from', 'start', 'initial'),
  /** By what the rate is multiplied in `every` steps. */
  decay: required(positiveNumber, 'gamma', 'decayRate'),
  /** The number of steps in which the rate is multiplied by `decay`; 1 by default. */
  every: optional(positiveNumber, 'steps', 'transitionSteps'),
});

/** Options of `schedules.exponential`. */
export interface ExponentialOptions extends OptionsOf<typeof exponentialOptions> {}

const piecewiseOptions = declareOptions('schedules.piecewise', {
  /** The steps from which the next rate applies, in increasing order. */
  boundaries: required(checkedLater<readonly number[]>('a list of steps'), 'steps', 'milestones'),
  /** The rates: one before the first boundary, and one from each boundary on. */
  rates: required(checkedLater<readonly number[]>('a list of rates'), 'values'),
});

/** Options of `schedules.piecewise`. */
export interface PiecewiseOptions extends OptionsOf<typeof piecewiseOptions> {}

const oneCycleOptions = declareOptions('schedules.oneCycle', {
  /** The largest rate. */
  peak: required(rate, 'rate', 'maxRate', 'maxLr'),
  /** The number of steps. The rate is smallest at step `total` - 1. */
  total,
});

/** Options of `schedules.oneCycle`. */
export interface OneCycleOptions extends OptionsOf<typeof oneCycleOptions> {}

/** Returns a node as float64. */
function stepIn(name: string, step: Node): Node {
  if (isNode(step)) return cast(step, 'float64');
  throw new ValueError(
    `schedules.${name}: expected the step (a node), but received ${describeValue(step)}`,
  );
}

/** Returns from + share (to - from), where `share` goes from 0 to 1. */
function between(from: number | Node, to: number, share: Node): Node {
  return add(mul(sub(1, share), from), mul(share, to));
}

/** Returns half a wave of the cosine: `from` where `share` is 0, and `to` where it is 1. */
function wave(from: number, to: number, share: Node): Node {
  return add(mul(add(cos(mul(share, Math.PI)), 1), (from - to) / 2), to);
}

function cosine(options: CosineOptions): Schedule {
  const { peak, warmup = 0, total, end = 0 } = cosineOptions.read(options);
  if (warmup >= total) {
    throw new ValueError(
      `schedules.cosine: warmup must be less than total, which includes the warm-up, but warmup is ${warmup} and total is ${total}`,
    );
  }
  return (given) => {
    const step = stepIn('cosine', given);
    const share = minimum(1, div(sub(step, warmup), total - warmup));
    const falling = wave(peak, end, share);
    return warmup === 0 ? falling : where(greater(warmup, step), mul(step, peak / warmup), falling);
  };
}

function linear(options: LinearOptions): Schedule {
  const { from, to, total } = linearOptions.read(options);
  return (step) => between(from, to, minimum(1, div(stepIn('linear', step), total)));
}

function exponential(options: ExponentialOptions): Schedule {
  const { rate, decay, every = 1 } = exponentialOptions.read(options);
  return (step) => mul(rate, pow(decay, div(stepIn('exponential', step), every)));
}

function piecewise(options: PiecewiseOptions): Schedule {
  const read = piecewiseOptions.read(options);
  const numbers = (what: 'boundaries' | 'rates') => {
    const list = assertList(read[what], `schedules.piecewise: ${what} must be a list of numbers,`);
    const kind = what === 'rates' ? rate : wholeNumber(0);
    const wrong = list.findIndex((one) => !kind.accepts(one));
    if (wrong < 0) return list;
    throw new ValueError(
      `schedules.piecewise: ${what}[${wrong}] must be ${kind.expected}, but is ${describeValue(list[wrong])}`,
    );
  };
  const [boundaries, rates] = [numbers('boundaries'), numbers('rates')];
  if (rates.length !== boundaries.length + 1) {
    throw new ValueError(
      `schedules.piecewise: expected one rate more than boundaries, but received ${boundaries.length} boundaries and ${rates.length} rates`,
    );
  }
  const late = boundaries.findIndex((one, index) => one <= (boundaries[index - 1] ?? -1));
  if (late >= 0) {
    throw new ValueError(
      `schedules.piecewise: boundaries must increase, but boundaries[${late}] is ${boundaries[late]} after ${boundaries[late - 1]}`,
    );
  }
  return (given) => {
    const step = stepIn('piecewise', given);
    const first: Node = constant(rates[0] as number, { dtype: 'float64' });
    return boundaries.reduce(
      (before, boundary, index) =>
        where(greater(boundary, step), before, rates[index + 1] as number),
      first,
    );
  };
}

function oneCycle(options: OneCycleOptions): Schedule {
  const { peak, total } = oneCycleOptions.read(options);
  const [start, end] = [peak / 25, peak / 25 / 1e4];
  // The steps at which the rate is largest and smallest, as in OneCycleLR.
  const [top, last] = [0.3 * total - 1, total - 1];
  return (given) => {
    const step = stepIn('oneCycle', given);
    const falling = wave(peak, end, minimum(1, div(sub(step, top), last - top)));
    if (top <= 0) return falling;
    return where(greater(step, top), falling, wave(start, peak, div(step, top)));
  };
}

/**
 * Schedules of learning rates. Each function returns a function of the step, which is an option `rate` of optimizers. The
 * first step has the number 0. All are computed in float64, in the graph.
 */
export const schedules = {
  /**
   * Returns a schedule that rises from 0 to `peak` along a line in `warmup` steps, and then falls to `end` along half a
   * wave of the cosine, until step `total` (Loshchilov & Hutter, SGDR, ICLR 2017). After it, the rate is `end`.
   * @throws ValueError if an option is missing, unknown or invalid, or if `warmup` is not less than `total`
   */
  cosine,
  /**
   * Returns a schedule that goes from `from`, at the first step, to `to`, at step `total`, along a line. After it, the rate
   * is `to`.
   * @throws ValueError if an option is missing, unknown or invalid
   */
  linear,
  /**
   * Returns the schedule rate * decay^(step / every), which also changes within `every` steps.
   * @throws ValueError if an option is missing, unknown or invalid
   */
  exponential,
  /**
   * Returns a schedule of constant rates: rates[0] before step boundaries[0], rates[1] from this step on, and so on.
   * @throws ValueError if an option is missing, unknown or invalid, if `boundaries` do not increase, or if there is not
   *   one rate more than boundaries
   */
  piecewise,
  /**
   * Returns the schedule of PyTorch's OneCycleLR with its defaults (Smith & Topin, Super-convergence, 2018): from peak / 25
   * to `peak`, at step 0.3 total - 1, and then to peak / 250,000, at step total - 1, along half waves of the cosine. After
   * it, the rate stays.
   * @throws ValueError if an option is missing, unknown or invalid
   */
  oneCycle,
};
