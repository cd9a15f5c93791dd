// A row group is an instruction that executes a fused loop over whole rows: a list of steps over values. A
// value has an element for each element of the loop (it is full), or one element for each row. A step whose
// kernel is a sum or a maximum reduces each row of a full value to one element. Later steps read it for the
// whole row, so that, for example, a softmax is computed in one traversal of memory.
//
// The steps are executed in phases. A phase first computes the values that have one element a row, then the
// full values, and then reduces rows. A full value that a later phase reads is kept in a buffer for whole
// rows, which fits in a cache. The rows are divided into tiles: one row, or several short rows. If a row is
// long, a phase works on one part of it after another.
//
// row_group_decode.cc reads and checks a row group, row_group_plan.cc divides it into phases and tiles, and
// row_group_run.cc runs it. A phase whose steps are those of a compiled loop (compiled_loop.h) is computed by
// this loop, with its reductions. Segments are independent of one another.
#pragma once

#include "kernels/compiled_loop.h"
#include "program/instruction.h"

namespace forebay {

// The maximum number of columns of a row. It limits the memory for the values that are kept.
constexpr std::int64_t maxRowColumns = 1 << 20;

struct RowOperand {
  Location location;
  std::int64_t rowStep, columnStep;  // in bytes
  // True if steps read or write the memory of the operand. Otherwise it is copied from or to a buffer.
  bool direct;
  bool fixed;  // load: true if all rows have the same single element
};

struct RowSegment {
  // `rows` is the innermost axis of rows. The other axes of rows are the outer axes.
  std::int64_t rows, columns;
  std::int64_t tileRows, tileColumns;
  std::int64_t rowTiles;
  std::int64_t tiles;  // for all positions of the outer axes together
  // A unit is `tilesPerUnit` tiles. The units are divided among the threads, and each unit has its own
  // partial sums. They do not depend on the number of threads.
  std::int64_t tilesPerUnit, firstUnit, units;
  std::int32_t outerRank;
  std::size_t outerAt;  // the index of the first item in RowGroup::outer_: sizes, then steps of operands
  const RowOperand* operands;  // loads, then stores
};

// Where a value is computed.
struct RowValue {
  DType type;
  std::int32_t size;
  bool perRow;          // one element for each row
  bool kept;            // a full value that a later phase reads
  bool interpreted;     // a full value that a step or a phase reads that no compiled loop computes
  std::uint16_t phase;  // the first phase in which steps can read the value
  std::size_t home;     // the byte offset of its buffer
  std::int32_t store;   // the index of its store, if it has only one; otherwise -1
};

struct RowStep {
  TileFns tiles;     // null if the step reduces rows
  const Fold* fold;  // null if the step does not reduce rows
  std::uint16_t kernel;
  std::uint16_t in[maxArity];
  std::uint16_t out;
  std::uint8_t inputs;  // bit k is set if input k exists
};

struct RowStore {
  DType type;
  std::uint16_t value;
};

// A sum over all elements of a segment, or over its rows (then it has a result for each column).
struct RowClose {
  bool columns;
  DType type;
  std::uint16_t value;
  const Fold* sum;
};

struct RowCloseAt {
  Location location;
  std::int64_t step;     // the distance between the results in bytes
  std::size_t partials;  // the index of the partial sums of the first unit
  std::int64_t count;    // of results
};

// The steps of a phase, as ranges of RowGroup::steps_, and its compiled loop. The folds of the loop are those
// of the phase, and then the sums of its values over all elements if `closes` is true.
struct RowPhase {
  std::uint16_t rowSteps, fullSteps, folds, end;  // where each kind of steps begins
  const CompiledLoop* loop;                       // null if the steps are interpreted
  bool closes;
  std::size_t inputsAt, inputs, resultsAt, results;  // the operands of the loop, in RowGroup::loopValues_
};

// Where the elements of a value are in the current tile. This list is in the scratch of a thread.
struct RowPlace {
  char* at;              // the address of the first element
  std::int64_t rowStep;  // in bytes
  bool whole;            // true if `at` is the start of whole rows, even if a phase works on a part of a row
};

// Describes the elements of a load that its buffer holds. If the next tile needs the same, they are not
// copied.
struct RowGathered {
  const char* from;
  std::int64_t rows;
};

class RowGroup final : public Instruction {
 public:
  std::size_t scratchBytes() const override { return scratchBytes_; }
  bool run(const Running& running) override;

 private:
  friend class RowGroupDecoder;
  friend class RowGroupPlanner;
  friend class RowGroupWorker;
  struct Task;

  std::size_t valueCount() const { return values_.size(); }
  // Whether the elements of a full value are complete in a part of this phase.
  bool computedIn(std::uint16_t value, std::uint16_t phase) const {
    return !values_[value].perRow && values_[value].phase == phase;
  }
  // Whether the compiled loop of this phase computes a close, if it computes the sums over all elements.
  bool closesIn(const RowClose& close, std::uint16_t phase) const {
    return !close.columns && computedIn(close.value, phase);
  }
  bool storeCloses(const Running& running);

  std::size_t loadCount_ = 0;
  Items<RowValue> values_;
  Items<RowStep> steps_;  // in the order of execution
  Items<RowStore> stores_;
  Items<RowClose> closes_;
  Items<RowPhase> phases_;
  Items<std::uint16_t> loopValues_;
  Items<RowSegment> segments_;
  Items<RowOperand> operands_;
  Items<RowCloseAt> closesAt_;
  Items<std::int64_t> outer_;
  Items<double> partials_;
  Items<double> totals_;  // the results of one close

  std::int64_t units_ = 0;
  double work_ = 0;
  std::size_t foldCount_ = 0;
  std::int64_t tileRows_ = 1, tileElements_ = 1, keptElements_ = 1;
  std::size_t foldsAt_ = 0, scratchBytes_ = 0;  // byte offsets in the scratch of a thread
};

}  // namespace forebay
