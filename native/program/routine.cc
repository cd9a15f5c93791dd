// The instruction routine: decodes and runs a call of a row of the routine table (routines/routine.h).
#include "routines/routine.h"

#include <algorithm>
#include <cstring>

#include "program/instruction.h"
#include "program/pool.h"

namespace forebay {

namespace {

// With fewer elements than this in all operands together, one thread does all the work.
constexpr double worthSharing = 1 << 17;
// The largest number of shares. Shares do not depend on the number of threads.
constexpr std::int64_t mostShares = 16;

bool isEmpty(const RoutineView& view) {
  return std::find(view.sizes, view.sizes + view.rank, 0) != view.sizes + view.rank;
}

class RoutineInstruction final : public Instruction {
 public:
  explicit RoutineInstruction(const RoutineRow& row) : row_(row) {}

  bool decode(Operands& operands);
  std::size_t scratchBytes() const override {
    return empty_ || row_.scratchBytes == nullptr ? 0 : row_.scratchBytes(call_);
  }
  std::size_t sharedBytes() const override {
    return empty_ || row_.sharedBytes == nullptr ? 0 : row_.sharedBytes(call_);
  }
  Failure failure() const override {
    if (empty_ || !row_.mayFail) return Failure::never;
    return row_.checksFirst != nullptr && row_.checksFirst(call_) ? Failure::beforeWriting
                                                                  : Failure::whileWriting;
  }
  bool prepare(const Running& running) override;
  bool run(const Running& running) override;

 private:
  // The work of a run, divided into shares.
  struct Work {
    const RoutineRow& row;
    RoutineRun run;
    const Running& running;
    std::int64_t units, shares;
    RoutineFailure failures[mostShares];
    bool failed[mostShares];

    static void share(void* context, int index, int slot) {
      Work& work = *static_cast<Work*>(context);
      const std::int64_t from = work.units * index / work.shares;
      const std::int64_t to = work.units * (index + 1) / work.shares;
      work.failed[index] =
          !work.row.run(work.run, from, to, work.running.scratchOf(slot), work.failures[index]);
    }
  };

  const char* kindOf(int operand) const { return operand < row_.reads ? "read" : "write"; }
  int numberOf(int operand) const { return operand < row_.reads ? operand : operand - row_.reads; }
  bool readView(Operands& operands, int operand);
  bool checkDense(Operands& operands, int operand) const;
  bool checkOverlaps(Operands& operands) const;
  bool sameView(const Operands& operands, int a, int b) const;
  bool checkUpdate(Operands& operands) const;
  void findData(const Running& running, char** data) const {
    for (int i = 0; i < row_.operands(); ++i) data[i] = address(locations_[i], running.bases);
  }
  static bool report(const Running& running, const RoutineFailure& failure);

