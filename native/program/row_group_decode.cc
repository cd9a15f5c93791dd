// Builds a RowGroup from the numbers of the code, and checks it.
#include <algorithm>
#include <cstring>

#include "program/group_reader.h"
#include "program/row_group_plan.h"

namespace forebay {

namespace {

// Higher than any graph needs in one loop, and low enough that numbers of values fit in 16 bits.
constexpr std::int64_t maxValues = 16384;

}  // namespace

class RowGroupDecoder {
 public:
  RowGroupDecoder(Operands& operands, const Body& body, RowGroup& group)
      : operands_(operands), reader_(operands.reader()), body_(body), group_(group) {}

  bool decode() {
    return readCounts() && readLoads() && readSteps() && readStores() && readCloses() && readSegments();
  }

 private:
  bool readCounts() {
    std::int64_t rank = 0;
    if (!reader_.integer({nullptr, -1, "the number of segments"}, segmentCount_, reader_.left()) ||
        !reader_.integer({nullptr, -1, "the rank"}, rank, maxRank) ||
        !reader_.integer({nullptr, -1, "the number of loads"}, loadCount_, maxValues) ||
        !reader_.integer({nullptr, -1, "the number of steps"}, stepCount_, maxValues) ||
        !reader_.integer({nullptr, -1, "the number of stores"}, storeCount_, maxValues) ||
        !reader_.integer({nullptr, -1, "the number of closes"}, closeCount_, maxValues)) {
      return false;
    }
    rank_ = static_cast<int>(rank);
    const std::int64_t segment = rank + 1 + (loadCount_ + storeCount_) * (3 + rank) + 3 * closeCount_;
    const std::int64_t expected =
        2 * loadCount_ + 5 * stepCount_ + 2 * storeCount_ + 3 * closeCount_ + segmentCount_ * segment;
    if (!hasNumbers(reader_, expected)) return false;
    const auto count = [](std::int64_t n) { return static_cast<std::size_t>(n); };
    group_.loadCount_ = count(loadCount_);
    const bool allocated =
        group_.values_.allocate(count(loadCount_ + stepCount_)) &&
        group_.steps_.allocate(count(stepCount_)) && group_.stores_.allocate(count(storeCount_)) &&
        group_.closes_.allocate(count(closeCount_)) && group_.segments_.allocate(count(segmentCount_)) &&
        group_.operands_.allocate(count(segmentCount_ * (loadCount_ + storeCount_))) &&
        group_.closesAt_.allocate(count(segmentCount_ * closeCount_)) &&
        views_.allocate(count(loadCount_ + storeCount_));
    return allocated || reader_.outOfMemory("a row group");
  }

  void define(std::int64_t index, DType type, bool perRow, int phase) {
    RowValue& value = group_.values_[static_cast<std::size_t>(index)];
    value = {type,  static_cast<std::int32_t>(sizeOf(type)), perRow, false,
             false, static_cast<std::uint16_t>(phase),       0,      -1};
    defined_ = index + 1;
  }

  bool readLoads() {
    for (std::int64_t i = 0; i < loadCount_; ++i) {
      DType type;
      bool perRow = false;
      if (!reader_.dtype({"load", i, "the dtype"}, type)) return false;
      if (!reader_.flag({"load", i, "the flag of one element a row"}, perRow)) return false;
      define(i, type, perRow, 0);
      RowView& view = views_[static_cast<std::size_t>(i)];
      view.type = type;
      view.perRow = perRow;
    }
    return true;
  }

  // Reads the number of a value that is already defined and has the dtype `type`.
  bool use(const Field& field, DType type, std::uint16_t& number) {
    std::int64_t value = 0;
    if (!reader_.integer(field, value, std::max<std::int64_t>(loadCount_ + stepCount_ - 1, 0))) return false;
    if (value >= defined_) {
      return reader_.refuse("%s is %lld, but only %lld values are computed before it", Name(field).text,
                            static_cast<long long>(value), static_cast<long long>(defined_));
    }
    const RowValue& used = group_.values_[static_cast<std::size_t>(value)];
    if (used.type != type) {
      return reader_.refuse("%s is value %lld, which has the dtype %s, expected %s", Name(field).text,
                            static_cast<long long>(value), nameOf(used.type), nameOf(type));
    }
    number = static_cast<std::uint16_t>(value);
    return true;
  }

  bool readSteps() {
    for (std::int64_t i = 0; i < stepCount_; ++i) {
      if (!readStep(i)) return false;
    }
    return true;
  }

  bool readStep(std::int64_t i) {
    StepKernel read;
    if (!readStepKernel(reader_, body_, i, true, read)) return false;
    const Kernel& kernel = *read.kernel;
    RowStep& step = group_.steps_[static_cast<std::size_t>(i)];
    step.tiles = kernel.routine(read.type).tiles;
    step.fold = kernel.routine(read.type).fold;
    step.kernel = read.id;
    step.out = static_cast<std::uint16_t>(loadCount_ + i);
    step.inputs = static_cast<std::uint8_t>((1 << read.arity()) - 1);
    bool perRow = true;
    int phase = 0;
    const bool readable = readInputs(reader_, i, read, [&](const Field& field, int k) {
      if (!use(field, kernel.inputType(read.type, k), step.in[k])) return false;
      const RowValue& in = group_.values_[step.in[k]];
      perRow = perRow && in.perRow;
      phase = std::max<int>(phase, in.phase);
      return true;
    });
    if (!readable) return false;
    if (step.fold != nullptr) {
      if (perRow) {
        return reader_.refuse("step %lld reduces value %d, which has only one element a row",
                              static_cast<long long>(i), static_cast<int>(step.in[0]));
      }
      perRow = true;
      ++phase;
    }
    define(loadCount_ + i, kernel.resultType(read.type), perRow, phase);
    return true;
  }

