#include "program/group_plan.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace forebay {

namespace {

// If rows have at least this length, a tile may be one row. If they are shorter, a tile has several rows.
constexpr std::int64_t longRow = 64;
// The width of a tile if the row stride of an operand is smaller than its column stride. Such a tile uses all
// elements of a cache line while the line is in cache.
constexpr std::int64_t crossingWidth = 32;

constexpr std::int64_t mostTileElements = 1024;
// The bytes for registers: two thirds of an L1 cache of 48 KiB. The rest of the cache is for the memory of
// loads and stores.
constexpr std::int64_t registerSpace = 32 * 1024;

// Returns the number of rows of a tile. If possible, the number of elements of the tile is a multiple of
// registerLanes, so that steps can use dense operands where they are, without a copy.
std::int64_t rowsPerTile(std::int64_t rows, std::int64_t columns, std::int64_t tileElements) {
  const std::int64_t most = std::max<std::int64_t>(tileElements / columns, 1);
  if (most >= rows) return rows;
  for (std::int64_t some = most; some > most / 2; --some) {
    if (some * columns % registerLanes == 0) return some;
  }
  return most;
}

}  // namespace

std::int64_t tileElementsFor(std::int64_t registerBytes) {
  std::int64_t elements = mostTileElements;
  while (elements > 128 && registerBytes * elements > registerSpace) elements /= 2;
  return elements;
}

bool GroupPlanner::plan(std::size_t index, const std::int64_t* sizes, std::int64_t count) {
  GroupSegment& segment = group_.segments_[index];
  segment = {};
  segment.firstUnit = group_.units_;
  segment.operands = group_.operands_.data() + index * views_.size();
  segment.closes = group_.closeLocations_.data() + index * group_.closes_.size();
  if (count == 0) return true;

  std::copy_n(sizes, rank_, sizes_);
  sortAxes();
  mergeAxes();
  GroupOperand* operands = group_.operands_.data() + index * views_.size();
  const int row = chooseRow();
  segment.loop = findLoop();
  cut(segment, row);
  if (!keepOuter(segment, row)) return false;
  for (std::size_t i = 0; i < views_.size(); ++i) {
    const auto size = static_cast<std::int64_t>(sizeOf(views_[i].type));
    operands[i].location = views_[i].location;
    operands[i].size = static_cast<std::int32_t>(size);
    operands[i].draw = views_[i].draw;
    const bool load = i < group_.loads_.size();
    operands[i].late = load ? loadsLate(views_[i], i) : storesLate(views_[i], i - group_.loads_.size());
    operands[i].fixed = load && isFixed(views_[i], i);
    operands[i].rowStep = row >= 0 ? views_[i].strides[row] * size : 0;
    operands[i].columnStep = axes_ > 0 ? views_[i].strides[axes_ - 1] * size : size;
    const GroupTile tile(segment.tileRows, segment.tileColumns, group_.steps_.size() > 0);
    operands[i].transfer = load ? loadTransfer(operands[i], tile)
                                : group_.stores_[i - group_.loads_.size()].transfer(operands[i], tile);
  }
  group_.units_ += (segment.tiles + tilesPerUnit - 1) / tilesPerUnit;
  std::size_t operations = views_.size() + group_.steps_.size();
  for (const GroupView& view : views_) operations += view.draw == nullptr ? 0 : operationsPerDraw;
  group_.work_ += static_cast<double>(count) * static_cast<double>(operations);
  return true;
}

bool GroupPlanner::finish() {
  // The addresses are set only now, because outer_ was reallocated while it grew.
  for (GroupSegment& segment : group_.segments_) {
    if (segment.outerRank == 0) continue;
    segment.outer = group_.outer_.data() + segment.outerAt;
  }
  if (group_.closes_.size() == 0) return true;
  return group_.partials_.allocate(static_cast<std::size_t>(group_.units_) * group_.closes_.size());
}

// Returns true if two operands have the same elements in the same order.
bool GroupPlanner::sameMemory(const GroupView& a, const GroupView& b) const {
  return sizeOf(a.type) == sizeOf(b.type) && std::equal(a.strides, a.strides + axes_, b.strides) &&
         operands_.sameAddress(a.location, b.location);
}

