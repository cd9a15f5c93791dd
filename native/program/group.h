// A group is a fused loop: a list of element-wise steps over registers. It runs tile by tile over one or more
// segments.
//
// group_decode.cc reads and checks a group, group_plan.cc finds the simplest geometry of every segment, and
// group_run.cc runs it. Segments are independent: no segment loads a value that another segment stores.
#pragma once

#include "program/instruction.h"

namespace forebay {

constexpr int maxGroupRank = 8;  // of a group; a copy, which is one too, has up to maxRank

// Tiles are rounded up to a multiple of this many elements, so that vector loops have no scalar remainder.
constexpr std::int64_t registerLanes = 16;

// How an operand is transferred between memory and its register.
enum class Transfer : std::uint8_t {
  direct,  // no transfer: steps read or write its memory
  whole,   // one contiguous copy
  block,   // a copy row by row
  single,  // load: one element that is used for the whole tile
};

struct GroupOperand {
  Location location;
  std::int64_t rowStep, columnStep;  // in bytes
  std::int32_t size;                 // bytes per element
  // Load: its value is used after a store has overwritten its memory, so it is copied to its register.
  // Store: a load of the same memory is used after the value is computed, so it is stored after all steps.
  bool late;
  bool fixed;         // load: the same single element for all tiles; steps read its memory
  Transfer transfer;  // for a full tile
};

// Loops over the axes that cannot be merged, except two: rows and columns, which are divided into tiles.
struct GroupSegment {
  std::int64_t rows, columns;
  std::int32_t tileRows, tileColumns;
  std::int64_t rowTiles, columnTiles;
  std::int64_t tiles;      // the number of tiles, over all axes
  std::int64_t firstUnit;  // a unit is tilesPerUnit tiles: threads share units, and each has its own sums
  std::int32_t outerRank;
  std::size_t outerAt;           // the index of `outer` in Group::outer_, until its address is final
  const std::int64_t* outer;     // the other axes: sizes, then the byte steps of each operand
  const GroupOperand* operands;  // loads, then stores
  const Location* closes;
};

// The extent of a tile. If there are steps, registers are rounded up to whole vectors.
struct GroupTile {
  std::int64_t rows, columns;
  std::int64_t count;  // elements of the tile
  std::int64_t width;  // elements that the steps compute

  GroupTile(std::int64_t tileRows, std::int64_t tileColumns, bool steps)
      : rows(tileRows), columns(tileColumns), count(rows * columns), width(count) {
    // Without steps, rounding saves no time and would cause a second copy.
    if (steps) width = (count + registerLanes - 1) / registerLanes * registerLanes;
  }
  bool rounded() const { return width != count; }
  bool dense(const GroupOperand& o) const {
    return (columns == 1 || o.columnStep == o.size) && (rows == 1 || o.rowStep == columns * o.size);
  }
};

inline Transfer loadTransfer(const GroupOperand& load, const GroupTile& tile) {
  if (tile.dense(load)) return tile.rounded() || load.late ? Transfer::whole : Transfer::direct;
  const bool single = load.columnStep == 0 && (load.rowStep == 0 || tile.rows == 1);
  return single ? Transfer::single : Transfer::block;
}

// A value is the result of one load or one step. Values are numbered: loads first, then steps. The home of a
// value is its register.
struct GroupLoad {
  std::int32_t size;
  std::int32_t lastRead;  // the last step that reads it; afterSteps if a store or a close reads it
  bool sole;              // its register holds no other value
  static constexpr std::int32_t afterSteps = INT32_MAX;
};
struct GroupStep {
  TileFns tiles;
  std::uint16_t in[maxArity];  // values; 0 for an input that does not exist
  std::uint16_t out;
  std::uint8_t inputs;  // one bit for each input that exists
};
struct GroupStore {
  DType type;
  std::uint16_t value;
  bool once;  // the value is a step's and this is its only store, so the step may write to its memory

  Transfer transfer(const GroupOperand& store, const GroupTile& tile) const {
    if (!tile.dense(store)) return Transfer::block;
    return once && !store.late && !tile.rounded() ? Transfer::direct : Transfer::whole;
  }
};
struct GroupClose {
  DType type;
  std::uint16_t value;
  const Fold* sum;
};

class Group final : public Instruction {
 public:
  std::size_t scratchBytes() const override { return scratchBytes_; }
  void attach(char* scratch) override;
  bool run(const Running& running) override;

 private:
  friend class GroupDecoder;
  friend class GroupPlanner;
  friend class GroupWorker;

  // The elements of a load that a register holds. If the next tile needs the same, they are not copied again.
  struct Gathered {
    const char* from;
    std::int64_t rows, columns, rowStep, columnStep;
  };
  struct Task;

  std::size_t valueCount() const { return loads_.size() + steps_.size(); }
  char* registersIn(char* scratch) const { return scratch + registersAt_; }
  bool shareOut(const Running& running);
  bool storeCloses(const Running& running);

  Items<GroupLoad> loads_;
  Items<GroupStep> steps_;
  Items<GroupStore> stores_;
  Items<GroupClose> closes_;
  Items<GroupSegment> segments_;
  Items<GroupOperand> operands_;
  Items<std::int64_t> outer_;
  Items<Location> closeLocations_;
  Items<std::size_t> homes_;  // for each value, the byte offset of its register from the first register

  bool isCopy_ = false;  // there is only one load and its store
  std::int64_t tileElements_ = 0;
  std::int64_t units_ = 0;
  double work_ = 0;         // the number of elements times the operations on each
  Items<double> partials_;  // a sum for every unit and close
  // For the first thread, whose scratch has a known address. Other threads have these lists in their scratch.
  Items<void*> values_;
  Items<Gathered> gathered_;
  Items<char*> targets_;
  Items<std::uint8_t> singles_;

  // Byte offsets in the scratch of a thread.
  std::size_t gatheredAt_ = 0, targetsAt_ = 0, singlesAt_ = 0, registersAt_ = 0;
  std::size_t scratchBytes_ = 0;
};

// Few enough to divide the work evenly among threads, and enough that a sum for each unit costs little.
constexpr std::int64_t tilesPerUnit = 4;

}  // namespace forebay
