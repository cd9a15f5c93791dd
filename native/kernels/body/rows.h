// Sums and copies of rows (row_routines.h).
#pragma once

#include "kernels/body/prelude.h"

namespace forebay::FOREBAY_BODY {

// Writes 16 bytes around the caches, so that the memory is not read first.
FOREBAY_INLINE void stream(char* to, const char* from) {
#if defined(__x86_64__)
  _mm_stream_si128(reinterpret_cast<__m128i*>(to), _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
#else
  __builtin_memcpy(to, from, streamAlignment);
#endif
}

constexpr std::size_t partBytes = 512;

FOREBAY_INLINE void streamBytes(char* to, const char* from, std::size_t bytes) {
  std::size_t at = 0;
  for (; at + 4 * streamAlignment <= bytes; at += 4 * streamAlignment) {
    stream(to + at, from + at);
    stream(to + at + streamAlignment, from + at + streamAlignment);
    stream(to + at + 2 * streamAlignment, from + at + 2 * streamAlignment);
    stream(to + at + 3 * streamAlignment, from + at + 3 * streamAlignment);
  }
  for (; at < bytes; at += streamAlignment) stream(to + at, from + at);
}

inline void fence() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

// Integers are added as unsigned numbers, because these wrap around.
template <class T>
struct Addend {
  using Type = T;
};
template <>
struct Addend<std::int32_t> {
  using Type = std::uint32_t;
};

template <class T, int count, bool single>
FOREBAY_INLINE void sumOf(const T* base, const T* const* rows, std::size_t from, std::size_t n, T* out) {
  const T start = *base;
  const T* const at = single ? base : base + from;
  const T *const a = rows[0] + from, *const b = rows[1] + from, *const c = rows[2] + from,
                 *const d = rows[3] + from;
  FOREBAY_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i) {
    T sum = single ? start : at[i];
    if (count > 0) sum += a[i];
    if (count > 1) sum += b[i];
    if (count > 2) sum += c[i];
    if (count > 3) sum += d[i];
    out[i] = sum;
  }
}

template <class T, int count, bool single>
void sumCount(const RowSum& sum, T* out, std::size_t n) {
  const T* const base = static_cast<const T*>(sum.base);
  const T* rows[mostSummedRows];
  for (int i = 0; i < mostSummedRows; ++i) rows[i] = i < count ? static_cast<const T*>(sum.rows[i]) : base;
  if (!sum.far) {
    sumOf<T, count, single>(base, rows, 0, n, out);
    return;
  }
  constexpr std::size_t chunk = partBytes / sizeof(T);
  alignas(64) T part[chunk];
  for (std::size_t from = 0; from < n; from += chunk) {
    const std::size_t now = n - from < chunk ? n - from : chunk;
    sumOf<T, count, single>(base, rows, from, now, part);
    streamBytes(reinterpret_cast<char*>(out + from), reinterpret_cast<const char*>(part), now * sizeof(T));
  }
}

template <class T, bool single>
void sumSingle(const RowSum& sum, T* out, std::size_t n) {
  switch (sum.count) {
    case 0:
      return sumCount<T, 0, single>(sum, out, n);
    case 1:
      return sumCount<T, 1, single>(sum, out, n);
    case 2:
      return sumCount<T, 2, single>(sum, out, n);
    case 3:
      return sumCount<T, 3, single>(sum, out, n);
    default:
      return sumCount<T, 4, single>(sum, out, n);
  }
}

template <class T>
void sumRows(const RowSum& sum, void* out, std::size_t n) {
  using Type = typename Addend<T>::Type;
  if (sum.single) {
    sumSingle<Type, true>(sum, static_cast<Type*>(out), n);
  } else {
    sumSingle<Type, false>(sum, static_cast<Type*>(out), n);
  }
}

// The number of rows between the row that is added and the row that is requested.
constexpr std::size_t aheadOfListed = 8;

FOREBAY_INLINE void request(const char* row, std::size_t bytes) {
  for (std::size_t at = 0; at < bytes; at += 64) __builtin_prefetch(row + at, 0, 3);
}

template <class T, std::size_t count>
struct ListedLanes {
  typedef T Type __attribute__((vector_size(count * sizeof(T)), aligned(alignof(T)), may_alias));
};

// Adds `vectors` vectors of columns of all rows. The sums stay in registers.
template <class T, std::size_t vectors, std::size_t lanes>
FOREBAY_INLINE void sumBlock(const T* x, std::ptrdiff_t pitch, const std::int32_t* at, std::size_t count,
                             std::size_t ahead, T* out) {
  using Total = typename ListedLanes<double, lanes>::Type;
  using Columns = typename ListedLanes<T, lanes>::Type;
  Total total[vectors] = {};
  for (std::size_t from = 0; from < count; from += mostListedTerms) {
    const std::size_t end = count - from < mostListedTerms ? count : from + mostListedTerms;
    Total sum[vectors] = {};
    for (std::size_t r = from; r < end; ++r) {
      if (ahead > 0 && r + aheadOfListed < count) {
        request(reinterpret_cast<const char*>(x + at[r + aheadOfListed] * pitch), ahead);
      }
      const T* const row = x + at[r] * pitch;
#pragma GCC unroll 16
      for (std::size_t v = 0; v < vectors; ++v) {
        sum[v] += __builtin_convertvector(*reinterpret_cast<const Columns*>(row + v * lanes), Total);
      }
    }
#pragma GCC unroll 16
    for (std::size_t v = 0; v < vectors; ++v) total[v] += sum[v];
  }
#pragma GCC unroll 16
  for (std::size_t v = 0; v < vectors; ++v) {
    *reinterpret_cast<Columns*>(out + v * lanes) = __builtin_convertvector(total[v], Columns);
  }
}

template <class T>
void sumListed(const void* from, std::ptrdiff_t pitch, const std::int32_t* at, std::size_t count,
               std::size_t n, std::size_t ahead, void* to) {
  const T* const x = static_cast<const T*>(from);
  T* const out = static_cast<T*>(to);
  constexpr std::size_t lanes = FOREBAY_BODY_VECTOR / sizeof(double);
  // Half of the registers hold sums.
  constexpr std::size_t vectors = FOREBAY_BODY_VECTOR >= 64 ? 16 : 8, wide = vectors * lanes;
  std::size_t j = 0;
  for (; j + wide <= n; j += wide) {
    sumBlock<T, vectors, lanes>(x + j, pitch, at, count, j == 0 ? ahead : 0, out + j);
  }
  for (; j + lanes <= n; j += lanes) {
    sumBlock<T, 1, lanes>(x + j, pitch, at, count, j == 0 ? ahead : 0, out + j);
  }
  if constexpr (lanes > 4) {
    if (j + 4 <= n) {
      sumBlock<T, 1, 4>(x + j, pitch, at, count, j == 0 ? ahead : 0, out + j);
      j += 4;
    }
  }
  for (; j < n; ++j) sumBlock<T, 1, 1>(x + j, pitch, at, count, 0, out + j);
}

constexpr RowRoutines rowRoutines = {
    {sumRows<float>, sumRows<double>, sumRows<std::int32_t>}, {sumListed<float>, sumListed<double>}, fence};

}  // namespace forebay::FOREBAY_BODY
