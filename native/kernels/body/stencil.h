// The sums of the routine `stencil` of conv_routines.h, for depthwise convolutions, and what its gradient
// shares with them.
//
// A rectangle of outputs is computed at a time, for one vector of channels after another. The sums of the
// rectangle stay in registers. Rectangles follow one another along the columns, and the loop over the
// channels is inside, so that each row is read and written in the order of memory: the prefetchers of the
// processor bring such rows while it computes. Instructions that prefetch were slower at the
// distances that were tried.
#pragma once

#include "kernels/body/gemm_vector.h"
#include "kernels/conv_routines.h"

namespace forebay::FOREBAY_BODY {

// Vectors of 64 bytes have 32 registers, and others may have 16.
constexpr bool manyRegisters = FOREBAY_BODY_VECTOR == 64;

// Adds to a pointer. Otherwise the compiler computes all addresses of a rectangle in advance, which are more
// than there are registers.
template <class T>
FOREBAY_INLINE void advance(T*& at, std::int64_t elements) {
  at += elements;
  __asm__ volatile("" : "+r"(at));
}

// The part of the source of a rectangle of outputs that exists. Its rows and columns are counted from those
// of tap 0 of the first output.
struct StencilInside {
  std::int64_t row, column;  // of the source, where the count begins
  std::int64_t fromRow, toRow, fromColumn, toColumn;

  FOREBAY_INLINE StencilInside(const ConvStencil& s, std::int64_t firstRow, std::int64_t firstOutput)
      : row(s.firstRow + firstRow * s.rowStep),
        column(s.first + firstOutput * s.columnStep),
        fromRow(-row),
        toRow(s.sourceRows - row),
        fromColumn(-column),
        toColumn(s.source - column) {}

  FOREBAY_INLINE bool hasRow(std::int64_t i) const { return i >= fromRow && i < toRow; }
  FOREBAY_INLINE bool hasColumn(std::int64_t k) const { return k >= fromColumn && k < toColumn; }
  FOREBAY_INLINE bool hasAll(std::int64_t rows, std::int64_t columns) const {
    return fromRow <= 0 && fromColumn <= 0 && rows <= toRow && columns <= toColumn;
  }
};

// The number of columns of the source of `outputs` outputs.
constexpr int stencilColumns(int outputs, int width, int step) { return (outputs - 1) * step + width; }

// Access to vectors of channels. If tail is true, there is one vector, with `count` channels.
template <class T, bool tail>
struct StencilVectors {
  using V = Vector<T>;
  using Register = typename V::Register;
  typename V::Mask mask;

