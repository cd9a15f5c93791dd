// Runs a Group. The tile functions work on contiguous memory only. An operand that is contiguous within a
// tile is used where it is. Any other operand is copied to or from its register, which stays in the L1 cache.
#include <algorithm>
#include <atomic>
#include <cstring>

#include "program/finite.h"
#include "program/group_loop.h"
#include "program/pool.h"
#include "program/tile_copy.h"

namespace forebay {

class GroupWorker {
 public:
  // `first` is true on the first thread of the program, which uses the lists of the group. Other threads have
  // these lists in `scratch`.
  GroupWorker(Group& group, const Running& running, char* scratch, bool first)
      : group_(group),
        running_(running),
        loadCount_(group.loads_.size()),
        stepCount_(group.steps_.size()),
        storeCount_(group.stores_.size()),
        registers_(group.registersIn(scratch)),
        loops_(group, running, registers_) {
    if (first) {
      values_ = group.values_.data();
      gathered_ = group.gathered_.data();
      targets_ = group.targets_.data();
      singles_ = group.singles_.data();
    } else {
      values_ = reinterpret_cast<void**>(scratch);
      gathered_ = reinterpret_cast<Group::Gathered*>(scratch + group.gatheredAt_);
      targets_ = reinterpret_cast<char**>(scratch + group.targetsAt_);
      singles_ = reinterpret_cast<std::uint8_t*>(scratch + group.singlesAt_);
      for (std::size_t v = 0; v < group.valueCount(); ++v) values_[v] = registers_ + group.homes_[v];
    }
    for (std::size_t l = 0; l < loadCount_; ++l) gathered_[l].rows = 0;
  }

  bool finite() const { return finite_; }

  void runAll() {
    for (const GroupSegment& segment : group_.segments_) runTiles(segment, 0, segment.tiles);
  }

  void runUnits(std::int64_t from, std::int64_t to) {
    const auto after = [](std::int64_t unit, const GroupSegment& s) { return unit < s.firstUnit; };
    // Finds the last segment that starts at or before `from`. Earlier segments with the same start are empty.
    const GroupSegment* segment =
        std::upper_bound(group_.segments_.begin(), group_.segments_.end(), from, after) - 1;
    for (; segment != group_.segments_.end() && segment->firstUnit < to; ++segment) {
      const std::int64_t first = std::max(from - segment->firstUnit, std::int64_t(0)) * tilesPerUnit;
      runTiles(*segment, first, std::min((to - segment->firstUnit) * tilesPerUnit, segment->tiles));
    }
  }

 private:
  void runTiles(const GroupSegment& segment, std::int64_t from, std::int64_t to) {
    if (from >= to) return;
    segment_ = &segment;
    if (segment.loop != nullptr) {
      // The loop may overwrite any register.
      for (std::size_t l = 0; l < loadCount_; ++l) gathered_[l].rows = 0;
    }
    if (segment.tiles == 1) {
      startUnit(0);
      runSingle();
      return;
    }
    for (std::size_t l = 0; l < loadCount_; ++l) {
      const GroupOperand& o = segment.operands[l];
      if (!o.fixed) continue;
      values_[l] = address(o.location, running_.bases);
      singles_[l] = 1;
    }
    std::int64_t outer = from / segment.columnTiles;
    std::int64_t column = from % segment.columnTiles;
    std::int64_t row = outer % segment.rowTiles;
    outer /= segment.rowTiles;
    for (int d = segment.outerRank - 1; d >= 0; --d) {
      position_[d] = outer % segment.outer[d];
      outer /= segment.outer[d];
    }
    for (std::int64_t tile = from; tile < to; ++tile) {
      if (tile % tilesPerUnit == 0) startUnit(tile / tilesPerUnit);
      runOne(row * segment.tileRows, column * segment.tileColumns);
      if (++column < segment.columnTiles) continue;
      column = 0;
      if (++row < segment.rowTiles) continue;
      row = 0;
      for (int d = segment.outerRank - 1; d >= 0 && ++position_[d] == segment.outer[d]; --d) position_[d] = 0;
    }
  }

  void startUnit(std::int64_t unit) {
    const std::size_t closes = group_.closes_.size();
    if (closes == 0) return;
    sums_ = group_.partials_.data() + static_cast<std::size_t>(segment_->firstUnit + unit) * closes;
    std::fill_n(sums_, closes, 0.0);
  }

