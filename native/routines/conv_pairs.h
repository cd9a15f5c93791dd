// Convolutions with three adjacent columns of taps, computed for pairs of adjacent outputs with two thirds of
// the products: F(2, 3) of S. Winograd, Arithmetic complexity of computations (1980), along the columns. With
// the elements d0 … d3 of a row and the taps w0, w1, w2, the outputs
//
//   y0 = d0 w0 + d1 w1 + d2 w2 = m0 + m1 + m2      y1 = d1 w0 + d2 w1 + d3 w2 = m1 - m2 - m3
//   m0 = (d0 - d2) w0                 m1 = (d1 + d2) (w0 + w1 + w2) / 2
//   m2 = (d2 - d1) (w0 - w1 + w2) / 2 m3 = (d1 - d3) w2
//
// need four products in place of six. m0 … m3 are summed over the rows of taps and the channels: each is a
// product of matrices, the sources (d0 - d2 and so on) times the factors (w0 and so on).
//
// Sums of small integers are exact, as without pairs: halves of integers are binary floating-point numbers.
// The rounding error of other outputs is about 1.3 times as large. An infinite element may make an output NaN
// whose taps do not reach it, if this output is in a pair with one whose taps do.
#pragma once

#include "routines/conv_blocks.h"

namespace forebay {

// The numbers of products and of taps for each pair.
constexpr int pairProducts = 4, pairTaps = 3;
// With fewer weights of a tap, or fewer columns, the additions take as long as the products that are saved.
constexpr std::int64_t leastPairWeights = 512, leastPairDepth = 16, leastPairColumns = 3;
// With more channels, a tile would sum too many terms (see mostTerms in conv_run.cc).
constexpr std::int64_t mostPairDepth = 1024;

// Returns true if a convolution has pairs of outputs: three adjacent columns of taps, and enough channels of
// the source (`depth`) and of the result (`n`) in each group.
inline bool hasPairs(const ConvShape& shape, std::int64_t depth, std::int64_t n) {
  const ConvAxis &rows = shape.rows, &columns = shape.columns;
  return columns.size == pairTaps && columns.dilation == 1 && columns.stride == 1 && rows.stride == 1 &&
         std::min(columns.count, columns.length) >= leastPairColumns && depth >= leastPairDepth &&
         depth <= mostPairDepth && n >= leastPairDepth && depth * n >= leastPairWeights;
}

// The factors of all groups: for each group and each product a matrix [rows of taps x depth, n], in panels.
struct PairFactors {
  std::int64_t groups, rows, depth, width, panels;  // width: the columns of a panel

  PairFactors(const ConvShape& shape, const ConvPacking& packing)
      : groups(packing.groups),
        rows(shape.rows.size),
        depth(packing.depth),
        width(packing.width),
        panels(packing.paddedColumns() / packing.width) {}

  std::int64_t terms() const { return rows * depth; }
  std::int64_t matrix() const { return panels * terms() * width; }
  std::int64_t elements() const { return groups * pairProducts * matrix(); }
  std::int64_t at(std::int64_t group, std::int64_t product) const {
    return (group * pairProducts + product) * matrix();
  }

  // Computes the factors from packed weights.
  template <class T>
  void compute(const T* packed, T* factors) const {
    for (std::int64_t group = 0; group < groups; ++group) {
      T* const to = factors + at(group, 0);
      for (std::int64_t panel = 0; panel < panels; ++panel) {
        const T* from = packed + (group * panels + panel) * pairTaps * terms() * width;
        for (std::int64_t row = 0; row < rows; ++row, from += pairTaps * depth * width) {
          T* const out = to + (panel * rows + row) * depth * width;
          for (std::int64_t i = 0; i < depth * width; ++i) {
            const T first = from[i], middle = from[depth * width + i], last = from[2 * depth * width + i];
            const T outer = first + last;
            out[i] = first;
            out[matrix() + i] = (outer + middle) / 2;
            out[2 * matrix() + i] = (outer - middle) / 2;
            out[3 * matrix() + i] = last;
          }
        }
      }
    }
  }
};

// The sources of a block: for each product an image of `rows` rows and `pairs` columns.
struct PairSources {
  std::int64_t rows, pairs, pixel;  // of the largest block; pixel: the distance of adjacent pairs

