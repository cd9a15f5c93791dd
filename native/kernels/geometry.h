// Reads the geometry of a kernel call: a list of numbers that JavaScript passes. Each number is read once,
// and is checked when it is read. After these checks, every number is an integer within its limit, and every
// view is within its array.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/fault.h"
#include "kernels/kernel.h"

namespace forebay {

constexpr int maxRank = 32;

// JavaScript's Number.MAX_SAFE_INTEGER. A double can represent every integer up to this one.
constexpr std::int64_t largestInteger = (std::int64_t(1) << 53) - 1;

// Converts `value` to an integer. Returns false if `value` is NaN or is not an integer from 0 to `limit`.
bool toInteger(double value, std::int64_t limit, std::int64_t& integer);

// Converts `value` to a stride, which may be negative. Returns false if `value` is NaN or is not an integer
// from -largestInteger to largestInteger.
bool toStride(double value, std::int64_t& stride);

// The indices of the lowest and the highest element of a view, relative to its first element.
struct Reach {
  std::int64_t lowest, highest;
};

// Computes the reach of a view that is not empty. Returns false if an index does not fit in 64 bits.
bool reachOf(const std::int64_t* sizes, const std::int64_t* strides, int rank, Reach& reach);

class GeometryReader {
 public:
  // `call` is the name of the entry point for error messages.
  GeometryReader(const char* call, const double* numbers, std::size_t count, Fault& fault)
      : call_(call), numbers_(numbers), count_(count), fault_(fault) {}

  // Reads the next number or the next `count` numbers. Each must be from 0 to `limit`. `what` is the name of
  // the numbers for error messages.
  bool integer(const char* what, std::int64_t& value, std::int64_t limit = largestInteger);
  bool integers(const char* what, std::int64_t* values, int count, std::int64_t limit = largestInteger);
  // Reads the next `count` numbers, which are strides and may be negative.
  bool strides(std::int64_t* values, int count);
  bool rank(const char* what, int& rank);
  bool end();  // returns true if all numbers have been read

 private:
  const char* call_;
  const double* numbers_;
  std::size_t count_;
  std::size_t next_ = 0;
  Fault& fault_;
};

// Computes the product of the sizes. Fails if the product is above 2^53 - 1.
bool countElements(const char* call, const std::int64_t* sizes, int rank, std::int64_t& count, Fault& fault);

// Checks that the lowest and the highest element of a view are in `array`. `role` ("output", "input 1") is
// the name for error messages. The offset of an empty view may also be the length of the array.
bool checkExtent(const char* call, const char* role, const Array& array, std::int64_t offset,
                 const std::int64_t* sizes, const std::int64_t* strides, int rank, Fault& fault);

// Like checkExtent, for an output. Additionally fails if a stride of 0 gives two elements the same address.
bool checkOutput(const char* call, const Array& array, std::int64_t offset, const std::int64_t* sizes,
                 const std::int64_t* strides, int rank, Fault& fault);

inline char* address(const Array& array, std::int64_t offset) {
  return static_cast<char*>(array.data) + static_cast<std::size_t>(offset) * sizeOf(array.dtype);
}

}  // namespace forebay
