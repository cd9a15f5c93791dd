// Operands of a product copied into the order in which tiles read them.
#pragma once

#include "kernels/body/gemm_tile.h"

namespace forebay::FOREBAY_BODY {

// m rows in as few groups as tiles allow, all of nearly the same size: 64 rows are 4 groups of 11 and 2 of
// 10, none of which is too small for its latencies to be hidden.
class RowGroups {
 public:
  explicit RowGroups(std::int64_t m) {
    const std::int64_t groups = (m + tileRows - 1) / tileRows;
    small_ = groups > 0 ? m / groups : 0;
    larger_ = (m - small_ * groups) * (small_ + 1);
  }
  // The rows of the group that begins at `row`.
  std::int64_t at(std::int64_t row) const { return row < larger_ ? small_ + 1 : small_; }

 private:
  std::int64_t small_;
  std::int64_t larger_;  // rows before this one are in groups of one more
};

// A square of registers, rows for columns.
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

// The sums over the lanes of four registers: pairs of lanes first, then what is left from the lowest up.
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

// `lines` (at most a register's width) runs of `length` elements, `lineStride` apart, become `length` rows of
// `lines` elements at `out`, `outRow` apart.
template <class T>
FOREBAY_INLINE void transposeRuns(const T* in, std::int64_t lineStride, int lines, std::int64_t length,
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

// A stored by columns: each group of rows as k columns of that many elements, one group after another. (A
// stored by rows gains nothing from being packed: a tile's rows of it are read again and again from
// the nearest cache.)
//
// Whole registers are written, forwards: what one of them writes too much the next ones write over. Only at a
// group's end is that cut, for which some processors take ten times as long.
template <class T>
void packRows(std::int64_t m, std::int64_t k, const void* data, std::int64_t aColumn, void* packed) {
  using V = Vector<T>;
  const T* a = static_cast<const T*>(data);
  T* out = static_cast<T*>(packed);
  const RowGroups groups(m);
  for (std::int64_t i = 0; i < m;) {
    const std::int64_t rows = groups.at(i);
    const T* const end = out + rows * k;
    for (std::int64_t p = 0; p < k; ++p, out += rows) {
      for (std::int64_t done = 0; done < rows; done += V::width) {
        const auto mask = V::first(static_cast<int>(rows - done < V::width ? rows - done : V::width));
        const auto column = V::loadFirst(a + p * aColumn + i + done, mask);
        if (end - out >= done + V::width) {
          V::store(out + done, column);
        } else {
          V::storeFirst(out + done, mask, column);
        }
      }
    }
    i += rows;
  }
}

// Part of one panel: n of its columns.
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
      transposeRuns(b + j * bColumn, bColumn, lines, k, out + j, width);
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
  // Rows in groups, all panels of a group before the next: B is read nearly as it lies, and of the panels
  // no more lines are written side by side than there are ways to cache them.
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
