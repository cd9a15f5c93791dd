// Runs a RowGroup.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>

#include "program/finite.h"
#include "program/pool.h"
#include "program/row_group.h"
#include "program/tile_copy.h"

namespace forebay {

class RowGroupWorker {
 public:
  RowGroupWorker(RowGroup& group, const Running& running, char* scratch)
      : group_(group),
        running_(running),
        scratch_(scratch),
        places_(reinterpret_cast<RowPlace*>(scratch)),
        gathered_(reinterpret_cast<RowGathered*>(scratch + group.valueCount() * sizeof(RowPlace))),
        folds_(scratch + group.foldsAt_) {
    for (std::size_t v = 0; v < group.valueCount(); ++v) places_[v] = {scratch, 0, false};
    for (std::size_t l = 0; l < group.loadCount_; ++l) gathered_[l] = {nullptr, 0};
  }

  bool finite() const { return finite_; }

  void runUnits(std::int64_t from, std::int64_t to) {
    for (const RowSegment& segment : group_.segments_) {
      const std::int64_t first = std::max(from - segment.firstUnit, std::int64_t(0));
      const std::int64_t end = std::min(to - segment.firstUnit, segment.units);
      for (std::int64_t unit = first; unit < end; ++unit) runUnit(segment, unit);
    }
  }

 private:
  void runUnit(const RowSegment& segment, std::int64_t unit) {
    segment_ = &segment;
    const std::size_t closes = group_.closes_.size();
    const auto index = static_cast<std::size_t>(&segment - group_.segments_.data());
    closesAt_ = group_.closesAt_.data() + index * closes;
    unit_ = unit;
    for (std::size_t c = 0; c < closes; ++c) std::fill_n(partials(c), closesAt_[c].count, 0.0);
    const std::int64_t end = std::min((unit + 1) * segment.tilesPerUnit, segment.tiles);
    for (std::int64_t tile = unit * segment.tilesPerUnit; tile < end; ++tile) runTile(tile);
  }

  double* partials(std::size_t close) {
    const RowCloseAt& at = closesAt_[close];
    return group_.partials_.data() + at.partials + static_cast<std::size_t>(unit_ * at.count);
  }

  void runTile(std::int64_t tile) {
    findRows(tile);
    for (std::size_t l = 0; l < group_.loadCount_; ++l) load(l);
    for (std::size_t s = 0; s < group_.stores_.size(); ++s) prepareStore(s);
    for (const RowPhase& phase : group_.phases_) {
      for (std::uint16_t s = phase.rowSteps; s < phase.fullSteps; ++s) runRowStep(group_.steps_[s]);
      startFolds(phase);
      for (std::int64_t j = 0; j < segment_->columns; j += segment_->tileColumns) {
        runPart(phase, j, std::min(segment_->tileColumns, segment_->columns - j));
      }
      finishFolds(phase);
    }
    storeRowValues();
  }

  // Sets the rows of a tile and their position on the outer axes.
  void findRows(std::int64_t tile) {
    row_ = tile % segment_->rowTiles * segment_->tileRows;
    rows_ = std::min(segment_->tileRows, segment_->rows - row_);
    std::int64_t outer = tile / segment_->rowTiles;
    const std::int64_t* const sizes = group_.outer_.data() + segment_->outerAt;
    for (int d = segment_->outerRank - 1; d >= 0; --d) {
      position_[d] = outer % sizes[d];
      outer /= sizes[d];
    }
  }

  char* addressOf(std::size_t operand) const {
    const RowOperand& o = segment_->operands[operand];
    char* at = address(o.location, running_.bases) + row_ * o.rowStep;
    const auto rank = static_cast<std::size_t>(segment_->outerRank);
    const std::int64_t* const steps = group_.outer_.data() + segment_->outerAt + rank * (1 + operand);
    for (std::size_t d = 0; d < rank; ++d) at += position_[d] * steps[d];
    return at;
  }

  char* home(std::size_t value) const { return scratch_ + group_.values_[value].home; }

  void load(std::size_t l) {
    const RowOperand& o = segment_->operands[l];
    const RowValue& value = group_.values_[l];
    char* const from = addressOf(l);
    if (o.direct) {
      places_[l] = {from, o.rowStep, true};
      return;
    }
    const std::int64_t columns = value.perRow ? 1 : segment_->columns;
    places_[l] = {home(l), columns * value.size, true};
    RowGathered& last = gathered_[l];
    // Another segment may have rows of another length, so only loads of the same segment are the same.
    const bool same = last.from == from && last.rows == rows_ && lastSegment_ == segment_ && o.fixed;
    if (!same) {
      copyBlock(value.size, home(l), columns * value.size, value.size, from, o.rowStep, o.columnStep, rows_,
                columns);
    }
    last = {from, rows_};
    if (l + 1 == group_.loadCount_) lastSegment_ = segment_;
  }

