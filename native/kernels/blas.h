// The interface to OpenBLAS (or Apple's Accelerate): its matrix products for float32 and float64, and its
// description of itself. Only blas.cc includes cblas.h.
#pragma once

#include "kernels/kernel.h"

namespace forebay {

void gemmFloat(const Gemm& shape, const void* a, const void* b, void* c);
void gemmDouble(const Gemm& shape, const void* a, const void* b, void* c);

// Call this once, before the first product. The function limits OpenBLAS to one thread, stops the threads
// that OpenBLAS has started, and corrects its choice of processor. (The thread count of OpenBLAS is
// process-wide, and forebay splits work over its own threads.)
void prepareBlas();

struct BlasInfo {
  const char* library;
  const char* core;
  int threads;
};
BlasInfo blasInfo();

}  // namespace forebay
