// Measures the distance of a result from the exact value in units in the last place (ulp), and lists the
// functions whose accuracy is promised. The tests use this file to check a sample of numbers.
// tools/ulp.cc uses it to check every float.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace forebay {

// Returns the error of `got` in ulp. `exact` has a wider type. Infinity is treated as the power of two after
// the largest finite T. So an overflow that begins slightly too early is a small error, and an overflow that
// begins far too early is a large error.
template <class T, class Wide>
double ulps(T got, Wide exact) {
  using Limits = std::numeric_limits<T>;
  if (std::isnan(got) || std::isnan(exact)) {
    return std::isnan(got) && std::isnan(exact) ? 0 : std::numeric_limits<double>::infinity();
  }
  const Wide edge = std::ldexp(Wide(1), Limits::max_exponent);
  const Wide a = std::clamp(static_cast<Wide>(got), -edge, edge);
  const Wide b = std::clamp(exact, -edge, edge);
  if (a == b) return 0;
  int exponent = 0;
  std::frexp(b, &exponent);  // |b| is in [2^(exponent - 1), 2^exponent); if b is 0, exponent is 0
  if (b == 0) exponent = Limits::min_exponent;
  const int last = std::clamp(exponent, Limits::min_exponent, Limits::max_exponent) - Limits::digits;
  return static_cast<double>(std::ldexp(std::fabs(a - b), -last));
}

// The exact functions. They are computed in the type Wide: double for float results, long double for double
// results.
template <class Wide>
struct Reference {
  const char* kernel;
  Wide (*exact)(Wide);
  double floatLimit;   // the largest error in ulp that is promised for float
  double doubleLimit;  // the same for double
};

template <class Wide>
constexpr Reference<Wide> references[] = {
    {"exp", [](Wide x) { return std::exp(x); }, 2.5, 3},
    {"log", [](Wide x) { return std::log(x); }, 2.5, 3},
    {"tanh", [](Wide x) { return std::tanh(x); }, 2.5, 3},
    {"sigmoid", [](Wide x) { return 1 / (1 + std::exp(-x)); }, 2.5, 3},
    {"rsqrt", [](Wide x) { return 1 / std::sqrt(x); }, 1.5, 1.5},
    {"erf", [](Wide x) { return std::erf(x); }, 2, 2},
    {"log1p", [](Wide x) { return std::log1p(x); }, 2, 2},
    {"expm1", [](Wide x) { return std::expm1(x); }, 2.5, 3},
    {"tan", [](Wide x) { return std::tan(x); }, 1.5, 3},
    {"asin", [](Wide x) { return std::asin(x); }, 3, 3},
    {"acos", [](Wide x) { return std::acos(x); }, 2, 2},
    {"atan", [](Wide x) { return std::atan(x); }, 2.5, 2.5},
    {"softplus", [](Wide x) { return std::max(x, Wide(0)) + std::log1p(std::exp(-std::fabs(x))); }, 4, 4},
};

}  // namespace forebay
