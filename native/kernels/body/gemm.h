// The routines for matrix products that gemm_routines.h lists: products by tiles, products by dot products,
// products with one row, and the work for measuring the peak speed. A tile is a part of C that is computed in
// registers (gemm_tile.h). A panel is a strip of B that is two SIMD registers wide.
#pragma once

#include "kernels/body/gemm_pack.h"
#include "kernels/body/gemm_tile.h"

namespace forebay::FOREBAY_BODY {

// How the tiles of some rows read A: element (i, p) is at a[i * row + p * column].
template <class T>
struct LeftRows {
  const T* a;
  std::int64_t row, column;
};

// Computes `rows` rows and n columns of C, tile by tile. If `ahead` is not null, tiles prefetch the panel at
// `ahead`. If `packed` is not null, the first panel packs the rows of A there, and the others read them
// there.
template <class T>
FOREBAY_INLINE void rowOfTiles(const GemmBlock& s, LeftRows<T> left, std::int64_t rows, const T* b, T* c,
                               std::int64_t n, const T* ahead, T* packed) {
  constexpr int width = Vector<T>::width;
  const TilesOf<T>& tile = tiles<T>.of[rows];
  const auto compute = [&](Tile<T> by, T* to, int columns) FOREBAY_INLINED {
    by(s, left.a, left.row, left.column, b, to, columns, ahead, packed);
  };
  for (std::int64_t j = 0; j < n;) {
    const std::int64_t remaining = n - j;
    std::int64_t step = panelWidth<T>;
    if (j == 0 && packed != nullptr) {
      compute(tile.packing, c, 0);
      left = {packed, 1, rows};
    } else if (remaining >= step && ahead != nullptr) {
      compute(tile.prefetching, c + j, 0);
    } else if (remaining >= tile.wideColumns) {
      step = tile.wideColumns;
      compute(tile.wide, c + j, 0);
    } else if (remaining >= step) {
      compute(tile.panel, c + j, 0);
    } else if (remaining == width) {
      compute(tile.narrow, c + j, 0);
    } else {
      compute(tile.tails[remaining > width], c + j, static_cast<int>(remaining % width));
    }
    b += step / panelWidth<T> * s.bPanel;
    j += step;
  }
}

// Computes all rows and n columns of C. The first rows of tiles prefetch the panel at `ahead`. A row of this
// panel is in at most two cache lines. The first row of tiles prefetches the first line of every row of the
// panel, and the second row of tiles prefetches the second line, if there is one.
template <class T>
FOREBAY_INLINE void rowsOfTiles(const GemmBlock& s, GemmBlock::Left how, const T* a, T* packed, const T* b,
                                T* c, std::int64_t n, const T* ahead) {
  constexpr std::int64_t line = 64 / sizeof(T);
  const T* const end = ahead == nullptr ? nullptr : ahead + panelWidth<T>;
  const RowGroups groups(s.m);
  for (std::int64_t i = 0; i < s.m;) {
    const std::int64_t rows = groups.at(i);
    if (how == GemmBlock::Left::packed) {
      const LeftRows<T> left = {packed + i * s.k, 1, rows};
      rowOfTiles<T>(s, left, rows, b, c + i * s.cRow, n, ahead, nullptr);
    } else {
      const LeftRows<T> left = {a + i * s.aRow, s.aRow, s.aColumn};
      T* const to = how == GemmBlock::Left::packs ? packed + i * s.k : nullptr;
      rowOfTiles<T>(s, left, rows, b, c + i * s.cRow, n, ahead, to);
    }
    if (ahead != nullptr) ahead = end - ahead > line ? ahead + line : nullptr;
    i += rows;
  }
}

template <class T>
void gemmBlock(const GemmBlock& s, const void* left, void* packedLeft, const void* right, void* out) {
  const T* a = static_cast<const T*>(left);
  T* packed = static_cast<T*>(packedLeft);
  const T* b = static_cast<const T*>(right);
  T* c = static_cast<T*>(out);
  if (!s.panelsFirst) {
    rowsOfTiles<T>(s, s.left, a, packed, b, c, s.n, nullptr);
    return;
  }
  GemmBlock::Left how = s.left;
  for (std::int64_t j = 0; j < s.n; j += panelWidth<T>, b += s.bPanel) {
    const std::int64_t remaining = s.n - j;
    rowsOfTiles<T>(s, how, a, packed, b, c + j, remaining < panelWidth<T> ? remaining : panelWidth<T>,
                   remaining > panelWidth<T> ? b + s.bPanel : nullptr);
    if (how == GemmBlock::Left::packs) how = GemmBlock::Left::packed;
  }
}

// A dot product is first accumulated in the lanes of a register. Then sumLanes adds these lanes, for this
// number of columns at a time. If fewer columns are left, copies of the last column replace the missing
// columns, so the order of additions is always the same.
constexpr int dotColumns = 4;

// Computes `rows` rows and 4 * `groups` columns of C. `left` is the number of columns of C that start at `c`.
// If it is smaller than 4 * `groups`, only `left` columns are stored.
template <class T, int rows, int groups>
FOREBAY_INLINE void dotTile(const GemmDots& s, const T* a, const T* b, std::int64_t left, T* c) {
  using V = Vector<T>;
  using Register = typename V::Register;
  constexpr int columns = groups * dotColumns;
  const T* column[std::size_t{columns}];
  Register sum[std::size_t{rows}][std::size_t{columns}];
#pragma GCC unroll 16
  for (int j = 0; j < columns; ++j) {
    column[j] = b + (j < left ? j : left - 1) * s.bColumn;
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) sum[i][j] = V::zero();
  }
  std::int64_t p = 0;
  for (; p + V::width <= s.k; p += V::width) {
    Register x[std::size_t{rows}];
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) x[i] = V::load(a + i * s.aRow + p);
#pragma GCC unroll 16
    for (int j = 0; j < columns; ++j) {
      const Register y = V::load(column[j] + p);
#pragma GCC unroll 16
      for (int i = 0; i < rows; ++i) sum[i][j] = V::mulAdd(x[i], y, sum[i][j]);
    }
  }
  if (p < s.k) {
    const auto mask = V::first(static_cast<int>(s.k - p));
    Register x[std::size_t{rows}];
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) x[i] = V::loadFirst(a + i * s.aRow + p, mask);
#pragma GCC unroll 16
    for (int j = 0; j < columns; ++j) {
      const Register y = V::loadFirst(column[j] + p, mask);
#pragma GCC unroll 16
      for (int i = 0; i < rows; ++i) sum[i][j] = V::mulAdd(x[i], y, sum[i][j]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 16
    for (int g = 0; g < groups; ++g) {
      T total[std::size_t{dotColumns}];
      sumLanes<T>(sum[i] + g * dotColumns, total);
      T* out = c + i * s.cRow + g * dotColumns;
      for (int j = 0; j < dotColumns && g * dotColumns + j < left; ++j) {
        out[j] = s.accumulate ? out[j] + total[j] : total[j];
      }
    }
  }
}

