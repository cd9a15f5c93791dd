// All that the bodies take from outside. Each body_*.cc includes this before it switches the
// instruction set on: an inline function of a header that is first seen after the switch would be
// compiled with AVX instructions, and the linker could pick that copy for everybody.
// For the same reason the bodies call no function of the standard library but libm's.
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

// always_inline: a call left in a loop would keep the loop from being vectorised.
#define FOREBAY_INLINE inline __attribute__((always_inline))

// A tile's output may be one of its inputs, so no pointer is __restrict; but element i is only ever
// written by iteration i, so the loop has no dependency from one iteration to another.
#if defined(__clang__)
#define FOREBAY_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define FOREBAY_INDEPENDENT _Pragma("GCC ivdep")
#else
#define FOREBAY_INDEPENDENT
#endif
