// The routine `spread` of conv_routines.h: the input gradient of a depthwise convolution with strides of 2.
//
// With the padding, rows 2i and 2i + 1 of the result read the rows i, i - 1, … of the source: row 2i by the
// taps 0, 2, …, and row 2i + 1 by the taps 1, 3, …. The same is true of the columns. So a pair of rows and a
// pair of columns are computed together, and each row of the result is written in the order of memory.
#pragma once

#include "kernels/body/stencil.h"

namespace forebay::FOREBAY_BODY {

// The pair of the elements of an axis in which an element is.
constexpr std::int64_t pairOf(std::int64_t element) { return element >> 1; }

// Computes the pair `across` of columns of the pair `down` of rows. Some of the source may not exist, and
// some of the result may belong to others.
template <class T, int size, bool tail>
void spreadEdge(const ConvSpread& s, std::int64_t down, std::int64_t across, const T* a, const T* w, T* c,
                std::int64_t channels) {
  using V = Vector<T>;
  constexpr int most = (size / 2 + 1) * (size / 2 + 1);
  const StencilVectors<T, tail> lanes(channels);
  for (int part = 0; part < 4; ++part) {
    const int y = part / 2, x = part % 2;
    const std::int64_t row = 2 * down - s.top + y, column = 2 * across - s.left + x;
    if (row < s.fromRow || row >= s.toRow || column < s.fromColumn || column >= s.toColumn) continue;
    const T *elements[std::size_t{most}], *weights[std::size_t{most}];
    int taps = 0;
    for (int i = y; i < size; i += 2) {
      const std::int64_t line = down - i / 2;
      if (line < 0 || line >= s.sourceRows) continue;
      for (int t = x; t < size; t += 2) {
        const std::int64_t pixel = across - t / 2;
        if (pixel < 0 || pixel >= s.source) continue;
        elements[taps] = a + line * s.aRow + pixel * s.aPixel;
        weights[taps++] = w + i * s.wRow + t * s.wColumn;
      }
    }
    T* const to = c + row * s.cRow + column * s.cPixel;
    for (std::int64_t j = 0; j < channels; j += V::width) {
      typename V::Register sum = V::zero();
      for (int tap = 0; tap < taps; ++tap) {
        sum = V::mulAdd(lanes.load(elements[tap] + j), lanes.load(weights[tap] + j), sum);
      }
      lanes.store(to + j, sum);
    }
  }
}

// Computes the pairs of columns from `from` to `to` - 1 of a pair of rows. All columns of their source exist.
// Each element of the source is loaded once. If edge is true, some rows of the source may not exist, and one
// of the pair may belong to others.
template <class T, int size, bool edge>
void spreadRow(const ConvSpread& s, std::int64_t down, std::int64_t from, std::int64_t to, const T* a,
               const T* w, T* c, std::int64_t channels) {
  using V = Vector<T>;
  using Register = typename V::Register;
  constexpr int reach = size / 2, window = reach + 1;
  const StencilVectors<T, false> lanes(channels);
  const std::int64_t aPixel = s.aPixel, cPixel = s.cPixel, row = 2 * down - s.top;
  const auto hasRow = [&](int i) {
    return !edge || (down - reach + i >= 0 && down - reach + i < s.sourceRows);
  };
  const bool writes[] = {!edge || (row >= s.fromRow && row < s.toRow),
                         !edge || (row + 1 >= s.fromRow && row + 1 < s.toRow)};
  a += (down - reach) * s.aRow + (from - reach) * aPixel;
  c += row * s.cRow + (2 * from - s.left) * cPixel;
  for (std::int64_t j = 0; j < channels; j += V::width) {
    Register weights[std::size_t{size}][std::size_t{size}];
    const T* weight = w + j;
#pragma GCC unroll 16
    for (int i = 0; i < size; ++i) {
#pragma GCC unroll 16
      for (int t = 0; t < size; ++t) weights[i][t] = V::load(weight + t * s.wColumn);
      weight += s.wRow;
    }
    // The columns of the source that a pair reads, from the first one.
    Register source[std::size_t{window}][std::size_t{window}];
    const T* in[std::size_t{window}];
#pragma GCC unroll 16
    for (int i = 0; i < window; ++i) {
      in[i] = a + i * s.aRow + j;
#pragma GCC unroll 16
      for (int k = 0; k < reach; ++k) {
        source[i][k] = hasRow(i) ? lanes.load(in[i]) : V::zero();
        in[i] += aPixel;
      }
    }
    T *upper = c + j, *lower = upper + s.cRow;
    for (std::int64_t across = from; across < to; ++across) {
#pragma GCC unroll 16
      for (int i = 0; i < window; ++i) {
        source[i][reach] = hasRow(i) ? lanes.load(in[i]) : V::zero();
        in[i] += aPixel;
      }
#pragma GCC unroll 2
      for (int y = 0; y < 2; ++y) {
        if (!writes[y]) continue;
#pragma GCC unroll 2
        for (int x = 0; x < 2; ++x) {
          Register sum = V::zero();
#pragma GCC unroll 16
          for (int i = y; i < size; i += 2) {
            if (!hasRow(reach - i / 2)) continue;
#pragma GCC unroll 16
            for (int t = x; t < size; t += 2) {
              sum = V::mulAdd(source[reach - i / 2][reach - t / 2], weights[i][t], sum);
            }
          }
          V::store((y == 0 ? upper : lower) + x * cPixel, sum);
        }
      }
      upper += 2 * cPixel;
      lower += 2 * cPixel;
#pragma GCC unroll 16
      for (int i = 0; i < window; ++i) {
#pragma GCC unroll 16
        for (int k = 0; k < reach; ++k) source[i][k] = source[i][k + 1];
      }
    }
  }
}

template <class T, int size, bool tail>
void spreadPairs(const ConvSpread& s, const T* a, const T* w, T* c, std::int64_t channels) {
  constexpr std::int64_t reach = size / 2;
  const std::int64_t first = pairOf(s.fromColumn + s.left), last = pairOf(s.toColumn - 1 + s.left);
  // The pairs of columns from `from` to `to` - 1 are whole.
  const std::int64_t begin = pairOf(s.fromColumn + s.left + 1), end = pairOf(s.toColumn + s.left);
  const std::int64_t from = begin > reach ? begin : reach;
  const std::int64_t to = end < s.source ? end : s.source;
  for (std::int64_t down = pairOf(s.fromRow + s.top); down <= pairOf(s.toRow - 1 + s.top); ++down) {
    const std::int64_t row = 2 * down - s.top;
    if (!tail && from < to) {
      if (down >= reach && down < s.sourceRows && row >= s.fromRow && row + 2 <= s.toRow) {
        spreadRow<T, size, false>(s, down, from, to, a, w, c, channels);
      } else {
        spreadRow<T, size, true>(s, down, from, to, a, w, c, channels);
      }
    }
    for (std::int64_t across = first; across <= last; ++across) {
      if (!tail && across >= from && across < to) continue;
      spreadEdge<T, size, tail>(s, down, across, a, w, c, channels);
    }
  }
}

template <class T, int size>
void spreadOfSize(const ConvSpread& s, const T* a, const T* w, T* c) {
  const std::int64_t tail = s.channels % Vector<T>::width, whole = s.channels - tail;
  if (whole > 0) spreadPairs<T, size, false>(s, a, w, c, whole);
  if (tail > 0) spreadPairs<T, size, true>(s, a + whole, w + whole, c + whole, tail);
}

template <class T>
void convSpread(const ConvSpread& s, const void* in, const void* weights, void* out) {
  const T *const a = static_cast<const T*>(in), *const w = static_cast<const T*>(weights);
  T* const c = static_cast<T*>(out);
  s.size == 3 ? spreadOfSize<T, 3>(s, a, w, c) : spreadOfSize<T, 5>(s, a, w, c);
}

}  // namespace forebay::FOREBAY_BODY
