import { describe, it } from 'vitest';
import { expectRecurrent, recurrentCases } from './recurrent.js';

const cases = recurrentCases('recurrent');

describe('the states and all gradients of a recurrent layer equal those of PyTorch, interpreted and compiled', () => {
  it.each(cases)('%s', (_title, golden) => {
    expectRecurrent(golden);
  });

  it.each(cases)('%s over a named number of steps', (_title, golden) => {
    expectRecurrent(golden, { named: true });
  });
});
