// The gradient of the weights of stencils (see stencil.h): the routine `stencilWeights` of conv_routines.h.
#pragma once

#include "kernels/body/stencil.h"

namespace forebay::FOREBAY_BODY {

// The gradient of the weights for one vector of channels.
template <class T, int rows, int height, int width, int step, bool tail>
struct StencilGradient {
  using Column = StencilColumn<width, step>;
  using V = Vector<T>;
  using Register = typename V::Register;
  static constexpr int sourceRows = rows + height - 1, ring = Column::ring;

  const T* in[std::size_t{sourceRows}];  // column 0 of A
  const T* out[std::size_t{rows}];       // output 0
  typename V::Mask mask;
  // Each row has sums of its own, so that additions wait less for each other.
  Register sums[std::size_t{rows}][std::size_t{height}][std::size_t{width}];
  Register outputs[std::size_t{ring}][std::size_t{rows}];  // adjacent ones

  FOREBAY_INLINE StencilGradient(const ConvStencil& s, const T* w, int lanes) : mask(V::first(lanes)) {
#pragma GCC unroll 16
    for (int i = 0; i < height; ++i) {
#pragma GCC unroll 16
      for (int t = 0; t < width; ++t) {
        sums[0][i][t] = load(w + i * s.wRow + t * s.wColumn);
#pragma GCC unroll 16
        for (int r = 1; r < rows; ++r) sums[r][i][t] = V::zero();
      }
    }
  }
  FOREBAY_INLINE void write(const ConvStencil& s, T* w) {
#pragma GCC unroll 16
    for (int i = 0; i < height; ++i) {
#pragma GCC unroll 16
      for (int t = 0; t < width; ++t) {
        Register sum = sums[0][i][t];
#pragma GCC unroll 16
        for (int r = 1; r < rows; ++r) sum = V::add(sum, sums[r][i][t]);
        T* const to = w + i * s.wRow + t * s.wColumn;
        if (tail) {
          V::storeFirst(to, mask, sum);
        } else {
          V::store(to, sum);
        }
      }
    }
  }

  FOREBAY_INLINE Register load(const T* from) const {
    return tail ? V::loadFirst(from, mask) : V::load(from);
  }
  FOREBAY_INLINE void loadOutput(int m, std::int64_t at) {
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) outputs[m][r] = load(out[r] + at);
  }
  FOREBAY_INLINE void shift() {
#pragma GCC unroll 16
    for (int m = 0; m + 1 < ring; ++m) {
#pragma GCC unroll 16
      for (int r = 0; r < rows; ++r) outputs[m][r] = outputs[m + 1][r];
    }
  }
  // Adds the products of the column of A at this offset with the outputs `least` to `most` - 1. Number 0 is
  // at `oldest` in the ring.
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
            Register& sum = sums[r][i][Column::tap(e, m)];
            sum = V::mulAdd(x, outputs[(oldest + m) % ring][r], sum);
          }
        }
      }
    }
  }
  template <int oldest, int e = 0>
  FOREBAY_INLINE void addAll(const ConvStencil& s, std::int64_t at) {
    if constexpr (e < step) {
      add<oldest, e, 0, ring>(at);
      addAll<oldest, e + 1>(s, at + s.aPixel);
    }
  }
  // The same columns as in StencilLanes. `g` is the offset of the newest output.
  template <int c = 0, int e = 0>
  FOREBAY_INLINE void begin(const ConvStencil& s, std::int64_t g = 0) {
    if constexpr (c < ring - 1) {
      if constexpr (e == 0) loadOutput(ring - 1, g);
      const std::int64_t column = s.first + c * step + e;
      if (column >= 0) add<0, e, ring - 1 - c, ring>(column * s.aPixel);
      if constexpr (e + 1 < step) return begin<c, e + 1>(s, g);
      shift();
      begin<c + 1>(s, g + s.cPixel);
    }
  }
  template <int oldest = 0>
  FOREBAY_INLINE void turn(const ConvStencil& s, std::int64_t at, std::int64_t g) {
    if constexpr (oldest < ring) {
      loadOutput((oldest + ring - 1) % ring, g);
      addAll<oldest>(s, at);
      turn<oldest + 1>(s, at + step * s.aPixel, g + s.cPixel);
    }
  }
  template <int after = 0, int e = 0>
  FOREBAY_INLINE void end(const ConvStencil& s) {
    if constexpr (after < ring - 1) {
      const std::int64_t column = s.first + (s.outputs + after) * step + e;
      if (column < s.source) add<0, e, 0, ring - 1 - after>(column * s.aPixel);
      if constexpr (e + 1 < step) return end<after, e + 1>(s);
      shift();
      end<after + 1>(s);
    }
  }
  FOREBAY_INLINE void addRows(const ConvStencil& s, const T* a, const T* c) {
#pragma GCC unroll 16
    for (int q = 0; q < sourceRows; ++q) in[q] = a + q * s.aRow;
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) out[r] = c + r * s.cRow;
    const std::int64_t aStep = step * s.aPixel, cPixel = s.cPixel;
    begin(s);
    std::int64_t at = s.first * s.aPixel + (ring - 1) * aStep, g = (ring - 1) * cPixel,
                 left = s.outputs - (ring - 1);
    if constexpr (!tail) {
      for (; left >= ring; left -= ring, at += ring * aStep, g += ring * cPixel) turn(s, at, g);
    }
    for (; left > 0; --left, at += aStep, g += cPixel) {
      loadOutput(ring - 1, g);
      addAll<0>(s, at);
      shift();
    }
    end(s);
  }
};

