// The means of windows (pooling.h).
//
// avgPool          the mean of each window. The 12th integer is 1 if padding counts as zeros. Positions
//                  beyond the padding never count.
// avgPoolGradient  the gradient of avgPool: g to x. The integers are those of avgPool.

#include "routines/pooling.h"

namespace forebay {

using namespace pooling;

namespace {

// ---- avgPool and avgPoolGradient

constexpr int countsPadding = windowIntegers + 1;

bool checkAverage(const RoutineCall& call, const Checked& elements, const Checked& pooled, Fault& fault) {
  return checkWindows(call, elements, pooled, fault) &&
         hasType(call, {"out", 1}, call.operands[0].type, fault) &&
         isFlag(call, countsPadding, "the flag that counts padding", fault);
}

bool checkAvgPool(const RoutineCall& call, Fault& fault) {
  return checkAverage(call, {"x", 0}, {"out", 1}, fault);
}

// The number of elements by which the sum of a window is divided, along one axis.
double divisor(const Axis& axis, std::int64_t window, bool countPadding) {
  const Axis::Steps steps = axis.of(window);
  return static_cast<double>(countPadding ? axis.padded(window) : steps.last - steps.first);
}

template <class T>
void averageRows(const RoutineRun& run, std::int64_t from, std::int64_t to) {
  const Pooling pooling(run, 0, 1);
  const Planes &x = pooling.x, &out = pooling.out;
  const Axis &rows = pooling.windows.rows, &columns = pooling.windows.columns;
  const bool countPadding = run.call.integers[countsPadding] == 1;
  const auto add = windowRoutines().add[itemOf<T>];
  const auto averageRow = windowRoutines().averageRow[itemOf<T>];
  const Range whole = pooling.rowAtOnce(x.isPlain());
  const bool fewWindows = pooling.areFew(x.isPlain());
  double sums[block];
  Pooling::eachRow(out, from, to, [&](std::int64_t plane, std::int64_t row) {
    const Axis::Steps down = rows.of(row);
    const double height = divisor(rows, row, countPadding);
    const auto atOnce = [&](const WindowRow& windows, std::int64_t at) {
      averageRow(windows, readAs<T>(run, 0) + at, height * static_cast<double>(columns.size),
                 writeAs<T>(run, 1) + out.at(plane, row) + whole.first);
    };
    const auto single = [&](std::int64_t window) {
      double sum = 0.0;
      pooling.eachElementOf(plane, down, window, [&](std::int64_t at, std::int32_t) {
        sum += static_cast<double>(readAs<T>(run, 0)[at]);
      });
      const double by = height * divisor(columns, window, countPadding);
      writeAs<T>(run, 1)[out.at(plane, row) + window] = static_cast<T>(sum / by);
    };
    if (whole.size() > 0 || fewWindows) return pooling.eachPart(plane, down, whole, atOnce, single);
    eachBlock(out.columns, out.lanes, x.adjacentLanes(), true, [&](const Range& some, const Range& lanes) {
      std::fill_n(sums, some.size() * lanes.size(), 0.0);
      for (std::int64_t r = down.first; r < down.last; ++r) {
        const std::int64_t line = down.start + r * rows.dilation;
        const T* const in = readAs<T>(run, 0) + x.at(plane, line);
        pooling.eachStepOf(line, some, lanes,
                           [&](const WindowStep& step, std::int64_t at, std::int64_t place) {
                             add(step, in + at, sums + place);
                           });
      }
      T* target = writeAs<T>(run, 1) + out.at(plane, row) + some.first * out.columnStride + lanes.first;
      const double* sum = sums;
      for (std::int64_t w = some.first; w < some.last; ++w) {
        const double by = height * divisor(columns, w, countPadding);
        for (std::int64_t lane = 0; lane < lanes.size(); ++lane) *target++ = static_cast<T>(*sum++ / by);
      }
    });
  });
}

bool runAvgPool(const RoutineRun& run, std::int64_t from, std::int64_t to, char*, RoutineFailure&) {
  return withFloat(run, [&](auto zero) { averageRows<decltype(zero)>(run, from, to); });
}

bool checkAvgGradient(const RoutineCall& call, Fault& fault) {
  return checkAverage(call, {"out", 1}, {"g", 0}, fault);
}

template <class T>
void spreadRows(const RoutineRun& run, std::int64_t from, std::int64_t to) {
  const Pooling pooling(run, 1, 0);
  const Planes& g = pooling.out;
  const Axis &rows = pooling.windows.rows, &columns = pooling.windows.columns;
  const bool countPadding = run.call.integers[countsPadding] == 1;
  const auto spread = windowRoutines().spread[itemOf<T>];
  if (g.isPlain() && pooling.inPairs()) {
    const auto spreadPairs = windowRoutines().spreadPairs[itemOf<T>];
    return pairRows<T>(pooling, 1, from, to,
                       [&](std::int64_t plane, std::int64_t row, std::int64_t /*line*/, T* target) {
                         const double by = divisor(rows, row, countPadding) * 2.0;
                         spreadPairs(g.columns, readAs<T>(run, 0) + g.at(plane, row), by, target);
                       });
  }
  T shares[block];
  // The divisors of the windows of a row, because each is used for many rows.
  double across[block];
  const bool held = columns.count <= block;
  for (std::int64_t w = 0; held && w < columns.count; ++w) across[w] = divisor(columns, w, countPadding);
  const bool fewWindows = pooling.areFew(g.isPlain());
  gradientRows<T>(pooling, 1, from, to, g.adjacentLanes(), true,
                  [&](std::int64_t plane, std::int64_t row, std::int64_t line, const Range& some,
                      const Range& lanes, T* target) {
                    const T* const in = readAs<T>(run, 0) + g.at(plane, row) + lanes.first * g.laneStride;
                    const double height = divisor(rows, row, countPadding);
                    T* share = shares;
                    if (held && g.isPlain()) {
                      for (std::int64_t w = some.first; w < some.last; ++w) {
                        *share++ = static_cast<T>(static_cast<double>(in[w]) / (height * across[w]));
                      }
                    }

                    for (std::int64_t w = held && g.isPlain() ? some.last : some.first; w < some.last; ++w) {
                      const double by = height * (held ? across[w] : divisor(columns, w, countPadding));
                      const T* const numbers = in + w * g.columnStride;
                      for (std::int64_t lane = 0; lane < lanes.size(); ++lane) {
                        *share++ = static_cast<T>(static_cast<double>(numbers[lane]) / by);
                      }
                    }
                    if (fewWindows) {
                      return pooling.eachColumn(
                          [&](std::int64_t w, std::int64_t column) { target[column] += shares[w]; });
                    }
                    // Descending, so that each element gets the shares of its windows in ascending order.
                    pooling.eachStepOf<true>(
                        line, some, lanes, [&](const WindowStep& step, std::int64_t at, std::int64_t place) {
                          spread(step, shares + place, target + at);
                        });
                  });
}

bool runAvgGradient(const RoutineRun& run, std::int64_t from, std::int64_t to, char*, RoutineFailure&) {
  return withFloat(run, [&](auto zero) { spreadRows<decltype(zero)>(run, from, to); });
}

}  // namespace

extern const RoutineRow avgPoolRow, avgPoolGradientRow;
const RoutineRow avgPoolRow =
    poolingRow("avgPool", 1, windowIntegers + 2, floatDtypes, checkAvgPool, runAvgPool);
const RoutineRow avgPoolGradientRow =
    poolingRow("avgPoolGradient", 1, windowIntegers + 2, floatDtypes, checkAvgGradient, runAvgGradient);

}  // namespace forebay
