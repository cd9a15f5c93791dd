// How depthwise convolutions divide a block (conv_blocks.h) into calls of the routines of a body.
#pragma once

#include "routines/conv_blocks.h"

namespace forebay {

// What a depthwise pass reads: an image, or its copy in scratch memory if its channels are not contiguous.
template <class T>
struct DepthwiseSource {
  const T* data;  // the element at the origin
  std::int64_t rowOrigin, columnOrigin, rows, columns;
  std::int64_t row, pixel;
};

template <class T>
DepthwiseSource<T> depthwiseSourceOf(const ConvPass& pass, const ConvBlock& block, const RoutineView& view,
                                     const T* data, std::int64_t channels, T* scratch) {
  const T* const image = data + block.image * view.strides[0];
  if (view.strides[3] == 1 || view.sizes[3] == 1) {
    return {image, 0, 0, view.sizes[1], view.sizes[2], view.strides[1], view.strides[2]};
  }
  const std::int64_t row = block.row * pass.rows.step + pass.rows.first;
  const std::int64_t column = block.column * pass.columns.step + pass.columns.first;
  const std::int64_t rows = pass.rows.extent(block.rows), columns = pass.columns.extent(block.columns);
  copyRectangle(view, image, row, rows, column, columns, channels, channels, columns * channels, scratch);
  return {scratch, row, column, rows, columns, columns * channels, channels};
}

// Calls body(row, column, sums, source) for every row of a depthwise block, and for every range of its
// columns that has the same taps inside of the source. The sums lack their channels and cPixel.
template <class T, class Body>
void eachDepthwise(const ConvPass& pass, const ConvBlock& block, const DepthwiseSource<T>& source,
                   std::int64_t kernelWidth, std::int64_t weightStep, ConvTap* taps, const Body& body) {
  struct Range {
    std::int64_t start, from, to;  // the position of tap 0, and the taps inside of the source
  };
  const auto rangeOf = [](const PassAxis& axis, std::int64_t output, std::int64_t origin,
                          std::int64_t length) {
    const std::int64_t start = output * axis.step + axis.first - origin;
    const auto upwards = [&](std::int64_t n) { return n <= 0 ? 0 : (n + axis.pitch - 1) / axis.pitch; };
    const std::int64_t from = std::min(upwards(-start), axis.taps);
    return Range{start, from, std::clamp(upwards(length - start), from, axis.taps)};
  };
  const PassAxis &rows = pass.rows, &columns = pass.columns;
  for (std::int64_t row = 0; row < block.rows; ++row) {
    const Range down = rangeOf(rows, block.row + row, source.rowOrigin, source.rows);
    for (std::int64_t column = 0; column < block.columns;) {
      const auto acrossAt = [&](std::int64_t at) {
        return rangeOf(columns, block.column + at, source.columnOrigin, source.columns);
      };
      const Range across = acrossAt(column);
      std::int64_t end = column + 1;
      for (; end < block.columns; ++end) {
        const Range next = acrossAt(end);
        if (next.from != across.from || next.to != across.to) break;
      }
      std::int64_t count = 0;
      for (std::int64_t i = down.from; i < down.to; ++i) {
        for (std::int64_t j = across.from; j < across.to; ++j) {
          const std::int64_t tap =
              (rows.tap + i * rows.tapStep) * kernelWidth + columns.tap + j * columns.tapStep;
          taps[count++] = {
              (i - down.from) * rows.pitch * source.row + (j - across.from) * columns.pitch * source.pixel,
              tap * weightStep};
        }
      }
      const T* first = source.data;
      if (count > 0) {
        first += (down.start + down.from * rows.pitch) * source.row +
                 (across.start + across.from * columns.pitch) * source.pixel;
      }
      const ConvDepthwise sums = {taps, count, end - column, 0, columns.step * source.pixel, 0};
      body(row, column, sums, first);
      column = end;
    }
  }
}

// Returns the stencil of a depthwise block. It lacks its channels, cPixel and cRow. `weightStep` is the
// distance of the weights of two taps. If the taps are not adjacent, the stencil is empty, and isStencil() is
// false.
template <class T>
ConvStencil stencilOf(const ConvPass& pass, const ConvBlock& block, const DepthwiseSource<T>& source,
                      std::int64_t kernelWidth, std::int64_t weightStep) {
  const PassAxis &rows = pass.rows, &columns = pass.columns;
  if (rows.pitch != 1 || columns.pitch != 1) return {};
  ConvStencil sums = {};
  sums.rows = block.rows;
  sums.outputs = block.columns;
  sums.sourceRows = source.rows;
  sums.source = source.columns;
  sums.firstRow = block.row * rows.step + rows.first - source.rowOrigin;
  sums.first = block.column * columns.step + columns.first - source.columnOrigin;
  sums.tapRows = rows.taps;
  sums.tapColumns = columns.taps;
  sums.rowStep = rows.step;
  sums.columnStep = columns.step;
  sums.aPixel = source.pixel;
  sums.aRow = source.row;
  sums.wColumn = columns.tapStep * weightStep;
  sums.wRow = rows.tapStep * kernelWidth * weightStep;
  return sums;
}

// Returns true if the routine `spread` computes all passes of an input gradient at once.
inline bool isSpread(const ConvShape& shape, const ConvPacking& packing) {
  const auto fits = [](const ConvAxis& axis) { return axis.stride == 2 && axis.dilation == 1; };
  return packing.depthwise && fits(shape.rows) && fits(shape.columns) &&
         shape.rows.size == shape.columns.size && ConvSpread::existsFor(shape.rows.size);
}

// The offset of the first weight of a stencil.
inline std::int64_t firstWeight(const ConvPass& pass, std::int64_t kernelWidth, std::int64_t weightStep) {
  return (pass.rows.tap * kernelWidth + pass.columns.tap) * weightStep;
}

}  // namespace forebay
