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

// The number of blocks that are computed at a time.
constexpr std::size_t tileBlocks = 64;

#if FOREBAY_BODY_VECTOR == 64 || FOREBAY_BODY_VECTOR == 32

// A vector with one block in each 64-bit lane. A counter is the lower half of its lane, and the upper half is
// arbitrary. Compilers use twice as many instructions, because they compute with lanes of 32 bits.
#if FOREBAY_BODY_VECTOR == 64
struct BlockLanes {
  using Register = __m512i;
  static constexpr std::size_t width = 8;
  // GCC 12 warns of the intrinsics without a mask, because they use a vector that is not initialized.
  static constexpr __mmask8 all = 0xFF;
  static FOREBAY_INLINE Register load(const std::uint64_t* p) { return _mm512_loadu_si512(p); }
  static FOREBAY_INLINE Register broadcast(std::uint64_t a) {
    return _mm512_set1_epi64(static_cast<std::int64_t>(a));
  }
  static FOREBAY_INLINE Register product(Register a, Register b) { return _mm512_maskz_mul_epu32(all, a, b); }
  static FOREBAY_INLINE Register high(Register a) { return _mm512_maskz_srli_epi64(all, a, 32); }
  static FOREBAY_INLINE Register exclusiveOr(Register a, Register b, Register c) {
    return _mm512_ternarylogic_epi64(a, b, c, 0x96);
  }
  // Stores the four words of each block, one block after another.
  static FOREBAY_INLINE void store(std::uint32_t* p, Register c0, Register c1, Register c2, Register c3) {
    const Register first = _mm512_mask_blend_epi32(0xAAAA, c0, _mm512_maskz_slli_epi64(all, c1, 32));
    const Register second = _mm512_mask_blend_epi32(0xAAAA, c2, _mm512_maskz_slli_epi64(all, c3, 32));
    const Register low = _mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0);
    const Register high = _mm512_set_epi64(15, 7, 14, 6, 13, 5, 12, 4);
    _mm512_storeu_si512(p, _mm512_permutex2var_epi64(first, low, second));
    _mm512_storeu_si512(p + 16, _mm512_permutex2var_epi64(first, high, second));
  }
};
#else
struct BlockLanes {
  using Register = __m256i;
  static constexpr std::size_t width = 4;
  static FOREBAY_INLINE Register load(const std::uint64_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static FOREBAY_INLINE Register broadcast(std::uint64_t a) {
    return _mm256_set1_epi64x(static_cast<std::int64_t>(a));
  }
  static FOREBAY_INLINE Register product(Register a, Register b) { return _mm256_mul_epu32(a, b); }
  static FOREBAY_INLINE Register high(Register a) { return _mm256_srli_epi64(a, 32); }
  static FOREBAY_INLINE Register exclusiveOr(Register a, Register b, Register c) {
    return _mm256_xor_si256(_mm256_xor_si256(a, b), c);
  }
  static FOREBAY_INLINE void store(std::uint32_t* p, Register c0, Register c1, Register c2, Register c3) {
    const Register first = _mm256_blend_epi32(c0, _mm256_slli_epi64(c1, 32), 0xAA);
    const Register second = _mm256_blend_epi32(c2, _mm256_slli_epi64(c3, 32), 0xAA);
    const Register even = _mm256_unpacklo_epi64(first, second);
    const Register odd = _mm256_unpackhi_epi64(first, second);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute2x128_si256(even, odd, 0x20));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), _mm256_permute2x128_si256(even, odd, 0x31));
  }
};
#endif

// Computes the words of `count` blocks, at most tileBlocks. `count` is a multiple of 8.
FOREBAY_INLINE void philoxTile(std::uint64_t seed, std::uint64_t run, const std::uint64_t* blocks,
                               std::size_t count, std::uint32_t* words) {
  using Lanes = BlockLanes;
  const Lanes::Register factor0 = Lanes::broadcast(0xD2511F53), factor1 = Lanes::broadcast(0xCD9E8D57);
  for (std::size_t b = 0; b < count; b += Lanes::width) {
    std::uint32_t key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
    Lanes::Register c0 = Lanes::load(blocks + b), c1 = Lanes::high(c0);
    Lanes::Register c2 = Lanes::broadcast(run), c3 = Lanes::broadcast(run >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
      const Lanes::Register product0 = Lanes::product(factor0, c0);
      const Lanes::Register product1 = Lanes::product(factor1, c2);
      c0 = Lanes::exclusiveOr(Lanes::high(product1), c1, Lanes::broadcast(key0));
      c2 = Lanes::exclusiveOr(Lanes::high(product0), c3, Lanes::broadcast(key1));
      c1 = product1;
      c3 = product0;
      key0 += 0x9E3779B9;
      key1 += 0xBB67AE85;
    }
    Lanes::store(words + 4 * b, c0, c1, c2, c3);
  }
}

#else

FOREBAY_INLINE void philoxTile(std::uint64_t seed, std::uint64_t run, const std::uint64_t* blocks,
                               std::size_t count, std::uint32_t* words) {
  for (std::size_t b = 0; b < count; ++b) {
    const Words w = philox(seed, run, blocks[b]);
    for (int k = 0; k < 4; ++k) words[4 * b + static_cast<std::size_t>(k)] = w.word[k];
  }
}

#endif

}  // namespace forebay::FOREBAY_BODY
