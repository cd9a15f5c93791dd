#include "kernels/peak.h"

#include <algorithm>
#include <chrono>

#include "kernels/gemm_routines.h"

namespace forebay {

double fmaPeak(DType type, const Body& body) {
  using Clock = std::chrono::steady_clock;
  const auto peak = body.gemm[type == DType::float64 ? 1 : 0].peak;
  double best = 0;
  // Takes the fastest of many short measurements, because a thread may be interrupted or the clock rate may
  // be low in some of them.
  const auto end = Clock::now() + std::chrono::milliseconds(20);
  for (auto start = Clock::now(); start < end;) {
    const double operations = peak(20000);
    const auto stop = Clock::now();
    best = std::max(best, operations / std::chrono::duration<double>(stop - start).count());
    start = stop;
  }
  return best;
}

}  // namespace forebay
