// The body for x86-64 processors with AVX-512 F, BW, DQ and VL (Intel since Skylake-X, AMD since Zen 4).
#include "kernels/bodies.h"
#include "kernels/body/prelude.h"

#if defined(__x86_64__)

namespace forebay {
namespace {
bool supportedHere() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
}  // namespace
}  // namespace forebay

// The target applies until the end of the file, because the compiler instantiates templates there.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl"))), \
                             apply_to = function)
#else
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")
#endif

#define FOREBAY_BODY avx512
#define FOREBAY_BODY_FMA 1
#define FOREBAY_BODY_VECTOR 64
#include "kernels/body/conv.h"
#include "kernels/body/gemm.h"
#include "kernels/body/groups.h"
#include "kernels/body/rows.h"
#include "kernels/body/table.h"
#include "kernels/body/windows.h"

namespace forebay {

extern const Body avx512Body;
const Body avx512Body = {"avx512",
                         avx512::kernels,
                         sizeof avx512::kernels / sizeof *avx512::kernels,
                         supportedHere,
                         avx512::gemmRoutines,
                         avx512::convRoutines,
                         &avx512::rowRoutines,
                         &avx512::windowRoutines,
                         avx512::loops,
                         sizeof avx512::loops / sizeof *avx512::loops};

}  // namespace forebay

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif
