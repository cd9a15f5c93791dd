// The peak speed of one core, as a reference for benchmarks.
#pragma once

#include "kernels/bodies.h"

namespace forebay {

// Runs for about 20 ms, and returns the most floating-point operations per second that one thread reached. A
// multiply-add counts as two operations. The loop uses the multiply-add of the body and no memory. `type` is
// float32 or float64.
double fmaPeak(DType type, const Body& body = *chosen().body);

}  // namespace forebay
