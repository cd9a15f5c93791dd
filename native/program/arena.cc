#include "program/arena.h"

#include <algorithm>
#include <utility>

namespace forebay {

bool Arena::resize(std::size_t bytes) {
  AlignedBytes other;
  if (!other.allocate(bytes)) return false;
  const std::lock_guard<std::mutex> lock(mutex_);
  next_ = std::move(other);
  changed_ = true;
  bytes_ = bytes;
  return true;
}

bool Arena::add(Need& need, std::size_t bytes) {
  // If several programs need more and more, only few of them move the arena. Pages that no run has used are
  // not resident.
  const std::size_t more = bytes_ + bytes_ / 2;
  const bool isEnough = bytes_ > 0 && bytes <= bytes_;
  if (!isEnough && !(bytes < more && resize(more)) && !resize(bytes)) return false;
  need.bytes = bytes;
  need.next = needs_;
  needs_ = &need;
  return true;
}

void Arena::remove(Need& need) {
  std::size_t most = 0;
  for (Need** at = &needs_; *at != nullptr;) {
    if (*at == &need) {
      *at = need.next;
    } else {
      most = std::max(most, (*at)->bytes);
      at = &(*at)->next;
    }
  }
  // If there is no memory for a smaller arena, the large one remains.
  if (needs_ != nullptr && most < bytes_ / 2) static_cast<void>(resize(most));
}

char* Arena::begin() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (changed_) now_ = std::move(next_);
  changed_ = false;
  return now_.data();
}

}  // namespace forebay
