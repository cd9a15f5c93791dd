// Convolutions with few outputs. The lanes of registers are channels of the source, and are added at the end.
#pragma once

#include "kernels/body/gemm_pack.h"
#include "kernels/conv_routines.h"

namespace forebay::FOREBAY_BODY {

// Computes the dot products of some rows of A with all columns of B.
template <class T, int rows, int columns>
void convDotTile(const ConvDots& s, const void* const* a, const T* b, void* const* c) {
  using V = Vector<T>;
  using Register = typename V::Register;
  constexpr int summed = 4;  // sumLanes adds the lanes of four registers
  Register sum[std::size_t{rows}][std::size_t{summed}];
  const T* left[std::size_t{rows}];
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i) {
    left[i] = static_cast<const T*>(a[i]);
#pragma GCC unroll 16
    for (int j = 0; j < summed; ++j) sum[i][j] = V::zero();
  }
  const std::int64_t bColumn = s.bColumn;
  const ConvRun* const end = s.runs + s.runCount;
  for (const ConvRun* run = s.runs; run != end; ++run) {
    const std::int64_t length = run->length, from = run->a;
    const T* const right = b + run->b;
    std::int64_t p = 0;
    for (; p + V::width <= length; p += V::width) {
      Register x[std::size_t{rows}];
#pragma GCC unroll 16
      for (int i = 0; i < rows; ++i) x[i] = V::load(left[i] + from + p);
#pragma GCC unroll 16
      for (int j = 0; j < columns; ++j) {
        const Register y = V::load(right + j * bColumn + p);
#pragma GCC unroll 16
        for (int i = 0; i < rows; ++i) sum[i][j] = V::mulAdd(x[i], y, sum[i][j]);
      }
    }
    if (p == length) continue;
    const auto mask = V::first(static_cast<int>(length - p));
    Register x[std::size_t{rows}];
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) x[i] = V::loadFirst(left[i] + from + p, mask);
#pragma GCC unroll 16
    for (int j = 0; j < columns; ++j) {
      const Register y = V::loadFirst(right + j * bColumn + p, mask);
#pragma GCC unroll 16
      for (int i = 0; i < rows; ++i) sum[i][j] = V::mulAdd(x[i], y, sum[i][j]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i) {
    T total[std::size_t{summed}];
    sumLanes<T>(sum[i], total);
    for (int j = 0; j < columns; ++j) static_cast<T*>(c[i])[j] = total[j];
  }
}

// The rows of a tile of dot products, so that their sums fit in the registers.
constexpr int dotRows = tileRows >= 12 ? 4 : 2;

template <class T, int columns>
void convDotColumns(const ConvDots& s, int rows, const void* const* a, const T* b, void* const* c) {
  int i = 0;
  for (; i + dotRows <= rows; i += dotRows) convDotTile<T, dotRows, columns>(s, a + i, b, c + i);
  for (; i < rows; ++i) convDotTile<T, 1, columns>(s, a + i, b, c + i);
}

template <class T>
void convDots(const ConvDots& s, int rows, const void* const* a, const void* right, void* const* c) {
  const T* const b = static_cast<const T*>(right);
  switch (s.n) {
    case 1:
      return convDotColumns<T, 1>(s, rows, a, b, c);
    case 2:
      return convDotColumns<T, 2>(s, rows, a, b, c);
    case 3:
      return convDotColumns<T, 3>(s, rows, a, b, c);
    default:
      return convDotColumns<T, mostConvDots>(s, rows, a, b, c);
  }
}

// Adds the lanes of `count` registers, a power of two and at most the lanes. Lane i of the first register is
// then the sum of register i. The lanes are added in the same order for every count.
template <class T, int count, int d = 1>
FOREBAY_INLINE void addLanes(typename Vector<T>::Register* sum) {
  using V = Vector<T>;
  if constexpr (d < V::width) {
    if constexpr (d < count) {
#pragma GCC unroll 16
      for (int i = 0; i < count; i += 2 * d) {
        const auto pair = V::template exchange<d>(sum[i], sum[i + d]);
        sum[i] = V::add(pair.low, pair.high);
      }
    } else {
      const auto pair = V::template exchange<d>(sum[0], sum[0]);
      sum[0] = V::add(pair.low, pair.high);
    }
    addLanes<T, count, 2 * d>(sum);
  }
}

// The number of registers whose lanes are added together: the largest power of two that divides both numbers.
constexpr int addedTogether(int pixels, int lanes) {
  int count = 1;
  while (pixels % (2 * count) == 0 && lanes % (2 * count) == 0) count *= 2;
  return count;
}

// Computes one column of C for some adjacent pixels, from pixel x. A register of the source is multiplied
// with the taps of all pixels that read it.
template <class T, int pixels, int taps>
void rowDotTile(const ConvRowDots& s, std::int64_t x, const T* a, const T* b, T* c) {
  using V = Vector<T>;
  using Register = typename V::Register;
  Register sum[std::size_t{pixels}];
#pragma GCC unroll 16
  for (int j = 0; j < pixels; ++j) sum[j] = V::zero();
  const std::int64_t before = -(s.first + x), beyond = s.source + before, aPixel = s.aPixel, depth = s.depth;
  const T* line = a - before * aPixel;
  for (std::int64_t row = s.tapRows; row > 0; --row, line += s.aRow) {
    for (std::int64_t k = 0; k < depth; k += V::width, b += taps * V::width) {
      Register weight[std::size_t{taps}];
#pragma GCC unroll 8
      for (int t = 0; t < taps; ++t) weight[t] = V::load(b + t * V::width);
      const T* at = line + k;
#pragma GCC unroll 32
      for (int i = 0; i < pixels + taps - 1; ++i, at += aPixel) {
        const bool mayBeOutside = i < taps - 1 || i >= pixels;
        Register value = mayBeOutside && (i < before || i >= beyond) ? V::zero() : V::load(at);
        keepInOrder(value);
#pragma GCC unroll 8
        for (int t = taps - 1; t >= 0; --t) {
          const int j = i - t;
          if (j >= 0 && j < pixels) sum[j] = V::mulAdd(value, weight[t], sum[j]);
        }
      }
    }
  }
  constexpr int together = addedTogether(pixels, V::width);
#pragma GCC unroll 16
  for (int j = 0; j < pixels; j += together) {
    addLanes<T, together>(sum + j);
    T totals[V::width];
    V::store(totals, sum[j]);
    for (int i = 0; i < together; ++i) c[(x + j + i) * s.cPixel] = totals[i];
  }
}

// The pixels of a tile, whose sums are in registers together with the weights of a row of taps.
constexpr int rowDotPixels = tileRows >= 12 ? 16 : 8;

template <class T, int taps>
void rowDotsOf(const ConvRowDots& s, const T* a, const T* b, T* c) {
  std::int64_t x = 0;
  const auto tile = [&](auto count) FOREBAY_INLINED {
    constexpr int pixels = decltype(count)::value;
    for (std::int64_t j = 0; j < s.n; ++j) rowDotTile<T, pixels, taps>(s, x, a, b + j * s.bColumn, c + j);
    x += pixels;
  };
  while (x + rowDotPixels <= s.pixels) tile(std::integral_constant<int, rowDotPixels>());
  if constexpr (rowDotPixels > 12) {
    if (s.pixels - x >= 12) tile(std::integral_constant<int, 12>());
    if (s.pixels - x >= 8) tile(std::integral_constant<int, 8>());
  }
  if (s.pixels - x >= 4) tile(std::integral_constant<int, 4>());
  if (s.pixels - x >= 2) tile(std::integral_constant<int, 2>());
  if (s.pixels > x) tile(std::integral_constant<int, 1>());
}

template <class T>
void convRowDots(const ConvRowDots& s, const void* left, const void* right, void* out) {
  const T *const a = static_cast<const T*>(left), *const b = static_cast<const T*>(right);
  T* const c = static_cast<T*>(out);
  s.tapColumns == 3 ? rowDotsOf<T, 3>(s, a, b, c) : rowDotsOf<T, 5>(s, a, b, c);
}

}  // namespace forebay::FOREBAY_BODY
