// OpenBLAS (or Apple's Accelerate): the two products, and what it says of itself. The only use of
// cblas.h is in blas.cc.
#pragma once

#include "kernels/kernel.h"

namespace forebay {

void gemmFloat(const Gemm& shape, const void* a, const void* b, void* c);
void gemmDouble(const Gemm& shape, const void* a, const void* b, void* c);

// To be called once, before the first product: holds OpenBLAS at one thread (its count is
// process-wide, and forebay splits work over its own), ends those it has started, and corrects its choice of
// processor.
void prepareBlas();

struct BlasInfo {
  const char* library;
  const char* core;
  int threads;
};
BlasInfo blasInfo();

}  // namespace forebay
