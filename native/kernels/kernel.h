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

enum class DType : std::uint8_t { float32, float64, int32 };
constexpr std::size_t dtypeCount = 3;

constexpr const char* nameOf(DType type) {
  return type == DType::float32 ? "float32" : type == DType::float64 ? "float64" : "int32";
}
constexpr std::size_t sizeOf(DType type) { return type == DType::float64 ? 8 : 4; }

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
  const Fold* fold = nullptr;
  FillFn fill = nullptr;
  GemmFn gemm = nullptr;

  constexpr explicit operator bool() const { return tiles || fold || fill || gemm; }
  constexpr TileFn tile() const { return tiles == nullptr ? nullptr : tiles[0]; }
};

constexpr int maxArity = 3;

struct Kernel {
  Family family;
  const char* name;
  int arity;
  Routine routines[dtypeCount];  // indexed by the dtype of the inputs; for random, of the output

  constexpr const Routine& routine(DType type) const { return routines[static_cast<std::size_t>(type)]; }
};

// The memory of a caller's typed array.
struct Array {
  DType dtype;
  void* data;
  std::size_t length;  // in elements
};

}  // namespace forebay