template <class T, int rows, int height, int width, int step, bool tail>
void stencilGradientLanes(const ConvStencil& s, const T* a, const T* c, T* w, int count) {
  StencilGradient<T, rows, height, width, step, tail> lanes(s, w, count);
  for (std::int64_t r = 0; r < s.rows; r += rows) {
    lanes.addRows(s, a + r * s.rowStep * s.aRow, c + r * s.cRow);
  }
  lanes.write(s, w);
}

// The number of rows for which sums stay in registers.
constexpr std::int64_t gradientRows = 4;

template <class T, int rows, int height, int width, int step>
void stencilGradientRows(const ConvStencil& s, const T* a, const T* c, T* w) {
  eachPart<T>(s, [&](std::int64_t from, const ConvStencil& part) {
    const T* const out = c + from * s.cPixel;
    eachLanes<T>(
        s.channels,
        [&](std::int64_t j) {
          stencilGradientLanes<T, rows, height, width, step, false>(part, a + j, out + j, w + j, 0);
        },
        [&](std::int64_t j, int count) {
          stencilGradientLanes<T, 1, height, width, step, true>(part, a + j, out + j, w + j, count);
        });
  });
}

template <class T, int height, int width, int step>
void stencilGradientOfSize(const ConvStencil& s, const T* a, const T* c, T* w) {
  // The usual kernels have two rows at a time, as in stencilOfSize.
  constexpr int pair = manyRegisters && height == width && height > 1 && step == 1 ? 2 : 1;
  const int most = s.rowStep == 1 ? pair : 1;
  ConvStencil some = s;
  for (std::int64_t r = 0; r < s.rows;
       r += some.rows, a += some.rows * s.rowStep * s.aRow, c += some.rows * s.cRow) {
    some.rows = r + gradientRows <= s.rows ? gradientRows : s.rows - r;
    if (some.rows > most) some.rows -= some.rows % most;
    if (pair > 1 && most == pair && some.rows % pair == 0) {
      stencilGradientRows<T, pair, height, width, step>(some, a, c, w);
    } else {
      stencilGradientRows<T, 1, height, width, step>(some, a, c, w);
    }
  }
}

}  // namespace forebay::FOREBAY_BODY
