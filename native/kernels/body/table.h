// The operations of the map family, one struct for each, and the table of kernels. The index of a row is the
// id of the kernel. Every body compiles this table, so ids are the same in all bodies. To add an element-wise
// kernel, add its operation and its row to this file.
#pragma once

#include "kernels/body/draws.h"
#include "kernels/body/folds.h"

namespace forebay::FOREBAY_BODY {

// ---- The operations. If an argument is NaN, the result is NaN, with these exceptions: comparisons return
// false (NotEqual: true), Where ignores the argument that it does not select, and Pow follows the function
// pow of C (for example, pow(NaN, 0) is 1).

// clang-format off
struct Copy : Unary<Cost::low> { template <class T> static FOREBAY_INLINE T of(T a) { return a; } };
struct Neg : Unary<Cost::low> { template <class T> static FOREBAY_INLINE T of(T a) { return -a; } };
struct Square : Unary<Cost::low> { template <class T> static FOREBAY_INLINE T of(T a) { return a * a; } };
struct Abs : Unary<Cost::low> { template <class T> static FOREBAY_INLINE T of(T a) { return absolute(a); } };
struct Sqrt : Unary<Cost::high> { template <class T> static FOREBAY_INLINE T of(T a) { return squareRoot(a); } };
struct Exp : Unary<Cost::high> {
  static constexpr bool packed = true;
  template <class T> static FOREBAY_INLINE T of(T a) { return exponential(a); }
};
struct Log : Unary<Cost::high> { template <class T> static FOREBAY_INLINE T of(T a) { return logarithm<Fused>(a); } };
struct Sigmoid : Unary<Cost::high> { template <class T> static FOREBAY_INLINE T of(T a) { return logistic(a); } };
struct Tanh : Unary<Cost::high> { template <class T> static FOREBAY_INLINE T of(T a) { return hyperbolicTangent(a); } };
struct Softplus : Unary<Cost::high> { template <class T> static FOREBAY_INLINE T of(T a) { return softPlus(a); } };
struct Relu : Unary<Cost::low> { template <class T> static FOREBAY_INLINE T of(T a) { return a < T(0) ? T(0) : a; } };
struct Sign : Unary<Cost::low> {
  template <class T> static FOREBAY_INLINE T of(T a) { return a > T(0) ? T(1) : a < T(0) ? T(-1) : a; }
};

struct Rsqrt : Unary<Cost::high> { template <class T> static FOREBAY_INLINE T of(T a) { return T(1) / squareRoot(a); } };
struct Erf : Unary<Cost::high> {
  static constexpr bool packed = true;
  template <class T> static FOREBAY_INLINE T of(T a) { return errorFunction(a); }
};
struct Log1p : Unary<Cost::high> { template <class T> static FOREBAY_INLINE T of(T a) { return logarithmOfSum(a); } };
struct Expm1 : Unary<Cost::high> { template <class T> static FOREBAY_INLINE T of(T a) { return exponentialMinusOne(a); } };
struct Floor : Unary<Cost::low> { template <class T> static FOREBAY_INLINE T of(T a) { return roundDown(a); } };
struct Ceil : Unary<Cost::low> { template <class T> static FOREBAY_INLINE T of(T a) { return roundUp(a); } };
struct Round : Unary<Cost::low> { template <class T> static FOREBAY_INLINE T of(T a) { return roundEven(a); } };
struct Trunc : Unary<Cost::low> { template <class T> static FOREBAY_INLINE T of(T a) { return truncated(a); } };
struct Asin : Unary<Cost::high> { template <class T> static FOREBAY_INLINE T of(T a) { return arcSine(a); } };
struct Acos : Unary<Cost::high> { template <class T> static FOREBAY_INLINE T of(T a) { return arcCosine(a); } };
struct Atan : Unary<Cost::high> { template <class T> static FOREBAY_INLINE T of(T a) { return arcTangent(a); } };

struct Add : Binary<Cost::low> { template <class T> static FOREBAY_INLINE T of(T a, T b) { return a + b; } };
struct Sub : Binary<Cost::low> { template <class T> static FOREBAY_INLINE T of(T a, T b) { return a - b; } };
struct Mul : Binary<Cost::low> { template <class T> static FOREBAY_INLINE T of(T a, T b) { return a * b; } };
struct Div : Binary<Cost::high> { template <class T> static FOREBAY_INLINE T of(T a, T b) { return a / b; } };
struct Atan2 : Binary<Cost::high> { template <class T> static FOREBAY_INLINE T of(T a, T b) { return arcTangent(a, b); } };
struct Greater : Comparison<Cost::low> { template <class T> static FOREBAY_INLINE bool of(T a, T b) { return a > b; } };
struct GreaterEqual : Comparison<Cost::low> { template <class T> static FOREBAY_INLINE bool of(T a, T b) { return a >= b; } };
struct Equal : Comparison<Cost::low> { template <class T> static FOREBAY_INLINE bool of(T a, T b) { return a == b; } };
struct NotEqual : Comparison<Cost::low> { template <class T> static FOREBAY_INLINE bool of(T a, T b) { return a != b; } };
struct Maximum : Binary<Cost::low> { template <class T> static FOREBAY_INLINE T of(T a, T b) { return maximum(a, b); } };
struct Minimum : Binary<Cost::low> { template <class T> static FOREBAY_INLINE T of(T a, T b) { return minimum(a, b); } };

// a b + c, a b - c and c - a b, rounded once if the body has a fused multiply-add instruction.
struct Fma : Ternary<Cost::high> { template <class T> static FOREBAY_INLINE T of(T a, T b, T c) { return Fused::mulAdd(a, b, c); } };
struct Fms : Ternary<Cost::high> { template <class T> static FOREBAY_INLINE T of(T a, T b, T c) { return Fused::mulAdd(a, b, -c); } };
struct Fnma : Ternary<Cost::high> { template <class T> static FOREBAY_INLINE T of(T a, T b, T c) { return Fused::mulAdd(-a, b, c); } };

struct Where : Selection<Cost::low> {
  template <class T> static FOREBAY_INLINE T of(bool condition, T a, T b) { return condition ? a : b; }
};

// Operations on bools. They have no branches: both operands are evaluated.
struct And : Binary<Cost::low> { static FOREBAY_INLINE bool of(bool a, bool b) { return a & b; } };
struct Or : Binary<Cost::low> { static FOREBAY_INLINE bool of(bool a, bool b) { return a | b; } };
struct Xor : Binary<Cost::low> { static FOREBAY_INLINE bool of(bool a, bool b) { return a != b; } };
struct Not : Unary<Cost::low> { static FOREBAY_INLINE bool of(bool a) { return !a; } };

// These operations call libm for arguments that are not modest.
struct Mod : Binary<Cost::high> {
  static constexpr bool mixed = true;
  template <class T> static FOREBAY_INLINE T of(T a, T b) { return modulo(a, b); }
  template <class T> static FOREBAY_INLINE bool isModest(T a, T b) { return isModestDivision(a, b); }
  template <class T> static FOREBAY_INLINE T modest(T a, T b) { return modestModulo(a, b); }
};
struct Tan : Unary<Cost::high> {
  static constexpr bool mixed = true;
  static FOREBAY_INLINE float of(float a) { return ::tanf(a); }
  static FOREBAY_INLINE double of(double a) { return ::tan(a); }
  template <class T> static FOREBAY_INLINE bool isModest(T a) { return absolute(a) <= T(HalfPi::farthest); }
  template <class T> static FOREBAY_INLINE T modest(T a) { return tangentOf(a); }
};

// These operations call libm for each element.
struct Pow : Binary<Cost::high> {
  static FOREBAY_INLINE float of(float a, float b) { return ::powf(a, b); }
  static FOREBAY_INLINE double of(double a, double b) { return ::pow(a, b); }
};
struct Sin : Unary<Cost::high> {
  static FOREBAY_INLINE float of(float a) { return ::sinf(a); }
  static FOREBAY_INLINE double of(double a) { return ::sin(a); }
};
struct Cos : Unary<Cost::high> {
  static FOREBAY_INLINE float of(float a) { return ::cosf(a); }
  static FOREBAY_INLINE double of(double a) { return ::cos(a); }
};
// clang-format on

// ---- The table.

template <class Op, class T, class Singles>
struct MapTiles;
template <class Op, class T, std::size_t... singles>
struct MapTiles<Op, T, std::index_sequence<singles...>> {
  static constexpr TileFn tiles[] = {tile<Op, T, MaskOf<T>, singles>...};
};
template <class To, class From>
struct CastTiles {
  static constexpr TileFn tiles[] = {cast<To, From>};
};

template <class Op, class T>
constexpr Routine tileOf = {MapTiles<Op, T, std::make_index_sequence<(1 << Op::arity) - 1>>::tiles};
// For kernels that read or write bools.
template <class Op, class T>
constexpr Routine truthsOf = {MapTiles<Op, T, std::make_index_sequence<(1 << Op::arity) - 1>>::tiles,
                              tile<Op, T, Byte, 0>};
template <class To, class From>
constexpr Routine castOf = {CastTiles<To, From>::tiles};
constexpr Routine foldOf(const Fold& fold) { return {nullptr, nullptr, &fold, nullptr, nullptr}; }
constexpr Routine fillOf(FillFn fill) { return {nullptr, nullptr, nullptr, fill, nullptr}; }
constexpr Routine gemmOf(GemmFn gemm) { return {nullptr, nullptr, nullptr, nullptr, gemm}; }
constexpr Routine none = {};

// The types of operands for which a kernel is cheap. A conversion is cheap if it is a comparison with 0, or
// the selection of 0 or 1. A uniform number takes 0.26 ns (AVX-512) or 0.7 ns (AVX2), about as much as
// writing it to memory and reading it twice. A normal number takes 1.2 ns or more.
constexpr unsigned never = 0, always = (1u << laneTypeCount) - 1;
constexpr unsigned bools = 1u << static_cast<int>(DType::boolean) | 1u << static_cast<int>(DType::mask32) |
                           1u << static_cast<int>(DType::mask64);
template <class Op>
constexpr unsigned cheapOf = Op::cheap ? always : never;

template <class Op>
constexpr Kernel floats(const char* name) {
  return {Family::map, name, Op::arity, cheapOf<Op>, {tileOf<Op, float>, tileOf<Op, double>}};
}
template <class Op>
constexpr Kernel numbers(const char* name) {
  return {Family::map,
          name,
          Op::arity,
          cheapOf<Op>,
          {tileOf<Op, float>, tileOf<Op, double>, tileOf<Op, std::int32_t>}};
}
template <class Op>
constexpr Kernel every(const char* name) {
  return {Family::map,
          name,
          Op::arity,
          cheapOf<Op>,
          {tileOf<Op, float>, tileOf<Op, double>, tileOf<Op, std::int32_t>, tileOf<Op, Byte>,
           tileOf<Op, std::uint8_t>}};
}
template <class Op>
constexpr Kernel truths(const char* name) {
  return {Family::map,
          name,
          Op::arity,
          cheapOf<Op>,
          {truthsOf<Op, float>, truthsOf<Op, double>, truthsOf<Op, std::int32_t>, truthsOf<Op, Byte>,
           truthsOf<Op, std::uint8_t>},
          Op::form};
}
// Operations on bools: masks in registers, bytes in memory. The type of the elements of a Uint8Array is
// uint8, so this type has the routine of bytes, too.
template <class Op>
constexpr Kernel logic(const char* name) {
  constexpr Routine bytes = tileOf<Op, Byte>;
  return {Family::map,
          name,
          Op::arity,
          cheapOf<Op>,
          {none, none, none, bytes, bytes, tileOf<Op, Mask32>, tileOf<Op, Mask64>}};
}
template <class To>
constexpr Kernel castTo(DType type) {
  return {Family::cast,
          nameOf(type),
          1,
          type == DType::boolean ? always : bools,
          {castOf<To, float>, castOf<To, double>, castOf<To, std::int32_t>, castOf<To, Byte>,
           castOf<To, std::uint8_t>, castOf<To, Mask32>, castOf<To, Mask64>},
          Form::plain,
          type};
}

constexpr Kernel kernels[] = {
    every<Copy>("copy"),
    floats<Add>("add"),
    floats<Sub>("sub"),
    floats<Mul>("mul"),
    floats<Div>("div"),
    floats<Neg>("neg"),
    floats<Exp>("exp"),
    floats<Log>("log"),
    floats<Sqrt>("sqrt"),
    floats<Square>("square"),
    floats<Abs>("abs"),
    floats<Sign>("sign"),
    floats<Pow>("pow"),
    floats<Sigmoid>("sigmoid"),
    floats<Tanh>("tanh"),
    floats<Relu>("relu"),
    floats<Softplus>("softplus"),
    floats<Sin>("sin"),
    floats<Cos>("cos"),
    floats<Rsqrt>("rsqrt"),
    floats<Erf>("erf"),
    floats<Log1p>("log1p"),
    floats<Expm1>("expm1"),
    floats<Floor>("floor"),
    floats<Ceil>("ceil"),
    floats<Round>("round"),
    floats<Trunc>("trunc"),
    floats<Tan>("tan"),
    floats<Asin>("asin"),
    floats<Acos>("acos"),
    floats<Atan>("atan"),
    floats<Atan2>("atan2"),
    numbers<Mod>("mod"),
    numbers<Maximum>("maximum"),
    numbers<Minimum>("minimum"),
    truths<Greater>("greater"),
    truths<GreaterEqual>("greaterEqual"),
    truths<Equal>("equal"),
    truths<NotEqual>("notEqual"),
    logic<And>("and"),
    logic<Or>("or"),
    logic<Xor>("xor"),
    logic<Not>("not"),
    truths<Where>("where"),
    floats<Fma>("fma"),
    floats<Fms>("fms"),
    floats<Fnma>("fnma"),
    // The name of a cast is the type of its output. Its routines are indexed by the type of its input.
    castTo<float>(DType::float32),
    castTo<double>(DType::float64),
    castTo<std::int32_t>(DType::int32),
    castTo<Byte>(DType::boolean),
    castTo<std::uint8_t>(DType::uint8),
    castTo<Mask32>(DType::mask32),
    castTo<Mask64>(DType::mask64),
    {Family::reduce, "sum", 1, never, {foldOf(sumFold<float>), foldOf(sumFold<double>), none}},
    {Family::reduce,
     "max",
     1,
     never,
     {foldOf(maxFold<float>), foldOf(maxFold<double>), foldOf(maxFold<std::int32_t>)}},
    {Family::reduce,
     "argmax",
     1,
     never,
     {foldOf(argmaxFold<float>), foldOf(argmaxFold<double>), foldOf(argmaxFold<std::int32_t>)}},
    {Family::product, "gemm", 2, never, {gemmOf(gemmFloat), gemmOf(gemmDouble), none}},
    {Family::random,
     "uniform",
     0,
     always,
     {fillOf(fill<Uniform, float>), fillOf(fill<Uniform, double>), none}},
    {Family::random, "normal", 0, never, {fillOf(fill<Normal, float>), fillOf(fill<Normal, double>), none}},
    {Family::random,
     "truncatedNormal",
     0,
     never,
     {fillOf(fillTruncated<float>), fillOf(fillTruncated<double>), none}},
};

}  // namespace forebay::FOREBAY_BODY
