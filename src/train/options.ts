/** What `fit` and `predict` are told, checked. */

import { describeValue } from '../arguments/describe.js';
import type { Kind } from '../arguments/options.js';
import { reading } from '../arguments/read.js';
import { assertSignal } from '../compile/flight.js';
import { Program, type Stepper, stepper } from '../compile/program.js';
import { ValueError } from '../errors.js';

/** An option that is an AbortSignal, of whichever realm. */
export const abortSignal: Kind<AbortSignal> = {
  expected: 'an AbortSignal',
  accepts: (value) => {
    try {
      assertSignal('', value);
      return true;
    } catch {
      return false;
    }
  },
};

/** What runs steps: a compiled program, or what stands for one. @throws ValueError for anything else */
export function stepperFor(context: string, program: Program | Stepper): Stepper {
  return reading(`${context}: the program`, program, () => {
    if (program instanceof Program) return stepper(program);
    if (program instanceof Object && 'runSteps' in program) return program;
    throw new ValueError(`${context}: expected a program, but received ${describeValue(program)}`);
  });
}

/** The same, for a program that is only to be asked. @throws ValueError if it trains */
export function askedStepperFor(context: string, program: Program | Stepper): Stepper {
  const steps = stepperFor(context, program);
  if (!steps.trains) return steps;
  throw new ValueError(
    `${context}: the program updates parameters, so that asking it would train it; compile one without updates`,
  );
}

/** The same, for a program that is to be trained. @throws ValueError if it has no updates */
export function trainedStepperFor(context: string, program: Program | Stepper): Stepper {
  const steps = stepperFor(context, program);
  if (steps.updates.length > 0) return steps;
  throw new ValueError(
    `${context}: the program was compiled without updates, so nothing would be trained; give compile those of an optimizer: compile({ outputs, updates: sgd(loss, parameters, { rate }) }); predict runs a program without updates`,
  );
}
