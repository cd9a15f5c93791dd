// The accumulators of a reduction. A lane holds one result, and up to `maxLanes` results are computed at a
// time. This file stores and combines partial results. The functions of a Fold (kernel.h) do the arithmetic
// over memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "kernels/kernel.h"

namespace forebay {

constexpr std::size_t maxLanes = 512;

// Adds up numbers in three levels. After every `period` additions to a level, its content is added to the
// next level, and the level is set to 0. So each of n terms passes through at most about 2 period + n /
// period^2 successive additions. For 10^6 terms, the error of a double result is at most 320 ulp instead of
// 10^6.
template <class T>
class SumLanes {
 public:
  explicit SumLanes(const Fold& fold) : fold_(fold) {}

  void start(std::size_t width) {
    width_ = width;
    added_ = carried_ = 0;
    high_ = false;
    std::fill_n(levels_[0], width, 0.0);
  }

  void rows(const T* in, std::size_t count, std::size_t stride) {
    while (count > 0) {
      const std::size_t now = std::min(count, period - added_);
      fold_.rows({levels_[0], nullptr}, in, now, stride, width_, 0);
      added_ += now;
      if (added_ == period) carry();
      in += now * stride;
      count -= now;
    }
  }

  // Sums `count` contiguous elements. The object must have only one lane.
  void run(const T* in, std::size_t count) {
    while (count > 0) {
      const std::size_t now = std::min(count, runLength);
      fold_.run({levels_[0], nullptr}, in, now, 0);
      if (++added_ == period) carry();
      in += now;
      count -= now;
    }
  }

  // Adds lanes j + width, j + 2 width, … to lane j. After the call there are `width` lanes.
  void narrow(std::size_t width) {
    settle();
    for (std::size_t j = width; j < width_; ++j) levels_[0][j % width] += levels_[0][j];
    width_ = width;
  }

  void finish(T* out) {
    settle();
    for (std::size_t j = 0; j < width_; ++j) out[j] = static_cast<T>(levels_[0][j]);
  }

 private:
  static constexpr std::size_t period = 128;
  static constexpr std::size_t runLength = 4096;  // 128 additions in each of the 32 lanes of Fold::run

  void carry() {
    move(0, 1, carried_ == 0);
    std::fill_n(levels_[0], width_, 0.0);
    added_ = 0;
    if (++carried_ < period) return;
    move(1, 2, !high_);
    high_ = true;
    carried_ = 0;
  }

  // Adds all levels into level 0.
  void settle() {
    if (carried_ > 0) move(1, 0, false);
    if (high_) move(2, 0, false);
    carried_ = 0;
    high_ = false;
  }

  void move(int from, int to, bool first) {
    const double* source = levels_[from];
    double* target = levels_[to];
    if (first) {
      std::copy_n(source, width_, target);
    } else {
      for (std::size_t j = 0; j < width_; ++j) target[j] += source[j];
    }
  }

  const Fold& fold_;
  std::size_t width_ = 0;
  std::size_t added_ = 0;    // the number of additions to level 0
  std::size_t carried_ = 0;  // the number of additions to level 1; if 0, the content of level 1 is not valid
  bool high_ = false;        // true if level 2 is in use
  alignas(64) double levels_[3][maxLanes];
};

template <class T>
constexpr T lowest() {
  return std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                              : std::numeric_limits<T>::lowest();
}

template <class T>
class MaxLanes {
 public:
  explicit MaxLanes(const Fold& fold) : fold_(fold) {}

  void start(std::size_t width) {
    width_ = width;
    std::fill_n(best_, width, static_cast<T>(fold_.identity));
  }
  void rows(const T* in, std::size_t count, std::size_t stride) {
    fold_.rows({best_, nullptr}, in, count, stride, width_, 0);
  }
  void run(const T* in, std::size_t count) { fold_.run({best_, nullptr}, in, count, 0); }
  void narrow(std::size_t width) {
    // Calls the routine `rows` with the lanes after the first `width` lanes as its input, because this
    // routine handles NaN correctly.
    fold_.rows({best_, nullptr}, best_ + width, width_ / width - 1, width, width, 0);
    width_ = width;
  }
  void finish(T* out) const { std::copy_n(best_, width_, out); }

 private:
  const Fold& fold_;
  std::size_t width_ = 0;
  alignas(64) T best_[maxLanes];
};

// Finds the index of the maximum in each lane. Rows and elements are numbered in the order of the calls. If
// all elements have the lowest value of the type, the index is 0.
template <class T>
class ArgmaxLanes {
 public:
  explicit ArgmaxLanes(const Fold& fold) : fold_(fold) {}

  void start(std::size_t width) {
    width_ = width;
    next_ = 0;
    std::fill_n(best_, width, lowest<T>());
    std::fill_n(where_, width, 0);
  }
  void rows(const T* in, std::size_t count, std::size_t stride) {
    fold_.rows({best_, where_}, in, count, stride, width_, next_);
    next_ += static_cast<std::int32_t>(count);
  }
  void run(const T* in, std::size_t count) {
    fold_.run({best_, where_}, in, count, next_);
    next_ += static_cast<std::int32_t>(count);
  }
  void finish(std::int32_t* out) const { std::copy_n(where_, width_, out); }

 private:
  const Fold& fold_;
  std::size_t width_ = 0;
  std::int32_t next_ = 0;
  alignas(64) T best_[maxLanes];
  std::int32_t where_[maxLanes];
};

}  // namespace forebay
