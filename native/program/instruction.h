// The interface of a decoded instruction. code.h declares the function that decodes each opcode.
#pragma once

#include <atomic>
#include <memory>

#include "kernels/bodies.h"
#include "program/code.h"
#include "program/failure.h"
#include "program/operand.h"

namespace forebay {

// The arguments that a run passes to its instructions.
struct Running {
  // The address of each buffer. Loops set those of their windows.
  char** bases;
  const Buffer* buffers;
  char* scratch;  // `scratchPitch` bytes for each thread
  std::size_t scratchPitch;
  char* shared;  // the scratch that all threads of an instruction share; 64-byte aligned
  int threads;
  std::uint64_t run;    // the index of the run
  bool check;           // check results for NaN and infinity
  bool dry;             // do not write variables
  RunFailure* failure;  // set if an instruction fails for another reason than NaN and infinity
  const std::atomic<bool>* cancelled = nullptr;  // null if the run cannot be cancelled
  double* nanoseconds = nullptr;  // the times of the instructions, by their numbers; null if not measured

  bool isCancelled() const { return cancelled != nullptr && cancelled->load(std::memory_order_relaxed); }
  char* scratchOf(int slot) const { return scratch + static_cast<std::size_t>(slot) * scratchPitch; }
};

class Instruction {
 public:
  Instruction() = default;
  Instruction(const Instruction&) = delete;
  Instruction& operator=(const Instruction&) = delete;
  virtual ~Instruction() = default;

  // Returns the number of bytes of scratch (temporary memory) that one thread needs. Scratch is 64-byte
  // aligned.
  virtual std::size_t scratchBytes() const { return 0; }
  // Returns the number of bytes of scratch that all threads share. Its content survives from prepare() to the
  // end of run(), and no longer.
  virtual std::size_t sharedBytes() const { return 0; }
  // Whether the instruction can fail at run time, and if so, whether it may have written a part of its
  // results.
  enum class Failure { never, beforeWriting, whileWriting };
  virtual Failure failure() const { return Failure::never; }
  // The program calls this once, with the scratch of its first thread.
  virtual void attach(char*) {}
  // The program calls this in each run before run(). For instruction writeStart and later ones, it does so
  // before the first write to a leaf, and run() may be called twice afterwards. Returns false if the
  // instruction has failed and described its failure in running.failure.
  virtual bool prepare(const Running&) { return true; }
  // Returns false if running.check is set and a result is NaN or infinite, or if the instruction has failed
  // and described its failure in running.failure. Otherwise returns true.
  virtual bool run(const Running& running) = 0;

  // Calls run(). If results are checked, also returns false if an element of a stated result is NaN or
  // infinite.
  bool runAndCheck(const Running& running) {
    return run(running) && (!running.check || resultsFinite(running.bases));
  }

  // Returns about how many times instructions are executed in a run: more than once for a loop.
  virtual double executions() const { return 1; }
  // Sets the times of this instruction and of those within it to 0.
  virtual void clearTimes(double* nanoseconds) const { nanoseconds[number_] = 0; }

  // The number of the instruction in the program. The instructions of a loop follow the loop.
  std::size_t number() const { return number_; }
  void setNumber(std::size_t number) { number_ = number; }

 protected:
  // States what the instruction writes. Groups and products state nothing: they check their results
  // themselves, while these are in a cache. Draws and packs state nothing, because their results need no
  // check.
  bool stateResults(Reader& reader, std::size_t count);
  void stateResult(std::size_t index, DType type, const Location& location, const std::int64_t* sizes,
                   const std::int64_t* strides, int rank);

 private:
  bool resultsFinite(char* const* bases) const;

  Items<Result> results_;
  std::size_t number_ = 0;
};

// Reads an instruction, with its opcode and its length. Returns null if it is refused.
std::unique_ptr<Instruction> readInstruction(Operands& operands);

// With less work than this, sharing the work of a group among threads takes more time than it saves. Steps
// that are fast to compute do this amount of work in about 70 us.
constexpr double worthSharing = 1500000;
// The operations that take as much time as the draw of an element.
constexpr std::size_t operationsPerDraw = 8;
// Each thread gets several tasks, because threads do not start at the same time, and tiles do not all take
// the same time.
constexpr std::int64_t tasksPerThread = 4;

// Returns how a body sums the elements of a dtype; null if it has no sum of this dtype.
const Fold* sumFold(const Body& body, DType type);

}  // namespace forebay
