// tan, asin, acos, atan and atan2. The functions have no branches. Except for large arguments of tan, they
// are correct for infinities, NaN, subnormal numbers and the sign of zero. coefficients.py prints the
// polynomials and the parts of pi / 2. tools/ulp.cc measures the errors of the functions.
#pragma once

#include "kernels/body/arithmetic.h"

namespace forebay::FOREBAY_BODY {

// The constants for one type, and the polynomials P of the arc functions: atan(x) = x + x z P(z) for |x| <=
// tan(pi / 8), and asin(x) = x + x z P(z) for |x| <= 1/2, where z = x^2. halfPi + halfPiLow is pi / 2.
template <class T>
struct Arc;

template <>
struct Arc<float> {
  static constexpr float halfPi = 1.57079637f, halfPiLow = -4.37113883e-8f;
  static constexpr float tanEighth = 0.414213562f, tanThreeEighths = 2.41421356f;  // of pi
  static constexpr float huge = 0x1p126f;

  static FOREBAY_INLINE float tangent(float z) {
    return polynomial<Fused>(z, -0.3333333176f, 0.1999954015f, -0.1426394391f, 0.1074360515f,
                             -0.06451509519f);
  }
  static FOREBAY_INLINE float sine(float z) {
    return pairedPolynomial<Fused>(z, z * z, 0.1666666634f, 0.07500094543f, 0.04459940153f, 0.03110066274f,
                                   0.01714923836f, 0.03369084720f);
  }
};

template <>
struct Arc<double> {
  static constexpr double halfPi = 1.5707963267948966, halfPiLow = 6.123233995736766e-17;
  static constexpr double tanEighth = 0.41421356237309505, tanThreeEighths = 2.4142135623730950;
  static constexpr double huge = 0x1p1022;

