// Pooling over windows of planes. x has the shape [planes, height, width]; the result of pooling has the
// shape [planes, rows, columns]. The first ten integers describe the windows: size, stride, dilation (each
// first for rows, then for columns), then the padding at the top, the bottom, the left and the right. The
// number of windows is that of the shapes. Every window must contain an element of x.
//
// maxPool          the index, in its plane, of the largest element of each window, as int32. The padding is
//                  less than any element. The first of equal elements is taken. A NaN counts as the largest.
// avgPool          the mean of each window. The 11th integer is 1 if padding counts as zeros. Positions
// beyond
//                  the padding never count.
// avgPoolGradient  the gradient of avgPool: g [planes, rows, columns] to [planes, height, width]. The
//                  integers are those of avgPool.
#include <algorithm>

#include "routines/support.h"

namespace forebay {

namespace {

constexpr Checked x = {"x", 0}, out = {"out", 1};
constexpr int windowIntegers = 10;

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
    return {start, start < 0 ? (-start + dilation - 1) / dilation : 0, stepsBelow(start, length)};
  }
  // The number of steps of a window that are in the elements or the padding.
  std::int64_t padded(std::int64_t window) const {
    return stepsBelow(window * stride - before, length + after);
  }

 private:
  // The number of steps k < size with start + k dilation < end.
  std::int64_t stepsBelow(std::int64_t start, std::int64_t end) const {
    return end <= start ? 0 : std::min(size, (end - start + dilation - 1) / dilation);
  }
};

// The windows of a call. `pooled` is the operand with an element for each window.
struct Windows {
  Axis rows, columns;
  Windows(const RoutineCall& call, int elements, int pooled) {
    Axis* const axes[] = {&rows, &columns};
    for (int d = 0; d < 2; ++d) {
      const std::int64_t* const n = call.integers + d;
      *axes[d] = {call.operands[elements].sizes[1 + d],
                  call.operands[pooled].sizes[1 + d],
                  n[0],
                  n[2],
                  n[4],
                  call.integers[6 + 2 * d],
                  call.integers[7 + 2 * d]};
    }
  }
};

