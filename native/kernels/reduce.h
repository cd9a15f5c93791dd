// Reductions over any axes of a strided N-D view: sum, max, argmax.
//
// reduce: [keptRank, reducedRank, ...keptSizes, ...reducedSizes, outOffset, ...outStrides (kept),
// inOffset, ...inStrides (kept, then reduced)], in elements.
//
// sum     accumulates in double, at most a few hundred terms in sequence (see SumLanes). Without elements: 0.
// max     NaN if an element is NaN. Without elements: minus infinity, or the smallest int32.
// argmax  the row-major index, among the reduced elements, of the first maximum or of the first NaN. The
//         output is int32. Without elements: refused.
// If the output overlaps the input, the values are unspecified.
#pragma once

#include "kernels/fault.h"
#include "kernels/geometry.h"
#include "kernels/kernel.h"

namespace forebay {

// A checked call, ready to run. Axes of size 1 are removed. The axes are ordered by the input's strides, and
// merged if possible. (argmax keeps the order of the reduced axes, which the index depends on.)
struct ReducePlan {
  const Fold* fold;
  DType type;  // the input's dtype
  int keptRank, reducedRank;
  std::int64_t keptCount, reducedCount;
  std::int64_t keptSizes[maxRank], reducedSizes[maxRank];
  std::int64_t outStrides[maxRank], keptStrides[maxRank], reducedStrides[maxRank];
  char* out;
  const char* in;
};

bool planReduce(ReducePlan& plan, const Kernel& kernel, const double* geometry, std::size_t geometryLength,
                const Array& out, const Array& input, Fault& fault);

void runReduce(const ReducePlan& plan);

}  // namespace forebay
