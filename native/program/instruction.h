// The interface of a decoded instruction. code.h declares the function that decodes each opcode.
#pragma once

#include <memory>

#include "kernels/bodies.h"
#include "program/code.h"
#include "program/failure.h"
#include "program/operand.h"

namespace forebay {

// The arguments that a run passes to its instructions.
struct Running {
  char* const* bases;  // the address of each buffer
  const Buffer* buffers;
  char* scratch;  // `scratchPitch` bytes for each thread
  std::size_t scratchPitch;
  char* shared;  // the scratch that all threads of an instruction share; 64-byte aligned
  int threads;
  std::uint64_t run;    // the index of the run
  bool check;           // check results for NaN and infinity
  bool dry;             // do not write variables
  RunFailure* failure;  // set if an instruction fails for another reason than NaN and infinity

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

  // Returns false if an element of a stated result is NaN or infinite. The program calls this after run() if
  // results are checked.
  bool resultsFinite(char* const* bases) const;

 protected:
  // States what the instruction writes. Groups and products state nothing: they check their results
  // themselves, while these are in a cache. Draws and packs state nothing, because their results need no
  // check.
  bool stateResults(Reader& reader, std::size_t count);
  void stateResult(std::size_t index, DType type, const Location& location, const std::int64_t* sizes,
                   const std::int64_t* strides, int rank);

 private:
  Items<Result> results_;
};

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
