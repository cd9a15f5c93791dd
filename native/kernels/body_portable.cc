// The body for the instruction set that the compiler uses by default: SSE2 on x86-64, NEON with fused
// multiply-add on AArch64.
#include "kernels/bodies.h"
#include "kernels/body/prelude.h"

#define FOREBAY_BODY portable
#define FOREBAY_BODY_VECTOR 16
#if defined(__FP_FAST_FMA) && defined(__FP_FAST_FMAF)
#define FOREBAY_BODY_FMA 1
#else
#define FOREBAY_BODY_FMA 0
#endif

#include "kernels/body/conv.h"
#include "kernels/body/gemm.h"
#include "kernels/body/groups.h"
#include "kernels/body/rows.h"
#include "kernels/body/table.h"
#include "kernels/body/windows.h"

namespace forebay {

namespace {
bool supportedEverywhere() { return true; }
}  // namespace

extern const Body portableBody;
const Body portableBody = {"portable",
                           portable::kernels,
                           sizeof portable::kernels / sizeof *portable::kernels,
                           supportedEverywhere,
                           portable::gemmRoutines,
                           portable::convRoutines,
                           &portable::rowRoutines,
                           &portable::windowRoutines,
                           portable::loops,
                           sizeof portable::loops / sizeof *portable::loops};

}  // namespace forebay
