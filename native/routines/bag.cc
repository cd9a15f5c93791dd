// gatherSum: sums of rows at indices, such as the sums of the embeddings of the words of a text. The rows are
// not stored.
//
// x is [n, inner], and the indices [rows, terms] are int32 from -n to n - 1. out [rows, inner] is
// out[r, i] = the sum over t of x[indices[r, t], i], accumulated in double, at most mostListedTerms
// terms one after another. The integer is the axis for the
// report of a failure. If an index is out of range, the routine fails. The report is about the first such
// index.
#include "kernels/bodies.h"
#include "kernels/row_routines.h"
#include "routines/index.h"

namespace forebay {

namespace {

bool checkGatherSum(const RoutineCall& call, Fault& fault) {
  constexpr Checked out = {"out", 2};
  const DType type = call.operands[0].type;
  if (!hasRank(call, x, 2, fault) || !hasType(call, indices, DType::int32, fault) ||
      !hasRank(call, indices, 2, fault) || !hasType(call, out, type, fault) ||
      !hasRank(call, out, 2, fault) || !sameSize(call, out, 0, indices, 0, fault) ||
      !sameSize(call, out, 1, x, 1, fault)) {
    return false;
  }
  if (call.operands[0].sizes[0] == 0 && call.operands[1].sizes[1] > 0) {
    return fault.argument("axis 0 of x has no elements, so that no index is valid");
  }
  return countable(call, x, 0, fault);
}

std::int64_t bagUnits(const RoutineCall& call) { return call.operands[2].sizes[0]; }

// The rows that are added: rows x terms x inner elements.
double bagWork(const RoutineCall& call) {
  const RoutineView &index = call.operands[1], &out = call.operands[2];
  return static_cast<double>(index.sizes[0]) * static_cast<double>(index.sizes[1]) *
         static_cast<double>(out.sizes[1]);
}

// The indices of the rows, checked.
std::size_t listBytes(const RoutineCall& call) {
  const std::int64_t* const sizes = call.operands[1].sizes;
  return static_cast<std::size_t>(sizes[0] * sizes[1]) * sizeof(std::int32_t);
}

bool listTerms(const RoutineRun& run, RoutineFailure& failure) {
  const RoutineView& index = run.call.operands[1];
  const std::int64_t n = run.call.operands[0].sizes[0], terms = index.sizes[1];
  const std::int32_t* const list = readAs<std::int32_t>(run, 1);
  std::int32_t* const at = reinterpret_cast<std::int32_t*>(run.shared);
  for (std::int64_t r = 0; r < index.sizes[0]; ++r) {
    for (std::int64_t t = 0; t < terms; ++t) {
      std::int32_t value = 0;
      const std::int64_t row = rowOf(list + r * index.strides[0] + t * index.strides[1], n, value);
      if (row < 0) return failure = {r * terms + t, run.call.integers[0], n, value}, false;
      at[r * terms + t] = static_cast<std::int32_t>(row);
    }
  }
  return true;
}

bool alwaysFirst(const RoutineCall&) { return true; }

// Adds rows whose elements are not adjacent.
template <class T>
void sumStrided(const T* source, const RoutineView& view, const std::int32_t* at, std::int64_t terms,
                T* out) {
  constexpr std::int64_t block = mostListedTerms;
  for (std::int64_t i = 0; i < view.sizes[1]; ++i) {
    double total = 0;
    for (std::int64_t from = 0; from < terms; from += block) {
      double sum = 0;
      for (std::int64_t t = from; t < std::min(from + block, terms); ++t) {
        sum += static_cast<double>(source[at[t] * view.strides[0] + i * view.strides[1]]);
      }
      total += sum;
    }
    out[i] = static_cast<T>(total);
  }
}

// A unit is a row of the result.
template <class T>
void sumBags(const RoutineRun& run, std::int64_t from, std::int64_t to) {
  const RoutineView& view = run.call.operands[0];
  const std::int64_t inner = view.sizes[1], terms = run.call.operands[1].sizes[1];
  const T* const source = readAs<T>(run, 0);
  const std::int32_t* at = reinterpret_cast<const std::int32_t*>(run.shared) + from * terms;
  const auto sum = chosen().body->rows->sumListed[std::is_same_v<T, double>];
  const std::size_t ahead = requestedBytes(view, 1, sizeof(T));
  T* out = writeAs<T>(run, 2) + from * inner;
  for (std::int64_t r = from; r < to; ++r, out += inner, at += terms) {
    if (view.strides[1] == 1) {
      sum(source, view.strides[0], at, static_cast<std::size_t>(terms), static_cast<std::size_t>(inner),
          ahead, out);
    } else {
      sumStrided(source, view, at, terms, out);
    }
  }
}

bool runGatherSum(const RoutineRun& run, std::int64_t from, std::int64_t to, char*, RoutineFailure&) {
  const bool isDouble = run.call.operands[0].type == DType::float64;
  (isDouble ? sumBags<double> : sumBags<float>)(run, from, to);
  return true;
}

}  // namespace

extern const RoutineRow gatherSumRow;
const RoutineRow gatherSumRow = {"gatherSum",
                                 2,
                                 1,
                                 1,
                                 floatDtypes,
                                 true,
                                 -1,
                                 0,
                                 checkGatherSum,
                                 bagUnits,
                                 runGatherSum,
                                 listTerms,
                                 listBytes,
                                 nullptr,
                                 false,
                                 alwaysFirst,
                                 false,
                                 -1,
                                 nullptr,
                                 bagWork};

}  // namespace forebay
