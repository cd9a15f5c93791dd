// A compiled program: a list of instructions over one arena, leaves and feeds. It is decoded and checked once
// and run many times. A run allocates nothing, and no instruction can fail.
//
// The code is a list of numbers. code.h describes its format. create() checks every number: it refuses the
// program or guarantees that no run accesses memory outside its buffers.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "kernels/fault.h"
#include "kernels/kernel.h"

namespace forebay {

// The memory of a leaf. It must stay valid and at its address during the program's lifetime.
struct LeafMemory {
  void* data;
  std::size_t bytes;
};

struct RunArguments {
  void* const* feeds = nullptr;    // one per feed buffer, of feedBytes() bytes, aligned to feedAlignment()
  void* const* outputs = nullptr;  // one per output; they must not overlap memory that the program accesses
  std::uint64_t run = 0;           // the index of the run; draws depend on it
  // The most threads to use, at least 1. A run never uses more than the pool had, or the machine has, when
  // the program was made.
  int threads = 1;
  // Stop before any variable is written if a result is NaN or infinite. To check the values of variables, the
  // instructions that write variables run twice. So they must not read from the arena what they or later
  // instructions overwrite there.
  bool checkFinite = false;
  const std::atomic<bool>* cancelled = nullptr;  // read between instructions, until the first write
  double* nanoseconds = nullptr;                 // one per instruction; the duration of the run is added
  // beforeWrites is called after the outputs are copied and before the first write. If it returns false, the
  // run is cancelled. afterWrites is called after the last write. A program that writes no variable calls
  // neither.
  bool (*beforeWrites)(void* context) = nullptr;
  void (*afterWrites)(void* context) = nullptr;
  void* context = nullptr;
};

enum class RunResult { done, cancelled, notFinite };

class Program {
 public:
  // Leaves are in the order of their buffers. Returns null if the code is refused or memory is exhausted;
  // `fault` holds the error.
  static std::unique_ptr<Program> create(const double* code, std::size_t length, const LeafMemory* leaves,
                                         std::size_t leafCount, Fault& fault);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Only one run at a time. If the result is notFinite, `instruction` is set to the index of the instruction.
  RunResult run(const RunArguments& arguments, std::size_t& instruction) noexcept;

  std::size_t feedCount() const;
  std::size_t feedBytes(std::size_t index) const;
  std::size_t feedAlignment(std::size_t index) const;  // the size of its largest element
  std::size_t outputCount() const;
  DType outputType(std::size_t index) const;
  std::size_t outputLength(std::size_t index) const;  // elements
  std::size_t instructionCount() const;
  std::size_t arenaBytes() const;
  std::size_t scratchBytes() const;  // of all threads

 private:
  struct State;
  Program();
  std::unique_ptr<State> state_;
};

}  // namespace forebay
