// The SIMD bodies. A body is the set of all kernels and matrix routines, compiled for one instruction set.
// The source code is the same for all bodies. One body is chosen at load.
#pragma once

#include <cstddef>

#include "kernels/compiled_loop.h"
#include "kernels/kernel.h"

namespace forebay {

struct GemmRoutines;    // gemm_routines.h
struct ConvRoutines;    // conv_routines.h
struct RowRoutines;     // row_routines.h
struct WindowRoutines;  // window_routines.h

struct Body {
  const char* name;
  const Kernel* kernels;
  std::size_t kernelCount;
  bool (*supported)();       // true if this machine can run the body
  const GemmRoutines* gemm;  // two items: first for float32, then for float64
  const ConvRoutines* conv;  // the same
  const RowRoutines* rows;
  const WindowRoutines* windows;
  const CompiledLoop* loops;
  std::size_t loopCount;
};

// All compiled bodies, from the smallest instruction set to the largest. A null pointer ends the list.
extern const Body* const bodies[];

// The chosen body. If the value of FOREBAY_SIMD is wrong, `body` is null and `error` holds the reason.
struct Choice {
  const Body* body;
  char error[200];
};

// Returns the body that this process uses: the one that FOREBAY_SIMD names, or else the best supported one.
// The body is chosen on the first call.
const Choice& chosen();

// Chooses the body for a given value of FOREBAY_SIMD. Null and the empty string mean that it is not set.
Choice choose(const char* wanted);

const Kernel* find(const Body& body, Family family, const char* name);

}  // namespace forebay
