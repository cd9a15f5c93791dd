// The kernels of the families map and cast: loops over the elements of a tile. A kernel of the family map is
// made from an operation, a struct that is derived from one of the structs below. table.h has the operations.
#pragma once

#include "kernels/body/rounding.h"
#include "kernels/body/special.h"
#include "kernels/body/trigonometry.h"

namespace forebay::FOREBAY_BODY {

// The cost of an element is low if computing it takes less time than storing it. The compiler then computes a
// value again in each loop that reads it.
enum class Cost : bool { low, high };

// The facts of an operation, which the kernel table passes on to JavaScript.
template <int count, Form kind, Cost cost>
struct Operation {
  static constexpr int arity = count;
  static constexpr Form form = kind;
  static constexpr bool cheap = cost == Cost::low;
  // True if forElements (packed.h) computes the tiles of the operation.
  static constexpr bool packed = false;
  // True if the operation calls libm for some floating-point arguments only. The function `modest` is correct
  // for all arguments that `isModest` accepts, returns some number for all others, and is vectorised.
  static constexpr bool mixed = false;
};
template <Cost cost>
using Unary = Operation<1, Form::plain, cost>;
template <Cost cost>
using Binary = Operation<2, Form::plain, cost>;
template <Cost cost>
using Ternary = Operation<3, Form::plain, cost>;
template <Cost cost>
using Comparison = Operation<2, Form::compares, cost>;
template <Cost cost>
using Selection = Operation<3, Form::selects, cost>;

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

// A bool in memory (Byte), and in registers beside elements of 4 and 8 bytes. Every word that is not 0 is
// true.
template <class Word, Word trueWord>
struct Truth {
  Word word;
  explicit FOREBAY_INLINE operator bool() const { return word != 0; }
  static FOREBAY_INLINE Truth of(bool value) { return {value ? trueWord : Word(0)}; }
};
using Byte = Truth<std::uint8_t, 1>;
using Mask32 = Truth<std::uint32_t, 0xffffffffu>;
using Mask64 = Truth<std::uint64_t, 0xffffffffffffffffu>;
template <class T>
using MaskOf = std::conditional_t<sizeof(T) == 4, Mask32, std::conditional_t<sizeof(T) == 8, Mask64, Byte>>;

template <class T>
constexpr bool isTruth = std::is_same_v<T, Byte> || std::is_same_v<T, Mask32> || std::is_same_v<T, Mask64>;

// Returns the element as an operation takes it: a bool, or a number.
template <class T>
FOREBAY_INLINE auto valueOf(T x) {
  if constexpr (isTruth<T>) {
    return static_cast<bool>(x);
  } else {
    return x;
  }
}
// The reverse of valueOf.
template <class T, class Value>
FOREBAY_INLINE T elementOf(Value x) {
  if constexpr (isTruth<T>) {
    return T::of(x);
  } else {
    return x;
  }
}

// The types of the first input and of the result of an operation over elements of T, with bools of type Mask.
template <class Op, class T, class Mask>
struct Operands {
  using First = std::conditional_t<Op::form == Form::selects, Mask, T>;
  using Result = std::conditional_t<Op::form == Form::compares, Mask, T>;
};

// Computes a tile of a mixed operation, part by part. The loop over all elements of a part is vectorised.
// Then those whose arguments are not modest get the results of libm, which were computed before, because the
// output may be an input. So no element depends on its neighbours.
template <class Op, class T, class... Inputs>
FOREBAY_INLINE void mixedTile(T* y, std::size_t n, Inputs... inputs) {
  constexpr std::size_t part = 64;
  T others[part];
  for (std::size_t from = 0; from < n; from += part) {
    const std::size_t end = n - from < part ? n : from + part;
    typename Format<T>::Bits any = 0;
    for (std::size_t i = from; i < end; ++i) any |= Op::isModest(inputs[i]...) ? 0u : 1u;
    std::uint64_t where = 0;  // bit i is set if element from + i is not modest
    for (std::size_t i = from; any != 0 && i < end; ++i) {
      if (Op::isModest(inputs[i]...)) continue;
      others[i - from] = Op::of(inputs[i]...);
      where |= std::uint64_t(1) << (i - from);
    }
    FOREBAY_INDEPENDENT
    for (std::size_t i = from; i < end; ++i) y[i] = Op::modest(inputs[i]...);
    for (std::size_t i = from; where != 0; ++i, where >>= 1) {
      if ((where & 1) != 0) y[i] = others[i - from];
    }
  }
}

template <class Op, class T, class Mask, unsigned singles>
void tile(void* out, const void* const* in, std::size_t n) {
  using First = typename Operands<Op, T, Mask>::First;
  using Result = typename Operands<Op, T, Mask>::Result;
  Result* y = static_cast<Result*>(out);
  const Input<First, (singles & 1) != 0> a{static_cast<const First*>(in[0])};
  if constexpr (Op::packed) {
    static_assert(Op::arity == 1);
    const T* const x = static_cast<const T*>(in[0]);
    forElements<T>(static_cast<std::int64_t>(n), [&](auto access, std::int64_t i) FOREBAY_INLINED {
      access.store(y + i, Op::of(access.load(x + i)));
    });
  } else if constexpr (Op::mixed && std::is_floating_point_v<T>) {
    if constexpr (Op::arity == 1) {
      mixedTile<Op>(y, n, a);
    } else {
      mixedTile<Op>(y, n, a, Input<T, (singles & 2) != 0>{static_cast<const T*>(in[1])});
    }
  } else if constexpr (Op::arity == 1) {
    FOREBAY_INDEPENDENT
    for (std::size_t i = 0; i < n; ++i) y[i] = elementOf<Result>(Op::of(valueOf(a[i])));
  } else if constexpr (Op::arity == 2) {
    const Input<T, (singles & 2) != 0> b{static_cast<const T*>(in[1])};
    FOREBAY_INDEPENDENT
    for (std::size_t i = 0; i < n; ++i) y[i] = elementOf<Result>(Op::of(valueOf(a[i]), valueOf(b[i])));
  } else {
    const Input<T, (singles & 2) != 0> b{static_cast<const T*>(in[1])};
    const Input<T, (singles & 4) != 0> c{static_cast<const T*>(in[2])};
    FOREBAY_INDEPENDENT
    for (std::size_t i = 0; i < n; ++i) {
      y[i] = elementOf<Result>(Op::of(valueOf(a[i]), valueOf(b[i]), valueOf(c[i])));
    }
  }
}

// Converts a number or a bool to the type To. A number that is not 0, and also NaN, becomes true. A
// conversion to int32 or uint8 rounds towards zero, converts NaN to 0 and clamps values outside the range of
// the type. The value is clamped before it is converted, because in C++ the conversion of a value outside the
// range is undefined behaviour.
template <class To, class From>
FOREBAY_INLINE To converted(From x) {
  if constexpr (std::is_same_v<To, From>) {
    return x;
  } else if constexpr (std::is_same_v<To, bool>) {
    return x != From(0);
  } else if constexpr (std::is_same_v<From, bool>) {
    return x ? To(1) : To(0);
  } else if constexpr (std::is_same_v<To, std::uint8_t>) {
    From inside = x < From(255) ? x : From(255);
    inside = inside > From(0) ? inside : From(0);
    return static_cast<std::uint8_t>(static_cast<std::int32_t>(x == x ? inside : From(0)));
  } else if constexpr (std::is_same_v<To, std::int32_t> && std::is_same_v<From, double>) {
    double inside = x < 2147483647.0 ? x : 2147483647.0;
    inside = inside > -2147483648.0 ? inside : -2147483648.0;
    return static_cast<std::int32_t>(x == x ? inside : 0.0);
  } else if constexpr (std::is_same_v<To, std::int32_t> && std::is_same_v<From, float>) {
    // 2^31 - 1 cannot be represented as a float. So x is clamped to the largest float below it. If x was
    // larger, the return statement selects INT32_MAX.
    float inside = x < 2147483520.0f ? x : 2147483520.0f;
    inside = inside > -2147483648.0f ? inside : -2147483648.0f;
    const std::int32_t integer = static_cast<std::int32_t>(x == x ? inside : 0.0f);
    return x > 2147483520.0f ? INT32_MAX : integer;
  } else {
    return static_cast<To>(x);
  }
}

template <class To, class From>
void cast(void* out, const void* const* in, std::size_t n) {
  using Value = decltype(valueOf(To()));
  To* y = static_cast<To*>(out);
  const From* a = static_cast<const From*>(in[0]);
  FOREBAY_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i) y[i] = elementOf<To>(converted<Value>(valueOf(a[i])));
}

}  // namespace forebay::FOREBAY_BODY
