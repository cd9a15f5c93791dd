// Forebay's own matrix product: C = A B, or C += A B, over row-major C.
//
// A product is planned once and run often; running it allocates nothing and cannot fail:
//
//   const GemmPlan plan = planGemm(shape);              // or planPanels: B was packed by packPanels
//   runGemm(plan, a, b, c, scratch, 0, plan.parts);     // scratch: plan.scratchBytes, of this thread
//
// Threads share a product by its parts, [0, parts): ranges of rows or of columns of C that do not
// depend on each other. A part is large enough to be worth another thread; small products have one.
// Hand each thread one range of neighbouring parts, for a range is packed as a whole:
//
//   tasks = min(threads, plan.parts); task i: runGemm(…, scratch of its thread, gemmShare(plan, tasks, i),
//                                                     gemmShare(plan, tasks, i + 1));
//
// An element's bits depend on its row of A, its column of B, on k and on the plan, but not on how
// the parts were shared out nor on alignment: k is never split over threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/bodies.h"

namespace forebay {

// Strides are in elements. One stride of A, and one of B, is 1, or its extent is at most 1; the other is
// at least the extent of the axis of stride 1, or its own extent is at most 1. cRow >= n. No
// extent or stride reaches 2^31. The caller has checked all of that.
struct GemmShape {
  DType type;  // float32 or float64
  std::int64_t m, n, k;
  bool accumulate;             // C += A B; otherwise C is never read, and k = 0 gives zeros
  std::int64_t aRow, aColumn;  // A is m x k
  std::int64_t bRow, bColumn;  // B is k x n; not looked at where B is packed
  std::int64_t cRow;           // C is m x n, its columns' stride is 1
};

struct GemmRoutines;  // gemm_routines.h: the micro-kernels of a body

struct GemmPlan {
  enum class Route {
    nothing,  // C is empty, or k = 0: C is zeroed or left
    direct,   // both operands are read where they lie
    row,      // one row of C, for a B that is read where it lies from afar
    dot,      // B is transposed and there are few rows: each element is a dot product of two runs
    packed,   // blocks of B, and of A where it pays, are packed into scratch
    panels,   // B was packed before
    blas,     // OpenBLAS, where it was measured to be faster
  };
  GemmShape shape;
  Route route;
  const GemmRoutines* routines;
  bool swapped;            // C is one column, taken for the one row of its transpose
  bool packsA;             // into scratch; otherwise A is read where it lies
  bool panelsFirst, farC;  // see GemmBlock
  std::int64_t kBlock;     // terms summed in registers before they go to C
  std::int64_t mBlock;     // rows of A taken at a time
  std::int64_t nBlock;     // columns of B taken at a time
  bool partsAreRows;       // of C; otherwise columns
  std::int64_t partSize;   // rows or columns of a part; the last may be smaller
  std::int64_t parts;
  std::size_t scratchBytes;  // that one thread needs; to be 64-byte aligned
};

GemmPlan planGemm(const GemmShape& shape, const Body& body = *chosen().body);
GemmPlan planPanels(const GemmShape& shape, const Body& body = *chosen().body);

// The parts [from, to). `b` is what the plan was made for: B itself, or its panels. C overlaps neither.
void runGemm(const GemmPlan& plan, const void* a, const void* b, void* c, void* scratch, std::int64_t from,
             std::int64_t to);

// Where the share of task `index` begins, and that of `index - 1` ends.
inline std::int64_t gemmShare(const GemmPlan& plan, int tasks, int index) {
  return plan.parts * index / tasks;
}

// No plan asks for more scratch than this, whatever its shape.
constexpr std::size_t maxGemmScratchBytes = std::size_t(2) << 20;

// The packed form of B: ceil(n / width) panels one after another, each k rows of `width` elements.
// Behind column n there are zeros, which no product reads: they only make the panels memory that is known
// all over. To be 64-byte aligned. k n < 2^53.
std::int64_t panelWidth(DType type, const Body& body = *chosen().body);
std::size_t packedBytes(DType type, std::int64_t k, std::int64_t n, const Body& body = *chosen().body);

// Rows [kStart, kStart + kCount) and columns [nStart, nStart + nCount) of B come from `data`.
struct PanelPiece {
  std::int64_t kStart, nStart, kCount, nCount;
  const void* data;
  std::int64_t kStride, nStride;  // any that are not negative; one of them 1 is fast
};

// Writes one piece into the panels of a k x n matrix, and the zeros behind the last column, if it holds that.
// Pieces that do not overlap may be written by several threads at once.
void packPanels(DType type, std::int64_t k, std::int64_t n, const PanelPiece& piece, void* panels,
                const Body& body = *chosen().body);

}  // namespace forebay
