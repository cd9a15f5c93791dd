// A reference implementation of every routine, as simple as possible: it computes one element at a time, by
// the definition, in double. Tests compare the routines with it.
#pragma once

#include <string>
#include <vector>

#include "routines/routine.h"

namespace forebay::test {

// An operand: its elements in row-major order. float and int32 fit in double.
struct PlainOperand {
  std::vector<std::int64_t> sizes;
  std::vector<double> elements;

  double& at(std::int64_t a, std::int64_t b, std::int64_t c) {
    return elements[static_cast<std::size_t>((a * sizes[1] + b) * sizes[2] + c)];
  }
};

// Computes the elements of the writes, which follow the reads in `operands`. `type` is the dtype of the first
// operand. The call must be valid, and its indices in range.
void runRoutinePlainly(const RoutineRow& row, DType type, std::vector<PlainOperand>& operands,
                       const std::vector<std::int64_t>& integers);

// Two parts of the reference (conv_plain.cc): the packs of weights, and the convolutions and their gradients.
void packPlainly(DType type, std::vector<PlainOperand>& operands, const std::vector<std::int64_t>& integers);
void convolvePlainly(DType type, const std::string& name, std::vector<PlainOperand>& operands,
                     const std::vector<std::int64_t>& integers);

}  // namespace forebay::test
