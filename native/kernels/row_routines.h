// The routines of a body (see bodies.h) for rows: contiguous elements of a matrix that is read or written row
// by row, in any order of rows. routines/scatter.cc and routines/bag.cc call them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace forebay {

// The largest number of rows that one call adds.
constexpr int mostSummedRows = 4;

// The largest number of terms that sumListed adds one after another. It adds the sums of more terms, which
// bounds the rounding error.
constexpr int mostListedTerms = 256;

struct RowSum {
  const void* base;  // the row to which the others are added; may be the result
  bool single;       // true if `base` is one element, which stands for a row of equal elements
  const void* rows[mostSummedRows];
  int count;  // of rows, at most mostSummedRows
  bool far;   // write around the caches; the result is aligned to streamAlignment
};

constexpr std::size_t streamAlignment = 16;

struct RowRoutines {
  // Computes ((base + rows[0]) + rows[1]) + …, in this order. One item for each dtype.
  void (*sum[3])(const RowSum& sum, void* out, std::size_t n);
  // Computes the sum of the rows at[0], at[1], … of x, accumulated in double. The rows of x are `pitch`
  // elements apart and have n elements. `ahead` bytes of each row are requested from memory while earlier
  // ones are added. One item for float32, then one for float64.
  void (*sumListed[2])(const void* x, std::ptrdiff_t pitch, const std::int32_t* at, std::size_t count,
                       std::size_t n, std::size_t ahead, void* out);
  // Makes earlier writes around the caches visible to other threads. Call it once after many of them.
  void (*fence)();
};

}  // namespace forebay