  // Chooses the address at which the value of a store is computed.
  void prepareStore(std::size_t s) {
    const std::size_t number = group_.stores_[s].value;
    const RowOperand& o = segment_->operands[group_.loadCount_ + s];
    if (!o.direct) return;
    places_[number] = {addressOf(group_.loadCount_ + s), o.rowStep, true};
  }

  bool storedDirectly(const RowValue& value) const {
    return value.store >= 0 &&
           segment_->operands[group_.loadCount_ + static_cast<std::size_t>(value.store)].direct;
  }

  // Sets the place of a value that the steps of a part compute.
  void placeResult(std::uint16_t number, std::int64_t columns) {
    const RowValue& value = group_.values_[number];
    if (storedDirectly(value)) return;
    const std::int64_t width = value.kept ? segment_->columns : columns;
    places_[number] = {home(number), width * value.size, value.kept};
  }

  char* partOf(std::uint16_t number, std::int64_t column) const {
    const RowPlace& place = places_[number];
    return place.at + (place.whole ? column * group_.values_[number].size : 0);
  }

  void runRowStep(const RowStep& step) {
    const void* in[maxArity];
    for (int k = 0; k < maxArity; ++k) in[k] = places_[step.in[k]].at;
    places_[step.out] = {home(step.out), group_.values_[step.out].size, true};
    step.tiles[0](home(step.out), in, static_cast<std::size_t>(rows_));
  }

  // Computes the columns [column, column + columns) of the tile in a phase.
  void runPart(const RowPhase& phase, std::int64_t column, std::int64_t columns) {
    const auto number = static_cast<std::uint16_t>(&phase - group_.phases_.data());
    for (std::uint16_t s = phase.fullSteps; s < phase.folds; ++s) placeResult(group_.steps_[s].out, columns);
    if (phase.loop != nullptr) {
      runLoop(phase, number, column, columns);
    } else {
      for (std::uint16_t s = phase.fullSteps; s < phase.folds; ++s)
        runStep(group_.steps_[s], column, columns);
      for (std::uint16_t s = phase.folds; s < phase.end; ++s)
        fold(group_.steps_[s], foldAt(phase, s), column, columns);
    }
    for (std::size_t c = 0; c < group_.closes_.size(); ++c) {
      const RowClose& one = group_.closes_[c];
      const bool done = phase.closes && group_.closesIn(one, number);
      if (group_.computedIn(one.value, number) && !done) close(c, column, columns);
    }
    for (std::size_t s = 0; s < group_.stores_.size(); ++s) store(s, number, column, columns);
  }

  void runLoop(const RowPhase& phase, std::uint16_t number, std::int64_t column, std::int64_t columns) {
    char* operands[maxLoopOperands];
    std::int64_t rowSteps[maxLoopOperands];
    char* totals[maxLoopFolds];
    std::int64_t totalSteps[maxLoopFolds];
    std::size_t folds = 0;
    for (std::uint16_t s = phase.folds; s < phase.end; ++s) {
      totals[folds] = foldAt(phase, s);
      totalSteps[folds++] = foldSize(group_.steps_[s]);
    }
    for (std::size_t c = 0; c < group_.closes_.size() && phase.closes; ++c) {
      if (!group_.closesIn(group_.closes_[c], number)) continue;
      totals[folds] = reinterpret_cast<char*>(partials(c));
      totalSteps[folds++] = 0;
    }
    bool flat = folds == 0;  // true if the loop can compute all rows as one
    const std::uint16_t* const values = group_.loopValues_.data() + phase.inputsAt;
    for (std::size_t i = 0; i < phase.inputs + phase.results; ++i) {
      operands[i] = partOf(values[i], group_.values_[values[i]].perRow ? 0 : column);
      rowSteps[i] = places_[values[i]].rowStep;
      flat = flat && !group_.values_[values[i]].perRow &&
             rowSteps[i] == columns * group_.values_[values[i]].size;
    }
    phase.loop->run(flat ? LoopCall{operands, rowSteps, 1, rows_ * columns}
                         : LoopCall{operands, rowSteps, rows_, columns, totals, totalSteps});
  }

