// Geometry as it crosses the boundary: a list of numbers, read once each, checked as it is read.
// Nothing behind this file sees a number that is not a small enough integer, nor a view that
// reaches outside its array.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/fault.h"
#include "kernels/kernel.h"

namespace forebay {

constexpr int maxRank = 32;

// The largest integer that a double carries exactly: JavaScript's Number.MAX_SAFE_INTEGER.
constexpr std::int64_t largestInteger = (std::int64_t(1) << 53) - 1;

// `value` as an integer between 0 and `limit`; false for anything else, NaN included.
bool toInteger(double value, std::int64_t limit, std::int64_t& integer);

class GeometryReader {
 public:
  // `call` names the entry point in messages.
  GeometryReader(const char* call, const double* numbers, std::size_t count, Fault& fault)
      : call_(call), numbers_(numbers), count_(count), fault_(fault) {}

  // The next number(s), each between 0 and `limit`; `what` names them in messages.
  bool integer(const char* what, std::int64_t& value, std::int64_t limit = largestInteger);
  bool integers(const char* what, std::int64_t* values, int count, std::int64_t limit = largestInteger);
  bool rank(const char* what, int& rank);
  bool end();  // true when all numbers were read

 private:
  const char* call_;
  const double* numbers_;
  std::size_t count_;
  std::size_t next_ = 0;
  Fault& fault_;
};

// The product of sizes, if it is an exact integer in JavaScript (2^53 - 1 at most).
bool countElements(const char* call, const std::int64_t* sizes, int rank, std::int64_t& count, Fault& fault);

// Whether offset + sum((size - 1) * stride) lies within `array`. `role` ("output", "input 1") names
// it in messages. An empty view touches nothing; its offset may be the array's end.
bool checkExtent(const char* call, const char* role, const Array& array, std::int64_t offset,
                 const std::int64_t* sizes, const std::int64_t* strides, int rank, Fault& fault);

// As checkExtent, and that no stride makes two elements of an output one.
bool checkOutput(const char* call, const Array& array, std::int64_t offset, const std::int64_t* sizes,
                 const std::int64_t* strides, int rank, Fault& fault);

inline char* address(const Array& array, std::int64_t offset) {
  return static_cast<char*>(array.data) + static_cast<std::size_t>(offset) * sizeOf(array.dtype);
}

}  // namespace forebay
