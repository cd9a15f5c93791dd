/**
 * The transforms of optimizers that keep running values of the gradients of each parameter: `scaleByAdam`, and those that
 * only optimizers use.
 */

import { flag, numberFrom } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import type { Node } from '../graph/node.js';
import {
  abs,
  add,
  cast,
  div,
  greater,
  maximum,
  mul,
  pow,
  sign,
  sqrt,
  square,
  sub,
  where,
} from '../ops/index.js';
import { type DType, smallestNormal } from '../tensor/dtype.js';
import { Factor } from './factor.js';
import { Rule } from './rule.js';

/** Options of Adam, except its rate. */
export const adamDeclaration = {
  /** The decay rate of the first moment, the running mean of the gradient; 0.9 by default. */
  beta1: optional(numberFrom(0, 1)),
  /** The decay rate of the second moment, the running mean of the squared gradient; 0.999 by default. */
  beta2: optional(numberFrom(0, 1)),
  /**
   * The number that is added to the square root of the second moment, after the correction of its bias. The update is
   * divided by this sum. 1e-8 by default. If it is so small that the quotient of the rate and this number may overflow,
   * a larger number is added, so that weights with zero gradients keep their values.
   */
  epsilon: optional(numberFrom(0), 'eps'),
  /** Whether to divide by the largest second moment of all steps (Reddi, Kale & Kumar, ICLR 2018); false by default. */
  amsgrad: optional(flag),
};
const scaleOptions = declareOptions('scaleByAdam', adamDeclaration);

/** Options of `scaleByAdam`. */
export interface ScaleByAdamOptions extends OptionsOf<typeof scaleOptions> {}

/**
 * Returns a rule that turns gradients into the directions of Adam (Kingma & Ba, Adam: a method for stochastic
 * optimization, ICLR 2015, algorithm 1), without the rate:
 *
 *     m' = beta1 m + (1 - beta1) g     v' = beta2 v + (1 - beta2) g^2     t' = t + 1
 *     u = (m' / (1 - beta1^t')) / (sqrt(v' / (1 - beta2^t')) + epsilon)
 *
 * @throws ValueError if an option is unknown or invalid
 */
export function scaleByAdam(options?: ScaleByAdamOptions): Rule {
  return adamDirections(scaleOptions.read(options));
}

export function adamDirections({
  beta1 = 0.9,
  beta2 = 0.999,
  epsilon = 1e-8,
  amsgrad = false,
}: ScaleByAdamOptions): Rule {
  return new Rule('scaleByAdam', (context, flows) => {
    const label = context.label('adam');
    const t = context.nextStep;
    const [bias1, bias2] = [sub(1, pow(beta1, t)), sub(1, pow(beta2, t))];
    const factor = new Factor(1, bias1);
    // Every element of sqrt(v') is multiplied by this number. Dividing every element by its inverse would take longer
    // than the rest of the update.
    const correction = inDTypes((dtype) => cast(div(1, sqrt(bias2)), dtype));
    return flows.map((flow) => {
      const gradient = flow.value;
      const [m, v] = [context.state(flow, label, 'm'), context.state(flow, label, 'v')];
      const nextM = normal(add(mul(gradient, 1 - beta1), mul(m, beta1)));
      const nextV = normal(add(mul(square(gradient), 1 - beta2), mul(v, beta2)));
      context.write(flow, m, nextM);
      context.write(flow, v, nextV);
      let largest = nextV;
      if (amsgrad) {
        const most = context.state(flow, label, 'largest');
        largest = maximum(most, nextV);
        context.write(flow, most, largest);
      }
      const root = mul(sqrt(largest), correction(flow.parameter.dtype));
      return flow.with({ factor, value: nextM, over: { root, epsilon } });
    });
  });
}

/**
 * Returns a running value with 0 in place of subnormal numbers.
 *
 * If a gradient has become 0, as that of a unit whose ReLU is never positive, its running values decay. Without this
 * function they would become subnormal numbers and stay subnormal, because 0.9 times the smallest numbers rounds to
 * these numbers. Intel's processors are slow with subnormal numbers: on a Xeon, a step of a perceptron with such units
 * took three times as long after 1,400 steps, and five times as long after 2,800.
 */
function normal(value: Node): Node {
  return where(greater(smallestNormal[value.dtype], abs(value)), 0, value);
}

/** Returns a function that calls `make` once for each dtype. */
function inDTypes(make: (dtype: DType) => Node): (dtype: DType) => Node {
  const made = new Map<DType, Node>();
  return (dtype) => {
    const node = made.get(dtype) ?? make(dtype);
    made.set(dtype, node);
    return node;
  };
}

/**
 * Returns the rule of a velocity v' = momentum v + g. The direction is v' or, with Nesterov's form, g + momentum v'.
 * @param kind the name of the optimizer, which is part of the names of the velocities
 */
export function velocity(kind: string, momentum: number, nesterov = false): Rule {
  return new Rule('velocity', (context, flows) => {
    const label = context.label(kind);
    return flows.map((flow) => {
      const v = context.state(flow, label, 'velocity');
      const next = normal(add(mul(v, momentum), flow.value));
      context.write(flow, v, next);
      return flow.to(nesterov ? add(flow.value, mul(next, momentum)) : next);
    });
  });
}

/**
 * Returns the rule of RMSProp: the direction is g / (sqrt(v' - m'^2) + epsilon), where v' is the running mean of g^2, and
 * m' is 0 or, if `centered`, the running mean of g.
 */
export function rootMeanSquares(decay: number, epsilon: number, centered: boolean): Rule {
  return new Rule('scaleByRms', (context, flows) => {
    const label = context.label('rmsProp');
    return flows.map((flow) => {
      const gradient = flow.value;
      const v = context.state(flow, label, 'square');
      const nextV = normal(add(mul(square(gradient), 1 - decay), mul(v, decay)));
      context.write(flow, v, nextV);
      let variance = nextV;
      if (centered) {
        const m = context.state(flow, label, 'mean');
        const nextM = normal(add(mul(gradient, 1 - decay), mul(m, decay)));
        context.write(flow, m, nextM);
        // The difference can be less than 0 by rounding.
        variance = maximum(sub(nextV, square(nextM)), 0);
      }
      return flow.with({
        factor: new Factor(1),
        value: gradient,
        over: { root: sqrt(variance), epsilon },
      });
    });
  });
}

/** Returns the rule of Adagrad: the direction is g / (sqrt(s') + epsilon), where s' = s + g^2. */
export function rootSumSquares(initial: number, epsilon: number): Rule {
  return new Rule('scaleByAdagrad', (context, flows) => {
    const label = context.label('adagrad');
    return flows.map((flow) => {
      const s = context.state(flow, label, 'sum', initial);
      const next = add(s, square(flow.value));
      context.write(flow, s, next);
      const over = { root: sqrt(next), epsilon };
      return flow.with({ factor: new Factor(1), value: flow.value, over });
    });
  });
}

/** Returns the rule of Lion: the direction is sign(beta1 m + (1 - beta1) g), and m' = beta2 m + (1 - beta2) g. */
export function signs(beta1: number, beta2: number): Rule {
  return new Rule('scaleByLion', (context, flows) => {
    const label = context.label('lion');
    return flows.map((flow) => {
      const gradient = flow.value;
      const m = context.state(flow, label, 'm');
      context.write(flow, m, normal(add(mul(gradient, 1 - beta2), mul(m, beta2))));
      return flow.to(sign(add(mul(gradient, 1 - beta1), mul(m, beta1))));
    });
  });
}
