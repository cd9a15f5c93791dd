// Element-wise kernels over strided N-D views.
//
// map: [rank, ...sizes, outOffset, ...outStrides, in0Offset, ...in0Strides, in1Offset, …], in
// elements; stride 0 broadcasts an input. An output view that is exactly an input view is allowed
// (in place); with any other overlap the values are unspecified, but no access leaves the arrays.
#pragma once

#include "kernels/fault.h"
#include "kernels/geometry.h"
#include "kernels/kernel.h"

namespace forebay {

// A checked call, in the form in which it runs: axes of size 1 dropped, ordered so that the output
// is written forwards, merged where every operand allows it.
struct MapPlan {
  struct Operand {
    char* data;
    std::size_t size;  // of an element, in bytes
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
