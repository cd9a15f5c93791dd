// Random numbers: fills an array with draws of a distribution, starting at element 0 of the draw.
// body/draws.h defines the value of element i.
#pragma once

#include "kernels/fault.h"
#include "kernels/kernel.h"

namespace forebay {

// `seed` and `run` are integers between 0 and 2^53 - 1.
bool fillRandom(const Kernel& kernel, double seed, double run, const Array& out, Fault& fault);

}  // namespace forebay
