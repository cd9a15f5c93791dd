// Finds the simplest equivalent geometry of a checked segment and divides the segment into tiles.
#pragma once

#include "program/group_loop.h"

namespace forebay {

// An operand of one segment, as it is in the code of the program. Strides are in elements.
struct GroupView {
  DType type;
  Location location;
  const Draw* draw;  // null if there is memory
  std::int64_t strides[maxRank];
};

// Returns the number of elements that a tile may have so that all registers fit in the L1 cache.
// `registerBytes` is the sum of the element sizes of all registers.
std::int64_t tileElementsFor(std::int64_t registerBytes);

class GroupPlanner {
 public:
  // `views` are the operands of the segment that is planned: loads, then stores. `loops` is null if no
  // compiled loop can run the group.
  GroupPlanner(const Operands& operands, Group& group, Items<GroupView>& views, int rank,
               const LoopFinder* loops)
      : operands_(operands), group_(group), views_(views), rank_(rank), loops_(loops) {}

  // Call plan() for each segment in order, then finish(). They return false if out of memory.
  bool plan(std::size_t index, const std::int64_t* sizes, std::int64_t count);
  bool finish();

 private:
  bool sameMemory(const GroupView& a, const GroupView& b) const;
  bool isFixed(const GroupView& load, std::size_t index) const;
  bool loadsLate(const GroupView& load, std::size_t index) const;
  bool storesLate(const GroupView& store, std::size_t index) const;
  bool before(int axis, int other) const;
  void sortAxes();
  void mergeAxes();
  void swapAxes(int a, int b);
  void copyAxis(int to, int from);
  int chooseRow() const;
  const CompiledLoop* findLoop() const;
  bool needsRegisters(const CompiledLoop& loop) const;
  void cut(GroupSegment& segment, int row) const;
  bool keepOuter(GroupSegment& segment, int row);

  const Operands& operands_;
  Group& group_;
  Items<GroupView>& views_;
  const int rank_;  // the number of axes in the code of the program
  const LoopFinder* const loops_;
  int axes_ = 0;  // the number of axes of the current segment after some were removed or merged
  std::int64_t sizes_[maxRank];
  std::size_t outerUsed_ = 0;
};

}  // namespace forebay
