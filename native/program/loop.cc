// The instruction loop: executes a list of instructions several times, and moves windows (window.h) before
// each iteration.
#include <algorithm>

#include "program/instruction.h"
#include "program/stopwatch.h"

namespace forebay {

namespace {

class Loop final : public Instruction {
 public:
  std::size_t scratchBytes() const override {
    return most([](const Instruction& one) { return one.scratchBytes(); });
  }
  std::size_t sharedBytes() const override {
    return most([](const Instruction& one) { return one.sharedBytes(); });
  }
  Failure failure() const override {
    const auto never = [](const Part& part) { return part.instruction->failure() == Failure::never; };
    return std::all_of(parts_.begin(), parts_.end(), never) ? Failure::never : Failure::whileWriting;
  }
  double executions() const override {
    double all = 1 + static_cast<double>(count_);
    for (const Part& part : parts_) {
      all += static_cast<double>(part.end - part.first) * part.instruction->executions();
    }
    return all;
  }
  void attach(char* scratch) override {
    for (const Part& part : parts_) part.instruction->attach(scratch);
  }
  void clearTimes(double* nanoseconds) const override {
    Instruction::clearTimes(nanoseconds);
    for (const Part& part : parts_) {
      if (part.first < part.end) part.instruction->clearTimes(nanoseconds);
    }
  }
  bool run(const Running& running) override;

 private:
  friend class LoopDecoder;

  struct Moved {
    std::uint32_t buffer;
    Window window;
  };
  // An instruction of the body, which is executed in the iterations from `first` to `end` - 1.
  struct Part {
    std::int64_t first, end;
    std::unique_ptr<Instruction> instruction;
  };

  template <class Bytes>
  std::size_t most(const Bytes& bytes) const {
    std::size_t most = 0;
    for (const Part& part : parts_) most = std::max(most, bytes(*part.instruction));
    return most;
  }
  static void report(RunFailure& failure, const Instruction& instruction, std::int64_t n);

  std::int64_t count_ = 0;
  int depth_ = 0;  // the number of loops around this one
  Items<Moved> moved_;
  Items<Part> parts_;
};

bool Loop::run(const Running& running) {
  // The program measures the whole loop. The loops within this one are executed several times, and their
  // times are added up.
  if (running.nanoseconds != nullptr && depth_ == 0) {
    for (const Part& part : parts_) {
      if (part.first < part.end) part.instruction->clearTimes(running.nanoseconds);
    }
  }
  Stopwatch stopwatch(running.nanoseconds);
  for (std::int64_t n = 0; n < count_ && !running.isCancelled(); ++n) {
    for (const Moved& moved : moved_) {
      running.bases[moved.buffer] = running.bases[moved.window.parent] + moved.window.at(n);
    }
    for (const Part& part : parts_) {
      if (n < part.first || n >= part.end) continue;
      Instruction& instruction = *part.instruction;
      const bool succeeded = instruction.prepare(running) && instruction.runAndCheck(running);
      stopwatch.add(instruction.number());
      if (!succeeded) {
        report(*running.failure, instruction, n);
        return false;
      }
      // The rest of the body may read values that a loop within this one has not computed.
      if (running.isCancelled()) return true;
    }
  }
  return true;
}

// Adds the iteration in which an instruction of the body has failed. If a loop within this one has reported
// the instruction, its iteration follows.
void Loop::report(RunFailure& failure, const Instruction& instruction, std::int64_t n) {
  if (failure.loops == 0) failure.instruction = instruction.number();
  std::copy_backward(failure.iterations, failure.iterations + failure.loops,
                     failure.iterations + failure.loops + 1);
  failure.iterations[0] = n;
  ++failure.loops;
}

class LoopDecoder {
 public:
  LoopDecoder(Operands& operands, Loop& loop)
      : operands_(operands), reader_(operands.reader()), loop_(loop) {}

  bool decode() {
    loop_.depth_ = operands_.depth();
    if (loop_.depth_ == maxLoopDepth) {
      return reader_.refuse("it is within %d loops, expected at most %d", loop_.depth_, maxLoopDepth - 1);
    }
    if (!reader_.integer({nullptr, -1, "the number of iterations"}, loop_.count_) || !readWindows()) {
      return false;
    }
    operands_.loopBegins();
    setOpen(true);
    if (!readBody()) return false;
    setOpen(false);
    operands_.loopEnds();
    return true;
  }

