// What the routines for pooling have in common (max_pool.cc, avg_pool.cc). They compute over windows of
// images. Images have the shape [batch, channels, height, width] or, if the 11th integer of a call is 1,
// [batch, height, width, channels]. x is an image, and the result of pooling has the same batch and channels,
// and an element for each window. The first ten integers describe the windows: size, stride, dilation (each
// first for rows, then for columns), then the padding at the top, the bottom, the left and the right. The
// number of windows is that of the shapes. Every window must contain an element of x.
//
// In both orders of the axes, each element is computed by the same operations in the same order.
#pragma once

#include <algorithm>

#include "kernels/bodies.h"
#include "kernels/window_routines.h"
#include "routines/support.h"

namespace forebay::pooling {

// A part of a row of windows: the windows or the lanes from `first` to `last` - 1.
struct Range {
  std::int64_t first, last;
  std::int64_t size() const { return last - first; }
};

// The windows along one axis.
struct Axis {
  std::int64_t length, count;  // the elements, and the windows
  std::int64_t size, stride, dilation, before, after;

  // The steps k, from `first` to `last` - 1, for which element start(window) + k dilation exists.
  struct Steps {
    std::int64_t start, first, last;
  };
  Steps of(std::int64_t window) const {
    const std::int64_t start = window * stride - before;
    return {start, stepsBefore(start), stepsBelow(start, length)};
  }
  // The first element of a window.
  std::int64_t firstOf(std::int64_t window) const {
    const std::int64_t start = window * stride - before;
    return start + stepsBefore(start) * dilation;
  }
  // The windows from `first` to `last` - 1 have all of their steps in the elements.
  Range whole() const {
    const std::int64_t room = length - 1 - (size - 1) * dilation + before;
    const std::int64_t last = room < 0 ? 0 : std::min(count, room / stride + 1);
    return {std::min(last, (before + stride - 1) / stride), last};
  }
  // The number of steps of a window that are in the elements or the padding.
  std::int64_t padded(std::int64_t window) const {
    return stepsBelow(window * stride - before, length + after);
  }

 private:
  // The number of steps k with start + k dilation < 0.
  std::int64_t stepsBefore(std::int64_t start) const {
    return start < 0 ? (-start + dilation - 1) / dilation : 0;
  }
  // The number of steps k < size with start + k dilation < end.
  std::int64_t stepsBelow(std::int64_t start, std::int64_t end) const {
    if (start + (size - 1) * dilation < end) return size;
    return end <= start ? 0 : std::min(size, (end - start + dilation - 1) / dilation);
  }
};

// Whether the axes of the images of a call are in the order [batch, height, width, channels].
inline bool channelsLast(const RoutineCall& call) { return call.integers[windowIntegers] == 1; }

// An operand, as planes of rows and columns. In each column, it has one element for each lane. A plane is one
// channel of an image, and there is one lane. With channels last, a plane is an image, and a lane is a
// channel.
struct Planes {
  std::int64_t rows, columns, lanes;
  std::int64_t rowStride, columnStride, laneStride;

  Planes(const RoutineView& view, bool last) {
    const std::int64_t *n = view.sizes, *s = view.strides;
    images_ = n[0];
    inImage_ = last ? 1 : n[1];
    imageStride_ = s[0];
    planeStride_ = last ? 0 : s[1];
    rows = n[last ? 1 : 2];
    rowStride = s[last ? 1 : 2];
    columns = n[last ? 2 : 3];
    lanes = last ? n[3] : 1;
    // The stride of an axis with one element means nothing.
    laneStride = lanes == 1 ? 1 : s[3];
    columnStride = columns == 1 ? lanes : s[last ? 2 : 3];
    // A division takes longer than a row of a few windows.
    even_ = inImage_ == 1 || imageStride_ == inImage_ * planeStride_;
    if (inImage_ == 1) planeStride_ = imageStride_;
  }
  // The number of planes. It may be too large for 64 bits if there are no elements.
  std::int64_t count() const { return images_ * inImage_; }
  bool isEmpty() const { return images_ == 0 || inImage_ == 0 || rows == 0 || columns == 0 || lanes == 0; }
  // The offset of a row.
  std::int64_t at(std::int64_t plane, std::int64_t row) const {
    if (even_) return plane * planeStride_ + row * rowStride;
    return plane / inImage_ * imageStride_ + plane % inImage_ * planeStride_ + row * rowStride;
  }
  // Whether the lanes of a column are adjacent, and whether those of a row of columns are.
  bool adjacentLanes() const { return laneStride == 1; }
  bool adjacentColumns() const { return laneStride == 1 && columnStride == lanes; }
  // Whether there is one lane, and the columns are adjacent.
  bool isPlain() const { return lanes == 1 && columnStride == 1; }

