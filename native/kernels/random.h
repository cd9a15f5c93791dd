// Random numbers: fills an array with draws of a distribution, from its element 0. What element i
// is made of is written in body/draws.h.
#pragma once

#include "kernels/fault.h"
#include "kernels/kernel.h"

namespace forebay {

// `seed` and `run` are integers between 0 and 2^53 - 1.
bool fillRandom(const Kernel& kernel, double seed, double run, const Array& out, Fault& fault);

}  // namespace forebay
