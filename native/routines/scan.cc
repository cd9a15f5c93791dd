// The routines that go along an axis once. x has the shape [outer, n, inner].
//
// cumsum  out[o, j, i] = the sum of x[o, 0 … j, i]; with the integer `reverse` = 1, of x[o, j … n - 1, i].
//         Floats are accumulated in double and rounded at every element; int32 wraps around.
// cumprod  out[o, j, i] = the product of x[o, 0 … j, i], accumulated in double and rounded at every element
// recurrence  reads b, then a. out[o, j, i] = b[o, j, i] + a[o, j, i] out[o, j - 1, i]; with the integer
//         `reverse` = 1, b[o, j, i] + a[o, j + 1, i] out[o, j + 1, i], its adjoint. Beyond the ends, out is
//         0; so a is not read at j = 0. Accumulated in double and rounded at every element.
// argmin  the index of the first NaN or, if there is none, of the first minimum, as int32 [outer, inner]
#include <algorithm>

#include "routines/support.h"

namespace forebay {

namespace {

constexpr Checked x = {"x", 0}, out = {"out", 1};

// The inner axis is divided into blocks of this many elements, which are independent.
constexpr std::int64_t block = 64;

std::int64_t blockUnits(const RoutineCall& call) {
  return call.operands[0].sizes[0] * ((call.operands[0].sizes[2] + block - 1) / block);
}

// Calls `body` with a value of the C++ type of `type`, which is float32 or float64.
template <class Body>
auto withFloat(DType type, const Body& body) {
  if (type == DType::float64) return body(double());
  return body(float());
}

// A unit of work: a block of the inner axis at one outer position.
struct Block {
  std::int64_t o, first, width;
  Block(const RoutineView& view, std::int64_t unit) {
    const std::int64_t blocks = (view.sizes[2] + block - 1) / block;
    o = unit / blocks;
    first = unit % blocks * block;
    width = std::min(block, view.sizes[2] - first);
  }
};

bool checkCumsum(const RoutineCall& call, Fault& fault) {
  return hasRank(call, x, 3, fault) && hasType(call, out, call.operands[0].type, fault) &&
         sameShape(call, out, x, fault) && isFlag(call, 0, "reverse", fault);
}

template <class T>
using Sum = std::conditional_t<std::is_integral_v<T>, T, double>;

template <class T>
void cumsumBlocks(const RoutineRun& run, std::int64_t from, std::int64_t to) {
  const RoutineView& view = run.call.operands[0];
  const std::int64_t n = view.sizes[1], inner = view.sizes[2];
  const bool reverse = run.call.integers[0] == 1;
  for (std::int64_t unit = from; unit < to; ++unit) {
    const Block at(view, unit);
    const T* const source = readAs<T>(run, 0) + at.o * view.strides[0] + at.first * view.strides[2];
    T* const target = writeAs<T>(run, 1) + at.o * n * inner + at.first;
    Sum<T> sums[block] = {};
    for (std::int64_t step = 0; step < n; ++step) {
      const std::int64_t j = reverse ? n - 1 - step : step;
      const T* const in = source + j * view.strides[1];
      T* const result = target + j * inner;
      for (std::int64_t i = 0; i < at.width; ++i) {
        sums[i] = added(sums[i], static_cast<Sum<T>>(in[i * view.strides[2]]));
        result[i] = static_cast<T>(sums[i]);
      }
    }
  }
}

bool runCumsum(const RoutineRun& run, std::int64_t from, std::int64_t to, char*, RoutineFailure&) {
  withType(run.call.operands[0].type, [&](auto zero) { cumsumBlocks<decltype(zero)>(run, from, to); });
  return true;
}

bool checkCumprod(const RoutineCall& call, Fault& fault) {
  return hasRank(call, x, 3, fault) && hasType(call, out, call.operands[0].type, fault) &&
         sameShape(call, out, x, fault);
}

template <class T>
void cumprodBlocks(const RoutineRun& run, std::int64_t from, std::int64_t to) {
  const RoutineView& view = run.call.operands[0];
  const std::int64_t n = view.sizes[1], inner = view.sizes[2];
  for (std::int64_t unit = from; unit < to; ++unit) {
    const Block at(view, unit);
    const T* const source = readAs<T>(run, 0) + at.o * view.strides[0] + at.first * view.strides[2];
    T* const target = writeAs<T>(run, 1) + at.o * n * inner + at.first;
    double products[block];
    std::fill_n(products, block, 1.0);
    for (std::int64_t j = 0; j < n; ++j) {
      const T* const in = source + j * view.strides[1];
      T* const result = target + j * inner;
      for (std::int64_t i = 0; i < at.width; ++i) {
        products[i] *= static_cast<double>(in[i * view.strides[2]]);
        result[i] = static_cast<T>(products[i]);
      }
    }
  }
}

bool runCumprod(const RoutineRun& run, std::int64_t from, std::int64_t to, char*, RoutineFailure&) {
  withFloat(run.call.operands[0].type, [&](auto zero) { cumprodBlocks<decltype(zero)>(run, from, to); });
  return true;
}

bool checkRecurrence(const RoutineCall& call, Fault& fault) {
  constexpr Checked b = {"b", 0}, a = {"a", 1}, result = {"out", 2};
  const DType type = call.operands[0].type;
  return hasRank(call, b, 3, fault) && hasType(call, a, type, fault) && sameShape(call, a, b, fault) &&
         hasType(call, result, type, fault) && sameShape(call, result, b, fault) &&
         isFlag(call, 0, "reverse", fault);
}

template <class T>
void recurrenceBlocks(const RoutineRun& run, std::int64_t from, std::int64_t to) {
  const RoutineView &b = run.call.operands[0], &a = run.call.operands[1];
  const std::int64_t n = b.sizes[1], inner = b.sizes[2];
  const bool reverse = run.call.integers[0] == 1;
  for (std::int64_t unit = from; unit < to; ++unit) {
    const Block at(b, unit);
    const T* const terms = readAs<T>(run, 0) + at.o * b.strides[0] + at.first * b.strides[2];
    const T* const factors = readAs<T>(run, 1) + at.o * a.strides[0] + at.first * a.strides[2];
    T* const target = writeAs<T>(run, 2) + at.o * n * inner + at.first;
    double last[block];
    for (std::int64_t step = 0; step < n; ++step) {
      const std::int64_t j = reverse ? n - 1 - step : step;
      const T* const term = terms + j * b.strides[1];
      T* const result = target + j * inner;
      if (step == 0) {
        for (std::int64_t i = 0; i < at.width; ++i) last[i] = static_cast<double>(term[i * b.strides[2]]);
      } else {
        const T* const factor = factors + (reverse ? j + 1 : j) * a.strides[1];
        for (std::int64_t i = 0; i < at.width; ++i) {
          const double scaled = static_cast<double>(factor[i * a.strides[2]]) * last[i];
          last[i] = static_cast<double>(term[i * b.strides[2]]) + scaled;
        }
      }
      for (std::int64_t i = 0; i < at.width; ++i) result[i] = static_cast<T>(last[i]);
    }
  }
}

bool runRecurrence(const RoutineRun& run, std::int64_t from, std::int64_t to, char*, RoutineFailure&) {
  withFloat(run.call.operands[0].type, [&](auto zero) { recurrenceBlocks<decltype(zero)>(run, from, to); });
  return true;
}

bool checkArgmin(const RoutineCall& call, Fault& fault) {
  if (!hasRank(call, x, 3, fault) || !hasType(call, out, DType::int32, fault) ||
      !hasRank(call, out, 2, fault) || !sameSize(call, out, 0, x, 0, fault) ||
      !sameSize(call, out, 1, x, 2, fault) || !countable(call, x, 1, fault)) {
    return false;
  }
  return call.operands[0].sizes[1] > 0 || fault.argument("axis 1 of x has no elements, expected at least 1");
}

template <class T>
void argminBlocks(const RoutineRun& run, std::int64_t from, std::int64_t to) {
  const RoutineView& view = run.call.operands[0];
  for (std::int64_t unit = from; unit < to; ++unit) {
    const Block at(view, unit);
    const T* const source = readAs<T>(run, 0) + at.o * view.strides[0] + at.first * view.strides[2];
    std::int32_t* const where = writeAs<std::int32_t>(run, 1) + at.o * view.sizes[2] + at.first;
    T best[block];
    for (std::int64_t i = 0; i < at.width; ++i) {
      best[i] = source[i * view.strides[2]];
      where[i] = 0;
    }
    for (std::int64_t j = 1; j < view.sizes[1]; ++j) {
      const T* const in = source + j * view.strides[1];
      for (std::int64_t i = 0; i < at.width; ++i) {
        const T value = in[i * view.strides[2]];
        // The comparison is true for a smaller value and for a NaN. A NaN that was found before stays.
        const bool better = !(value >= best[i]) && best[i] == best[i];
        best[i] = better ? value : best[i];
        where[i] = better ? static_cast<std::int32_t>(j) : where[i];
      }
    }
  }
}

bool runArgmin(const RoutineRun& run, std::int64_t from, std::int64_t to, char*, RoutineFailure&) {
  withType(run.call.operands[0].type, [&](auto zero) { argminBlocks<decltype(zero)>(run, from, to); });
  return true;
}

}  // namespace

extern const RoutineRow cumsumRow, cumprodRow, recurrenceRow, argminRow;
const RoutineRow cumsumRow = {"cumsum", 1, 1,           1,          numberDtypes, false,
                              0,        0, checkCumsum, blockUnits, runCumsum};
const RoutineRow argminRow = {"argmin", 1, 1,           0,          numberDtypes, false,
                              -1,       0, checkArgmin, blockUnits, runArgmin};
const RoutineRow cumprodRow = {"cumprod",    1,          1,         0, floatDtypes, false, 0, 0,
                               checkCumprod, blockUnits, runCumprod};
const RoutineRow recurrenceRow = {
    "recurrence", 2, 1, 1, floatDtypes, false, 0, 0, checkRecurrence, blockUnits, runRecurrence};

}  // namespace forebay
