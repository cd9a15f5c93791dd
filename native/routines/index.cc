// The routines that read or write rows at indices. In all of them, x has the shape [outer, n, inner], and the
// indices are int32 from -n to n - 1. The integer of each is the axis for the report of a failure.
//
// gather               out[o, j, i] = x[o, indices[j], i]
// takeAlongAxis        out[o, j, i] = x[o, indices[o, j, i], i]
// scatterAdd           out = x, then out[o, indices[j], i] += updates[o, j, i], in the order of j
// scatterAddAlongAxis  out = x, then out[o, indices[o, j, i], i] += updates[o, j, i], in the order of j
//
// If an index is out of range, the routine fails. The report is about the first such index. If the result is
// empty, the indices are not read.
#include <algorithm>
#include <cstring>

#include "routines/support.h"

namespace forebay {

namespace {

constexpr Checked x = {"x", 0}, indices = {"indices", 1};

struct Rows {
  std::int64_t outer, n, inner;
  explicit Rows(const RoutineView& view) : outer(view.sizes[0]), n(view.sizes[1]), inner(view.sizes[2]) {}
};

// Checks what all four routines have in common. `updates` is true for the two that add.
bool checkIndices(const RoutineCall& call, int rankOfIndices, bool updates, Fault& fault) {
  const Checked rows = {updates ? "updates" : "out", 2}, out = {"out", updates ? 3 : 2};
  const DType type = call.operands[0].type;
  if (!hasRank(call, x, 3, fault) || !hasType(call, indices, DType::int32, fault) ||
      !hasRank(call, indices, rankOfIndices, fault) || !hasType(call, rows, type, fault) ||
      !hasRank(call, rows, 3, fault) || !hasType(call, out, type, fault) ||
      !sameSize(call, rows, 0, x, 0, fault) || !sameSize(call, rows, 2, x, 2, fault)) {
    return false;
  }
  if (rankOfIndices == 1 ? !sameSize(call, indices, 0, rows, 1, fault)
                         : !sameShape(call, indices, rows, fault)) {
    return false;
  }
  if (updates && !sameShape(call, out, x, fault)) return false;
  if (call.operands[0].sizes[1] == 0 && call.operands[2].sizes[1] > 0) {
    return fault.argument("axis 1 of x has no elements, so that no index is valid");
  }
  return countable(call, rows, 1, fault) && countable(call, x, 1, fault);
}

void fail(RoutineFailure& failure, const RoutineCall& call, std::int64_t position, std::int32_t value) {
  failure = {position, call.integers[0], call.operands[0].sizes[1], value};
}

// ---- gather

// Copies a row of `count` elements, `stride` apart, to contiguous memory.
template <class T>
void copyRow(T* to, const T* from, std::int64_t count, std::int64_t stride) {
  if (stride == 1) {
    std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(T));
  } else {
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[i * stride];
  }
}

bool checkGather(const RoutineCall& call, Fault& fault) { return checkIndices(call, 1, false, fault); }

std::int64_t rowUnits(const RoutineCall& call) {
  const RoutineView& out = call.operands[2];
  return out.sizes[0] * out.sizes[1];
}

// How many rows ahead of the copy the first bytes of a row are requested from memory.
constexpr std::int64_t ahead = 6;
constexpr std::size_t cacheLine = 64;

// A unit is a row of the result.
template <class T>
bool gatherRows(const RoutineRun& run, std::int64_t from, std::int64_t to, RoutineFailure& failure) {
  const RoutineView& view = run.call.operands[0];
  const Rows rows(view);
  const std::int64_t m = run.call.operands[2].sizes[1], stride = view.strides[1], step = view.strides[2];
  const std::int64_t indexStride = run.call.operands[1].strides[0];
  const T* const source = readAs<T>(run, 0);
  const std::int32_t* const list = readAs<std::int32_t>(run, 1);
  T* out = writeAs<T>(run, 2) + from * rows.inner;
  const std::size_t bytes = step == 1 ? static_cast<std::size_t>(rows.inner) * sizeof(T) : 0;
  const std::size_t requested = std::min<std::size_t>(bytes, 1024);
  for (std::int64_t o = from / m, j = from % m, unit = from; unit < to; ++unit, out += rows.inner) {
    const T* const plane = source + o * view.strides[0];
    std::int32_t value = 0;
    if (bytes > cacheLine && j + ahead < m) {
      const std::int64_t row = rowOf(list + (j + ahead) * indexStride, rows.n, value);
      const char* const next = reinterpret_cast<const char*>(plane + (row < 0 ? 0 : row) * stride);
      for (std::size_t at = 0; at < requested; at += cacheLine) __builtin_prefetch(next + at);
    }
    const std::int64_t row = rowOf(list + j * indexStride, rows.n, value);
    if (row < 0) return fail(failure, run.call, j, value), false;
    copyRow(out, plane + row * stride, rows.inner, step);
    if (++j == m) j = 0, ++o;
  }
  return true;
}

bool runGather(const RoutineRun& run, std::int64_t from, std::int64_t to, char*, RoutineFailure& failure) {
  return withType(run.call.operands[0].type,
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
  return withType(run.call.operands[0].type,
                  [&](auto zero) { return takeRows<decltype(zero)>(run, from, to, failure); });
}

// ---- scatterAdd

bool checkScatter(const RoutineCall& call, Fault& fault) { return checkIndices(call, 1, true, fault); }

// The updates, sorted by the row to which they are added. The updates of row r are those from starts[r] to
// starts[r + 1] - 1 of `order`, in ascending order. So every row of the result is written only once.
struct Sorted {
  std::int64_t n, m;
  std::int32_t *starts, *order, *rows;  // starts has n + 2 elements; rows is used only while sorting

  explicit Sorted(const RoutineRun& run)
      : n(run.call.operands[0].sizes[1]), m(run.call.operands[2].sizes[1]) {
    starts = reinterpret_cast<std::int32_t*>(run.shared);
    order = starts + n + 2;
    rows = order + m;
  }
  static std::size_t bytes(const RoutineCall& call) {
    const std::int64_t n = call.operands[0].sizes[1], m = call.operands[2].sizes[1];
    return static_cast<std::size_t>(n + 2 + 2 * m) * sizeof(std::int32_t);
  }
};

bool sortUpdates(const RoutineRun& run, RoutineFailure& failure) {
  const Sorted sorted(run);
  const std::int32_t* const list = readAs<std::int32_t>(run, 1);
  const std::int64_t stride = run.call.operands[1].strides[0];
  std::fill_n(sorted.starts, sorted.n + 2, 0);
  // starts[r + 2] counts the updates of row r. The two extra positions make starts[r + 1] the place of the
  // next update of row r, and finally the end of row r.
  for (std::int64_t j = 0; j < sorted.m; ++j) {
    std::int32_t value = 0;
    const std::int64_t row = rowOf(list + j * stride, sorted.n, value);
    if (row < 0) return fail(failure, run.call, j, value), false;
    sorted.rows[j] = static_cast<std::int32_t>(row);
    ++sorted.starts[row + 2];
  }
  for (std::int64_t r = 0; r < sorted.n; ++r) sorted.starts[r + 2] += sorted.starts[r + 1];
  for (std::int64_t j = 0; j < sorted.m; ++j) {
    sorted.order[sorted.starts[sorted.rows[j] + 1]++] = static_cast<std::int32_t>(j);
  }
  return true;
}

std::int64_t scatterUnits(const RoutineCall& call) {
  return call.operands[0].sizes[0] * call.operands[0].sizes[1];
}

template <class T>
void addRow(T* out, const T* from, std::int64_t count, std::int64_t stride) {
  if (stride == 1) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = added(out[i], from[i]);
  } else {
    for (std::int64_t i = 0; i < count; ++i) out[i] = added(out[i], from[i * stride]);
  }
}

// Writes x + updates. Used for the first update of a row, so that the row is written once.
template <class T>
void sumRow(T* out, const T* in, std::int64_t inStride, const T* from, std::int64_t stride,
            std::int64_t count) {
  if (stride == 1 && inStride == 0) {
    const T start = *in;
    for (std::int64_t i = 0; i < count; ++i) out[i] = added(start, from[i]);
  } else if (stride == 1 && inStride == 1) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = added(in[i], from[i]);
  } else {
    for (std::int64_t i = 0; i < count; ++i) out[i] = added(in[i * inStride], from[i * stride]);
  }
}

