// Fills an array with random numbers: element i of the array becomes element i of the draw, which
// body/draws.h defines.
#pragma once

#include "kernels/fault.h"
#include "kernels/kernel.h"

namespace forebay {

// `seed` and `run` are integers between 0 and 2^53 - 1.
bool fillRandom(const Kernel& kernel, double seed, double run, const Array& out, Fault& fault);

}  // namespace forebay