  const RoutineRow& row_;
  RoutineCall call_ = {};
  Location locations_[maxRoutineOperands] = {};
  Extent extents_[maxRoutineOperands] = {};
  std::int64_t units_ = 0, shares_ = 1;
  bool empty_ = false;
};

bool RoutineInstruction::readView(Operands& operands, int operand) {
  Reader& reader = operands.reader();
  RoutineView& view = call_.operands[operand];
  const char* const kind = kindOf(operand);
  const int number = numberOf(operand);
  const Access access = operand < row_.reads ? Access::read : Access::write;
  std::int64_t rank = 0;
  if (!reader.integer({kind, number, "the rank"}, rank, maxRoutineRank)) return false;
  view.rank = static_cast<int>(rank);
  if (!reader.integers({kind, number, "a size"}, view.sizes, view.rank) ||
      !operands.locate(kind, number, access, view.type, locations_[operand]) ||
      !reader.integers({kind, number, "a stride"}, view.strides, view.rank) ||
      !operands.view(kind, number, access, view.type, locations_[operand], view.sizes, view.strides,
                     view.rank, extents_[operand])) {
    return false;
  }
  // A view without elements may have any strides. They become 0, so that routines compute no address outside
  // its memory, which may be null.
  if (isEmpty(view)) std::fill_n(view.strides, view.rank, 0);
  return true;
}

bool RoutineInstruction::checkDense(Operands& operands, int operand) const {
  const RoutineView& view = call_.operands[operand];
  std::int64_t dense = 1;
  for (int d = view.rank - 1; d >= 0; --d) {
    if (view.sizes[d] > 1 && view.strides[d] != dense) {
      return operands.reader().refuse("%s %d is not dense: the stride of axis %d is %lld, expected %lld",
                                      kindOf(operand), numberOf(operand), d,
                                      static_cast<long long>(view.strides[d]), static_cast<long long>(dense));
    }
    dense *= view.sizes[d];
  }
  return true;
}

// Returns true if two operands have the same elements, in the same order.
bool RoutineInstruction::sameView(const Operands& operands, int a, int b) const {
  const RoutineView &viewA = call_.operands[a], &viewB = call_.operands[b];
  if (viewA.type != viewB.type || viewA.rank != viewB.rank ||
      !operands.sameAddress(locations_[a], locations_[b])) {
    return false;
  }
  for (int d = 0; d < viewA.rank; ++d) {
    if (viewA.sizes[d] != viewB.sizes[d]) return false;
    if (viewA.sizes[d] > 1 && viewA.strides[d] != viewB.strides[d]) return false;
  }
  return true;
}

bool RoutineInstruction::checkOverlaps(Operands& operands) const {
  for (int write = row_.reads; write < row_.operands(); ++write) {
    for (int other = 0; other < write; ++other) {
      if (!extents_[write].overlaps(extents_[other])) continue;
      const bool allowed = write == row_.reads && other == row_.inPlace && sameView(operands, write, other);
      if (allowed) continue;
      return operands.reader().refuse("write %d overlaps %s %d", numberOf(write), kindOf(other),
                                      numberOf(other));
    }
  }
  return true;
}

// Checks the write of a call at or after the start of the writes.
bool RoutineInstruction::checkUpdate(Operands& operands) const {
  const Location& write = locations_[row_.reads];
  const Buffer::Kind kind = operands.buffer(write).kind;
  if (kind != Buffer::Kind::variable) {
    return operands.reader().refuse("the buffer of write 0 is %s, expected a variable", nameOf(kind));
  }
  operands.copyForDryRun(write);
  return true;
}

bool RoutineInstruction::decode(Operands& operands) {
  Reader& reader = operands.reader();
  if (operands.writing() && !row_.updatesLeaves) {
    return reader.refuse("'%s' cannot be at or after the start of the writes", row_.name);
  }
  const int count = row_.operands();
  for (int i = 0; i < count; ++i) {
    if (!reader.dtype({kindOf(i), numberOf(i), "the dtype"}, call_.operands[i].type)) return false;
  }
  const DType type = call_.operands[0].type;
  if (!row_.existsFor(type)) return reader.refuse("'%s' does not exist for %s", row_.name, nameOf(type));
  for (int i = 0; i < count; ++i) {
    if (!readView(operands, i)) return false;
  }
  if (!reader.integers({row_.name, -1, "an integer"}, call_.integers, row_.integers)) return false;
  if (!stateResults(reader, static_cast<std::size_t>(row_.writes))) return false;
  for (int write = row_.reads; write < count; ++write) {
    const RoutineView& view = call_.operands[write];
    empty_ = empty_ || isEmpty(view);
    if (!isEmpty(view) && !checkDense(operands, write)) return false;
    // The view is dense, so its elements are those of one axis.
    const std::int64_t stride = 1, bytes = extents_[write].end - extents_[write].first;
    const std::int64_t size = bytes / static_cast<std::int64_t>(sizeOf(view.type));
    stateResult(static_cast<std::size_t>(write - row_.reads), view.type, locations_[write], &size, &stride,
                1);
  }
  if (!checkOverlaps(operands) || (operands.writing() && !checkUpdate(operands))) return false;
  Fault fault;
  if (!row_.check(call_, fault)) return reader.refuse("%s: %s", row_.name, fault.text());
  if (empty_) return true;
  units_ = row_.units(call_);
  double elements = 0;
  for (int i = 0; i < count; ++i) {
    double product = 1;
    for (int d = 0; d < call_.operands[i].rank; ++d) {
      product *= static_cast<double>(call_.operands[i].sizes[d]);
    }
    elements += product;
  }
  if (row_.work != nullptr) elements = row_.work(call_);
  if (elements >= worthSharing) shares_ = std::clamp<std::int64_t>(units_, 1, mostShares);
  return true;
}

bool RoutineInstruction::report(const Running& running, const RoutineFailure& failure) {
  running.failure->outOfRange = true;
  running.failure->index = failure.index;
  running.failure->axis = failure.axis;
  running.failure->bound = failure.bound;
  running.failure->value = failure.value;
  return false;
}

bool RoutineInstruction::prepare(const Running& running) {
  if (empty_ || row_.prepare == nullptr) return true;
  char* data[maxRoutineOperands] = {};
  findData(running, data);
  RoutineFailure failure = {};
  return row_.prepare({call_, data, running.shared}, failure) || report(running, failure);
}

bool RoutineInstruction::run(const Running& running) {
  if (empty_) return true;
  char* data[maxRoutineOperands] = {};
  findData(running, data);
  const std::int64_t shares = row_.fewShares ? std::min<std::int64_t>(shares_, running.threads) : shares_;
  Work work = {row_, {call_, data, running.shared}, running, units_, shares, {}, {}};
  if (running.threads > 1 && shares > 1) {
    Pool::instance().run(running.threads, static_cast<int>(shares), Work::share, &work);
  } else {
    for (int share = 0; share < shares; ++share) Work::share(&work, share, 0);
  }
  const RoutineFailure* first = nullptr;
  for (std::int64_t share = 0; share < shares; ++share) {
    if (!work.failed[share]) continue;
    if (first == nullptr || work.failures[share].index < first->index) first = work.failures + share;
  }
  if (first != nullptr) return report(running, *first);
  if (row_.finish != nullptr) row_.finish(work.run);
  return true;
}

}  // namespace

std::unique_ptr<Instruction> decodeRoutine(Operands& operands, const Body&) {
  Reader& reader = operands.reader();
  std::int64_t id = 0;
  if (!reader.integer({nullptr, -1, "the routine"}, id, routineCount - 1)) return nullptr;
  std::unique_ptr<RoutineInstruction> instruction(new (std::nothrow) RoutineInstruction(*routines[id]));
  if (!instruction) {
    reader.outOfMemory("a routine");
    return nullptr;
  }
  if (!instruction->decode(operands)) return nullptr;
  return instruction;
}

}  // namespace forebay