// A unit is a row of the result.
template <class T>
bool scatterRows(const RoutineRun& run, std::int64_t from, std::int64_t to) {
  const RoutineView &view = run.call.operands[0], &updates = run.call.operands[2];
  const Rows rows(view);
  const Sorted sorted(run);
  const T *const source = readAs<T>(run, 0), *const list = readAs<T>(run, 2);
  T* out = writeAs<T>(run, 3) + from * rows.inner;
  const std::size_t bytes = updates.strides[2] == 1 ? static_cast<std::size_t>(rows.inner) * sizeof(T) : 0;
  const std::size_t requested = std::min<std::size_t>(bytes, 1024);
  for (std::int64_t unit = from; unit < to; ++unit, out += rows.inner) {
    const std::int64_t o = unit / rows.n, r = unit % rows.n;
    const T* const in = source + o * view.strides[0] + r * view.strides[1];
    const T* const plane = list + o * updates.strides[0];
    std::int64_t next = sorted.starts[r];
    const std::int64_t end = sorted.starts[r + 1];
    if (next == end) {
      if (in != out || view.strides[2] != 1) copyRow(out, in, rows.inner, view.strides[2]);
      continue;
    }
    for (bool first = true; next < end; ++next, first = false) {
      if (bytes > cacheLine && next + ahead < sorted.m) {
        const char* const later =
            reinterpret_cast<const char*>(plane + sorted.order[next + ahead] * updates.strides[1]);
        for (std::size_t at = 0; at < requested; at += cacheLine) __builtin_prefetch(later + at);
      }
      const T* const update = plane + sorted.order[next] * updates.strides[1];
      if (first) {
        sumRow(out, in, view.strides[2], update, updates.strides[2], rows.inner);
      } else {
        addRow(out, update, rows.inner, updates.strides[2]);
      }
    }
  }
  return true;
}

