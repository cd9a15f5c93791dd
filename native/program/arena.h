// The memory of the arenas of programs that never run at the same time. A run finds there what the run before
// it, perhaps of another program, has left.
#pragma once

#include <cstddef>
#include <mutex>

#include "program/items.h"

namespace forebay {

class Arena {
 public:
  // Makes room for at least `bytes` from the next run on. A run in progress keeps its memory. Returns false
  // if there is not enough memory.
  bool reserve(std::size_t bytes);
  // Returns the memory for a run that starts. No other run may be in progress.
  char* begin();
  std::size_t bytes() const { return bytes_; }

 private:
  std::mutex mutex_;
  std::size_t bytes_ = 0;
  AlignedBytes now_, next_;
  bool grown_ = false;
};

}  // namespace forebay
