// Matrix products, C = alpha op(A) op(B) + beta C, over batches of row-major matrices.
//
// The geometry of a call is a list of numbers, with strides and offsets in elements: [batchRank,
// ...batchSizes, m, n, k, transA (0 or 1), transB, lda, ldb, ldc, aOffset, ...aBatchStrides, bOffset,
// ...bBatchStrides, cOffset, ...cBatchStrides].
//
// op(A) is m x k, op(B) is k x n, C is m x n. lda, ldb and ldc are the row strides of the matrices as they
// are stored. Batches are computed in order, so a batch stride of 0 in C with beta = 1 sums the batches.
// If beta = 0, C is not read. If k = 0, the result is beta C. If C overlaps A or B, the values of C are
// unspecified.
#pragma once

#include "kernels/fault.h"
#include "kernels/geometry.h"
#include "kernels/kernel.h"

namespace forebay {

struct ProductPlan {
  GemmFn gemm;
  Gemm shape;
  DType type;
  int batchRank;
  std::int64_t batchCount;
  std::int64_t batchSizes[maxRank];
  std::int64_t aStrides[maxRank], bStrides[maxRank], cStrides[maxRank];
  const char *a, *b;
  char* c;
};

bool planProduct(ProductPlan& plan, const Kernel& kernel, const double* geometry, std::size_t geometryLength,
                 double alpha, double beta, const Array& out, const Array& a, const Array& b, Fault& fault);

void runProduct(const ProductPlan& plan);

}  // namespace forebay
