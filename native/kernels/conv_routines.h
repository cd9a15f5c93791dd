// The routines of a body (see bodies.h) for convolutions. routines/conv_*.cc divide a convolution into blocks
// and call these routines. Pointers are to elements of the dtype of the routine. Strides and offsets are in
// elements.
#pragma once

#include <cstdint>

namespace forebay {

// A run of terms of a product: for p from 0 to length - 1, the element at a + p aStep of a row of A times the
// row of B at b + p bRow.
struct ConvRun {
  std::int64_t a, b, length;
};

// A product C = A B or C += A B whose rows of A and of C are anywhere in memory. The terms of all rows are at
// the same offsets. B is divided into panels, as in gemm_routines.h.
struct ConvProduct {
  const ConvRun* runs;
  std::int64_t runCount;
  std::int64_t aStep, bRow, bPanel;
  std::int64_t n;  // the columns of C
  bool accumulate;
};

// A tap of a depthwise convolution: the offsets of its elements of A and of its weights.
struct ConvTap {
  std::int64_t a, w;
};

// Sums over taps for every channel: C[p cPixel + j] = sum over t of A[p aPixel + taps[t].a + j] W[taps[t].w +
// j].
struct ConvDepthwise {
  const ConvTap* taps;
  std::int64_t tapCount, pixels, channels;
  std::int64_t aPixel, cPixel;
};

struct ConvRoutines {
  // Computes `rows` rows, at most the tileRows of GemmRoutines.
  void (*product)(const ConvProduct& product, int rows, const void* const* a, const void* b, void* const* c);
  void (*depthwise)(const ConvDepthwise& sums, const void* a, const void* w, void* c);
  // Adds the gradient of W: W[taps[t].w + j] += sum over p of A[p aPixel + taps[t].a + j] C[p cPixel + j].
  void (*depthwiseWeights)(const ConvDepthwise& sums, const void* a, const void* c, void* w);
};

}  // namespace forebay
