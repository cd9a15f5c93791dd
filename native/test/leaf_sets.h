// The leaves of a request of locks.h, as tests list them.
#pragma once

#include <vector>

#include "program/locks.h"

namespace forebay {

using Leaves = std::vector<const void*>;

inline LeafSet setOf(const Leaves& leaves) { return {leaves.data(), leaves.size()}; }

}  // namespace forebay
