import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { integer, parseSeeds, real, UsageError } from '../../src/cli/options.js';

describe('parseSeeds', () => {
  it.each([
    ['1-5', [1, 2, 3, 4, 5]],
    ['1,3,7', [1, 3, 7]],
    ['9, 2-3', [9, 2, 3]],
    ['0', [0]],
    ['4-4', [4]],
    ['4294967295', [4294967295]],
  ])('parses %s', (text, seeds) => {
    expect(parseSeeds(text)).toEqual(seeds);
  });

  it.each([
    '',
    ' ',
    'a',
    '1-',
    '-1',
    '1..5',
    '1-2-3',
    '1;2',
    '0x10',
    '4294967296',
    '0-1000',
    '2,2',
  ])('refuses %j', (text) => {
    expect(() => parseSeeds(text)).toThrow(UsageError);
  });
});

describe('numbers', () => {
  it('are parsed to exactly the written value, or refused', () => {
    const whole = integer({ help: '', default: 0 });
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => whole.parse(String(value)) === value),
      { seed: 3 },
    );
    const any = real({ help: '', default: 0, min: -1, max: 1 });
    fc.assert(
      fc.property(fc.double({ min: -1, max: 1, noNaN: true }), (value) => {
        return any.parse(String(value)) === value;
      }),
      { seed: 4 },
    );
    for (const text of ['', ' 1', '1 ', '0x1', '1_0', 'Infinity', '--1', '1e', '.', '1,5']) {
      expect(() => whole.parse(text)).toThrow(UsageError);
      expect(() => any.parse(text)).toThrow(UsageError);
    }
    expect(() => any.parse('1.01')).toThrow(
      "expected a number of at least -1 and of at most 1, but received '1.01'",
    );
  });
});
