// Finds the leaves that a program may read and write, for its claims (locks.h).
#pragma once

#include <cstddef>

namespace forebay {

struct Touched {
  bool* reads;   // one per leaf; the caller sets all to false
  bool* writes;  // leaves that are written, or read from instruction writeStart on
};

// Program::create must have accepted `code`. `touched` has an item for every leaf. Constants need no claim,
// because they are never written.
void findTouched(const double* code, const Touched& touched);

}  // namespace forebay