template <class T>
void gemmDots(const GemmDots& s, const void* left, const void* right, void* out) {
  // Keeps as many sums as fit in the registers. So a tile of a single row has more columns.
  constexpr int several = tileRows >= 12 ? 4 : 2;
  const T* b = static_cast<const T*>(right);
  for (std::int64_t j = 0; j < s.n; j += 2 * dotColumns, b += 2 * dotColumns * s.bColumn) {
    const T* a = static_cast<const T*>(left);
    T* c = static_cast<T*>(out) + j;
    const std::int64_t columns = s.n - j;
    std::int64_t i = 0;
    for (; i + several <= s.m; i += several, a += several * s.aRow, c += several * s.cRow) {
      dotTile<T, several, 1>(s, a, b, columns, c);
      if (columns > dotColumns) {
        dotTile<T, several, 1>(s, a, b + dotColumns * s.bColumn, columns - dotColumns, c + dotColumns);
      }
    }
    for (; i < s.m; ++i, a += s.aRow, c += s.cRow) {
      if (columns > dotColumns) {
        dotTile<T, 1, 2>(s, a, b, columns, c);
      } else {
        dotTile<T, 1, 1>(s, a, b, columns, c);
      }
    }
  }
}

// Adds `terms` terms of the product to a row of C. A term is an element of A times a row of B. If `first` is
// true, the sum of these terms replaces the content of C.
template <class T, int terms>
FOREBAY_INLINE void addRows(const GemmRow& s, const T* a, const T* b, bool first, T* c) {
  using V = Vector<T>;
  using Register = typename V::Register;
  Register x[std::size_t{terms}];
#pragma GCC unroll 16
  for (int t = 0; t < terms; ++t) x[t] = V::broadcast(a[t * s.aColumn]);
  std::int64_t j = 0;
  for (; j + V::width <= s.n; j += V::width) {
    Register sum = first ? V::zero() : V::load(c + j);
#pragma GCC unroll 16
    for (int t = 0; t < terms; ++t) sum = V::mulAdd(x[t], V::load(b + t * s.bRow + j), sum);
    V::store(c + j, V::add(sum, V::zero()));  // as in a tile, -0 becomes 0
  }
  if (j == s.n) return;
  const auto mask = V::first(static_cast<int>(s.n - j));
  Register sum = first ? V::zero() : V::loadFirst(c + j, mask);
#pragma GCC unroll 16
  for (int t = 0; t < terms; ++t) sum = V::mulAdd(x[t], V::loadFirst(b + t * s.bRow + j, mask), sum);
  V::storeFirst(c + j, mask, V::add(sum, V::zero()));
}

