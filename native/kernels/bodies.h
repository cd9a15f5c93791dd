// The SIMD bodies: the same loops compiled for several instruction sets, one of them chosen at load.
#pragma once

#include <cstddef>

#include "kernels/kernel.h"

namespace forebay {

struct GemmRoutines;  // gemm_routines.h

struct Body {
  const char* name;
  const Kernel* kernels;
  std::size_t kernelCount;
  bool (*supported)();       // by this machine
  const GemmRoutines* gemm;  // for float32 and for float64
};

// All that were compiled, the plainest first; a null pointer ends the list.
extern const Body* const bodies[];

// What this process uses: the best supported body, or the one that FOREBAY_SIMD names. Decided
// once, on the first call. A wrong FOREBAY_SIMD leaves `body` null and says why in `error`.
struct Choice {
  const Body* body;
  char error[200];
};
const Choice& chosen();

// The decision itself, for a given value of FOREBAY_SIMD (null or empty: none).
Choice choose(const char* wanted);

const Kernel* find(const Body& body, Family family, const char* name);

}  // namespace forebay
