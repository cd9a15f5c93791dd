// SIMD registers and their operations, for one instruction set. Matrix products and convolutions use them,
// because no compiler keeps their tiles (the parts of a result that they work on) in registers by itself. So
// do the loops of packed.h. All other loops are vectorised by the compiler.
#pragma once

#include "kernels/body/prelude.h"

namespace forebay::FOREBAY_BODY {

// Every Vector has:
//   width                  the number of lanes
//   load, store
//   first(n)               the mask of the first n lanes
//   loadFirst, storeFirst  access only the lanes of a mask; the other lanes are loaded as 0
//   zero, broadcast, add, mulAdd (a b + c)
//   exchange<d>(a, b)      one stage of a transpose, where d is a power of two; returns `low` and `high`.
//                          `low` has the lanes of a whose index i has i & d == 0, and the same lanes of b,
//                          moved up by d lanes. `high` has the other lanes of a, moved down by d lanes, and
//                          the other lanes of b.
template <class T>
struct Vector;

#if FOREBAY_BODY_VECTOR == 64

template <>
struct Vector<float> {
  using Register = __m512;
  using Mask = __mmask16;
  static constexpr int width = 16;
  struct Pair {
    Register low, high;
  };

  static FOREBAY_INLINE Mask first(int n) { return static_cast<Mask>((1u << n) - 1u); }
  static FOREBAY_INLINE Register load(const float* p) { return _mm512_loadu_ps(p); }
  static FOREBAY_INLINE Register loadFirst(const float* p, Mask m) { return _mm512_maskz_loadu_ps(m, p); }
  static FOREBAY_INLINE void store(float* p, Register a) { _mm512_storeu_ps(p, a); }
  static FOREBAY_INLINE void storeFirst(float* p, Mask m, Register a) { _mm512_mask_storeu_ps(p, m, a); }
  static FOREBAY_INLINE Register zero() { return _mm512_setzero_ps(); }
  static FOREBAY_INLINE Register broadcast(float a) { return _mm512_set1_ps(a); }
  static FOREBAY_INLINE Register add(Register a, Register b) { return _mm512_add_ps(a, b); }
  static FOREBAY_INLINE Register mulAdd(Register a, Register b, Register c) {
    return _mm512_fmadd_ps(a, b, c);
  }
  template <int d>
  static FOREBAY_INLINE Pair exchange(Register a, Register b) {
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __mmask16 upper = _mm512_test_epi32_mask(lane, _mm512_set1_epi32(d));
    const __m512i low = _mm512_mask_add_epi32(lane, upper, lane, _mm512_set1_epi32(16 - d));
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(d));
    return {_mm512_permutex2var_ps(a, low, b), _mm512_permutex2var_ps(a, high, b)};
  }
};

template <>
struct Vector<double> {
  using Register = __m512d;
  using Mask = __mmask8;
  static constexpr int width = 8;
  struct Pair {
    Register low, high;
  };

  static FOREBAY_INLINE Mask first(int n) { return static_cast<Mask>((1u << n) - 1u); }
  static FOREBAY_INLINE Register load(const double* p) { return _mm512_loadu_pd(p); }
  static FOREBAY_INLINE Register loadFirst(const double* p, Mask m) { return _mm512_maskz_loadu_pd(m, p); }
  static FOREBAY_INLINE void store(double* p, Register a) { _mm512_storeu_pd(p, a); }
  static FOREBAY_INLINE void storeFirst(double* p, Mask m, Register a) { _mm512_mask_storeu_pd(p, m, a); }
  static FOREBAY_INLINE Register zero() { return _mm512_setzero_pd(); }
  static FOREBAY_INLINE Register broadcast(double a) { return _mm512_set1_pd(a); }
  static FOREBAY_INLINE Register add(Register a, Register b) { return _mm512_add_pd(a, b); }
  static FOREBAY_INLINE Register mulAdd(Register a, Register b, Register c) {
    return _mm512_fmadd_pd(a, b, c);
  }
  template <int d>
  static FOREBAY_INLINE Pair exchange(Register a, Register b) {
    const __m512i lane = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    const __mmask8 upper = _mm512_test_epi64_mask(lane, _mm512_set1_epi64(d));
    const __m512i low = _mm512_mask_add_epi64(lane, upper, lane, _mm512_set1_epi64(8 - d));
    const __m512i high = _mm512_add_epi64(low, _mm512_set1_epi64(d));
    return {_mm512_permutex2var_pd(a, low, b), _mm512_permutex2var_pd(a, high, b)};
  }
};

#elif FOREBAY_BODY_VECTOR == 32

// One array contains all masks. The mask for n lanes begins n lanes before the zeros.
template <class Lane, std::size_t width>
struct MaskRow {
  Lane lanes[2 * width];
};
constexpr MaskRow<std::int32_t, 8> masks32 = {{-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0}};
constexpr MaskRow<std::int64_t, 4> masks64 = {{-1, -1, -1, -1, 0, 0, 0, 0}};

template <>
struct Vector<float> {
  using Register = __m256;
  using Mask = __m256i;
  static constexpr int width = 8;
  struct Pair {
    Register low, high;
  };