bool runScatter(const RoutineRun& run, std::int64_t from, std::int64_t to, char*, RoutineFailure&) {
  return withType(run.call.operands[0].type,
                  [&](auto zero) { return scatterRows<decltype(zero)>(run, from, to); });
}

// ---- scatterAddAlongAxis

bool checkScatterAlong(const RoutineCall& call, Fault& fault) { return checkIndices(call, 3, true, fault); }

// The inner axis is divided into blocks of this many elements, which are independent.
constexpr std::int64_t block = 64;

std::int64_t blockUnits(const RoutineCall& call) {
  const Rows rows(call.operands[0]);
  return rows.outer * ((rows.inner + block - 1) / block);
}

// A unit is a block of the inner axis at one outer position.
template <class T>
bool scatterAlong(const RoutineRun& run, std::int64_t from, std::int64_t to, RoutineFailure& failure) {
  const RoutineView &view = run.call.operands[0], &index = run.call.operands[1],
                    &updates = run.call.operands[2];
  const Rows rows(view);
  const std::int64_t m = updates.sizes[1], blocks = (rows.inner + block - 1) / block;
  bool fine = true;
  // Goes on after a failure, because the first invalid index may be in a later unit.
  const auto invalid = [&](std::int64_t position, std::int32_t value) {
    if (fine || position < failure.index) fail(failure, run.call, position, value);
    fine = false;
  };
  for (std::int64_t unit = from; unit < to; ++unit) {
    const std::int64_t o = unit / blocks, first = unit % blocks * block;
    const std::int64_t width = std::min(block, rows.inner - first);
    const T* const source = readAs<T>(run, 0) + o * view.strides[0] + first * view.strides[2];
    const T* const list = readAs<T>(run, 2) + o * updates.strides[0] + first * updates.strides[2];
    const std::int32_t* const at =
        readAs<std::int32_t>(run, 1) + o * index.strides[0] + first * index.strides[2];
    T* const out = writeAs<T>(run, 3) + o * rows.n * rows.inner + first;
    for (std::int64_t r = 0; r < rows.n; ++r) {
      const T* const in = source + r * view.strides[1];
      if (in != out + r * rows.inner || view.strides[2] != 1) {
        copyRow(out + r * rows.inner, in, width, view.strides[2]);
      }
    }
    for (std::int64_t j = 0; j < m; ++j) {
      for (std::int64_t i = 0; i < width; ++i) {
        std::int32_t value = 0;
        const std::int64_t row = rowOf(at + j * index.strides[1] + i * index.strides[2], rows.n, value);
        if (row < 0) {
          invalid((o * m + j) * rows.inner + first + i, value);
          continue;
        }
        T& element = out[row * rows.inner + i];
        element = added(element, list[j * updates.strides[1] + i * updates.strides[2]]);
      }
    }
  }
  return fine;
}

bool runScatterAlong(const RoutineRun& run, std::int64_t from, std::int64_t to, char*,
                     RoutineFailure& failure) {
  return withType(run.call.operands[0].type,
                  [&](auto zero) { return scatterAlong<decltype(zero)>(run, from, to, failure); });
}

}  // namespace

extern const RoutineRow gatherRow, takeAlongAxisRow, scatterAddRow, scatterAddAlongAxisRow;
const RoutineRow gatherRow = {"gather", 2, 1, 1, anyDtype, true, -1, checkGather, rowUnits, runGather};
const RoutineRow takeAlongAxisRow = {"takeAlongAxis", 2,        1,      1, anyDtype, true, -1,
                                     checkTake,       rowUnits, runTake};
const RoutineRow scatterAddRow = {"scatterAdd", 3,          1,           1,
                                  anyDtype,     true,       0,           checkScatter,
                                  scatterUnits, runScatter, sortUpdates, Sorted::bytes};
const RoutineRow scatterAddAlongAxisRow = {
    "scatterAddAlongAxis", 3, 1, 1, anyDtype, true, 0, checkScatterAlong, blockUnits, runScatterAlong};

}  // namespace forebay
