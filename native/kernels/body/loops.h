// What the compiled loops of groups.h use besides the operations of the map family (elementwise.h).
#pragma once

#include "kernels/body/table.h"

namespace forebay::FOREBAY_BODY {

constexpr bool sameText(const char* a, const char* b) {
  while (*a != '\0' && *a == *b) ++a, ++b;
  return *a == *b;
}

// Returns the id of an operation of the families map and cast. A loop that names an unknown operation does
// not compile.
constexpr std::uint16_t idOf(const char* name) {
  std::uint16_t id = 0;
  while ((kernels[id].family != Family::map && kernels[id].family != Family::cast) ||
         !sameText(kernels[id].name, name))
    ++id;
  return id;
}

// Returns row `r` of an operand.
template <class T>
FOREBAY_INLINE T* rowOf(const LoopCall& call, std::size_t operand, std::int64_t r) {
  return reinterpret_cast<T*>(call.operands[operand] + r * call.rowSteps[operand]);
}

// Returns the total of row `r` of a fold.
template <class Row>
FOREBAY_INLINE typename Row::Total* totalOf(const LoopCall& call, std::size_t fold, std::int64_t r) {
  return reinterpret_cast<typename Row::Total*>(call.totals[fold] + r * call.totalSteps[fold]);
}

// The number of elements of a row that a loop of packed.h computes before it reduces them.
constexpr std::int64_t partOfRow = 512;

// The lists of a loop that are empty.
struct LoopLists {
  static constexpr std::nullptr_t steps = nullptr, results = nullptr, folds = nullptr;
};

// A row of the table of loops.
template <template <class> class Loop, class T>
constexpr CompiledLoop loopOf() {
  using L = Loop<T>;
  constexpr LoopSteps steps = {typeOf<T>, L::loadCount, lengthOf(L::steps), lengthOf(L::results),
                               L::steps,  L::results,   lengthOf(L::folds), L::folds};
  static_assert(L::loadCount + steps.resultCount <= maxLoopOperands);
  static_assert(steps.foldCount <= maxLoopFolds);
  constexpr std::uint64_t hash = steps.hash();
  return {steps, hash, L::singles, L::run};
}

}  // namespace forebay::FOREBAY_BODY
