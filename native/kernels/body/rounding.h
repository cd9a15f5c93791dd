// Rounding to integers, and the remainder of a division. The functions have no branches, and are exact.
#pragma once

#include "kernels/body/arithmetic.h"

namespace forebay::FOREBAY_BODY {

// Returns |x| rounded to an integer; halves are rounded to the even integer. The sum of |x| and 2^mantissa is
// rounded by the processor, because its lowest bit has the value 1. Larger numbers are integers already.
template <class T>
FOREBAY_INLINE T roundedMagnitude(T x) {
  constexpr T shift = T(std::uint64_t(1) << Format<T>::mantissa);
  const T magnitude = absolute(x);
  return magnitude < shift ? (magnitude + shift) - shift : magnitude;
}

// The results have the sign of x, also if they are zero.
template <class T>
FOREBAY_INLINE T roundEven(T x) {
  return withSign(roundedMagnitude(x), x);
}
template <class T>
FOREBAY_INLINE T truncated(T x) {
  const T rounded = roundedMagnitude(x);
  return withSign(rounded > absolute(x) ? rounded - T(1) : rounded, x);
}
template <class T>
FOREBAY_INLINE T roundDown(T x) {
  const T rounded = roundEven(x);
  return withSign(rounded > x ? rounded - T(1) : rounded, x);
}
template <class T>
FOREBAY_INLINE T roundUp(T x) {
  const T rounded = roundEven(x);
  return withSign(rounded < x ? rounded + T(1) : rounded, x);
}

// Gives the remainder r of a / b the sign of b.
template <class T>
FOREBAY_INLINE T withSignOfDivisor(T r, T b) {
  return ((r != T(0)) & ((r < T(0)) != (b < T(0)))) ? r + b : r;
}

// Returns a - q b, where q is the integer nearest to a / b, for a and b that are modest (see
// isModestDivision). All operations except the quotient are exact.
FOREBAY_INLINE double nearestRemainder(double a, double b) {
  const double q = roundEven(a / b);
#if FOREBAY_BODY_FMA
  const double r = __builtin_fma(-q, b, a);
#else
  // The upper half of b has 27 bits, so that products with q, which has at most 24 bits, are exact.
  const double upper = ofBits(bitsOf(b) & ~std::uint64_t(0x3ffffff));
  const double r = (a - q * upper) - q * (b - upper);
#endif
  return q == 0 ? a : r;  // 0 times an infinite b would be NaN
}

// The products of floats are exact in double.
FOREBAY_INLINE float nearestRemainder(float a, float b) {
  const double q = roundEven(static_cast<double>(a) / static_cast<double>(b));
  const double r = static_cast<double>(a) - q * static_cast<double>(b);
  return q == 0 ? a : static_cast<float>(r);
}

// Returns true if nearestRemainder is exact for a and b.
FOREBAY_INLINE bool isModestDivision(double a, double b) {
  const bool small = absolute(a / b) < 0x1p24, finite = absolute(a) < 0x1p1000;
  return small & finite;
}
FOREBAY_INLINE bool isModestDivision(float a, float b) { return absolute(a / b) < 0x1p24f; }

// Returns a modulo b, the remainder with the sign of b, for modest a and b. A remainder of 0 has the sign of
// a.
template <class T>
FOREBAY_INLINE T modestModulo(T a, T b) {
  const T r = nearestRemainder(a, b);
  return withSignOfDivisor(r == T(0) ? withSign(r, a) : r, b);
}

// The same for all numbers.
FOREBAY_INLINE double modulo(double a, double b) { return withSignOfDivisor(::fmod(a, b), b); }
FOREBAY_INLINE float modulo(float a, float b) { return withSignOfDivisor(::fmodf(a, b), b); }

// The quotient of two int32 is so far from every other integer that it is not rounded to it in double. The
// result is 0 if b is 0, as in NumPy.
FOREBAY_INLINE std::int32_t modulo(std::int32_t a, std::int32_t b) {
  const double divisor = b == 0 ? 1.0 : static_cast<double>(b);
  const double q = roundDown(static_cast<double>(a) / divisor);
  return static_cast<std::int32_t>(static_cast<double>(a) - q * divisor);
}

}  // namespace forebay::FOREBAY_BODY
