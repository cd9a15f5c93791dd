// All headers that the bodies use. Each body_*.cc includes this before it enables its instruction set. An
// inline function of a header that is included after that would be compiled with AVX instructions, and the
// linker could use this copy in the whole library. For the same reason the only library functions that the
// bodies call are those of libm.
#pragma once

#include <math.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "kernels/blas.h"
#include "kernels/gemm_routines.h"
#include "kernels/kernel.h"

// always_inline, because a loop with a call is not vectorised.
#define FOREBAY_INLINE inline __attribute__((always_inline))

// The output of a tile may be one of its inputs, so no pointer is __restrict. But only iteration i writes
// element i, so iterations are independent.
#if defined(__clang__)
#define FOREBAY_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define FOREBAY_INDEPENDENT _Pragma("GCC ivdep")
#else
#define FOREBAY_INDEPENDENT
#endif