  // Runs a segment of one tile, with the transfers that were chosen when the segment was planned. Small
  // programs have mostly such segments and spend most of their time in this function.
  void runSingle() {
    const GroupOperand* o = segment_->operands;
    if (segment_->loop != nullptr) {
      std::int64_t at[maxLoopOperands];
      for (std::size_t k = 0; k < loadCount_ + storeCount_; ++k) at[k] = o[k].location.offset;
      finite_ = loops_.run(*segment_, segment_->rows, segment_->columns, at, sums_) && finite_;
      return;
    }
    const GroupTile tile(segment_->rows, segment_->columns, stepCount_ > 0);
    if (group_.isCopy_) {
      copyTile(tile, address(o[0].location, running_.bases), address(o[1].location, running_.bases));
      return;
    }
    for (std::size_t l = 0; l < loadCount_; ++l, ++o) {
      load(l, *o, o->transfer, o->location.offset, tile);
    }
    for (std::size_t s = 0; s < storeCount_; ++s, ++o) {
      prepareStore(s, *o, o->transfer, address(o->location, running_.bases));
    }
    runSteps(tile);
  }

  // Runs the tile that begins at element [i, j] of a segment with several tiles.
  void runOne(std::int64_t i, std::int64_t j) {
    if (segment_->loop != nullptr) {
      std::int64_t at[maxLoopOperands];
      for (std::size_t k = 0; k < loadCount_ + storeCount_; ++k) at[k] = offsetOf(k, i, j);
      finite_ = loops_.run(*segment_, std::min<std::int64_t>(segment_->tileRows, segment_->rows - i),
                           std::min<std::int64_t>(segment_->tileColumns, segment_->columns - j), at, sums_) &&
                finite_;
      return;
    }
    const bool full =
        segment_->rows - i >= segment_->tileRows && segment_->columns - j >= segment_->tileColumns;
    const GroupTile tile(std::min<std::int64_t>(segment_->tileRows, segment_->rows - i),
                         std::min<std::int64_t>(segment_->tileColumns, segment_->columns - j),
                         stepCount_ > 0);
    const GroupOperand* o = segment_->operands;
    if (group_.isCopy_) {
      copyTile(tile, addressOf(0, i, j), addressOf(1, i, j));
      return;
    }
    for (std::size_t l = 0; l < loadCount_; ++l, ++o) {
      if (o->fixed) continue;
      load(l, *o, full ? o->transfer : loadTransfer(*o, tile), offsetOf(l, i, j), tile);
    }
    for (std::size_t s = 0; s < storeCount_; ++s, ++o) {
      prepareStore(s, *o, full ? o->transfer : group_.stores_[s].transfer(*o, tile),
                   addressOf(loadCount_ + s, i, j));
    }
    runSteps(tile);
  }

  char* addressOf(std::size_t operand, std::int64_t i, std::int64_t j) const {
    return running_.bases[segment_->operands[operand].location.buffer] + offsetOf(operand, i, j);
  }

  // Returns the byte offset, in its buffer, of the element of an operand with which a tile begins.
  std::int64_t offsetOf(std::size_t operand, std::int64_t i, std::int64_t j) const {
    const GroupOperand& o = segment_->operands[operand];
    std::int64_t at = o.location.offset + i * o.rowStep + j * o.columnStep;
    if (segment_->outerRank == 0) return at;
    const std::int64_t* steps =
        segment_->outer + static_cast<std::size_t>(segment_->outerRank) * (1 + operand);
    for (int d = 0; d < segment_->outerRank; ++d) at += position_[d] * steps[d];
    return at;
  }

  void runSteps(const GroupTile& tile) {
    void* const* const values = values_;
    std::uint8_t* const singles = singles_;
    const GroupStep* const end = group_.steps_.data() + stepCount_;
    for (const GroupStep* step = group_.steps_.data(); step != end; ++step) {
      const void* const in[maxArity] = {values[step->in[0]], values[step->in[1]], values[step->in[2]]};
      const int of =
          (singles[step->in[0]] | singles[step->in[1]] << 1 | singles[step->in[2]] << 2) & step->inputs;
      const bool single = of == step->inputs;
      step->tiles[single ? 0 : of](values[step->out], in, single ? 1 : static_cast<std::size_t>(tile.width));
      singles[step->out] = single;
    }
    for (std::size_t s = 0; s < storeCount_; ++s)
      spread(group_.stores_[s].value, group_.stores_[s].type, tile);
    for (std::size_t c = 0; c < group_.closes_.size(); ++c)
      spread(group_.closes_[c].value, group_.closes_[c].type, tile);
    if (sums_ != nullptr) {
      for (std::size_t c = 0; c < group_.closes_.size(); ++c) {
        const GroupClose& close = group_.closes_[c];
        close.sum->run({sums_ + c, nullptr}, values[close.value], static_cast<std::size_t>(tile.count), 0);
      }
    }
    if (running_.check) check(tile.count);
    for (std::size_t s = 0; s < storeCount_; ++s) {
      if (targets_[s] != nullptr) store(s, tile);
    }
  }

