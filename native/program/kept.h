// Kept values: the results of the instructions that run once, which later runs read. They are computed again
// when a leaf that these instructions read has changed. Programs may share kept values if they have the same
// instructions that run once, and their runs never overlap in time.
#pragma once

#include <atomic>
#include <cstddef>

#include "program/items.h"

namespace forebay {

class KeptValues {
 public:
  // Returns false if there is not enough memory.
  bool allocate(std::size_t bytes) {
    if (!memory_.allocate(bytes)) return false;
    bytes_ = bytes;
    return true;
  }
  char* data() const { return memory_.data(); }
  std::size_t bytes() const { return bytes_; }

  // Call this when a leaf has changed. It may be called on any thread while no run reads the leaf.
  void expire() { expired_.store(true, std::memory_order_relaxed); }
  bool expired() const { return expired_.load(std::memory_order_relaxed); }

  // Returns whether a run must compute the values. A run that checks its results for NaN and infinity must
  // also compute values that were not checked, to find the instruction that is the cause.
  bool wanted(bool check) const { return expired() || (check && !checked_); }
  // A run calls these two before and after it computes the values. If it fails between the calls, the values
  // stay expired.
  void begin() { expire(); }
  void finish(bool checked) {
    checked_ = checked;
    expired_.store(false, std::memory_order_relaxed);
  }

 private:
  AlignedBytes memory_;
  std::size_t bytes_ = 0;
  std::atomic<bool> expired_{true};
  bool checked_ = false;
};

}  // namespace forebay
