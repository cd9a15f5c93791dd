/** What `fit` and `predict` are told, checked. */

import { describeValue } from '../arguments/describe.js';
import { Program, type Stepper, stepper } from '../compile/program.js';
import { ValueError } from '../errors.js';

/** @throws ValueError unless `value` is a whole number of at least `min` */
export function assertCount(context: string, name: string, value: unknown, min: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= min) return;
  const what = min === 0 ? 'a non-negative whole number' : 'a positive whole number';
  throw new ValueError(`${context}: ${name} must be ${what}, but is ${describeValue(value)}`);
}

/** @throws ValueError unless `value` is a function or undefined */
export function assertCallback(context: string, name: string, value: unknown): void {
  if (value === undefined || typeof value === 'function') return;
  throw new ValueError(`${context}: ${name} must be a function, but is ${describeValue(value)}`);
}

/** What runs steps: a compiled program, or what stands for one. @throws ValueError for anything else */
export function stepperFor(context: string, program: Program | Stepper): Stepper {
  if (program instanceof Program) return stepper(program);
  if (program instanceof Object && 'runSteps' in program) return program;
  throw new ValueError(`${context}: expected a program, but received ${describeValue(program)}`);
}

/** The same, for a program that is only asked. @throws ValueError for one that trains */
export function askedStepperFor(context: string, program: Program | Stepper): Stepper {
  const steps = stepperFor(context, program);
  if (!steps.trains) return steps;
  throw new ValueError(
    `${context}: the program updates parameters, so that asking it would train it; compile one without updates`,
  );
}
