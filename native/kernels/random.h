// Fills an array with random numbers: element i of the array becomes element i of the draw, which
// body/draws.h defines.
#pragma once

#include "kernels/fault.h"
#include "kernels/kernel.h"

namespace forebay {

// Fills `out`. `seed` and `run`, the index of the run, must be integers from 0 to 2^53 - 1. Returns false,
// with the error in `fault`, if an argument is refused.
bool fillRandom(const Kernel& kernel, double seed, double run, const Array& out, Fault& fault);

}  // namespace forebay
