#include "program/touched.h"

namespace forebay {

namespace {

// code.h describes the format of the code, and these numbers.
constexpr std::size_t headerLength = 6;
constexpr double kindVariable = 1, kindConstant = 2;
constexpr double opcodeGroup = 1, opcodeCopy = 8;

class Walk {
 public:
  Walk(const double* code, const Touched& touched) : code_(code), touched_(touched) {}

  std::size_t at(std::size_t position) const { return static_cast<std::size_t>(code_[position]); }
  double kindOf(std::size_t buffer) const { return code_[headerLength + 2 * buffer]; }

  // If the buffer is a variable, sets the item of its leaf in `writes` to true. Leaves are the buffers of
  // kinds variable and constant, numbered in order.
  void touch(std::size_t buffer) const {
    if (kindOf(buffer) != kindVariable) return;
    std::size_t leaf = 0;
    for (std::size_t other = 0; other < buffer; ++other) {
      if (kindOf(other) == kindVariable || kindOf(other) == kindConstant) ++leaf;
    }
    touched_.writes[leaf] = true;
  }

  // Marks the variables that a group reads or writes. The code of a group is [1, length, segments, rank,
  // registers, loads, steps, stores, closes, …].
  void group(std::size_t start) const {
    const std::size_t segments = at(start + 2), rank = at(start + 3), loads = at(start + 5);
    const std::size_t steps = at(start + 6), stores = at(start + 7), closes = at(start + 8);
    std::size_t position = start + 9 + 2 * loads + 6 * steps + 2 * stores + 2 * closes;
    for (std::size_t segment = 0; segment < segments; ++segment) {
      position += rank;
      for (std::size_t operand = 0; operand < loads + stores; ++operand, position += 2 + rank) {
        touch(at(position));
      }
      position += 2 * closes;
    }
  }

  // Marks the variables that a copy reads or writes. The code of a copy is [8, length, dtype, rank, sizes,
  // from [buffer, byteOffset, strides], to [the same]].
  void copy(std::size_t start) const {
    const std::size_t rank = at(start + 3);
    touch(at(start + 4 + rank));
    touch(at(start + 4 + rank + 2 + rank));
  }

 private:
  const double* code_;
  const Touched& touched_;
};

}  // namespace

void findTouched(const double* code, const Touched& touched) {
  const Walk walk(code, touched);
  const std::size_t buffers = walk.at(1), instructions = walk.at(2), writeStart = walk.at(3);
  std::size_t leaf = 0;
  for (std::size_t buffer = 0; buffer < buffers; ++buffer) {
    // Every variable is marked as read, even if the program only writes it. No program has a leaf that it
    // does not use.
    if (walk.kindOf(buffer) == kindVariable) touched.reads[leaf++] = true;
    if (walk.kindOf(buffer) == kindConstant) ++leaf;
  }
  std::size_t position = headerLength + 2 * buffers + 4 * walk.at(4);
  for (std::size_t index = 0; index < instructions; ++index, position += walk.at(position + 1)) {
    if (index < writeStart) continue;
    if (code[position] == opcodeGroup) walk.group(position);
    if (code[position] == opcodeCopy) walk.copy(position);
  }
}

}  // namespace forebay
