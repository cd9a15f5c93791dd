// Finds the compiled loops that compute the steps of a group, and runs them.
#pragma once

#include "program/group.h"

namespace forebay {

// A tile of this many elements, if a segment has no closes and its loop works on all operands where they are.
// Such a tile needs no registers, so it is not limited by the L1 cache. With smaller tiles, the calls would
// take a noticeable part of the time. With larger ones, few threads would share the work of a small group.
constexpr std::int64_t loopTileElements = 8192;

// Returns the loop that computes these steps, or null. Bit k of `singles` is set if load k has one element
// for each row. The loop may treat such a load as one that has an element for each column. `hash` is that of
// `wanted`.
const CompiledLoop* findCompiledLoop(const Body& body, const LoopSteps& wanted, std::uint64_t hash,
                                     std::uint32_t singles);

class LoopFinder {
 public:
  LoopFinder(Group& group, const Body& body) : group_(group), body_(body) {}

  // Returns false if no compiled loop can compute the steps of this group, whatever they are.
  bool possible() const;

  // Lists the results of the group and prepares find(). `type` is the dtype of all values. Returns false if
  // out of memory.
  bool start(DType type);

  // Returns the loop that computes the steps, or null (see findCompiledLoop).
  const CompiledLoop* find(std::uint32_t singles) const {
    return findCompiledLoop(body_, wanted_, hash_, singles);
  }

 private:
  bool listResults();
  std::int32_t readersOf(std::size_t value, std::int32_t& store) const;

  Group& group_;
  const Body& body_;
  Items<LoopStep> steps_;
  Items<std::uint16_t> results_;
  LoopSteps wanted_ = {};
  std::uint64_t hash_ = 0;
};

// Returns true if the loop reads (or writes) the operand in its memory, without a register.
inline bool inPlace(const CompiledLoop& loop, std::size_t operand, std::int64_t columnStep,
                    std::int64_t size) {
  return columnStep == size || (operand < loop.steps.loadCount && (loop.singles >> operand & 1) != 0);
}

class GroupLoops {
 public:
  GroupLoops(const Group& group, const Running& running, char* registers)
      : group_(group), running_(running), registers_(registers) {}

  // Computes a tile of a segment that has a loop. `at` are the positions of its operands in their buffers:
  // loads, then stores. Adds the sums of the closes to `sums`. Returns false if results are checked and one
  // is NaN or infinite.
  bool run(const GroupSegment& segment, std::int64_t rows, std::int64_t columns, const std::int64_t* at,
           double* sums) const;

 private:
  bool runPart(const GroupSegment& segment, std::int64_t rows, std::int64_t columns, const std::int64_t* at,
               double* sums) const;
  bool runParts(const GroupSegment& segment, std::int64_t rows, std::int64_t columns, const std::int64_t* at,
                double* sums) const;

  const Group& group_;
  const Running& running_;
  char* const registers_;
};

}  // namespace forebay
