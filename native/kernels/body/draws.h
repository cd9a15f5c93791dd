// The kernels of the random family. A draw is an array of random numbers. Its element i depends only on the
// seed, the index of the run, and i. The arithmetic in this file uses Plain (arithmetic.h), so the bits are
// the same for every instruction set. The random bits come from Philox (philox.h), in blocks of four 32-bit
// words. The distributions are defined as follows:
//
//   uniform          The numbers are in [0, 1).
//                    float: element i is (word >> 8) 2^-24, where `word` is word i % 4 of block i / 4.
//                    double: element i is x 2^-53. x has 53 bits, made from two words of block i / 2: all
//                    bits of word 2 (i % 2) + 1, then the 21 upper bits of word 2 (i % 2).
//   normal           The Box-Muller method, computed in double. A pair (u1, u2) gives two elements,
//                    r cos(2 pi u2) and r sin(2 pi u2), where r = sqrt(-2 log u1) and u1 is in (0, 1].
//                    float: a block has two pairs of words; a pair gives u1 = (its first word + 1) 2^-32 and
//                    u2 = its second word 2^-32.
//                    double: a block gives two uniform elements; u1 is the first + 2^-53, u2 is the second.
//   truncatedNormal  As normal, but an element i outside [-2, 2] is replaced. The blocks i + attempt 2^56
//                    (attempt = 1, 2, …) give further normal values, and the first of them within [-2, 2] is
//                    taken. (All other blocks are below 2^53, so no block is used twice.)
#pragma once

#include "kernels/body/logarithm.h"
#include "kernels/body/philox.h"

