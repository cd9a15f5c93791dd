// The sums of the routine `stencil` of conv_routines.h, for depthwise convolutions, and what its gradient
// shares with them.
//
// Both walk along the columns of A, with one vector of channels at a time. The sums of all outputs to which a
// column belongs are in registers, so that each element of A is loaded once for each group of rows of C.
// Column c step + e, with e < step, has tap e + k step of output c - k: columns are numbered from that of tap
// 0 of output 0. The first and the last columns belong to fewer outputs, and may be outside of A.
#pragma once

#include "kernels/body/gemm_vector.h"
#include "kernels/conv_routines.h"

namespace forebay::FOREBAY_BODY {

// Vectors of 64 bytes have 32 registers, and others may have 16.
constexpr bool manyRegisters = FOREBAY_BODY_VECTOR == 64;

// If pixels are at least this far from each other, the columns of a row are in few sets of the L1 cache, so
// that few columns are computed at a time.
constexpr std::int64_t conflictingBytes = manyRegisters ? 2048 : 1024, fewColumns = 8;

constexpr std::int64_t cacheBytes = std::int64_t(48) << 10;  // of the L1 cache

// Calls body(from, part) for every part of the columns: its first output, and the stencil of its outputs.
template <class T, class Body>
FOREBAY_INLINE void eachPart(const ConvStencil& s, const Body& body) {
  const bool conflicts = s.aPixel * static_cast<std::int64_t>(sizeof(T)) >= conflictingBytes;
  const std::int64_t parts = conflicts ? (s.outputs + fewColumns - 1) / fewColumns : 1;
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::int64_t from = part * s.outputs / parts;
    ConvStencil columns = s;
    columns.outputs = (part + 1) * s.outputs / parts - from;
    columns.first += from * s.columnStep;
    body(from, columns);
  }
}

// A column of A with `width` taps, of which number `e` is that of the newest output in a ring of outputs. The
// outputs are numbered from the oldest one.
template <int width, int step>
struct StencilColumn {
  static constexpr int ring = (width + step - 1) / step;

  static constexpr int tap(int e, int output) { return e + step * (ring - 1 - output); }
  // True if the column belongs to one of the first `most` outputs.
  static constexpr bool belongs(int e, int most) { return most > 0 && tap(e, most - 1) < width; }
};

// Some rows of C, and one vector of channels. If tail is true, only the lanes of `mask` are accessed.
template <class T, int rows, int height, int width, int step, bool tail>
struct StencilLanes {
  using Column = StencilColumn<width, step>;
  using V = Vector<T>;
  using Register = typename V::Register;
  static constexpr int sourceRows = rows + height - 1, ring = Column::ring;

  const T* in[std::size_t{sourceRows}];  // column 0 of A
  T* out[std::size_t{rows}];             // output 0
  typename V::Mask mask;
  Register weights[std::size_t{height}][std::size_t{width}];
  Register sums[std::size_t{ring}][std::size_t{rows}];  // of adjacent outputs

  FOREBAY_INLINE StencilLanes(const ConvStencil& s, const T* a, const T* w, T* c, int lanes)
      : mask(V::first(lanes)) {
#pragma GCC unroll 16
    for (int q = 0; q < sourceRows; ++q) in[q] = a + q * s.aRow;
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) out[r] = c + r * s.cRow;
#pragma GCC unroll 16
    for (int i = 0; i < height; ++i) {
#pragma GCC unroll 16
      for (int t = 0; t < width; ++t) weights[i][t] = load(w + i * s.wRow + t * s.wColumn);
    }
#pragma GCC unroll 16
    for (int m = 0; m < ring; ++m) clear(m);
  }

  FOREBAY_INLINE Register load(const T* from) const {
    return tail ? V::loadFirst(from, mask) : V::load(from);
  }
  FOREBAY_INLINE void clear(int m) {
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) sums[m][r] = V::zero();
  }
  // Replaces the oldest output by a new one, and makes number 0 the oldest.
  FOREBAY_INLINE void shift() {
#pragma GCC unroll 16
    for (int m = 0; m + 1 < ring; ++m) {
#pragma GCC unroll 16
      for (int r = 0; r < rows; ++r) sums[m][r] = sums[m + 1][r];
    }
    clear(ring - 1);
  }
  // Adds the column of A at this offset to the outputs `least` to `most` - 1. Number 0 is at `oldest` in the
  // ring.
  template <int oldest, int e, int least, int most>
  FOREBAY_INLINE void add(std::int64_t at) {
    if constexpr (Column::belongs(e, most)) {
#pragma GCC unroll 16
      for (int q = 0; q < sourceRows; ++q) {
        const Register x = load(in[q] + at);
#pragma GCC unroll 16
        for (int i = 0; i < height; ++i) {
          const int r = q - i;
          if (r < 0 || r >= rows) continue;
#pragma GCC unroll 16
          for (int m = least; m < most; ++m) {
            if (Column::tap(e, m) >= width) continue;
            Register& sum = sums[(oldest + m) % ring][r];
            sum = V::mulAdd(x, weights[i][Column::tap(e, m)], sum);
          }
        }
      }
    }
  }
  // Adds the columns of one output, all of which are in A.
  template <int oldest, int e = 0>
  FOREBAY_INLINE void addAll(const ConvStencil& s, std::int64_t at) {
    if constexpr (e < step) {
      add<oldest, e, 0, ring>(at);
      addAll<oldest, e + 1>(s, at + s.aPixel);
    }
  }
  template <int oldest>
  FOREBAY_INLINE void store(std::int64_t at) {
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
      if (tail) {
        V::storeFirst(out[r] + at, mask, sums[oldest][r]);
      } else {
        V::store(out[r] + at, sums[oldest][r]);
      }
    }
    clear(oldest);
  }
  // The columns of the outputs before the ring is full.
  template <int c = 0, int e = 0>
  FOREBAY_INLINE void begin(const ConvStencil& s) {
    if constexpr (c < ring - 1) {
      const std::int64_t column = s.first + c * step + e;
      if (column >= 0) add<0, e, ring - 1 - c, ring>(column * s.aPixel);
      if constexpr (e + 1 < step) return begin<c, e + 1>(s);
      shift();
      begin<c + 1>(s);
    }
  }
  // The columns of as many outputs as are in the ring.
  template <int oldest = 0>
  FOREBAY_INLINE void turn(const ConvStencil& s, std::int64_t at, std::int64_t to) {
    if constexpr (oldest < ring) {
      addAll<oldest>(s, at);
      store<oldest>(to);
      turn<oldest + 1>(s, at + step * s.aPixel, to + s.cPixel);
    }
  }
  // The columns after the last output.
  template <int after = 0, int e = 0>
  FOREBAY_INLINE void end(const ConvStencil& s, std::int64_t to) {
    if constexpr (after < ring - 1) {
      const std::int64_t column = s.first + (s.outputs + after) * step + e;
      if (column < s.source) add<0, e, 0, ring - 1 - after>(column * s.aPixel);
      if constexpr (e + 1 < step) return end<after, e + 1>(s, to);
      store<0>(to);
      shift();
      end<after + 1>(s, to + s.cPixel);
    }
  }
};

