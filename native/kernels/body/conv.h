// The routines for convolutions that conv_routines.h lists.
#pragma once

#include "kernels/body/gemm_tile.h"
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

// The number of taps whose weights, or sums of weights, are kept in registers.
constexpr int mostDepthwiseTaps = 9;
// The number of pixels that are computed side by side.
constexpr int depthwisePixels = 4;

template <class T, int count, int pixels, bool tail>
FOREBAY_INLINE void depthwisePixelsOf(const ConvDepthwise& s, const ConvTap* taps, const T* a,
                                      const typename Vector<T>::Register* weights, T* c, bool accumulate,
                                      typename Vector<T>::Mask mask) {
  using V = Vector<T>;
  typename V::Register sum[std::size_t{pixels}];
#pragma GCC unroll 16
  for (int p = 0; p < pixels; ++p) {
    const T* const at = c + p * s.cPixel;
    sum[p] = !accumulate ? V::zero() : tail ? V::loadFirst(at, mask) : V::load(at);
  }
#pragma GCC unroll 16
  for (int t = 0; t < count; ++t) {
#pragma GCC unroll 16
    for (int p = 0; p < pixels; ++p) {
      const T* const at = a + p * s.aPixel + taps[t].a;
      sum[p] = V::mulAdd(tail ? V::loadFirst(at, mask) : V::load(at), weights[t], sum[p]);
    }
  }
#pragma GCC unroll 16
  for (int p = 0; p < pixels; ++p) {
    T* const at = c + p * s.cPixel;
    if (tail) {
      V::storeFirst(at, mask, sum[p]);
    } else {
      V::store(at, sum[p]);
    }
  }
}

template <class T, int count, bool tail>
FOREBAY_INLINE void depthwiseLanes(const ConvDepthwise& s, const ConvTap* taps, const T* a, const T* w, T* c,
                                   bool accumulate, int lanes) {
  using V = Vector<T>;
  const auto mask = V::first(tail ? lanes : 0);
  typename V::Register weights[std::size_t{count}];
#pragma GCC unroll 16
  for (int t = 0; t < count; ++t) {
    weights[t] = tail ? V::loadFirst(w + taps[t].w, mask) : V::load(w + taps[t].w);
  }
  std::int64_t p = 0;
  for (; p + depthwisePixels <= s.pixels; p += depthwisePixels) {
    depthwisePixelsOf<T, count, depthwisePixels, tail>(s, taps, a + p * s.aPixel, weights, c + p * s.cPixel,
                                                       accumulate, mask);
  }
  for (; p < s.pixels; ++p) {
    depthwisePixelsOf<T, count, 1, tail>(s, taps, a + p * s.aPixel, weights, c + p * s.cPixel, accumulate,
                                         mask);
  }
}

template <class T, int count>
void depthwiseTaps(const ConvDepthwise& s, const ConvTap* taps, const T* a, const T* w, T* c,
                   bool accumulate) {
  constexpr int width = Vector<T>::width;
  std::int64_t j = 0;
  for (; j + width <= s.channels; j += width) {
    depthwiseLanes<T, count, false>(s, taps, a + j, w + j, c + j, accumulate, 0);
  }
  if (j < s.channels) {
    depthwiseLanes<T, count, true>(s, taps, a + j, w + j, c + j, accumulate,
                                   static_cast<int>(s.channels - j));
  }
}

template <class T, int count, bool tail>
FOREBAY_INLINE void depthwiseWeightLanes(const ConvDepthwise& s, const ConvTap* taps, const T* a, const T* c,
                                         T* w, int lanes) {
  using V = Vector<T>;
  const auto mask = V::first(tail ? lanes : 0);
  typename V::Register sum[std::size_t{count}];
#pragma GCC unroll 16
  for (int t = 0; t < count; ++t) {
    sum[t] = tail ? V::loadFirst(w + taps[t].w, mask) : V::load(w + taps[t].w);
  }
  for (std::int64_t p = 0; p < s.pixels; ++p) {
    const T* const in = a + p * s.aPixel;
    const auto out = tail ? V::loadFirst(c + p * s.cPixel, mask) : V::load(c + p * s.cPixel);
#pragma GCC unroll 16
    for (int t = 0; t < count; ++t) {
      const T* const at = in + taps[t].a;
      sum[t] = V::mulAdd(tail ? V::loadFirst(at, mask) : V::load(at), out, sum[t]);
    }
  }
#pragma GCC unroll 16
  for (int t = 0; t < count; ++t) {
    if (tail) {
      V::storeFirst(w + taps[t].w, mask, sum[t]);
    } else {
      V::store(w + taps[t].w, sum[t]);
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
struct DepthwiseTable {
  void (*sums[mostDepthwiseTaps + 1])(const ConvDepthwise& s, const ConvTap* taps, const T* a, const T* w,
                                      T* c, bool accumulate);
  void (*weights[mostDepthwiseTaps + 1])(const ConvDepthwise& s, const ConvTap* taps, const T* a, const T* c,
                                         T* w);
};

template <class T, int... less>
constexpr DepthwiseTable<T> depthwiseTable(std::integer_sequence<int, less...>) {
  return {{nullptr, depthwiseTaps<T, less + 1>...}, {nullptr, depthwiseWeightTaps<T, less + 1>...}};
}

template <class T>
constexpr DepthwiseTable<T> depthwiseOf =
    depthwiseTable<T>(std::make_integer_sequence<int, mostDepthwiseTaps>());

// The taps are computed in groups of at most mostDepthwiseTaps.
template <class T>
void convDepthwise(const ConvDepthwise& s, const void* in, const void* weights, void* out) {
  for (std::int64_t t = 0; t < s.tapCount; t += mostDepthwiseTaps) {
    const std::int64_t left = s.tapCount - t;
    const std::int64_t count = left < mostDepthwiseTaps ? left : mostDepthwiseTaps;
    depthwiseOf<T>.sums[count](s, s.taps + t, static_cast<const T*>(in), static_cast<const T*>(weights),
                               static_cast<T*>(out), t > 0);
  }
}

template <class T>
void convDepthwiseWeights(const ConvDepthwise& s, const void* in, const void* out, void* weights) {
  for (std::int64_t t = 0; t < s.tapCount; t += mostDepthwiseTaps) {
    const std::int64_t left = s.tapCount - t;
    const std::int64_t count = left < mostDepthwiseTaps ? left : mostDepthwiseTaps;
    depthwiseOf<T>.weights[count](s, s.taps + t, static_cast<const T*>(in), static_cast<const T*>(out),
                                  static_cast<T*>(weights));
  }
}

// In the order of DType: float32, float64.
constexpr ConvRoutines convRoutines[] = {
    {convProduct<float>, convDepthwise<float>, convDepthwiseWeights<float>},
    {convProduct<double>, convDepthwise<double>, convDepthwiseWeights<double>}};

}  // namespace forebay::FOREBAY_BODY
