// Tests the memory that programs share which do not run at the same time.
#include <cstring>

#include "test/refusals.h"

using namespace forebay;
using namespace forebay::test;

namespace {

// A program that copies a feed of `length` floats to the arena. The copy is output 0.
struct Copying {
  Code code;
  double x;

  explicit Copying(std::int64_t length) {
    const auto bytes = static_cast<double>(4 * length), count = static_cast<double>(length);
    code.buffer(arena, 4 * length);
    x = code.buffer(feed, static_cast<std::int64_t>(bytes));
    code.add(copy, {{f32, 1, count, x, 0, 1, 0, 0, 1}});
    code.outputs.push_back({f32, count, 0, 0});
  }
};

}  // namespace

TEST_CASE("an arena is as large as is needed, and a run keeps the memory with which it began") {
  Arena arena;
  Arena::Need first, few, more, many;
  REQUIRE(arena.add(first, 1000));
  char* const begun = arena.begin();
  std::memset(begun, 1, 1000);
  REQUIRE(arena.add(few, 900));
  CHECK(arena.begin() == begun);
  REQUIRE(arena.add(more, 1001));
  CHECK(arena.bytes() == 1500);
  CHECK(begun[999] == 1);
  REQUIRE(arena.add(many, 4000));
  CHECK(arena.bytes() == 4000);
  CHECK(begun[999] == 1);
  char* const larger = arena.begin();
  std::memset(larger, 2, 4000);
  CHECK(arena.begin() == larger);
  arena.remove(first);
  CHECK(arena.bytes() == 4000);
  arena.remove(many);
  CHECK(arena.bytes() == 1001);
  CHECK(larger[3999] == 2);
  std::memset(arena.begin(), 3, 1001);
  arena.remove(more);
  CHECK(arena.bytes() == 1001);
  arena.remove(few);
  CHECK(arena.bytes() == 1001);
}

TEST_CASE("programs run by turns in one arena") {
  const Copying small(3), large(500);
  Arena shared;
  Memory few(small.code), many(large.code);
  const std::unique_ptr<Program> one = create(small.code, few, &shared);
  const std::unique_ptr<Program> other = create(large.code, many, &shared);
  CHECK(shared.bytes() == 2000);
  for (float start : {1.0f, 2.0f}) {
    few.set<float>(small.x, {start, 5, 6});
    many.set<float>(large.x, std::vector<float>(500, start));
    REQUIRE(run(*one, few) == RunResult::done);
    REQUIRE(run(*other, many) == RunResult::done);
    CHECK(few.output<float>(0) == std::vector<float>{start, 5, 6});
    CHECK(many.output<float>(0) == std::vector<float>(500, start));
  }
}
