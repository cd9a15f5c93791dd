// A group is an instruction that executes a fused loop: a list of element-wise steps over registers. The
// operands are divided into tiles of at most 1,024 elements, and a register is memory for one tile. The steps
// run for one tile after another. A group has one or more segments, each with its own sizes and operands.
//
// If the steps are those of a compiled loop (compiled_loop.h), the loop computes a tile in one call.
// Otherwise, the steps are interpreted: each step is one call, which computes a register.
//
// group_decode.cc reads and checks a group, group_plan.cc finds the simplest geometry of every segment,
// group_run.cc runs the group, and group_loop.cc finds and runs compiled loops. Segments are independent: no
// segment loads a value that another segment stores.
#pragma once

#include "kernels/compiled_loop.h"
#include "program/instruction.h"

namespace forebay {

// The number of elements that steps compute is rounded up to a multiple of this number, so that vector loops
// have no scalar remainder.
constexpr std::int64_t registerLanes = 16;

// How an operand is transferred between memory and its register.
enum class Transfer : std::uint8_t {
  direct,  // no copy: steps read or write the memory of the operand
  whole,   // the operand is copied as one contiguous block
  block,   // the operand is copied row by row
  single,  // loads only: one element is used for the whole tile
};

struct GroupOperand {
  Location location;
  std::int64_t rowStep, columnStep;  // in bytes
  std::int32_t size;                 // bytes per element
  const Draw* draw;                  // load: the draw whose elements are computed; null if there is memory
  // Load: true if the value is still used after a store has overwritten its memory, so it must be copied to
  // its register. Store: true if a load of the same memory is still used after the value is computed, so the
  // value must be stored after all steps.
  bool late;
  bool fixed;         // load: true if all tiles read the same single element, without copying it
  Transfer transfer;  // for a tile of full size
};

// A segment. Its rows and columns are two axes, which are divided into tiles. A segment also loops over all
// other axes that could not be merged, the outer axes.
struct GroupSegment {
  std::int64_t rows, columns;
  std::int32_t tileRows, tileColumns;
  std::int64_t rowTiles, columnTiles;
  std::int64_t tiles;  // the number of tiles, for all positions of the outer axes together
  // The number of the first unit of the segment. A unit is tilesPerUnit tiles. The units are divided among
  // the threads, and each unit has its own sums.
  std::int64_t firstUnit;
  std::int32_t outerRank;
  std::size_t outerAt;           // the index of the first item of `outer` in Group::outer_
  const std::int64_t* outer;     // the outer axes: sizes, then the byte steps of each operand
  const GroupOperand* operands;  // loads, then stores
  const Location* closes;
  const CompiledLoop* loop;  // null if the steps are interpreted
};

// The size of a tile. If the group has steps, the number of elements is rounded up to whole vectors.
struct GroupTile {
  std::int64_t rows, columns;
  std::int64_t count;  // the number of elements of the tile
  std::int64_t width;  // the number of elements that the steps compute

  GroupTile(std::int64_t tileRows, std::int64_t tileColumns, bool steps)
      : rows(tileRows), columns(tileColumns), count(rows * columns), width(count) {
    // Without steps, rounding saves no time. It would force a copy through a register.
    if (steps) width = (count + registerLanes - 1) / registerLanes * registerLanes;
  }
  bool rounded() const { return width != count; }
  bool dense(const GroupOperand& o) const {
    return (columns == 1 || o.columnStep == o.size) && (rows == 1 || o.rowStep == columns * o.size);
  }
};

inline Transfer loadTransfer(const GroupOperand& load, const GroupTile& tile) {
  if (tile.dense(load)) {
    return tile.rounded() || load.late || load.draw != nullptr ? Transfer::whole : Transfer::direct;
  }
  const bool single = load.columnStep == 0 && (load.rowStep == 0 || tile.rows == 1);
  return single ? Transfer::single : Transfer::block;
}

// A value is the result of one load or one step. Values are numbered: loads first, then steps. The home of a
// value is the register that holds it.
struct GroupLoad {
  std::int32_t size;
  std::int32_t lastRead;  // the last step that reads the value; afterSteps if a store or a close reads it
  bool sole;              // true if the register of the value never holds another value
  static constexpr std::int32_t afterSteps = INT32_MAX;
};
struct GroupStep {
  TileFns tiles;
  std::uint16_t kernel;        // the id of the kernel
  std::uint16_t in[maxArity];  // the numbers of values; 0 for an input that does not exist
  std::uint16_t out;
  std::uint8_t inputs;  // bit k is set if input k exists
};
struct GroupStore {
  DType type;
  std::uint16_t value;
  // True if the value is the result of a step and has only this store. The step may then write to memory.
  bool once;

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

// A value that a store or a close reads.
struct GroupResult {
  std::uint16_t value;
  std::int32_t store;  // the index of its store; -1 if there is none, or several, or a close reads the value
};

class Group final : public Instruction {
 public:
  std::size_t scratchBytes() const override { return scratchBytes_; }
  void attach(char* scratch) override;
  bool run(const Running& running) override;

 private:
  friend class GroupDecoder;
  friend class GroupLoops;
  friend class LoopFinder;
  friend class GroupPlanner;
  friend class GroupWorker;

  // Describes the elements of a load that a register holds. If the next tile needs the same elements, they
  // are not copied again.
  struct Gathered {
    std::uint32_t buffer;
    std::int64_t offset;
    std::int64_t rows, columns, rowStep, columnStep;  // no rows: the register holds nothing

    bool operator==(const Gathered& other) const {
      return offset == other.offset && buffer == other.buffer && rows == other.rows &&
             columns == other.columns && rowStep == other.rowStep && columnStep == other.columnStep;
    }
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
  // The values of steps that a store or a close reads, in ascending order: the results of compiled loops.
  Items<GroupResult> results_;

  bool isCopy_ = false;  // true if the group consists of one load and one store of its value
  std::int64_t tileElements_ = 0;
  std::int64_t units_ = 0;
  double work_ = 0;         // the number of elements times the operations per element
  Items<double> partials_;  // one sum for each close in each unit
  // The lists of the first thread, whose scratch is always at the same address. Other threads have these
  // lists in their scratch.
  Items<void*> values_;
  Items<Gathered> gathered_;
  Items<char*> targets_;
  Items<std::uint8_t> singles_;

  // Byte offsets in the scratch of a thread.
  std::size_t gatheredAt_ = 0, targetsAt_ = 0, singlesAt_ = 0, registersAt_ = 0;
  std::size_t scratchBytes_ = 0;
};

// Returns true if the value of a store is only checked and not written. This applies to stores to variables
// in the dry run, which runs before the actual writes.
inline bool checkedOnly(const GroupOperand& store, const Running& running) {
  return running.dry && running.buffers[store.location.buffer].kind == Buffer::Kind::variable;
}

// The number of tiles in a unit. It is small, so that units can be divided evenly among threads, and large
// enough that adding the sums of the units takes little time.
constexpr std::int64_t tilesPerUnit = 4;

}  // namespace forebay
