// Compiled loops: fused loops of element-wise operations that are known when forebay is built. Each is one
// C++ function, which keeps intermediate values in registers of the processor. A loop can also reduce the
// rows of its values.
//
// body/groups.h, which tools/groups.mjs generates, defines the loops of every body (bodies.h). A loop
// computes the same bits as its steps would, one after another, by the routines of the kernel table. (Only
// the sign and the payload of a NaN may differ.)
#pragma once

#include "kernels/kernel.h"

namespace forebay {

// A step of a loop. Its inputs are numbers of values: loads first, then the results of steps. The input is 0
// if it does not exist. Loads, steps and results have the dtype of the loop.
struct LoopStep {
  std::uint16_t kernel;
  std::uint16_t in[maxArity];
};

// A reduction of each row of a load or of the result of a step: a sum or a maximum.
struct LoopFold {
  Fold::Kind kind;
  std::uint16_t value;
};

// The steps of a loop: what a group must have so that the loop can run it.
struct LoopSteps {
  DType type;
  std::uint16_t loadCount, stepCount, resultCount;
  const LoopStep* steps;
  const std::uint16_t* results;  // the values of steps that are stored, in ascending order
  std::uint16_t foldCount = 0;
  const LoopFold* folds = nullptr;

  constexpr std::uint64_t hash() const {
    std::uint64_t hash = 14695981039346656037u;  // FNV-1a
    const auto mix = [&](std::uint64_t number) { hash = (hash ^ number) * 1099511628211u; };
    mix(static_cast<std::uint64_t>(type));
    mix(loadCount);
    for (std::size_t i = 0; i < stepCount; ++i) {
      mix(steps[i].kernel);
      for (const std::uint16_t in : steps[i].in) mix(in);
    }
    for (std::size_t i = 0; i < resultCount; ++i) mix(results[i]);
    for (std::size_t i = 0; i < foldCount; ++i) {
      mix(static_cast<std::uint64_t>(folds[i].kind));
      mix(folds[i].value);
    }
    return hash;
  }
  constexpr bool equals(const LoopSteps& other) const {
    if (type != other.type || loadCount != other.loadCount || stepCount != other.stepCount ||
        resultCount != other.resultCount || foldCount != other.foldCount) {
      return false;
    }
    for (std::size_t i = 0; i < stepCount; ++i) {
      if (steps[i].kernel != other.steps[i].kernel) return false;
      for (int k = 0; k < maxArity; ++k) {
        if (steps[i].in[k] != other.steps[i].in[k]) return false;
      }
    }
    for (std::size_t i = 0; i < resultCount; ++i) {
      if (results[i] != other.results[i]) return false;
    }
    for (std::size_t i = 0; i < foldCount; ++i) {
      if (folds[i].kind != other.folds[i].kind || folds[i].value != other.folds[i].value) return false;
    }
    return true;
  }
};

// The operands of a call: loads first, then results. Distances between rows are in bytes. A load or a result
// has contiguous columns, but a load of CompiledLoop::singles has one element for each row. A result may be
// in the memory of a load if both have the same elements at the same addresses. The result of each row of a
// fold is combined with a total, as by Fold::run: a double for a sum, and an element for a maximum.
struct LoopCall {
  char* const* operands;
  const std::int64_t* rowSteps;
  std::int64_t rows, columns;
  char* const* totals = nullptr;             // for each fold, the total of the first row
  const std::int64_t* totalSteps = nullptr;  // the distance between the totals of rows; 0 if they have one
};

struct CompiledLoop {
  LoopSteps steps;
  std::uint64_t hash;     // of `steps`
  std::uint32_t singles;  // bit k is set if load k has one element for each row
  void (*run)(const LoopCall& call);
};

// Returns the number of elements of an array. A null pointer is an empty array.
template <class T, std::size_t count>
constexpr std::uint16_t lengthOf(const T (&)[count]) {
  return count;
}
constexpr std::uint16_t lengthOf(std::nullptr_t) { return 0; }

// The largest number of loads and results of a compiled loop. tools/groups.mjs has the same limit.
constexpr std::size_t maxLoopOperands = 24;
// The largest number of folds, with the same limit there.
constexpr std::size_t maxLoopFolds = 8;

}  // namespace forebay
