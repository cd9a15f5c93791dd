// Numbers too small to be normal are taken for 0 while a program runs. The processor handles each of
// them in microcode, at a hundred times the price of another; and training makes them in great numbers:
// the moments of a weight whose gradient stays 0 shrink by a tenth a step, and end there for good.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace forebay {

// For the thread that makes it, while it lives.
class FlushDenormals {
 public:
#if defined(__x86_64__)
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | flushResults | flushOperands); }
  ~FlushDenormals() { _mm_setcsr(before_); }
#elif defined(__aarch64__)
  FlushDenormals() {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    asm volatile("msr fpcr, %0" : : "r"(before_ | flush));
  }
  ~FlushDenormals() { asm volatile("msr fpcr, %0" : : "r"(before_)); }
#else
  FlushDenormals() {}
  ~FlushDenormals() {}
#endif
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
#if defined(__x86_64__)
  static constexpr unsigned flushResults = 0x8000, flushOperands = 0x0040;  // FTZ, DAZ
  unsigned before_;
#elif defined(__aarch64__)
  static constexpr std::uint64_t flush = std::uint64_t(1) << 24;  // FZ: both
  std::uint64_t before_;
#endif
};

}  // namespace forebay
