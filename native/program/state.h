// The parts of a program, and the functions that decode (state_decode.cc) and run it (state_run.cc).
#pragma once

#include "program/arena.h"
#include "program/instruction.h"
#include "program/program.h"

namespace forebay {

// Returns a number of bytes that keeps the memory after them aligned.
constexpr std::size_t padded(std::size_t bytes) {
  return (bytes + AlignedBytes::alignment - 1) / AlignedBytes::alignment * AlignedBytes::alignment;
}

struct Program::State {
  ~State() { arena->remove(need); }

  struct Output {
    DType type;
    std::int64_t count;
    Location location;
    bool direct;        // true if the location is the output's own buffer, so that nothing need be copied
    std::size_t spare;  // the offset in Program::State::spare, if `direct`
  };

  Items<Buffer> buffers;
  Items<Output> outputs;
  Items<std::unique_ptr<Instruction>> instructions;
  std::size_t numbers = 0;    // of instructions, those within loops included
  std::size_t onceCount = 0;  // the number of instructions that run once
  std::size_t writeStart = 0;
  KeptValues* kept = nullptr;
  // True if the dry run (see checkFinite in program.h) may change the outputs in the arena.
  bool outputsFirst = false;
  Items<std::size_t> feeds;  // the indices of the buffers of kind feed
  Items<char*> bases;        // the address of each buffer during a run
  Arena own;                 // of a program that shares no arena
  Arena* arena = &own;
  Arena::Need need;
  AlignedBytes scratch;
  // Memory for the outputs that have their own buffers, for runs that must not change the outputs if they
  // fail.
  AlignedBytes spare;
  std::size_t spareBytes = 0;
  // True if an instruction may fail after another one, or the same, has written an output in its own buffer.
  bool failsLate = false;
  std::size_t scratchPitch = 0;
  // The scratch that all threads share. The instructions before writeStart use the same bytes. Each later one
  // has bytes of its own, because it is prepared long before it runs.
  AlignedBytes shared;
  std::size_t sharedBytes = 0;
  Items<std::size_t> ownShared;  // for each instruction from writeStart on, where its bytes begin
  // The copies of variables for dry runs, in the order of their buffers.
  AlignedBytes copies;
  int slots = 1;  // the number of threads that have scratch

  bool decode(Reader& reader, const LeafMemory* leaves, std::size_t leafCount);
  bool readHeader(Reader& reader);
  bool readBuffers(Reader& reader, const LeafMemory* leaves, std::size_t leafCount);
  bool readBuffer(Reader& reader, std::size_t index);
  static bool readDraw(Reader& reader, std::int64_t index, Buffer& buffer);
  bool placeKept(Reader& reader, std::size_t index);
  bool readOutputs(Operands& operands);
  bool checkDirect(Reader& reader) const;
  bool checkWindows(Reader& reader) const;
  bool readInstructions(Operands& operands);
  bool allocate(Reader& reader);
  bool allocateShared(Reader& reader);

  bool prepareWrites(const RunArguments& arguments, Running& running);
  bool runRange(const RunArguments& arguments, Running& running, std::size_t from, std::size_t to);
  bool dryRun(const RunArguments& arguments, Running& running);
  bool runOnce(const RunArguments& arguments, Running& running);
  RunResult run(const RunArguments& arguments, RunFailure& failure);
  void placeOutputs(void* const* targets, bool direct);
  void copyOutputs(void* const* targets);
};

}  // namespace forebay
