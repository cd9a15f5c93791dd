// Functions that the instructions product and pack both use.
#pragma once

#include "program/instruction.h"

namespace forebay {

// Every extent and stride of a product is below 2^31.
constexpr std::int64_t maxExtent = (std::int64_t(1) << 31) - 1;

// Reads a dtype. Refuses int32, because products exist for float32 and float64 only.
bool readFloatType(Reader& reader, DType& type);

// Checks that `location` is valid for the panels of a k x n matrix: in the arena or among the kept values,
// aligned for vectors, and with enough bytes after it.
bool checkPanels(Operands& operands, const char* name, DType type, std::int64_t k, std::int64_t n,
                 const Body& body, const Location& location, Extent& extent);

}  // namespace forebay