  explicit FOREBAY_INLINE StencilVectors(std::int64_t count)
      : mask(V::first(tail ? static_cast<int>(count) : 0)) {}
  FOREBAY_INLINE Register load(const T* from) const {
    Register value = tail ? V::loadFirst(from, mask) : V::load(from);
    keepInOrder(value);
    return value;
  }
  FOREBAY_INLINE void store(T* to, Register value) const {
    if (tail) {
      V::storeFirst(to, mask, value);
    } else {
      V::store(to, value);
    }
  }
};

// Computes a rectangle of `rows` x `columns` outputs, a row of taps at a time. If edge is true, some of its
// source may not exist.
template <class T, int rows, int columns, int width, int step, bool edge, bool tail>
void stencilTile(const ConvStencil& s, std::int64_t row, std::int64_t output, const T* a, const T* w, T* c,
                 std::int64_t channels) {
  using V = Vector<T>;
  using Register = typename V::Register;
  constexpr int sourceColumns = stencilColumns(columns, width, step);
  const StencilVectors<T, tail> lanes(channels);
  const StencilInside inside(s, row, output);
  const std::int64_t aRow = s.aRow, aPixel = s.aPixel, aStep = s.rowStep * aRow, cRow = s.cRow,
                     cPixel = s.cPixel, wColumn = s.wColumn, wRow = s.wRow;
  const std::int64_t height = s.tapRows, rowStep = s.rowStep;
  a += inside.row * aRow + inside.column * aPixel;
  c += row * cRow + output * cPixel;
  for (std::int64_t j = 0; j < channels; j += V::width) {
    Register sums[std::size_t{rows}][std::size_t{columns}];
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 16
      for (int m = 0; m < columns; ++m) sums[r][m] = V::zero();
    }
#pragma GCC unroll 1
    for (std::int64_t i = 0; i < height; ++i) {
      Register weights[std::size_t{width}];
#pragma GCC unroll 16
      for (int t = 0; t < width; ++t) weights[t] = lanes.load(w + i * wRow + t * wColumn + j);
      const T* line = a + i * aRow + j;
#pragma GCC unroll 16
      for (int r = 0; r < rows; ++r) {
        const T* in = line;
        advance(line, aStep);
        if (edge && !inside.hasRow(r * rowStep + i)) continue;
#pragma GCC unroll 32
        for (int k = 0; k < sourceColumns; ++k) {
          if (k > 0) advance(in, aPixel);
          if (edge && !inside.hasColumn(k)) continue;
          const Register x = lanes.load(in);
#pragma GCC unroll 16
          for (int m = 0; m < columns; ++m) {
            const int t = k - m * step;
            if (t >= 0 && t < width) sums[r][m] = V::mulAdd(x, weights[t], sums[r][m]);
          }
        }
      }
    }
    T* to = c + j;
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 16
      for (int m = 0; m < columns; ++m) lanes.store(to + m * cPixel, sums[r][m]);
      advance(to, cRow);
    }
  }
}

// The same for 3 x 3 taps and equal steps of rows and columns, with all weights in registers: each element of
// the source is loaded once for all outputs of the rectangle.
template <class T, int rows, int columns, int step, bool edge>
void stencilSquare(const ConvStencil& s, std::int64_t row, std::int64_t output, const T* a, const T* w, T* c,
                   std::int64_t channels) {
  using V = Vector<T>;
  using Register = typename V::Register;
  constexpr int size = 3, sourceRows = stencilColumns(rows, size, step),
                sourceColumns = stencilColumns(columns, size, step);
  const StencilVectors<T, false> lanes(channels);
  const StencilInside inside(s, row, output);
  const std::int64_t aRow = s.aRow, aPixel = s.aPixel, cRow = s.cRow, cPixel = s.cPixel, wColumn = s.wColumn,
                     wRow = s.wRow;
  a += inside.row * aRow + inside.column * aPixel;
  c += row * cRow + output * cPixel;
  for (std::int64_t j = 0; j < channels; j += V::width) {
    Register sums[std::size_t{rows}][std::size_t{columns}];
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 16
      for (int m = 0; m < columns; ++m) sums[r][m] = V::zero();
    }
    Register weights[std::size_t{size}][std::size_t{size}];
    const T* weight = w + j;
#pragma GCC unroll 16
    for (int i = 0; i < size; ++i) {
#pragma GCC unroll 16
      for (int t = 0; t < size; ++t) weights[i][t] = lanes.load(weight + t * wColumn);
      advance(weight, wRow);
    }
    const T* line = a + j;
#pragma GCC unroll 32
    for (int q = 0; q < sourceRows; ++q) {
      const T* in = line;
      advance(line, aRow);
      if (edge && !inside.hasRow(q)) continue;
#pragma GCC unroll 32
      for (int k = 0; k < sourceColumns; ++k) {
        if (k > 0) advance(in, aPixel);
        if (edge && !inside.hasColumn(k)) continue;
        const Register x = lanes.load(in);
#pragma GCC unroll 16
        for (int i = 0; i < size; ++i) {
          const int above = q - i, r = above / step;
          if (above < 0 || above % step != 0 || r >= rows) continue;
#pragma GCC unroll 16
          for (int m = 0; m < columns; ++m) {
            const int t = k - m * step;
            if (t >= 0 && t < size) sums[r][m] = V::mulAdd(x, weights[i][t], sums[r][m]);
          }
        }
      }
    }
    T* to = c + j;
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 16
      for (int m = 0; m < columns; ++m) lanes.store(to + m * cPixel, sums[r][m]);
      advance(to, cRow);
    }
  }
}