  // Interprets a step. Its full operands are contiguous over all rows of the tile.
  void runStep(const RowStep& step, std::int64_t column, std::int64_t columns) {
    const void* in[maxArity];
    std::int64_t rowSteps[maxArity] = {};
    int singles = 0;
    bool fixed = true;
    for (int k = 0; k < maxArity; ++k) {
      const RowValue& value = group_.values_[step.in[k]];
      in[k] = partOf(step.in[k], value.perRow ? 0 : column);
      if ((step.inputs >> k & 1) == 0) continue;
      rowSteps[k] = places_[step.in[k]].rowStep;
      if (!value.perRow) continue;
      singles |= 1 << k;
      fixed = fixed && step.in[k] < group_.loadCount_ && segment_->operands[step.in[k]].fixed;
    }
    char* out = partOf(step.out, column);
    if (fixed || rows_ == 1) {
      step.tiles[singles](out, in, static_cast<std::size_t>(rows_ * columns));
      return;
    }
    for (std::int64_t r = 0; r < rows_; ++r) {
      step.tiles[singles](out, in, static_cast<std::size_t>(columns));
      out += places_[step.out].rowStep;
      for (int k = 0; k < maxArity; ++k) in[k] = static_cast<const char*>(in[k]) + rowSteps[k];
    }
  }

  std::size_t foldBytes() const {
    const std::size_t bytes = static_cast<std::size_t>(group_.tileRows_) * sizeof(double);
    return (bytes + AlignedBytes::alignment - 1) / AlignedBytes::alignment * AlignedBytes::alignment;
  }

  // Returns the accumulators of the step `s` of a phase, one for each row.
  char* foldAt(const RowPhase& phase, std::uint16_t s) const {
    return folds_ + std::size_t(s - phase.folds) * foldBytes();
  }

  // A sum is accumulated in double, and a maximum in the dtype of its value.
  void startFolds(const RowPhase& phase) {
    for (std::uint16_t s = phase.folds; s < phase.end; ++s) {
      const RowStep& step = group_.steps_[s];
      char* const at = foldAt(phase, s);
      const auto rows = static_cast<std::size_t>(rows_);
      if (step.fold->kind == Fold::Kind::sum) {
        std::fill_n(reinterpret_cast<double*>(at), rows, 0.0);
      } else if (group_.values_[step.out].type == DType::float32) {
        std::fill_n(reinterpret_cast<float*>(at), rows, -std::numeric_limits<float>::infinity());
      } else {
        std::fill_n(reinterpret_cast<double*>(at), rows, -std::numeric_limits<double>::infinity());
      }
    }
  }

  std::int64_t foldSize(const RowStep& step) const {
    return step.fold->kind == Fold::Kind::sum ? std::int64_t(sizeof(double)) : group_.values_[step.out].size;
  }

  void fold(const RowStep& step, char* to, std::int64_t column, std::int64_t columns) {
    const char* from = partOf(step.in[0], column);
    for (std::int64_t r = 0; r < rows_; ++r) {
      step.fold->run({to, nullptr}, from, static_cast<std::size_t>(columns), 0);
      to += foldSize(step);
      from += places_[step.in[0]].rowStep;
    }
  }

  void finishFolds(const RowPhase& phase) {
    for (std::uint16_t s = phase.folds; s < phase.end; ++s) {
      const RowStep& step = group_.steps_[s];
      const char* const at = foldAt(phase, s);
      const RowValue& value = group_.values_[step.out];
      places_[step.out] = {home(step.out), value.size, true};
      if (step.fold->kind == Fold::Kind::sum && value.type == DType::float32) {
        for (std::int64_t r = 0; r < rows_; ++r) {
          reinterpret_cast<float*>(home(step.out))[r] =
              static_cast<float>(reinterpret_cast<const double*>(at)[r]);
        }
      } else {
        std::memcpy(home(step.out), at, static_cast<std::size_t>(rows_ * value.size));
      }
    }
  }

  void close(std::size_t c, std::int64_t column, std::int64_t columns) {
    const RowClose& close = group_.closes_[c];
    const char* from = partOf(close.value, column);
    const std::int64_t rowStep = places_[close.value].rowStep;
    double* const sums = partials(c);
    if (close.columns) {
      for (std::int64_t r = 0; r < rows_ && rowStep <= 0; ++r, from += rowStep) {
        close.sum->rows({sums + column, nullptr}, from, 1, 0, static_cast<std::size_t>(columns), 0);
      }
      if (rowStep <= 0) return;
      const auto stride = static_cast<std::size_t>(rowStep / group_.values_[close.value].size);
      close.sum->rows({sums + column, nullptr}, from, static_cast<std::size_t>(rows_), stride,
                      static_cast<std::size_t>(columns), 0);
      return;
    }
    for (std::int64_t r = 0; r < rows_; ++r, from += rowStep) {
      close.sum->run({sums, nullptr}, from, static_cast<std::size_t>(columns), 0);
    }
  }

