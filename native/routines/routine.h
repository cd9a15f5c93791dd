// A routine is one row of the routine table: an operation over strided views that is neither element-wise nor
// a reduction nor a product, such as gather, sort and pooling. A row has everything that forebay knows of the
// routine: its name, the numbers of its operands, the check of a call, and the function that computes it.
//
// The operands of a call are its reads, then its writes. A view has at most maxRoutineRank axes. A written
// view is dense (row-major, without gaps). The instruction `routine` (program/routine.cc) reads the numbers
// of a call, checks that every view lies within its memory and that no write overlaps a read, calls `check`,
// and then runs the call on one or more threads.
//
// Every index, size and stride of a call has been checked before `run`. The elements of an index operand have
// not. Each of them is read once, because another thread may change the memory, and is checked where it is
// used.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/fault.h"
#include "kernels/kernel.h"

namespace forebay {

constexpr int maxRoutineRank = 8, maxRoutineOperands = 5, maxRoutineIntegers = 12;

struct RoutineView {
  DType type;
  int rank;
  std::int64_t sizes[maxRoutineRank], strides[maxRoutineRank];  // strides in elements
};

// A call without its memory.
struct RoutineCall {
  RoutineView operands[maxRoutineOperands];  // the reads, then the writes
  std::int64_t integers[maxRoutineIntegers];
};

// A failure at run time: an element of an index operand that is not an index of the axis.
struct RoutineFailure {
  std::int64_t index;  // the position of the element in its operand, in row-major order
  std::int64_t
      axis;  // the axis, as the call numbers it (an integer of the call); -1 if the elements are labels
  std::int64_t bound;  // the size of the axis: indices from -bound, labels from 0 to bound - 1 are valid
  std::int64_t value;  // the element
};

// The memory of a call.
struct RoutineRun {
  const RoutineCall& call;
  char* const* data;  // the address of the first element of each operand
  char* shared;       // sharedBytes() bytes, 64-byte aligned
};

struct RoutineRow {
  const char* name;
  int reads, writes, integers;
  unsigned dtypes;  // bit d is set if the routine exists for dtype d of its first operand
  bool mayFail;     // true if `prepare` or `run` may return false
  int inPlace;      // a read that may be the same view as the first write; -1 if there is none
  // Bit i is set if read i takes much longer when its last axis is not contiguous (unless it is short). The
  // compiler then makes it contiguous.
  unsigned lanes;

  // Checks shapes, dtypes and integers against each other. The ranks and dtypes that `ranks` and `types` give
  // have been checked before.
  bool (*check)(const RoutineCall& call, Fault& fault);
  // The number of units of work. Units are independent: the result of a unit depends neither on the thread
  // that computes it nor on the other units of the same call of `run`.
  std::int64_t (*units)(const RoutineCall& call);
  // Computes the units from `from` to `to` - 1. `scratch` is memory of this thread, of scratchBytes() bytes.
  bool (*run)(const RoutineRun& run, std::int64_t from, std::int64_t to, char* scratch,
              RoutineFailure& failure);
  // These three functions may be null. `prepare` is called once in each run, before the units. If the routine
  // updates leaves, other instructions may run between this call and the units, and the units may be computed
  // twice.
  bool (*prepare)(const RoutineRun& run, RoutineFailure& failure) = nullptr;
  std::size_t (*sharedBytes)(const RoutineCall& call) = nullptr;
  std::size_t (*scratchBytes)(const RoutineCall& call) = nullptr;
  // True if a call of `run` with more units is faster than several calls, because its units share work. Each
  // thread then makes one call. Such a routine may not fail.
  bool fewShares = false;
  // Returns true if `prepare` finds all failures of the call, so that a call that fails writes nothing. If it
  // is null, a call that fails may have written a part of its results.
  bool (*checksFirst)(const RoutineCall& call) = nullptr;
  // True if the routine may write a leaf, at or after writeStart (program/code.h). It has one write.
  // `prepare` finds all failures of every call, so that nothing is written if one fails. It reads only index
  // operands, and `run` does not read these again, so that both use the same indices.
  bool updatesLeaves = false;
  // If all operands are images [batch, channels, height, width], the integer that is 1 if their axes are in
  // the order [batch, height, width, channels]. -1 otherwise.
  int channelsLast = -1;

  // Called once in each run that has not failed, after all units, by one thread. It brings results that
  // several units share from shared memory to the write, in an order that does not depend on the threads. May
  // be null.
  void (*finish)(const RoutineRun& run) = nullptr;

  // Returns about how many elements a call reads and writes, if this is not the number of elements of its
  // operands. It decides whether threads share the work. May be null.
  double (*work)(const RoutineCall& call) = nullptr;

  constexpr int operands() const { return reads + writes; }
  constexpr bool existsFor(DType type) const { return (dtypes >> static_cast<int>(type) & 1u) != 0; }
};

// The table. The id of a routine is its index. All routines have at least one element in their first write
// when they are run.
extern const RoutineRow* const routines[];
extern const std::int64_t routineCount;

// Returns null if there is no routine of this name.
const RoutineRow* findRoutine(const char* name);

}  // namespace forebay
