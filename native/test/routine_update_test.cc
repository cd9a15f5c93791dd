// Routines that write leaves, after all indices of the program were checked.
#include <cmath>

#include "program/pool.h"
#include "test/routine_program.h"

using namespace forebay;
using namespace forebay::test;

namespace {

using Floats = std::vector<float>;
using Ints = std::vector<std::int32_t>;

// table += rows at `indices`, in place, for tables and rows of [3, 2] and [2, 2]; then an output of the old
// table.
struct Updates {
  Code code;
  double table, other, indices, otherIndices, rows;

  explicit Updates(bool direct = false) {
    code.buffer(arena, 24);
    table = code.buffer(variable, 24);
    other = code.buffer(variable, 24);
    indices = code.buffer(feed, 8, i32);
    otherIndices = code.buffer(feed, 8, i32);
    rows = code.buffer(feed, 16);
    const double out = direct ? code.buffer(output, 24) : 0;
    code.outputs.push_back({f32, 6, out, 0});
    code.add(copy, {{f32, 1, 6, table, 0, 1, out, 0, 1}});
    code.writesBegin();
  }
  void add(double to, double at) {
    code.add(routine, {{idOfRoutine("scatterAdd"), f32, i32, f32, f32},
                       {3, 1, 3, 2, to, 0, 6, 2, 1},
                       {1, 2, at, 0, 1},
                       {3, 1, 2, 2, rows, 0, 4, 2, 1},
                       {3, 1, 3, 2, to, 0, 6, 2, 1},
                       {0}});
  }
  void fill(Memory& memory) const {
    memory.set<float>(table, {1, 2, 3, 4, 5, 6});
    memory.set<float>(other, {0, 0, 0, 0, 0, 0});
    memory.set<std::int32_t>(indices, {0, 0});
    memory.set<std::int32_t>(otherIndices, {-1, 1});
    memory.set<float>(rows, {10, 20, 30, 40});
  }
};

}  // namespace

TEST_CASE("all indices are checked before the first leaf or output is written") {
  for (const bool direct : {false, true}) {
    CAPTURE(direct);
    Updates updates(direct);
    updates.add(updates.table, updates.indices);
    updates.add(updates.other, updates.otherIndices);
    Memory memory(updates.code);
    updates.fill(memory);
    const std::unique_ptr<Program> program = create(updates.code, memory);
    memory.set<std::int32_t>(updates.otherIndices, {1, 3});
    const Memory old = memory;
    for (const bool check : {false, true}) {
      bool asked = false;
      RunArguments arguments;
      arguments.checkFinite = check;
      arguments.keepOutputs = true;
      arguments.context = &asked;
      arguments.beforeWrites = [](void* context) { return *static_cast<bool*>(context) = true; };
      RunFailure failure;
      CHECK(run(*program, memory, arguments, &failure) == RunResult::outOfRange);
      CHECK_FALSE(asked);
      CHECK(failure.instruction == 2);
      CHECK(failure.index == 1);
      CHECK(failure.bound == 3);
      CHECK(failure.value == 3);
      CHECK((memory.buffers == old.buffers));
      CHECK((memory.outputs == old.outputs));
    }
    memory.set<std::int32_t>(updates.otherIndices, {-1, 1});
    CHECK(run(*program, memory) == RunResult::done);
    CHECK(memory.output<float>(0) == Floats{1, 2, 3, 4, 5, 6});
    CHECK(memory.values<float>(updates.table) == Floats{41, 62, 3, 4, 5, 6});
    CHECK(memory.values<float>(updates.other) == Floats{0, 0, 30, 40, 10, 20});
  }
}

TEST_CASE("two updates of one leaf are added one after the other, also if they run twice") {
  for (const bool check : {false, true}) {
    CAPTURE(check);
    Updates updates;
    updates.add(updates.table, updates.indices);
    updates.add(updates.table, updates.otherIndices);
    Memory memory(updates.code);
    updates.fill(memory);
    RunArguments arguments;
    arguments.checkFinite = check;
    CHECK(run(*create(updates.code, memory), memory, arguments) == RunResult::done);
    CHECK(memory.values<float>(updates.table) == Floats{41, 62, 33, 44, 15, 26});
  }
}