 private:
  std::int64_t images_, inImage_, imageStride_, planeStride_;
  bool even_;  // whether neighbouring planes have the same distance everywhere
};

// The windows of a call. `elements` is the operand with the elements of x.
struct Windows {
  Axis rows, columns;
  Windows(const RoutineCall& call, const Planes& elements, const Planes& pooled) {
    const std::int64_t* const n = call.integers;
    rows = {elements.rows, pooled.rows, n[0], n[2], n[4], n[6], n[7]};
    columns = {elements.columns, pooled.columns, n[1], n[3], n[5], n[8], n[9]};
  }
};

// Checks that every window has an element. This does not take a step for each window, because views with a
// stride of 0 can have very many.
inline bool checkAxis(const Axis& axis, const char* name, Fault& fault) {
  const auto refuse = [&](std::int64_t window) {
    return fault.argument("window %lld along the %s has no element of x", static_cast<long long>(window),
                          name);
  };
  const auto isEmpty = [&](std::int64_t window) {
    const Axis::Steps steps = axis.of(window);
    return steps.first >= steps.last;
  };
  if (isEmpty(axis.count - 1)) return refuse(axis.count - 1);
  if (isEmpty(0)) return refuse(0);
  if (axis.dilation <= axis.length) return true;
  // The elements are fewer than the distance of two steps, so a window that starts in the padding can step
  // over all of them.
  for (std::int64_t window = 1; window < axis.count && axis.of(window).start < 0; ++window) {
    if (isEmpty(window)) return refuse(window);
  }
  return true;
}

// Checks the windows of a call. `elements` has the elements of x, and `pooled` an element for each window.
inline bool checkWindows(const RoutineCall& call, const Checked& elements, const Checked& pooled,
                         Fault& fault) {
  if (!checkWindow(call, "the height of a window", "the width of a window", fault)) return false;
  if (!isFlag(call, windowIntegers, "the flag that channels are last", fault)) return false;
  const bool last = channelsLast(call);
  if (!hasRank(call, elements, 4, fault) || !hasRank(call, pooled, 4, fault) ||
      !sameSize(call, pooled, 0, elements, 0, fault) ||
      !sameSize(call, pooled, last ? 3 : 1, elements, last ? 3 : 1, fault)) {
    return false;
  }
  for (int axis = last ? 1 : 2; axis < (last ? 3 : 4); ++axis) {
    if (!countable(call, elements, axis, fault) || !countable(call, pooled, axis, fault)) return false;
  }
  const Planes x(call.operands[elements.operand], last), out(call.operands[pooled.operand], last);
  const std::int64_t planeElements = x.rows * x.columns;
  if (planeElements > mostInt32) {
    return fault.argument("a plane has %lld elements, expected at most 2^31 - 1",
                          static_cast<long long>(planeElements));
  }
  const Windows windows(call, x, out);
  if (out.isEmpty()) return true;
  return checkAxis(windows.rows, "rows", fault) && checkAxis(windows.columns, "columns", fault);
}

// A row of windows is computed in blocks of at most this many windows and lanes.
constexpr std::int64_t block = 1024;

// Calls body(windows, lanes) for the parts of a row of windows that can be computed at once. If an operand
// has lanes that are not adjacent, this is one element. If it has columns that are not adjacent, it is one
// window.
template <class Body>
void eachBlock(std::int64_t count, std::int64_t lanes, bool adjacentLanes, bool adjacentColumns,
               const Body& body) {
  const std::int64_t most = adjacentLanes ? std::min(block, lanes) : 1;
  const std::int64_t together =
      adjacentColumns && most == lanes ? std::max<std::int64_t>(1, block / lanes) : 1;
  for (std::int64_t window = 0; window < count; window += together) {
    const Range windows = {window, std::min(window + together, count)};
    for (std::int64_t lane = 0; lane < lanes; lane += most) {
      body(windows, Range{lane, std::min(lane + most, lanes)});
    }
  }
}

// Calls body(shift, first, last) for every step of the columns, in ascending or descending order: the windows
// w from `first` to `last` - 1 of the block have the element w stride + shift.
template <bool descending = false, class Body>
void eachStep(const Axis& columns, const Range& windows, const Body& body) {
  const auto upwards = [&](std::int64_t n, std::int64_t unit) {
    return n <= 0 ? 0 : unit == 1 ? n : (n + unit - 1) / unit;
  };
  // Other steps are in the padding, for all windows of the block.
  const std::int64_t start = upwards(columns.before - (windows.last - 1) * columns.stride, columns.dilation);
  const std::int64_t end = std::min(columns.size, upwards(columns.length + columns.before, columns.dilation));
  for (std::int64_t step = start; step < end; ++step) {
    const std::int64_t k = descending ? start + end - 1 - step : step;
    const std::int64_t shift = k * columns.dilation - columns.before;
    // A division takes longer than a step of a few windows.
    const bool all = (windows.last - 1) * columns.stride + shift < columns.length;
    const std::int64_t most = all ? windows.last : (columns.length - 1 - shift) / columns.stride + 1;
    const std::int64_t first = std::max(windows.first, upwards(-shift, columns.stride)),
                       last = std::min(windows.last, most);
    if (first < last) body(shift, first, last);
  }
}

// One call, of which x is the operand `elements`, and `pooled` has an element for each window.
struct Pooling {
  const RoutineRun& run;
  bool last;
  Planes x, out;
  Windows windows;

