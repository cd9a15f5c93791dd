// A reference implementation of loops, as simple as possible.
#pragma once

#include <functional>

#include "test/program_support.h"

namespace forebay::test {

// `numbers` are the numbers of the instruction that follow [opcode, length]. `execute` executes an
// instruction, which begins with [opcode, length].
void runLoopPlainly(const double* numbers, Memory& memory, const std::function<void(const double*)>& execute);

}  // namespace forebay::test