  PairSources(const ConvPass& pass, const ConvBlocks& blocks, std::int64_t pixelDistance)
      : rows(pass.rows.extent(blocks.rows)), pairs((blocks.columns + 1) / 2), pixel(pixelDistance) {}

  std::int64_t pitch() const { return pairs * pixel; }
  std::int64_t plane() const { return rows * pitch(); }
  std::int64_t elements() const { return pairProducts * plane(); }
};

// Computes the sources of a block. `data` is the first element of the channels that are read, of which there
// are `channels`. Elements outside of the image are zeros, and so is the element after the last column of a
// block with an odd number of columns, which only an output that is not stored reads. `zeros` has `channels`
// zeros. `copy` has memory for the rectangle that the block reads; it is used if channels are not adjacent.
template <class T>
void pairSources(const ConvPass& pass, const ConvBlock& at, const RoutineView& view, const T* data,
                 std::int64_t channels, const PairSources& sources, const T* zeros, T* copy,
                 void (*pairsIn)(const void* const*, void* const*, std::int64_t), T* to) {
  const std::int64_t rows = pass.rows.extent(at.rows), columns = pass.columns.extent(at.columns),
                     pairs = (at.columns + 1) / 2;
  const std::int64_t firstRow = at.row + pass.rows.first, firstColumn = at.column + pass.columns.first;
  const T* const image = data + at.image * view.strides[0];
  const bool copied = view.strides[3] != 1;
  if (copied) {
    copyRectangle(view, image, firstRow, rows, firstColumn, columns, channels, sources.pixel,
                  columns * sources.pixel, copy);
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t row = firstRow + r;
    T* out = to + r * sources.pitch();
    if (row < 0 || row >= view.sizes[1]) {
      for (int product = 0; product < pairProducts; ++product) {
        std::fill_n(out + product * sources.plane(), pairs * sources.pixel, T(0));
      }
      continue;
    }
    for (std::int64_t pair = 0; pair < pairs; ++pair, out += sources.pixel) {
      const void* from[pairProducts];
      void* into[pairProducts];
      for (int i = 0; i < pairProducts; ++i) {
        const std::int64_t x = 2 * pair + i, column = firstColumn + x;
        if (column < 0 || column >= view.sizes[2] || x >= columns) {
          from[i] = zeros;
        } else if (copied) {
          from[i] = copy + (r * columns + x) * sources.pixel;
        } else {
          from[i] = image + row * view.strides[1] + column * view.strides[2];
        }
        into[i] = out + i * sources.plane();
      }
      pairsIn(from, into, channels);
    }
  }
}

// The sums of the gradient of w. For the gradients g0 and g1 of a pair of outputs, with -g0, g0 + g1, g0 - g1
// and g1 as factors of the sources, they are s0 … s3, and the gradients of the taps are
//
//   (s1 + s2) / 2 - s0      (s1 - s2) / 2      (s1 + s2) / 2 - s3
//
// Computes them, in place: `rows` times three rows of `columns` elements, from four.
template <class T>
void tapsOfPairs(T* sums, std::int64_t rows, std::int64_t columns) {
  const T* from = sums;
  for (std::int64_t row = 0; row < rows; ++row, from += pairProducts * columns, sums += pairTaps * columns) {
    for (std::int64_t j = 0; j < columns; ++j) {
      const T s0 = from[j], s1 = from[columns + j], s2 = from[2 * columns + j], s3 = from[3 * columns + j];
      sums[j] = (s1 + s2) / 2 - s0;
      sums[columns + j] = (s1 - s2) / 2;
      sums[2 * columns + j] = (s1 + s2) / 2 - s3;
    }
  }
}

}  // namespace forebay
