// The gradient of the weights of stencils (see stencil.h): the routine `stencilWeights` of conv_routines.h.
#pragma once

#include "kernels/body/stencil.h"

namespace forebay::FOREBAY_BODY {

// The sums for the weights that may be in registers at a time. If there are fewer weights, each has several
// sums, so that additions wait less for each other.
constexpr int mostWeightSums = manyRegisters ? 25 : 10;

// The largest number of rows of outputs of a rectangle.
constexpr std::int64_t gradientRows = 7;

// Adds the products of `rows` x `columns` outputs with their source to the sums of `height` rows of taps,
// which begin with row `tap`.
template <class T, int columns, int height, int width, int step, bool edge, bool tail>
void stencilWeightTile(const ConvStencil& s, std::int64_t row, std::int64_t output, std::int64_t rows,
                       std::int64_t tap, const T* a, const T* c, T* w, std::int64_t channels) {
  using V = Vector<T>;
  using Register = typename V::Register;
  constexpr int sourceColumns = stencilColumns(columns, width, step), fit = mostWeightSums / (height * width),
                sets = fit < columns ? fit : columns;
  const StencilVectors<T, tail> lanes(channels);
  const StencilInside inside(s, row, output);
  const std::int64_t aRow = s.aRow, aPixel = s.aPixel, aStep = s.rowStep * aRow, cRow = s.cRow,
                     cPixel = s.cPixel, wColumn = s.wColumn, wRow = s.wRow, rowStep = s.rowStep;
  a += (inside.row + tap) * aRow + inside.column * aPixel;
  c += row * cRow + output * cPixel;
  w += tap * wRow;
  for (std::int64_t j = 0; j < channels; j += V::width) {
    Register sums[std::size_t{sets}][std::size_t{height}][std::size_t{width}];
    T* weight = w + j;
#pragma GCC unroll 16
    for (int i = 0; i < height; ++i) {
#pragma GCC unroll 16
      for (int t = 0; t < width; ++t) {
        sums[0][i][t] = lanes.load(weight + t * wColumn);
#pragma GCC unroll 16
        for (int set = 1; set < sets; ++set) sums[set][i][t] = V::zero();
      }
      advance(weight, wRow);
    }
    const T *first = a + j, *from = c + j;
#pragma GCC unroll 1
    for (std::int64_t r = 0; r < rows; ++r) {
      Register outputs[std::size_t{columns}];
#pragma GCC unroll 16
      for (int m = 0; m < columns; ++m) outputs[m] = lanes.load(from + m * cPixel);
      from += cRow;
      const T* line = first;
      first += aStep;
#pragma GCC unroll 16
      for (int i = 0; i < height; ++i) {
        const T* in = line;
        advance(line, aRow);
        if (edge && !inside.hasRow(r * rowStep + tap + i)) continue;
#pragma GCC unroll 32
        for (int k = 0; k < sourceColumns; ++k) {
          if (k > 0) advance(in, aPixel);
          if (edge && !inside.hasColumn(k)) continue;
          const Register x = lanes.load(in);
#pragma GCC unroll 16
          for (int m = 0; m < columns; ++m) {
            const int t = k - m * step;
            if (t < 0 || t >= width) continue;
            Register& sum = sums[m % sets][i][t];
            sum = V::mulAdd(x, outputs[m], sum);
          }
        }
      }
    }
    weight = w + j;
#pragma GCC unroll 16
    for (int i = 0; i < height; ++i) {
#pragma GCC unroll 16
      for (int t = 0; t < width; ++t) {
        Register sum = sums[0][i][t];
#pragma GCC unroll 16
        for (int set = 1; set < sets; ++set) sum = V::add(sum, sums[set][i][t]);
        lanes.store(weight + t * wColumn, sum);
      }
      advance(weight, wRow);
    }
  }
}

// The outputs of a rectangle, of which most rectangles have the first number. A larger number needs fewer
// loads and stores of the sums for each output.
template <int width>
constexpr int manyOutputs = width > 3       ? 4
                            : manyRegisters ? 7
                                            : 6;
template <int width>
constexpr int fewOutputs = width > 3 ? 2 : 4;

// The number of rectangles with manyOutputs columns: the largest one for which those with fewOutputs columns
// cover the rest, if there is one.
template <int width>
FOREBAY_INLINE std::int64_t wideRectangles(std::int64_t outputs) {
  const std::int64_t most = outputs / manyOutputs<width>;
  for (std::int64_t count = most; count >= 0; --count) {
    if ((outputs - count * manyOutputs<width>) % fewOutputs<width> == 0) return count;
  }
  return most;
}

// Adds the products of all outputs to the sums of `height` rows of taps.
template <class T, int height, int width, int step, bool tail>
void stencilWeightTiles(const ConvStencil& s, std::int64_t tap, const T* a, const T* c, T* w,
                        std::int64_t channels) {
  const std::int64_t parts = (s.rows + gradientRows - 1) / gradientRows;
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::int64_t row = part * s.rows / parts, rows = (part + 1) * s.rows / parts - row;
    std::int64_t o = 0;
    if constexpr (!tail) {
      constexpr int many = manyOutputs<width>, few = fewOutputs<width>;
      const std::int64_t wide = wideRectangles<width>(s.outputs) * many;
      for (; o < wide; o += many) {
        const StencilInside inside(s, row, o);
        if (inside.hasAll((rows - 1) * s.rowStep + s.tapRows, stencilColumns(many, width, step))) {
          stencilWeightTile<T, many, height, width, step, false, tail>(s, row, o, rows, tap, a, c, w,
                                                                       channels);
        } else {
          stencilWeightTile<T, many, height, width, step, true, tail>(s, row, o, rows, tap, a, c, w,
                                                                      channels);
        }
      }
      for (; o + few <= s.outputs; o += few) {
        stencilWeightTile<T, few, height, width, step, true, tail>(s, row, o, rows, tap, a, c, w, channels);
      }
    }
    for (; o < s.outputs; ++o) {
      stencilWeightTile<T, 1, height, width, step, true, tail>(s, row, o, rows, tap, a, c, w, channels);
    }
  }
}

template <class T, int height, int width, int step>
void stencilWeightRows(const ConvStencil& s, std::int64_t tap, const T* a, const T* c, T* w) {
  const std::int64_t tail = s.channels % Vector<T>::width, whole = s.channels - tail;
  if (whole > 0) stencilWeightTiles<T, height, width, step, false>(s, tap, a, c, w, whole);
  if (tail == 0) return;
  stencilWeightTiles<T, height, width, step, true>(s, tap, a + whole, c + whole, w + whole, tail);
}

template <class T, int width, int step>
void stencilWeightsOfWidth(const ConvStencil& s, const T* a, const T* c, T* w) {
  // The usual kernels are square.
  if constexpr (width * width <= mostWeightSums) {
    if (s.tapRows == width) return stencilWeightRows<T, width, width, step>(s, 0, a, c, w);
  }
  for (std::int64_t tap = 0; tap < s.tapRows; ++tap) stencilWeightRows<T, 1, width, step>(s, tap, a, c, w);
}

}  // namespace forebay::FOREBAY_BODY
