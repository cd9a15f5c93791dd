// The SIMD bodies: the same loops compiled for several instruction sets. One body is chosen at load.
#pragma once

#include <cstddef>

#include "kernels/kernel.h"

namespace forebay {

struct GemmRoutines;  // gemm_routines.h

struct Body {
  const char* name;
  const Kernel* kernels;
  std::size_t kernelCount;
  bool (*supported)();       // true if this machine can run the body
  const GemmRoutines* gemm;  // two items: for float32 and for float64
};

// All compiled bodies, from the smallest instruction set to the largest. A null pointer ends the list.
extern const Body* const bodies[];

// The body that this process uses: the best supported one, or the one that FOREBAY_SIMD names. It is chosen
// once, on the first call. If FOREBAY_SIMD is wrong, `body` is null and `error` holds the reason.
struct Choice {
  const Body* body;
  char error[200];
};
const Choice& chosen();

// Chooses the body for a given value of FOREBAY_SIMD (null or empty: not set).
Choice choose(const char* wanted);

const Kernel* find(const Body& body, Family family, const char* name);

}  // namespace forebay
