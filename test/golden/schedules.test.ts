import { describe, expect, it } from 'vitest';
import { compile, input, schedules } from '../../src/index.js';
import { readGolden, titled } from './golden.js';

interface ScheduleCase {
  readonly title: string;
  readonly schedule: keyof typeof schedules;
  readonly options: never;
  /** The rates at the steps from 0 on. */
  readonly rates: readonly number[];
}

const cases = titled(readGolden<ScheduleCase>('schedules'), ({ title }) => title);

describe('schedules have the rates of torch.optim and optax', () => {
  it.each(cases)('%s', (_title, { schedule, options, rates }) => {
    const step = input('step', [], { dtype: 'float64' });
    const rate = schedules[schedule](options)(step);
    const program = compile({ outputs: { rate } });
    expect(rate.dtype).toBe('float64');
    rates.forEach((wanted, index) => {
      expect(Math.abs(program.run({ step: index }).rate.item() - wanted)).toBeLessThan(1e-14);
    });
  });
});
