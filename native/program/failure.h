// The reason why a run ended without writing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "program/window.h"

namespace forebay {

struct RunFailure {
  std::size_t instruction = 0;  // the number of the instruction whose result is not finite, or that failed
  int loops = 0;                // the number of loops around this instruction
  std::int64_t iterations[maxLoopDepth] = {};  // their iterations, those of the outermost loop first
  // True if the instruction failed because an element of an index operand is out of range. Then the other
  // members describe this element.
  bool outOfRange = false;
  std::int64_t index = 0;  // the position of the element in its operand, in row-major order
  std::int64_t axis = 0;   // the axis, as the instruction numbers it
  std::int64_t bound = 0;  // the size of the axis; indices from -bound, labels from 0 to bound - 1 are valid
  std::int64_t value = 0;  // the element
};

}  // namespace forebay
