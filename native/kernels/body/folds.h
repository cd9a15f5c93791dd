// The kernels of the reduce family. A lane is the accumulator of one result. The functions …Rows reduce
// several rows at a time: each column has its own lane. The functions …Run reduce contiguous elements to one
// result. They accumulate in several temporary lanes, and combine these with lane 0 at the end. So the
// compiler can vectorise both kinds.
#pragma once

#include <type_traits>

#include "kernels/body/elementwise.h"
#include "kernels/body/gemm_vector.h"

namespace forebay::FOREBAY_BODY {

// The number of temporary lanes in the functions …Run. It is the same for every instruction set, so the order
// of additions and the bits of a sum do not depend on the width of the SIMD registers.
constexpr std::size_t runLanes = 32;

struct AddLanes {
  template <class T>
  static FOREBAY_INLINE T of(T upper, T lower) {
    return lower + upper;
  }
};

struct Larger {
  template <class T>
  static FOREBAY_INLINE T of(T a, T b) {
    return a > b ? a : b;
  }
};

// The number of lanes of a SIMD register.
template <class T>
constexpr std::size_t lanesOf = FOREBAY_BODY_VECTOR / sizeof(T);

// Lanes in one SIMD register. The compiler would combine lanes that are in registers one by one.
template <class T, std::size_t width>
struct Wide {
  typedef T Register __attribute__((vector_size(width * sizeof(T))));
  template <class Combine>
  static FOREBAY_INLINE void combine(const T* upper, T* lower) {
    Register a, b;
    __builtin_memcpy(&a, upper, sizeof a);
    __builtin_memcpy(&b, lower, sizeof b);
    b = Combine::of(a, b);
    __builtin_memcpy(lower, &b, sizeof b);
  }
};
template <class T>
struct Wide<T, 1> {
  template <class Combine>
  static FOREBAY_INLINE void combine(const T* upper, T* lower) {
    *lower = Combine::of(*upper, *lower);
  }
};

// Combines `count` lanes, which it changes: first the upper half with the lower half, and so on.
template <class Combine, std::size_t count, class T>
FOREBAY_INLINE T combined(T* lane) {
  if constexpr (count == 1) {
    return lane[0];
  } else {
    constexpr std::size_t half = count / 2, width = half < lanesOf<T> ? half : lanesOf<T>;
    for (std::size_t j = 0; j < half; j += width)
      Wide<T, width>::template combine<Combine>(lane + half + j, lane + j);
    return combined<Combine, half>(lane);
  }
}

// Sums are accumulated in double, even if the elements are floats. This takes no additional time if memory
// limits the speed, and makes a float result nearly exact. SumLanes (lanes.h) limits the number of
// successive additions.
template <class T>
void sumRows(Lanes lanes, const void* in, std::size_t rows, std::size_t stride, std::size_t width,
             std::int32_t) {
  double* __restrict sum = static_cast<double*>(lanes.values);
  const T* __restrict x = static_cast<const T*>(in);
  for (; rows >= 4; rows -= 4, x += 4 * stride) {
    for (std::size_t j = 0; j < width; ++j) {
      const double upper = static_cast<double>(x[j]) + static_cast<double>(x[stride + j]);
      const double lower = static_cast<double>(x[2 * stride + j]) + static_cast<double>(x[3 * stride + j]);
      sum[j] += upper + lower;
    }
  }
  // The last rows are added as if rows of 0 filled their group.
  if (rows == 3) {
    for (std::size_t j = 0; j < width; ++j) {
      const double upper = static_cast<double>(x[j]) + static_cast<double>(x[stride + j]);
      sum[j] += upper + static_cast<double>(x[2 * stride + j]);
    }
  } else if (rows == 2) {
    for (std::size_t j = 0; j < width; ++j) {
      sum[j] += static_cast<double>(x[j]) + static_cast<double>(x[stride + j]);
    }
  } else if (rows == 1) {
    for (std::size_t j = 0; j < width; ++j) sum[j] += static_cast<double>(x[j]);
  }
}

// Computes the sum of a row block by block.
template <class T>
struct RowSumFold {
  using Total = double;
  static constexpr std::size_t block = runLanes;
  double lane[runLanes] = {};

  // Adds `count` elements, a multiple of `block`.
  template <std::size_t count>
  FOREBAY_INLINE void add(const T* x) {
    static_assert(count % block == 0);
    for (std::size_t part = 0; part < count; part += block) {
      for (std::size_t j = 0; j < block; ++j) lane[j] += static_cast<double>(x[part + j]);
    }
  }