template <class T, int rows, int height, int width, int step, bool tail>
void stencilLanes(const ConvStencil& s, const T* a, const T* w, T* c, int count) {
  StencilLanes<T, rows, height, width, step, tail> lanes(s, a, w, c, count);
  constexpr int ring = StencilColumn<width, step>::ring;
  const std::int64_t aStep = step * s.aPixel, cPixel = s.cPixel;
  lanes.begin(s);
  std::int64_t at = s.first * s.aPixel + (ring - 1) * aStep, to = 0, outputs = s.outputs - (ring - 1);
  if constexpr (!tail) {
    for (; outputs >= ring; outputs -= ring, at += ring * aStep, to += ring * cPixel) lanes.turn(s, at, to);
  }
  for (; outputs > 0; --outputs, at += aStep, to += cPixel) {
    lanes.template addAll<0>(s, at);
    lanes.template store<0>(to);
    lanes.shift();
  }
  lanes.end(s, to);
}

// Calls one of two functions for every vector of channels.
template <class T, class Whole, class Tail>
FOREBAY_INLINE void eachLanes(std::int64_t channels, const Whole& whole, const Tail& tail) {
  constexpr int width = Vector<T>::width;
  std::int64_t j = 0;
  for (; j + width <= channels; j += width) whole(j);
  if (j < channels) tail(j, static_cast<int>(channels - j));
}

// Computes `rows` rows of C, one part of the columns after another. The loop over the channels is inside, so
// that memory is read in its order.
template <class T, int rows, int height, int width, int step>
void stencilRows(const ConvStencil& s, const T* a, const T* w, T* c) {
  eachPart<T>(s, [&](std::int64_t from, const ConvStencil& part) {
    T* const to = c + from * s.cPixel;
    eachLanes<T>(
        s.channels,
        [&](std::int64_t j) {
          stencilLanes<T, rows, height, width, step, false>(part, a + j, w + j, to + j, 0);
        },
        [&](std::int64_t j, int count) {
          for (std::int64_t r = 0; r < rows; ++r) {
            stencilLanes<T, 1, height, width, step, true>(part, a + r * s.aRow + j, w + j,
                                                          to + r * s.cRow + j, count);
          }
        });
  });
}

// Computes `most` rows at a time, as far as possible. Returns the number of rows.
template <class T, int most, int height, int width, int step>
std::int64_t stencilGroups(const ConvStencil& s, std::int64_t from, const T* a, const T* w, T* c) {
  std::int64_t r = from;
  for (; r + most <= s.rows; r += most) {
    stencilRows<T, most, height, width, step>(s, a + r * s.rowStep * s.aRow, w, c + r * s.cRow);
  }
  return r;
}

template <class T, int height, int width, int step>
void stencilOfSize(const ConvStencil& s, const T* a, const T* w, T* c) {
  std::int64_t r = 0;
  // Only the usual kernels have several rows, so that the code does not become large.
  if constexpr (height == width && height > 1 && step == 1) {
    if constexpr (manyRegisters) {
      // Four rows read less than two, unless only two rows with their source fit in the cache.
      const std::int64_t row = s.outputs * s.aPixel * static_cast<std::int64_t>(sizeof(T));
      const auto fit = [&](std::int64_t rows) { return (2 * rows + height - 1) * row <= cacheBytes; };
      if (s.rowStep == 1 && (fit(4) || !fit(2))) r = stencilGroups<T, 4, height, width, step>(s, r, a, w, c);
    }
    if (s.rowStep == 1) r = stencilGroups<T, 2, height, width, step>(s, r, a, w, c);
  }
  stencilGroups<T, 1, height, width, step>(s, r, a, w, c);
}

}  // namespace forebay::FOREBAY_BODY
