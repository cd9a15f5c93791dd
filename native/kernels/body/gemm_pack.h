// Packing: copies a right operand into the order in which tiles read it. (A left operand that is stored by
// columns is packed by tiles, see gemm_tile.h. One that is stored by rows is not packed, because a tile reads
// its rows of A from the L1 cache, so packing would not be faster.) A tile is a part of C that is computed in
// registers (gemm_tile.h). A panel is a strip of B that is two SIMD registers wide.
#pragma once

#include "kernels/body/gemm_tile.h"

namespace forebay::FOREBAY_BODY {

// Transposes a square matrix. Each register holds one row. Stage d, a power of two, exchanges lanes
// between the registers i and i + d.
template <class T, int d = 1>
FOREBAY_INLINE void transpose(typename Vector<T>::Register* rows) {
  constexpr int width = Vector<T>::width;
  if constexpr (d < width) {
#pragma GCC unroll 16
    for (int i = 0; i < width; ++i) {
      if ((i & d) == 0) {
        const auto pair = Vector<T>::template exchange<d>(rows[i], rows[i + d]);
        rows[i] = pair.low;
        rows[i + d] = pair.high;
      }
    }
    transpose<T, 2 * d>(rows);
  }
}

// Computes, for each of four registers, the sum of its lanes. Lanes are added in pairs first. The remaining
// sums are added from the lowest lane up.
template <class T>
FOREBAY_INLINE void sumLanes(const typename Vector<T>::Register* in, T* out) {
  using V = Vector<T>;
  if constexpr (V::width >= 4) {
    const auto first = V::template exchange<1>(in[0], in[1]);
    const auto second = V::template exchange<1>(in[2], in[3]);
    const auto both = V::template exchange<2>(V::add(first.low, first.high), V::add(second.low, second.high));
    T lanes[V::width];
    V::store(lanes, V::add(both.low, both.high));
    for (int j = 0; j < 4; ++j) {
      out[j] = lanes[j];
      for (int lane = j + 4; lane < V::width; lane += 4) out[j] += lanes[lane];
    }
  } else {
    for (int j = 0; j < 4; ++j) out[j] = in[j][0] + in[j][1];
  }
}

// Transposes a matrix of `lines` x `length`, whose rows are contiguous and have the row stride `lineStride`.
// The result is a matrix of `length` x `lines` at `out` with the row stride `outRow`. `lines` is at most the
// width of a register.
template <class T>
FOREBAY_INLINE void transposeLines(const T* in, std::int64_t lineStride, int lines, std::int64_t length,
                                   T* out, std::int64_t outRow) {
  using V = Vector<T>;
  typename V::Register square[std::size_t{V::width}];
  const auto across = V::first(lines);
  for (std::int64_t p = 0; p < length; p += V::width) {
    const int terms = static_cast<int>(length - p < V::width ? length - p : V::width);
    if (lines == V::width && terms == V::width) {
#pragma GCC unroll 16
      for (int i = 0; i < V::width; ++i) square[i] = V::load(in + i * lineStride + p);
      transpose<T>(square);
#pragma GCC unroll 16
      for (int i = 0; i < V::width; ++i) V::store(out + (p + i) * outRow, square[i]);
    } else {
      const auto along = V::first(terms);
#pragma GCC unroll 16
      for (int i = 0; i < V::width; ++i) {
        square[i] = i < lines ? V::loadFirst(in + i * lineStride + p, along) : V::zero();
      }
      transpose<T>(square);
#pragma GCC unroll 16
      for (int i = 0; i < V::width; ++i) {
        if (i < terms) V::storeFirst(out + (p + i) * outRow, across, square[i]);
      }
    }
  }
}

// Packs n columns of B into one panel, at `out`.
template <class T>
FOREBAY_INLINE void packPanel(std::int64_t k, std::int64_t n, const T* b, std::int64_t bRow,
                              std::int64_t bColumn, T* out) {
  using V = Vector<T>;
  constexpr int width = panelWidth<T>;
  if (bColumn == 1 && n == width) {
    for (std::int64_t p = 0; p < k; ++p, b += bRow, out += width) {
#pragma GCC unroll 2
      for (int v = 0; v < panelRegisters; ++v) V::store(out + v * V::width, V::load(b + v * V::width));
    }
  } else if (bRow == 1) {
    for (std::int64_t j = 0; j < n; j += V::width) {
      const int lines = static_cast<int>(n - j < V::width ? n - j : V::width);
      transposeLines(b + j * bColumn, bColumn, lines, k, out + j, width);
    }
  } else {
    for (std::int64_t p = 0; p < k; ++p, b += bRow, out += width) {
      for (std::int64_t j = 0; j < n; ++j) out[j] = b[j * bColumn];
    }
  }
}

template <class T>
void packColumns(std::int64_t k, std::int64_t n, const void* data, std::int64_t bRow, std::int64_t bColumn,
                 void* panels, std::int64_t bPanel, std::int64_t skip, bool pad) {
  constexpr std::int64_t width = panelWidth<T>;
  // Packs `group` rows of B into all panels, then the next `group` rows. So B is read nearly in memory order.
  // The groups are not single rows, because then all panels would be written at the same time, and there may
  // be more panels than the cache has ways.
  constexpr std::int64_t group = 64;
  const T* b = static_cast<const T*>(data);
  T* out = static_cast<T*>(panels);
  for (std::int64_t p = 0; p < k; p += group) {
    const std::int64_t rows = k - p < group ? k - p : group;
    T* panel = out + p * width;
    std::int64_t at = skip;
    for (std::int64_t j = 0; j < n; panel += bPanel, at = 0) {
      const std::int64_t columns = n - j < width - at ? n - j : width - at;
      packPanel(rows, columns, b + p * bRow + j * bColumn, bRow, bColumn, panel + at);
      j += columns;
      if (pad && j == n) {
        for (std::int64_t row = 0; row < rows; ++row) {
          for (std::int64_t column = at + columns; column < width; ++column) panel[row * width + column] = 0;
        }
      }
    }
  }
}

}  // namespace forebay::FOREBAY_BODY
