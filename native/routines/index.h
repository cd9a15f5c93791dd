// What the routines that read (index.cc) and write (scatter.cc) rows at indices have in common. In the first
// four, x has the shape [outer, n, inner], and the indices are int32 from -n to n - 1. The integer of each is
// the axis for the report of a failure.
//
// gather               out[o, j, i] = x[o, indices[j], i]
// takeAlongAxis        out[o, j, i] = x[o, indices[o, j, i], i]
// scatterAdd           out = x, then out[o, indices[j], i] += updates[o, j / terms, i], in the order of j. A
// row
//                      of the updates has `terms` indices.
// scatterAddAlongAxis  out = x, then out[o, indices[o, j, i], i] += updates[o, j, i], in the order of j
//
// If an index is out of range, the routine fails. The report is about the first such index. If the result is
// empty, the indices are not read.
//
// takeLabels           x is [rows, classes], and the labels [rows] are int32. out[row] = x[row, labels[row] +
//                      offset]. The offset is the integer. A label outside of the classes fails. The report
//                      has the axis -1.
#pragma once

#include <algorithm>
#include <cstring>

#include "routines/support.h"

namespace forebay {

constexpr Checked x = {"x", 0}, indices = {"indices", 1};

struct Rows {
  std::int64_t outer, n, inner;
  explicit Rows(const RoutineView& view) : outer(view.sizes[0]), n(view.sizes[1]), inner(view.sizes[2]) {}
};

// Checks what all four routines have in common. `updates` is true for the two that add.
bool checkIndices(const RoutineCall& call, int rankOfIndices, bool updates, Fault& fault);

inline void fail(RoutineFailure& failure, const RoutineCall& call, std::int64_t position,
                 std::int32_t value) {
  failure = {position, call.integers[0], call.operands[0].sizes[1], value};
}

// The bytes of a later row that are requested from memory in advance. `last` is the axis of the elements of a
// row, the one before it that of the rows.
inline std::size_t requestedBytes(const RoutineView& view, int last, std::size_t size) {
  // Rows of fewer bytes in all than `near` are in a near cache. Requests would only cost time.
  constexpr std::size_t cacheLine = 64, most = 1024, near = 1 << 20;
  const std::size_t bytes = view.strides[last] == 1 ? static_cast<std::size_t>(view.sizes[last]) * size : 0;
  return bytes > cacheLine && bytes * static_cast<std::size_t>(view.sizes[last - 1]) >= near
             ? std::min(bytes, most)
             : 0;
}

// How the rows of an operand are read or written: as whole rows of contiguous elements, or one element at a
// time.
struct RowAccess {
  std::size_t bytes;      // of a row; 0 if its elements are not contiguous
  std::size_t requested;  // the bytes of a later row that are requested from memory in advance
  RowAccess(const RoutineView& view, std::size_t size)
      : bytes(view.strides[2] == 1 ? static_cast<std::size_t>(view.sizes[2]) * size : 0),
        requested(requestedBytes(view, 2, size)) {}

  void request(const void* row) const {
    const char* const from = static_cast<const char*>(row);
    for (std::size_t at = 0; at < requested; at += cacheLine) __builtin_prefetch(from + at, 0, 3);
  }

 private:
  static constexpr std::size_t cacheLine = 64;
};

// With rows of fewer bytes than this, a call of a body's routine takes longer than its work.
constexpr std::size_t worthACall = 64;

// Copies a row of `count` elements, `stride` apart, to contiguous memory.
template <class T>
void copyRow(T* to, const T* from, std::int64_t count, std::int64_t stride) {
  if (count == 1) {
    *to = *from;
  } else if (stride == 1) {
    std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(T));
  } else {
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[i * stride];
  }
}

}  // namespace forebay
