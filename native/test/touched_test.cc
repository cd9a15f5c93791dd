// Compares the leaves that Program::findTouched finds with the leaves that the program changes.
#include "test/program_samples.h"

using namespace forebay;
using namespace forebay::test;

namespace {

struct Claims {
  std::vector<BufferKind> kinds;  // the kind of each leaf
  std::vector<double> buffers;
  bool reads[16] = {}, writes[16] = {};

  explicit Claims(const Code& code) {
    for (std::size_t i = 0; i < code.buffers.size(); ++i) {
      const auto kind = static_cast<BufferKind>(code.buffers[i][0]);
      if (kind != variable && kind != constant) continue;
      kinds.push_back(kind);
      buffers.push_back(static_cast<double>(i));
    }
    REQUIRE(kinds.size() <= 16);
    Memory memory(code);
    create(code, memory)->findTouched(reads, writes);
  }
};

}  // namespace

TEST_CASE("a run changes only leaves that were declared as written, and claims no constants") {
  int written = 0, spared = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    CAPTURE(seed);
    Generator generator(seed);
    const Code code = someProgram(generator);
    const Claims claims(code);
    Memory memory(code);
    const Memory before = memory;
    REQUIRE(run(*create(code, memory), memory) == RunResult::done);
    for (std::size_t leaf = 0; leaf < claims.kinds.size(); ++leaf) {
      const bool isVariable = claims.kinds[leaf] == variable;
      const auto buffer = static_cast<std::size_t>(claims.buffers[leaf]);
      CHECK(claims.reads[leaf] == isVariable);
      if (!isVariable) CHECK(!claims.writes[leaf]);
      if (memory.buffers[buffer] != before.buffers[buffer]) CHECK(claims.writes[leaf]);
      if (isVariable) ++(claims.writes[leaf] ? written : spared);
    }
  }
  CHECK(written > 100);
  CHECK(spared > 100);
}

TEST_CASE("a leaf that is read after the writes begin is claimed as a written leaf") {
  Code code;
  const double arenaBuffer = code.buffer(arena, 32);
  const double a = code.buffer(variable, 16), b = code.buffer(variable, 16), c = code.buffer(variable, 16);
  const double kept = code.buffer(constant, 16);
  const auto copyOf = [&](double from, double to, double at) {
    code.add(copy, {{f32, 1, 4, from, 0, 1, to, at, 1}});
  };
  copyOf(c, arenaBuffer, 0);
  copyOf(kept, arenaBuffer, 16);
  code.writesBegin();
  copyOf(a, b, 0);
  const Claims claims(code);
  const std::vector<bool> writes(claims.writes, claims.writes + 4);
  CHECK(writes == std::vector<bool>{true, true, false, false});
}