// Computes a rectangle of `rows` x `columns` outputs for size x size taps and equal steps of rows and
// columns. Only the first and the last column of outputs may lack a part of their source. The elements of the
// source are operands of multiply-adds in memory, so that nearly all registers are sums: with a step of 2, an
// element has few uses, and a large rectangle reads fewer rows of the source for each row of outputs.
template <class T, int rows, int columns, int size, int step>
void stencilBand(const ConvStencil& s, std::int64_t row, std::int64_t output, const T* a, const T* w, T* c,
                 std::int64_t channels) {
  using V = Vector<T>;
  using Register = typename V::Register;
  constexpr int sourceRows = stencilColumns(rows, size, step);
  const StencilVectors<T, false> lanes(channels);
  const StencilInside inside(s, row, output);
  const std::int64_t aRow = s.aRow, aStep = step * s.aPixel, aPixel = s.aPixel, cRow = s.cRow,
                     cPixel = s.cPixel, wColumn = s.wColumn, wRow = s.wRow;
  const std::int64_t from = inside.fromRow > 0 ? inside.fromRow : 0,
                     to = inside.toRow < sourceRows ? inside.toRow : sourceRows;
  // The taps that the first and the last column of outputs have.
  const std::int64_t firstTap = inside.fromColumn, endTap = inside.toColumn - (columns - 1) * step;
  a += inside.row * aRow + inside.column * aPixel;
  c += row * cRow + output * cPixel;
  for (std::int64_t j = 0; j < channels; j += V::width) {
    Register sums[std::size_t{rows}][std::size_t{columns}];
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 16
      for (int m = 0; m < columns; ++m) sums[r][m] = V::zero();
    }
    const T* line = a + from * aRow + j;
#pragma GCC unroll 1
    for (std::int64_t q = from; q < to; ++q) {
      const T* weight = w + q * wRow + j;
#pragma GCC unroll 16
      for (int r = 0; r < rows; ++r) {
        if (r > 0) advance(weight, -step * wRow);
        if (q < r * step || q >= r * step + size) continue;
#pragma GCC unroll 16
        for (int t = 0; t < size; ++t) {
          const Register tap = lanes.load(weight + t * wColumn);
          const T* in = line + t * aPixel;
#pragma GCC unroll 16
          for (int m = 0; m < columns; ++m) {
            if (m > 0) advance(in, aStep);
            if ((m == 0 && t < firstTap) || (m == columns - 1 && t >= endTap)) continue;
            sums[r][m] = V::mulAdd(V::load(in), tap, sums[r][m]);
          }
        }
      }
      line += aRow;
    }
    T* result = c + j;
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 16
      for (int m = 0; m < columns; ++m) V::store(result + m * cPixel, sums[r][m]);
      advance(result, cRow);
    }
  }
}

// Calls body(row, output) for rectangles that cover all outputs. The last ones may overlap those before:
// their outputs are then computed twice, with the same bits.
template <class Body>
FOREBAY_INLINE void eachRectangle(const ConvStencil& s, std::int64_t rows, std::int64_t columns,
                                  const Body& body) {
  for (std::int64_t r = 0; r < s.rows; r += rows) {
    const std::int64_t row = r + rows <= s.rows ? r : s.rows - rows;
    for (std::int64_t o = 0; o < s.outputs; o += columns) {
      body(row, o + columns <= s.outputs ? o : s.outputs - columns);
    }
  }
}

template <class T, int rows, int columns, int width, int step, bool tail>
void stencilTiles(const ConvStencil& s, const T* a, const T* w, T* c, std::int64_t channels) {
  eachRectangle(s, rows, columns, [&](std::int64_t row, std::int64_t output) {
    // The code for few rows is for every rectangle, so that there is less of it.
    if constexpr (rows > 1) {
      const StencilInside inside(s, row, output);
      if (inside.hasAll((rows - 1) * s.rowStep + s.tapRows, stencilColumns(columns, width, step))) {
        return stencilTile<T, rows, columns, width, step, false, tail>(s, row, output, a, w, c, channels);
      }
    }
    stencilTile<T, rows, columns, width, step, true, tail>(s, row, output, a, w, c, channels);
  });
}

