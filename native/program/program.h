// A compiled program: a list of instructions over one arena, leaves and feeds. The program is decoded and
// checked once, and run many times. A run allocates no memory. The only instructions that can fail are
// routines with indices (code.h). All indices are checked before the first write to a leaf or an output.
//
// The code of a program is a list of numbers, in the format that code.h describes. create() checks every
// number. If it accepts the program, no run accesses memory outside the buffers.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "kernels/fault.h"
#include "kernels/kernel.h"
#include "program/arena.h"
#include "program/failure.h"
#include "program/kept.h"

namespace forebay {

// The memory of a leaf. It must stay valid and at the same address during the lifetime of the program.
struct LeafMemory {
  void* data;
  std::size_t bytes;
};

struct RunArguments {
  void* const* feeds = nullptr;    // one per feed, of feedBytes() bytes, aligned to feedAlignment()
  void* const* outputs = nullptr;  // one per output; they must not overlap memory that the program accesses
  std::uint64_t run = 0;           // the index of the run; draws depend on it
  // The largest number of threads to use, at least 1. A run uses at most as many threads as the program has
  // scratch for: the larger of the threads of the pool when the program was made and the processors of the
  // machine.
  int threads = 1;
  // If true, the run stops when a result is NaN or infinite, before it writes any variable. To check the new
  // values of variables, the instructions that write variables run twice, the first time without writing to
  // variables (the dry run). Variables that routines write are copied first, and the dry run writes to the
  // copies. Because they run twice, these instructions must not read elements of the arena that they or later
  // instructions overwrite.
  bool checkFinite = false;
  // If true, a run that fails does not change the memory of the outputs. Otherwise it may.
  bool keepOutputs = false;
  // Checked between instructions, also of loops, until the first write.
  const std::atomic<bool>* cancelled = nullptr;
  // One number per instruction, those of loops included: the duration of its last execution in the run. For
  // an instruction of a loop, it is the sum over all executions. The numbers of instructions that do not run
  // are not changed.
  double* nanoseconds = nullptr;
  // beforeWrites is called after the outputs are copied and before the first write. If it returns false, the
  // run is cancelled. afterWrites is called after the last write. A program that writes no variable calls
  // neither.
  bool (*beforeWrites)(void* context) = nullptr;
  void (*afterWrites)(void* context) = nullptr;
  void* context = nullptr;
};

enum class RunResult { done, cancelled, notFinite, outOfRange };

class Program {
 public:
  // Checks the code and makes a program of it. The leaves must be in the order of their buffers. `kept` is
  // the memory of the buffer of kind kept. It must stay valid during the lifetime of the program. It is null
  // if there is no such buffer; then the instructions that run once run every time. `arena` may be shared
  // with programs that do not run at the same time, and must stay valid, too; if it is null, the program has
  // its own. Returns null, with the error in `fault`, if the code is refused or if there is not enough
  // memory.
  static std::unique_ptr<Program> create(const double* code, std::size_t length, const LeafMemory* leaves,
                                         std::size_t leafCount, Fault& fault, KeptValues* kept = nullptr,
                                         Arena* arena = nullptr);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Runs the program. Only one run is allowed at a time. If the result is notFinite or outOfRange, describes
  // the instruction that is the cause in `failure`. In both cases no leaf is written.
  RunResult run(const RunArguments& arguments, RunFailure& failure) noexcept;

  std::size_t feedCount() const;
  std::size_t feedBytes(std::size_t index) const;
  std::size_t feedAlignment(std::size_t index) const;  // the size of the largest element
  std::size_t outputCount() const;
  DType outputType(std::size_t index) const;
  std::size_t outputLength(std::size_t index) const;  // in elements
  std::size_t instructionCount() const;               // those of loops included
  // About how many times instructions are executed in a run. Loops can make this number very large.
  double executions() const;
  std::size_t arenaBytes() const;
  std::size_t scratchBytes() const;  // for all threads together

  // Finds the leaves that runs claim (see Claims in locks.h). Sets reads[leaf] to true for every variable,
  // and writes[leaf] to true for every variable that instruction writeStart or a later one reads or writes.
  // Other items do not change: constants need no claim, because they are never written.
  void findTouched(bool* reads, bool* writes) const;
  // Sets reads[leaf] to true for every variable that the instructions that run once read. Other items do not
  // change.
  void findOnce(bool* reads) const;

 private:
  struct State;
  Program();
  std::unique_ptr<State> state_;
};

}  // namespace forebay