// Checks that every window has an element. This does not take a step for each window, because views with a
// stride of 0 can have very many.
bool checkAxis(const Axis& axis, const char* name, Fault& fault) {
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

bool checkWindows(const RoutineCall& call, int elements, int pooled, Fault& fault) {
  static constexpr const char* names[windowIntegers] = {
      "the height of a window",   "the width of a window",     "the stride of rows",
      "the stride of columns",    "the dilation of rows",      "the dilation of columns",
      "the padding at the top",   "the padding at the bottom", "the padding at the left",
      "the padding at the right",
  };
  for (int i = 0; i < windowIntegers; ++i) {
    const std::int64_t least = i < 6 ? 1 : 0;
    if (call.integers[i] >= least && call.integers[i] <= mostInt32) continue;
    return fault.argument("%s is %lld, expected an integer from %lld to 2^31 - 1", names[i],
                          static_cast<long long>(call.integers[i]), static_cast<long long>(least));
  }
  if (!hasRank(call, x, 3, fault) || !hasRank(call, out, 3, fault) || !sameSize(call, out, 0, x, 0, fault)) {
    return false;
  }
  for (int axis = 1; axis < 3; ++axis) {
    if (!countable(call, x, axis, fault) || !countable(call, out, axis, fault)) return false;
  }
  const RoutineView& plane = call.operands[elements];
  const std::int64_t planeElements = plane.sizes[1] * plane.sizes[2];
  if (planeElements > mostInt32) {
    return fault.argument("a plane has %lld elements, expected at most 2^31 - 1",
                          static_cast<long long>(planeElements));
  }
  const Windows windows(call, elements, pooled);
  if (call.operands[0].sizes[0] == 0 || windows.rows.count == 0 || windows.columns.count == 0) return true;
  return checkAxis(windows.rows, "rows", fault) && checkAxis(windows.columns, "columns", fault);
}

std::int64_t planeUnits(const RoutineCall& call) { return call.operands[1].sizes[0]; }

// A row of windows is computed in blocks of this many windows.
constexpr std::int64_t block = 256;

// Calls body(shift, first, last) for every step of the columns, in ascending or descending order: the windows
// w from `first` to `last` - 1 of the block have the element w stride + shift.
template <bool descending = false, class Body>
void eachStep(const Axis& columns, std::int64_t from, std::int64_t to, const Body& body) {
  const auto upwards = [&](std::int64_t n, std::int64_t unit) { return n <= 0 ? 0 : (n + unit - 1) / unit; };
  // Other steps are in the padding, for all windows of the block.
  const std::int64_t start = upwards(columns.before - (to - 1) * columns.stride, columns.dilation);
  const std::int64_t end = std::min(columns.size, upwards(columns.length + columns.before, columns.dilation));
  for (std::int64_t step = start; step < end; ++step) {
    const std::int64_t k = descending ? start + end - 1 - step : step;
    const std::int64_t shift = k * columns.dilation - columns.before;
    const std::int64_t most = (columns.length - 1 - shift) / columns.stride + 1;
    const std::int64_t first = std::max(from, upwards(-shift, columns.stride)), last = std::min(to, most);
    if (first < last) body(shift, first, last);
  }
}

// ---- maxPool

bool checkMaxPool(const RoutineCall& call, Fault& fault) {
  return checkWindows(call, 0, 1, fault) && hasType(call, out, DType::int32, fault);
}

template <class T>
void maxPlanes(const RoutineRun& run, std::int64_t from, std::int64_t to) {
  const RoutineView& view = run.call.operands[0];
  const Windows windows(run.call, 0, 1);
  const Axis &rows = windows.rows, &columns = windows.columns;
  T best[block];
  std::int32_t* where = writeAs<std::int32_t>(run, 1) + from * rows.count * columns.count;
  for (std::int64_t plane = from; plane < to; ++plane) {
    const T* const source = readAs<T>(run, 0) + plane * view.strides[0];
    for (std::int64_t row = 0; row < rows.count; ++row, where += columns.count) {
      const Axis::Steps down = rows.of(row);
      const auto line = [&](std::int64_t k) { return down.start + k * rows.dilation; };
      for (std::int64_t start = 0; start < columns.count; start += block) {
        const std::int64_t end = std::min(start + block, columns.count);
        // Starts with the first element of each window.
        for (std::int64_t w = start; w < end; ++w) {
          const Axis::Steps across = columns.of(w);
          const std::int64_t column = across.start + across.first * columns.dilation;
          best[w - start] = source[line(down.first) * view.strides[1] + column * view.strides[2]];
          where[w] = static_cast<std::int32_t>(line(down.first) * columns.length + column);
        }
        for (std::int64_t r = down.first; r < down.last; ++r) {
          const T* const in = source + line(r) * view.strides[1];
          eachStep(columns, start, end, [&](std::int64_t shift, std::int64_t first, std::int64_t last) {
            const std::int64_t number = line(r) * columns.length + shift;
            for (std::int64_t w = first; w < last; ++w) {
              const T value = in[(w * columns.stride + shift) * view.strides[2]];
              T& held = best[w - start];
              // The comparison is true for a larger value and for a NaN. A NaN that was found before stays.
              const bool better = !(value <= held) && held == held;
              held = better ? value : held;
              where[w] = better ? static_cast<std::int32_t>(w * columns.stride + number) : where[w];
            }
          });
        }
      }
    }
  }
}

bool runMaxPool(const RoutineRun& run, std::int64_t from, std::int64_t to, char*, RoutineFailure&) {
  withType(run.call.operands[0].type, [&](auto zero) { maxPlanes<decltype(zero)>(run, from, to); });
  return true;
}

// ---- avgPool

bool checkAvgPool(const RoutineCall& call, Fault& fault) {
  return checkWindows(call, 0, 1, fault) && hasType(call, out, call.operands[0].type, fault) &&
         isFlag(call, windowIntegers, "the flag that counts padding", fault);
}

// The number of elements by which the sum of a window is divided, along one axis.
double divisor(const Axis& axis, std::int64_t window, bool countPadding) {
  const Axis::Steps steps = axis.of(window);
  return static_cast<double>(countPadding ? axis.padded(window) : steps.last - steps.first);
}

template <class T>
void averagePlanes(const RoutineRun& run, std::int64_t from, std::int64_t to) {
  const RoutineView& view = run.call.operands[0];
  const Windows windows(run.call, 0, 1);
  const Axis &rows = windows.rows, &columns = windows.columns;
  const bool countPadding = run.call.integers[windowIntegers] == 1;
  double sums[block];
  T* target = writeAs<T>(run, 1) + from * rows.count * columns.count;
  for (std::int64_t plane = from; plane < to; ++plane) {
    const T* const source = readAs<T>(run, 0) + plane * view.strides[0];
    for (std::int64_t row = 0; row < rows.count; ++row, target += columns.count) {
      const Axis::Steps down = rows.of(row);
      const double height = divisor(rows, row, countPadding);
      for (std::int64_t start = 0; start < columns.count; start += block) {
        const std::int64_t end = std::min(start + block, columns.count);
        std::fill_n(sums, end - start, 0.0);
        for (std::int64_t r = down.first; r < down.last; ++r) {
          const T* const in = source + (down.start + r * rows.dilation) * view.strides[1];
          eachStep(columns, start, end, [&](std::int64_t shift, std::int64_t first, std::int64_t last) {
            for (std::int64_t w = first; w < last; ++w) {
              sums[w - start] += static_cast<double>(in[(w * columns.stride + shift) * view.strides[2]]);
            }
          });
        }
        for (std::int64_t w = start; w < end; ++w) {
          target[w] = static_cast<T>(sums[w - start] / (height * divisor(columns, w, countPadding)));
        }
      }
    }
  }
}

bool runAvgPool(const RoutineRun& run, std::int64_t from, std::int64_t to, char*, RoutineFailure&) {
  if (run.call.operands[0].type == DType::float64) {
    averagePlanes<double>(run, from, to);
  } else {
    averagePlanes<float>(run, from, to);
  }
  return true;
}

// ---- avgPoolGradient

bool checkGradient(const RoutineCall& call, Fault& fault) {
  return checkWindows(call, 1, 0, fault) && hasType(call, out, call.operands[0].type, fault) &&
         isFlag(call, windowIntegers, "the flag that counts padding", fault);
}

template <class T>
void spreadPlanes(const RoutineRun& run, std::int64_t from, std::int64_t to) {
  const RoutineView& view = run.call.operands[0];
  const Windows windows(run.call, 1, 0);
  const Axis &rows = windows.rows, &columns = windows.columns;
  const bool countPadding = run.call.integers[windowIntegers] == 1;
  T shares[block];
  for (std::int64_t plane = from; plane < to; ++plane) {
    const T* const source = readAs<T>(run, 0) + plane * view.strides[0];
    T* const target = writeAs<T>(run, 1) + plane * rows.length * columns.length;
    std::fill_n(target, rows.length * columns.length, T(0));
    for (std::int64_t row = 0; row < rows.count; ++row) {
      const Axis::Steps down = rows.of(row);
      const double height = divisor(rows, row, countPadding);
      const T* const in = source + row * view.strides[1];
      for (std::int64_t start = 0; start < columns.count; start += block) {
        const std::int64_t end = std::min(start + block, columns.count);
        for (std::int64_t w = start; w < end; ++w) {
          shares[w - start] = static_cast<T>(static_cast<double>(in[w * view.strides[2]]) /
                                             (height * divisor(columns, w, countPadding)));
        }
        for (std::int64_t r = down.first; r < down.last; ++r) {
          T* const line = target + (down.start + r * rows.dilation) * columns.length;
          // Descending, so that each element gets the shares of its windows in ascending order.
          eachStep<true>(columns, start, end, [&](std::int64_t shift, std::int64_t first, std::int64_t last) {
            for (std::int64_t w = first; w < last; ++w) line[w * columns.stride + shift] += shares[w - start];
          });
        }
      }
    }
  }
}

bool runGradient(const RoutineRun& run, std::int64_t from, std::int64_t to, char*, RoutineFailure&) {
  if (run.call.operands[0].type == DType::float64) {
    spreadPlanes<double>(run, from, to);
  } else {
    spreadPlanes<float>(run, from, to);
  }
  return true;
}

}  // namespace

extern const RoutineRow maxPoolRow, avgPoolRow, avgPoolGradientRow;
const RoutineRow maxPoolRow = {
    "maxPool", 1, 1, windowIntegers, numberDtypes, false, -1, 0, checkMaxPool, planeUnits, runMaxPool};
const RoutineRow avgPoolRow = {
    "avgPool", 1, 1, windowIntegers + 1, floatDtypes, false, -1, 0, checkAvgPool, planeUnits, runAvgPool};
const RoutineRow avgPoolGradientRow = {"avgPoolGradient", 1,          1,          windowIntegers + 1,
                                       floatDtypes,       false,      -1,         0,
                                       checkGradient,     planeUnits, runGradient};

}  // namespace forebay
