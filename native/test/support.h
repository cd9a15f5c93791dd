// Support for all tests: arrays of random values, random strided views, and a list of all bodies.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/bodies.h"
#include "kernels/fault.h"

namespace forebay::test {

// Lengths for tests of loops: some odd numbers, and numbers just below and above the lengths of vectors and
// tiles.
constexpr std::size_t lengths[] = {0, 1, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 511, 512, 513, 1000};

inline std::vector<const Body*> supportedBodies() {
  std::vector<const Body*> supported;
  for (const Body* const* body = bodies; *body != nullptr; ++body) {
    if ((*body)->supported()) supported.push_back(*body);
  }
  return supported;
}

inline const Kernel& kernelOf(const Body& body, Family family, const char* name) {
  const Kernel* kernel = find(body, family, name);
  REQUIRE(kernel != nullptr);
  return *kernel;
}

template <class T>
constexpr DType dtypeOf = DType::float32;
template <>
inline constexpr DType dtypeOf<double> = DType::float64;
template <>
inline constexpr DType dtypeOf<std::int32_t> = DType::int32;
template <>
inline constexpr DType dtypeOf<std::uint8_t> = DType::uint8;

// The memory of `values` is on the heap and has exactly the required size, so that ASAN finds an access
// beyond either end.
template <class T>
Array arrayOf(std::vector<T>& values) {
  return {dtypeOf<T>, values.data(), values.size()};
}

using Generator = std::mt19937_64;

inline std::int64_t between(Generator& generator, std::int64_t low, std::int64_t high) {
  return std::uniform_int_distribution<std::int64_t>(low, high)(generator);
}

template <class T>
std::vector<T> someValues(Generator& generator, std::size_t n) {
  std::vector<T> values(n);
  for (T& value : values) {
    if constexpr (std::is_integral_v<T>) {
      value = static_cast<T>(between(generator, -4, 4));  // a small range, so that equal numbers occur
    } else {
      value = static_cast<T>(std::normal_distribution<double>(0, 2)(generator));
    }
  }
  return values;
}

// Numbers for which a kernel may be wrong: zeros, limits, subnormal numbers, infinities, NaN.
template <class T>
std::vector<T> specials() {
  using L = std::numeric_limits<T>;
  if constexpr (std::is_integral_v<T>) {
    return {0, 1, static_cast<T>(-1), 2, L::max(), L::min(), L::max() - 1};
  } else {
    return {T(0),          T(-0.0),        T(1),          T(-1),           T(0.5),           T(-2.5),
            T(1e-3),       T(20),          T(-20),        T(100),          T(-100),          T(800),
            T(-800),       L::max(),       L::min(),      L::denorm_min(), -L::denorm_min(), L::lowest(),
            L::infinity(), -L::infinity(), L::quiet_NaN()};
  }
}

// A word whose bits are all 1 (or, for a byte, the number 1) is true.
template <class Word>
Word wordOf(bool value) {
  return value ? static_cast<Word>(sizeof(Word) == 1 ? 1 : -1) : Word(0);
}

// Returns true if two numbers have the same bits, or if both are NaN.
template <class T>
bool same(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (a != a || b != b) return a != a && b != b;
  }
  return std::memcmp(&a, &b, sizeof a) == 0;
}

struct View {
  std::int64_t offset = 0;
  std::vector<std::int64_t> sizes, strides;

  std::int64_t count() const {
    std::int64_t n = 1;
    for (const std::int64_t size : sizes) n *= size;
    return n;
  }
  // Returns the position in memory of the element whose row-major index in the view is `index`.
  std::size_t at(std::int64_t index) const {
    std::int64_t position = offset;
    for (std::size_t d = sizes.size(); d-- > 0;) {
      position += index % sizes[d] * strides[d];
      index /= sizes[d];
    }
    return static_cast<std::size_t>(position);
  }
  // Returns the smallest length of an array that contains the view.
  std::size_t extent() const {
    if (count() == 0) return static_cast<std::size_t>(offset);
    std::int64_t last = offset;
    for (std::size_t d = 0; d < sizes.size(); ++d) {
      last += std::max<std::int64_t>((sizes[d] - 1) * strides[d], 0);
    }
    return static_cast<std::size_t>(last) + 1;
  }
};

// Returns a view of `sizes` with random strides: the axes are in random order, there are gaps between some
// axes, and, if `broadcasts` is true, some strides are 0. If `backwards` is true, some strides are negative.
inline View someView(Generator& generator, const std::vector<std::int64_t>& sizes, bool broadcasts,
                     bool backwards = false) {
  View view;
  view.sizes = sizes;
  view.strides.resize(sizes.size());
  view.offset = between(generator, 0, 3);
  std::vector<std::size_t> order(sizes.size());
  for (std::size_t d = 0; d < order.size(); ++d) order[d] = d;
  if (between(generator, 0, 2) > 0) std::shuffle(order.begin(), order.end(), generator);
  std::int64_t step = between(generator, 0, 3) > 0 ? 1 : 2;
  for (std::size_t d = order.size(); d-- > 0;) {
    const bool broadcast = broadcasts && between(generator, 0, 4) == 0;
    view.strides[order[d]] = broadcast ? 0 : step;
    if (!broadcast)
      step = step * std::max<std::int64_t>(sizes[order[d]], 1) + (between(generator, 0, 4) == 0);
  }
  for (std::size_t d = 0; backwards && d < sizes.size(); ++d) {
    if (between(generator, 0, 3) > 0) continue;
    view.offset += std::max<std::int64_t>(sizes[d] - 1, 0) * view.strides[d];
    view.strides[d] = -view.strides[d];
  }
  return view;
}

inline std::vector<std::int64_t> someSizes(Generator& generator, std::int64_t maxAxes,
                                           std::int64_t mostElements) {
  std::vector<std::int64_t> sizes;
  const std::int64_t rank = between(generator, 0, maxAxes);
  std::int64_t count = 1;
  for (std::int64_t d = 0; d < rank; ++d) {
    static constexpr std::int64_t choices[] = {0, 1, 1, 2, 3, 3, 4, 5, 7, 8, 17, 40, 100, 600};
    std::int64_t size = choices[between(generator, 0, 13)];
    if (size == 0 && between(generator, 0, 3) > 0) size = 2;  // keeps a size of 0 only rarely
    if (count * size > mostElements) size = 1;
    count *= std::max<std::int64_t>(size, 1);
    sizes.push_back(size);
  }
  return sizes;
}

inline void append(std::vector<double>& geometry, const std::vector<std::int64_t>& numbers) {
  for (const std::int64_t number : numbers) geometry.push_back(static_cast<double>(number));
}
inline void append(std::vector<double>& geometry, const View& view) {
  geometry.push_back(static_cast<double>(view.offset));
  append(geometry, view.strides);
}

template <class T>
std::vector<double> asDoubles(const std::vector<T>& values) {
  return std::vector<double>(values.begin(), values.end());
}

}  // namespace forebay::test