  static FOREBAY_INLINE double tangent(double z) {
    return pairedPolynomial<Fused>(
        z, z * z, -0.333333333333333332, 0.199999999999998041, -0.142857142856597279, 0.111111111051457253,
        -0.0909090875301717832, 0.0769229636104821778, -0.0666642463459933670, 0.0587892611052810075,
        -0.0523043300748289212, 0.0455149623749493032, -0.0345680680149688765, 0.0162829932389244868);
  }
  static FOREBAY_INLINE double sine(double z) {
    return pairedPolynomial<Fused>(z, z * z, 0.166666666666666678, 0.0749999999999843293,
                                   0.0446428571463554298, 0.0303819441385312473, 0.0223721729421498879,
                                   0.0173523927208699729, 0.0139712129735529333, 0.0114791774151849059,
                                   0.0103228143501857793, 0.00545750671864035830, 0.0174008794426940224,
                                   -0.0148518870712472032, 0.0287578513674215647, 0.0);
  }
};

// Returns atan(numerator / denominator) for two numbers that are not negative. If the quotient is large, it
// is the angle pi / 4 or pi / 2 plus the angle of another, small quotient.
template <class T>
FOREBAY_INLINE T angleOf(T numerator, T denominator) {
  using A = Arc<T>;
  const bool small = numerator <= A::tanEighth * denominator;
  const bool middle = numerator <= A::tanThreeEighths * denominator;
  const T above = middle ? numerator - denominator : -denominator;
  const T below = middle ? numerator + denominator : numerator;
  const T t = (small ? numerator : above) / (small ? denominator : below);
  const T turns = small ? T(0) : middle ? T(0.5) : T(1);  // of pi / 2
  const T z = t * t;
  return turns * A::halfPi + (t + Fused::mulAdd(t * z, A::tangent(z), turns * A::halfPiLow));
}

template <class T>
FOREBAY_INLINE T arcTangent(T x) {
  return withSign(angleOf(absolute(x), T(1)), x);
}

// Returns the angle between the positive x axis and the point (x, y), from -pi to pi.
template <class T>
FOREBAY_INLINE T arcTangent(T y, T x) {
  using A = Arc<T>;
  const T infinity = T(__builtin_huge_val());
  const T high = absolute(y), wide = absolute(x);
  const bool infinite = (high == infinity) & (wide == infinity);
  const bool zero = (high == T(0)) & (wide == T(0));
  const T scale =
      ((high > A::huge) | (wide > A::huge)) ? T(0.25) : T(1);  // so that the sum does not overflow
  const T numerator = infinite ? T(1) : high * scale;
  const T denominator = (infinite | zero) ? T(1) : wide * scale;
  const T angle = angleOf(numerator, denominator);
  const T behind = T(2) * A::halfPi - (angle - T(2) * A::halfPiLow);
  return withSign(withSign(T(1), x) < T(0) ? behind : angle, y);
}

// For |x| > 1/2, asin(|x|) is pi / 2 - 2 asin(s) with s = sqrt((1 - |x|) / 2). `s` is at most 1/2.
template <class T>
FOREBAY_INLINE T arcSine(T x) {
  using A = Arc<T>;
  const T magnitude = absolute(x);
  const bool near = magnitude <= T(0.5);
  const T z = near ? x * x : T(0.5) * (T(1) - magnitude);
  const T s = near ? magnitude : squareRoot(z);
  const T angle = Fused::mulAdd(s * z, A::sine(z), s);
  return withSign(near ? angle : A::halfPi - (T(2) * angle - A::halfPiLow), x);
}

template <class T>
FOREBAY_INLINE T arcCosine(T x) {
  using A = Arc<T>;
  const T magnitude = absolute(x);
  const bool near = magnitude <= T(0.5);
  const T z = near ? x * x : T(0.5) * (T(1) - magnitude);
  const T s = near ? x : squareRoot(z);
  const T rest = s * z * A::sine(z);  // asin(s) - s
  const T middle = A::halfPi - (s - (A::halfPiLow - rest));
  const T end = T(2) * (s + rest);
  const T start = T(2) * (A::halfPi - (s + (rest - A::halfPiLow)));
  return near ? middle : x < T(0) ? start : end;
}

// pi / 2 as a sum of three parts of 33 bits, whose products with integers up to 2^20 are exact, and the rest.
struct HalfPi {
  static constexpr double first = 0x1.921fb544p+0, second = 0x1.0b4611a6p-34, third = 0x1.3198a2e0p-69;
  static constexpr double rest = 0x1.b839a252049c1p-104;
  static constexpr double inverse = 0.63661977236758134;
  static constexpr double farthest = 0x1p20;  // the largest |x| that is reduced
};

// x = n pi / 2 + high + low with |high| <= pi / 4.
struct ReducedAngle {
  std::uint64_t n;  // in two's complement
  double high, low;
};

// Subtracts `amount` from r.high, and adds the rounding error of the difference to r.low.
FOREBAY_INLINE void subtract(ReducedAngle& r, double amount) {
  const double difference = r.high - amount;
  const double kept = difference + amount;
  r.low += (r.high - kept) - (amount - (kept - difference));
  r.high = difference;
}

// Reduces x, |x| <= HalfPi::farthest.
FOREBAY_INLINE ReducedAngle reduceAngle(double x) {
  const double shifted = Fused::mulAdd(x, HalfPi::inverse, roundingShift<double>);
  const double n = shifted - roundingShift<double>;
  ReducedAngle r = {shiftedInteger(shifted), x - n * HalfPi::first, 0};  // the difference is exact
  subtract(r, n * HalfPi::second);
  subtract(r, n * HalfPi::third);
  r.low -= n * HalfPi::rest;
  const double sum = r.high + r.low;
  return {r.n, sum, r.low - (sum - r.high)};
}

// Returns tan(x) for |x| <= HalfPi::farthest, as the quotient of the sine and the cosine of the reduced
// angle.
FOREBAY_INLINE double tangentOf(double x) {
  const ReducedAngle r = reduceAngle(x);
  const double z = r.high * r.high;
  const double sine =
      r.high + (r.low + r.high * z *
                            pairedPolynomial<Fused>(z, z * z, -0.166666666666666646, 0.00833333333333094610,
                                                    -0.000198412698367549700, 2.75573161006830291e-6,
                                                    -2.50511314554279474e-8, 1.59181012302741203e-10));
  const double cosine =
      1.0 - (0.5 * z - (z * z *
                            pairedPolynomial<Fused>(z, z * z, 0.0416666666666666654, -0.00138888888888873957,
                                                    0.0000248015872987634332, -2.75573172705603241e-7,
                                                    2.08761460246897466e-9, -1.13826148685563246e-11) -
                        r.high * r.low));
  const bool odd = (r.n & 1) != 0;
  const double quotient = (odd ? -cosine : sine) / (odd ? sine : cosine);
  return x == 0 ? x : quotient;
}
FOREBAY_INLINE float tangentOf(float x) { return static_cast<float>(tangentOf(static_cast<double>(x))); }

}  // namespace forebay::FOREBAY_BODY
