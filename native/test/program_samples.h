// Random valid programs that use every opcode.
#pragma once

#include "test/program_support.h"

namespace forebay::test {

// Buffers of every kind and dtype. They grow as operands are placed into them.
class Space {
 public:
  explicit Space(Code& code) : code_(code) {
    arena_ = code.buffer(arena, 0);
    for (int type = 0; type < 3; ++type) {
      variables_[type] = code.buffer(variable, 0, type);
      constants_[type] = code.buffer(constant, 0, type);
      feeds_[type] = code.buffer(feed, 0, type);
    }
  }

  double inArena() const { return arena_; }
  double variableOf(DType type) const { return variables_[static_cast<int>(type)]; }
  // A random buffer that can be read as `type`. The arena is filled with float32.
  double readable(Generator& generator, DType type) const {
    const auto t = static_cast<int>(type);
    const double choices[] = {constants_[t], feeds_[t], variables_[t], arena_};
    return choices[between(generator, 0, type == DType::float32 ? 3 : 2)];
  }

  // Reserves memory and returns its byte offset; `align` is in bytes.
  double take(double buffer, DType type, std::size_t elements, std::int64_t align = 8) {
    double& bytes = code_.buffers[static_cast<std::size_t>(buffer)][1];
    const auto at = (static_cast<std::int64_t>(bytes) + align - 1) / align * align;
    bytes = static_cast<double>(at) + static_cast<double>(elements * sizeOf(type));
    return static_cast<double>(at);
  }

 private:
  Code& code_;
  double arena_, variables_[3], constants_[3], feeds_[3];
};

// A group of up to 5 loads, 14 steps and 4 stores over 1 to 3 segments; `writing`: also to variables.
void addSomeGroup(Generator& generator, Code& code, Space& space, bool writing);

// At least one instruction of every other opcode.
void addSomeProduct(Generator& generator, Code& code, Space& space);
void addSomePackedProduct(Generator& generator, Code& code, Space& space);  // with the packing
void addSomeReduction(Generator& generator, Code& code, Space& space);
void addSomeBatchProduct(Generator& generator, Code& code, Space& space);
void addSomeRandom(Generator& generator, Code& code, Space& space);
void addSomeCopy(Generator& generator, Code& code, Space& space, bool writing);

// A program of three of these and its writes. It is small enough to run thousands of times. Its last output
// is the arena.
Code someProgram(Generator& generator);

// A damaged form of a number of a program.
double damagedNumber(Generator& generator, double number);

}  // namespace forebay::test
