// Forebay's own matrix product: C = A B, or C += A B, where C is row-major.
//
// A product is planned once and run many times. A run allocates no memory and cannot fail:
//
//   const GemmPlan plan = planGemm(shape);              // or planPanels, if packPanels has packed B
//   runGemm(plan, a, b, c, scratch, 0, plan.parts);     // scratch: plan.scratchBytes for each thread
//
// To share a product, threads divide its parts, [0, parts). A part is a range of rows or of columns of C that
// can be computed independently, and is large enough to be worth a thread. A small product therefore has one
// part. Give each thread one range of neighbouring parts, because the operands of a range are packed
// together:
//
//   tasks = min(threads, plan.parts); task i: runGemm(…, scratch of its thread, gemmShare(plan, tasks, i),
//                                                     gemmShare(plan, tasks, i + 1));
//
// The bits of an element of C depend on its row of A, its column of B, k and the plan. They do not depend on
// how the parts are shared or on alignment, because k is never split over threads.
//
// If terms of 0 are added at the end, so that k is larger, the bits stay the same if A is stored by columns,
// or if C has one row and B is not transposed. Blocks along k have a fixed size, so the zeros are at the end
// of a block or in blocks of their own. The exceptions: A is stored by rows, and the larger k changes the
// route or makes B so large that blocks are shorter; C has one row, is accumulated, and the larger k changes
// the route; OpenBLAS computes the product.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/bodies.h"

namespace forebay {

// The shape of a product. Strides are in elements. In A, and also in B, one axis has stride 1 or an extent of
// at most 1. The stride of the other axis is at least the extent of the first axis, unless its own extent is
// at most 1. cRow >= n. All extents and strides are below 2^31. The caller must have checked all of this.
struct GemmShape {
  DType type;  // float32 or float64
  std::int64_t m, n, k;
  bool accumulate;             // C += A B; if false, C is not read, and k = 0 gives zeros
  std::int64_t aRow, aColumn;  // A is m x k
  std::int64_t bRow, bColumn;  // B is k x n; not used if B is packed
  std::int64_t cRow;           // C is m x n; its column stride is 1
};

struct GemmRoutines;  // gemm_routines.h: the micro-kernels of a body

struct GemmPlan {
  enum class Route {
    nothing,  // C is empty, or k = 0: C is set to zeros or left unchanged
    direct,   // B is read without packing
    row,      // C has one row, and B is large and read without packing
    dot,      // B is transposed and C has few rows: each element is one contiguous dot product
    packed,   // blocks of B, and of A if that is faster, are packed into scratch
    panels,   // B was packed by packPanels
    blas,     // OpenBLAS, for products where it was measured to be faster
  };
  GemmShape shape;
  Route route;
  const GemmRoutines* routines;
  bool swapped;            // C has one column and is computed as the one row of its transpose
  bool packsA;             // A is packed into scratch; otherwise A is read without packing
  bool panelsFirst, farC;  // see GemmBlock in gemm_routines.h
  std::int64_t kBlock;     // the number of terms that are summed in registers before the sum is added to C
  std::int64_t mBlock;     // the number of rows of A in a block
  std::int64_t nBlock;     // the number of columns of B in a block
  bool partsAreRows;       // true: a part is a range of rows of C; false: of columns
  std::int64_t partSize;   // the number of rows or columns of a part; the last part may be smaller
  std::int64_t parts;
  std::size_t scratchBytes;  // the scratch of one thread; it must be 64-byte aligned
};

GemmPlan planGemm(const GemmShape& shape, const Body& body = *chosen().body);
GemmPlan planPanels(const GemmShape& shape, const Body& body = *chosen().body);

// Returns true if a product takes less time if B is already packed into panels, and then gives the same bits.
bool panelsSave(const GemmShape& shape, const Body& body = *chosen().body);

// Computes the parts [from, to). `b` points to B, or to its panels if planPanels made the plan. C must not
// overlap A or B.
void runGemm(const GemmPlan& plan, const void* a, const void* b, void* c, void* scratch, std::int64_t from,
             std::int64_t to);

// Returns the first part of task `index`. Task `index - 1` ends before this part.
inline std::int64_t gemmShare(const GemmPlan& plan, int tasks, int index) {
  return plan.parts * index / tasks;
}

// No plan of any shape needs more scratch than this.
constexpr std::size_t maxGemmScratchBytes = std::size_t(2) << 20;

// The packed form of B consists of ceil(n / width) panels, one after another. Each panel has k rows of
// `width` elements. In the last panel, the columns after the n columns of B are zeros. No product reads these
// zeros; they are written so that all memory of the panels is initialized. The panels must be 64-byte
// aligned. The product k n is below 2^53.
std::int64_t panelWidth(DType type, const Body& body = *chosen().body);
std::size_t packedBytes(DType type, std::int64_t k, std::int64_t n, const Body& body = *chosen().body);

// A piece of B, which is stored at `data`. It has rows kStart to kStart + kCount - 1 and columns nStart to
// nStart + nCount - 1 of B.
struct PanelPiece {
  std::int64_t kStart, nStart, kCount, nCount;
  const void* data;
  std::int64_t kStride, nStride;  // not negative; packing is fast if one of them is 1
};

// Writes one piece into the panels of a k x n matrix. The piece with the last column also writes the zeros
// after that column. Several threads may write at the same time if their pieces do not overlap.
void packPanels(DType type, std::int64_t k, std::int64_t n, const PanelPiece& piece, void* panels,
                const Body& body = *chosen().body);

}  // namespace forebay
