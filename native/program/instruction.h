// What an instruction is, once it is decoded; and the functions that decode each opcode.
#pragma once

#include <memory>

#include "kernels/bodies.h"
#include "program/operand.h"

namespace forebay {

// What a run hands to its instructions.
struct Running {
  char* const* bases;  // of every buffer
  const Buffer* buffers;
  char* scratch;  // `scratchPitch` bytes for each thread
  std::size_t scratchPitch;
  int threads;
  std::uint64_t run;
  bool check;  // look for results that are NaN or infinite
  bool dry;    // and write no variable

  char* scratchOf(int slot) const { return scratch + static_cast<std::size_t>(slot) * scratchPitch; }
};

class Instruction {
 public:
  Instruction() = default;
  Instruction(const Instruction&) = delete;
  Instruction& operator=(const Instruction&) = delete;
  virtual ~Instruction() = default;

  // What one thread needs of scratch, 64-byte aligned.
  virtual std::size_t scratchBytes() const { return 0; }
  // Once, when the scratch of the program's first thread is known.
  virtual void attach(char*) {}
  // False only if running.check is set and a result is NaN or infinite.
  virtual bool run(const Running& running) = 0;
};

// Each reads the numbers behind [opcode, length]. Null: refused.
using Decode = std::unique_ptr<Instruction> (*)(Operands& operands, const Body& body);

std::unique_ptr<Instruction> decodeGroup(Operands& operands, const Body& body);
std::unique_ptr<Instruction> decodeProduct(Operands& operands, const Body& body);
std::unique_ptr<Instruction> decodePack(Operands& operands, const Body& body);
std::unique_ptr<Instruction> decodePackedProduct(Operands& operands, const Body& body);
std::unique_ptr<Instruction> decodeReduce(Operands& operands, const Body& body);
std::unique_ptr<Instruction> decodeBatchProduct(Operands& operands, const Body& body);
std::unique_ptr<Instruction> decodeRandom(Operands& operands, const Body& body);
std::unique_ptr<Instruction> decodeCopy(Operands& operands, const Body& body);

}  // namespace forebay
