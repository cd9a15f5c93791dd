// Runs a ReducePlan in one of two ways:
//   one at a time  computes one result after another, along the innermost reduced axis (the sum of each row);
//   side by side   computes up to 512 results at the same time (the sum of each column).
// The way that reads the input in memory order is chosen. Elements that are not contiguous are copied to a
// contiguous tile first.
#include <algorithm>
#include <type_traits>

#include "kernels/lanes.h"
#include "kernels/reduce.h"

namespace forebay {

namespace {

// If the innermost reduced axis is shorter than shortAxis and the innermost kept axis has at least fewColumns
// elements, results are computed side by side.
constexpr std::int64_t shortAxis = 32;
constexpr std::int64_t fewColumns = 8;
// If a row has fewer columns than this, several rows are joined into one.
constexpr std::int64_t narrowWidth = 32;
// A sum adds so many rows at once (sumRows in body/folds.h).
constexpr std::int64_t rowsAtOnce = 4;

// Iterates over all positions of some axes. `offset` and `other` are the offsets of the current position for
// the two lists of strides.
class Walk {
 public:
  Walk(int rank, const std::int64_t* sizes, const std::int64_t* strides, const std::int64_t* others)
      : rank_(rank), sizes_(sizes), strides_(strides), others_(others) {}

  std::int64_t offset = 0, other = 0;

  bool next() {
    for (int d = rank_ - 1; d >= 0; --d) {
      if (++position_[d] < sizes_[d]) {
        offset += strides_[d];
        other += others_[d];
        return true;
      }
      position_[d] = 0;
      offset -= strides_[d] * (sizes_[d] - 1);
      other -= others_[d] * (sizes_[d] - 1);
    }
    return false;
  }

 private:
  int rank_;
  const std::int64_t *sizes_, *strides_, *others_;
  std::int64_t position_[maxRank] = {};
};

template <class T, class Result, class LanesOf>
class Reducer {
 public:
  explicit Reducer(const ReducePlan& plan)
      : plan_(plan),
        in_(reinterpret_cast<const T*>(plan.in)),
        out_(reinterpret_cast<Result*>(plan.out)),
        lanes_(*plan.fold) {}

  void run() {
    if (plan_.reducedRank > 0) {
      inner_ = plan_.reducedSizes[plan_.reducedRank - 1];
      innerStride_ = plan_.reducedStrides[plan_.reducedRank - 1];
    }
    if (plan_.keptRank > 0) {
      columns_ = plan_.keptSizes[plan_.keptRank - 1];
      columnStride_ = plan_.keptStrides[plan_.keptRank - 1];
      outStride_ = plan_.outStrides[plan_.keptRank - 1];
    }
    const bool innerIsDenser = innerStride_ <= columnStride_;
    if (innerIsDenser && (inner_ >= shortAxis || columns_ < fewColumns)) {
      oneAtATime();
    } else {
      sideBySide();
    }
  }

 private:
  Walk overReduced() const {
    return {std::max(plan_.reducedRank - 1, 0), plan_.reducedSizes, plan_.reducedStrides,
            plan_.reducedStrides};
  }

  void oneAtATime() {
    Walk kept(plan_.keptRank, plan_.keptSizes, plan_.keptStrides, plan_.outStrides);
    do {
      lanes_.start(1);
      Walk reduced = overReduced();
      do {
        alongInner(in_ + kept.offset + reduced.offset);
      } while (reduced.next());
      lanes_.finish(out_ + kept.other);
    } while (kept.next());
  }

  void alongInner(const T* from) {
    if (innerStride_ == 1 || inner_ == 1) {
      lanes_.run(from, static_cast<std::size_t>(inner_));
      return;
    }
    for (std::int64_t i = 0; i < inner_; i += static_cast<std::int64_t>(maxLanes)) {
      const std::int64_t n = std::min(inner_ - i, static_cast<std::int64_t>(maxLanes));
      gather(from + i * innerStride_, innerStride_, n);
      lanes_.run(tile_, static_cast<std::size_t>(n));
    }
  }

  void sideBySide() {
    Walk kept(plan_.keptRank - 1, plan_.keptSizes, plan_.keptStrides, plan_.outStrides);
    do {
      for (std::int64_t j = 0; j < columns_; j += static_cast<std::int64_t>(maxLanes)) {
        const std::int64_t width = std::min(columns_ - j, static_cast<std::int64_t>(maxLanes));
        someColumns(in_ + kept.offset + j * columnStride_, width, out_ + kept.other + j * outStride_);
      }
    } while (kept.next());
  }

