// The largest elements of windows (pooling.h).
//
// maxPool          the index of the largest element of each window, as int32: row width + column in its
//                  channel of its image. The padding is less than any element. The first of equal elements is
//                  taken. A NaN counts as the largest.
// maxPoolValues    the elements of x at the indices that maxPool returns, the second read. An index that is
//                  not in its window gives 0.
// maxPoolGradient  the gradient of maxPoolValues: g (an element for each window) and the indices to x. An
//                  index that is not in its window is ignored.

#include <limits>

#include "routines/pooling.h"

namespace forebay {

using namespace pooling;

namespace {

// ---- maxPool

bool checkMaxPool(const RoutineCall& call, Fault& fault) {
  const Checked out = {"out", 1};
  return checkWindows(call, {"x", 0}, out, fault) && hasType(call, out, DType::int32, fault);
}

// Sets the index of each window to that of its first element.
void startWinners(const Axis& columns, std::int64_t row, const Range& some, std::int64_t lanes,
                  std::int32_t* winners) {
  for (std::int64_t w = some.first; w < some.last; ++w, winners += lanes) {
    std::fill_n(winners, lanes, static_cast<std::int32_t>(row * columns.length + columns.firstOf(w)));
  }
}

template <class T>
void maxRows(const RoutineRun& run, std::int64_t from, std::int64_t to) {
  const Pooling pooling(run, 0, 1);
  const Planes &x = pooling.x, &out = pooling.out;
  const Axis& rows = pooling.windows.rows;
  const auto largest = windowRoutines().largest[itemOf<T>];
  const auto largestOfRow = windowRoutines().largestOfRow[itemOf<T>];
  // No element replaces this number and the first index, unless it is larger than this number or NaN.
  constexpr T least = std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                           : std::numeric_limits<T>::lowest();
  const Range whole = pooling.rowAtOnce(x.isPlain());
  const bool fewWindows = pooling.areFew(x.isPlain());
  T best[block];
  Pooling::eachRow(out, from, to, [&](std::int64_t plane, std::int64_t row) {
    const Axis::Steps down = rows.of(row);
    const auto atOnce = [&](const WindowRow& windows, std::int64_t at) {
      std::int32_t* const winners = writeAs<std::int32_t>(run, 1) + out.at(plane, row) + whole.first;
      largestOfRow(windows, readAs<T>(run, 0) + at, &least, winners);
    };
    const auto single = [&](std::int64_t window) {
      const std::int64_t line = down.start + down.first * rows.dilation;
      const Axis& columns = pooling.windows.columns;
      T held = least;
      auto winner = static_cast<std::int32_t>(line * columns.length + columns.firstOf(window));
      pooling.eachElementOf(plane, down, window, [&](std::int64_t at, std::int32_t index) {
        const T value = readAs<T>(run, 0)[at];
        const bool better = !(value <= held) & (held == held);
        held = better ? value : held;
        winner = better ? index : winner;
      });
      writeAs<std::int32_t>(run, 1)[out.at(plane, row) + window] = winner;
    };
    if (whole.size() > 0 || fewWindows) return pooling.eachPart(plane, down, whole, atOnce, single);
    eachBlock(out.columns, out.lanes, x.adjacentLanes(), true, [&](const Range& some, const Range& lanes) {
      std::int32_t* const winners =
          writeAs<std::int32_t>(run, 1) + out.at(plane, row) + some.first * out.columnStride + lanes.first;
      startWinners(pooling.windows.columns, down.start + down.first * rows.dilation, some, lanes.size(),
                   winners);
      std::fill_n(best, some.size() * lanes.size(), least);
      for (std::int64_t r = down.first; r < down.last; ++r) {
        const std::int64_t line = down.start + r * rows.dilation;
        const T* const in = readAs<T>(run, 0) + x.at(plane, line);
        pooling.eachStepOf(line, some, lanes,
                           [&](const WindowStep& step, std::int64_t at, std::int64_t place) {
                             largest(step, in + at, best + place, winners + place);
                           });
      }
    });
  });
}

bool runMaxPool(const RoutineRun& run, std::int64_t from, std::int64_t to, char*, RoutineFailure&) {
  withType(run.call.operands[0].type, [&](auto zero) { maxRows<decltype(zero)>(run, from, to); });
  return true;
}

// ---- maxPoolValues and maxPoolGradient

// Checks the indices, operand 1, which are as many as the elements of `pooled`.
bool checkWinners(const RoutineCall& call, const Checked& elements, const Checked& pooled, Fault& fault) {
  const Checked indices = {"indices", 1};
  return checkWindows(call, elements, pooled, fault) && hasType(call, indices, DType::int32, fault) &&
         sameShape(call, indices, pooled, fault) && hasType(call, {"out", 2}, call.operands[0].type, fault);
}

bool checkValues(const RoutineCall& call, Fault& fault) {
  return checkWinners(call, {"x", 0}, {"out", 2}, fault);
}

template <class T>
void takeRows(const RoutineRun& run, std::int64_t from, std::int64_t to) {
  const Pooling pooling(run, 0, 2);
  const Planes &x = pooling.x, &out = pooling.out, indices = pooling.planes(1);
  const Axis& rows = pooling.windows.rows;
  const auto take = windowRoutines().take[itemOf<T>];
  const auto takeRow = windowRoutines().takeRow[itemOf<T>];
  const Range whole = pooling.rowAtOnce(x.isPlain() && indices.isPlain());
  const bool fewWindows = pooling.areFew(x.isPlain() && indices.isPlain());
  Pooling::eachRow(out, from, to, [&](std::int64_t plane, std::int64_t row) {
    const Axis::Steps down = rows.of(row);
    const std::int32_t* const list = readAs<std::int32_t>(run, 1) + indices.at(plane, row);
    T* const written = writeAs<T>(run, 2) + out.at(plane, row);
    const bool lanesToo = x.adjacentLanes() && indices.adjacentLanes();
    const auto atOnce = [&](const WindowRow& windows, std::int64_t at) {
      takeRow(windows, readAs<T>(run, 0) + at, list + whole.first, written + whole.first);
    };
    const auto single = [&](std::int64_t window) {
      T taken = T(0);
      pooling.eachElementOf(plane, down, window, [&](std::int64_t at, std::int32_t index) {
        taken = list[window] == index ? readAs<T>(run, 0)[at] : taken;
      });
      written[window] = taken;
    };
    if (whole.size() > 0 || fewWindows) return pooling.eachPart(plane, down, whole, atOnce, single);
    eachBlock(out.columns, out.lanes, lanesToo, indices.adjacentColumns(),
              [&](const Range& some, const Range& lanes) {
                const std::int32_t* const winners =
                    list + some.first * indices.columnStride + lanes.first * indices.laneStride;
                T* const taken = written + some.first * out.columnStride + lanes.first;
                std::fill_n(taken, some.size() * lanes.size(), T(0));
                for (std::int64_t r = down.first; r < down.last; ++r) {
                  const std::int64_t line = down.start + r * rows.dilation;
                  const T* const in = readAs<T>(run, 0) + x.at(plane, line);
                  pooling.eachStepOf(line, some, lanes,
                                     [&](const WindowStep& step, std::int64_t at, std::int64_t place) {
                                       take(step, in + at, winners + place, taken + place);
                                     });
                }
              });
  });
}

bool runValues(const RoutineRun& run, std::int64_t from, std::int64_t to, char*, RoutineFailure&) {
  withType(run.call.operands[0].type, [&](auto zero) { takeRows<decltype(zero)>(run, from, to); });
  return true;
}

bool checkMaxGradient(const RoutineCall& call, Fault& fault) {
  return checkWinners(call, {"out", 2}, {"g", 0}, fault);
}

template <class T>
void giveRows(const RoutineRun& run, std::int64_t from, std::int64_t to) {
  const Pooling pooling(run, 2, 0);
  const Planes &g = pooling.out, indices = pooling.planes(1);
  const auto give = windowRoutines().give[itemOf<T>];
  if (g.isPlain() && indices.isPlain() && pooling.inPairs()) {
    const auto givePairs = windowRoutines().givePairs[itemOf<T>];
    return pairRows<T>(pooling, 2, from, to,
                       [&](std::int64_t plane, std::int64_t row, std::int64_t line, T* target) {
                         givePairs(g.columns, readAs<T>(run, 0) + g.at(plane, row),
                                   readAs<std::int32_t>(run, 1) + indices.at(plane, row),
                                   static_cast<std::int32_t>(line * pooling.x.columns), target);
                       });
  }
  const bool fewWindows = pooling.areFew(g.isPlain() && indices.isPlain());
  gradientRows<T>(pooling, 2, from, to, g.adjacentLanes() && indices.adjacentLanes(),
                  g.adjacentColumns() && indices.adjacentColumns(),
                  [&](std::int64_t plane, std::int64_t row, std::int64_t line, const Range& some,
                      const Range& lanes, T* target) {
                    const T* const numbers = readAs<T>(run, 0) + g.at(plane, row) +
                                             some.first * g.columnStride + lanes.first * g.laneStride;
                    const std::int32_t* const winners =
                        readAs<std::int32_t>(run, 1) + indices.at(plane, row) +
                        some.first * indices.columnStride + lanes.first * indices.laneStride;
                    if (fewWindows) {
                      return pooling.eachColumn([&](std::int64_t w, std::int64_t column) {
                        const auto index = static_cast<std::int32_t>(line * pooling.x.columns + column);
                        if (winners[w] == index) target[column] += numbers[w];
                      });
                    }
                    // Descending, so that each element gets the numbers of its windows in ascending order.
                    pooling.eachStepOf<true>(
                        line, some, lanes, [&](const WindowStep& step, std::int64_t at, std::int64_t place) {
                          give(step, numbers + place, winners + place, target + at);
                        });
                  });
}

bool runMaxGradient(const RoutineRun& run, std::int64_t from, std::int64_t to, char*, RoutineFailure&) {
  return withFloat(run, [&](auto zero) { giveRows<decltype(zero)>(run, from, to); });
}

}  // namespace

extern const RoutineRow maxPoolRow, maxPoolValuesRow, maxPoolGradientRow;
const RoutineRow maxPoolRow =
    poolingRow("maxPool", 1, windowIntegers + 1, numberDtypes, checkMaxPool, runMaxPool);
const RoutineRow maxPoolValuesRow =
    poolingRow("maxPoolValues", 2, windowIntegers + 1, numberDtypes, checkValues, runValues);
const RoutineRow maxPoolGradientRow =
    poolingRow("maxPoolGradient", 2, windowIntegers + 1, floatDtypes, checkMaxGradient, runMaxGradient);

}  // namespace forebay
