// Reductions over any axes of a strided N-D view: sum, max, argmax.
//
// The geometry of a call is a list of numbers, with strides and offsets in elements: [keptRank, reducedRank,
// ...keptSizes, ...reducedSizes, outOffset, ...outStrides (of the kept axes), inOffset, ...inStrides (of the
// kept axes, then of the reduced axes)].
//
// sum     accumulates in double, at most a few hundred terms in sequence (see SumLanes). The sum of no
//         elements is 0.
// max     is NaN if an element is NaN. The maximum of no elements is minus infinity, or the smallest int32.
// argmax  is the row-major index, among the reduced elements, of the first NaN, or of the first maximum if no
//         element is NaN. The output is int32. argmax of no elements is refused.
// If the output overlaps the input, the values are unspecified.
#pragma once

#include "kernels/fault.h"
#include "kernels/geometry.h"
#include "kernels/kernel.h"

namespace forebay {

// A call that has been checked and can run. Axes of size 1 are removed. The axes are sorted by the strides of
// the input, and merged if possible. (For argmax, the reduced axes keep their order, because the resulting
// index depends on it.)
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
