// Builds a Group from the numbers of the code. Converts registers, which are written several times, to
// values, which are written once. Checks every segment.
#include <algorithm>
#include <cstring>

#include "program/group.h"
#include "program/group_plan.h"
#include "program/group_reader.h"

namespace forebay {

namespace {

// Limits that are higher than any graph needs in one fused loop, and low enough that numbers of values fit in
// 16 bits.
constexpr std::int64_t maxRegisters = 4096;
constexpr std::int64_t maxValues = 32768;

// The state of a register while the steps are read.
struct Register {
  std::int32_t value = -1;  // the number of the value in it; -1 before the first write
  DType type = DType::float32;
  std::int64_t size = 0;  // the size of the largest elements that it ever holds
  int writers = 0;        // the number of loads and steps that write to it
  bool second = false;    // true if the value is in the second half of the register
  bool halved = false;    // true if the register has a second half
};

// The register of a value: its number, and whether the value is in the second half.
struct Home {
  std::size_t number;
  bool second;
};

}  // namespace

class GroupDecoder {
 public:
  GroupDecoder(Operands& operands, const Body& body, Group& group)
      : operands_(operands), reader_(operands.reader()), body_(body), group_(group) {}

  bool decode() {
    return readCounts() && readLoads() && readSteps() && readStores() && readCloses() && layRegisters() &&
           readSegments();
  }

  // A copy is a group without steps, with one load, one store and one segment.
  bool decodeCopy() {
    DType type;
    std::int64_t rank = 0;
    if (!reader_.dtype({nullptr, -1, "the dtype"}, type)) return false;
    if (!reader_.integer({nullptr, -1, "the rank"}, rank, maxRank)) return false;
    rank_ = static_cast<int>(rank);
    segmentCount_ = loadCount_ = storeCount_ = 1;
    loading_ = Access::read;
    if (!allocate(1)) return false;
    write(0, type, 0, false);
    group_.loads_[0] = {static_cast<std::int32_t>(sizeOf(type)), GroupLoad::afterSteps, true};
    group_.stores_[0] = {type, 0, false};
    views_[0].type = views_[1].type = type;
    return layRegisters() && readSegments();
  }

 private:
  bool readCounts() {
    const std::int64_t most = reader_.left();
    std::int64_t rank = 0, registers = 0;
    if (!reader_.integer({nullptr, -1, "the number of segments"}, segmentCount_, most) ||
        !reader_.integer({nullptr, -1, "the rank"}, rank, maxRank) ||
        !reader_.integer({nullptr, -1, "the number of registers"}, registers, maxRegisters) ||
        !reader_.integer({nullptr, -1, "the number of loads"}, loadCount_, maxValues / 2) ||
        !reader_.integer({nullptr, -1, "the number of steps"}, stepCount_, maxValues / 2) ||
        !reader_.integer({nullptr, -1, "the number of stores"}, storeCount_, maxValues / 2) ||
        !reader_.integer({nullptr, -1, "the number of closes"}, closeCount_, maxValues / 2)) {
      return false;
    }
    rank_ = static_cast<int>(rank);
    if (closeCount_ > 0 && operands_.writing()) {
      return reader_.refuse(
          "it has closes, but an instruction at or after the start of the writes cannot have closes");
    }
    const std::int64_t segment = rank + (loadCount_ + storeCount_) * (2 + rank) + closeCount_ * 2;
    const std::int64_t expected =
        2 * loadCount_ + 6 * stepCount_ + 2 * storeCount_ + 2 * closeCount_ + segmentCount_ * segment;
    return hasNumbers(reader_, expected) && allocate(registers);
  }

