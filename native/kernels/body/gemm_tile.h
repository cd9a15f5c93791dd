// The micro-kernels of the matrix product. A tile is a part of C that is kept in registers during the loop
// over k.
//
// In every kind of tile, an element is the sum a[0] b[0] + a[1] b[1] + … in the order of k, computed by the
// multiply-add of the body. So the bits of an element do not depend on the tile that computes it.
#pragma once

#include "kernels/body/gemm_vector.h"
#include "kernels/gemm_routines.h"

namespace forebay::FOREBAY_BODY {

// A panel is a strip of columns of B that is two registers wide. On a processor with 32 registers, a tile has
// up to 12 rows: 24 registers hold C, 2 hold B and one holds A. With 16 registers, a tile has up to 6 rows.
// In both cases, each element of A that is read is used in two multiply-adds. Eight or more multiply-adds in
// flight hide their latency.
constexpr int panelRegisters = 2;
constexpr int tileRows = FOREBAY_BODY_VECTOR == 64 ? 12 : 6;

template <class T>
constexpr int panelWidth = panelRegisters* Vector<T>::width;

// Divides m rows into groups. The number of groups is the smallest for which each group fits in a tile, and
// all groups have nearly the same size. For example, 64 rows become 4 groups of 11 and 2 groups of 10. So no
// group is too small to hide the latency of its multiply-adds.
class RowGroups {
 public:
  explicit RowGroups(std::int64_t m) {
    const std::int64_t groups = (m + tileRows - 1) / tileRows;
    small_ = groups > 0 ? m / groups : 0;
    larger_ = (m - small_ * groups) * (small_ + 1);
  }
  // Returns the number of rows in the group that begins at `row`.
  std::int64_t at(std::int64_t row) const { return row < larger_ ? small_ + 1 : small_; }

 private:
  std::int64_t small_;
  std::int64_t larger_;  // groups before this row have small_ + 1 rows
};

// Tiles with few rows are several panels wide, so that enough multiply-adds are in flight.
constexpr int mostWideRows = 4;
constexpr int wideRegisters(int rows) {
  const int wide = rows == 1 ? 8 : 4;
  return tileRows >= 12 || rows * wide <= 8 ? wide : panelRegisters;
}

// Returns the address of a row of A. The address is computed from two pointers, to the first and the seventh
// row, and a stride. These values and the few multiples of the stride fit in the general-purpose registers.
template <class T>
FOREBAY_INLINE const T* rowOf(const T* first, const T* seventh, std::int64_t stride, int row) {
  const T* base = row < 6 ? first : seventh;
  return base + (row % 6) * stride;
}

// What a tile does besides computing.
enum class Beside {
  nothing,
  prefetching,  // for each row of B, it prefetches one cache line of the panel at `ahead`
  packing       // its rows of A are stored by columns, and it copies them to `packed`, column by column
};

// A packing tile prefetches the column of A that is so many columns ahead. (On a Zen 4 with AVX-512, 16 and
// 64 change the time by at most 3 %, mostly for the worse. Without prefetching, it is up to 30 % longer.)
constexpr int columnsAhead = 32;

// Computes one tile. It has `rows` rows, and each row is `registers` registers wide. If `tail` is true, only
// the first `columns` lanes of the last register are valid. All other registers are full.
//
// A packing tile stores whole registers in ascending order of addresses: the next column, or the next tile,
// overwrites the excess lanes. After the last column of the last tile, `packed` needs memory for a register.
template <class T, int rows, int registers, bool tail, Beside beside>
void tile(const GemmBlock& s, const T* a, std::int64_t aRow, std::int64_t aColumn, const T* b, T* c,
          int columns, const T* ahead, T* packed) {
  using V = Vector<T>;
  using Register = typename V::Register;
  constexpr int last = registers - 1;
  constexpr int registersInLine = 64 / FOREBAY_BODY_VECTOR;
  const auto mask = V::first(tail ? columns : 0);

  Register sum[std::size_t{rows}][std::size_t{registers}];
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 16
    for (int v = 0; v < registers; ++v) sum[i][v] = V::zero();
  }

