// The operations of the map family, one struct for each. table.h gives them their names. If an argument is
// NaN, the result is NaN, with these exceptions: Greater and Equal return 0, Where ignores the argument that
// it does not select and treats a NaN condition as true, and Pow follows the function pow of C (for example,
// pow(NaN, 0) is 1).
#pragma once

#include "kernels/body/exponential.h"
#include "kernels/body/logarithm.h"

namespace forebay::FOREBAY_BODY {

struct Unary {
  static constexpr int arity = 1;
};
struct Binary {
  static constexpr int arity = 2;
};
struct Ternary {
  static constexpr int arity = 3;
};

// clang-format off
struct Copy : Unary { template <class T> static FOREBAY_INLINE T of(T a) { return a; } };
struct Neg : Unary { template <class T> static FOREBAY_INLINE T of(T a) { return -a; } };
struct Square : Unary { template <class T> static FOREBAY_INLINE T of(T a) { return a * a; } };
struct Abs : Unary { template <class T> static FOREBAY_INLINE T of(T a) { return absolute(a); } };
struct Sqrt : Unary { template <class T> static FOREBAY_INLINE T of(T a) { return squareRoot(a); } };
struct Exp : Unary { template <class T> static FOREBAY_INLINE T of(T a) { return exponential(a); } };
struct Log : Unary { template <class T> static FOREBAY_INLINE T of(T a) { return logarithm<Fused>(a); } };
struct Sigmoid : Unary { template <class T> static FOREBAY_INLINE T of(T a) { return logistic(a); } };
struct Tanh : Unary { template <class T> static FOREBAY_INLINE T of(T a) { return hyperbolicTangent(a); } };
struct Softplus : Unary { template <class T> static FOREBAY_INLINE T of(T a) { return softPlus(a); } };
struct Relu : Unary { template <class T> static FOREBAY_INLINE T of(T a) { return a < T(0) ? T(0) : a; } };
struct Sign : Unary {
  template <class T> static FOREBAY_INLINE T of(T a) { return a > T(0) ? T(1) : a < T(0) ? T(-1) : a; }
};

struct Add : Binary { template <class T> static FOREBAY_INLINE T of(T a, T b) { return a + b; } };
struct Sub : Binary { template <class T> static FOREBAY_INLINE T of(T a, T b) { return a - b; } };
struct Mul : Binary { template <class T> static FOREBAY_INLINE T of(T a, T b) { return a * b; } };
struct Div : Binary { template <class T> static FOREBAY_INLINE T of(T a, T b) { return a / b; } };
struct Greater : Binary {
  template <class T> static FOREBAY_INLINE T of(T a, T b) { return a > b ? T(1) : T(0); }
};
struct Equal : Binary {
  template <class T> static FOREBAY_INLINE T of(T a, T b) { return a == b ? T(1) : T(0); }
};
// Maximum and Minimum return NaN if an argument is NaN. If `a` is NaN, a != a is true and `a` is the result.
// If only `b` is NaN, all comparisons are false and `b` is the result.
struct Maximum : Binary {
  template <class T> static FOREBAY_INLINE T of(T a, T b) { return ((a > b) | (a != a)) ? a : b; }
};
struct Minimum : Binary {
  template <class T> static FOREBAY_INLINE T of(T a, T b) { return ((a < b) | (a != a)) ? a : b; }
};

// a b + c, a b - c and c - a b, rounded once if the body has a fused multiply-add instruction.
struct Fma : Ternary { template <class T> static FOREBAY_INLINE T of(T a, T b, T c) { return Fused::mulAdd(a, b, c); } };
struct Fms : Ternary { template <class T> static FOREBAY_INLINE T of(T a, T b, T c) { return Fused::mulAdd(a, b, -c); } };
struct Fnma : Ternary { template <class T> static FOREBAY_INLINE T of(T a, T b, T c) { return Fused::mulAdd(-a, b, c); } };

struct Where : Ternary {
  template <class T> static FOREBAY_INLINE T of(T condition, T a, T b) { return condition != T(0) ? a : b; }
};

// These operations call libm for each element.
struct Pow : Binary {
  static FOREBAY_INLINE float of(float a, float b) { return ::powf(a, b); }
  static FOREBAY_INLINE double of(double a, double b) { return ::pow(a, b); }
};
struct Sin : Unary {
  static FOREBAY_INLINE float of(float a) { return ::sinf(a); }
  static FOREBAY_INLINE double of(double a) { return ::sin(a); }
};
struct Cos : Unary {
  static FOREBAY_INLINE float of(float a) { return ::cosf(a); }
  static FOREBAY_INLINE double of(double a) { return ::cos(a); }
};
// clang-format on

// One input of an operation. If `single` is true, the input has only one element, which is returned for every
// index i. Otherwise the input is an array.
template <class T, bool single>
struct Input {
  const T* data;
  FOREBAY_INLINE T operator[](std::size_t i) const { return data[i]; }
};
template <class T>
struct Input<T, true> {
  const T value;
  explicit FOREBAY_INLINE Input(const T* data) : value(*data) {}
  FOREBAY_INLINE T operator[](std::size_t) const { return value; }
};

template <class Op, class T, unsigned singles>
void tile(void* out, const void* const* in, std::size_t n) {
  T* y = static_cast<T*>(out);
  const Input<T, (singles & 1) != 0> a{static_cast<const T*>(in[0])};
  if constexpr (Op::arity == 1) {
    FOREBAY_INDEPENDENT
    for (std::size_t i = 0; i < n; ++i) y[i] = Op::of(a[i]);
  } else if constexpr (Op::arity == 2) {
    const Input<T, (singles & 2) != 0> b{static_cast<const T*>(in[1])};
    FOREBAY_INDEPENDENT
    for (std::size_t i = 0; i < n; ++i) y[i] = Op::of(a[i], b[i]);
  } else {
    const Input<T, (singles & 2) != 0> b{static_cast<const T*>(in[1])};
    const Input<T, (singles & 4) != 0> c{static_cast<const T*>(in[2])};
    FOREBAY_INDEPENDENT
    for (std::size_t i = 0; i < n; ++i) y[i] = Op::of(a[i], b[i], c[i]);
  }
}

// Converts x to the type To. A conversion to int32 rounds towards zero, converts NaN to 0 and clamps values
// outside the range of int32. The value is clamped before it is converted, because in C++ the conversion of a
// value outside the range is undefined behaviour.
template <class To, class From>
FOREBAY_INLINE To converted(From x) {
  return static_cast<To>(x);
}
template <>
FOREBAY_INLINE std::int32_t converted<std::int32_t, double>(double x) {
  double inside = x < 2147483647.0 ? x : 2147483647.0;
  inside = inside > -2147483648.0 ? inside : -2147483648.0;
  return static_cast<std::int32_t>(x == x ? inside : 0.0);
}
template <>
FOREBAY_INLINE std::int32_t converted<std::int32_t, float>(float x) {
  // 2^31 - 1 cannot be represented as a float. So x is clamped to the largest float below it. If x was
  // larger, the return statement selects INT32_MAX.
  float inside = x < 2147483520.0f ? x : 2147483520.0f;
  inside = inside > -2147483648.0f ? inside : -2147483648.0f;
  const std::int32_t integer = static_cast<std::int32_t>(x == x ? inside : 0.0f);
  return x > 2147483520.0f ? INT32_MAX : integer;
}

template <class To, class From>
void cast(void* out, const void* const* in, std::size_t n) {
  To* y = static_cast<To*>(out);
  const From* a = static_cast<const From*>(in[0]);
  FOREBAY_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i) y[i] = converted<To>(a[i]);
}

}  // namespace forebay::FOREBAY_BODY