// Returns true if all tiles read the same single element from memory, and no store or close reads it. (A
// store or a close needs a register that is filled with copies of the element.)
bool GroupPlanner::isFixed(const GroupView& load, std::size_t index) const {
  return load.draw == nullptr && group_.loads_[index].lastRead != GroupLoad::afterSteps &&
         std::all_of(load.strides, load.strides + axes_, [](std::int64_t stride) { return stride == 0; });
}

// Returns true if a store or a close reads this load after the steps, and a store overwrites the memory of
// the load.
bool GroupPlanner::loadsLate(const GroupView& load, std::size_t index) const {
  if (group_.loads_[index].lastRead != GroupLoad::afterSteps) return false;
  for (std::size_t i = group_.loads_.size(); i < views_.size(); ++i) {
    if (sameMemory(load, views_[i])) return true;
  }
  return false;
}

// Returns true if the memory of this store is still read after the step that computes the stored value. Also
// returns true if the stored value is a load, because no step computes it.
bool GroupPlanner::storesLate(const GroupView& store, std::size_t index) const {
  const auto loads = group_.loads_.size();
  const std::size_t value = group_.stores_[index].value;
  if (value < loads) return true;
  const auto step = static_cast<std::int32_t>(value - loads);
  for (std::size_t i = 0; i < loads; ++i) {
    if (group_.loads_[i].lastRead > step && sameMemory(store, views_[i])) return true;
  }
  return false;
}

// Returns true if the loop over `axis` must contain the loop over `other`. The outer loop goes over the axis
// along which neighbours are further apart in the first store, so that the store is written in memory order.
// If these distances are equal, those of the next operand decide.
bool GroupPlanner::before(int axis, int other) const {
  const std::size_t loads = group_.loads_.size();
  for (std::size_t i = 0; i < views_.size(); ++i) {
    const std::int64_t* strides = views_[(i + loads) % views_.size()].strides;
    const std::int64_t step = std::abs(strides[axis]), otherStep = std::abs(strides[other]);
    if (step != otherStep) return step > otherStep;
  }
  return false;
}

void GroupPlanner::swapAxes(int a, int b) {
  std::swap(sizes_[a], sizes_[b]);
  for (GroupView& view : views_) std::swap(view.strides[a], view.strides[b]);
}

void GroupPlanner::copyAxis(int to, int from) {
  sizes_[to] = sizes_[from];
  for (GroupView& view : views_) view.strides[to] = view.strides[from];
}

void GroupPlanner::sortAxes() {
  axes_ = 0;
  for (int d = 0; d < rank_; ++d) {
    if (sizes_[d] != 1) copyAxis(axes_++, d);
  }
  // Insertion sort is stable, and fast if the axes are already in order, as they usually are.
  for (int d = 1; d < axes_; ++d) {
    for (int e = d; e > 0 && before(e, e - 1); --e) swapAxes(e - 1, e);
  }
}

// Merges axes d and d + 1 if, for every operand, the stride of axis d is the size times the stride of
// axis d + 1.
void GroupPlanner::mergeAxes() {
  if (axes_ == 0) return;
  int last = 0;
  for (int d = 1; d < axes_; ++d) {
    const auto joins = [&](const GroupView& view) {
      return view.strides[last] == view.strides[d] * sizes_[d];
    };
    if (std::all_of(views_.begin(), views_.end(), joins)) {
      sizes_[d] *= sizes_[last];
    } else {
      ++last;
    }
    copyAxis(last, d);
  }
  axes_ = last + 1;
}

// Returns the axis of the rows. The columns are the innermost axis. The rows are the axis with the smallest
// stride of an operand that is not contiguous along the columns. If no operand decides, the rows are the
// second-innermost axis. Returns -1 if there is only one axis.
int GroupPlanner::chooseRow() const {
  const int column = axes_ - 1;
  int row = std::max(axes_ - 2, -1);
  std::int64_t densest = INT64_MAX;
  for (std::size_t i = 0; i < views_.size() && axes_ > 2; ++i) {
    const std::int64_t* strides = views_[i].strides;
    const std::int64_t across = std::abs(strides[column]);
    if (across <= 1) continue;
    for (int d = 0; d < column; ++d) {
      const std::int64_t down = std::abs(strides[d]);
      if (down > 0 && down < across && down < densest) {
        densest = down;
        row = d;
      }
    }
  }
  return row;
}

