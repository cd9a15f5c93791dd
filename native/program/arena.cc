#include "program/arena.h"

#include <algorithm>
#include <utility>

namespace forebay {

bool Arena::reserve(std::size_t bytes) {
  if (bytes <= bytes_ && bytes_ > 0) return true;
  // If several programs need more and more, only few of them move the arena. Pages that no run uses are never
  // resident.
  const std::size_t wanted = std::max(bytes, bytes_ + bytes_ / 2);
  AlignedBytes larger;
  if (!larger.allocate(wanted)) return false;
  const std::lock_guard<std::mutex> lock(mutex_);
  next_ = std::move(larger);
  grown_ = true;
  bytes_ = wanted;
  return true;
}

char* Arena::begin() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (grown_) now_ = std::move(next_);
  grown_ = false;
  return now_.data();
}

}  // namespace forebay
