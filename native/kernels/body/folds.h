// The kernels of the reduce family. A lane is the accumulator of one result. The functions …Rows reduce
// several rows at a time: each column has its own lane. The functions …Run reduce contiguous elements to one
// result. They accumulate in several temporary lanes, and combine these with lane 0 at the end. So the
// compiler can vectorise both kinds.
#pragma once

#include <type_traits>

#include "kernels/body/elementwise.h"

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

// Combines `count` lanes to lane 0: first the upper half with the lower half, and so on. The loops have
// constant lengths, so the compiler unrolls them and keeps the lanes in registers.
template <class Combine, std::size_t count, class T>
FOREBAY_INLINE void combineLanes(T* lane) {
  if constexpr (count > 1) {
    for (std::size_t j = 0; j < count / 2; ++j) lane[j] = Combine::of(lane[j + count / 2], lane[j]);
    combineLanes<Combine, count / 2>(lane);
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
  for (; rows > 0; --rows, x += stride) {
    for (std::size_t j = 0; j < width; ++j) sum[j] += static_cast<double>(x[j]);
  }
}

template <class T>
void sumRun(Lanes lanes, const void* in, std::size_t n, std::int32_t) {
  const T* x = static_cast<const T*>(in);
  double total = 0;
  if (n >= runLanes) {
    double sum[runLanes] = {};
    for (; n >= runLanes; n -= runLanes, x += runLanes) {
      for (std::size_t j = 0; j < runLanes; ++j) sum[j] += static_cast<double>(x[j]);
    }
    combineLanes<AddLanes, runLanes>(sum);
    total = sum[0];
  }
  for (std::size_t i = 0; i < n; ++i) total += static_cast<double>(x[i]);
  *static_cast<double*>(lanes.values) += total;
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

struct Larger {
  template <class T>
  static FOREBAY_INLINE T of(T a, T b) {
    return a > b ? a : b;
  }
};

// Returns the maximum of `best` and n elements. It is NaN if one of them is NaN. The fast loop finds the
// maximum of the numbers, for which one instruction is enough, and whether there is a NaN.
template <class T>
FOREBAY_INLINE T largest(const T* x, std::size_t n, T best) {
  using Flag = std::conditional_t<sizeof(T) == 8, std::int64_t, std::int32_t>;
  constexpr std::size_t lanes = 2 * runLanes;
  const T* from = x;
  std::size_t left = n;
  if (left >= lanes) {
    T lane[lanes];
    Flag odd[lanes];
    for (std::size_t j = 0; j < lanes; ++j) lane[j] = from[j];
    for (std::size_t j = 0; j < lanes; ++j) odd[j] = from[j] != from[j];
    for (left -= lanes, from += lanes; left >= lanes; left -= lanes, from += lanes) {
      for (std::size_t j = 0; j < lanes; ++j) {
        odd[j] |= static_cast<Flag>(from[j] != from[j]);
        lane[j] = Larger::of(from[j], lane[j]);
      }
    }
    Flag any = 0;
    for (std::size_t j = 0; j < lanes; ++j) any |= odd[j];
    if (any != 0) {
      from = x;
      left = n;
    } else {
      combineLanes<Larger, lanes>(lane);
      best = maximum(lane[0], best);
    }
  }
  for (std::size_t i = 0; i < left; ++i) best = maximum(from[i], best);
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
constexpr double lowestOf = std::is_same_v<T, std::int32_t> ? INT32_MIN : -static_cast<double>(INFINITY);
template <class T>
constexpr Fold sumFold = {Fold::Kind::sum, typeOf<T>, 0, sumRows<T>, sumRun<T>};
template <class T>
constexpr Fold maxFold = {Fold::Kind::max, typeOf<T>, lowestOf<T>, maxRows<T>, maxRun<T>};
template <class T>
constexpr Fold argmaxFold = {Fold::Kind::argmax, DType::int32, static_cast<double>(NAN), argmaxRows<T>,
                             argmaxRun<T>};

}  // namespace forebay::FOREBAY_BODY
