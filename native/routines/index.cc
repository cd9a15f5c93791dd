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

#include "kernels/bodies.h"
#include "kernels/row_routines.h"
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

// Results of at least this many bytes are written around the caches, which could not keep them.
constexpr double farBytes = 1 << 24;

// How the rows of an operand are read or written: as whole rows of contiguous elements, or one element at a
// time.
struct RowAccess {
  std::size_t bytes;      // of a row; 0 if its elements are not contiguous
  std::size_t requested;  // the bytes of a later row that are requested from memory in advance
  RowAccess(const RoutineView& view, std::size_t size)
      : bytes(view.strides[2] == 1 ? static_cast<std::size_t>(view.sizes[2]) * size : 0),
        requested(bytes > cacheLine && bytes * static_cast<std::size_t>(view.sizes[1]) >= nearBytes
                      ? std::min(bytes, mostRequested)
                      : 0) {}

  void request(const void* row) const {
    const char* const from = static_cast<const char*>(row);
    for (std::size_t at = 0; at < requested; at += cacheLine) __builtin_prefetch(from + at, 0, 3);
  }

 private:
  static constexpr std::size_t cacheLine = 64, mostRequested = 1024;
  // Rows of fewer bytes than this are in a near cache. Requests would only cost time.
  static constexpr std::size_t nearBytes = 1 << 20;
};
// With rows of fewer bytes than this, a call of a body's routine takes longer than its work.
constexpr std::size_t worthACall = 64;
// The number of rows between the row that is used and the row that is requested.
constexpr std::int64_t aheadOfCopies = 16, aheadOfSums = 32;

const RowRoutines& rowRoutines() { return *chosen().body->rows; }

// Returns true if the rows of a result are written around the caches.
bool writesFar(const RoutineView& out, const void* data) {
  const double size = static_cast<double>(sizeOf(out.type)), row = static_cast<double>(out.sizes[2]) * size;
  const bool aligned = reinterpret_cast<std::uintptr_t>(data) % streamAlignment == 0 &&
                       static_cast<std::size_t>(row) % streamAlignment == 0;
  return aligned && row * static_cast<double>(out.sizes[0]) * static_cast<double>(out.sizes[1]) >= farBytes;
}

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

// Writes x + updates for one row, one element at a time.
template <class T>
void addStrided(T* out, const T* in, std::int64_t inStride, const T* update, std::int64_t stride,
                std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = added(in[i * inStride], update[i * stride]);
}

// A unit is a row of the result.
template <class T>
bool scatterRows(const RoutineRun& run, std::int64_t from, std::int64_t to) {
  const RoutineView &view = run.call.operands[0], &updates = run.call.operands[2];
  const Rows rows(view);
  const Sorted sorted(run);
  const T *const source = readAs<T>(run, 0), *const list = readAs<T>(run, 2);
  const RowAccess access(updates, sizeof(T));
  const RowRoutines& body = rowRoutines();
  const auto add = body.sum[static_cast<int>(view.type)];
  const bool whole = access.bytes >= worthACall && view.strides[2] <= 1;
  // If x is in memory, its rows are read between the writes. This breaks up writes around the caches, which
  // then take more time than others (random rows of 512 bytes: 1.3 times as long).
  const bool far = whole && view.strides[2] == 0 && writesFar(run.call.operands[3], run.data[3]);
  T* out = writeAs<T>(run, 3) + from * rows.inner;
  for (std::int64_t unit = from; unit < to; ++unit, out += rows.inner) {
    const std::int64_t o = unit / rows.n, r = unit % rows.n;
    const T* in = source + o * view.strides[0] + r * view.strides[1];
    const T* const plane = list + o * updates.strides[0];
    std::int64_t next = sorted.starts[r], inStride = view.strides[2];
    const std::int64_t end = sorted.starts[r + 1];
    if (next == end && in == out && inStride == 1) continue;
    if (!whole) {
      if (next == end) copyRow(out, in, rows.inner, inStride);
      for (; next < end; ++next, in = out, inStride = 1) {
        addStrided(out, in, inStride, plane + sorted.order[next] * updates.strides[1], updates.strides[2],
                   rows.inner);
      }
      continue;
    }
    RowSum sum = {in, inStride == 0, {}, 0, false};
    do {
      sum.count = static_cast<int>(std::min<std::int64_t>(mostSummedRows, end - next));
      for (int i = 0; i < sum.count; ++i, ++next) {
        sum.rows[i] = plane + sorted.order[next] * updates.strides[1];
        if (access.requested > 0 && next + aheadOfSums < sorted.m) {
          access.request(plane + sorted.order[next + aheadOfSums] * updates.strides[1]);
        }
      }
      sum.far = far && next == end;
      add(sum, out, static_cast<std::size_t>(rows.inner));
      sum.base = out;
      sum.single = false;
    } while (next < end);
  }
  if (far) body.fence();
  return true;
}

bool runScatter(const RoutineRun& run, std::int64_t from, std::int64_t to, char*, RoutineFailure&) {
  return withType(run.call.operands[0].type,
                  [&](auto zero) { return scatterRows<decltype(zero)>(run, from, to); });
}

bool alwaysFirst(const RoutineCall&) { return true; }

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
const RoutineRow gatherRow = {"gather",  2,       1,           1,        anyDtype,  true,
                              -1,        0,       checkGather, rowUnits, runGather, listRows,
                              listBytes, nullptr, false,       listsRows};
const RoutineRow takeAlongAxisRow = {"takeAlongAxis", 2,        1,      1, anyDtype, true, -1, 0,
                                     checkTake,       rowUnits, runTake};
const RoutineRow scatterAddRow = {"scatterAdd",
                                  3,
                                  1,
                                  1,
                                  numberDtypes,
                                  true,
                                  0,
                                  0,
                                  checkScatter,
                                  scatterUnits,
                                  runScatter,
                                  sortUpdates,
                                  Sorted::bytes,
                                  nullptr,
                                  false,
                                  alwaysFirst,
                                  true};
const RoutineRow scatterAddAlongAxisRow = {
    "scatterAddAlongAxis", 3, 1, 1, numberDtypes, true, 0, 0, checkScatterAlong, blockUnits, runScatterAlong};

}  // namespace forebay
