// Results too small to be normal numbers become 0 wherever kernels run: in programs, in the pool's threads
// and in the kernel calls of evaluate(). An x86 processor handles a subnormal number in microcode, at a
// hundred times the price of another, and training makes them in great numbers: the moments of a weight whose
// gradient stays 0 shrink by a tenth a step, and end there for good.
//
// Operands are not flushed: a comparison, a sign or a logarithm sees a subnormal number that it is given as
// it is. On aarch64 nothing is flushed. There the flag would flush operands, too, and subnormal numbers cost
// no more than others.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace forebay {

// For the thread that makes it, while it lives.
class FlushDenormals {
 public:
#if defined(__x86_64__)
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr((before_ | flushResults) & ~flushOperands); }
  ~FlushDenormals() { _mm_setcsr(before_); }
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
#endif
};

}  // namespace forebay
