// The routines of a body (see bodies.h) for the windows of pooling. routines/max_pool.cc and avg_pool.cc call
// them. A call does one step of some neighbouring windows of a row: it uses one element of each window in
// each channel. Without channels that are adjacent in memory, `channels` is 1.
#pragma once

#include <cstdint>

namespace forebay {

struct WindowStep {
  std::int64_t windows, channels;
  std::int64_t distance;  // of the elements of neighbouring windows, in elements of the image
  // The index in its plane of the element of the first window, and the distance to that of the next window.
  std::int32_t index, indexDistance;
};

// Neighbouring windows of a row, without channels. All of their elements are in the image. There are at least
// `leastWindows`.
constexpr std::int64_t leastWindows = 4;
struct WindowRow {
  std::int64_t windows;
  std::int64_t distance;             // of neighbouring windows, in elements of the image
  std::int64_t steps, stepDistance;  // the columns of a window, and their distance in elements
  std::int64_t lines, lineDistance;  // the same for its rows
  // The index in its plane of the first element, and the distance to that of the next row of a window.
  std::int32_t index, lineIndices;
};

// An image has the element of window w and channel c at w * distance + c. Every other operand has one element
// for each window and channel, at w * channels + c. No other operand shares memory with the one that is
// written.
struct WindowRoutines {
  // If the element is larger than `best`, or is the first NaN, stores it in `best` and its index in
  // `winners`. One item for each of float32, float64 and int32.
  void (*largest[3])(const WindowStep& step, const void* image, void* best, std::int32_t* winners);
  // If the element is the winner of its window, copies it to `out`. The same items.
  void (*take[3])(const WindowStep& step, const void* image, const std::int32_t* winners, void* out);
  // If the element is the winner of its window, adds the window's number to it. For float32 and float64.
  void (*give[2])(const WindowStep& step, const void* numbers, const std::int32_t* winners, void* image);
  // Adds the element to the sum of its window, and the number of a window to its element. The same items.
  void (*add[2])(const WindowStep& step, const void* image, double* sums);
  void (*spread[2])(const WindowStep& step, const void* numbers, void* image);

  // The same for all steps of a row of windows. These do not read what is in the results before.
  // `least` is a number that is not larger than any element.
  void (*largestOfRow[3])(const WindowRow& row, const void* image, const void* least, std::int32_t* winners);
  void (*takeRow[3])(const WindowRow& row, const void* image, const std::int32_t* winners, void* out);
  // The sums, divided by `divisor`.
  void (*averageRow[2])(const WindowRow& row, const void* image, double divisor, void* out);
  // One row of the gradient, for windows of two columns with a stride of 2. `index` is that of the first
  // element. There are at least `leastWindows`. The second gives the quotients of the numbers and `divisor`.
  void (*givePairs[2])(std::int64_t windows, const void* numbers, const std::int32_t* winners,
                       std::int32_t index, void* out);
  void (*spreadPairs[2])(std::int64_t windows, const void* numbers, double divisor, void* out);
};

}  // namespace forebay