 private:
  bool readWindows() {
    std::int64_t count = 0;
    if (!reader_.integer({nullptr, -1, "the number of windows"}, count, reader_.left() / 5)) return false;
    if (!loop_.moved_.allocate(static_cast<std::size_t>(count))) return reader_.outOfMemory("a loop");
    for (std::int64_t i = 0; i < count; ++i) {
      Loop::Moved& moved = loop_.moved_[static_cast<std::size_t>(i)];
      Window& window = moved.window;
      window.count = loop_.count_;
      window.depth = loop_.depth_;
      window.defined = true;
      if (!readBuffer(i, moved.buffer) || !readParent(i, window.parent) ||
          !reader_.integer({"window", i, "the byte offset"}, window.offset) ||
          !reader_.signedInteger({"window", i, "the step"}, window.step) ||
          !reader_.integer({"window", i, "the period"}, window.period) || !checkReach(i, moved)) {
        return false;
      }
      operands_.buffers()[moved.buffer].window = window;
    }
    return true;
  }

  bool readNumber(const Field& field, std::uint32_t& number) {
    std::int64_t value = 0;
    const auto last = static_cast<std::int64_t>(operands_.buffers().size()) - 1;
    if (!reader_.integer(field, value, last)) return false;
    number = static_cast<std::uint32_t>(value);
    return true;
  }

  bool readBuffer(std::int64_t index, std::uint32_t& number) {
    if (!readNumber({"window", index, "the buffer"}, number)) return false;
    const Buffer& buffer = operands_.buffers()[number];
    if (buffer.kind != Buffer::Kind::window) {
      return reader_.refuse("the buffer of window %lld is %s (buffer %u), expected a window",
                            static_cast<long long>(index), nameOf(buffer.kind), number);
    }
    return !buffer.window.defined ||
           reader_.refuse("the buffer of window %lld is buffer %u, which a loop has defined before",
                          static_cast<long long>(index), number);
  }

  bool readParent(std::int64_t index, std::uint32_t& number) {
    if (!readNumber({"window", index, "the parent"}, number)) return false;
    const Buffer& parent = operands_.buffers()[number];
    if (parent.kind == Buffer::Kind::draw) {
      return reader_.refuse("the parent of window %lld is a draw (buffer %u), which has no memory",
                            static_cast<long long>(index), number);
    }
    return parent.kind != Buffer::Kind::window || parent.window.open ||
           reader_.refuse(
               "the parent of window %lld is a window (buffer %u), which no loop around this one defines",
               static_cast<long long>(index), number);
  }

  // Checks that the window is within its parent in all iterations. The lowest and the highest position are
  // the first and the last.
  bool checkReach(std::int64_t index, const Loop::Moved& moved) {
    const Window& window = moved.window;
    if (window.count == 0) return true;
    const std::int64_t bytes = operands_.buffers()[moved.buffer].bytes;
    const std::int64_t available = operands_.buffers()[window.parent].bytes;
    std::int64_t last = 0;
    const bool fits = !__builtin_mul_overflow(window.step, window.positions() - 1, &last) &&
                      last >= -window.offset && last <= largestInteger &&
                      window.offset + std::max<std::int64_t>(last, 0) <= available - bytes;
    return fits || reader_.refuse("window %lld (buffer %u) reaches beyond buffer %u, which has %lld bytes",
                                  static_cast<long long>(index), moved.buffer, window.parent,
                                  static_cast<long long>(available));
  }

  void setOpen(bool open) {
    for (const Loop::Moved& moved : loop_.moved_) operands_.buffers()[moved.buffer].window.open = open;
  }

  bool readBody() {
    std::int64_t count = 0;
    // An instruction has at least four numbers: the first iteration, the end, the opcode and the length.
    if (!reader_.integer({nullptr, -1, "the number of instructions"}, count, reader_.left() / 4))
      return false;
    if (!loop_.parts_.allocate(static_cast<std::size_t>(count))) return reader_.outOfMemory("a loop");
    for (std::int64_t i = 0; i < count; ++i) {
      Loop::Part& part = loop_.parts_[static_cast<std::size_t>(i)];
      if (!reader_.integer({"instruction", i, "the first iteration"}, part.first, loop_.count_) ||
          !reader_.integer({"instruction", i, "the end of the iterations"}, part.end, loop_.count_,
                           part.first)) {
        return false;
      }
      part.instruction = readInstruction(operands_);
      if (!part.instruction) return false;
    }
    return true;
  }

  Operands& operands_;
  Reader& reader_;
  Loop& loop_;
};

}  // namespace

std::unique_ptr<Instruction> decodeLoop(Operands& operands, const Body&) {
  std::unique_ptr<Loop> loop(new (std::nothrow) Loop);
  if (!loop) {
    operands.reader().outOfMemory("a loop");
    return nullptr;
  }
  if (!LoopDecoder(operands, *loop).decode()) return nullptr;
  return loop;
}

}  // namespace forebay
