#include "program/group_loop.h"

#include <algorithm>

#include "program/finite.h"
#include "program/tile_copy.h"

namespace forebay {

namespace {

// Counts bits without a builtin function, which would import a function of libgcc.
int bitCount(std::uint32_t bits) {
  int count = 0;
  for (; bits != 0; bits &= bits - 1) ++count;
  return count;
}

}  // namespace

// A compiled loop computes every value that a store or a close reads: none of them is a load.
bool LoopFinder::possible() const {
  const std::size_t loads = group_.loads_.size();
  const auto computed = [&](const auto& reader) { return reader.value >= loads; };
  return loads > 0 && group_.steps_.size() > 0 && loads + group_.stores_.size() <= maxLoopOperands &&
         group_.closes_.size() <= maxLoopOperands &&
         std::all_of(group_.stores_.begin(), group_.stores_.end(), computed) &&
         std::all_of(group_.closes_.begin(), group_.closes_.end(), computed);
}

// Returns the number of stores and closes that read a value. Sets `store` to the index of the last such
// store.
std::int32_t LoopFinder::readersOf(std::size_t value, std::int32_t& store) const {
  std::int32_t readers = 0;
  for (std::size_t s = 0; s < group_.stores_.size(); ++s) {
    if (group_.stores_[s].value != value) continue;
    store = static_cast<std::int32_t>(s);
    ++readers;
  }
  for (const GroupClose& close : group_.closes_) readers += close.value == value;
  return readers;
}

bool LoopFinder::listResults() {
  const std::size_t first = group_.loads_.size(), end = group_.valueCount();
  std::size_t count = 0;
  std::int32_t store = -1;
  for (std::size_t value = first; value < end; ++value) count += readersOf(value, store) > 0;
  if (!group_.results_.allocate(count)) return false;
  count = 0;
  for (std::size_t value = first; value < end; ++value) {
    store = -1;
    const std::int32_t readers = readersOf(value, store);
    if (readers == 0) continue;
    group_.results_[count++] = {static_cast<std::uint16_t>(value), readers == 1 ? store : -1};
  }
  return true;
}

bool LoopFinder::start(DType type) {
  if (!listResults()) return false;
  const std::size_t steps = group_.steps_.size(), results = group_.results_.size();
  if (!steps_.allocate(steps) || !results_.allocate(results)) return false;
  for (std::size_t i = 0; i < steps; ++i) {
    const GroupStep& step = group_.steps_[i];
    steps_[i] = {step.kernel, {step.in[0], step.in[1], step.in[2]}};
  }
  for (std::size_t i = 0; i < results; ++i) results_[i] = group_.results_[i].value;
  wanted_ = {type,
             static_cast<std::uint16_t>(group_.loads_.size()),
             static_cast<std::uint16_t>(steps),
             static_cast<std::uint16_t>(results),
             steps_.data(),
             results_.data()};
  hash_ = wanted_.hash();
  return true;
}

const CompiledLoop* findCompiledLoop(const Body& body, const LoopSteps& wanted, std::uint64_t hash,
                                     std::uint32_t singles) {
  const CompiledLoop* best = nullptr;
  for (std::size_t i = 0; i < body.loopCount; ++i) {
    const CompiledLoop& loop = body.loops[i];
    if (loop.hash != hash || (loop.singles & ~singles) != 0 || !loop.steps.equals(wanted)) continue;
    // A load that the loop treats as single is not copied to a register, so more such loads are better.
    if (best == nullptr || bitCount(loop.singles) > bitCount(best->singles)) best = &loop;
  }
  return best;
}

bool GroupLoops::run(const GroupSegment& segment, std::int64_t rows, std::int64_t columns,
                     const std::int64_t* at, double* sums) const {
  // A register has room for tileElements_ elements. A larger tile needs no registers, except in the dry run,
  // which writes the new values of variables to registers.
  const bool whole = !running_.dry || rows * columns <= group_.tileElements_;
  return whole ? runPart(segment, rows, columns, at, sums) : runParts(segment, rows, columns, at, sums);
}

bool GroupLoops::runParts(const GroupSegment& segment, std::int64_t rows, std::int64_t columns,
                          const std::int64_t* at, double* sums) const {
  const std::size_t count = group_.loads_.size() + group_.stores_.size();
  const std::int64_t width = std::min(columns, group_.tileElements_);
  const std::int64_t height = std::max<std::int64_t>(group_.tileElements_ / width, 1);
  bool finite = true;
  for (std::int64_t i = 0; i < rows; i += height) {
    for (std::int64_t j = 0; j < columns; j += width) {
      std::int64_t part[maxLoopOperands];
      for (std::size_t k = 0; k < count; ++k) {
        part[k] = at[k] + i * segment.operands[k].rowStep + j * segment.operands[k].columnStep;
      }
      finite =
          runPart(segment, std::min(height, rows - i), std::min(width, columns - j), part, sums) && finite;
    }
  }
  return finite;
}

bool GroupLoops::runPart(const GroupSegment& segment, std::int64_t rows, std::int64_t columns,
                         const std::int64_t* at, double* sums) const {
  const CompiledLoop& loop = *segment.loop;
  const std::size_t loads = group_.loads_.size(), results = group_.results_.size();
  char* operands[maxLoopOperands];
  std::int64_t rowSteps[maxLoopOperands];
  const std::int64_t size = segment.operands[0].size;
  const std::int64_t dense = columns * size;
  const auto positioned = [&](const GroupOperand& o, std::int64_t offset) {
    return running_.bases[o.location.buffer] + offset;
  };
  const auto useRegister = [&](std::size_t k, std::size_t value) {
    operands[k] = registers_ + group_.homes_[value];
    rowSteps[k] = dense;
  };
  bool flat = true;  // true if the rows follow one another without gaps
  for (std::size_t l = 0; l < loads; ++l) {
    const GroupOperand& o = segment.operands[l];
    if (o.draw != nullptr) {
      useRegister(l, l);
      drawBlock(*o.draw, running_.run, operands[l], at[l], o.rowStep, o.columnStep, rows, columns);
    } else if (inPlace(loop, l, o.columnStep, size)) {
      operands[l] = positioned(o, at[l]);
      rowSteps[l] = o.rowStep;
    } else {
      useRegister(l, l);
      copyBlock(o.size, operands[l], dense, size, positioned(o, at[l]), o.rowStep, o.columnStep, rows,
                columns);
    }
    flat = flat && rowSteps[l] == ((loop.singles >> l & 1) != 0 ? 0 : dense);
  }
  for (std::size_t r = 0; r < results; ++r) {
    const GroupResult& result = group_.results_[r];
    const std::size_t store = loads + static_cast<std::size_t>(std::max(result.store, 0));
    const GroupOperand& o = segment.operands[store];
    if (result.store >= 0 && o.columnStep == size && !checkedOnly(o, running_)) {
      operands[loads + r] = positioned(o, at[store]);
      rowSteps[loads + r] = o.rowStep;
    } else {
      useRegister(loads + r, result.value);
    }
    flat = flat && rowSteps[loads + r] == dense;
  }
  loop.run(flat ? LoopCall{operands, rowSteps, 1, rows * columns}
                : LoopCall{operands, rowSteps, rows, columns});

  for (std::size_t c = 0; c < group_.closes_.size(); ++c) {
    const GroupClose& close = group_.closes_[c];
    const char* values = registers_ + group_.homes_[close.value];
    close.sum->run({sums + c, nullptr}, values, static_cast<std::size_t>(rows * columns), 0);
  }
  bool finite = true;
  for (std::size_t r = 0; r < results && running_.check; ++r) {
    const std::int64_t sizes[] = {rows, columns};
    const std::int64_t strides[] = {rowSteps[loads + r] / size, 1};
    finite = finite && viewFinite(loop.steps.type, operands[loads + r], sizes, strides, 2);
  }
  for (std::size_t s = 0; s < group_.stores_.size(); ++s) {
    const GroupOperand& o = segment.operands[loads + s];
    const GroupStore& store = group_.stores_[s];
    const char* from = registers_ + group_.homes_[store.value];
    const auto stored = [&](const GroupResult& r) { return r.store == static_cast<std::int32_t>(s); };
    const bool written =
        o.columnStep == size && std::any_of(group_.results_.begin(), group_.results_.end(), stored);
    if (written || checkedOnly(o, running_)) continue;
    copyBlock(o.size, positioned(o, at[loads + s]), o.rowStep, o.columnStep, from, dense, size, rows,
              columns);
  }
  return finite;
}

}  // namespace forebay
