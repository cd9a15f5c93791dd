import { describe, it } from 'vitest';
import { expectRecurrent, recurrentCases } from './recurrent.js';

const cases = recurrentCases('lengths');

describe('recurrent layers of rows of different lengths equal packed sequences of PyTorch, interpreted and compiled', () => {
  it.each(cases)('%s', (_title, golden) => {
    expectRecurrent(golden);
  });

  it.each(cases)('%s over a named number of steps', (_title, golden) => {
    expectRecurrent(golden, { named: true });
  });
});
