// Tests that indices and labels out of range stop a run before anything is written.
#include <limits>

#include "program/pool.h"
#include "test/program_samples.h"
#include "test/routine_program.h"

using namespace forebay;
using namespace forebay::test;

TEST_CASE("an index out of range stops the run, which writes nothing") {
  struct Case {
    const char* name;
    std::vector<Operand> reads;
    Operand write;
    std::size_t indices;  // the read with the indices
  };
  const Operand x = {f32, {2, 9, 70}}, rows = {f32, {2, 5, 70}}, along = {i32, {2, 5, 70}};
  const Case cases[] = {{"gather", {x, {i32, {5}}}, rows, 1},
                        {"takeAlongAxis", {x, along}, rows, 1},
                        {"scatterAdd", {x, {i32, {5}}, rows}, x, 1},
                        {"gatherSum", {{f32, {9, 70}}, {i32, {6, 5}}}, {f32, {6, 70}}, 1},
                        {"scatterAddAlongAxis", {x, along, rows}, x, 1}};
  const int before = Pool::instance().threads();
  Pool::instance().setThreads(4);
  for (const Case& one : cases) {
    CAPTURE(one.name);
    REQUIRE(routines[static_cast<std::int64_t>(idOfRoutine(one.name))]->mayFail);
    RoutineProgram made(one.name, one.reads, one.write, {4});
    const double updated = made.code.buffer(variable, 16);
    made.code.writesBegin();
    made.code.add(copy, {{f32, 1, 4, made.feeds[0], 0, 1, updated, 0, 1}});
    Memory memory(made.code);
    std::vector<std::int32_t> indices = memory.values<std::int32_t>(made.feeds[1]);
    const std::unique_ptr<Program> program = create(made.code, memory);
    for (const std::int32_t wrong :
         {9, -10, std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int32_t>::min()}) {
      // Two indices are out of range. The first one is reported.
      const std::size_t first = indices.size() > 66 ? 66 : 1, second = indices.size() - 1;
      std::vector<std::int32_t> damaged = indices;
      damaged[first] = wrong;
      damaged[second] = 1000;
      memory.set<std::int32_t>(made.feeds[1], damaged);
      const Memory old = memory;
      for (const bool check : {false, true}) {
        RunArguments arguments;
        arguments.threads = 4;
        arguments.checkFinite = check;
        RunFailure failure;
        CHECK(run(*program, memory, arguments, &failure) == RunResult::outOfRange);
        CHECK(failure.outOfRange);
        CHECK(failure.instruction == 0);
        CHECK(failure.index == static_cast<std::int64_t>(first));
        CHECK(failure.axis == 4);
        CHECK(failure.bound == 9);
        CHECK(failure.value == wrong);
        CHECK((memory.buffers == old.buffers));
        CHECK((memory.outputs == old.outputs));
      }
    }
    memory.set<std::int32_t>(made.feeds[1], indices);
    RunFailure failure;
    CHECK(run(*program, memory, {}, &failure) == RunResult::done);
    CHECK_FALSE(failure.outOfRange);
  }
  Pool::instance().setThreads(before);
}

TEST_CASE("a label outside of the classes stops the run, also a negative one") {
  const RoutineProgram made("takeLabels", {{f32, {4000, 5}}, {i32, {4000}}}, {f32, {4000}}, {0});
  Memory memory(made.code);
  const std::unique_ptr<Program> program = create(made.code, memory);
  for (const std::int32_t wrong : {5, -1, std::numeric_limits<std::int32_t>::min()}) {
    std::vector<std::int32_t> labels(4000, 4);
    labels[1234] = wrong;
    labels[3999] = 77;
    memory.set<std::int32_t>(made.feeds[1], labels);
    for (const int threads : {1, 4}) {
      RunArguments arguments;
      arguments.threads = threads;
      RunFailure failure;
      CHECK(run(*program, memory, arguments, &failure) == RunResult::outOfRange);
      CHECK(failure.index == 1234);
      CHECK(failure.axis == -1);
      CHECK(failure.bound == 5);
      CHECK(failure.value == wrong);
    }
  }
}

TEST_CASE("a large routine reports the first index that is out of range, with any number of threads") {
  const Operand x = {f32, {4, 9, 200}}, rows = {f32, {4, 300, 200}}, along = {i32, {4, 300, 200}};
  const int before = Pool::instance().threads();
  Pool::instance().setThreads(4);
  for (const char* name : {"gather", "takeAlongAxis", "scatterAdd", "scatterAddAlongAxis"}) {
    CAPTURE(name);
    const bool adds = std::string(name).find("scatter") == 0;
    const bool isAlong = std::string(name).find("Along") != std::string::npos;
    std::vector<Operand> reads = {x, isAlong ? along : Operand{i32, {300}}};
    if (adds) reads.push_back(rows);
    const RoutineProgram made(name, reads, adds ? x : rows, {1});
    Memory memory(made.code);
    std::vector<std::int32_t> indices = memory.values<std::int32_t>(made.feeds[1]);
    // In the order of the inner blocks, the second one of these would be found first.
    const std::size_t first = 130, second = isAlong ? 250 * 200 + 3 : 250;
    indices[first] = 77;
    indices[second] = 88;
    memory.set<std::int32_t>(made.feeds[1], indices);
    const std::unique_ptr<Program> program = create(made.code, memory);
    for (const int threads : {1, 4}) {
      RunArguments arguments;
      arguments.threads = threads;
      RunFailure failure;
      CHECK(run(*program, memory, arguments, &failure) == RunResult::outOfRange);
      CHECK(failure.index == static_cast<std::int64_t>(first));
      CHECK(failure.value == 77);
    }
  }
  Pool::instance().setThreads(before);
}
