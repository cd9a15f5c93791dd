// What products and the packing of their right operand have in common.
#pragma once

#include "program/instruction.h"

namespace forebay {

// Every extent and stride of a product is below 2^31.
constexpr std::int64_t maxExtent = (std::int64_t(1) << 31) - 1;

// float32 or float64, which are all that there are products of.
bool readFloatType(Reader& reader, DType& type);

// Whether the panels of a k x n matrix may be at `place`: whole, and where vectors may be read from.
bool checkPanels(Operands& operands, const char* name, DType type, std::int64_t k, std::int64_t n,
                 const Body& body, const Place& place, Extent& extent);

}  // namespace forebay
