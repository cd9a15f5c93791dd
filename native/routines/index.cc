// gather, takeAlongAxis and takeLabels (see index.h).
#include "routines/index.h"

namespace forebay {

bool checkIndices(const RoutineCall& call, int rankOfIndices, bool updates, Fault& fault) {
  const Checked rows = {updates ? "updates" : "out", 2}, out = {"out", updates ? 3 : 2};
  const DType type = call.operands[0].type;
  if (!hasRank(call, x, 3, fault) || !hasType(call, indices, DType::int32, fault) ||
      !hasRank(call, indices, rankOfIndices, fault) || !hasType(call, rows, type, fault) ||
      !hasRank(call, rows, 3, fault) || !hasType(call, out, type, fault) ||
      !sameSize(call, rows, 0, x, 0, fault) || !sameSize(call, rows, 2, x, 2, fault)) {
    return false;
  }
  const std::int64_t listed = call.operands[1].sizes[0], given = call.operands[2].sizes[1];
  if (rankOfIndices == 3) {
    if (!sameShape(call, indices, rows, fault)) return false;
  } else if (!updates || given == 0 || listed < given || listed % given != 0) {
    if (!sameSize(call, indices, 0, rows, 1, fault)) return false;
  }
  if (updates && !sameShape(call, out, x, fault)) return false;
  if (call.operands[0].sizes[1] == 0 && call.operands[2].sizes[1] > 0) {
    return fault.argument("axis 1 of x has no elements, so that no index is valid");
  }
  return countable(call, rows, 1, fault) && countable(call, x, 1, fault) &&
         (rankOfIndices == 3 || countable(call, indices, 0, fault));
}

namespace {

// The number of rows between the row that is copied and the row that is requested.
constexpr std::int64_t aheadOfCopies = 16;

// ---- gather

bool checkGather(const RoutineCall& call, Fault& fault) { return checkIndices(call, 1, false, fault); }

std::int64_t rowUnits(const RoutineCall& call) {
  const RoutineView& out = call.operands[2];
  return out.sizes[0] * out.sizes[1];
}

// Wide rows are listed before the first of them is copied, so that a call that fails writes nothing.
bool listsRows(const RoutineCall& call) {
  return RowAccess(call.operands[0], sizeOf(call.operands[0].type)).bytes >= worthACall;
}

std::size_t listBytes(const RoutineCall& call) {
  return listsRows(call) ? static_cast<std::size_t>(call.operands[2].sizes[1]) * sizeof(std::int32_t) : 0;
}

bool listRows(const RoutineRun& run, RoutineFailure& failure) {
  if (!listsRows(run.call)) return true;
  const std::int64_t n = run.call.operands[0].sizes[1], m = run.call.operands[2].sizes[1];
  const std::int32_t* const list = readAs<std::int32_t>(run, 1);
  const std::int64_t stride = run.call.operands[1].strides[0];
  std::int32_t* const rows = reinterpret_cast<std::int32_t*>(run.shared);
  for (std::int64_t j = 0; j < m; ++j) {
    std::int32_t value = 0;
    const std::int64_t row = rowOf(list + j * stride, n, value);
    if (row < 0) return fail(failure, run.call, j, value), false;
    rows[j] = static_cast<std::int32_t>(row);
  }
  return true;
}

// Copies the rows that listRows has found.
template <class T>
void gatherListed(const RoutineRun& run, std::int64_t from, std::int64_t to) {
  const RoutineView& view = run.call.operands[0];
  const std::int64_t inner = view.sizes[2], m = run.call.operands[2].sizes[1];
  const std::int32_t* const rows = reinterpret_cast<const std::int32_t*>(run.shared);
  const RowAccess access(view, sizeof(T));
  T* out = writeAs<T>(run, 2) + from * inner;
  for (std::int64_t unit = from, o = from / m, j = from % m; unit < to; ++unit, out += inner) {
    const T* const plane = readAs<T>(run, 0) + o * view.strides[0];
    if (access.requested > 0 && j + aheadOfCopies < m) {
      access.request(plane + rows[j + aheadOfCopies] * view.strides[1]);
    }
    std::memcpy(out, plane + rows[j] * view.strides[1], access.bytes);
    if (++j == m) {
      j = 0;
      ++o;
    }
  }
}

// A unit is a row of the result.
template <class T>
bool gatherRows(const RoutineRun& run, std::int64_t from, std::int64_t to, RoutineFailure& failure) {
  if (listsRows(run.call)) return gatherListed<T>(run, from, to), true;
  const RoutineView& view = run.call.operands[0];
  const Rows rows(view);
  const std::int64_t m = run.call.operands[2].sizes[1], indexStride = run.call.operands[1].strides[0];
  const T* const source = readAs<T>(run, 0);
  const std::int32_t* const list = readAs<std::int32_t>(run, 1);
  T* out = writeAs<T>(run, 2) + from * rows.inner;
  for (std::int64_t unit = from; unit < to; ++unit, out += rows.inner) {
    const std::int64_t o = unit / m, j = unit % m;
    std::int32_t value = 0;
    const std::int64_t row = rowOf(list + j * indexStride, rows.n, value);
    if (row < 0) return fail(failure, run.call, j, value), false;
    copyRow(out, source + o * view.strides[0] + row * view.strides[1], rows.inner, view.strides[2]);
  }
  return true;
}

bool runGather(const RoutineRun& run, std::int64_t from, std::int64_t to, char*, RoutineFailure& failure) {
  return withSize(run.call.operands[0].type,
                  [&](auto zero) { return gatherRows<decltype(zero)>(run, from, to, failure); });
}

// ---- takeAlongAxis

bool checkTake(const RoutineCall& call, Fault& fault) { return checkIndices(call, 3, false, fault); }

// A unit is a row of the result.
template <class T>
bool takeRows(const RoutineRun& run, std::int64_t from, std::int64_t to, RoutineFailure& failure) {
  const RoutineView &view = run.call.operands[0], &index = run.call.operands[1];
  const Rows rows(view);
  const std::int64_t m = run.call.operands[2].sizes[1];
  const T* const source = readAs<T>(run, 0);
  const std::int32_t* const list = readAs<std::int32_t>(run, 1);
  T* out = writeAs<T>(run, 2) + from * rows.inner;
  for (std::int64_t unit = from; unit < to; ++unit, out += rows.inner) {
    const std::int64_t o = unit / m, j = unit % m;
    const T* const plane = source + o * view.strides[0];
    const std::int32_t* const at = list + o * index.strides[0] + j * index.strides[1];
    for (std::int64_t i = 0; i < rows.inner; ++i) {
      std::int32_t value = 0;
      const std::int64_t row = rowOf(at + i * index.strides[2], rows.n, value);
      if (row < 0) return fail(failure, run.call, unit * rows.inner + i, value), false;
      out[i] = plane[row * view.strides[1] + i * view.strides[2]];
    }
  }
  return true;
}

bool runTake(const RoutineRun& run, std::int64_t from, std::int64_t to, char*, RoutineFailure& failure) {
  return withSize(run.call.operands[0].type,
                  [&](auto zero) { return takeRows<decltype(zero)>(run, from, to, failure); });
}

// ---- takeLabels

bool checkLabels(const RoutineCall& call, Fault& fault) {
  constexpr Checked labels = {"labels", 1}, out = {"out", 2};
  if (!hasRank(call, x, 2, fault) || !hasType(call, labels, DType::int32, fault) ||
      !hasRank(call, labels, 1, fault) || !hasType(call, out, call.operands[0].type, fault) ||
      !hasRank(call, out, 1, fault) || !sameSize(call, labels, 0, x, 0, fault) ||
      !sameSize(call, out, 0, x, 0, fault)) {
    return false;
  }
  if (call.integers[0] > INT32_MAX) return fault.argument("the offset of the labels is too large");
  return countable(call, x, 1, fault);
}

std::int64_t labelUnits(const RoutineCall& call) { return call.operands[2].sizes[0]; }

// A unit is a row.
template <class T>
bool takeLabels(const RoutineRun& run, std::int64_t from, std::int64_t to, RoutineFailure& failure) {
  const RoutineView &view = run.call.operands[0], &labels = run.call.operands[1];
  const std::int64_t classes = view.sizes[1], offset = run.call.integers[0];
  const T* const source = readAs<T>(run, 0);
  const std::int32_t* const list = readAs<std::int32_t>(run, 1);
  T* const out = writeAs<T>(run, 2);
  for (std::int64_t row = from; row < to; ++row) {
    const std::int32_t label = *static_cast<const volatile std::int32_t*>(list + row * labels.strides[0]);
    const std::int64_t at = label + offset;
    if (at < 0 || at >= classes) return failure = {row, -1, classes, label}, false;
    out[row] = source[row * view.strides[0] + at * view.strides[1]];
  }
  return true;
}

bool runTakeLabels(const RoutineRun& run, std::int64_t from, std::int64_t to, char*,
                   RoutineFailure& failure) {
  return withSize(run.call.operands[0].type,
                  [&](auto zero) { return takeLabels<decltype(zero)>(run, from, to, failure); });
}

}  // namespace

extern const RoutineRow gatherRow, takeAlongAxisRow, takeLabelsRow;
const RoutineRow gatherRow = {"gather",  2,       1,           1,        anyDtype,  true,
                              -1,        0,       checkGather, rowUnits, runGather, listRows,
                              listBytes, nullptr, false,       listsRows};
const RoutineRow takeAlongAxisRow = {"takeAlongAxis", 2,        1,      1, anyDtype, true, -1, 0,
                                     checkTake,       rowUnits, runTake};
const RoutineRow takeLabelsRow = {"takeLabels", 2, 1,           1,          anyDtype,     true,
                                  -1,           0, checkLabels, labelUnits, runTakeLabels};

}  // namespace forebay
