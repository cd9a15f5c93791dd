// Reductions over any axes of a strided N-D view: sum, max, argmax.
//
// reduce: [keptRank, reducedRank, ...keptSizes, ...reducedSizes, outOffset, ...outStrides (kept),
// inOffset, ...inStrides (kept, then reduced)], in elements.
//
// sum   accumulates in double, at most a few hundred terms one after another (see SumLanes).
//       Of nothing: 0.
// max   NaN if there is one. Of nothing: minus infinity, or the smallest int32.
// argmax  the row-major index among the reduced elements of the first maximum, or of the first NaN;
//         the output is int32. Of nothing: refused.
// The output must not overlap the input: the values would be unspecified.
#pragma once

#include "kernels/fault.h"
#include "kernels/geometry.h"
#include "kernels/kernel.h"

namespace forebay {

// A checked call in the form in which it runs: axes of size 1 dropped, ordered by the input's
// strides (argmax: the reduced ones as given, for the index), merged where possible.
struct ReducePlan {
  const Fold* fold;
  DType type;  // of the input
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