  Pooling(const RoutineRun& ran, int elements, int pooled)
      : run(ran),
        last(channelsLast(ran.call)),
        x(planes(elements)),
        out(planes(pooled)),
        windows(ran.call, x, out) {}

  Planes planes(int operand) const { return Planes(run.call.operands[operand], last); }

  // Calls body(plane, row) for the rows of `written` from `from` to `to` - 1.
  template <class Body>
  static void eachRow(const Planes& written, std::int64_t from, std::int64_t to, const Body& body) {
    std::int64_t plane = from / written.rows, row = from % written.rows;
    for (std::int64_t unit = from; unit < to; ++unit) {
      body(plane, row);
      if (++row < written.rows) continue;
      row = 0;
      ++plane;
    }
  }

  // Calls body(step, at, to) for every step of the windows that has elements in a row of x. `at` is the
  // position in the row of x of the element of the first window, and `to` is the position of this window in
  // the block.
  template <bool descending = false, class Body>
  void eachStepOf(std::int64_t row, const Range& some, const Range& lanes, const Body& body) const {
    const Axis& columns = windows.columns;
    eachStep<descending>(columns, some, [&](std::int64_t shift, std::int64_t first, std::int64_t end) {
      const std::int64_t column = first * columns.stride + shift;
      // The stride may be larger than any distance in memory if there is only one window.
      const std::int64_t distance = end - first > 1 ? columns.stride * x.columnStride : 0;
      const WindowStep step = {end - first, lanes.size(), distance,
                               static_cast<std::int32_t>(row * columns.length + column),
                               static_cast<std::int32_t>(columns.stride)};
      body(step, column * x.columnStride + lanes.first * x.laneStride, (first - some.first) * lanes.size());
    });
  }

  // Returns the windows of every row that can be computed at once, or none. `plain` says whether the operands
  // have one lane and adjacent columns.
  Range rowAtOnce(bool plain) const {
    const Range whole = windows.columns.whole();
    return plain && whole.size() >= leastWindows ? whole : Range{0, 0};
  }
  // Calls atOnce(row of windows, position in x) for the windows `whole` of a row, and single(window) for each
  // window at its ends.
  template <class AtOnce, class Single>
  void eachPart(std::int64_t plane, const Axis::Steps& down, const Range& whole, const AtOnce& atOnce,
                const Single& single) const {
    const Axis &rows = windows.rows, &columns = windows.columns;
    const std::int64_t line = down.start + down.first * rows.dilation;
    const std::int64_t column = whole.first * columns.stride - columns.before;
    const WindowRow row = {whole.size(),
                           columns.stride,
                           columns.size,
                           columns.dilation,
                           down.last - down.first,
                           rows.dilation * x.rowStride,
                           static_cast<std::int32_t>(line * columns.length + column),
                           static_cast<std::int32_t>(rows.dilation * columns.length)};
    if (whole.size() > 0) atOnce(row, x.at(plane, line) + column);
    for (std::int64_t w = 0; w < whole.first; ++w) single(w);
    for (std::int64_t w = whole.last; w < columns.count; ++w) single(w);
  }
  // Whether operands with one lane have so few windows in a row that these are computed one by one.
  bool areFew(bool plain) const { return plain && windows.columns.count < leastWindows; }
  // Calls body(window, column) for the windows of a row and their columns, if they are few.
  template <class Body>
  void eachColumn(const Body& body) const {
    const Axis& columns = windows.columns;
    for (std::int64_t w = 0; w < columns.count; ++w) {
      const Axis::Steps across = columns.of(w);
      for (std::int64_t k = across.first; k < across.last; ++k) body(w, across.start + k * columns.dilation);
    }
  }
  // Calls body(position in x, index) for the elements of a window.
  template <class Body>
  void eachElementOf(std::int64_t plane, const Axis::Steps& down, std::int64_t window,
                     const Body& body) const {
    const Axis &rows = windows.rows, &columns = windows.columns;
    const Axis::Steps across = columns.of(window);
    for (std::int64_t r = down.first; r < down.last; ++r) {
      const std::int64_t line = down.start + r * rows.dilation, start = x.at(plane, line);
      for (std::int64_t k = across.first; k < across.last; ++k) {
        const std::int64_t column = across.start + k * columns.dilation;
        body(start + column * x.columnStride, static_cast<std::int32_t>(line * columns.length + column));
      }
    }
  }

