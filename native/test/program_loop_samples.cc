// Makes random loops.
#include <cmath>

#include "test/program_samples.h"

namespace forebay::test {

namespace {

using Numbers = Code::Numbers;

// How a loop moves a window.
struct Motion {
  double step, period;
  bool apart;  // true if the window has no byte in common with itself in another iteration
};

std::int64_t rounded(double bytes) { return (static_cast<std::int64_t>(bytes) + 7) / 8 * 8; }

// Steps are multiples of 8, so that elements of any size are aligned.
Motion someMotion(Generator& generator, double bytes) {
  const std::int64_t whole = rounded(bytes) + 8 * between(generator, 0, 1);
  const auto step = static_cast<double>(between(generator, 0, 1) == 0 ? whole : -whole);
  switch (between(generator, 0, 2)) {
    case 0:
      return {step, 0, whole > 0};
    case 1:
      return {step, static_cast<double>(between(generator, 1, 3)), false};
    default:
      return {static_cast<double>(8 * between(generator, -3, 3)),
              static_cast<double>(between(generator, 0, 3)), false};
  }
}

// Reserves memory for all positions of a window in its parent. Returns the definition of the window.
Numbers placedWindow(Space& outer, const Numbers& ends, double bytes, double count, const Motion& motion) {
  const double positions = motion.period == 0 ? count : std::min(count, motion.period);
  const double last = motion.step * std::max(positions - 1, 0.0);
  const auto all = static_cast<std::size_t>(bytes + std::abs(last));
  const double at = outer.take(ends[1], DType::uint8, all);
  return {ends[0], ends[1], at + std::max(-last, 0.0), motion.step, motion.period};
}

}  // namespace

double Space::windowIn(double parent) {
  const double made = code_.buffer(window, 0, none);
  windows_.push_back({made, parent});
  return made;
}

Space::Space(Generator& generator, const Space& outer) : code_(outer.code_) {
  panels_ = outer.panels_;
  arena_ = windowIn(outer.arena_);
  const auto some = [&](double parent) { return between(generator, 0, 2) == 0 ? windowIn(parent) : parent; };
  for (int type = 0; type < 5; ++type) {
    variables_[type] = some(outer.variables_[type]);
    constants_[type] = some(outer.constants_[type]);
    feeds_[type] = some(outer.feeds_[type]);
  }
  for (int type = 0; type < 2; ++type) std::copy_n(outer.draws_[type], 3, draws_[type]);
}

void addSomeLoop(Generator& generator, Code& code, Space& outer) {
  const auto count = static_cast<double>(between(generator, 0, 4));
  Space space(generator, outer);
  std::vector<Numbers> body;
  for (std::int64_t i = between(generator, 1, 3); i > 0; --i) {
    const auto before = static_cast<std::ptrdiff_t>(code.instructions.size());
    addSomeInstruction(generator, code, space, between(generator, 0, 11));
    double first = 0, end = count;
    if (between(generator, 0, 2) == 0) {
      first = static_cast<double>(between(generator, 0, static_cast<std::int64_t>(count)));
      end = static_cast<double>(
          between(generator, static_cast<std::int64_t>(first), static_cast<std::int64_t>(count)));
    }
    for (auto one = code.instructions.begin() + before; one != code.instructions.end(); ++one)
      body.push_back(Code::within(first, end, *one));
    code.instructions.erase(code.instructions.begin() + before, code.instructions.end());
  }
  std::vector<Numbers> windows;
  for (const Numbers& ends : space.windows()) {
    const double bytes = space.bytesOf(ends[0]);
    const Motion motion = someMotion(generator, bytes);
    windows.push_back(placedWindow(outer, ends, bytes, count, motion));
    if (ends[0] != space.inArena() || motion.apart) continue;
    // The results of an iteration would be operands of later ones, and grow. So each iteration begins with
    // new numbers in the arena.
    const double words = std::floor(bytes / 4), from = outer.constantOf(DType::float32);
    const double at = outer.take(from, DType::float32, static_cast<std::size_t>(words));
    body.insert(
        body.begin(),
        Code::within(0, count, Code::instructionOf(copy, {{i32, 1, words, from, at, 1, ends[0], 0, 1}})));
  }
  code.instructions.push_back(Code::loopOf(count, windows, body));
}

}  // namespace forebay::test
