// Which leaves a program may read and write: what its claims (locks.h) are made of.
#pragma once

#include <cstddef>

namespace forebay {

struct Touched {
  bool* reads;   // one per leaf, set to false before
  bool* writes;  // what is written, and what is read once writing has begun
};

// `code` is one that Program::create has taken; `touched` has room for every leaf. Leaves of kind constant
// are never written, and need no claim.
void findTouched(const double* code, const Touched& touched);

}  // namespace forebay
