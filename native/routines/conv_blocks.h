// How conv, convInputGradient and convWeightGradient divide their work.
//
// A *pass* computes outputs from a source with some taps. conv has one pass: y from x. convInputGradient has
// one pass for each class of positions of its result, because the positions at a multiple of the stride from
// each other have the same taps: the result from g. The work of a pass is divided into *blocks*, rectangles
// of the outputs of one image. For a block, the rectangle of the source that it reads is copied to scratch
// memory, with zeros for the padding, unless the pass has no padding and the channels are contiguous.
#pragma once

#include <algorithm>
#include <cstring>

#include "kernels/conv_routines.h"
#include "kernels/gemm_routines.h"
#include "routines/conv.h"

namespace forebay {

// Output t reads the positions t step + first + i pitch of the source, where i is the number of a tap. It is
// at position outFirst + t outStep of the result.
struct PassAxis {
  std::int64_t source;  // the length of the source
  std::int64_t outputs, step;
  std::int64_t taps, first, pitch;
  std::int64_t outFirst, outStep;
  std::int64_t tap, tapStep;  // tap i is tap + i tapStep of the kernel

  // The length of the part of the source that this number of outputs reads.
  std::int64_t extent(std::int64_t count) const { return (count - 1) * step + (taps - 1) * pitch + 1; }
  bool staysInside() const { return first >= 0 && first + extent(outputs) <= source; }
};

struct ConvPass {
  PassAxis rows, columns;

  std::int64_t taps() const { return rows.taps * columns.taps; }
  bool isEmpty() const { return rows.outputs == 0 || columns.outputs == 0; }
};

// The pass of conv.
ConvPass forwardPass(const ConvShape& shape);
// The number of passes of convInputGradient along an axis, and the pass of the classes `down` and `across`.
std::int64_t gradientPasses(const ConvAxis& axis);
ConvPass gradientPass(const ConvShape& shape, std::int64_t down, std::int64_t across);

// The blocks of an image, and the memory of the source of one block.
struct ConvBlocks {
  std::int64_t rows, columns;  // of outputs, in a block; the last one may have fewer
  std::int64_t down, across;   // the numbers of blocks
  std::int64_t pixel;          // the elements from pixel to pixel in scratch memory
  std::int64_t elements;       // the elements of a block in scratch memory, a multiple of 64 bytes
  bool tooLarge;               // scratch memory would be too large for any block: compute plainly