  // Whether each element is in one window at most, a window has two columns, and the columns of the windows
  // follow one another from the first on.
  bool inPairs() const {
    const Axis &rows = windows.rows, &columns = windows.columns;
    return columns.size == 2 && columns.stride == 2 && columns.dilation == 1 && columns.before == 0 &&
           rows.dilation == 1 && rows.size <= rows.stride && columns.count >= leastWindows &&
           columns.count <= columns.length / 2;
  }

  // Calls body(row) for the rows of windows with an element in a row of x, in ascending order.
  template <class Body>
  void eachWindowRow(std::int64_t row, const Body& body) const {
    const Axis& rows = windows.rows;
    const std::int64_t end = row + rows.before, reach = end - (rows.size - 1) * rows.dilation;
    const std::int64_t first = reach <= 0 ? 0 : (reach + rows.stride - 1) / rows.stride;
    const std::int64_t most = std::min(rows.count - 1, end / rows.stride);
    for (std::int64_t window = first; window <= most; ++window) {
      if (rows.dilation == 1 || (end - window * rows.stride) % rows.dilation == 0) body(window);
    }
  }
};

// The item of a list of routines for each dtype.
template <class T>
constexpr int itemOf = std::is_same_v<T, float>    ? 0
                       : std::is_same_v<T, double> ? 1
                                                   : 2;

inline const WindowRoutines& windowRoutines() { return *chosen().body->windows; }

// Returns the units of a routine whose first write is `operand`: its rows.
inline std::int64_t rowsOf(const RoutineCall& call, int operand) {
  const Planes written(call.operands[operand], channelsLast(call));
  return written.count() * written.rows;
}
inline std::int64_t unitsOfOne(const RoutineCall& call) { return rowsOf(call, 1); }
inline std::int64_t unitsOfTwo(const RoutineCall& call) { return rowsOf(call, 2); }

template <class Body>
bool withFloat(const RoutineRun& run, const Body& body) {
  if (run.call.operands[0].type == DType::float64) {
    body(0.0);
  } else {
    body(0.0F);
  }
  return true;
}

// Computes rows of x if each of their pairs is a window. `body(plane, row, line, target)` computes the pairs
// of a row of windows in the row `target`.
template <class T, class Body>
void pairRows(const Pooling& pooling, int write, std::int64_t from, std::int64_t to, const Body& body) {
  const Planes& x = pooling.x;
  Pooling::eachRow(x, from, to, [&](std::int64_t plane, std::int64_t line) {
    T* const target = writeAs<T>(pooling.run, write) + x.at(plane, line);
    bool isEmpty = true;
    pooling.eachWindowRow(line, [&](std::int64_t row) {
      body(plane, row, line, target);
      isEmpty = false;
    });
    std::fill(target + (isEmpty ? 0 : 2 * pooling.out.columns), target + x.columns, T(0));
  });
}

// Computes rows of x. `body(window, lanes, some, target)` adds a block of a row of windows to the row
// `target`.
template <class T, class Body>
void gradientRows(const Pooling& pooling, int write, std::int64_t from, std::int64_t to, bool adjacentLanes,
                  bool adjacentColumns, const Body& body) {
  const Planes &x = pooling.x, &g = pooling.out;
  Pooling::eachRow(x, from, to, [&](std::int64_t plane, std::int64_t line) {
    T* const target = writeAs<T>(pooling.run, write) + x.at(plane, line);
    std::fill_n(target, x.columns * x.lanes, T(0));
    pooling.eachWindowRow(line, [&](std::int64_t row) {
      eachBlock(g.columns, g.lanes, adjacentLanes, adjacentColumns,
                [&](const Range& some, const Range& lanes) { body(plane, row, line, some, lanes, target); });
    });
  });
}

// A row of one of these routines. All reads should be contiguous along their last axis.
constexpr RoutineRow poolingRow(const char* name, int reads, int integers, unsigned dtypes,
                                bool (*check)(const RoutineCall& call, Fault& fault),
                                bool (*run)(const RoutineRun& run, std::int64_t from, std::int64_t to, char*,
                                            RoutineFailure&)) {
  RoutineRow row = {name,   reads,
                    1,      integers,
                    dtypes, false,
                    -1,     (1u << reads) - 1,
                    check,  reads == 1 ? unitsOfOne : unitsOfTwo,
                    run};
  row.channelsLast = windowIntegers;
  return row;
}

}  // namespace forebay::pooling
