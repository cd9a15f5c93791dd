// Measures the durations of instructions, for profiles.
#pragma once

#include <chrono>
#include <cstddef>

namespace forebay {

// Stores the durations of instructions in a list, by their indices. If the list is null, it does nothing.
class Stopwatch {
 public:
  explicit Stopwatch(double* nanoseconds) : nanoseconds_(nanoseconds) {
    if (nanoseconds_ != nullptr) before_ = Clock::now();
  }
  // Stores the time since the last call as the time of an instruction.
  void set(std::size_t instruction) {
    if (nanoseconds_ != nullptr) nanoseconds_[instruction] = lap();
  }
  // Adds the time since the last call to the time of an instruction.
  void add(std::size_t instruction) {
    if (nanoseconds_ != nullptr) nanoseconds_[instruction] += lap();
  }

 private:
  using Clock = std::chrono::steady_clock;
  double lap() {
    const Clock::time_point after = Clock::now();
    const double time = std::chrono::duration<double, std::nano>(after - before_).count();
    before_ = after;
    return time;
  }

  double* const nanoseconds_;
  Clock::time_point before_;
};

}  // namespace forebay