  bool allocate(std::int64_t registers) {
    const auto count = [](std::int64_t n) { return static_cast<std::size_t>(n); };
    const bool allocated =
        registers_.allocate(count(registers)) && homes_.allocate(count(loadCount_ + stepCount_)) &&
        group_.loads_.allocate(count(loadCount_)) && group_.steps_.allocate(count(stepCount_)) &&
        group_.stores_.allocate(count(storeCount_)) && group_.closes_.allocate(count(closeCount_)) &&
        group_.homes_.allocate(count(loadCount_ + stepCount_)) &&
        group_.segments_.allocate(count(segmentCount_)) &&
        group_.operands_.allocate(count(segmentCount_ * (loadCount_ + storeCount_))) &&
        group_.closeLocations_.allocate(count(segmentCount_ * closeCount_)) &&
        views_.allocate(count(loadCount_ + storeCount_));
    return allocated || reader_.outOfMemory("a group");
  }

  bool registerNumber(const Field& field, std::size_t& number) {
    std::int64_t value = 0;
    if (!reader_.integer(field, value, static_cast<std::int64_t>(registers_.size()) - 1)) return false;
    number = static_cast<std::size_t>(value);
    return true;
  }

  // Records that a load or a step writes `value` to a register. A step may write to a register that it also
  // reads, because it works element by element. But if the element sizes of input and output differ, such a
  // step would overwrite elements before it reads them. In this case `otherHalf` is true, and the value is
  // written to the other half of the register.
  void write(std::size_t number, DType type, std::int64_t value, bool otherHalf) {
    Register& written = registers_[number];
    written.value = static_cast<std::int32_t>(value);
    written.type = type;
    written.size = std::max(written.size, static_cast<std::int64_t>(sizeOf(type)));
    written.second = otherHalf && !written.second;
    written.halved = written.halved || written.second;
    ++written.writers;
    homes_[static_cast<std::size_t>(value)] = {number, written.second};
  }

  // Reads the number of a register, which must hold a value of dtype `type`. Sets `value` to the number of
  // this value.
  bool use(const Field& field, DType type, std::uint16_t& value) {
    std::size_t number = 0;
    if (!registerNumber(field, number)) return false;
    const Register& used = registers_[number];
    if (used.value < 0) {
      return reader_.refuse("%s is register %zu, which no load or step has written", Name(field).text,
                            number);
    }
    if (used.type != type) {
      return reader_.refuse("%s is register %zu, which holds %s, expected %s", Name(field).text, number,
                            nameOf(used.type), nameOf(type));
    }
    value = static_cast<std::uint16_t>(used.value);
    return true;
  }

  void markRead(std::uint16_t value, std::int64_t step) {
    if (value >= group_.loads_.size()) return;
    std::int32_t& last = group_.loads_[value].lastRead;
    last = std::max(last, static_cast<std::int32_t>(step));
  }

  bool readLoads() {
    for (std::int64_t i = 0; i < loadCount_; ++i) {
      DType type;
      std::size_t number = 0;
      if (!reader_.dtype({"load", i, "the dtype"}, type)) return false;
      if (!registerNumber({"load", i, "the register"}, number)) return false;
      write(number, type, i, false);
      GroupLoad& load = group_.loads_[static_cast<std::size_t>(i)];
      load.size = static_cast<std::int32_t>(sizeOf(type));
      load.lastRead = -1;
      views_[static_cast<std::size_t>(i)].type = type;
      sameType_ = sameType_ && type == views_[0].type;
    }
    return true;
  }

  bool readSteps() {
    for (std::int64_t i = 0; i < stepCount_; ++i) {
      StepKernel read;
      std::size_t out = 0;
      if (!readStepKernel(reader_, body_, i, false, read)) return false;
      if (!registerNumber({"step", i, "the output register"}, out)) return false;
      const Kernel& kernel = *read.kernel;
      const DType result = kernel.resultType(read.type);
      GroupStep& step = group_.steps_[static_cast<std::size_t>(i)];
      step.tiles = kernel.routine(read.type).tiles;
      step.kernel = read.id;
      sameType_ = sameType_ && loopCanCompute(kernel, read.type);
      step.inputs = static_cast<std::uint8_t>((1 << kernel.arity) - 1);
      const bool readable = readInputs(reader_, i, read, [&](const Field& field, int k) {
        if (!use(field, kernel.inputType(read.type, k), step.in[k])) return false;
        markRead(step.in[k], i);
        return true;
      });
      if (!readable) return false;
      const Register& before = registers_[out];
      write(out, result, loadCount_ + i,
            sizeOf(result) != sizeOf(read.type) && before.value >= 0 && before.value == step.in[0]);
      step.out = static_cast<std::uint16_t>(loadCount_ + i);
    }
    return true;
  }