  void store(std::size_t s, std::uint16_t phase, std::int64_t column, std::int64_t columns) {
    const RowStore& store = group_.stores_[s];
    if (!group_.computedIn(store.value, phase)) return;
    const RowOperand& o = segment_->operands[group_.loadCount_ + s];
    const auto size = static_cast<std::int64_t>(sizeOf(store.type));
    const char* const from = partOf(store.value, column);
    const std::int64_t rowStep = places_[store.value].rowStep;
    if (running_.check && finite_) {
      const std::int64_t sizes[] = {rows_, columns}, strides[] = {rowStep / size, 1};
      finite_ = viewFinite(store.type, from, sizes, strides, 2);
    }
    if (o.direct) return;
    copyBlock(static_cast<std::int32_t>(size), addressOf(group_.loadCount_ + s) + column * o.columnStep,
              o.rowStep, o.columnStep, from, rowStep, size, rows_, columns);
  }

  // Stores and sums the values that have one element a row.
  void storeRowValues() {
    for (std::size_t s = 0; s < group_.stores_.size(); ++s) {
      const RowStore& store = group_.stores_[s];
      if (!group_.values_[store.value].perRow) continue;
      const RowOperand& o = segment_->operands[group_.loadCount_ + s];
      const auto size = static_cast<std::int32_t>(sizeOf(store.type));
      const char* const from = places_[store.value].at;
      finite_ = finite_ && (!running_.check || allFinite(store.type, from, rows_));
      copyBlock(size, addressOf(group_.loadCount_ + s), size, o.rowStep, from, size, size, 1, rows_);
    }
    for (std::size_t c = 0; c < group_.closes_.size(); ++c) {
      const RowClose& close = group_.closes_[c];
      if (!group_.values_[close.value].perRow) continue;
      close.sum->run({partials(c), nullptr}, places_[close.value].at, static_cast<std::size_t>(rows_), 0);
    }
  }

  RowGroup& group_;
  const Running& running_;
  char* const scratch_;
  RowPlace* const places_;
  RowGathered* const gathered_;
  char* const folds_;
  const RowSegment* segment_ = nullptr;
  const RowSegment* lastSegment_ = nullptr;  // the segment of the loads in gathered_
  const RowCloseAt* closesAt_ = nullptr;
  std::int64_t unit_ = 0;
  std::int64_t row_ = 0, rows_ = 0;  // the rows of the tile
  std::int64_t position_[maxRank];   // the position on the outer axes
  bool finite_ = true;
};

struct RowGroup::Task {
  RowGroup& group;
  const Running& running;
  std::int64_t count;
  std::atomic<bool> finite{true};

  static void run(void* context, int index, int slot) {
    Task& task = *static_cast<Task*>(context);
    RowGroupWorker worker(task.group, task.running, task.running.scratchOf(slot));
    worker.runUnits(task.group.units_ * index / task.count, task.group.units_ * (index + 1) / task.count);
    if (!worker.finite()) task.finite.store(false, std::memory_order_relaxed);
  }
};

bool RowGroup::run(const Running& running) {
  bool finite = true;
  if (running.threads > 1 && units_ > 1 && work_ >= worthSharing) {
    const std::int64_t count = std::min(units_, running.threads * tasksPerThread);
    Task task{*this, running, count};
    Pool::instance().run(running.threads, static_cast<int>(count), Task::run, &task);
    finite = task.finite.load(std::memory_order_relaxed);
  } else {
    RowGroupWorker worker(*this, running, running.scratch);
    worker.runUnits(0, units_);
    finite = worker.finite();
  }
  return storeCloses(running) && finite;
}

// Adds the partial sums of the units in order, so the bits of a result do not depend on the number of
// threads. Returns false if results are checked and one is not finite.
bool RowGroup::storeCloses(const Running& running) {
  bool finite = true;
  const std::size_t closes = closes_.size();
  for (std::size_t s = 0; s < segments_.size(); ++s) {
    for (std::size_t c = 0; c < closes; ++c) {
      const RowCloseAt& at = closesAt_[s * closes + c];
      char* target = address(at.location, running.bases);
      const double* next = partials_.data() + at.partials;
      double* const totals = totals_.data();
      std::fill_n(totals, at.count, 0.0);
      for (std::int64_t unit = 0; unit < segments_[s].units; ++unit, next += at.count) {
        for (std::int64_t j = 0; j < at.count; ++j) totals[j] += next[j];
      }
      for (std::int64_t j = 0; j < at.count; ++j, target += at.step) {
        const double total = totals[j];
        if (closes_[c].type == DType::float32) {
          *reinterpret_cast<float*>(target) = static_cast<float>(total);
        } else {
          *reinterpret_cast<double*>(target) = total;
        }
        if (running.check) finite = finite && allFinite(closes_[c].type, target, 1);
      }
    }
  }
  return finite;
}

}  // namespace forebay
