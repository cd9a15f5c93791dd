#include "kernels/blas.h"

#ifdef FOREBAY_ACCELERATE
#include <Accelerate/Accelerate.h>  // macOS, if native/blas.cjs finds no OpenBLAS; not tested
#else
#include <cblas.h>
#endif

#include <cstdlib>
#include <cstring>

#if defined(__linux__)
// Ends the threads of OpenBLAS. OpenBLAS exports this function, but no header declares it. The declaration is
// weak, because a build of OpenBLAS with OpenMP does not have the function.
extern "C" [[gnu::weak]] int blas_thread_shutdown_();
#endif

#if defined(__x86_64__) && defined(__linux__)
// The initialization of OpenBLAS, which chooses kernels for the processor, and its shutdown. OpenBLAS exports
// these functions, but no header declares them. The declarations are weak, because a build of OpenBLAS for a
// single processor type does not have the functions.
extern "C" {
[[gnu::weak]] void gotoblas_dynamic_init();
[[gnu::weak]] void gotoblas_dynamic_quit();
}
#endif

namespace forebay {

#ifndef FOREBAY_ACCELERATE

namespace {

// Sets the processor type of OpenBLAS if OpenBLAS reports Prescott, the processor has AVX2, and the user has
// not set the type. The reason: an OpenBLAS that is older than the processor treats it as a Prescott of 2004.
// Debian 12's version 0.3.21 on a Xeon of 2023 multiplies 1024 x 1024 floats at 30 GFLOPS; with the right
// processor type it reaches 140. OpenBLAS reads the environment variable only in its initialization, so this
// function initializes OpenBLAS again. It is called at load, before forebay's first product. (A product that
// another addon runs in OpenBLAS at that moment would fail.)
void correctProcessor() {
#if defined(__x86_64__) && defined(__linux__)
  constexpr const char* variable = "OPENBLAS_CORETYPE";
  if (gotoblas_dynamic_init == nullptr || gotoblas_dynamic_quit == nullptr) return;
  if (std::strcmp(openblas_get_corename(), "Prescott") != 0 || std::getenv(variable) != nullptr) return;
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (!avx2) return;
  if (setenv(variable, avx512 ? "SkylakeX" : "Haswell", 1) != 0) return;
  gotoblas_dynamic_quit();
  gotoblas_dynamic_init();
  unsetenv(variable);
#endif
}

}  // namespace

#endif

void gemmFloat(const Gemm& s, const void* a, const void* b, void* c) {
  cblas_sgemm(CblasRowMajor, s.transA ? CblasTrans : CblasNoTrans, s.transB ? CblasTrans : CblasNoTrans, s.m,
              s.n, s.k, static_cast<float>(s.alpha), static_cast<const float*>(a), s.lda,
              static_cast<const float*>(b), s.ldb, static_cast<float>(s.beta), static_cast<float*>(c), s.ldc);
}

void gemmDouble(const Gemm& s, const void* a, const void* b, void* c) {
  cblas_dgemm(CblasRowMajor, s.transA ? CblasTrans : CblasNoTrans, s.transB ? CblasTrans : CblasNoTrans, s.m,
              s.n, s.k, s.alpha, static_cast<const double*>(a), s.lda, static_cast<const double*>(b), s.ldb,
              s.beta, static_cast<double*>(c), s.ldc);
}

#ifdef FOREBAY_ACCELERATE

void prepareBlas() { setenv("VECLIB_MAXIMUM_THREADS", "1", 1); }

BlasInfo blasInfo() { return {"Accelerate", "Apple", 1}; }

#else

void prepareBlas() {
  correctProcessor();
  openblas_set_num_threads(1);
#if defined(__linux__)
  // OpenBLAS has started one thread per processor at load. Without this call, these threads would sleep until
  // the process ends.
  if (blas_thread_shutdown_ != nullptr) blas_thread_shutdown_();
#endif
}

BlasInfo blasInfo() { return {openblas_get_config(), openblas_get_corename(), openblas_get_num_threads()}; }

#endif

}  // namespace forebay