namespace forebay::FOREBAY_BODY {

template <class T>
constexpr std::size_t perBlock = 16 / sizeof(T);

FOREBAY_INLINE double uniform53(std::uint32_t low, std::uint32_t high) {
  // Both terms and their sum are exact. The words are converted separately, because the compiler would not
  // vectorise a conversion from a 64-bit integer.
  return static_cast<double>(high) * 0x1p-32 + static_cast<double>(low >> 11) * 0x1p-53;
}

struct Pair {
  double first, second;
};

FOREBAY_INLINE Pair gaussians(double u1, double u2) {
  const double radius = squareRoot(-2.0 * logarithm<Plain>(u1));

  // Splits the angle: 2 pi u2 = quarters pi/2 + f pi/2, with |f| <= 1/2. All values before the polynomials
  // are exact.
  const double turn = 4.0 * u2;
  const double shifted = turn + roundingShift<double>;
  const double f = turn - (shifted - roundingShift<double>);
  const std::uint64_t quarters = shiftedInteger(shifted);
  const double z = f * f;
  const double sine =
      f * polynomial<Plain>(z, 1.57079632679489661923, -0.645964097506246174, 0.0796926262461442385,
                            -0.00468175413425420771, 0.000160441166614094238, -3.59870295097351047e-6,
                            5.64222536916352830e-8);
  const double cosine = polynomial<Plain>(
      z, 1.0, -1.23370055013616983, 0.253669507901047823, -0.0208634807633407725, 0.000919260274546844619,
      -0.0000252020390280291761, 4.71067840550522711e-7, -6.32939634496742351e-9);
  const bool odd = (quarters & 1) != 0;
  const double x = odd ? sine : cosine;
  const double y = odd ? cosine : sine;
  const bool negativeX = ((quarters + 1) & 2) != 0;
  const bool negativeY = (quarters & 2) != 0;
  return {radius * (negativeX ? -x : x), radius * (negativeY ? -y : y)};
}

struct Uniform {
  static FOREBAY_INLINE void draw(const Words& w, float* out) {
    for (int k = 0; k < 4; ++k) out[k] = static_cast<float>(w.word[k] >> 8) * 0x1p-24f;
  }
  static FOREBAY_INLINE void draw(const Words& w, double* out) {
    out[0] = uniform53(w.word[0], w.word[1]);
    out[1] = uniform53(w.word[2], w.word[3]);
  }
};

struct Normal {
  static FOREBAY_INLINE void draw(const Words& w, float* out) {
    for (int k = 0; k < 4; k += 2) {
      const double u1 = (static_cast<double>(w.word[k]) + 1.0) * 0x1p-32;
      const Pair pair = gaussians(u1, static_cast<double>(w.word[k + 1]) * 0x1p-32);
      out[k] = static_cast<float>(pair.first);
      out[k + 1] = static_cast<float>(pair.second);
    }
  }
  static FOREBAY_INLINE void draw(const Words& w, double* out) {
    const Pair pair = gaussians(uniform53(w.word[0], w.word[1]) + 0x1p-53, uniform53(w.word[2], w.word[3]));
    out[0] = pair.first;
    out[1] = pair.second;
  }
};

// The values of a tile of at most tileBlocks blocks. `count` is a multiple of 8. The first loop computes the
// random words of the blocks, and the second loop computes the values from the words.
template <class Distribution, class T>
FOREBAY_INLINE void drawTile(std::uint64_t seed, std::uint64_t run, const std::uint64_t* blocks,
                             std::size_t count, T* out) {
  std::uint32_t words[4 * tileBlocks];
  philoxTile(seed, run, blocks, count, words);
  for (std::size_t b = 0; b < count; ++b) {
    const Words w = {{words[4 * b], words[4 * b + 1], words[4 * b + 2], words[4 * b + 3]}};
    Distribution::draw(w, out + b * perBlock<T>);
  }
}

// Returns a number of blocks for drawTile: `wanted` rounded up.
constexpr std::size_t blocksOfTile(std::size_t wanted) {
  return wanted >= tileBlocks ? tileBlocks : (wanted + 7) / 8 * 8;
}

// Draws the elements first, …, first + n - 1.
template <class Distribution, class T>
FOREBAY_INLINE void drawRange(std::uint64_t seed, std::uint64_t run, std::uint64_t first, T* out,
                              std::size_t n) {
  constexpr std::size_t size = tileBlocks * perBlock<T>;
  std::uint64_t blocks[tileBlocks];
  std::uint64_t block = first / perBlock<T>;
  std::size_t skipped = first % perBlock<T>;  // elements of the first block
  while (n > 0) {
    for (std::size_t b = 0; b < tileBlocks; ++b) blocks[b] = block + b;
    block += tileBlocks;
    if (skipped == 0 && n >= size) {
      drawTile<Distribution>(seed, run, blocks, tileBlocks, out);
      out += size;
      n -= size;
      continue;
    }
    T tile[size];
    const std::size_t some = n < size - skipped ? n : size - skipped;
    drawTile<Distribution>(seed, run, blocks, blocksOfTile((skipped + some + perBlock<T> - 1) / perBlock<T>),
                           tile);
    __builtin_memcpy(out, tile + skipped, some * sizeof(T));
    out += some;
    n -= some;
    skipped = 0;
  }
}

// Draws the elements first, first + step, …: each from a block of its own.
template <class Distribution, class T>
FOREBAY_INLINE void drawApart(std::uint64_t seed, std::uint64_t run, std::uint64_t first, std::uint64_t step,
                              T* out, std::size_t n) {
  std::uint64_t blocks[tileBlocks];
  T tile[tileBlocks * perBlock<T>];
  for (std::size_t i = 0; i < n; i += tileBlocks) {
    const std::size_t some = n - i < tileBlocks ? n - i : tileBlocks, count = blocksOfTile(some);
    for (std::size_t b = 0; b < count; ++b) {
      // The blocks after the last element are not used.
      blocks[b] = (first + (i + b) * step) / perBlock<T>;
    }
    drawTile<Distribution>(seed, run, blocks, count, tile);
    for (std::size_t b = 0; b < some; ++b)
      out[i + b] = tile[b * perBlock<T> + (first + (i + b) * step) % perBlock<T>];
  }
}

template <class Distribution, class T>
void fill(std::uint64_t seed, std::uint64_t run, std::uint64_t first, std::int64_t step, void* out,
          std::size_t n) {
  T* y = static_cast<T*>(out);
  if (step == 1) return drawRange<Distribution>(seed, run, first, y, n);
  // Unsigned arithmetic is modulo 2^64, so that a negative step is added like any other.
  drawApart<Distribution>(seed, run, first, static_cast<std::uint64_t>(step), y, n);
}

template <class T>
T redrawn(std::uint64_t seed, std::uint64_t run, std::uint64_t element) {
  // An attempt draws a block of perBlock<T> normal values, and fails if all of them are outside [-2, 2]. For
  // double, one attempt in 500 fails; for float, one in 230,000. So 255 successive failures are practically
  // impossible. The limit guarantees that this loop ends.
  for (std::uint64_t attempt = 1; attempt < 256; ++attempt) {
    T values[perBlock<T>];
    Normal::draw(philox(seed, run, element + (attempt << 56)), values);
    for (const T value : values) {
      if (absolute(value) <= T(2)) return value;
    }
  }
  return T(0);
}

template <class T>
void fillTruncated(std::uint64_t seed, std::uint64_t run, std::uint64_t first, std::int64_t step, void* out,
                   std::size_t n) {
  fill<Normal, T>(seed, run, first, step, out, n);
  T* y = static_cast<T*>(out);
  for (std::size_t i = 0; i < n; ++i) {
    if (absolute(y[i]) > T(2)) y[i] = redrawn<T>(seed, run, first + i * static_cast<std::uint64_t>(step));
  }
}

}  // namespace forebay::FOREBAY_BODY
