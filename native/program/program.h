// A compiled program: a list of instructions over one arena, leaves and feeds, decoded and checked once
// and run many times. A run allocates nothing and no instruction can fail.
//
// The code is a list of numbers, described in code.h. Every one is checked in create(), so that whatever
// they are, a program is refused or stays inside its memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "kernels/fault.h"
#include "kernels/kernel.h"

namespace forebay {

// The owner keeps it where it is for as long as the program lives.
struct LeafMemory {
  void* data;
  std::size_t bytes;
};

struct RunArguments {
  void* const* feeds = nullptr;    // one per feed buffer: feedBytes() of it, aligned to feedAlignment()
  void* const* outputs = nullptr;  // one per output; they overlap nothing that the program reads or writes
  std::uint64_t run = 0;           // the index of the run: draws depend on it
  // At most so many, and no more than the pool had, or the machine has, when the program was made. At
  // least 1.
  int threads = 1;
  // Stop, before any variable is written, where a result is NaN or infinite. What will be written is
  // computed twice for it, so the instructions that write variables must not read from the arena what
  // they or those behind them overwrite there.
  bool checkFinite = false;
  const std::atomic<bool>* cancelled = nullptr;  // looked at between instructions, until the first write
  double* nanoseconds = nullptr;                 // one per instruction; its time is added
  // After the outputs are copied and before the first write; false cancels the run. And after the last
  // write. Neither is called by a program that writes no variable.
  bool (*beforeWrites)(void* context) = nullptr;
  void (*afterWrites)(void* context) = nullptr;
  void* context = nullptr;
};

enum class RunResult { done, cancelled, notFinite };

class Program {
 public:
  // Leaves in the order of their buffers. Null where the code is refused or memory runs out: see `fault`.
  static std::unique_ptr<Program> create(const double* code, std::size_t length, const LeafMemory* leaves,
                                         std::size_t leafCount, Fault& fault);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // One run at a time. `instruction` is set where the result is notFinite.
  RunResult run(const RunArguments& arguments, std::size_t& instruction) noexcept;

  std::size_t feedCount() const;
  std::size_t feedBytes(std::size_t index) const;
  std::size_t feedAlignment(std::size_t index) const;  // of the widest element that is read from it
  std::size_t outputCount() const;
  DType outputType(std::size_t index) const;
  std::size_t outputLength(std::size_t index) const;  // in elements
  std::size_t instructionCount() const;
  std::size_t arenaBytes() const;
  std::size_t scratchBytes() const;  // for all threads together

 private:
  struct State;
  Program();
  std::unique_ptr<State> state_;
};

}  // namespace forebay
