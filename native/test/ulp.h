// The distance of a result from the exact value in units in the last place (ulp), and the functions whose
// accuracy is promised. For the tests (a sample) and tools/ulp.cc (every float).
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace forebay {

// `exact` has a wider type. An infinity counts as the power of two after the largest finite T. So an overflow
// slightly too early is a small error, and an overflow far too early is a large one.
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
  std::frexp(b, &exponent);  // |b| in [2^(exponent - 1), 2^exponent); 0 for 0
  if (b == 0) exponent = Limits::min_exponent;
  const int last = std::clamp(exponent, Limits::min_exponent, Limits::max_exponent) - Limits::digits;
  return static_cast<double>(std::ldexp(std::fabs(a - b), -last));
}

// The exact functions, computed in Wide: double for float results, long double for double results.
template <class Wide>
struct Reference {
  const char* kernel;
  Wide (*exact)(Wide);
  double floatLimit;   // ulp, promised for float
  double doubleLimit;  // and for double
};

template <class Wide>
constexpr Reference<Wide> references[] = {
    {"exp", [](Wide x) { return std::exp(x); }, 2.5, 3},
    {"log", [](Wide x) { return std::log(x); }, 2.5, 3},
    {"tanh", [](Wide x) { return std::tanh(x); }, 2.5, 3},
    {"sigmoid", [](Wide x) { return 1 / (1 + std::exp(-x)); }, 2.5, 3},
    {"softplus", [](Wide x) { return std::max(x, Wide(0)) + std::log1p(std::exp(-std::fabs(x))); }, 4, 4},
};

}  // namespace forebay
