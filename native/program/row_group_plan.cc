#include "program/row_group_plan.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "program/group_loop.h"
#include "program/group_plan.h"

namespace forebay {

namespace {

constexpr std::int64_t leastTilesPerUnit = 4;
// The least rows of a tile if rows are added. For each row that is added alone, all partial sums are read and
// written.
constexpr std::int64_t rowsToAdd = 8;
// With more units, the partial sums of a close with a result for each column would take much memory.
constexpr std::int64_t mostUnits = 32;

// The phase in which a step is executed, and its place in the phase.
std::tuple<int, int, int> orderOf(const RowStep& step, const RowValue& out) {
  if (step.fold != nullptr) return {out.phase - 1, 2, step.out};
  return {out.phase, out.perRow ? 0 : 1, step.out};
}

std::size_t aligned(std::size_t bytes) {
  return (bytes + AlignedBytes::alignment - 1) / AlignedBytes::alignment * AlignedBytes::alignment;
}

}  // namespace

bool RowGroupPlanner::phases() {
  const auto outOf = [&](const RowStep& step) -> const RowValue& { return group_.values_[step.out]; };
  std::sort(group_.steps_.begin(), group_.steps_.end(),
            [&](const RowStep& a, const RowStep& b) { return orderOf(a, outOf(a)) < orderOf(b, outOf(b)); });
  int last = 0;
  for (const RowStep& step : group_.steps_) last = std::max(last, std::get<0>(orderOf(step, outOf(step))));
  if (!group_.phases_.allocate(static_cast<std::size_t>(last) + 1)) return false;
  std::uint16_t next = 0;
  const auto count = static_cast<std::uint16_t>(group_.steps_.size());
  for (int p = 0; p <= last; ++p) {
    RowPhase& phase = group_.phases_[static_cast<std::size_t>(p)];
    phase = {};
    std::uint16_t* const starts[] = {&phase.rowSteps, &phase.fullSteps, &phase.folds};
    for (int kind = 0; kind < 3; ++kind) {
      *starts[kind] = next;
      while (next < count) {
        const auto [in, of, out] = orderOf(group_.steps_[next], outOf(group_.steps_[next]));
        if (in != p || of != kind) break;
        ++next;
      }
    }
    phase.end = next;
    group_.foldCount_ = std::max<std::size_t>(group_.foldCount_, phase.end - phase.folds);
    for (std::uint16_t s = phase.rowSteps; s < phase.end; ++s) {
      const RowStep& step = group_.steps_[s];
      for (int k = 0; k < maxArity; ++k) {
        if ((step.inputs >> k & 1) == 0) continue;
        RowValue& in = group_.values_[step.in[k]];
        in.kept = in.kept || (!in.perRow && in.phase < p);
      }
    }
  }
  for (std::size_t i = 0; i < group_.stores_.size(); ++i) {
    const std::uint16_t value = group_.stores_[i].value;
    const auto same = [&](const RowStore& other) { return other.value == value; };
    const bool once = std::count_if(group_.stores_.begin(), group_.stores_.end(), same) == 1;
    group_.values_[value].store = once ? static_cast<std::int32_t>(i) : -1;
  }
  return findLoops();
}

bool RowGroupPlanner::findLoops() {
  std::size_t most = 0;
  for (const RowPhase& phase : group_.phases_)
    most += std::size_t(phase.end - phase.fullSteps) * (maxArity + 1) + group_.closes_.size();
  Items<std::uint16_t> local;
  if (!group_.loopValues_.allocate(most) || !local.allocate(group_.valueCount())) return false;
  std::size_t used = 0;
  for (std::size_t p = 0; p < group_.phases_.size(); ++p) {
    RowPhase& phase = group_.phases_[p];
    phase.inputsAt = used;
    const auto number = static_cast<std::uint16_t>(p);
    if (!findLoop(number, true, local.data())) return false;
    if (phase.loop == nullptr && !findLoop(number, false, local.data())) return false;
    used += phase.inputs + phase.results;
    if (phase.loop != nullptr) continue;
    for (std::uint16_t s = phase.fullSteps; s < phase.folds; ++s) {
      const RowStep& step = group_.steps_[s];
      group_.values_[step.out].interpreted = true;
      for (int k = 0; k < maxArity; ++k) {
        if ((step.inputs >> k & 1) != 0) group_.values_[step.in[k]].interpreted = true;
      }
    }
  }
  return true;
}

// Returns the dtype of the first floating-point value that the steps compute or read; int32 if there is none.
DType RowGroupPlanner::loopTypeOf(const RowStep* steps, std::size_t count) const {
  const auto floating = [](DType type) { return type == DType::float32 || type == DType::float64; };
  for (std::size_t s = 0; s < count; ++s) {
    if (floating(group_.values_[steps[s].out].type)) return group_.values_[steps[s].out].type;
    const DType read = group_.values_[steps[s].in[0]].type;
    if (floating(read)) return read;
  }
  return DType::int32;
}

// Looks for the compiled loop of a phase. Its inputs are the values that the phase reads and does not
// compute, in ascending order, and its results are the values that are stored, summed over rows, or read by
// the steps of later phases. If `withCloses` is true, the loop also computes the sums over all elements.
// `local` has an item for each value.
bool RowGroupPlanner::findLoop(std::uint16_t number, bool withCloses, std::uint16_t* local) {
  RowPhase& phase = group_.phases_[number];
  const auto closes = [&](const RowClose& close) { return withCloses && group_.closesIn(close, number); };
  const RowStep* const first = group_.steps_.data() + phase.fullSteps;
  const auto count = std::size_t(phase.folds - phase.fullSteps),
             folded = std::size_t(phase.end - phase.folds);
  const std::size_t foldCount =
      folded + static_cast<std::size_t>(std::count_if(group_.closes_.begin(), group_.closes_.end(), closes));
  // A loop has few operands and few steps, so a phase of many steps is not searched.
  if (count + foldCount == 0 || count > 512 || foldCount > maxLoopFolds) return true;
  Items<std::uint16_t> results;
  Items<LoopStep> steps;
  if (!results.allocate(count) || !steps.allocate(count)) return false;
  LoopFold folds[maxLoopFolds];
  std::size_t next = 0;
  for (std::size_t f = 0; f < folded; ++f)
    folds[next++] = {first[count + f].fold->kind, first[count + f].in[0]};
  for (const RowClose& close : group_.closes_) {
    if (closes(close)) folds[next++] = {Fold::Kind::sum, close.value};
  }

  std::uint16_t* const inputs = group_.loopValues_.data() + phase.inputsAt;
  const DType type =
      count + folded > 0 ? loopTypeOf(first, count + folded) : group_.values_[folds[0].value].type;
  // A compiled loop has one dtype. Bools beside it do not leave the loop.
  bool same = type == DType::float32 || type == DType::float64;
  const auto isBool = [&](std::uint16_t value) { return group_.values_[value].type == maskOf(type); };
  const auto computed = [&](std::uint16_t value) {
    return std::any_of(first, first + count, [&](const RowStep& step) { return step.out == value; });
  };
  std::size_t inputCount = 0;
  for (std::size_t s = 0; s < count; ++s) {
    same = same && (group_.values_[first[s].out].type == type || isBool(first[s].out));
    for (int k = 0; k < maxArity; ++k) {
      if ((first[s].inputs >> k & 1) == 0) continue;
      const std::uint16_t in = first[s].in[k];
      same = same && (group_.values_[in].type == type || (isBool(in) && computed(in)));
      if (!computed(in)) inputs[inputCount++] = in;
    }
  }
  for (std::size_t f = 0; f < foldCount; ++f) {
    same = same && group_.values_[folds[f].value].type == type;
    if (!computed(folds[f].value)) inputs[inputCount++] = folds[f].value;
  }
  if (!same) return true;
  std::sort(inputs, inputs + inputCount);
  inputCount = static_cast<std::size_t>(std::unique(inputs, inputs + inputCount) - inputs);
  for (std::size_t i = 0; i < inputCount; ++i) local[inputs[i]] = static_cast<std::uint16_t>(i);
  for (std::size_t s = 0; s < count; ++s) local[first[s].out] = static_cast<std::uint16_t>(inputCount + s);
  for (std::size_t f = 0; f < foldCount; ++f) folds[f].value = local[folds[f].value];
  std::size_t resultCount = 0;
  for (std::size_t s = 0; s < count; ++s) {
    const std::uint16_t value = first[s].out;
    const auto stores = [&](const RowStore& store) { return store.value == value; };
    const auto sums = [&](const RowClose& close) { return !closes(close) && close.value == value; };
    const bool result = group_.values_[value].kept ||
                        std::any_of(group_.stores_.begin(), group_.stores_.end(), stores) ||
                        std::any_of(group_.closes_.begin(), group_.closes_.end(), sums);
    if (result && isBool(value)) return true;
    if (result) results[resultCount++] = static_cast<std::uint16_t>(inputCount + s);
    LoopStep& step = steps[s];
    step.kernel = first[s].kernel;
    for (int k = 0; k < maxArity; ++k)
      step.in[k] = (first[s].inputs >> k & 1) != 0 ? local[first[s].in[k]] : 0;
  }
  if (inputCount + resultCount > maxLoopOperands) return true;
  std::uint32_t singles = 0;
  for (std::size_t i = 0; i < inputCount; ++i) {
    if (group_.values_[inputs[i]].perRow) singles |= std::uint32_t(1) << i;
  }
  const LoopSteps wanted = {type,
                            static_cast<std::uint16_t>(inputCount),
                            static_cast<std::uint16_t>(count),
                            static_cast<std::uint16_t>(resultCount),
                            steps.data(),
                            results.data(),
                            static_cast<std::uint16_t>(foldCount),
                            folds};
  const CompiledLoop* const loop = findCompiledLoop(body_, wanted, wanted.hash(), singles);
  if (loop == nullptr || loop->singles != singles) return true;
  phase.loop = loop;
  phase.closes = withCloses;
  phase.inputs = inputCount;
  phase.resultsAt = phase.inputsAt + inputCount;
  phase.results = resultCount;
  for (std::size_t r = 0; r < resultCount; ++r) inputs[inputCount + r] = first[results[r] - inputCount].out;
  return true;
}

bool RowGroupPlanner::plan(std::size_t index, const std::int64_t* sizes, Items<RowView>& views) {
  RowSegment& segment = group_.segments_[index];
  segment = {};
  segment.firstUnit = group_.units_;
  segment.operands = group_.operands_.data() + index * views.size();
  segment.columns = sizes[rank_];
  const std::size_t closes = group_.closes_.size();
  RowCloseAt* const closesAt = group_.closesAt_.data() + index * closes;
  for (std::size_t c = 0; c < closes; ++c) closesAt[c].partials = partialsUsed_;
  if (std::find(sizes, sizes + rank_, 0) != sizes + rank_) return true;

  std::int64_t rows[maxRank];
  std::copy_n(sizes, rank_, rows);
  const int axes = mergeAxes(rows, views);
  segment.rows = axes > 0 ? rows[axes - 1] : 1;
  // The order of additions depends on the sizes of tiles. So these do not depend on whether there are
  // compiled loops, which need fewer buffers.
  std::int64_t elementBytes = 0;
  for (std::size_t v = group_.loadCount_; v < group_.valueCount(); ++v) {
    const RowValue& value = group_.values_[v];
    if (!value.perRow) elementBytes += value.size;
  }
  const std::int64_t most = tileElementsFor(elementBytes);
  segment.tileColumns = std::min(segment.columns, most);
  const bool addsRows =
      std::any_of(group_.closes_.begin(), group_.closes_.end(), [](const RowClose& c) { return c.columns; });
  const std::int64_t least = addsRows ? rowsToAdd : 1;
  segment.tileRows =
      segment.columns > most ? 1 : std::min(segment.rows, std::max(most / segment.columns, least));
  segment.rowTiles = (segment.rows + segment.tileRows - 1) / segment.tileRows;
  segment.tiles = segment.rowTiles;
  for (int d = 0; d < axes - 1; ++d) segment.tiles *= rows[d];
  segment.tilesPerUnit = std::max(leastTilesPerUnit, (segment.tiles + mostUnits - 1) / mostUnits);
  segment.units = (segment.tiles + segment.tilesPerUnit - 1) / segment.tilesPerUnit;
  if (!keepOuter(segment, axes, rows, views)) return false;

  RowOperand* operands = group_.operands_.data() + index * views.size();
  for (std::size_t i = 0; i < views.size(); ++i) {
    const RowView& view = views[i];
    const auto size = static_cast<std::int64_t>(sizeOf(view.type));
    RowOperand& operand = operands[i];
    operand.location = view.location;
    operand.rowStep = axes > 0 ? view.strides[axes - 1] * size : 0;
    operand.columnStep = view.strides[rank_] * size;
    operand.fixed = std::all_of(view.strides, view.strides + axes, [](std::int64_t s) { return s == 0; });
    const bool load = i < group_.loadCount_;
    const std::size_t number = load ? i : group_.stores_[i - group_.loadCount_].value;
    const RowValue& value = group_.values_[number];
    const bool flat = segment.tileRows == 1 || operand.rowStep == segment.columns * size;
    const bool once = load || (number >= group_.loadCount_ && value.store >= 0);
    operand.direct = !view.perRow && once && (view.strides[rank_] == 1 || segment.columns == 1) &&
                     (flat || !value.interpreted);
  }
  for (std::size_t c = 0; c < closes; ++c) {
    partialsUsed_ += static_cast<std::size_t>(segment.units * closesAt[c].count);
  }
  std::size_t at = closes > 0 ? closesAt[0].partials : 0;
  for (std::size_t c = 0; c < closes; ++c) {
    closesAt[c].partials = at;
    at += static_cast<std::size_t>(segment.units * closesAt[c].count);
  }
  group_.units_ += segment.units;
  group_.tileRows_ = std::max(group_.tileRows_, segment.tileRows);
  group_.tileElements_ = std::max(group_.tileElements_, segment.tileRows * segment.tileColumns);
  group_.keptElements_ = std::max(group_.keptElements_, segment.tileRows * segment.columns);
  group_.work_ += static_cast<double>(segment.tiles) *
                  static_cast<double>(segment.tileRows * segment.columns) *
                  static_cast<double>(views.size() + group_.steps_.size());
  return true;
}

// Removes axes of size 1, and merges adjacent axes if the strides of all operands allow it. Returns the
// number of axes that are left.
int RowGroupPlanner::mergeAxes(std::int64_t* sizes, Items<RowView>& views) const {
  int axes = 0;
  for (int d = 0; d < rank_; ++d) {
    if (sizes[d] == 1) continue;
    const auto joins = [&](const RowView& view) {
      return view.strides[axes - 1] == view.strides[d] * sizes[d];
    };
    const bool merges = axes > 0 && std::all_of(views.begin(), views.end(), joins);
    const int to = merges ? axes - 1 : axes++;
    sizes[to] = merges ? sizes[to] * sizes[d] : sizes[d];
    for (RowView& view : views) view.strides[to] = view.strides[d];
  }
  return axes;
}

// Records the outer axes: all but the last. Returns false if out of memory.
bool RowGroupPlanner::keepOuter(RowSegment& segment, int axes, const std::int64_t* sizes,
                                const Items<RowView>& views) {
  segment.outerRank = std::max(axes - 1, 0);
  segment.outerAt = outerUsed_;
  if (segment.outerRank == 0) return true;
  const auto rank = static_cast<std::size_t>(segment.outerRank);
  const std::size_t needed = outerUsed_ + rank * (1 + views.size());
  if (needed > group_.outer_.size()) {
    Items<std::int64_t> grown;
    if (!grown.allocate(2 * needed)) return false;
    std::copy_n(group_.outer_.data(), outerUsed_, grown.data());
    group_.outer_ = std::move(grown);
  }
  std::int64_t* outer = group_.outer_.data() + outerUsed_;
  for (std::size_t d = 0; d < rank; ++d) {
    outer[d] = sizes[d];
    for (std::size_t i = 0; i < views.size(); ++i) {
      outer[rank * (1 + i) + d] = views[i].strides[d] * static_cast<std::int64_t>(sizeOf(views[i].type));
    }
  }
  outerUsed_ = needed;
  return true;
}

// Gives every value its buffer.
bool RowGroupPlanner::finish() {
  const auto bytes = [](std::int64_t elements, std::int32_t size) {
    return aligned(static_cast<std::size_t>(elements * size));
  };
  group_.foldsAt_ =
      aligned(group_.valueCount() * sizeof(RowPlace)) + aligned(group_.loadCount_ * sizeof(RowGathered));
  std::size_t next = group_.foldsAt_ + group_.foldCount_ * bytes(group_.tileRows_, sizeof(double));
  for (std::size_t v = 0; v < group_.valueCount(); ++v) {
    RowValue& value = group_.values_[v];
    value.home = next;
    const bool whole = v < group_.loadCount_ || value.kept;
    next += bytes(value.perRow ? group_.tileRows_
                  : whole      ? group_.keptElements_
                               : group_.tileElements_,
                  value.size);
  }
  group_.scratchBytes_ = next;
  std::int64_t results = 0;
  for (const RowCloseAt& at : group_.closesAt_) results = std::max(results, at.count);
  return group_.totals_.allocate(static_cast<std::size_t>(results)) &&
         group_.partials_.allocate(partialsUsed_);
}

}  // namespace forebay
