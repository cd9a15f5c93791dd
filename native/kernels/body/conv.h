// The routines for convolutions that conv_routines.h lists.
#pragma once

#include "kernels/body/gemm_pack.h"
#include "kernels/body/stencil_table.h"
#include "kernels/conv_routines.h"

namespace forebay::FOREBAY_BODY {

// Computes one tile, as tile() does in gemm_tile.h. The rows of A and of C are anywhere in memory.
template <class T, int rows, int registers, bool tail>
void convTile(const ConvProduct& s, const void* const* a, const T* b, void* const* c, std::int64_t column,
              int columns) {
  using V = Vector<T>;
  using Register = typename V::Register;
  constexpr int last = registers - 1;
  constexpr int registersInLine = 64 / FOREBAY_BODY_VECTOR;
  const auto mask = V::first(tail ? columns : 0);

  const T* left[std::size_t{rows}];
  Register sum[std::size_t{rows}][std::size_t{registers}];
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i) {
    left[i] = static_cast<const T*>(a[i]);
#pragma GCC unroll 16
    for (int v = 0; v < registers; ++v) sum[i][v] = V::zero();
  }
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 16
    for (int v = 0; v < registers; v += registersInLine) {
      __builtin_prefetch(static_cast<T*>(c[i]) + column + v * V::width, 1);
    }
  }

  const std::int64_t aStep = s.aStep, bRow = s.bRow;
  const ConvRun* const end = s.runs + s.runCount;
  for (const ConvRun* run = s.runs; run != end; ++run) {
    std::int64_t index = run->a;
    const T* right = b + run->b;
    for (std::int64_t p = run->length; p > 0; --p) {
      Register row[std::size_t{registers}];
#pragma GCC unroll 16
      for (int v = 0; v < registers; ++v) {
        row[v] = tail && v == last ? V::loadFirst(right + v * V::width, mask) : V::load(right + v * V::width);
      }
#pragma GCC unroll 16
      for (int i = 0; i < rows; ++i) {
        const Register x = V::broadcast(left[i][index]);
#pragma GCC unroll 16
        for (int v = 0; v < registers; ++v) sum[i][v] = V::mulAdd(x, row[v], sum[i][v]);
      }
      index += aStep;
      right += bRow;
    }
  }

#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i) {
    T* const row = static_cast<T*>(c[i]) + column;