template <class T, int rows, int step>
void stencilSquares(const ConvStencil& s, const T* a, const T* w, T* c, std::int64_t channels) {
  constexpr int columns = 2;
  eachRectangle(s, rows, columns, [&](std::int64_t row, std::int64_t output) {
    const StencilInside inside(s, row, output);
    if (inside.hasAll(stencilColumns(rows, 3, step), stencilColumns(columns, 3, step))) {
      stencilSquare<T, rows, columns, step, false>(s, row, output, a, w, c, channels);
    } else {
      stencilSquare<T, rows, columns, step, true>(s, row, output, a, w, c, channels);
    }
  });
}

// Computes rectangles with the number of rows, from `rows` to `least`, for which the fewest rows are computed
// twice.
template <class T, int rows, int least, int step>
void someSquares(const ConvStencil& s, const T* a, const T* w, T* c, std::int64_t channels) {
  if constexpr (rows > least) {
    const auto computed = [&](std::int64_t each) { return (s.rows + each - 1) / each * each; };
    std::int64_t best = rows;
    for (std::int64_t each = rows - 1; each >= least; --each) {
      if (s.rows < best || computed(each) < computed(best)) best = each;
    }
    if (best < rows) return someSquares<T, rows - 1, least, step>(s, a, w, c, channels);
  }
  stencilSquares<T, rows, step>(s, a, w, c, channels);
}

// True if stencilBand can compute all outputs, none of them twice except for a row.
template <int rows, int columns, int size, int step>
FOREBAY_INLINE bool isBand(const ConvStencil& s) {
  return s.tapRows == size && s.rowStep == step && s.rows >= rows && s.outputs > 0 &&
         s.outputs % columns == 0 && s.first + step >= 0 &&
         s.first + (s.outputs - 2) * step + size <= s.source;
}

template <class T, int width, int step>
void stencilOfWidth(const ConvStencil& s, const T* a, const T* w, T* c) {
  constexpr int rows = manyRegisters ? 4 : 2, columns = 4;
  const std::int64_t tail = s.channels % Vector<T>::width, whole = s.channels - tail;
  if (tail > 0) {
    const T *const from = a + whole, *const weights = w + whole;
    T* const to = c + whole;
    if (s.outputs >= columns) {
      stencilTiles<T, 1, columns, width, step, true>(s, from, weights, to, tail);
    } else {
      stencilTiles<T, 1, 1, width, step, true>(s, from, weights, to, tail);
    }
  }
  if (whole == 0) return;
  if constexpr (width == 3) {
    constexpr int least = manyRegisters ? 4 : 3, most = manyRegisters ? 7 : 3;
    if (s.tapRows == 3 && s.rowStep == step && s.rows >= least && s.outputs >= 2) {
      return someSquares<T, most, least, step>(s, a, w, c, whole);
    }
  }
  if constexpr (manyRegisters && width == 5 && step == 2) {
    constexpr int bandRows = 2, bandColumns = 14;
    if (isBand<bandRows, bandColumns, width, step>(s)) {
      return eachRectangle(s, bandRows, bandColumns, [&](std::int64_t row, std::int64_t output) {
        stencilBand<T, bandRows, bandColumns, width, step>(s, row, output, a, w, c, whole);
      });
    }
  }
  if (s.outputs < columns) return stencilTiles<T, 1, 1, width, step, false>(s, a, w, c, whole);
  if (s.rows < rows) return stencilTiles<T, 1, columns, width, step, false>(s, a, w, c, whole);
  stencilTiles<T, rows, columns, width, step, false>(s, a, w, c, whole);
}

}  // namespace forebay::FOREBAY_BODY
