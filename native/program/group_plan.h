// From a checked segment to the simplest geometry that is equivalent, and how it is cut into tiles.
#pragma once

#include "program/group.h"

namespace forebay {

// An operand of one segment as the code has it; strides in elements.
struct GroupView {
  DType type;
  Place place;
  std::int64_t strides[maxRank];
};

// So many elements that `registerBytes`, a byte count for one element of each register, stay in L1.
std::int64_t tileElementsFor(std::int64_t registerBytes);

class GroupPlanner {
 public:
  // `views` are the segment's that is being planned: loads, then stores.
  GroupPlanner(Group& group, Items<GroupView>& views, int rank) : group_(group), views_(views), rank_(rank) {}

  // False: out of memory. All segments in order, then finish().
  bool plan(std::size_t index, const std::int64_t* sizes, std::int64_t count);
  bool finish();

 private:
  bool isFixed(const GroupView& load, std::size_t index) const;
  bool loadsLate(const GroupView& load, std::size_t index) const;
  bool storesLate(const GroupView& store, std::size_t index) const;
  bool before(int axis, int other) const;
  void sortAxes();
  void mergeAxes();
  void swapAxes(int a, int b);
  void copyAxis(int to, int from);
  int chooseRow() const;
  void cut(GroupSegment& segment, int row) const;
  bool keepOuter(GroupSegment& segment, int row);

  Group& group_;
  Items<GroupView>& views_;
  const int rank_;  // of the code
  int axes_ = 0;    // that are left of it, in the segment at hand
  std::int64_t sizes_[maxRank];
  std::size_t outerUsed_ = 0;
};

}  // namespace forebay