  bool readStores() {
    for (std::int64_t i = 0; i < storeCount_; ++i) {
      RowStore& store = group_.stores_[static_cast<std::size_t>(i)];
      if (!reader_.dtype({"store", i, "the dtype"}, store.type)) return false;
      if (!use({"store", i, "the value"}, store.type, store.value)) return false;
      RowView& view = views_[static_cast<std::size_t>(loadCount_ + i)];
      view.type = store.type;
      view.perRow = group_.values_[store.value].perRow;
    }
    return true;
  }

  bool readCloses() {
    for (std::int64_t i = 0; i < closeCount_; ++i) {
      RowClose& close = group_.closes_[static_cast<std::size_t>(i)];
      if (!reader_.flag({"close", i, "the flag of one result a column"}, close.columns)) return false;
      if (!readCloseSum(reader_, body_, i, close.type, close.sum)) return false;
      if (!use({"close", i, "the value"}, close.type, close.value)) return false;
      if (close.columns && group_.values_[close.value].perRow) {
        return reader_.refuse(
            "close %lld has a result for each column, but value %d has only one element a row",
            static_cast<long long>(i), static_cast<int>(close.value));
      }
    }
    return true;
  }

  bool readSegments() {
    RowGroupPlanner planner(group_, body_, rank_);
    if (!planner.phases()) return reader_.outOfMemory("a row group");
    for (std::int64_t s = 0; s < segmentCount_; ++s) {
      reader_.segment(s);
      std::int64_t sizes[maxRank + 1];
      if (!reader_.integers({nullptr, -1, "a size"}, sizes, rank_)) return false;
      if (!reader_.integer({nullptr, -1, "the number of columns"}, sizes[rank_], maxRowColumns, 1))
        return false;
      for (std::int64_t i = 0; i < loadCount_; ++i) {
        if (!readView("load", i, Access::read, sizes, views_[static_cast<std::size_t>(i)])) return false;
      }
      for (std::int64_t i = 0; i < storeCount_; ++i) {
        RowView& view = views_[static_cast<std::size_t>(loadCount_ + i)];
        if (!readView("store", i, Access::write, sizes, view)) return false;
      }
      for (std::int64_t i = 0; i < closeCount_; ++i) {
        if (!readClose(i, sizes[rank_], group_.closesAt_[static_cast<std::size_t>(s * closeCount_ + i)])) {
          return false;
        }
      }
      if (std::int64_t count = 0; !readableCount(reader_, sizes, rank_ + 1, count)) return false;
      if (!planner.plan(static_cast<std::size_t>(s), sizes, views_))
        return reader_.outOfMemory("a row group");
    }
    reader_.segment(-1);
    if (!planner.finish()) return reader_.outOfMemory("the buffers of a row group");
    return true;
  }

  bool readView(const char* operand, std::int64_t index, Access access, const std::int64_t* sizes,
                RowView& view) {
    Extent extent;
    if (!operands_.locate(operand, index, access, view.type, view.location) ||
        !reader_.strides(operand, static_cast<int>(index), view.strides, rank_ + 1)) {
      return false;
    }
    if (view.perRow && view.strides[rank_] != 0) {
      return reader_.refuse(
          "the column stride of %s %lld is %lld, expected 0 because it has one element a row", operand,
          static_cast<long long>(index), static_cast<long long>(view.strides[rank_]));
    }
    return operands_.view(operand, index, access, view.type, view.location, sizes, view.strides,
                          view.perRow ? rank_ : rank_ + 1, extent);
  }

  bool readClose(std::int64_t index, std::int64_t columns, RowCloseAt& at) {
    const RowClose& close = group_.closes_[static_cast<std::size_t>(index)];
    std::int64_t stride = 0;
    Extent extent;
    if (!operands_.locate("close", index, Access::write, close.type, at.location) ||
        !reader_.strides("close", static_cast<int>(index), &stride, 1)) {
      return false;
    }
    if (!close.columns && stride != 0) {
      return reader_.refuse("the stride of close %lld is %lld, expected 0 because it has one result",
                            static_cast<long long>(index), static_cast<long long>(stride));
    }
    if (!operands_.view("close", index, Access::write, close.type, at.location, &columns, &stride,
                        close.columns ? 1 : 0, extent)) {
      return false;
    }
    at.step = stride * static_cast<std::int64_t>(sizeOf(close.type));
    at.count = close.columns ? columns : 1;
    return true;
  }

  Operands& operands_;
  Reader& reader_;
  const Body& body_;
  RowGroup& group_;
  int rank_ = 0;
  std::int64_t segmentCount_ = 0, loadCount_ = 0, stepCount_ = 0, storeCount_ = 0, closeCount_ = 0;
  std::int64_t defined_ = 0;  // the number of values that are already defined
  Items<RowView> views_;      // the operands of the segment that is read: loads, then stores
};

std::unique_ptr<Instruction> decodeRowGroup(Operands& operands, const Body& body) {
  std::unique_ptr<RowGroup> group(new (std::nothrow) RowGroup);
  if (!group) {
    operands.reader().outOfMemory("a row group");
    return nullptr;
  }
  if (!RowGroupDecoder(operands, body, *group).decode()) return nullptr;
  return group;
}

}  // namespace forebay