  // A compiled loop has one dtype, and bools beside it.
  bool loopCanCompute(const Kernel& kernel, DType type) const {
    if (loadCount_ == 0) return false;
    const DType common = views_[0].type, result = kernel.resultType(type);
    return (type == common || type == maskOf(common)) && (result == common || result == maskOf(common));
  }

  bool readStores() {
    for (std::int64_t i = 0; i < storeCount_; ++i) {
      GroupStore& store = group_.stores_[static_cast<std::size_t>(i)];
      if (!reader_.dtype({"store", i, "the dtype"}, store.type)) return false;
      if (!use({"store", i, "the register"}, store.type, store.value)) return false;
      markRead(store.value, GroupLoad::afterSteps);
      views_[static_cast<std::size_t>(loadCount_ + i)].type = store.type;
    }
    for (GroupStore& store : group_.stores_) {
      const auto same = [&](const GroupStore& other) { return other.value == store.value; };
      store.once = store.value >= group_.loads_.size() &&
                   std::count_if(group_.stores_.begin(), group_.stores_.end(), same) == 1;
    }
    return true;
  }

  bool readCloses() {
    for (std::int64_t i = 0; i < closeCount_; ++i) {
      GroupClose& close = group_.closes_[static_cast<std::size_t>(i)];
      if (!readCloseSum(reader_, body_, i, close.type, close.sum)) return false;
      if (!use({"close", i, "the register"}, close.type, close.value)) return false;
      markRead(close.value, GroupLoad::afterSteps);
    }
    return true;
  }

  // Arranges the registers one after another, without gaps. The reason is 4K aliasing: a step stores a vector
  // to one register and then loads the next vector from another register. If the lowest 12 bits of these two
  // addresses were equal, the processor would delay the load because of the store. Without gaps, they differ.
  bool layRegisters() {
    std::int64_t all = 0;
    for (const Register& used : registers_) all += used.size * (used.halved ? 2 : 1);
    group_.tileElements_ = tileElementsFor(all);
    Items<std::size_t> at;
    if (!at.allocate(registers_.size())) return reader_.outOfMemory("a group");
    std::size_t next = 0;
    for (std::size_t i = 0; i < registers_.size(); ++i) {
      at[i] = next;
      next += halfOf(registers_[i]) * (registers_[i].halved ? 2 : 1);
    }
    for (std::size_t value = 0; value < homes_.size(); ++value) {
      const Home& home = homes_[value];
      group_.homes_[value] = at[home.number] + (home.second ? halfOf(registers_[home.number]) : 0);
    }
    for (std::size_t i = 0; i < group_.loads_.size(); ++i) {
      group_.loads_[i].sole = registers_[homes_[i].number].writers == 1;
    }
    const auto aligned = [](std::size_t bytes) {
      return (bytes + AlignedBytes::alignment - 1) / AlignedBytes::alignment * AlignedBytes::alignment;
    };
    group_.gatheredAt_ = aligned(group_.valueCount() * sizeof(void*));
    group_.targetsAt_ = group_.gatheredAt_ + aligned(group_.loads_.size() * sizeof(Group::Gathered));
    group_.singlesAt_ = group_.targetsAt_ + aligned(group_.stores_.size() * sizeof(char*));
    group_.registersAt_ = group_.singlesAt_ + aligned(group_.valueCount());
    group_.scratchBytes_ = group_.registersAt_ + next;
    const bool allocated =
        group_.values_.allocate(group_.valueCount()) && group_.gathered_.allocate(group_.loads_.size()) &&
        group_.targets_.allocate(group_.stores_.size()) && group_.singles_.allocate(group_.valueCount());
    return allocated || reader_.outOfMemory("a group");
  }

  std::size_t halfOf(const Register& used) const {
    return static_cast<std::size_t>(used.size * group_.tileElements_);
  }

