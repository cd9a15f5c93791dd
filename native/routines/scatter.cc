// scatterAdd and scatterAddAlongAxis (see index.h).
#include "kernels/bodies.h"
#include "kernels/row_routines.h"
#include "routines/index.h"

namespace forebay {

namespace {

// Results of at least this many bytes are written around the caches, which could not keep them.
constexpr double farBytes = 1 << 24;
// The number of updates between the update that is added and the row that is requested.
constexpr std::int64_t aheadOfSums = 32;

const RowRoutines& rowRoutines() { return *chosen().body->rows; }

// Returns true if the rows of a result are written around the caches.
bool writesFar(const RoutineView& out, const void* data) {
  const double size = static_cast<double>(sizeOf(out.type)), row = static_cast<double>(out.sizes[2]) * size;
  const bool aligned = reinterpret_cast<std::uintptr_t>(data) % streamAlignment == 0 &&
                       static_cast<std::size_t>(row) % streamAlignment == 0;
  return aligned && row * static_cast<double>(out.sizes[0]) * static_cast<double>(out.sizes[1]) >= farBytes;
}

// ---- scatterAdd

bool checkScatter(const RoutineCall& call, Fault& fault) { return checkIndices(call, 1, true, fault); }

// The indices, sorted by the row to which updates are added. The updates of row r are those from starts[r] to
// starts[r + 1] - 1 of `order`, in ascending order. So every row of the result is written only once.
struct Sorted {
  std::int64_t n, m;                    // rows, indices
  std::int32_t *starts, *order, *rows;  // starts has n + 2 elements; rows is used only while sorting

  explicit Sorted(const RoutineRun& run)
      : n(run.call.operands[0].sizes[1]), m(run.call.operands[1].sizes[0]) {
    starts = reinterpret_cast<std::int32_t*>(run.shared);
    order = starts + n + 2;
    rows = order + m;
  }
  static std::size_t bytes(const RoutineCall& call) {
    const std::int64_t n = call.operands[0].sizes[1], m = call.operands[1].sizes[0];
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
  const std::int64_t updates = run.call.operands[2].sizes[1], terms = updates == 0 ? 0 : sorted.m / updates;
  for (std::int64_t update = 0, j = 0; update < updates; ++update) {
    for (std::int64_t t = 0; t < terms; ++t, ++j) {
      sorted.order[sorted.starts[sorted.rows[j] + 1]++] = static_cast<std::int32_t>(update);
    }
  }
  return true;
}

std::int64_t scatterUnits(const RoutineCall& call) {
  return call.operands[0].sizes[0] * call.operands[0].sizes[1];
}

// Requests the rows of a table that is updated in place, in which rows without updates are skipped. If there
// are few of these, the processor requests the other rows itself, and requests would only cost time.
class TableRequests {
 public:
  TableRequests(const RoutineView& view, const Sorted& sorted, std::size_t size)
      : access_(view, size), sorted_(sorted), pitch_(view.strides[1] * static_cast<std::int64_t>(size)) {}

  // Call this for each row, in ascending order. `row` is its address.
  void pass(const void* row, std::int64_t r) {
    ++passed_;
    if (!updated(r)) ++skipped_;
    const std::int64_t later = r + ahead;
    if (access_.requested == 0 || skipped_ * fewSkipped < passed_ || later >= sorted_.n || !updated(later)) {
      return;
    }
    access_.request(static_cast<const char*>(row) + ahead * pitch_);
  }

 private:
  bool updated(std::int64_t r) const { return sorted_.starts[r] < sorted_.starts[r + 1]; }

  static constexpr std::int64_t ahead = 8, fewSkipped = 8;
  const RowAccess access_;
  const Sorted& sorted_;
  const std::int64_t pitch_;  // in bytes
  std::int64_t passed_ = 0, skipped_ = 0;
};

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
  const bool inPlace = run.data[3] == run.data[0];
  TableRequests table(view, sorted, sizeof(T));
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
    if (inPlace) table.pass(in, r);
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

extern const RoutineRow scatterAddRow, scatterAddAlongAxisRow;
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
