#include "program/instruction.h"

#include <algorithm>

#include "program/finite.h"

namespace forebay {

bool Instruction::stateResults(Reader& reader, std::size_t count) {
  return results_.allocate(count) || reader.outOfMemory("the results of an instruction");
}

void Instruction::stateResult(std::size_t index, DType type, const Location& location,
                              const std::int64_t* sizes, const std::int64_t* strides, int rank) {
  Result& result = results_[index];
  result.type = type;
  result.location = location;
  result.rank = rank;
  std::copy_n(sizes, rank, result.sizes);
  std::copy_n(strides, rank, result.strides);
}

bool Instruction::resultsFinite(char* const* bases) const {
  for (const Result& result : results_) {
    if (std::find(result.sizes, result.sizes + result.rank, 0) != result.sizes + result.rank) continue;
    if (!viewFinite(result.type, address(result.location, bases), result.sizes, result.strides,
                    result.rank)) {
      return false;
    }
  }
  return true;
}

const Fold* sumFold(const Body& body, DType type) {
  for (std::size_t id = 0; id < body.kernelCount; ++id) {
    const Fold* const fold = body.kernels[id].routine(type).fold;
    if (fold != nullptr && fold->kind == Fold::Kind::sum) return fold;
  }
  return nullptr;
}

}  // namespace forebay