  // Adds the whole blocks of n elements. Only the last call can have a rest.
  FOREBAY_INLINE void addBlocks(const T* x, std::size_t n) {
    for (; n >= block; n -= block, x += block) add<block>(x);
  }

  // Adds the sum to `total`. `last` has the n elements of the last call of addBlocks.
  FOREBAY_INLINE void finishPart(const T* last, std::size_t n, double* total) {
    finish(last + n / block * block, n % block, total);
  }

  // Adds the sum to `total`. `rest` has the last n elements of the row. They are added as if zeros filled
  // their block.
  FOREBAY_INLINE void finish(const T* rest, std::size_t n, double* total) {
    for (; n >= block; n -= block, rest += block) add<block>(rest);
    if (n > 0) addRest(rest, n);
    double lanes[runLanes];
    for (std::size_t j = 0; j < runLanes; ++j) lanes[j] = lane[j];
    *total += combined<AddLanes, runLanes>(lanes);
  }

  // Adds fewer elements than a block.
  FOREBAY_INLINE void addRest(const T* rest, std::size_t n) {
    if (n <= Vector<T>::width) {
      addFilled<1>(rest, n);
    } else {
      addFilled<block / Vector<T>::width>(rest, n);
    }
  }

  // Adds n elements from registers that zeros fill.
  template <std::size_t registers>
  FOREBAY_INLINE void addFilled(const T* rest, std::size_t n) {
    using V = Vector<T>;
    constexpr std::size_t width = V::width;
    T filled[registers * width];
    for (std::size_t at = 0; at < registers * width; at += width) {
      const std::size_t left = n > at ? n - at : 0, some = left < width ? left : width;
      V::store(filled + at, V::loadFirst(rest + at, V::first(static_cast<int>(some))));
    }
    for (std::size_t j = 0; j < registers * width; ++j) lane[j] += static_cast<double>(filled[j]);
  }
};

template <class T>
void sumRun(Lanes lanes, const void* in, std::size_t n, std::int32_t) {
  const T* x = static_cast<const T*>(in);
  RowSumFold<T> sum;
  for (; n >= runLanes; n -= runLanes, x += runLanes) sum.template add<runLanes>(x);
  sum.finish(x, n, static_cast<double*>(lanes.values));
}

template <class T>
void maxRows(Lanes lanes, const void* in, std::size_t rows, std::size_t stride, std::size_t width,
             std::int32_t) {
  T* __restrict best = static_cast<T*>(lanes.values);
  const T* __restrict x = static_cast<const T*>(in);
  for (; rows > 0; --rows, x += stride) {
    for (std::size_t j = 0; j < width; ++j) best[j] = maximum(x[j], best[j]);
  }
}

template <class T>
constexpr double lowestOf = std::is_same_v<T, std::int32_t> ? INT32_MIN : -static_cast<double>(INFINITY);

template <class T>
T largestOfFew(const T* x, std::size_t n);

// Computes the maximum of a row block by block. The fast loop finds the maximum of the numbers, for which one
// instruction is enough, and whether there is a NaN. If there is, the result is NaN.
template <class T>
struct RowMaximumFold {
  using Total = T;
  using Flag = std::conditional_t<sizeof(T) == 8, std::int64_t, std::int32_t>;
  static constexpr std::size_t block = 2 * runLanes;
  T lane[block];
  Flag odd[block];

  FOREBAY_INLINE RowMaximumFold() {
    for (std::size_t j = 0; j < block; ++j) lane[j] = static_cast<T>(lowestOf<T>);
    for (std::size_t j = 0; j < block; ++j) odd[j] = 0;
  }

  // Adds `count` elements, a multiple of `block`.
  template <std::size_t count>
  FOREBAY_INLINE void add(const T* x) {
    static_assert(count % block == 0);
    for (std::size_t part = 0; part < count; part += block) {
      for (std::size_t j = 0; j < block; ++j) {
        odd[j] |= static_cast<Flag>(x[part + j] != x[part + j]);
        lane[j] = Larger::of(x[part + j], lane[j]);
      }
    }
  }

  // As in RowSumFold.
  FOREBAY_INLINE void addBlocks(const T* x, std::size_t n) {
    for (; n >= block; n -= block, x += block) add<block>(x);
  }
  FOREBAY_INLINE void finishPart(const T* last, std::size_t n, T* total) {
    finish(last + n / block * block, n % block, total);
  }

