// The peak speed of one core, as a reference for benchmarks.
#pragma once

#include "kernels/bodies.h"

namespace forebay {

// Measures the floating-point operations per second of one thread for about 20 ms. A multiply-add counts as
// two operations. The loop uses the body's multiply-add and no memory. `type` is float32 or float64.
double fmaPeak(DType type, const Body& body = *chosen().body);

}  // namespace forebay
