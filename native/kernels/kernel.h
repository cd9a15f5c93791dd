// What a kernel is: a row of one table, {family, name, arity, a routine per dtype}.
//
// The table is written once, in body/table.h, and compiled once per SIMD body; the row's index is
// the kernel's id and is the same in every body. Routines are arithmetic over contiguous tiles:
// strides, shapes and validation are the drivers' (map.h, reduce.h, product.h, random.h).
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
// One for every set of inputs that are a single element: bit k stands for in[k]. All bits: never called, as
// the result is a single element, too.
using TileFns = const TileFn*;

// reduce: running results, one per lane. `values` holds doubles for sum, else the input's type.
struct Lanes {
  void* values;
  std::int32_t* where;  // argmax only: the index of the lane's best element so far
};
struct Fold {
  enum class Kind : std::uint8_t { sum, max, argmax } kind;
  // lane[j] takes in[r * stride + j] for every row r, j < width; `first` is row 0's index.
  void (*rows)(Lanes lanes, const void* in, std::size_t rows, std::size_t stride, std::size_t width,
               std::int32_t first);
  // lane[0] takes in[i] for i < n; `first` is element 0's index.
  void (*run)(Lanes lanes, const void* in, std::size_t n, std::int32_t first);
};

// random: n elements, the first of which is the first of Philox block `block`.
using FillFn = void (*)(std::uint64_t seed, std::uint64_t run, std::uint64_t block, void* out, std::size_t n);

// product: one row-major C = alpha op(A) op(B) + beta C; every dimension is at least 1.
struct Gemm {
  bool transA, transB;
  int m, n, k, lda, ldb, ldc;
  double alpha, beta;
};
using GemmFn = void (*)(const Gemm& shape, const void* a, const void* b, void* c);

// At most one is set, by the row's family; none when the kernel does not exist for the dtype.
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
  Routine routines[dtypeCount];  // by the dtype of the inputs (random: of the output)

  constexpr const Routine& routine(DType type) const { return routines[static_cast<std::size_t>(type)]; }
};

// A caller's memory: a typed array.
struct Array {
  DType dtype;
  void* data;
  std::size_t length;  // in elements
};

}  // namespace forebay
