/** Codes that the instructions share. They must be the same as in native/program/code.h. */

import type { DType } from '../tensor/dtype.js';

export const dtypeCodes: Readonly<Record<DType, number>> = { float32: 0, float64: 1, int32: 2 };
