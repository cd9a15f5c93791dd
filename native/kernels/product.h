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

// Calls product(a, b, c) for each batch, in order, with the addresses of its matrices.
template <class Product>
void forEachBatch(const ProductPlan& plan, const Product& product) {
  const auto size = static_cast<std::int64_t>(sizeOf(plan.type));
  std::int64_t position[maxRank] = {};
  const char *a = plan.a, *b = plan.b;
  char* c = plan.c;
  for (std::int64_t batch = 0; batch < plan.batchCount; ++batch) {
    product(a, b, c);
    for (int d = plan.batchRank - 1; d >= 0; --d) {
      const bool carry = ++position[d] == plan.batchSizes[d];
      const std::int64_t steps = carry ? 1 - plan.batchSizes[d] : 1;
      a += steps * plan.aStrides[d] * size;
      b += steps * plan.bStrides[d] * size;
      c += steps * plan.cStrides[d] * size;
      if (!carry) break;
      position[d] = 0;
    }
  }
}

}  // namespace forebay