  void someColumns(const T* from, std::int64_t width, Result* to) {
    // For sums and maxima, `joined` adjacent rows without gaps between them are treated as one long row. The
    // SIMD registers are then full even if a row has only a few columns.
    std::int64_t joined = 1;
    if constexpr (!std::is_same_v<LanesOf, ArgmaxLanes<T>>) {
      const bool adjacent = columnStride_ == 1 && innerStride_ == columns_ && width == columns_;
      if (adjacent && width < narrowWidth) joined = std::min(inner_, 2 * narrowWidth / width);
    }
    lanes_.start(static_cast<std::size_t>(width * joined));
    Walk reduced = overReduced();
    do {
      if (joined > 1) {
        joinedRows(from + reduced.offset, width * joined, inner_ * width);
      } else {
        rowsOf(from + reduced.offset, width, inner_, innerStride_);
      }
    } while (reduced.next());
    if constexpr (!std::is_same_v<LanesOf, ArgmaxLanes<T>>) {
      if (joined > 1) lanes_.narrow(static_cast<std::size_t>(width));
    }
    if (outStride_ == 1) {
      lanes_.finish(to);
    } else {
      lanes_.finish(results_);
      for (std::int64_t j = 0; j < width; ++j) to[j * outStride_] = results_[j];
    }
  }

  // Reduces `count` contiguous elements that are joined into rows of `width` elements. If the last row is not
  // full, the identity fills it. So further rows of zeros change no bit of a sum.
  void joinedRows(const T* from, std::int64_t width, std::int64_t count) {
    const std::int64_t rows = count / width;
    const bool full = count % width == 0;
    // Copies the rows that a sum would add together with the last one.
    const std::int64_t direct = full ? rows : rows - rows % rowsAtOnce;
    lanes_.rows(from, static_cast<std::size_t>(direct), static_cast<std::size_t>(width));
    if (full) return;
    const std::int64_t copied = rows + 1 - direct, left = count - direct * width;
    std::copy_n(from + direct * width, left, tile_);
    std::fill(tile_ + left, tile_ + copied * width, static_cast<T>(plan_.fold->identity));
    lanes_.rows(tile_, static_cast<std::size_t>(copied), static_cast<std::size_t>(width));
  }

  void rowsOf(const T* from, std::int64_t width, std::int64_t rows, std::int64_t stride) {
    if (columnStride_ == 1 || width == 1) {
      lanes_.rows(from, static_cast<std::size_t>(rows), static_cast<std::size_t>(stride));
      return;
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      gather(from + r * stride, columnStride_, width);
      lanes_.rows(tile_, 1, 0);
    }
  }

  void gather(const T* from, std::int64_t stride, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) tile_[i] = from[i * stride];
  }

  const ReducePlan& plan_;
  const T* in_;
  Result* out_;
  std::int64_t inner_ = 1, innerStride_ = 0;
  std::int64_t columns_ = 1, columnStride_ = INT64_MAX, outStride_ = 1;  // if no axis is kept
  LanesOf lanes_;
  alignas(64) T tile_[maxLanes];  // tile_ and results_ are not initialized
  Result results_[maxLanes];
};

template <class T>
void fillEmpty(const ReducePlan& plan, T value) {
  Walk kept(plan.keptRank, plan.keptSizes, plan.outStrides, plan.outStrides);
  do {
    reinterpret_cast<T*>(plan.out)[kept.offset] = value;
  } while (kept.next());
}

template <class T>
void runTyped(const ReducePlan& plan) {
  if (plan.reducedCount == 0) return fillEmpty<T>(plan, static_cast<T>(plan.fold->identity));
  switch (plan.fold->kind) {
    case Fold::Kind::sum:
      return Reducer<T, T, SumLanes<T>>(plan).run();
    case Fold::Kind::max:
      return Reducer<T, T, MaxLanes<T>>(plan).run();
    case Fold::Kind::argmax:
      return Reducer<T, std::int32_t, ArgmaxLanes<T>>(plan).run();
  }
}

}  // namespace

void runReduce(const ReducePlan& plan) {
  if (plan.keptCount == 0) return;
  switch (plan.type) {
    case DType::float32:
      return runTyped<float>(plan);
    case DType::float64:
      return runTyped<double>(plan);
    case DType::int32:
      return runTyped<std::int32_t>(plan);
    default:  // the table has no reductions of other types
      return;
  }
}

}  // namespace forebay