#pragma GCC unroll 16
    for (int v = 0; v < registers; ++v) {
      T* const at = row + v * V::width;
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
using ConvTile = void (*)(const ConvProduct& s, const void* const* a, const T* b, void* const* c,
                          std::int64_t column, int columns);

// The tiles of one number of rows: a panel, one full register, one partial register, and a full register with
// a partial one.
template <class T>
struct ConvTilesOf {
  ConvTile<T> panel, narrow, tails[2];
};

template <class T>
struct ConvTiles {
  ConvTilesOf<T> of[tileRows + 1];
};

template <class T, int... less>
constexpr ConvTiles<T> allConvTiles(std::integer_sequence<int, less...>) {
  return {{ConvTilesOf<T>{},
           ConvTilesOf<T>{convTile<T, less + 1, panelRegisters, false>,
                          convTile<T, less + 1, 1, false>,
                          {convTile<T, less + 1, 1, true>, convTile<T, less + 1, panelRegisters, true>}}...}};
}

template <class T>
constexpr ConvTiles<T> convTiles = allConvTiles<T>(std::make_integer_sequence<int, tileRows>());

template <class T>
void convProduct(const ConvProduct& s, int rows, const void* const* a, const void* right, void* const* c) {
  constexpr int width = Vector<T>::width;
  const ConvTilesOf<T>& tile = convTiles<T>.of[rows];
  const T* b = static_cast<const T*>(right);
  for (std::int64_t j = 0; j < s.n; j += panelWidth<T>, b += s.bPanel) {
    const std::int64_t left = s.n - j;
    if (left >= panelWidth<T>) {
      tile.panel(s, a, b, c, j, 0);
    } else if (left == width) {
      tile.narrow(s, a, b, c, j, 0);
    } else {
      tile.tails[left > width](s, a, b, c, j, static_cast<int>(left % width));
    }
  }
}

// Computes one tile of a product with few terms. The instructions before and after the loop over the terms
// matter here, so that there are as few as possible.
template <class T, int rows, int registers, bool tail>
void shortTile(const ConvShort& s, const T* a, const T* b, T* c, int columns) {
  using V = Vector<T>;
  using Register = typename V::Register;
  constexpr int last = registers - 1;
  const auto mask = V::first(tail ? columns : 0);
  const T* left[std::size_t{rows}];
  Register sum[std::size_t{rows}][std::size_t{registers}];
  const std::int64_t aStep = s.aStep, cStep = s.cStep;
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i, a += aStep) {
    left[i] = a;
#pragma GCC unroll 16
    for (int v = 0; v < registers; ++v) sum[i][v] = V::zero();
  }
  const std::int64_t* const end = s.offsets + s.terms;
  for (const std::int64_t* offset = s.offsets; offset != end; ++offset, b += panelWidth<T>) {
    const std::int64_t index = *offset;
    Register row[std::size_t{registers}];
#pragma GCC unroll 16
    for (int v = 0; v < registers; ++v) {
      row[v] = tail && v == last ? V::loadFirst(b + v * V::width, mask) : V::load(b + v * V::width);
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
      const Register x = V::broadcast(left[i][index]);
#pragma GCC unroll 16
      for (int v = 0; v < registers; ++v) sum[i][v] = V::mulAdd(x, row[v], sum[i][v]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i, c += cStep) {
#pragma GCC unroll 16
    for (int v = 0; v < registers; ++v) {
      if (tail && v == last) {
        V::storeFirst(c + v * V::width, mask, sum[i][v]);
      } else {
        V::store(c + v * V::width, sum[i][v]);
      }
    }
  }
}

template <class T>
using ShortTile = void (*)(const ConvShort& s, const T* a, const T* b, T* c, int columns);

template <class T>
struct ShortTilesOf {
  ShortTile<T> panel, narrow, tails[2];
};

template <class T>
struct ShortTiles {
  ShortTilesOf<T> of[tileRows + 1];
};

template <class T, int... less>
constexpr ShortTiles<T> allShortTiles(std::integer_sequence<int, less...>) {
  return {{ShortTilesOf<T>{}, ShortTilesOf<T>{shortTile<T, less + 1, panelRegisters, false>,
                                              shortTile<T, less + 1, 1, false>,
                                              {shortTile<T, less + 1, 1, true>,
                                               shortTile<T, less + 1, panelRegisters, true>}}...}};
}

template <class T>
constexpr ShortTiles<T> shortTiles = allShortTiles<T>(std::make_integer_sequence<int, tileRows>());

template <class T>
void convShort(const ConvShort& s, const void* left, const void* right, void* out) {
  constexpr int width = Vector<T>::width;
  const RowGroups groups(s.m);
  for (std::int64_t i = 0; i < s.m;) {
    const std::int64_t rows = groups.at(i);
    const ShortTilesOf<T>& tile = shortTiles<T>.of[rows];
    const T* const a = static_cast<const T*>(left) + i * s.aStep;
    const T* b = static_cast<const T*>(right);
    T* c = static_cast<T*>(out) + i * s.cStep;
    for (std::int64_t j = 0; j < s.n; j += panelWidth<T>, b += s.bPanel, c += panelWidth<T>) {
      const std::int64_t columns = s.n - j;
      if (columns >= panelWidth<T>) {
        tile.panel(s, a, b, c, 0);
      } else if (columns == width) {
        tile.narrow(s, a, b, c, 0);
      } else {
        tile.tails[columns > width](s, a, b, c, static_cast<int>(columns % width));
      }
    }
    i += rows;
  }
}

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

// Computes the lanes from j of some pixels, side by side.
template <class T, int pixels, bool tail>
FOREBAY_INLINE void depthwiseLanes(const ConvDepthwise& s, const T* a, const T* w, T* c, int lanes) {
  using V = Vector<T>;
  const auto mask = V::first(tail ? lanes : 0);
  const std::int64_t aPixel = s.aPixel, cPixel = s.cPixel;
  typename V::Register sum[std::size_t{pixels}];
#pragma GCC unroll 16
  for (int p = 0; p < pixels; ++p) sum[p] = V::zero();
  const ConvTap* const end = s.taps + s.tapCount;
  for (const ConvTap* tap = s.taps; tap != end; ++tap) {
    const T *const in = a + tap->a, *const weight = w + tap->w;
    const auto y = tail ? V::loadFirst(weight, mask) : V::load(weight);
#pragma GCC unroll 16
    for (int p = 0; p < pixels; ++p) {
      const T* const at = in + p * aPixel;
      sum[p] = V::mulAdd(tail ? V::loadFirst(at, mask) : V::load(at), y, sum[p]);
    }
  }
#pragma GCC unroll 16
  for (int p = 0; p < pixels; ++p) {
    T* const at = c + p * cPixel;
    if (tail) {
      V::storeFirst(at, mask, sum[p]);
    } else {
      V::store(at, sum[p]);
    }
  }
}

// Computes some pixels. The loop over the channels is inside, so that memory is read in its order.
template <class T, int pixels>
FOREBAY_INLINE void depthwisePixels(const ConvDepthwise& s, const T* a, const T* w, T* c) {
  constexpr int width = Vector<T>::width;
  std::int64_t j = 0;
  for (; j + width <= s.channels; j += width) depthwiseLanes<T, pixels, false>(s, a + j, w + j, c + j, 0);
  if (j == s.channels) return;
  depthwiseLanes<T, pixels, true>(s, a + j, w + j, c + j, static_cast<int>(s.channels - j));
}

template <class T>
void convDepthwise(const ConvDepthwise& s, const void* in, const void* weights, void* out) {
  const T *a = static_cast<const T*>(in), *w = static_cast<const T*>(weights);
  T* c = static_cast<T*>(out);
  std::int64_t p = 0;
  for (; p + 8 <= s.pixels; p += 8) depthwisePixels<T, 8>(s, a + p * s.aPixel, w, c + p * s.cPixel);
  if (s.pixels - p >= 4) {
    depthwisePixels<T, 4>(s, a + p * s.aPixel, w, c + p * s.cPixel);
    p += 4;
  }
  if (s.pixels - p >= 2) {
    depthwisePixels<T, 2>(s, a + p * s.aPixel, w, c + p * s.cPixel);
    p += 2;
  }
  if (p < s.pixels) depthwisePixels<T, 1>(s, a + p * s.aPixel, w, c + p * s.cPixel);
}

// The number of taps whose sums are kept in registers.
constexpr int mostDepthwiseTaps = 9;

template <class T, int count, bool tail>
FOREBAY_INLINE void depthwiseWeightLanes(const ConvDepthwise& s, const ConvTap* taps, const T* a, const T* c,
                                         T* w, int lanes) {
  using V = Vector<T>;
  const auto mask = V::first(tail ? lanes : 0);
  typename V::Register sum[std::size_t{count}];
  const T* in[std::size_t{count}];
#pragma GCC unroll 16
  for (int t = 0; t < count; ++t) {
    sum[t] = tail ? V::loadFirst(w + taps[t].w, mask) : V::load(w + taps[t].w);
    in[t] = a + taps[t].a;
  }
  const std::int64_t aPixel = s.aPixel, cPixel = s.cPixel;
  std::int64_t index = 0;
  for (std::int64_t p = s.pixels; p > 0; --p, index += aPixel, c += cPixel) {
    const auto out = tail ? V::loadFirst(c, mask) : V::load(c);
#pragma GCC unroll 16
    for (int t = 0; t < count; ++t) {
      const T* const at = in[t] + index;
      sum[t] = V::mulAdd(tail ? V::loadFirst(at, mask) : V::load(at), out, sum[t]);
    }
  }
#pragma GCC unroll 16
  for (int t = 0; t < count; ++t) {
    T* const at = w + taps[t].w;
    if (tail) {
      V::storeFirst(at, mask, sum[t]);
    } else {
      V::store(at, sum[t]);
    }
  }
}

template <class T, int count>
void depthwiseWeightTaps(const ConvDepthwise& s, const ConvTap* taps, const T* a, const T* c, T* w) {
  constexpr int width = Vector<T>::width;
  std::int64_t j = 0;
  for (; j + width <= s.channels; j += width) {
    depthwiseWeightLanes<T, count, false>(s, taps, a + j, c + j, w + j, 0);
  }
  if (j < s.channels) {
    depthwiseWeightLanes<T, count, true>(s, taps, a + j, c + j, w + j, static_cast<int>(s.channels - j));
  }
}

template <class T>
using DepthwiseWeights = void (*)(const ConvDepthwise& s, const ConvTap* taps, const T* a, const T* c, T* w);

template <class T>
struct DepthwiseTable {
  DepthwiseWeights<T> of[mostDepthwiseTaps + 1];
};

template <class T, int... less>
constexpr DepthwiseTable<T> depthwiseTable(std::integer_sequence<int, less...>) {
  return {{nullptr, depthwiseWeightTaps<T, less + 1>...}};
}

template <class T>
constexpr DepthwiseTable<T> depthwiseWeights =
    depthwiseTable<T>(std::make_integer_sequence<int, mostDepthwiseTaps>());

// The taps are computed in groups of at most mostDepthwiseTaps.
template <class T>
void convDepthwiseWeights(const ConvDepthwise& s, const void* in, const void* out, void* weights) {
  for (std::int64_t t = 0; t < s.tapCount; t += mostDepthwiseTaps) {
    const std::int64_t left = s.tapCount - t;
    depthwiseWeights<T>.of[left < mostDepthwiseTaps ? left : mostDepthwiseTaps](
        s, s.taps + t, static_cast<const T*>(in), static_cast<const T*>(out), static_cast<T*>(weights));
  }
}

// In the order of DType: float32, float64.
constexpr ConvRoutines convRoutines[] = {
    {convProduct<float>, convShort<float>, convDots<float>, convDepthwise<float>, convDepthwiseWeights<float>,
     convStencil<float>, convStencilWeights<float>},
    {convProduct<double>, convShort<double>, convDots<double>, convDepthwise<double>,
     convDepthwiseWeights<double>, convStencil<double>, convStencilWeights<double>}};

}  // namespace forebay::FOREBAY_BODY
