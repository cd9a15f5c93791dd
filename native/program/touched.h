// Finds the leaves that a program may read or write. They are the leaves that its runs claim (see Claims in
// locks.h).
#pragma once

#include <cstddef>

namespace forebay {

struct Touched {
  bool* reads;   // one per leaf; the caller sets all to false
  bool* writes;  // one per leaf; true if instruction writeStart or a later one writes or reads the leaf
};

// For every variable of `code`, sets the item in `reads` to true, and the item in `writes` as described
// above. Program::create must have accepted `code`. `touched` has an item for every leaf. The items of
// constants stay false: constants need no claim, because they are never written.
void findTouched(const double* code, const Touched& touched);

}  // namespace forebay
