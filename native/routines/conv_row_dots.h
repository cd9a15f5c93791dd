// How passes with few columns divide a block (conv_blocks.h) into calls of the routine rowDots of a body.
#pragma once

#include "routines/conv_blocks.h"

namespace forebay {

// True if the taps of a row are adjacent pixels, for adjacent pixels of the result, so that the routine
// exists for the pass. `lanes` are those of a register.
inline bool isRowDots(const ConvPass& pass, const ConvPacking& packing, std::int64_t lanes) {
  const PassAxis& columns = pass.columns;
  return columns.step == 1 && columns.pitch == 1 && ConvRowDots::existsFor(columns.taps) &&
         packing.depth % lanes == 0;
}

// Brings the packed weights of a group into the order of ConvRowDots.
template <class T>
void packRowDots(const ConvPass& pass, const ConvPacking& packing, const T* packed, std::int64_t group,
                 std::int64_t lanes, T* weights) {
  const std::int64_t taps = pass.columns.taps, depth = packing.depth;
  const T* from = packed + packing.at(group, pass.rows.tap, pass.columns.tap, 0, 0);
  for (std::int64_t row = 0; row < pass.rows.taps; ++row) {
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      for (std::int64_t k = 0; k < depth; ++k, from += packing.width) {
        const std::int64_t at = (row * depth + k - k % lanes) * taps + tap * lanes + k % lanes;
        for (std::int64_t j = 0; j < packing.n; ++j) {
          weights[j * pass.rows.taps * taps * depth + at] = from[j];
        }
      }
    }
  }
}

// Calls body(row, dots, source, weight) for every row of a block. The dots lack cPixel. `weight` is the
// offset of their first weight. Rows without taps have tapRows = 0. The source is the image itself if
// possible, and otherwise a copy in scratch memory with zeros for the padding. `channels` is the first
// channel of the group.
template <class T, class Body>
void eachRowDots(const ConvPass& pass, const ConvBlocks& blocks, const ConvBlock& block,
                 const ConvPacking& packing, const RoutineView& view, const T* channels, T* scratch,
                 const Body& body) {
  const PassAxis &rows = pass.rows, &columns = pass.columns;
  const std::int64_t rowLength = columns.taps * packing.depth;
  ConvRowDots dots = {block.columns,
                      columns.first + block.column,
                      columns.source,
                      rows.taps,
                      columns.taps,
                      view.strides[2],
                      rows.pitch * view.strides[1],
                      packing.depth,
                      rows.taps * rowLength,
                      packing.n,
                      0};
  if (dots.isPossible() && view.strides[3] == 1) {
    const T* const image = channels + block.image * view.strides[0];
    for (std::int64_t row = 0; row < block.rows; ++row) {
      const std::int64_t first = (block.row + row) * rows.step + rows.first;
      const std::int64_t from = first < 0 ? (-first + rows.pitch - 1) / rows.pitch : 0;
      const std::int64_t to =
          first < rows.source ? std::min(rows.taps, (rows.source - 1 - first) / rows.pitch + 1) : 0;
      dots.tapRows = std::max<std::int64_t>(to - from, 0);
      const T* const source =
          dots.tapRows == 0 ? image : image + (first + from * rows.pitch) * view.strides[1];
      body(row, dots, source, from * rowLength);
    }
    return;
  }
  const ConvSource<T> from =
      sourceOf(pass, blocks, block, view, channels, packing.depth, blocks.pixel, scratch);
  dots.first = 0;
  dots.source = columns.extent(block.columns);
  dots.aPixel = from.pixel;
  dots.aRow = rows.pitch * from.row;
  for (std::int64_t row = 0; row < block.rows; ++row) {
    body(row, dots, from.data + row * rows.step * from.row, 0);
  }
}

}  // namespace forebay
