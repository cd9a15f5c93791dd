// exp, sigmoid and tanh. The functions have no branches. They are correct for all arguments, including
// gradual underflow, overflow to infinity, NaN, and the sign of tanh(-0).
// coefficients.py prints the polynomials. tools/ulp.cc measures the errors of the functions.
#pragma once

#include "kernels/body/arithmetic.h"

namespace forebay::FOREBAY_BODY {

// The constants of exp for one type. log2High + log2Low is log(2). log2High has so few bits that n * log2High
// is exact for every n that reduceExponent computes.
template <class T>
struct Exponential;

template <>
struct Exponential<float> {
  static constexpr float log2e = 1.44269504f, log2High = 0.693359375f, log2Low = -2.12194440e-4f;
  static constexpr float lowest = -105.0f, highest = 89.0f;  // outside this range, exp is 0 or infinity
  static constexpr float saturated = 40.0f;                  // tanh(saturated / 2) rounds to 1

  // Returns (expm1(r) - r) / r^2. V is float or a vector of floats.
  template <class V>
  static FOREBAY_INLINE V rest(V r, V square) {
    return pairedPolynomial<Fused>(r, square, V(0.5000000013f), V(0.1666666668f), V(0.04166646493f),
                                   V(0.008333310925f), V(0.001393365000f), V(0.0001989099082f));
  }
};

template <>
struct Exponential<double> {
  static constexpr double log2e = 1.4426950408889634074, log2High = 6.93145751953125e-1,
                          log2Low = 1.42860682030941723212e-6;
  static constexpr double lowest = -746.0, highest = 710.0;
  static constexpr double saturated = 80.0;

  template <class V>
  static FOREBAY_INLINE V rest(V r, V square) {
    return pairedPolynomial<Fused>(r, square, V(0.500000000000000102), V(0.166666666666666675),
                                   V(0.0416666666666241279), V(0.00833333333333006183),
                                   V(0.00138888889172137169), V(0.000198412698630536169),
                                   V(0.0000248015212959543751), V(2.75572684599970648e-6),
                                   V(2.76200884454097482e-7), V(2.51003854955103191e-8));
  }
};

// The result of reduceExponent(x). With x = n log(2) + r and |r| <= log(2) / 2, exp(x) is 2^n (1 + fraction).
template <class T>
struct Reduced {
  typename Format<T>::Bits n;  // in two's complement
  T fraction;                  // expm1(r)
};

template <class T>
FOREBAY_INLINE Reduced<T> reduceExponent(T x) {
  using E = Exponential<T>;
  const T shifted = Fused::mulAdd(x, E::log2e, roundingShift<T>);
  const T n = shifted - roundingShift<T>;
  const T r = Fused::mulAdd(n, -E::log2Low, Fused::mulAdd(n, -E::log2High, x));
  const T square = r * r;
  return {shiftedInteger(shifted), Fused::mulAdd(square, E::rest(r, square), r)};
}

// Returns 2^(exponent - bias) (1 + fraction). The exponent must be that of a normal number. The product with
// a power of two is exact, so the sum is rounded once.
template <class T>
FOREBAY_INLINE T scaled(T fraction, typename Format<T>::Bits exponent) {
  const T power = powerOfTwo<T>(exponent);
  return Fused::mulAdd(fraction, power, power);
}

template <class T>
FOREBAY_INLINE T exponential(T x) {
  using E = Exponential<T>;
  T clamped = x < E::lowest ? E::lowest : x;  // NaN stays NaN, because comparisons with NaN are false
  clamped = x > E::highest ? E::highest : clamped;
  const Reduced<T> reduced = reduceExponent(clamped);
  // Multiplies by 2^n as a product of two powers of two, because each of them is a normal number. Only the
  // last multiplication can underflow or overflow, so a subnormal result is rounded once.
  const auto exponent = reduced.n + 2 * Format<T>::bias;
  const auto half = exponent >> 1;
  return scaled(reduced.fraction, half) * powerOfTwo<T>(exponent - half);
}

#if FOREBAY_BODY_VECTOR == 64
// Returns exp(x) with the same bits, in fewer operations. One instruction multiplies by 2^n, for every n, and
// rounds once. So x need not be clamped: for a huge |x|, n makes the result 0 or infinity. Only r, which is
// not small then, is limited. The limit is larger than |r| of every other x.
template <class T>
FOREBAY_INLINE Packed<T> exponential(Packed<T> x) {
  using E = Exponential<T>;
  using V = Packed<T>;
  const V n = Fused::mulAdd(x, V(E::log2e), V(roundingShift<T>)) - V(roundingShift<T>);
  const V whole = Fused::mulAdd(n, V(-E::log2Low), Fused::mulAdd(n, V(-E::log2High), x));
  const V r = limited(whole, V(T(0.375)));
  const V square = r * r;
  return scaledBy(n, V(T(1)) + Fused::mulAdd(square, E::rest(r, square), r));
}
#endif

// Returns exp(x) for x <= 0, with the same bits as exponential(x), in fewer operations. The result cannot
// overflow. So the function computes 2^64 exp(x), which is a normal number, and multiplies it by the constant
// 2^-64.
template <class T>
FOREBAY_INLINE T exponentialOfNegative(T x) {
  using E = Exponential<T>;
  constexpr typename Format<T>::Bits lift = 64;
  const Reduced<T> reduced = reduceExponent(x < E::lowest ? E::lowest : x);
  return scaled(reduced.fraction, reduced.n + (Format<T>::bias + lift)) * T(0x1p-64);
}

// Returns sigmoid(x). It is computed from e = exp(-|x|), which cannot overflow. For a very negative x, the
// result is equal to e, so it underflows gradually, as it must.
template <class T>
FOREBAY_INLINE T logistic(T x) {
  const T e = exponentialOfNegative(-absolute(x));
  return (x < T(0) ? e : T(1)) / (T(1) + e);
}

// Returns tanh(x). Its absolute value is t / (t + 2) with t = expm1(2 |x|); this formula is accurate near
// zero.
template <class T>
FOREBAY_INLINE T hyperbolicTangent(T x) {
  const T doubled = T(2) * absolute(x);
  const T clamped = doubled > Exponential<T>::saturated ? Exponential<T>::saturated : doubled;
  const Reduced<T> reduced = reduceExponent(clamped);
  const T scale = powerOfTwo<T>(reduced.n + Format<T>::bias);
  const T t = Fused::mulAdd(scale, reduced.fraction, scale - T(1));
  return withSign(t / (t + T(2)), x);
}

}  // namespace forebay::FOREBAY_BODY
