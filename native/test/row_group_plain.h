// A reference implementation of row groups, as simple as possible: it computes one row after another, and
// reads the numbers of the code without any check.
#pragma once

#include "test/program_support.h"

namespace forebay::test {

// `numbers` are the numbers of the instruction that follow [opcode, length].
void runRowGroupPlainly(const double* numbers, Memory& memory);

}  // namespace forebay::test
