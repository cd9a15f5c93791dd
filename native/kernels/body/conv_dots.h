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

}  // namespace forebay::FOREBAY_BODY
