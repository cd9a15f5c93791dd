// Imports damaged models: bytes of the small models of the node tests of onnx are changed. Each import must give a model or
// throw a typed error.
import { describe, expect, it } from 'vitest';
import { ForebayError } from '../../src/errors.js';
import { importOnnx } from '../../src/onnx/index.js';
import { suiteCases } from './support.js';

const cases = suiteCases(new URL('data/suite.json.gz', import.meta.url));

/** Returns a function that returns integers from 0 to below a bound: a linear congruential generator. */
function integers(seed: number): (bound: number) => number {
  let state = BigInt(seed) + 1n;
  return (bound) => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffff_ffff_ffff_ffffn;
    return Number((state >> 33n) % BigInt(bound));
  };
}

function damaged(model: Uint8Array, seed: number): Uint8Array {
  const next = integers(seed);
  const bytes = Uint8Array.from(model);
  if (next(8) === 0) return bytes.subarray(0, next(bytes.length));
  for (let count = 1 + next(3); count > 0; count--) bytes[next(bytes.length)] = next(256);
  return bytes;
}

describe('a damaged model', () => {
  it('is imported or refused with a typed error', async () => {
    let refused = 0;
    for (const [index, { name, model }] of cases.entries()) {
      for (let round = 0; round < 6; round++) {
        const seed = 6 * index + round;
        try {
          await importOnnx(damaged(model, seed), { name: 'damaged' });
        } catch (error) {
          refused++;
          const text = `${name}, seed ${seed}: ${(error as Error).stack}`;
          expect(error instanceof ForebayError, text).toBe(true);
        }
      }
    }
    expect(refused).toBeGreaterThan(1000);
    expect(refused).toBeLessThan(6 * cases.length);
  }, 120_000);
});
