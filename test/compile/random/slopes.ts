/**
 * Tables with a function for each element-wise kernel. The function computes the magnitude (or the exactness) of the
 * result from the magnitudes (or the exactness) of the operands. magnitudes.ts explains what a magnitude is.
 */

/**
 * Computes the magnitude of a kernel's result from its value, the values of the operands (`x`, `y`, `z`) and their
 * magnitudes (`xs`, `ys`, `zs`).
 */
export type Slope = (
  value: number,
  x: number,
  xs: number,
  y: number,
  ys: number,
  z: number,
  zs: number,
) => number;

/** Returns the slope times the magnitude. If the magnitude is 0, the result is 0, even if the slope is infinite. */
const times = (slope: number, size: number) => (size === 0 ? 0 : slope * size);
const logistic = (x: number) => 1 / (1 + Math.exp(-x));
const { abs } = Math;

export const slopes: Readonly<Record<string, Slope>> = {
  copy: (_v, _x, xs) => xs,
  neg: (_v, _x, xs) => xs,
  abs: (_v, _x, xs) => xs,
  add: (_v, _x, xs, _y, ys) => xs + ys,
  sub: (_v, _x, xs, _y, ys) => xs + ys,
  mul: (_v, _x, xs, _y, ys) => xs * ys,
  square: (_v, _x, xs) => xs * xs,
  div: (v, x, xs, y, ys) => abs(v) + times(1 / abs(y), xs) + times(abs(x) / (y * y), ys),
  exp: (v, _x, xs) => v + times(v, xs),
  log: (v, x, xs) => abs(v) + times(1 / abs(x), xs),
  sqrt: (v, _x, xs) => v + times(1 / (2 * v), xs),
  pow: (v, x, xs, y, ys) =>
    abs(v) + times(abs((v * y) / x), xs) + times(abs(v * Math.log(abs(x))), ys),
  sign: (v) => abs(v),
  relu: (_v, x, xs) => (x > 0 ? xs : 0),
  sigmoid: (v, _x, xs) => v + v * (1 - v) * xs,
  tanh: (v, _x, xs) => abs(v) + (1 - v * v) * xs,
  softplus: (v, x, xs) => v + logistic(x) * xs,
  sin: (v, x, xs) => abs(v) + abs(Math.cos(x)) * xs,
  cos: (v, x, xs) => abs(v) + abs(Math.sin(x)) * xs,
  rsqrt: (v, x, xs) => v + times(v / (2 * abs(x)), xs),
  erf: (v, x, xs) => abs(v) + Math.exp(-x * x) * 1.13 * xs,
  log1p: (v, x, xs) => abs(v) + times(1 / (1 + x), xs),
  expm1: (v, _x, xs) => abs(v) + (v + 1) * xs,
  atan: (v, x, xs) => abs(v) + xs / (1 + x * x),
  floor: (v) => abs(v),
  maximum: (_v, x, xs, y, ys) => (x > y ? xs : x < y ? ys : Math.max(xs, ys)),
  minimum: (_v, x, xs, y, ys) => (x < y ? xs : x > y ? ys : Math.max(xs, ys)),
  greater: (v) => abs(v),
  greaterEqual: (v) => abs(v),
  equal: (v) => abs(v),
  notEqual: (v) => abs(v),
  and: (v) => abs(v),
  or: (v) => abs(v),
  xor: (v) => abs(v),
  not: (v) => abs(v),
  where: (_v, x, _xs, _y, ys, _z, zs) => (x === 0 ? zs : ys),
};

/** Returns true if the result is exact, given the operands' values (`x`) and whether each of them is exact (`xe`). */
export type Exactness = (
  x: number,
  xe: number,
  y: number,
  ye: number,
  z: number,
  ze: number,
) => boolean;

const one = (x: number) => abs(x) === 1;

/**
 * Tells for each kernel of several operands whether its result is exact. Kernels of one operand are not listed: their
 * result counts as exact if the operand is exact, because all executors give the same result for the same number.
 */
export const exactness: Readonly<Record<string, Exactness>> = {
  add: (x, xe, y, ye) => xe > 0 && ye > 0 && (x === 0 || y === 0),
  sub: (x, xe, y, ye) => xe > 0 && ye > 0 && (x === 0 || y === 0),
  mul: (x, xe, y, ye) =>
    (xe > 0 && x === 0) || (ye > 0 && y === 0) || (xe > 0 && ye > 0 && (one(x) || one(y))),
  div: (x, xe, y, ye) => xe > 0 && (x === 0 || (ye > 0 && one(y))),
  pow: () => false,
  maximum: (x, xe, y, ye) => (x > y ? xe > 0 : x < y ? ye > 0 : xe > 0 && ye > 0),
  minimum: (x, xe, y, ye) => (x < y ? xe > 0 : x > y ? ye > 0 : xe > 0 && ye > 0),
  greater: () => true,
  greaterEqual: () => true,
  equal: () => true,
  notEqual: () => true,
  and: () => true,
  or: () => true,
  xor: () => true,
  where: (x, _xe, _y, ye, _z, ze) => (x === 0 ? ze > 0 : ye > 0),
};

/** Kernels with a kink: their value or slope jumps where this function of the operands is 0. */
export const kinks: Readonly<Record<string, (x: number, y: number) => number>> = {
  relu: (x) => x,
  abs: (x) => x,
  sign: (x) => x,
  floor: (x) => x - Math.round(x),
  where: (x) => x,
  maximum: (x, y) => x - y,
  minimum: (x, y) => x - y,
  greater: (x, y) => x - y,
  greaterEqual: (x, y) => x - y,
  equal: (x, y) => x - y,
  notEqual: (x, y) => x - y,
};