  static FOREBAY_INLINE Mask first(int n) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(masks32.lanes + 8 - n));
  }
  static FOREBAY_INLINE Register load(const float* p) { return _mm256_loadu_ps(p); }
  static FOREBAY_INLINE Register loadFirst(const float* p, Mask m) { return _mm256_maskload_ps(p, m); }
  static FOREBAY_INLINE void store(float* p, Register a) { _mm256_storeu_ps(p, a); }
  static FOREBAY_INLINE void storeFirst(float* p, Mask m, Register a) { _mm256_maskstore_ps(p, m, a); }
  static FOREBAY_INLINE Register zero() { return _mm256_setzero_ps(); }
  static FOREBAY_INLINE Register broadcast(float a) { return _mm256_set1_ps(a); }
  static FOREBAY_INLINE Register add(Register a, Register b) { return _mm256_add_ps(a, b); }
  static FOREBAY_INLINE Register mulAdd(Register a, Register b, Register c) {
    return _mm256_fmadd_ps(a, b, c);
  }
  template <int d>
  static FOREBAY_INLINE Pair exchange(Register a, Register b) {
    if constexpr (d == 1) {
      return {_mm256_blend_ps(a, _mm256_moveldup_ps(b), 0xAA),
              _mm256_blend_ps(_mm256_movehdup_ps(a), b, 0xAA)};
    } else if constexpr (d == 2) {
      return {_mm256_shuffle_ps(a, b, 0x44), _mm256_shuffle_ps(a, b, 0xEE)};
    } else {
      return {_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31)};
    }
  }
};

template <>
struct Vector<double> {
  using Register = __m256d;
  using Mask = __m256i;
  static constexpr int width = 4;
  struct Pair {
    Register low, high;
  };

  static FOREBAY_INLINE Mask first(int n) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(masks64.lanes + 4 - n));
  }
  static FOREBAY_INLINE Register load(const double* p) { return _mm256_loadu_pd(p); }
  static FOREBAY_INLINE Register loadFirst(const double* p, Mask m) { return _mm256_maskload_pd(p, m); }
  static FOREBAY_INLINE void store(double* p, Register a) { _mm256_storeu_pd(p, a); }
  static FOREBAY_INLINE void storeFirst(double* p, Mask m, Register a) { _mm256_maskstore_pd(p, m, a); }
  static FOREBAY_INLINE Register zero() { return _mm256_setzero_pd(); }
  static FOREBAY_INLINE Register broadcast(double a) { return _mm256_set1_pd(a); }
  static FOREBAY_INLINE Register add(Register a, Register b) { return _mm256_add_pd(a, b); }
  static FOREBAY_INLINE Register mulAdd(Register a, Register b, Register c) {
    return _mm256_fmadd_pd(a, b, c);
  }
  template <int d>
  static FOREBAY_INLINE Pair exchange(Register a, Register b) {
    if constexpr (d == 1) {
      return {_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b)};
    } else {
      return {_mm256_permute2f128_pd(a, b, 0x20), _mm256_permute2f128_pd(a, b, 0x31)};
    }
  }
};

#else

// 16-byte vectors, made with the vector extension of the compiler. It supports SSE2, NEON and most other
// instruction sets.
template <class T>
struct Vector {
  static constexpr int width = 16 / sizeof(T);
  typedef T Register __attribute__((vector_size(16)));
  using Mask = int;  // the number of lanes
  struct Pair {
    Register low, high;
  };

  static FOREBAY_INLINE Mask first(int n) { return n; }
  static FOREBAY_INLINE Register load(const T* p) {
    Register a;
    __builtin_memcpy(&a, p, sizeof a);
    return a;
  }
  static FOREBAY_INLINE Register loadFirst(const T* p, Mask n) {
    Register a = {};
    for (int lane = 0; lane < n; ++lane) a[lane] = p[lane];
    return a;
  }
  static FOREBAY_INLINE void store(T* p, Register a) { __builtin_memcpy(p, &a, sizeof a); }
  static FOREBAY_INLINE void storeFirst(T* p, Mask n, Register a) {
    for (int lane = 0; lane < n; ++lane) p[lane] = a[lane];
  }
  static FOREBAY_INLINE Register zero() { return Register{}; }
  static FOREBAY_INLINE Register broadcast(T a) { return Register{} + a; }
  static FOREBAY_INLINE Register add(Register a, Register b) { return a + b; }
  static FOREBAY_INLINE Register mulAdd(Register a, Register b, Register c) {
#if defined(__aarch64__)
    if constexpr (sizeof(T) == 4) {
      return vfmaq_f32(c, a, b);
    } else {
      return vfmaq_f64(c, a, b);
    }
#else
    return a * b + c;
#endif
  }
  template <int d>
  static FOREBAY_INLINE Pair exchange(Register a, Register b) {
    if constexpr (width == 2) {
      return {Register{a[0], b[0]}, Register{a[1], b[1]}};
    } else if constexpr (d == 1) {
      return {Register{a[0], b[0], a[2], b[2]}, Register{a[1], b[1], a[3], b[3]}};
    } else {
      return {Register{a[0], a[1], b[0], b[1]}, Register{a[2], a[3], b[2], b[3]}};
    }
  }
};

#endif

// Makes the compiler have a value that was loaded in a register here, and keep the order of such values.
// Otherwise it reads an element of memory once for each use, because it can be an operand of the
// multiply-add, and loads so much in advance that the sums do not stay in registers.
template <class Register>
FOREBAY_INLINE void keepInOrder(Register& value) {
#if defined(__x86_64__) && FOREBAY_BODY_VECTOR == 64
  __asm__ volatile("" : "+v"(value));
#elif defined(__x86_64__)
  __asm__ volatile("" : "+x"(value));
#elif defined(__aarch64__)
  __asm__ volatile("" : "+w"(value));
#endif
}

}  // namespace forebay::FOREBAY_BODY
