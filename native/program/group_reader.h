// Reads the parts of the code that groups and row groups have in common.
#pragma once

#include "program/instruction.h"

namespace forebay {

// Refuses the code if the rest of the instruction does not have `expected` numbers. This is called before
// memory is allocated for its lists, so that the length of the code limits the memory.
bool hasNumbers(Reader& reader, std::int64_t expected);

// The kernel of a step, and the type of its inputs.
struct StepKernel {
  std::uint16_t id;
  DType type;
  const Kernel* kernel;
  // A reduction reads one value.
  int arity() const { return kernel->family == Family::reduce ? 1 : kernel->arity; }
};
// Refuses a kernel that does not exist for the type, and one that is neither a map nor a cast nor, if
// `reductions` is true, a reduction.
bool readStepKernel(Reader& reader, const Body& body, std::int64_t step, bool reductions, StepKernel& read);

// Reads the inputs of a step. Calls use(field, input) for each that the kernel reads, which reads the number
// and returns false if it is refused. The others must be -1.
template <class Use>
bool readInputs(Reader& reader, std::int64_t step, const StepKernel& read, const Use& use);

// Reads the dtype of a close, and finds the kernel of the sum.
bool readCloseSum(Reader& reader, const Body& body, std::int64_t index, DType& type, const Fold*& sum);

// Multiplies the sizes. Refuses more than 2^53 - 1 elements.
bool readableCount(Reader& reader, const std::int64_t* sizes, int rank, std::int64_t& count);

// Refuses an input that the kernel does not read, unless it is -1.
bool readUnused(Reader& reader, const Field& field, const StepKernel& read);

template <class Use>
bool readInputs(Reader& reader, std::int64_t step, const StepKernel& read, const Use& use) {
  static constexpr const char* names[maxArity] = {"input 0", "input 1", "input 2"};
  for (int k = 0; k < maxArity; ++k) {
    const Field field = {"step", step, names[k]};
    if (k < read.arity() ? !use(field, k) : !readUnused(reader, field, read)) return false;
  }
  return true;
}

}  // namespace forebay