  // If the value is a single element, fills its register with copies of it, because a store or a close reads
  // the whole register.
  void spread(std::size_t value, DType type, const GroupTile& tile) {
    if (singles_[value] == 0) return;
    void* to = values_[value];
    if (value < loadCount_) {
      to = registers_ + group_.homes_[value];
      gathered_[value].rows = 0;
    }
    fillElements(static_cast<std::int32_t>(sizeOf(type)), static_cast<char*>(to),
                 static_cast<const char*>(values_[value]), tile.width);
    values_[value] = to;
    singles_[value] = 0;
  }

  // Copies a tile from memory to memory, without a register.
  void copyTile(const GroupTile& tile, const char* from, char* to) {
    const GroupOperand& in = segment_->operands[0];
    const GroupOperand& out = segment_->operands[1];
    if (running_.check && finite_) {
      const std::int64_t sizes[] = {tile.rows, tile.columns};
      const std::int64_t strides[] = {in.rowStep / in.size, in.columnStep / in.size};
      finite_ = viewFinite(group_.stores_[0].type, from, sizes, strides, 2);
    }
    if (checkedOnly(out, running_)) return;
    copyBlock(in.size, to, out.rowStep, out.columnStep, from, in.rowStep, in.columnStep, tile.rows,
              tile.columns);
  }

  void load(std::size_t l, const GroupOperand& o, Transfer transfer, std::int64_t offset,
            const GroupTile& tile) {
    Group::Gathered& last = gathered_[l];
    singles_[l] = transfer == Transfer::single;
    if (o.draw != nullptr) {
      drawTile(l, o, offset, tile);
      return;
    }
    char* const from = running_.bases[o.location.buffer] + offset;
    if (transfer == Transfer::direct || (transfer == Transfer::single && !o.late)) {
      values_[l] = from;
      return;
    }
    char* to = registers_ + group_.homes_[l];
    values_[l] = to;
    if (transfer == Transfer::single) {
      std::memcpy(to, from, static_cast<std::size_t>(o.size));
      last.rows = 0;
      return;
    }
    const Group::Gathered wanted = {o.location.buffer, offset,    tile.rows,
                                    tile.columns,      o.rowStep, o.columnStep};
    if (group_.loads_[l].sole && last == wanted) return;
    clearRest(to, o, tile);
    if (transfer == Transfer::whole) {
      std::memcpy(to, from, static_cast<std::size_t>(tile.count * o.size));
    } else {
      copyBlock(o.size, to, tile.columns * o.size, o.size, from, o.rowStep, o.columnStep, tile.rows,
                tile.columns);
    }
    last = wanted;
  }

  // Computes the elements of a draw in their register. A step may overwrite the register of its input,
  // element by element, so the register has a single element only if it never holds another value.
  void drawTile(std::size_t l, const GroupOperand& o, std::int64_t offset, const GroupTile& tile) {
    char* const to = registers_ + group_.homes_[l];
    values_[l] = to;
    const bool single = singles_[l] != 0 && group_.loads_[l].sole;
    singles_[l] = single;
    const Group::Gathered wanted = {o.location.buffer,         offset,    single ? 1 : tile.rows,
                                    single ? 1 : tile.columns, o.rowStep, o.columnStep};
    Group::Gathered& last = gathered_[l];
    if (group_.loads_[l].sole && last == wanted) return;
    if (!single) clearRest(to, o, tile);
    drawBlock(*o.draw, running_.run, to, offset, o.rowStep, o.columnStep, wanted.rows, wanted.columns);
    last = wanted;
  }

  // Steps also compute the elements between the end of the tile and the end of the register. These elements
  // are set to 0, so that they are the same in every run and contain no denormal numbers, which would be
  // slow.
  static void clearRest(char* to, const GroupOperand& o, const GroupTile& tile) {
    if (!tile.rounded()) return;
    const std::int64_t vector = registerLanes * o.size;
    std::memset(to + tile.width * o.size - vector, 0, static_cast<std::size_t>(vector));
  }