  std::int64_t inImage() const { return down * across; }
};

// Returns the distance of the pixels of `channels` channels in scratch memory, so that the pixels of a tile
// are not all in a few sets of the caches.
std::int64_t pixelOf(std::int64_t channels, DType type);

// The blocks for a pass with at least the outputs, the taps and the pitch of any other one of the call.
// `pixel` is the distance of pixels in scratch memory.
ConvBlocks blocksOf(const ConvPass& pass, std::int64_t pixel, DType type, bool depthwise);
// The pass with the most outputs and taps.
ConvPass largestGradientPass(const ConvShape& shape);

// One block of a pass.
struct ConvBlock {
  std::int64_t image, row, column;  // the first output
  std::int64_t rows, columns;       // the number of outputs; may be 0 in passes with fewer outputs
};

ConvBlock blockAt(const ConvPass& pass, const ConvBlocks& blocks, std::int64_t number);

// The elements that a block reads: in the source, or in scratch memory.
template <class T>
struct ConvSource {
  const T* data;  // the first position of the first output, which may lie in the padding
  std::int64_t row, pixel;
};

// Copies a rectangle of an image to scratch memory, where pixels and rows are at the distances `pixel` and
// `pitch`. Positions outside of the image become zeros.
template <class T>
void copyRectangle(const RoutineView& view, const T* image, std::int64_t firstRow, std::int64_t rows,
                   std::int64_t firstColumn, std::int64_t columns, std::int64_t channels, std::int64_t pixel,
                   std::int64_t pitch, T* to) {
  const std::int64_t *n = view.sizes, *strides = view.strides;
  const auto clear = [&](T* from, std::int64_t count) {
    std::fill_n(from, std::max<std::int64_t>(count, 0), T(0));
  };
  const std::int64_t left = std::clamp<std::int64_t>(-firstColumn, 0, columns);
  const std::int64_t end = std::clamp<std::int64_t>(n[2] - firstColumn, left, columns);
  for (std::int64_t r = 0; r < rows; ++r, to += pitch) {
    const std::int64_t row = firstRow + r;
    if (row < 0 || row >= n[1] || left == end) {
      clear(to, columns * pixel);
      continue;
    }
    clear(to, left * pixel);
    clear(to + end * pixel, (columns - end) * pixel);
    const T* const from = image + row * strides[1] + (firstColumn + left) * strides[2];
    T* const out = to + left * pixel;
    const std::int64_t count = end - left;
    if (pixel == channels && strides[2] == pixel && (strides[3] == 1 || channels == 1)) {
      std::memcpy(out, from, static_cast<std::size_t>(count * pixel) * sizeof(T));
    } else if (strides[3] == 1) {
      for (std::int64_t c = 0; c < count; ++c) {
        std::memcpy(out + c * pixel, from + c * strides[2], static_cast<std::size_t>(channels) * sizeof(T));
      }
    } else {
      for (std::int64_t channel = 0; channel < channels; ++channel) {
        const T* const line = from + channel * strides[3];
        for (std::int64_t c = 0; c < count; ++c) out[c * pixel + channel] = line[c * strides[2]];
      }
    }
  }
}

// Returns true if blocks read the source itself.
inline bool readsSource(const ConvPass& pass, const RoutineView& view) {
  return pass.rows.staysInside() && pass.columns.staysInside() &&
         (view.strides[3] == 1 || view.sizes[3] == 1);
}

// Returns what a block reads. Copies it to `scratch` if necessary. `data` is the first element of the
// channels that are read, of which there are `channels`. All blocks of a pass have the same strides.
template <class T>
ConvSource<T> sourceOf(const ConvPass& pass, const ConvBlocks& blocks, const ConvBlock& block,
                       const RoutineView& view, const T* data, std::int64_t channels, std::int64_t pixel,
                       T* scratch) {
  const T* const image = data + block.image * view.strides[0];
  const std::int64_t row = block.row * pass.rows.step + pass.rows.first;
  const std::int64_t column = block.column * pass.columns.step + pass.columns.first;
  if (readsSource(pass, view)) {
    return {image + row * view.strides[1] + column * view.strides[2], view.strides[1], view.strides[2]};
  }
  const std::int64_t pitch = pass.columns.extent(blocks.columns) * pixel;
  copyRectangle(view, image, row, pass.rows.extent(block.rows), column, pass.columns.extent(block.columns),
                channels, pixel, pitch, scratch);
  return {scratch, pitch, pixel};
}

// Returns the runs of the taps of a pass. Taps whose elements follow one another in the source and in the
// packed weight are one run. The list has at most `taps` items.
std::int64_t runsOf(const ConvPass& pass, std::int64_t row, std::int64_t pixel, std::int64_t depth,
                    std::int64_t width, ConvRun* runs);

// Returns the size of a piece if `total` is divided into the fewest pieces of at most `most`.
inline std::int64_t evenly(std::int64_t total, std::int64_t most) {
  if (total <= most) return total;
  const std::int64_t pieces = (total + most - 1) / most;
  return (total + pieces - 1) / pieces;
}

inline std::int64_t roundedUp(std::int64_t n, std::int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

inline const GemmRoutines& gemmOf(DType type) { return chosen().body->gemm[type == DType::float64 ? 1 : 0]; }
inline const ConvRoutines& convOf(DType type) { return chosen().body->conv[type == DType::float64 ? 1 : 0]; }

// Hands out scratch memory, each piece aligned to a cache line.
class Scratch {
 public:
  explicit Scratch(char* at) : at_(at) {}
  template <class T>
  T* take(std::int64_t count) {
    T* const taken = reinterpret_cast<T*>(at_);
    at_ += bytes<T>(count);
    return taken;
  }
  template <class T>
  static std::int64_t bytes(std::int64_t count) {
    return roundedUp(count * static_cast<std::int64_t>(sizeof(T)), 64);
  }

 private:
  char* at_;
};

// The plain loops of the three routines, for convolutions whose blocks are too large.
template <class T>
void convPlainly(const RoutineRun& run, std::int64_t fromImage, std::int64_t toImage);
template <class T>
void inputGradientPlainly(const RoutineRun& run, std::int64_t fromImage, std::int64_t toImage);
template <class T>
void weightGradientPlainly(const RoutineRun& run, std::int64_t fromOutput, std::int64_t toOutput);

}  // namespace forebay
