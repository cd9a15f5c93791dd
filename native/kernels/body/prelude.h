// Includes all headers that the bodies use. Each body_*.cc includes this file before it enables its
// instruction set. If an inline function of a header were compiled after that, it would contain AVX
// instructions, and the linker could choose this copy for the whole library. For the same reason, the only
// library functions that the bodies call are those of libm.
#pragma once

#include <math.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "kernels/blas.h"
#include "kernels/conv_routines.h"
#include "kernels/gemm_routines.h"
#include "kernels/kernel.h"
#include "kernels/row_routines.h"
#include "kernels/window_routines.h"

// always_inline, because the compiler does not vectorise a loop that calls a function.
#define FOREBAY_INLINE inline __attribute__((always_inline))

// The same for a lambda, after its parameters.
#define FOREBAY_INLINED __attribute__((always_inline))

// Declares that the iterations of the next loop are independent. The pointers cannot be __restrict, because
// the output of a tile may be one of its inputs. But only iteration i writes element i.
#if defined(__clang__)
#define FOREBAY_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define FOREBAY_INDEPENDENT _Pragma("GCC ivdep")
#else
#define FOREBAY_INDEPENDENT
#endif
