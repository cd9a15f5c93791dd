// A kernel is one row of the kernel table: {family, name, arity, a routine for each dtype}.
//
// The table is written once, in body/table.h, and compiled once for each SIMD body (see bodies.h). The index
// of a row is the id of the kernel, and is the same in every body. Routines compute over contiguous tiles.
// The drivers (map.h, reduce.h, product.h, random.h) check the arguments, handle strides and shapes, and call
// the routines.
#pragma once

#include <cstddef>
#include <cstdint>

namespace forebay {

// The types of elements in memory, then those that only registers of a group hold. A bool in memory is a
// byte: 0 is false, and every other byte is true. In a register, a bool that belongs to elements of 4 or 8
// bytes is a mask: a word of their width whose bits are all 1 (true) or all 0 (false).
enum class DType : std::uint8_t { float32, float64, int32, boolean, uint8, mask32, mask64 };
constexpr std::size_t dtypeCount = 5;  // types in memory
constexpr std::size_t laneTypeCount = 7;
constexpr DType laneTypes[] = {DType::float32, DType::float64, DType::int32, DType::boolean,
                               DType::uint8,   DType::mask32,  DType::mask64};

constexpr const char* nameOf(DType type) {
  constexpr const char* names[] = {"float32", "float64", "int32", "bool", "uint8", "mask32", "mask64"};
  return names[static_cast<std::size_t>(type)];
}
constexpr std::size_t sizeOf(DType type) {
  constexpr std::size_t sizes[] = {4, 8, 4, 1, 1, 4, 8};
  return sizes[static_cast<std::size_t>(type)];
}
// Returns the type of a bool in a register beside elements of `type`.
constexpr DType maskOf(DType type) {
  return sizeOf(type) == 4 ? DType::mask32 : sizeOf(type) == 8 ? DType::mask64 : DType::boolean;
}
// Returns true if both types have the same memory. bool and uint8 have, and JavaScript has one class of
// arrays (Uint8Array) for both.
constexpr bool sameMemory(DType a, DType b) { return a == b || (sizeOf(a) == 1 && sizeOf(b) == 1); }

enum class Family : std::uint8_t { map, cast, reduce, product, random };

constexpr const char* nameOf(Family family) {
  return family == Family::map       ? "map"
         : family == Family::cast    ? "cast"
         : family == Family::reduce  ? "reduce"
         : family == Family::product ? "product"
                                     : "random";
}

// map, cast: out[i] = f(in[0][i], in[1][i], …) for i < n. `out` may be one of the inputs.
using TileFn = void (*)(void* out, const void* const* in, std::size_t n);
// A list of functions, one for each combination of inputs with a single element and inputs with n elements.
// Bit k of the index of a function is set if in[k] has a single element. There is no function for the index
// with all bits set, because the result then also has a single element.
using TileFns = const TileFn*;

// reduce: the partial results. A lane is the accumulator of one result. `values` holds doubles for sum, and
// elements of the input's dtype for max and argmax.
struct Lanes {
  void* values;
  std::int32_t* where;  // argmax only: for each lane, the index of its best element so far
};
struct Fold {
  enum class Kind : std::uint8_t { sum, max, argmax } kind;
  DType result;     // the type of the result
  double identity;  // the result over no elements; NaN if there is none
  // Combines in[r * stride + j] with the result of lane j, for every row r and every j < width. `first` is
  // the index of row 0.
  void (*rows)(Lanes lanes, const void* in, std::size_t rows, std::size_t stride, std::size_t width,
               std::int32_t first);
  // Combines in[i] with the result of lane 0, for every i < n. `first` is the index of element 0.
  void (*run)(Lanes lanes, const void* in, std::size_t n, std::int32_t first);
};

// random: draws n elements, starting with the first element of Philox block `block`.
using FillFn = void (*)(std::uint64_t seed, std::uint64_t run, std::uint64_t block, void* out, std::size_t n);

// product: C = alpha op(A) op(B) + beta C, row-major. Every dimension is at least 1.
struct Gemm {
  bool transA, transB;
  int m, n, k, lda, ldb, ldc;
  double alpha, beta;
};
using GemmFn = void (*)(const Gemm& shape, const void* a, const void* b, void* c);

// The family of the kernel determines which one of the members is set. If the kernel does not exist for the
// dtype, no member is set.
struct Routine {
  TileFns tiles = nullptr;
  // Set for kernels that read or write bools: the function for bools that are bytes, as in memory. (The bools
  // of `tiles` are masks.)
  TileFn bytes = nullptr;
  const Fold* fold = nullptr;
  FillFn fill = nullptr;
  GemmFn gemm = nullptr;

  constexpr explicit operator bool() const { return tiles || fold || fill || gemm; }
  constexpr TileFn tile() const { return tiles == nullptr ? nullptr : tiles[0]; }
  // The function for operands in memory.
  constexpr TileFn inMemory() const { return bytes == nullptr ? tile() : bytes; }
};

constexpr int maxArity = 3;

// Which operands of a kernel of the family map are bools.
enum class Form : std::uint8_t {
  plain,     // none: all operands have one type
  compares,  // the result
  selects,   // input 0
};

struct Kernel {
  Family family;
  const char* name;
  int arity;
  unsigned
      cheap;  // bit d is set if computing an element from operands of type d takes less time than storing it
  // Indexed by the type of the inputs (of the last input, if the kernel selects); for random, of the output.
  Routine routines[laneTypeCount];
  Form form = Form::plain;
  DType to = DType::float32;  // cast only: the type of the result

  // True if a row group can compute the kernel for elements of this type: a reduction of each row to a value.
  bool reducesRows(DType type) const {
    const Fold* const fold = routine(type).fold;
    return fold != nullptr && fold->kind != Fold::Kind::argmax && type != DType::int32;
  }
  constexpr const Routine& routine(DType type) const { return routines[static_cast<std::size_t>(type)]; }
  // The types of the operands in registers, for the routine of `type`.
  constexpr DType inputType(DType type, int input) const {
    return form == Form::selects && input == 0 ? maskOf(type) : type;
  }
  constexpr DType resultType(DType type) const {
    return family == Family::cast ? to : form == Form::compares ? maskOf(type) : type;
  }
};

// The memory of a caller's typed array.
struct Array {
  DType dtype;
  void* data;
  std::size_t length;  // in elements
};

}  // namespace forebay
