// Draws that take no memory. A buffer of kind draw (code.h) has no address: a group that loads from it
// computes the elements, in a register. An element is a function of the seed, the index of the run and the
// index of the element, so all loads of an element compute the same bits as an instruction random stores.
#pragma once

#include "kernels/kernel.h"

namespace forebay {

struct Draw {
  FillFn fill;
  std::uint64_t seed;
  std::int32_t size;  // bytes per element
};

// Computes a block of rows x columns elements and writes it to `to`, row by row, without gaps. `at` is the
// byte offset of the first element in the draw. The distances between rows and columns are in bytes.
void drawBlock(const Draw& draw, std::uint64_t run, char* to, std::int64_t at, std::int64_t rowStep,
               std::int64_t columnStep, std::int64_t rows, std::int64_t columns);

}  // namespace forebay
