// The body for x86-64 processors with AVX2 and FMA (Intel since Haswell, AMD since Zen).
#include "kernels/bodies.h"
#include "kernels/body/prelude.h"

#if defined(__x86_64__)

namespace forebay {
namespace {
bool supportedHere() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
}  // namespace
}  // namespace forebay

// The target applies until the end of the file, because the compiler instantiates templates there.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

#define FOREBAY_BODY avx2
#define FOREBAY_BODY_FMA 1
#define FOREBAY_BODY_VECTOR 32
#include "kernels/body/conv.h"
#include "kernels/body/gemm.h"
#include "kernels/body/groups.h"
#include "kernels/body/rows.h"
#include "kernels/body/table.h"
#include "kernels/body/windows.h"

namespace forebay {

extern const Body avx2Body;
const Body avx2Body = {"avx2",
                       avx2::kernels,
                       sizeof avx2::kernels / sizeof *avx2::kernels,
                       supportedHere,
                       avx2::gemmRoutines,
                       avx2::convRoutines,
                       &avx2::rowRoutines,
                       &avx2::windowRoutines,
                       avx2::loops,
                       sizeof avx2::loops / sizeof *avx2::loops};

}  // namespace forebay

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif
