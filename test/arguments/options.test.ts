// Tests how declared options objects are read: which values are refused, and with which errors.
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { flag, numberFrom, oneOf, wholeNumber } from '../../src/arguments/kinds.js';
import { declareOptions, optional, required } from '../../src/arguments/options.js';
import { ValueError } from '../../src/errors.js';
import { errorOf } from '../support.js';

const options = declareOptions('brew', {
  rate: required(numberFrom(0, 1), 'lr'),
  batchSize: optional(wholeNumber(1)),
  shuffle: optional(flag),
  mode: optional(oneOf('slow', 'fast')),
});

const messageOf = (value: unknown) => {
  const error = errorOf(() => options.read(value));
  expect(error).toBeInstanceOf(ValueError);
  return error.message;
};

describe('a declared options object', () => {
  it('returns the options that were passed, without undefined ones', () => {
    const read = options.read({ rate: 0.5, shuffle: undefined, mode: 'fast' });
    expect(read).toEqual({ rate: 0.5, mode: 'fast' });
    expect(Object.keys(read)).toEqual(['rate', 'mode']);
  });

  it.each([
    ['shufle', 'shuffle'],
    ['batch_size', 'batchSize'],
    ['lr', 'rate'],
    ['Mode', 'mode'],
  ])('refuses the unknown option %s and names %s', (wrong, right) => {
    expect(messageOf({ rate: 0.5, [wrong]: 1 })).toBe(
      `brew: there is no option '${wrong}'; did you mean '${right}'? Its options are rate, batchSize, shuffle, mode.`,
    );
  });

  it('suggests a name rather than an alias that is equally similar', () => {
    const cut = declareOptions('cut', { end: optional(flag, 'stop'), step: optional(flag) });
    const { message } = errorOf(() => cut.read({ stp: true }));
    expect(message).toMatch("did you mean 'step'?");
    expect(errorOf(() => cut.read({ stop: true })).message).toMatch("did you mean 'end'?");
  });

  it.each([
    [{}, 'brew: rate must be a number from 0 to below 1, but is undefined'],
    [{ rate: 1 }, 'brew: rate must be a number from 0 to below 1, but is number 1'],
    [{ rate: Number.NaN }, 'brew: rate must be a number from 0 to below 1, but is number NaN'],
    [{ rate: 0, batchSize: 1.5 }, 'brew: batchSize must be a positive integer, but is number 1.5'],
    [{ rate: 0, shuffle: 1 }, 'brew: shuffle must be true or false, but is number 1'],
    [
      { rate: 0, mode: 'medium' },
      `brew: mode must be 'slow' or 'fast', but is the string "medium"`,
    ],
  ])('refuses %j', (value, message) => {
    expect(messageOf(value)).toBe(message);
  });

  it.each([[null], [3], ['rate'], [[]], [new Float32Array(1)], [new Map()], [() => 0]])(
    'refuses %s instead of an object',
    (value) => {
      expect(messageOf(value)).toMatch(
        /^brew: expected an options object \{ rate, batchSize, shuffle, mode \}, but received /,
      );
    },
  );

  it('refuses an object that cannot be read, with the thrown error as the cause', () => {
    const thrown = new Error('mine');
    const hostile = () => {
      throw thrown;
    };
    const getter = Object.defineProperty({}, 'rate', { get: hostile, enumerable: true });
    const error = errorOf(() => options.read(getter));
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toContain('brew: the options object');
    expect(error.cause).toBe(thrown);
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const value of [proxy, new Proxy({}, { getPrototypeOf: hostile })]) {
      expect(messageOf(value)).toContain('but received an object');
    }
  });

  it('reads each property once', () => {
    let reads = 0;
    const counting = {
      get rate() {
        reads++;
        return 0.5;
      },
    };
    expect(options.read(counting)).toEqual({ rate: 0.5 });
    expect(reads).toBe(1);
  });

  it('accepts an object of another realm, and one without a prototype', () => {
    expect(options.read(runInNewContext('({ rate: 0.5 })'))).toEqual({ rate: 0.5 });
    expect(options.read(Object.assign(Object.create(null), { rate: 0.5 }))).toEqual({ rate: 0.5 });
  });
});
