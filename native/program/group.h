// A fused element-wise pass: a small program over registers, run tile by tile over one or many segments.
//
// group_decode.cc reads and checks it, group_plan.cc finds the simplest geometry of every segment, and
// group_run.cc runs it. Segments do not depend on each other: a value that one stores is not what another
// loads.
#pragma once

#include "program/instruction.h"

namespace forebay {

// Registers are whole vectors: rounded up to this many elements, a tile has no scalar rest.
constexpr std::int64_t registerLanes = 16;

// How an operand is brought into reach of the steps, or away from them.
enum class Passage : std::uint8_t {
  direct,  // used where it lies: read there by steps, or computed there
  whole,   // between memory and its register, both without a gap
  block,   // between memory and its register, row by row
  single,  // load: one element for all of the tile
};

struct GroupOperand {
  Place place;
  std::int64_t rowStep, columnStep;  // in bytes, as all that follows
  std::int32_t size;                 // of an element
  // Load: what it shows is needed after a store has overwritten it, so it is copied to its register.
  // Store: some load of the same place is needed after the value is computed, so it is stored at the end.
  bool late;
  bool fixed;       // load: the same single element for all tiles, used where it lies
  Passage passage;  // where the segment is a single tile
};

// Axes that cannot be merged are walked; the two innermost, rows and columns, are cut into tiles.
struct GroupSegment {
  std::int64_t rows, columns;
  std::int32_t tileRows, tileColumns;
  std::int64_t rowTiles, columnTiles;
  std::int64_t tiles;      // of all axes
  std::int64_t firstUnit;  // tiles are shared out, and added up, in units
  std::int32_t outerRank;
  std::size_t outerAt;           // in the list of all segments, whose address is known at the end
  const std::int64_t* outer;     // the other axes: sizes, then the steps of each operand
  const GroupOperand* operands;  // loads, then stores
  const Place* closes;
};

// A tile's extent. Its registers are rounded up to whole vectors if that spares the steps a rest.
struct GroupTile {
  std::int64_t rows, columns;
  std::int64_t count;  // of elements
  std::int64_t width;  // that are computed

  GroupTile(std::int64_t tileRows, std::int64_t tileColumns, bool steps)
      : rows(tileRows), columns(tileColumns), count(rows * columns), width(count) {
    // Without steps nothing is gained by rounding, and a copy would be made twice.
    if (steps) width = (count + registerLanes - 1) / registerLanes * registerLanes;
  }
  bool rounded() const { return width != count; }
  bool dense(const GroupOperand& o) const {
    return (columns == 1 || o.columnStep == o.size) && (rows == 1 || o.rowStep == columns * o.size);
  }
};

inline Passage loadPassage(const GroupOperand& load, const GroupTile& tile) {
  if (tile.dense(load)) return tile.rounded() || load.late ? Passage::whole : Passage::direct;
  const bool single = load.columnStep == 0 && (load.rowStep == 0 || tile.rows == 1);
  return single ? Passage::single : Passage::block;
}

// A value is what one load or one step makes; loads are numbered first. Its home is its register.
struct GroupLoad {
  std::int32_t size;
  std::int32_t lastRead;  // the last step that reads it; afterSteps: a store or a close does
  bool sole;              // nothing else is ever in its register
  static constexpr std::int32_t afterSteps = INT32_MAX;
};
struct GroupStep {
  TileFns tiles;
  std::uint16_t in[maxArity];  // values; 0 where there is no such input
  std::uint16_t out;
  std::uint8_t inputs;  // a bit for each
};
struct GroupStore {
  DType type;
  std::uint16_t value;
  bool once;  // a step's value, and this is its only store: it may be computed where it is stored

  Passage passage(const GroupOperand& store, const GroupTile& tile) const {
    if (!tile.dense(store)) return Passage::block;
    return once && !store.late && !tile.rounded() ? Passage::direct : Passage::whole;
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

  // What a register holds of a load that is gathered: the same need not be gathered again.
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
  Items<Place> closePlaces_;
  Items<std::size_t> homes_;  // of values, in bytes from the first register

  bool isCopy_ = false;  // nothing but one load that is stored
  std::int64_t tileElements_ = 0;
  std::int64_t units_ = 0;
  double work_ = 0;         // elements times what is done with each
  Items<double> partials_;  // a sum for every unit and close
  // For the first thread, whose scratch is known; the others have theirs in scratch.
  Items<void*> values_;
  Items<Gathered> gathered_;
  Items<char*> targets_;
  Items<std::uint8_t> singles_;

  std::size_t gatheredAt_ = 0, targetsAt_ = 0, singlesAt_ = 0,
              registersAt_ = 0;  // in the scratch of a thread
  std::size_t scratchBytes_ = 0;
};

// Small enough to share out, large enough that a sum for each unit costs nothing.
constexpr std::int64_t tilesPerUnit = 4;

}  // namespace forebay
