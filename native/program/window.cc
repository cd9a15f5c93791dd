#include "program/window.h"

#include <algorithm>
#include <numeric>

#include "program/operand.h"

namespace forebay {

namespace {

// Windows with at most this many positions are compared position by position.
constexpr std::int64_t fewPositions = 4;

// A buffer with the windows that contain it.
struct Path {
  const Window* windows[maxLoopDepth] = {};  // by the depth of the loop; null if the loop does not move it
  std::uint32_t root;                        // the buffer that is no window
  std::int64_t start = 0;                    // the byte of the root at which the first iterations begin

  Path(const Buffer* buffers, std::uint32_t buffer) : root(buffer) {
    while (buffers[root].kind == Buffer::Kind::window) {
      const Window& window = buffers[root].window;
      windows[window.depth] = &window;
      start += window.offset;
      root = window.parent;
    }
  }
};

}  // namespace

// In iteration n, a buffer has moved by step * (n mod positions).
struct Distances::Movement {
  std::int64_t step, positions;

  bool operator==(const Movement& other) const { return step == other.step && positions == other.positions; }
  std::int64_t at(std::int64_t n) const { return step * (n % positions); }
  // The movement to the last position. The lowest and the highest position are the first and the last.
  std::int64_t farthest() const { return step * (positions - 1); }
};

Distances::Movement Distances::movementOf(const Window* window) {
  if (window == nullptr || window->step == 0 || window->positions() == 1) return {0, 1};
  return {window->step, window->positions()};
}

Distances::Distances(const Buffer* buffers, std::uint32_t from, std::uint32_t to) {
  const Path a(buffers, from), b(buffers, to);
  if (a.root != b.root) return;
  ranges_[0] = {b.start - a.start, b.start - a.start};
  count_ = 1;
  for (int depth = 0; depth < maxLoopDepth; ++depth) {
    const Window *const first = a.windows[depth], *const second = b.windows[depth];
    if (first == nullptr && second == nullptr) continue;
    const std::int64_t iterations = (first != nullptr ? first : second)->count;
    if (iterations == 0) {
      count_ = 0;
      return;
    }
    const Movement left = movementOf(first), right = movementOf(second);
    if (left == right) continue;
    if (std::max(left.positions, right.positions) <= fewPositions) {
      const std::int64_t pairs = std::min(iterations, std::lcm(left.positions, right.positions));
      if (count_ * static_cast<std::size_t>(pairs) <= mostRanges) {
        spread(left, right, pairs);
        continue;
      }
    }
    widen(left, right);
  }
}

// Adds the distances of iterations 1 and later to those of iteration 0.
void Distances::spread(const Movement& from, const Movement& to, std::int64_t iterations) {
  const std::size_t before = count_;
  for (std::int64_t n = 1; n < iterations; ++n) {
    const std::int64_t moved = to.at(n) - from.at(n);
    for (std::size_t i = 0; i < before; ++i) {
      ranges_[count_++] = {ranges_[i].least + moved, ranges_[i].most + moved};
    }
  }
}

void Distances::widen(const Movement& from, const Movement& to) {
  const std::int64_t left = from.farthest(), right = to.farthest();
  for (std::size_t i = 0; i < count_; ++i) {
    ranges_[i].least += std::min<std::int64_t>(right, 0) - std::max<std::int64_t>(left, 0);
    ranges_[i].most += std::max<std::int64_t>(right, 0) - std::min<std::int64_t>(left, 0);
  }
}

}  // namespace forebay