  if (s.farC) {
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 16
      for (int v = 0; v < registers; v += registersInLine)
        __builtin_prefetch(c + i * s.cRow + v * V::width, 1);
    }
  }

  const std::int64_t bRow = s.bRow, bPanel = s.bPanel;
  const T* seventh = a + (rows > 6 ? 6 * aRow : 0);
  for (std::int64_t p = s.k; p > 0; --p) {
    Register right[std::size_t{registers}];
#pragma GCC unroll 16
    for (int v = 0; v < registers; ++v) {
      const T* at = b + (v / panelRegisters) * bPanel + (v % panelRegisters) * V::width;
      right[v] = tail && v == last ? V::loadFirst(at, mask) : V::load(at);
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
      const Register left = V::broadcast(*rowOf(a, seventh, aRow, i));
#pragma GCC unroll 16
      for (int v = 0; v < registers; ++v) sum[i][v] = V::mulAdd(left, right[v], sum[i][v]);
    }
    if constexpr (beside == Beside::prefetching) {
      __builtin_prefetch(ahead, 0, 2);  // to the L2 cache, because the L1 cache is full
      ahead += bRow;
    }
    if constexpr (beside == Beside::packing) {
#pragma GCC unroll 16
      for (int i = 0; i < rows; i += V::width) {
        const int left = rows - i;
        V::store(packed + i, left < V::width ? V::loadFirst(a + i, V::first(left)) : V::load(a + i));
      }
      packed += rows;
      const std::int64_t next = p > columnsAhead ? columnsAhead * aColumn : 0;
      __builtin_prefetch(a + next);
      __builtin_prefetch(a + next + rows - 1);
    }
    a += aColumn;
    seventh += aColumn;
    b += bRow;
  }

#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i) {
    T* row = c + i * s.cRow;
#pragma GCC unroll 16
    for (int v = 0; v < registers; ++v) {
      T* at = row + v * V::width;
      sum[i][v] = V::add(sum[i][v], V::zero());  // -0, a sum of terms that all underflow, becomes 0
      if (tail && v == last) {
        if (s.accumulate) sum[i][v] = V::add(V::loadFirst(at, mask), sum[i][v]);
        V::storeFirst(at, mask, sum[i][v]);
      } else {
        if (s.accumulate) sum[i][v] = V::add(V::load(at), sum[i][v]);
        V::store(at, sum[i][v]);
      }
    }
  }
}

template <class T>
using Tile = void (*)(const GemmBlock& s, const T* a, std::int64_t aRow, std::int64_t aColumn, const T* b,
                      T* c, int columns, const T* ahead, T* packed);

// The tile functions for a given number of rows.
template <class T>
struct TilesOf {
  Tile<T> panel;
  Tile<T> prefetching;  // one panel; also prefetches the next panel
  Tile<T> packing;      // one panel; also packs A
  Tile<T> wide;
  int wideColumns;
  Tile<T> narrow;    // one full register
  Tile<T> tails[2];  // first: one partial register; second: a full register and a partial one
};

template <class T>
struct Tiles {
  TilesOf<T> of[tileRows + 1];
};

template <class T, int rows>
constexpr TilesOf<T> tilesOf() {
  constexpr int wide = rows <= mostWideRows ? wideRegisters(rows) : panelRegisters;
  constexpr Beside nothing = Beside::nothing;
  return {tile<T, rows, panelRegisters, false, nothing>,
          tile<T, rows, panelRegisters, false, Beside::prefetching>,
          tile<T, rows, panelRegisters, false, Beside::packing>,
          tile<T, rows, wide, false, nothing>,
          wide * Vector<T>::width,
          tile<T, rows, 1, false, nothing>,
          {tile<T, rows, 1, true, nothing>, tile<T, rows, panelRegisters, true, nothing>}};
}

template <class T, int... less>
constexpr Tiles<T> allTiles(std::integer_sequence<int, less...>) {
  return {{TilesOf<T>{}, tilesOf<T, less + 1>()...}};
}

template <class T>
constexpr Tiles<T> tiles = allTiles<T>(std::make_integer_sequence<int, tileRows>());

}  // namespace forebay::FOREBAY_BODY
