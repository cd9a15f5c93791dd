// Scalar operations that the loops of the kernels use: multiply-add, polynomials and access to the bits of a
// floating-point number. A body is the copy of all kernels for one instruction set (bodies.h).
#pragma once

#include "kernels/body/packed.h"

namespace forebay::FOREBAY_BODY {

// a * b + c. The result is rounded once if the body has a fused multiply-add instruction, otherwise twice.
struct Fused {
  static FOREBAY_INLINE float mulAdd(float a, float b, float c) {
#if FOREBAY_BODY_FMA
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
  }
  static FOREBAY_INLINE double mulAdd(double a, double b, double c) {
#if FOREBAY_BODY_FMA
    return __builtin_fma(a, b, c);
#else
    return a * b + c;
#endif
  }
#if FOREBAY_BODY_VECTOR == 64
  template <class T>
  static FOREBAY_INLINE Packed<T> mulAdd(Packed<T> a, Packed<T> b, Packed<T> c) {
    return Packed<T>(Vector<T>::mulAdd(a.lanes, b.lanes, c.lanes));
  }
#endif
};

// a * b + c, rounded twice in every body. It is used for results whose bits must be the same in every body
// (random numbers).
struct Plain {
  static FOREBAY_INLINE double mulAdd(double a, double b, double c) { return a * b + c; }
};

// Returns c0 + c1 x + c2 x^2 + …, by Horner's rule. Recursion replaces the loop over the coefficients,
// because the compiler would vectorise such a loop instead of the loop over the elements.
template <class A, class T>
FOREBAY_INLINE T polynomial(T, T c0) {
  return c0;
}
template <class A, class T, class... Rest>
FOREBAY_INLINE T polynomial(T x, T c0, Rest... rest) {
  return A::mulAdd(polynomial<A>(x, rest...), x, c0);
}

// The same in pairs: (c0 + c1 x) + x^2 ((c2 + c3 x) + x^2 (…)). Fewer operations wait for one another, so the
// processor computes more elements at the same time.
template <class A, class T>
FOREBAY_INLINE T pairedPolynomial(T x, T, T c0, T c1) {
  return A::mulAdd(c1, x, c0);
}
template <class A, class T, class... Rest>
FOREBAY_INLINE T pairedPolynomial(T x, T square, T c0, T c1, Rest... rest) {
  return A::mulAdd(pairedPolynomial<A>(x, square, rest...), square, A::mulAdd(c1, x, c0));
}

template <class T>
struct Format;
template <>
struct Format<float> {
  using Bits = std::uint32_t;
  static constexpr int mantissa = 23;
  static constexpr Bits bias = 127;
  static constexpr float smallestNormal = 0x1p-126f;
};
template <>
struct Format<double> {
  using Bits = std::uint64_t;
  static constexpr int mantissa = 52;
  static constexpr Bits bias = 1023;
  static constexpr double smallestNormal = 0x1p-1022;
};

FOREBAY_INLINE std::uint32_t bitsOf(float x) {
  std::uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return bits;
}
FOREBAY_INLINE std::uint64_t bitsOf(double x) {
  std::uint64_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return bits;
}
FOREBAY_INLINE float ofBits(std::uint32_t bits) {
  float x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}
FOREBAY_INLINE double ofBits(std::uint64_t bits) {
  double x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}

FOREBAY_INLINE float absolute(float x) { return __builtin_fabsf(x); }
FOREBAY_INLINE double absolute(double x) { return __builtin_fabs(x); }
FOREBAY_INLINE float squareRoot(float x) { return __builtin_sqrtf(x); }
FOREBAY_INLINE double squareRoot(double x) { return __builtin_sqrt(x); }
FOREBAY_INLINE float withSign(float x, float sign) { return __builtin_copysignf(x, sign); }
FOREBAY_INLINE double withSign(double x, double sign) { return __builtin_copysign(x, sign); }

// These functions return NaN if an argument is NaN. If `a` is NaN, a != a is true and `a` is the result. If
// only `b` is NaN, all comparisons are false and `b` is the result.
template <class T>
FOREBAY_INLINE T maximum(T a, T b) {
  return ((a > b) | (a != a)) ? a : b;
}
template <class T>
FOREBAY_INLINE T minimum(T a, T b) {
  return ((a < b) | (a != a)) ? a : b;
}

// The number 1.5 * 2^mantissa. If it is added to a small x, x is rounded to an integer n, which is then in
// the low bits of the sum. (Before AVX-512 there is no vector instruction that converts to a 64-bit integer.)
template <class T>
constexpr T roundingShift = T(3) * T(std::uint64_t(1) << (Format<T>::mantissa - 1));

// Returns the integer n from `shifted`, the sum of n and roundingShift. A negative n is returned in two's
// complement.
template <class T>
FOREBAY_INLINE typename Format<T>::Bits shiftedInteger(T shifted) {
  return bitsOf(shifted) - bitsOf(roundingShift<T>);
}

// Returns 2^(exponent - bias), for 1 <= exponent <= 2 bias.
template <class T>
FOREBAY_INLINE T powerOfTwo(typename Format<T>::Bits exponent) {
  return ofBits(static_cast<typename Format<T>::Bits>(exponent << Format<T>::mantissa));
}

}  // namespace forebay::FOREBAY_BODY