  // Chooses the address at which the value of a store is computed. Sets targets_[s] to null, or to the
  // address of the store if the value must be copied there after the steps.
  void prepareStore(std::size_t s, const GroupOperand& o, Transfer transfer, char* target) {
    const std::size_t value = group_.stores_[s].value;
    const bool skipped = checkedOnly(o, running_);
    const bool direct = transfer == Transfer::direct && !skipped;
    targets_[s] = direct || skipped ? nullptr : target;
    if (value >= loadCount_) values_[value] = direct ? target : registers_ + group_.homes_[value];
  }

  void store(std::size_t s, const GroupTile& tile) {
    const GroupOperand& o = segment_->operands[loadCount_ + s];
    const char* from = static_cast<const char*>(values_[group_.stores_[s].value]);
    if (tile.dense(o)) {
      std::memmove(targets_[s], from, static_cast<std::size_t>(tile.count * o.size));
    } else {
      copyBlock(o.size, targets_[s], o.rowStep, o.columnStep, from, tile.columns * o.size, o.size, tile.rows,
                tile.columns);
    }
  }

  void check(std::int64_t n) {
    for (const GroupStore& store : group_.stores_) {
      finite_ = finite_ && allFinite(store.type, values_[store.value], n);
    }
  }

  Group& group_;
  const Running& running_;
  const std::size_t loadCount_, stepCount_, storeCount_;
  char* registers_;
  const GroupLoops loops_;
  void** values_;  // for each value, its address in the current tile
  Group::Gathered* gathered_;
  std::uint8_t* singles_;  // for each value, 1 if it is a single element for the whole tile
  char** targets_;         // for each store, see prepareStore
  const GroupSegment* segment_ = nullptr;
  double* sums_ = nullptr;
  std::int64_t position_[maxRank];  // the position on the outer axes
  bool finite_ = true;
};

void Group::attach(char* scratch) {
  for (std::size_t v = 0; v < valueCount(); ++v) values_[v] = registersIn(scratch) + homes_[v];
}

struct Group::Task {
  Group& group;
  const Running& running;
  std::int64_t count;
  std::atomic<bool> finite{true};

  static void run(void* context, int index, int slot) {
    Task& task = *static_cast<Task*>(context);
    GroupWorker worker(task.group, task.running, task.running.scratchOf(slot), slot == 0);
    worker.runUnits(task.group.units_ * index / task.count, task.group.units_ * (index + 1) / task.count);
    if (!worker.finite()) task.finite.store(false, std::memory_order_relaxed);
  }
};

bool Group::run(const Running& running) {
  bool finite = true;
  if (running.threads > 1 && units_ > 1 && work_ >= worthSharing) {
    finite = shareOut(running);
  } else {
    GroupWorker worker(*this, running, running.scratch, true);
    worker.runAll();
    finite = worker.finite();
  }
  return storeCloses(running) && finite;
}

bool Group::shareOut(const Running& running) {
  const std::int64_t count = std::min(units_, running.threads * tasksPerThread);
  Task task{*this, running, count};
  Pool::instance().run(running.threads, static_cast<int>(count), Task::run, &task);
  return task.finite.load(std::memory_order_relaxed);
}

// Computes and stores the closes. Adds the sums of the units of a segment in order, so the bits of a result
// do not depend on the number of threads. Returns false if results are checked and one is not finite.
bool Group::storeCloses(const Running& running) {
  bool finite = true;
  const std::size_t closes = closes_.size();
  for (std::size_t s = 0; s < segments_.size() && closes > 0; ++s) {
    const std::int64_t end = s + 1 < segments_.size() ? segments_[s + 1].firstUnit : units_;
    for (std::size_t c = 0; c < closes; ++c) {
      double total = 0;
      for (std::int64_t unit = segments_[s].firstUnit; unit < end; ++unit) {
        total += partials_[static_cast<std::size_t>(unit) * closes + c];
      }
      char* target = address(segments_[s].closes[c], running.bases);
      if (closes_[c].type == DType::float32) {
        *reinterpret_cast<float*>(target) = static_cast<float>(total);
      } else {
        *reinterpret_cast<double*>(target) = total;
      }
      if (running.check) finite = finite && allFinite(closes_[c].type, target, 1);
    }
  }
  return finite;
}

}  // namespace forebay