  // Returns the maximum of the elements that were added.
  FOREBAY_INLINE T result() const {
    Flag any = 0;
    for (std::size_t j = 0; j < block; ++j) any |= odd[j];
    T lanes[block];
    for (std::size_t j = 0; j < block; ++j) lanes[j] = lane[j];
    const T best = combined<Larger, block>(lanes);
    if constexpr (std::is_same_v<T, std::int32_t>) {
      return best;
    } else {
      return any != 0 ? T(__builtin_nan("")) : best;
    }
  }

  // Combines the maximum with `total`. `rest` has the last n elements of the row, n < block.
  FOREBAY_INLINE void finish(const T* rest, std::size_t n, T* total) {
    *total = maximum(result(), *total);
    if (n > 0) *total = maximum(largestOfFew(rest, n), *total);
  }
};

// Returns the maximum of 1 to 63 elements. Not inlined, so that the lanes of the caller stay in registers.
template <class T>
__attribute__((noinline)) T largestOfFew(const T* x, std::size_t n) {
  RowMaximumFold<T> row;
  T all[RowMaximumFold<T>::block];
  for (std::size_t j = 0; j < row.block; ++j) all[j] = static_cast<T>(lowestOf<T>);
  for (std::size_t j = 0; j < n; ++j) all[j] = x[j];
  row.template add<RowMaximumFold<T>::block>(all);
  return row.result();
}

// Returns the maximum of `best` and n elements. It is NaN if one of them is NaN.
template <class T>
FOREBAY_INLINE T largest(const T* x, std::size_t n, T best) {
  RowMaximumFold<T> row;
  for (; n >= row.block; n -= row.block, x += row.block) row.template add<row.block>(x);
  row.finish(x, n, &best);
  return best;
}

template <class T>
void maxRun(Lanes lanes, const void* in, std::size_t n, std::int32_t) {
  T* best = static_cast<T*>(lanes.values);
  *best = largest(static_cast<const T*>(in), n, *best);
}

// Returns true if x replaces `best`, the best element so far: if x is larger, or if x is NaN and `best` is
// not.
template <class T>
FOREBAY_INLINE bool beats(T x, T best) {
  return (x > best) | ((x != x) & (best == best));
}

template <class T>
void argmaxRows(Lanes lanes, const void* in, std::size_t rows, std::size_t stride, std::size_t width,
                std::int32_t first) {
  T* __restrict best = static_cast<T*>(lanes.values);
  std::int32_t* __restrict where = lanes.where;
  const T* __restrict x = static_cast<const T*>(in);
  for (; rows > 0; --rows, x += stride, ++first) {
    for (std::size_t j = 0; j < width; ++j) {
      const bool better = beats(x[j], best[j]);
      where[j] = better ? first : where[j];
      best[j] = better ? x[j] : best[j];
    }
  }
}

// Works block by block. First finds the maximum of a block with vector instructions. Searches the block for
// the index of this maximum only if it is better than the best element so far.
template <class T>
void argmaxRun(Lanes lanes, const void* in, std::size_t n, std::int32_t first) {
  constexpr std::size_t block = 1024;
  T& best = *static_cast<T*>(lanes.values);
  const T* x = static_cast<const T*>(in);
  while (n > 0) {
    const std::size_t size = n < block ? n : block;
    const T candidate = largest(x, size, x[0]);
    if (beats(candidate, best)) {
      // The limit of i guarantees that the loop ends, even if another thread overwrites the memory and no
      // element is equal to `candidate` any more.
      std::size_t i = 0;
      while (i + 1 < size && !(x[i] == candidate) && !(x[i] != x[i])) ++i;
      best = candidate;
      *lanes.where = first + static_cast<std::int32_t>(i);
    }
    x += size;
    n -= size;
    first += static_cast<std::int32_t>(size);
  }
}

template <class T>
constexpr DType typeOf = std::is_same_v<T, float>    ? DType::float32
                         : std::is_same_v<T, double> ? DType::float64
                                                     : DType::int32;
template <class T>
constexpr Fold sumFold = {Fold::Kind::sum, typeOf<T>, 0, sumRows<T>, sumRun<T>};
template <class T>
constexpr Fold maxFold = {Fold::Kind::max, typeOf<T>, lowestOf<T>, maxRows<T>, maxRun<T>};
template <class T>
constexpr Fold argmaxFold = {Fold::Kind::argmax, DType::int32, static_cast<double>(NAN), argmaxRows<T>,
                             argmaxRun<T>};

}  // namespace forebay::FOREBAY_BODY
