// The memory of the arenas of programs that never run at the same time. A run finds there what the run before
// it, perhaps of another program, has left.
#pragma once

#include <cstddef>
#include <mutex>

#include "program/items.h"

namespace forebay {

// All methods but begin() must be called on one thread.
class Arena {
 public:
  // What a program needs.
  struct Need {
    std::size_t bytes = 0;
    Need* next = nullptr;
  };

  // Makes room for `bytes` from the next run on. A run in progress keeps its memory. Returns false, and adds
  // no need, if there is not enough memory.
  bool add(Need& need, std::size_t bytes);
  // Removes a need, if it was added. If the others need less than half of the memory, it becomes smaller.
  void remove(Need& need);
  // Returns the memory for a run that starts. No other run may be in progress.
  char* begin();
  std::size_t bytes() const { return bytes_; }

 private:
  bool resize(std::size_t bytes);

  std::mutex mutex_;
  std::size_t bytes_ = 0;
  Need* needs_ = nullptr;
  AlignedBytes now_, next_;
  bool changed_ = false;  // true if the next run starts in next_
};

}  // namespace forebay
