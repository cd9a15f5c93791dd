/** Checks the arguments of `fit` and `predict`. */

import { describeValue } from '../arguments/describe.js';
import { reading } from '../arguments/read.js';
import { isProgram, type Program } from '../compile/program.js';
import { type Stepper, stepper } from '../compile/stepper.js';
import { ValueError } from '../errors.js';

/**
 * Returns the stepper of a compiled program, or a given stepper itself. (A stepper executes several runs of a program
 * in one call.)
 * @throws ValueError if `program` is neither a program nor a stepper
 */
export function stepperFor(context: string, program: Program | Stepper): Stepper {
  return reading(`${context}: the program`, program, () => {
    if (isProgram(program)) return stepper(program);
    if (isStepper(program)) return program;
    throw new ValueError(`${context}: expected a program, but received ${describeValue(program)}`);
  });
}

function isStepper(value: unknown): value is Stepper {
  if (!(value instanceof Object)) return false;
  const { runSteps, inputs, outputs, updates } = value as Partial<Stepper>;
  return (
    typeof runSteps === 'function' &&
    inputs instanceof Map &&
    outputs instanceof Map &&
    Array.isArray(updates)
  );
}

/** Returns the stepper of a program that is run only for its outputs. @throws ValueError if it updates parameters */
export function askedStepperFor(context: string, program: Program | Stepper): Stepper {
  const steps = stepperFor(context, program);
  if (!steps.trains) return steps;
  throw new ValueError(
    `${context}: the program updates parameters, so running it would train it; compile a program without updates`,
  );
}

/** Returns the stepper of a program that will be trained. @throws ValueError if the program has no updates */
export function trainedStepperFor(context: string, program: Program | Stepper): Stepper {
  const steps = stepperFor(context, program);
  if (steps.updates.length > 0) return steps;
  throw new ValueError(
    `${context}: the program was compiled without updates, so nothing would be trained; give compile those of an optimizer: compile({ outputs, updates: sgd(loss, parameters, { rate }) }); predict runs a program without updates`,
  );
}
