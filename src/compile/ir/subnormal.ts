/**
 * Arithmetic makes 0 of a result too small to be a normal number. So x * 1 or x + 0 is not x where x is subnormal: a
 * rewrite that leaves such a step out first asks whether x is the result of arithmetic itself.
 */

import type { DType } from '../../tensor/dtype.js';
import { numberOf, type Ref } from './value.js';

/** The smallest numbers of full precision. */
const smallest: Readonly<Record<DType, number>> = {
  float32: 2 ** -126,
  float64: 2 ** -1022,
  int32: 1,
};

export function isNormal(number: number, dtype: DType): boolean {
  return Number.isFinite(number) && Math.abs(number) >= smallest[dtype];
}

/** Kernels that give a subnormal operand as it is. */
const passing = new Set(['copy', 'neg', 'abs', 'relu', 'maximum', 'minimum', 'where', 'max']);

/** Whether no element of a ref can be subnormal. */
export function isFlushed(ref: Ref): boolean {
  const { kind, details, dtype } = ref.value;
  switch (kind) {
    case 'leaf': {
      const number = numberOf(ref);
      return number !== undefined && (number === 0 || isNormal(number, dtype));
    }
    case 'place':
      return false;
    case 'map':
    case 'reduce':
      return details.converts === true || !passing.has(details.kernel as string);
    case 'sum':
    case 'product':
    case 'columnSum':
    case 'batch':
    case 'random':
      return true;
  }
}
