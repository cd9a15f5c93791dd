// The routines for convolutions that conv_routines.h lists.
#pragma once

#include "kernels/body/conv_dots.h"
#include "kernels/body/spread.h"
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

// The largest number of terms whose weights of a panel fit in the registers, together with the sums of some
// pixels.
constexpr int mostHeldTerms = tileRows >= 12 ? 9 : 0;

// Computes one panel of a product with few terms. The weights stay in the registers.
template <class T, int terms>
void heldPanel(const ConvShort& s, const T* a, const T* b, T* c, std::int64_t rows) {
  using V = Vector<T>;
  using Register = typename V::Register;
  Register weights[std::size_t{terms}][std::size_t{panelRegisters}];
#pragma GCC unroll 16
  for (int t = 0; t < terms; ++t) {
#pragma GCC unroll 16
    for (int v = 0; v < panelRegisters; ++v) weights[t][v] = V::load(b + t * panelWidth<T> + v * V::width);
  }
  const std::int64_t aStep = s.aStep, cStep = s.cStep;
  for (std::int64_t row = 0; row < rows; ++row, a += s.aRow, c += s.cRow) {
    const T* left[std::size_t{terms}];
#pragma GCC unroll 16
    for (int t = 0; t < terms; ++t) left[t] = a + s.offsets[t];
    const auto pixels = [&](std::int64_t from, auto count) FOREBAY_INLINED {
      constexpr int atOnce = decltype(count)::value;
      Register sum[std::size_t{atOnce}][std::size_t{panelRegisters}];
#pragma GCC unroll 16
      for (int i = 0; i < atOnce; ++i) {
#pragma GCC unroll 16
        for (int v = 0; v < panelRegisters; ++v) sum[i][v] = V::zero();
      }
#pragma GCC unroll 16
      for (int t = 0; t < terms; ++t) {
#pragma GCC unroll 16
        for (int i = 0; i < atOnce; ++i) {
          const Register x = V::broadcast(left[t][(from + i) * aStep]);
#pragma GCC unroll 16
          for (int v = 0; v < panelRegisters; ++v) sum[i][v] = V::mulAdd(x, weights[t][v], sum[i][v]);
        }
      }
#pragma GCC unroll 16
      for (int i = 0; i < atOnce; ++i) {
#pragma GCC unroll 16
        for (int v = 0; v < panelRegisters; ++v) {
          V::store(c + (from + i) * cStep + v * V::width, sum[i][v]);
        }
      }
    };
    std::int64_t i = 0;
    for (; i + 2 <= s.pixels; i += 2) pixels(i, std::integral_constant<int, 2>());
    if (i < s.pixels) pixels(i, std::integral_constant<int, 1>());
  }
}

template <class T>
using HeldPanel = void (*)(const ConvShort& s, const T* a, const T* b, T* c, std::int64_t rows);

template <class T>
struct HeldPanels {
  HeldPanel<T> of[mostHeldTerms + 1];
};

template <class T, int... less>
constexpr HeldPanels<T> allHeldPanels(std::integer_sequence<int, less...>) {
  return {{nullptr, heldPanel<T, less + 1>...}};
}

template <class T>
constexpr HeldPanels<T> heldPanels = allHeldPanels<T>(std::make_integer_sequence<int, mostHeldTerms>());

template <class T>
void convShort(const ConvShort& s, const void* left, const void* right, void* out) {
  constexpr int width = Vector<T>::width;
  const T *const a = static_cast<const T*>(left), *const b = static_cast<const T*>(right);
  T* const c = static_cast<T*>(out);
  if (s.terms <= mostHeldTerms && s.n % panelWidth<T> == 0) {
    const HeldPanel<T> panel = heldPanels<T>.of[s.terms];
    if (s.n == panelWidth<T>) return panel(s, a, b, c, s.rows);
    for (std::int64_t row = 0; row < s.rows; ++row) {
      for (std::int64_t j = 0; j < s.n; j += panelWidth<T>) {
        panel(s, a + row * s.aRow, b + j / panelWidth<T> * s.bPanel, c + row * s.cRow + j, 1);
      }
    }
    return;
  }
  const RowGroups groups(s.pixels);
  for (std::int64_t row = 0; row < s.rows; ++row) {
    for (std::int64_t i = 0; i < s.pixels;) {
      const std::int64_t pixels = groups.at(i);
      const ShortTilesOf<T>& tile = shortTiles<T>.of[pixels];
      const T* const from = a + row * s.aRow + i * s.aStep;
      T* const to = c + row * s.cRow + i * s.cStep;
      for (std::int64_t j = 0; j < s.n; j += panelWidth<T>) {
        const T* const panel = b + j / panelWidth<T> * s.bPanel;
        const std::int64_t columns = s.n - j;
        if (columns >= panelWidth<T>) {
          tile.panel(s, from, panel, to + j, 0);
        } else if (columns == width) {
          tile.narrow(s, from, panel, to + j, 0);
        } else {
          tile.tails[columns > width](s, from, panel, to + j, static_cast<int>(columns % width));
        }
      }
      i += pixels;
    }
  }
}

// The pointers of these loops cannot be __restrict, because several of the elements d may be one.
template <class T>
void pairsIn(const void* const* d, void* const* u, std::int64_t n) {
  const T *const d0 = static_cast<const T*>(d[0]), *const d1 = static_cast<const T*>(d[1]),
                 *const d2 = static_cast<const T*>(d[2]), *const d3 = static_cast<const T*>(d[3]);
  T *const u0 = static_cast<T*>(u[0]), *const u1 = static_cast<T*>(u[1]), *const u2 = static_cast<T*>(u[2]),
           *const u3 = static_cast<T*>(u[3]);
  FOREBAY_INDEPENDENT
  for (std::int64_t i = 0; i < n; ++i) {
    const T a = d0[i], b = d1[i], c = d2[i], e = d3[i];
    u0[i] = a - c;
    u1[i] = b + c;
    u2[i] = c - b;
    u3[i] = b - e;
  }
}

template <class T>
void pairsOut(const void* const* m, void* first, void* second, std::int64_t n) {
  const T *const m0 = static_cast<const T*>(m[0]), *const m1 = static_cast<const T*>(m[1]),
                 *const m2 = static_cast<const T*>(m[2]), *const m3 = static_cast<const T*>(m[3]);
  T *const y0 = static_cast<T*>(first), *const y1 = static_cast<T*>(second);
  FOREBAY_INDEPENDENT
  for (std::int64_t i = 0; i < n; ++i) y0[i] = m0[i] + m1[i] + m2[i];
  if (y1 == nullptr) return;
  FOREBAY_INDEPENDENT
  for (std::int64_t i = 0; i < n; ++i) y1[i] = m1[i] - m2[i] - m3[i];
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
    {Vector<float>::width, convProduct<float>, convShort<float>, convDots<float>, convRowDots<float>,
     convDepthwise<float>, convDepthwiseWeights<float>, pairsIn<float>, pairsOut<float>, convStencil<float>,
     convSpread<float>, convStencilWeights<float>},
    {Vector<double>::width, convProduct<double>, convShort<double>, convDots<double>, convRowDots<double>,
     convDepthwise<double>, convDepthwiseWeights<double>, pairsIn<double>, pairsOut<double>,
     convStencil<double>, convSpread<double>, convStencilWeights<double>}};

}  // namespace forebay::FOREBAY_BODY
