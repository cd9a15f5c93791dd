// erf, log1p and expm1. The functions have no branches. They are correct for all arguments, including NaN,
// infinities, subnormal numbers and the sign of zero. coefficients.py prints the polynomials. tools/ulp.cc
// measures the errors of the functions.
#pragma once

#include "kernels/body/exponential.h"
#include "kernels/body/logarithm.h"

namespace forebay::FOREBAY_BODY {

// Returns e^x - 1. With x = n log(2) + r, it is 2^n expm1(r) + (2^n - 1). Twice the half of this number is
// computed, because 2^(n - 1) does not overflow.
template <class T>
FOREBAY_INLINE T exponentialMinusOne(T x) {
  using E = Exponential<T>;
  T clamped = x < -E::saturated ? -E::saturated : x;  // the result rounds to -1
  clamped = clamped > E::highest ? E::highest : clamped;
  const Reduced<T> reduced = reduceExponent(clamped);
  const T half = powerOfTwo<T>(reduced.n + (Format<T>::bias - 1));
  const T result = T(2) * Fused::mulAdd(half, reduced.fraction, half - T(0.5));
  // Half of a subnormal number may be rounded. For these x, the result is x.
  return absolute(x) < Format<T>::smallestNormal ? x : result;
}

// Returns log(1 + x). The sum u = 1 + x is rounded, so c / u is added, where u + c is the exact sum.
template <class T>
FOREBAY_INLINE T logarithmOfSum(T x) {
  using L = Logarithm<T>;
  using Bits = typename Format<T>::Bits;
  constexpr int mantissa = Format<T>::mantissa;
  constexpr Bits mantissaMask = (Bits(1) << mantissa) - 1;
  constexpr T integerShift = T(std::uint64_t(1) << mantissa);  // its lowest bit has the value 1

  const T u = T(1) + x;
  const T difference = u - T(1);
  const T c = (T(1) - (u - difference)) + (x - difference);

  // Splits u = 2^k (1 + f), and computes k log(2) + log(1 + f) as `logarithm` does.
  const Bits raised = bitsOf(u) + (bitsOf(T(1)) - bitsOf(L::sqrtHalf));
  const T biased = ofBits(static_cast<Bits>((raised >> mantissa) | bitsOf(integerShift)));
  const T k = biased - (integerShift + T(Format<T>::bias));
  const T f = ofBits(static_cast<Bits>((raised & mantissaMask) + bitsOf(L::sqrtHalf))) - T(1);
  const T s = f / (T(2) + f);
  const T z = s * s;
  const T halfSquare = T(0.5) * f * f;
  const T low = Fused::mulAdd(k, L::log2Low, c / u);
  const T tail = Fused::mulAdd(s, Fused::mulAdd(z, L::template near<Fused>(z), halfSquare), low);
  const T result = Fused::mulAdd(k, L::log2High, f - (halfSquare - tail));

  const T infinity = T(__builtin_huge_val());
  const T special = x == T(-1) ? -infinity : x == infinity ? infinity : T(__builtin_nan(""));
  const T inside = absolute(x) < Format<T>::smallestNormal ? x : result;
  return ((x > T(-1)) & (x < infinity)) ? inside : special;
}

// The polynomials of erf for one type, as functions of V, which is this type or a vector of it. `near` is P
// in erf(x) = x + x P(x^2) for |x| <= 1. `far` is log(1 - erf(1 + t)) for 0 <= t <= highest - 1. For x >=
// highest, erf(x) rounds to 1.
template <class T>
struct ErrorFunction;

template <>
struct ErrorFunction<float> {
  static constexpr float highest = 4.0f;
  template <class V>
  static FOREBAY_INLINE V near(V z) {
    return pairedPolynomial<Fused>(z, z * z, V(0.1283791658f), V(-0.3761262667f), V(0.1128359472f),
                                   V(-0.02685421201f), V(0.005189087423f), V(-0.0008016864287f),
                                   V(7.875875063e-5f), V(0.0f));
  }
  template <class V>
  static FOREBAY_INLINE V far(V t) {
    return polynomial<Fused>(t, V(-1.849605507f), V(-2.638967700f), V(-0.8431047416f), V(-0.04157574036f),
                             V(0.01007780803f), V(-0.002054300957f), V(0.0003202395664f), V(-3.296083137e-5f),
                             V(1.637151415e-6f));
  }
};

template <>
struct ErrorFunction<double> {
  static constexpr double highest = 6.0;
  template <class V>
  static FOREBAY_INLINE V near(V z) {
    return pairedPolynomial<Fused>(
        z, z * z, V(0.128379167095512574), V(-0.376126389031837481), V(0.112837916709548787),
        V(-0.0268661706450767932), V(0.00522397762481801447), V(-0.000854832698083378991),
        V(0.000120553311116427109), V(-0.0000149255952668311816), V(1.64610004841213680e-6),
        V(-1.63503127010546950e-7), V(1.46597752740474358e-8), V(-1.13728488567916737e-9),
        V(5.95717614774891140e-11), V(0.0));
  }
  template <class V>
  static FOREBAY_INLINE V far(V t) {
    return pairedPolynomial<Fused>(
        t, t * t, V(-1.84960550993324851), V(-2.63896751423473136), V(-0.843107256360766925),
        V(-0.0415610980121352974), V(0.0100338251609209541), V(-0.00197790169752423065),
        V(0.000237320463130662615), V(0.0000262798628586342167), V(-0.0000271563342218642147),
        V(9.59500650951352641e-6), V(-2.03315978014673100e-6), V(1.10285615095224532e-7),
        V(1.25850355913997030e-7), V(-7.01435656178523619e-8), V(2.35708126421711075e-8),
        V(-5.96954840965236523e-9), V(1.19933132265268837e-9), V(-1.93067690415308372e-10),
        V(2.47033725450198702e-11), V(-2.45976400501791922e-12), V(1.83789828996234595e-13),
        V(-9.69146505432828551e-15), V(3.21395038657597688e-16), V(-5.03817509082021615e-18));
  }
};

// Returns the error function, 2 / sqrt(pi) times the integral of e^-t^2 from 0 to x.
template <class T>
FOREBAY_INLINE T errorFunction(T x) {
  using E = ErrorFunction<T>;
  const T magnitude = absolute(x);
  const T clamped = magnitude > E::highest ? E::highest : magnitude;
  const T near = Fused::mulAdd(x, E::near(x * x), x);
  const T far = T(1) - exponentialOfNegative(E::far(clamped - T(1)));
  return magnitude < T(1) ? near : withSign(far, x);
}

#if FOREBAY_BODY_VECTOR == 64
// Returns erf(x), with the bits of the scalar function.
template <class T>
FOREBAY_INLINE Packed<T> errorFunction(Packed<T> x) {
  using E = ErrorFunction<T>;
  using V = Packed<T>;
  const V magnitude = absolute(x);
  const V near = Fused::mulAdd(x, E::near(x * x), x);
  const V far = V(T(1)) - exponential(E::far(minimum(magnitude, V(E::highest)) - V(T(1))));
  return ifNotLess(magnitude, V(T(1)), withSign(far, x), near);  // NaN for NaN, as `near`
}
#endif

}  // namespace forebay::FOREBAY_BODY