// Computes a product whose C has one row, and reads B in memory order. If B is in the L3 cache, this function
// is 1.7 times as fast as tiles, which jump from row to row of B. Reading more than four rows at a time is
// not faster, because the processor prefetches only a few streams.
template <class T>
void gemmRow(const GemmRow& s, const void* left, const void* right, void* out) {
  constexpr int terms = 4;
  const T* a = static_cast<const T*>(left);
  const T* b = static_cast<const T*>(right);
  T* c = static_cast<T*>(out);
  bool first = !s.accumulate;
  std::int64_t p = 0;
  for (; p + terms <= s.k; p += terms, first = false) {
    addRows<T, terms>(s, a + p * s.aColumn, b + p * s.bRow, first, c);
  }
  for (; p < s.k; ++p, first = false) addRows<T, 1>(s, a + p * s.aColumn, b + p * s.bRow, first, c);
}

// Does work whose time fmaPeak() measures: chains of multiply-adds in registers, without access to memory.
// Returns the number of floating-point operations.
template <class T>
double gemmPeak(std::int64_t rounds) {
  using V = Vector<T>;
  using Register = typename V::Register;
  constexpr int chains = 12;
  Register sum[chains];
#pragma GCC unroll 16
  for (int i = 0; i < chains; ++i) sum[i] = V::broadcast(static_cast<T>(i));
  Register x = V::broadcast(T(0.5)), y = V::broadcast(T(1));
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 16
    for (int i = 0; i < chains; ++i) sum[i] = V::mulAdd(sum[i], x, y);
  }
  Register all = sum[0];
#pragma GCC unroll 16
  for (int i = 1; i < chains; ++i) all = V::add(all, sum[i]);
  T lanes[V::width];
  V::store(lanes, all);
  volatile T sink = lanes[0];  // makes the compiler keep the loop
  static_cast<void>(sink);
  return 2.0 * static_cast<double>(rounds) * chains * V::width;
}

// True for the portable body (see bodies.h). OpenBLAS has kernels for instruction sets that the portable body
// does not use. On a processor with AVX but without FMA, OpenBLAS is twice as fast. The other bodies reach
// 0.9 to 5 times the speed of OpenBLAS, with one exception: for a transposed A times ten columns, the AVX-512
// body leaves most lanes empty (0.6 times the speed of OpenBLAS, 1 us).
constexpr bool blasIsFaster = FOREBAY_BODY_VECTOR == 16;

template <class T>
constexpr GemmRoutines gemmRoutinesOf = {tileRows,    panelWidth<T>, blasIsFaster,   gemmBlock<T>,
                                         gemmDots<T>, gemmRow<T>,    packColumns<T>, gemmPeak<T>};

// In the order of DType: float32, float64.
constexpr GemmRoutines gemmRoutines[] = {gemmRoutinesOf<float>, gemmRoutinesOf<double>};

}  // namespace forebay::FOREBAY_BODY
