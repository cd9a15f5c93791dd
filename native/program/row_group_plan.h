// Divides a checked row group into phases and tiles, and gives each value its buffer.
#pragma once

#include "program/row_group.h"

namespace forebay {

// An operand of one segment, as it is in the code of the program: the strides of the axes of rows, then the
// stride of the columns (0 for one element a row). Strides are in elements.
struct RowView {
  DType type;
  bool perRow;
  Location location;
  std::int64_t strides[maxRank + 1];
};

class RowGroupPlanner {
 public:
  RowGroupPlanner(RowGroup& group, const Body& body, int rank) : group_(group), body_(body), rank_(rank) {}

  // Call phases() once the steps are known, plan() for each segment, and then finish(). They return false if
  // out of memory.
  bool phases();
  // `sizes` are the sizes of the axes of rows, then the number of columns.
  bool plan(std::size_t index, const std::int64_t* sizes, Items<RowView>& views);
  bool finish();

 private:
  bool findLoops();
  DType loopTypeOf(const RowStep* steps, std::size_t count) const;
  bool findLoop(std::uint16_t number, bool withCloses, std::uint16_t* local);
  int mergeAxes(std::int64_t* sizes, Items<RowView>& views) const;
  bool keepOuter(RowSegment& segment, int axes, const std::int64_t* sizes, const Items<RowView>& views);

  RowGroup& group_;
  const Body& body_;
  const int rank_;
  std::size_t outerUsed_ = 0, partialsUsed_ = 0;
};

}  // namespace forebay