TEST_CASE("a new value of a leaf that is not finite is found before any leaf is written") {
  Updates updates;
  updates.add(updates.other, updates.indices);
  updates.add(updates.table, updates.indices);
  updates.add(updates.table, updates.otherIndices);
  Memory memory(updates.code);
  updates.fill(memory);
  const std::unique_ptr<Program> program = create(updates.code, memory);
  // The row that both updates of the table add to overflows only in the second.
  memory.set<float>(updates.table, {1, 2, 3, 4, 3e38F, 6});
  memory.set<float>(updates.rows, {3e38F, 0, -3e38F, 0});
  const Memory old = memory;
  RunArguments arguments;
  arguments.checkFinite = true;
  RunFailure failure;
  CHECK(run(*program, memory, arguments, &failure) == RunResult::notFinite);
  CHECK(failure.instruction == 3);
  CHECK_FALSE(failure.outOfRange);
  CHECK((memory.buffers == old.buffers));
  CHECK((memory.outputs == old.outputs));
  // The program works on the leaves themselves again.
  updates.fill(memory);
  CHECK(run(*program, memory, arguments) == RunResult::done);
  CHECK(memory.values<float>(updates.table) == Floats{41, 62, 33, 44, 15, 26});
  CHECK(memory.values<float>(updates.other) == Floats{40, 60, 0, 0, 0, 0});
}

TEST_CASE("a run that is cancelled before its writes changes no leaf") {
  Updates updates;
  updates.add(updates.table, updates.indices);
  Memory memory(updates.code);
  updates.fill(memory);
  RunArguments arguments;
  arguments.beforeWrites = [](void*) { return false; };
  const std::unique_ptr<Program> program = create(updates.code, memory);
  for (const bool check : {false, true}) {
    arguments.checkFinite = check;
    CHECK(run(*program, memory, arguments) == RunResult::cancelled);
    CHECK(memory.values<float>(updates.table) == Floats{1, 2, 3, 4, 5, 6});
  }
}

TEST_CASE("the indices that were checked are used, even if they change before the writes") {
  Updates updates;
  updates.add(updates.table, updates.indices);
  updates.add(updates.other, updates.otherIndices);
  Memory memory(updates.code);
  updates.fill(memory);
  struct Hostile {
    Memory& memory;
    const Updates& updates;
  } hostile = {memory, updates};
  RunArguments arguments;
  arguments.context = &hostile;
  arguments.beforeWrites = [](void* context) {
    const Hostile& changed = *static_cast<Hostile*>(context);
    for (const double indices : {changed.updates.indices, changed.updates.otherIndices}) {
      changed.memory.set<std::int32_t>(indices, {1000000, -1000000});
    }
    return true;
  };
  CHECK(run(*create(updates.code, memory), memory, arguments) == RunResult::done);
  CHECK(memory.values<float>(updates.table) == Floats{41, 62, 3, 4, 5, 6});
  CHECK(memory.values<float>(updates.other) == Floats{0, 0, 30, 40, 10, 20});
}

TEST_CASE("the duration of an instruction that writes a leaf is measured, with its checks") {
  Updates updates;
  updates.add(updates.table, updates.indices);
  Memory memory(updates.code);
  updates.fill(memory);
  const std::unique_ptr<Program> program = create(updates.code, memory);
  for (const bool check : {false, true}) {
    // Durations of an earlier run are replaced.
    double nanoseconds[2] = {-1e12, -1e12};
    RunArguments arguments;
    arguments.nanoseconds = nanoseconds;
    arguments.checkFinite = check;
    CHECK(run(*program, memory, arguments) == RunResult::done);
    CHECK(nanoseconds[0] >= 0);
    CHECK(nanoseconds[1] >= 0);
  }
}

TEST_CASE("large updates that are split among threads equal those of one thread") {
  Code code;
  code.buffer(arena, 0);
  const double rows = 4000, width = 70, count = 4000;
  const double table = code.buffer(variable, static_cast<std::int64_t>(rows * width) * 4);
  const double indices = code.buffer(feed, static_cast<std::int64_t>(count) * 4, i32);
  const double added = code.buffer(feed, static_cast<std::int64_t>(count * width) * 4);
  code.writesBegin();
  code.add(routine, {{idOfRoutine("scatterAdd"), f32, i32, f32, f32},
                     {3, 1, rows, width, table, 0, rows * width, width, 1},
                     {1, count, indices, 0, 1},
                     {3, 1, count, width, added, 0, count * width, width, 1},
                     {3, 1, rows, width, table, 0, rows * width, width, 1},
                     {0}});
  holdProgram(code);
}
