// Element-wise kernels over strided N-D views.
//
// The geometry of a call is a list of numbers, with strides and offsets in elements: [rank, ...sizes,
// outOffset, ...outStrides, in0Offset, ...in0Strides, in1Offset, …]. Stride 0 broadcasts an input. A negative
// stride leads to elements before the first one. The output view may be equal to an input view (in place). If
// the output overlaps an input in any other way, the values are unspecified, but no access is outside the
// arrays.
#pragma once

#include "kernels/fault.h"
#include "kernels/geometry.h"
#include "kernels/kernel.h"

namespace forebay {

// A call that has been checked and can run. Axes of size 1 are removed. The axes are ordered so that the
// output is written in memory order. Adjacent axes are merged if the strides of every operand allow it.
struct MapPlan {
  struct Operand {
    char* data;
    std::size_t size;  // bytes per element
    std::int64_t strides[maxRank];
  };

  TileFn tile;
  bool isCopy;
  int arity;
  int rank;
  std::int64_t count;
  std::int64_t sizes[maxRank];
  Operand operands[1 + maxArity];  // the output first
};

bool planMap(MapPlan& plan, const Kernel& kernel, const double* geometry, std::size_t geometryLength,
             const Array& out, const Array* inputs, int inputCount, Fault& fault);

void runMap(const MapPlan& plan);

}  // namespace forebay