const CompiledLoop* GroupPlanner::findLoop() const {
  if (loops_ == nullptr) return nullptr;
  std::uint32_t singles = 0;
  for (std::size_t i = 0; i < group_.loads_.size(); ++i) {
    // If there is only one element, a load may be treated as single or as an array. The elements of a draw
    // are in a register, which a result may overwrite, so they are an array.
    if (views_[i].draw != nullptr) continue;
    if (axes_ == 0 || views_[i].strides[axes_ - 1] == 0) singles |= std::uint32_t(1) << i;
  }
  return loops_->find(singles);
}

bool GroupPlanner::needsRegisters(const CompiledLoop& loop) const {
  if (group_.closes_.size() > 0) return true;
  for (std::size_t i = 0; i < views_.size(); ++i) {
    if (views_[i].draw != nullptr) return true;
    if (axes_ > 0 && !inPlace(loop, i, views_[i].strides[axes_ - 1], 1)) return true;
  }
  return std::any_of(group_.stores_.begin(), group_.stores_.end(),
                     [](const GroupStore& store) { return !store.once; });
}

void GroupPlanner::cut(GroupSegment& segment, int row) const {
  const int column = axes_ - 1;
  const bool large = segment.loop != nullptr && !needsRegisters(*segment.loop);
  const std::int64_t most = large ? loopTileElements : group_.tileElements_;
  segment.rows = row >= 0 ? sizes_[row] : 1;
  segment.columns = column >= 0 ? sizes_[column] : 1;
  const auto crosses = [&](const GroupView& view) {
    const std::int64_t down = std::abs(view.strides[row]);
    return down > 0 && down < std::abs(view.strides[column]);
  };
  const bool crossing = row >= 0 && std::any_of(views_.begin(), views_.end(), crosses);
  // A tile has only one row if the number of columns is a multiple of registerLanes, or if the row fills most
  // of a tile.
  const bool alone = !large && segment.columns >= longRow &&
                     (segment.columns % registerLanes == 0 || segment.columns > most / 2);
  const std::int64_t tileColumns = std::min(segment.columns, crossing ? crossingWidth : most);
  const std::int64_t tileRows = alone && !crossing ? 1 : rowsPerTile(segment.rows, tileColumns, most);
  segment.tileColumns = static_cast<std::int32_t>(tileColumns);
  segment.tileRows = static_cast<std::int32_t>(tileRows);
  segment.rowTiles = (segment.rows + tileRows - 1) / tileRows;
  segment.columnTiles = (segment.columns + tileColumns - 1) / tileColumns;
  segment.tiles = segment.rowTiles * segment.columnTiles;
  for (int d = 0; d < column; ++d) {
    if (d != row) segment.tiles *= sizes_[d];
  }
}

// Records the outer axes, which are neither rows nor columns. Returns false if out of memory.
bool GroupPlanner::keepOuter(GroupSegment& segment, int row) {
  segment.outerRank = std::max(axes_ - 2, 0);
  if (segment.outerRank == 0) return true;
  const auto rank = static_cast<std::size_t>(segment.outerRank);
  const std::size_t needed = outerUsed_ + rank * (1 + views_.size());
  if (needed > group_.outer_.size()) {
    Items<std::int64_t> grown;
    if (!grown.allocate(2 * needed)) return false;
    std::copy_n(group_.outer_.data(), outerUsed_, grown.data());
    group_.outer_ = std::move(grown);
  }
  segment.outerAt = outerUsed_;
  std::int64_t* outer = group_.outer_.data() + outerUsed_;
  for (int d = 0; d < axes_ - 1; ++d) {
    if (d == row) continue;
    outer[0] = sizes_[d];
    for (std::size_t i = 0; i < views_.size(); ++i) {
      const auto size = static_cast<std::int64_t>(sizeOf(views_[i].type));
      outer[rank * (1 + i)] = views_[i].strides[d] * size;
    }
    ++outer;
  }
  outerUsed_ = needed;
  return true;
}

}  // namespace forebay