  bool readSegments() {
    group_.isCopy_ = loadCount_ == 1 && stepCount_ == 0 && storeCount_ == 1 && closeCount_ == 0;
    LoopFinder finder(group_, body_);
    const bool findable = sameType_ && finder.possible();
    if (findable && !finder.start(views_[0].type)) return reader_.outOfMemory("a group");
    GroupPlanner planner(operands_, group_, views_, rank_, findable ? &finder : nullptr);
    for (std::int64_t s = 0; s < segmentCount_; ++s) {
      reader_.segment(s);
      std::int64_t sizes[maxRank];
      std::int64_t count = 0;
      if (!reader_.integers({nullptr, -1, "a size"}, sizes, rank_)) return false;
      for (int i = 0; i < loadCount_; ++i) {
        if (!readView("load", i, loading_, sizes, views_[static_cast<std::size_t>(i)])) return false;
        if (views_[static_cast<std::size_t>(i)].draw != nullptr) group_.isCopy_ = false;
      }
      for (int i = 0; i < storeCount_; ++i) {
        if (!readView("store", i, Access::write, sizes, views_[static_cast<std::size_t>(loadCount_ + i)])) {
          return false;
        }
      }
      for (std::int64_t i = 0; i < closeCount_; ++i) {
        Location& location = group_.closeLocations_[static_cast<std::size_t>(s * closeCount_ + i)];
        const DType type = group_.closes_[static_cast<std::size_t>(i)].type;
        Extent extent;
        if (!operands_.locate("close", i, Access::write, type, location) ||
            !operands_.view("close", i, Access::write, type, location, nullptr, nullptr, 0, extent)) {
          return false;
        }
      }
      if (!readableCount(reader_, sizes, rank_, count)) return false;
      if (!planner.plan(static_cast<std::size_t>(s), sizes, count)) return reader_.outOfMemory("a group");
      // The number of units is checked after every segment, so that it cannot overflow.
      if (group_.units_ > largestInteger / std::max<std::int64_t>(closeCount_, 1)) {
        return reader_.outOfMemory("the sums of a group");
      }
    }
    reader_.segment(-1);
    if (!planner.finish()) return reader_.outOfMemory("the sums of a group");
    return true;
  }

  bool readView(const char* operand, int index, Access access, const std::int64_t* sizes, GroupView& view) {
    Extent extent;
    if (!operands_.locate(operand, index, access, view.type, view.location)) return false;
    view.draw = operands_.drawAt(view.location);
    return reader_.strides(operand, index, view.strides, rank_) &&
           operands_.view(operand, index, access, view.type, view.location, sizes, view.strides, rank_,
                          extent);
  }

  Operands& operands_;
  Reader& reader_;
  const Body& body_;
  Group& group_;
  int rank_ = 0;
  Access loading_ = Access::load;  // how the loads read their operands
  bool sameType_ = true;           // true if all values have one dtype, except bools beside it
  std::int64_t segmentCount_ = 0, loadCount_ = 0, stepCount_ = 0, storeCount_ = 0, closeCount_ = 0;
  Items<Register> registers_;
  Items<Home> homes_;
  Items<GroupView> views_;  // the operands of the segment that is read: loads, then stores
};

namespace {

std::unique_ptr<Group> newGroup(Operands& operands) {
  std::unique_ptr<Group> group(new (std::nothrow) Group);
  if (!group) operands.reader().outOfMemory("a group");
  return group;
}

}  // namespace

std::unique_ptr<Instruction> decodeGroup(Operands& operands, const Body& body) {
  std::unique_ptr<Group> group = newGroup(operands);
  if (!group || !GroupDecoder(operands, body, *group).decode()) return nullptr;
  return group;
}

std::unique_ptr<Instruction> decodeCopy(Operands& operands, const Body& body) {
  std::unique_ptr<Group> group = newGroup(operands);
  if (!group || !GroupDecoder(operands, body, *group).decodeCopy()) return nullptr;
  return group;
}

}  // namespace forebay
