// log and softplus. Both use the series of log((1 + s) / (1 - s)) = 2 atanh(s). This series has only odd
// powers, converges fast and has a small relative error near log(1) = 0. coefficients.py prints the
// polynomials.
#pragma once

#include "kernels/body/arithmetic.h"
#include "kernels/body/exponential.h"

namespace forebay::FOREBAY_BODY {

// The constants of log for one type, and the polynomial P in 2 atanh(s) = 2 s + s z P(z), where z = s^2.
// `near` computes P for |s| <= 0.1716, `wide` for |s| <= 1/3.
template <class T>
struct Logarithm;

template <>
struct Logarithm<float> {
  static constexpr float log2High = 6.9313812256e-01f, log2Low = 9.0580006145e-06f;
  static constexpr float sqrtHalf = 0.70710678f;
  static constexpr float subnormalScale = 0x1p25f, subnormalShift = 25.0f;

  template <class A>
  static FOREBAY_INLINE float near(float z) {
    return polynomial<A>(z, 0.6666666655f, 0.4000012191f, 0.2855081238f, 0.2333069667f);
  }
  static FOREBAY_INLINE float wide(float z) {
    return polynomial<Fused>(z, 0.6666666732f, 0.3999970633f, 0.2859235799f, 0.2170657580f, 0.2322432922f);
  }
};

template <>
struct Logarithm<double> {
  static constexpr double log2High = 6.93147180369123816490e-01, log2Low = 1.90821492927058770002e-10;
  static constexpr double sqrtHalf = 0.70710678118654752440;
  static constexpr double subnormalScale = 0x1p54, subnormalShift = 54.0;

  template <class A>
  static FOREBAY_INLINE double near(double z) {
    return polynomial<A>(z, 0.666666666666666969, 0.399999999998993819, 0.285714286260310668,
                         0.222222111257228089, 0.181828897861910425, 0.153316996335438587,
                         0.146167211798618157);
  }
  static FOREBAY_INLINE double wide(double z) {
    return polynomial<Fused>(z, 0.666666666666666586, 0.400000000000145827, 0.285714285671087572,
                             0.222222227174278630, 0.181817894361328582, 0.153855700649586231,
                             0.133141442096549362, 0.120010728095907125, 0.0880073848614467388,
                             0.161640456119435322);
  }
};

// Returns log(x). A is Plain if the bits must not depend on the body, otherwise Fused.
template <class A, class T>
FOREBAY_INLINE T logarithm(T x) {
  using L = Logarithm<T>;
  using Bits = typename Format<T>::Bits;
  constexpr int mantissa = Format<T>::mantissa;
  constexpr Bits mantissaMask = (Bits(1) << mantissa) - 1;
  constexpr T integerShift = T(std::uint64_t(1) << mantissa);  // its lowest bit has the value 1

  // Splits x = 2^k (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2).
  const bool subnormal = x < Format<T>::smallestNormal;
  const T normal = subnormal ? x * L::subnormalScale : x;
  const Bits raised = bitsOf(normal) + (bitsOf(T(1)) - bitsOf(L::sqrtHalf));
  const T biased = ofBits(static_cast<Bits>((raised >> mantissa) | bitsOf(integerShift)));
  const T exponent = biased - (integerShift + T(Format<T>::bias));
  const T k = subnormal ? exponent - L::subnormalShift : exponent;
  const T f = ofBits(static_cast<Bits>((raised & mantissaMask) + bitsOf(L::sqrtHalf))) - T(1);

  // Computes log(1 + f) = f - f^2/2 + s (f^2/2 + z P(z)). This form is accurate, because f is exact and the
  // other terms are small relative to f.
  const T s = f / (T(2) + f);
  const T z = s * s;
  const T halfSquare = T(0.5) * f * f;
  const T tail = A::mulAdd(s, A::mulAdd(z, L::template near<A>(z), halfSquare), k * L::log2Low);
  const T result = A::mulAdd(k, L::log2High, f - (halfSquare - tail));

  const T infinity = T(__builtin_huge_val());
  const T special = x == T(0) ? -infinity : T(__builtin_nan(""));
  return x > T(0) ? (x < infinity ? result : x) : special;
}

// Returns log(1 + exp(x)), computed as max(x, 0) + log1p(e), where e = exp(-|x|) is in [0, 1] and log1p(e) =
// 2 atanh(e / (2 + e)).
template <class T>
FOREBAY_INLINE T softPlus(T x) {
  const T e = exponentialOfNegative(-absolute(x));
  const T s = e / (T(2) + e);
  const T z = s * s;
  const T log1p = Fused::mulAdd(s * z, Logarithm<T>::wide(z), T(2) * s);
  return (x > T(0) ? x : T(0)) + log1p;
}

}  // namespace forebay::FOREBAY_BODY
