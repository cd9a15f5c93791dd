// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a block of
// four 32-bit words is a function of a 64-bit key (the seed) and a 128-bit counter (the indices of
// the block and of the run).
#pragma once

#include "kernels/body/arithmetic.h"

namespace forebay::FOREBAY_BODY {

struct Words {
  std::uint32_t word[4];
};

FOREBAY_INLINE Words philox(std::uint64_t seed, std::uint64_t run, std::uint64_t block) {
  std::uint32_t key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
  std::uint32_t c0 = static_cast<std::uint32_t>(block), c1 = static_cast<std::uint32_t>(block >> 32);
  std::uint32_t c2 = static_cast<std::uint32_t>(run), c3 = static_cast<std::uint32_t>(run >> 32);
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t(0xD2511F53) * c0;
    const std::uint64_t product1 = std::uint64_t(0xCD9E8D57) * c2;
    c0 = static_cast<std::uint32_t>(product1 >> 32) ^ c1 ^ key0;
    c2 = static_cast<std::uint32_t>(product0 >> 32) ^ c3 ^ key1;
    c1 = static_cast<std::uint32_t>(product1);
    c3 = static_cast<std::uint32_t>(product0);
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return {{c0, c1, c2, c3}};
}

}  // namespace forebay::FOREBAY_BODY
