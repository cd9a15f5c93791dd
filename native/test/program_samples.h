// Makes random valid programs that use every opcode.
#pragma once

#include "routines/routine.h"
#include "test/program_support.h"

namespace forebay::test {

// The buffers of a random program: the arena, one variable, constant and feed for each dtype, and one draw of
// each distribution for each floating dtype. A buffer grows when memory for an operand is reserved in it.
class Space {
 public:
  explicit Space(Code& code) : code_(code) {
    panels_ = arena_ = code.buffer(arena, 0);
    for (int type = 0; type < 5; ++type) {
      variables_[type] = code.buffer(variable, 0, type);
      constants_[type] = code.buffer(constant, 0, type);
      feeds_[type] = code.buffer(feed, 0, type);
    }
    for (int type = 0; type < 2; ++type) {
      for (int i = 0; i < 3; ++i) draws_[type][i] = code.drawnBuffer(distributions[i], type, 40 + i, 0);
    }
  }

  // The buffers that a loop in `outer` uses. Its arena is a window, and its other buffers are windows or
  // those of `outer`.
  Space(Generator& generator, const Space& outer);
  Space(const Space&) = delete;
  Space& operator=(const Space&) = delete;

  // The windows of a loop, as [buffer, parent]. The first one is its arena.
  const std::vector<Code::Numbers>& windows() const { return windows_; }
  double bytesOf(double buffer) const { return code_.buffers[static_cast<std::size_t>(buffer)][1]; }

  double inArena() const { return arena_; }
  // The buffer for panels, which cannot be in windows.
  double forPanels() const { return panels_; }
  double constantOf(DType type) const { return constants_[static_cast<int>(type)]; }
  double variableOf(DType type) const { return variables_[static_cast<int>(type)]; }
  // Returns a random buffer that can be read as `type`. The arena can only be read as float32, because it is
  // filled with float32 numbers.
  double readable(Generator& generator, DType type) const {
    const auto t = static_cast<int>(type);
    const double choices[] = {constants_[t], feeds_[t], variables_[t], arena_};
    return choices[between(generator, 0, type == DType::float32 ? 3 : 2)];
  }

  // Returns a random buffer that a group can load as `type`: one in four is a draw, if there are draws of
  // this dtype and `draws` is true. (Sums of drawn numbers are rounded.)
  double loadable(Generator& generator, DType type, bool draws) const {
    const bool floating = type == DType::float32 || type == DType::float64;
    if (!draws || !floating || between(generator, 0, 3) > 0) return readable(generator, type);
    return draws_[static_cast<int>(type)][between(generator, 0, 2)];
  }

  // Reserves memory for elements in `buffer` and returns its byte offset, a multiple of `align`.
  double take(double buffer, DType type, std::size_t elements, std::int64_t align = 8) {
    double& bytes = code_.buffers[static_cast<std::size_t>(buffer)][1];
    const auto at = (static_cast<std::int64_t>(bytes) + align - 1) / align * align;
    bytes = static_cast<double>(at) + static_cast<double>(elements * sizeOf(type));
    return static_cast<double>(at);
  }

 private:
  double windowIn(double parent);

  Code& code_;
  std::vector<Code::Numbers> windows_;
  static constexpr const char* distributions[] = {"uniform", "normal", "truncatedNormal"};
  double arena_, panels_, variables_[5], constants_[5], feeds_[5], draws_[2][3];
};

// Adds a group (an instruction that executes a fused loop) of up to 5 loads, 14 steps and 4 stores, with 1 to
// 3 segments. If `writing` is true, the group also stores to variables.
void addSomeGroup(Generator& generator, Code& code, Space& space, bool writing);

// Adds a row group (a fused loop over whole rows) of up to 4 loads, 14 steps, 3 stores and 2 closes, with 1
// or 2 segments (program_row_samples.cc).
void addSomeRowGroup(Generator& generator, Code& code, Space& space);

// Each of these functions adds an instruction of the opcode in its name, with random operands.
void addSomeProduct(Generator& generator, Code& code, Space& space);
void addSomePackedProduct(Generator& generator, Code& code, Space& space);  // also adds the pack
void addSomeReduction(Generator& generator, Code& code, Space& space);
void addSomeBatchProduct(Generator& generator, Code& code, Space& space);
void addSomeRandom(Generator& generator, Code& code, Space& space);
void addSomeCopy(Generator& generator, Code& code, Space& space, bool writing);
// Adds a loop of up to 4 iterations with random instructions, which may be loops (program_loop_samples.cc).
void addSomeLoop(Generator& generator, Code& code, Space& space);
// Adds an instruction, or several that belong together. Each number from 0 to 11 is another kind of
// instruction.
void addSomeInstruction(Generator& generator, Code& code, Space& space, std::int64_t kind);

// Adds a call of the routine `row` (program_routine_samples.cc). Its indices are in range if the memory is
// filled with numbers from -8 to 8, as Memory does.
void addRoutine(Generator& generator, Code& code, Space& space, const RoutineRow& row);
void addSomeRoutine(Generator& generator, Code& code, Space& space);
// Adds calls of the routine `row`, which may update leaves, that write a variable: one, or two one after the
// other, of which the second is in place.
void addUpdates(Generator& generator, Code& code, Space& space, const RoutineRow& row);
void addSomeUpdates(Generator& generator, Code& code, Space& space);

// Adds instructions that run once, a pack and a copy, and instructions that read the kept values. It must be
// called before the other functions.
void addSomeKept(Generator& generator, Code& code, Space& space);

// Adds a draw to an output that has a buffer of its own.
void addDirectOutput(Generator& generator, Code& code);

// Returns a program of three instructions, or a few more, and sometimes writes. It is small enough to run
// thousands of times. Its last output is the arena.
Code someProgram(Generator& generator);

// Returns a damaged form of `number`, which is a number of the code of a program.
double damagedNumber(Generator& generator, double number);

// Reserves memory for a view in `buffer`. Returns [buffer, byteOffset, strides].
Code::Numbers placed(Space& space, double buffer, DType type, const View& view);

}  // namespace forebay::test
