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

std::unique_ptr<Instruction> readInstruction(Operands& operands) {
  Reader& reader = operands.reader();
  const Reader::Frame outer = reader.frame();
  const std::size_t start = reader.position(), number = operands.takeNumber();
  const auto shown = static_cast<std::int64_t>(number);
  std::int64_t opcode = 0, length = 0;
  reader.enter(shown, "opcode unknown", outer.end);
  if (!reader.integer({nullptr, -1, "the opcode"}, opcode, opcodeCount, 1)) return nullptr;
  const Opcode& known = opcodes[opcode - 1];
  reader.enter(shown, known.name, outer.end);
  if (!reader.integer({nullptr, -1, "the length"}, length, reader.left() + 1, 2)) return nullptr;
  if (operands.writing() && !known.writes) {
    reader.refuse("only groups, copies and routines can be at or after the start of the writes");
    return nullptr;
  }
  if (operands.once() && !known.once) {
    reader.refuse("draws and loops cannot run once");
    return nullptr;
  }
  reader.enter(shown, known.name, start + static_cast<std::size_t>(length));
  std::unique_ptr<Instruction> instruction = known.decode(operands, *chosen().body);
  if (!instruction || !reader.end()) return nullptr;
  instruction->setNumber(number);
  reader.leave(outer);
  return instruction;
}

const Fold* sumFold(const Body& body, DType type) {
  for (std::size_t id = 0; id < body.kernelCount; ++id) {
    const Fold* const fold = body.kernels[id].routine(type).fold;
    if (fold != nullptr && fold->kind == Fold::Kind::sum) return fold;
  }
  return nullptr;
}

}  // namespace forebay
