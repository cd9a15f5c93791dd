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

// A product C = A B with few terms, for `rows` rows of `pixels` pixels. Pixel i of row r of A is at r aRow +
// i aStep, and that of C at r cRow + i cStep. Term t of a pixel of A is at offsets[t].
struct ConvShort {
  const std::int64_t* offsets;
  std::int64_t terms;
  std::int64_t rows, pixels, n;
  std::int64_t aStep, aRow, cStep, cRow, bPanel;
};

// The largest number of columns of C of the routine `dots`.
constexpr int mostConvDots = 4;

// A product C = A B with few columns, whose elements are computed as dot products. Column j of B is
// contiguous at b + j bColumn. Both A and B are contiguous in a run.
struct ConvDots {
  const ConvRun* runs;
  std::int64_t runCount;
  std::int64_t bColumn;
  int n;
};

// A row of a product with few columns whose taps in a row of the source are adjacent pixels. Column j of
// pixel x of C is the sum over i < tapRows, t < tapColumns and k < depth of
//
//   A[i aRow + (first + x + t) aPixel + k] B[j bColumn + (i depth + k - k % lanes) tapColumns + t lanes + k %
//   lanes]
//
// where columns of A outside of 0 to source - 1 count as zeros. The depth is a multiple of `lanes`, the lanes
// of a register.
struct ConvRowDots {
  std::int64_t pixels, first, source;
  std::int64_t tapRows, tapColumns;
  std::int64_t aPixel, aRow, depth;
  std::int64_t bColumn, n;
  std::int64_t cPixel;

  // True if the routine exists for this number of columns of taps.
  static bool existsFor(std::int64_t tapColumns) { return tapColumns == 3 || tapColumns == 5; }
  // True if the routine can compute the row: only the taps of the first and the last pixels lie outside.
  bool isPossible() const { return existsFor(tapColumns) && first > -tapColumns && first + pixels <= source; }
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

// Sums over adjacent taps for every channel, for `rows` rows of C with `outputs` columns. Row r and column o
// of C is the sum of A[firstRow + r rowStep + i, first + o columnStep + t] W[i, t], for i < tapRows and t <
// tapColumns. Rows of A outside of 0 to sourceRows - 1, and columns outside of 0 to source - 1, count as
// zeros.
struct ConvStencil {
  std::int64_t rows, outputs, sourceRows, source, firstRow, first, channels;
  std::int64_t tapRows, tapColumns, rowStep, columnStep;
  std::int64_t aPixel, aRow, cPixel, cRow, wColumn, wRow;

  // True if there is code for these sizes. More sizes would make the library larger. The columns of taps are
  // those of the usual kernels, and 1 or 2 in the gradient of a kernel with a stride.
  bool isStencil() const {
    return isWide() || (tapRows > 0 && columnStep == 1 && (tapColumns == 1 || tapColumns == 2));
  }
  // The same for the gradient of W.
  bool isWide() const { return tapRows > 0 && columnStep <= 2 && (tapColumns == 3 || tapColumns == 5); }
};

// The gradient of the input of a depthwise convolution with size x size taps and strides of 2, for a
// rectangle of C: element (r, o) is the sum of A[(r + top - i) / 2, (o + left - t) / 2] W[i, t] over the taps
// i and t for which the indices of A are integers in its rows and columns.
struct ConvSpread {
  std::int64_t fromRow, toRow, fromColumn, toColumn;  // of C
  std::int64_t top, left, sourceRows, source, channels, size;
  std::int64_t aPixel, aRow, cPixel, cRow, wColumn, wRow;

  // True if there is code for this number of taps along each axis.
  static bool existsFor(std::int64_t size) { return size == 3 || size == 5; }
};

struct ConvRoutines {
  std::int64_t lanes;  // of a register
  // Computes `rows` rows, at most the tileRows of GemmRoutines.
  void (*product)(const ConvProduct& product, int rows, const void* const* a, const void* b, void* const* c);
  void (*shortProduct)(const ConvShort& product, const void* a, const void* b, void* c);
  void (*dots)(const ConvDots& dots, int rows, const void* const* a, const void* b, void* const* c);
  // Requires isPossible(). `a` is the row of the first row of taps, and its column 0.
  void (*rowDots)(const ConvRowDots& dots, const void* a, const void* b, void* c);
  void (*depthwise)(const ConvDepthwise& sums, const void* a, const void* w, void* c);
  // Adds the gradient of W: W[taps[t].w + j] += sum over p of A[p aPixel + taps[t].a + j] C[p cPixel + j].
  void (*depthwiseWeights)(const ConvDepthwise& sums, const void* a, const void* c, void* w);
  // The additions before and after the products of a pair (routines/conv_pairs.h), of `n` channels or
  // columns: u0 = d0 - d2, u1 = d1 + d2, u2 = d2 - d1, u3 = d1 - d3, and y0 = m0 + m1 + m2, y1 = m1 - m2 -
  // m3. Does not store y1 if it is null. The results are not in the memory of an operand.
  void (*pairsIn)(const void* const* d, void* const* u, std::int64_t n);
  void (*pairsOut)(const void* const* m, void* y0, void* y1, std::int64_t n);
  // Requires isStencil(). `a` is row 0 and column 0 of A.
  void (*stencil)(const ConvStencil& sums, const void* a, const void* w, void* c);
  // Requires existsFor(size). `a` and `c` are row 0 and column 0.
  void (*spread)(const ConvSpread& sums, const void* a, const void* w, void* c);
  // Adds the gradient of W. Requires isWide().
  void (*stencilWeights)(const ConvStencil& sums, const void* a, const void* c, void* w);
};

}  // namespace forebay
