// What one core can do at most, for benchmarks to be held against.
#pragma once

#include "kernels/bodies.h"

namespace forebay {

// Floating-point operations a second of one thread (a multiply-add is two), measured now, for some 20 ms,
// by a loop of the body's multiply-adds that touches no memory. float32 or float64.
double fmaPeak(DType type, const Body& body = *chosen().body);

}  // namespace forebay
