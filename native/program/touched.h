// Finds the leaves that a program may read or write. They are the leaves that its runs claim (see Claims in
// locks.h).
#pragma once

#include <cstddef>

namespace forebay {

struct Touched {
  bool* reads;   // one per leaf; the caller sets all to false
  bool* writes;  // one per leaf; the leaves that instructions from writeStart on write or read
};

// Sets the items of the leaves that `code` reads or writes to true. Program::create must have accepted
// `code`. `touched` has an item for every leaf. The items of constants stay false: constants need no claim,
// because they are never written.
void findTouched(const double* code, const Touched& touched);

}  // namespace forebay
