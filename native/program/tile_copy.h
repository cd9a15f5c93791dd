// Copies elements between memory and the registers of a group (see group.h). All distances between rows and
// columns are in bytes.
#pragma once

#include <cstdint>

namespace forebay {

// Copies a block of rows x columns elements, each of `size` bytes. `to` and `from` may be the same block.
void copyBlock(std::int32_t size, char* to, std::int64_t toRow, std::int64_t toColumn, const char* from,
               std::int64_t fromRow, std::int64_t fromColumn, std::int64_t rows, std::int64_t columns);

// Writes `count` copies of the element at `from` to `to`.
void fillElements(std::int32_t size, char* to, const char* from, std::int64_t count);

}  // namespace forebay
