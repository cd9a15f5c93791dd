// Windows: buffers without memory of their own, which begin at another byte of their parents in each
// iteration of a loop (code.h).
#pragma once

#include <cstddef>
#include <cstdint>

namespace forebay {

struct Buffer;

// The greatest number of loops one within the other.
constexpr int maxLoopDepth = 8;

// How a loop moves a window. In iteration n, the window begins at byte at(n) of its parent.
struct Window {
  std::uint32_t parent = 0;
  std::int64_t offset = 0, step = 0;  // in bytes
  std::int64_t period = 0;            // 0: every iteration has a position of its own
  std::int64_t count = 0;             // the number of iterations of the loop
  int depth = 0;                      // the number of loops around the loop
  bool defined = false;               // true if a loop defines the window
  bool open = false;                  // true while the instructions of this loop are decoded

  std::int64_t at(std::int64_t n) const { return offset + step * (period == 0 ? n : n % period); }
  // Returns the number of positions. Iterations n and n + positions() have the same.
  std::int64_t positions() const { return period == 0 || period > count ? count : period; }
};

// The distances in bytes from the start of one buffer to the start of another, in the iterations of the loops
// around one instruction. There are none if the buffers have no memory in common, or if a loop has no
// iterations. Windows that move alike have one distance. If they do not move alike, but have few positions,
// every pair of positions gives a distance. Otherwise there is a range, which contains all distances.
class Distances {
 public:
  struct Range {
    std::int64_t least, most;
  };

  // All windows among the two buffers and their parents must be open.
  Distances(const Buffer* buffers, std::uint32_t from, std::uint32_t to);

  const Range* begin() const { return ranges_; }
  const Range* end() const { return ranges_ + count_; }
  // Returns true if the distance is `distance` in all iterations.
  bool always(std::int64_t distance) const {
    return count_ == 1 && ranges_[0].least == distance && ranges_[0].most == distance;
  }

 private:
  struct Movement;
  static Movement movementOf(const Window* window);
  void spread(const Movement& from, const Movement& to, std::int64_t iterations);
  void widen(const Movement& from, const Movement& to);

  static constexpr std::size_t mostRanges = 64;
  Range ranges_[mostRanges];
  std::size_t count_ = 0;
};

}  // namespace forebay
