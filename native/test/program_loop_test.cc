// Tests how loops run: where windows are, which instructions are executed, and what ends a run.
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

#include "test/program_samples.h"
#include "test/routine_program.h"

using namespace forebay;
using namespace forebay::test;

namespace {

using Numbers = Code::Numbers;
using Floats = std::vector<float>;

constexpr double forever = 9007199254740991.0;

// Returns a group that computes `to` = f(`from`, `other`) for `count` floats, where f is the kernel `name`.
// Each operand is [buffer, byteOffset].
Numbers binary(const char* name, double count, const Numbers& from, const Numbers& other, const Numbers& to) {
  return Code::instructionOf(group,
                             {{1, 1, 3, 2, 1, 1, 0, f32, 0, f32, 1, map(name), f32, 2, 0, 1, -1, f32, 2},
                              {count},
                              from,
                              {1},
                              other,
                              {1},
                              to,
                              {1}});
}

Numbers copied(double count, const Numbers& from, const Numbers& to) {
  return Code::instructionOf(copy, {{f32, 1, count}, from, {1}, to, {1}});
}

// Returns the outputs of a run of a program whose feeds have these values.
Floats outputOf(const Code& code, const std::vector<std::pair<double, Floats>>& feeds) {
  Memory memory(code);
  for (const auto& [buffer, values] : feeds) memory.set<float>(buffer, values);
  CHECK(run(*create(code, memory), memory) == RunResult::done);
  return memory.output<float>(0);
}

// A loop of 4 iterations over the rows of the feed x, of 2 floats each. The windows are in the feed (0), and
// in the arena (1, 2), which has 5 rows of 2 floats. Row 0 of the arena is filled with 1 before.
struct Rows {
  Code code;
  double x, ones, row, before, after;

  Rows() {
    code.buffer(arena, 40);
    x = code.buffer(feed, 32);
    ones = code.buffer(feed, 8);
    row = code.buffer(window, 8);
    before = code.buffer(window, 8);
    after = code.buffer(window, 8);
    code.outputs.push_back({f32, 10, 0, 0});
  }
  Floats run() const { return outputOf(code, {{x, {1, 10, 2, 20, 3, 30, 4, 40}}, {ones, {1, 1}}}); }
};

// Sets a flag after some time, on another thread.
struct Canceller {
  std::atomic<bool> flag{false};
  std::thread thread;
  explicit Canceller(int microseconds)
      : thread([this, microseconds] {
          std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
          flag = true;
        }) {}
  ~Canceller() { thread.join(); }
  Canceller(const Canceller&) = delete;
  Canceller& operator=(const Canceller&) = delete;
};

}  // namespace

TEST_CASE("a loop reads one row of a buffer and writes the next one") {
  Rows rows;
  rows.code.instructions = {
      copied(2, {rows.ones, 0}, {0, 0}),
      Code::loopOf(4, {{rows.row, rows.x, 0, 8, 0}, {rows.before, 0, 0, 8, 0}, {rows.after, 0, 8, 8, 0}},
                   {Code::within(0, 4, binary("add", 2, {rows.before, 0}, {rows.row, 0}, {rows.after, 0}))})};
  CHECK(rows.run() == Floats{1, 1, 2, 11, 4, 31, 7, 61, 11, 101});
  holdProgram(rows.code);
}

TEST_CASE("a negative step begins with the last row") {
  Rows rows;
  rows.code.instructions = {
      copied(2, {rows.ones, 0}, {0, 32}),
      Code::loopOf(4,
                   {{rows.row, rows.x, 24, -8, 0}, {rows.before, 0, 32, -8, 0}, {rows.after, 0, 24, -8, 0}},
                   {Code::within(0, 4, binary("add", 2, {rows.before, 0}, {rows.row, 0}, {rows.after, 0}))})};
  CHECK(rows.run() == Floats{11, 101, 10, 91, 8, 71, 5, 41, 1, 1});
  holdProgram(rows.code);
}

TEST_CASE("windows of period 2 take turns") {
  Rows rows;
  rows.code.instructions = {
      copied(2, {rows.ones, 0}, {0, 0}),
      Code::loopOf(4, {{rows.row, rows.x, 0, 8, 0}, {rows.before, 0, 0, 8, 2}, {rows.after, 0, 8, -8, 2}},
                   {Code::within(0, 4, binary("add", 2, {rows.before, 0}, {rows.row, 0}, {rows.after, 0}))})};
  const Floats result = rows.run();
  CHECK(Floats(result.begin(), result.begin() + 4) == Floats{11, 101, 7, 61});
  holdProgram(rows.code);
}

TEST_CASE("products multiply by the result of the iteration before") {
  // h is 3 x 3, and every iteration computes h' = x h, in one of two places.
  Code code;
  code.buffer(arena, 72);
  const double x = code.buffer(feed, 5 * 36), h = code.buffer(window, 36), next = code.buffer(window, 36);
  const double some = code.buffer(window, 36);
  code.instructions = {Code::loopOf(
      5, {{some, x, 0, 36, 0}, {h, 0, 0, 36, 2}, {next, 0, 36, -36, 2}},
      {Code::within(
          0, 5, Code::instructionOf(product, {{f32, 3, 3, 3, 0, some, 0, 3, 1, h, 0, 3, 1, next, 0, 3}}))})};
  holdProgram(code);
}

TEST_CASE("a loop within a loop moves windows within windows") {
  // Copies the transpose of 3 x 4 floats, one element at a time.
  Code code;
  code.buffer(arena, 48);
  const double x = code.buffer(feed, 48), row = code.buffer(window, 16), element = code.buffer(window, 4);
  const double column = code.buffer(window, 40), to = code.buffer(window, 4);
  const Numbers inner = Code::loopOf(4, {{element, row, 0, 4, 0}, {to, column, 0, 12, 0}},
                                     {Code::within(0, 4, copied(1, {element, 0}, {to, 0}))});
  code.instructions = {
      Code::loopOf(3, {{row, x, 0, 16, 0}, {column, 0, 0, 4, 0}}, {Code::within(0, 3, inner)})};
  code.outputs.push_back({f32, 12, 0, 0});
  CHECK(outputOf(code, {{x, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}}}) ==
        Floats{1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12});
  holdProgram(code);
}

TEST_CASE("an instruction is executed in its iterations only") {
  Rows rows;
  // Row n + 1 is ones + x in iterations 0 and 3, and the row before + x in iterations 1 and 2.
  const Numbers added = binary("add", 2, {rows.ones, 0}, {rows.row, 0}, {rows.after, 0});
  rows.code.instructions = {
      copied(2, {rows.ones, 0}, {0, 0}),
      Code::loopOf(
          4, {{rows.row, rows.x, 0, 8, 0}, {rows.before, 0, 0, 8, 0}, {rows.after, 0, 8, 8, 0}},
          {Code::within(0, 1, added),
           Code::within(1, 3, binary("add", 2, {rows.before, 0}, {rows.row, 0}, {rows.after, 0})),
           Code::within(2, 2, copied(2, {rows.ones, 0}, {rows.after, 0})), Code::within(3, 4, added)})};
  CHECK(rows.run() == Floats{1, 1, 2, 11, 4, 31, 7, 61, 5, 41});
  holdProgram(rows.code);
}

TEST_CASE("a loop without iterations does nothing, and its windows need no memory") {
  Rows rows;
  rows.code.instructions = {
      Code::loopOf(0,
                   {{rows.row, rows.x, 1000, 8, 0}, {rows.before, 0, 0, 4000, 0}, {rows.after, 0, 36, 8, 0}},
                   {Code::within(0, 0, copied(2, {rows.row, 0}, {rows.after, 0}))}),
      copied(8, {rows.x, 0}, {0, 0}), copied(2, {rows.ones, 0}, {0, 32})};
  CHECK(rows.run() == Floats{1, 10, 2, 20, 3, 30, 4, 40, 1, 1});
}

TEST_CASE("windows can be in every buffer that has memory") {
  Code code;
  code.buffer(arena, 0);
  const double v = code.buffer(variable, 32), c = code.buffer(constant, 32), x = code.buffer(feed, 32);
  const double kept = code.buffer(keptValues, 32), own = code.buffer(output, 128);
  code.instructions.push_back(copied(8, {v, 0}, {kept, 0}));
  code.onceEnds();
  std::vector<Numbers> windows, body;
  const double sources[] = {v, c, x, kept};
  for (int i = 0; i < 4; ++i) {
    const double from = code.buffer(window, 8), to = code.buffer(window, 8);
    windows.push_back({from, sources[i], 24, -8, 0});
    windows.push_back({to, own, 32.0 * i, 8, 0});
    body.push_back(Code::within(0, 4, copied(2, {from, 0}, {to, 0})));
  }
  code.instructions.push_back(Code::loopOf(4, windows, body));
  code.outputs.push_back({f32, 32, own, 0});
  Memory memory(code);
  memory.set<float>(v, {1, 2, 3, 4, 5, 6, 7, 8});
  memory.set<float>(c, {11, 12, 13, 14, 15, 16, 17, 18});
  memory.set<float>(x, {21, 22, 23, 24, 25, 26, 27, 28});
  CHECK(run(*create(code, memory), memory) == RunResult::done);
  CHECK(memory.output<float>(0) == Floats{7,  8,  5,  6,  3,  4,  1,  2,  17, 18, 15, 16, 13, 14, 11, 12,
                                          27, 28, 25, 26, 23, 24, 21, 22, 7,  8,  5,  6,  3,  4,  1,  2});
}

TEST_CASE("two windows at the same place are the same memory for a group") {
  // Computes (a, b) = (a + b, a - b) for each row, and loads and stores through different windows. The
  // difference is computed after the sum, from the old a.
  for (const double count : {64.0, 48.0, 15.0}) {
    Code code;
    const double bytes = 4 * count;
    code.buffer(arena, static_cast<std::int64_t>(6 * bytes));
    const double a = code.buffer(window, static_cast<std::int64_t>(bytes));
    const double b = code.buffer(window, static_cast<std::int64_t>(bytes));
    const double pair = code.buffer(window, static_cast<std::int64_t>(2 * bytes));
    code.instructions = {Code::loopOf(
        3, {{a, 0, 0, 2 * bytes, 0}, {b, 0, bytes, 2 * bytes, 3}, {pair, 0, 0, 2 * bytes, 0}},
        {Code::within(
            0, 3,
            Code::instructionOf(group, {{1, 1, 4,  2,          2,   2, 0, f32, 0,  f32, 1, map("add"), f32, 2,
                                         0, 1, -1, map("sub"), f32, 3, 0, 1,   -1, f32, 2, f32,        3},
                                        {count, pair, 0, 1, pair, bytes, 1, a, 0, 1, b, 0, 1}}))})};
    CAPTURE(count);
    holdProgram(code);
  }
}

TEST_CASE("threads share the work of the instructions of a loop") {
  constexpr double columns = 70000;
  Code code;
  code.buffer(arena, static_cast<std::int64_t>(4 * columns * 4));
  const auto bytes = static_cast<std::int64_t>(4 * columns);
  const double x = code.buffer(feed, 3 * bytes);
  const double row = code.buffer(window, bytes), before = code.buffer(window, bytes),
               after = code.buffer(window, bytes);
  Numbers steps;
  for (int i = 0; i < 24; ++i) steps.insert(steps.end(), {map(i % 2 == 0 ? "add" : "sub"), f32, 2, 0, 1, -1});
  const Numbers body = Code::instructionOf(group, {{1, 1, 3, 2, 24, 1, 0, f32, 0, f32, 1},
                                                   steps,
                                                   {f32, 2, columns, row, 0, 1, before, 0, 1, after, 0, 1}});
  const double size = 4 * columns;
  code.instructions = {
      Code::loopOf(3, {{row, x, 0, size, 0}, {before, 0, 0, size, 0}, {after, 0, size, size, 0}},
                   {Code::within(0, 3, body)})};
  holdProgram(code);
}

TEST_CASE("a run that finds a NaN in a loop returns the number of the instruction and the iterations") {
  // Instruction 0 is a copy, 1 the outer loop, 2 a copy, 3 the inner loop, 4 and 5 its body, 6 a copy.
  Code code;
  code.buffer(arena, 64);
  const double x = code.buffer(feed, 24), row = code.buffer(window, 12), element = code.buffer(window, 4);
  const Numbers reduced =
      Code::instructionOf(reduce, {{idOf(Family::reduce, "sum"), f32, 0, 1, 1, 0, 8, element, 0, 1}});
  const Numbers inner =
      Code::loopOf(3, {{element, row, 0, 4, 0}},
                   {Code::within(0, 3, copied(1, {element, 0}, {0, 4})), Code::within(0, 3, reduced)});
  code.instructions = {
      copied(1, {x, 0}, {0, 0}),
      Code::loopOf(2, {{row, x, 0, 12, 0}},
                   {Code::within(0, 2, copied(1, {x, 0}, {0, 12})), Code::within(0, 2, inner)}),
      copied(6, {x, 0}, {0, 16})};
  Memory memory(code);
  const std::unique_ptr<Program> program = create(code, memory);
  CHECK(program->instructionCount() == 7);
  RunArguments arguments;
  arguments.checkFinite = true;
  RunFailure failure;
  for (int at = 1; at < 6; ++at) {
    Floats values = {1, 2, 3, 4, 5, 6};
    values[static_cast<std::size_t>(at)] = std::numeric_limits<float>::quiet_NaN();
    memory.set<float>(x, values);
    CHECK(run(*program, memory, arguments, &failure) == RunResult::notFinite);
    CHECK(failure.instruction == 4);
    REQUIRE(failure.loops == 2);
    CHECK(failure.iterations[0] == at / 3);
    CHECK(failure.iterations[1] == at % 3);
  }
  memory.set<float>(x, {NAN, 2, 3, 4, 5, 6});
  CHECK(run(*program, memory, arguments, &failure) == RunResult::notFinite);
  CHECK(failure.instruction == 0);
  CHECK(failure.loops == 0);
  // The results that the instruction reduce states are checked too.
  code.instructions[1] = Code::loopOf(
      2, {{row, x, 0, 12, 0}},
      {Code::within(1, 2, Code::loopOf(3, {{element, row, 0, 4, 0}}, {Code::within(2, 3, reduced)}))});
  code.instructions[2] = copied(1, {x, 0}, {0, 16});
  const std::unique_ptr<Program> reducing = create(code, memory);
  memory.set<float>(x, {1, 2, 3, 4, 5, INFINITY});
  CHECK(run(*reducing, memory, arguments, &failure) == RunResult::notFinite);
  CHECK(failure.instruction == 3);
  REQUIRE(failure.loops == 2);
  CHECK(failure.iterations[0] == 1);
  CHECK(failure.iterations[1] == 2);
  memory.set<float>(x, {1, 2, 3, 4, 5, 6});
  CHECK(run(*reducing, memory, arguments, &failure) == RunResult::done);
}

TEST_CASE("an index out of range ends a loop, and the run keeps its outputs") {
  // Iteration n gathers the row of x whose index is element n of a feed, into row n of an output.
  Code code;
  code.buffer(arena, 16);
  const double x = code.buffer(feed, 12), at = code.buffer(feed, 20, i32), own = code.buffer(output, 20);
  const double index = code.buffer(window, 4), to = code.buffer(window, 4),
               updated = code.buffer(variable, 4);
  const Numbers gather = Code::instructionOf(routine, {{idOfRoutine("gather"), f32, i32, f32},
                                                       {3, 1, 3, 1, x, 0, 3, 1, 1},
                                                       {1, 1, index, 0, 1},
                                                       {3, 1, 1, 1, to, 0, 1, 1, 1},
                                                       {6}});
  code.instructions = {
      copied(1, {x, 0}, {0, 0}),
      Code::loopOf(5, {{index, at, 16, -4, 0}, {to, own, 0, 4, 0}},
                   {Code::within(0, 5, copied(1, {x, 4}, {0, 4})), Code::within(0, 5, gather)})};
  code.writesBegin();
  code.instructions.push_back(copied(1, {x, 0}, {updated, 0}));
  code.outputs.push_back({f32, 5, own, 0});
  Memory memory(code);
  const std::unique_ptr<Program> program = create(code, memory);
  memory.set<float>(x, {10, 20, 30});
  memory.set<std::int32_t>(at, {0, 1, 2, -1, -3});
  RunFailure failure;
  CHECK(run(*program, memory, {}, &failure) == RunResult::done);
  CHECK(memory.output<float>(0) == Floats{10, 30, 30, 20, 10});
  CHECK(failure.loops == 0);
  memory.set<std::int32_t>(at, {0, 3, 2, -1, -3});
  memory.set<float>(updated, {7});
  memory.set<float>(x, {11, 21, 31});
  const std::vector<Bytes> before = memory.outputs;
  for (const bool check : {false, true}) {
    RunArguments arguments;
    arguments.keepOutputs = true;
    arguments.checkFinite = check;
    CHECK(run(*program, memory, arguments, &failure) == RunResult::outOfRange);
    CHECK(failure.outOfRange);
    CHECK(failure.instruction == 3);
    REQUIRE(failure.loops == 1);
    CHECK(failure.iterations[0] == 3);
    CHECK(failure.index == 0);
    CHECK(failure.axis == 6);
    CHECK(failure.bound == 3);
    CHECK(failure.value == 3);
    CHECK((memory.outputs == before));
    CHECK(memory.values<float>(updated) == Floats{7});
  }
}

TEST_CASE("a cancelled run ends a loop at once, whatever the number of its iterations") {
  Code code;
  code.buffer(arena, 16);
  const double x = code.buffer(feed, 8), own = code.buffer(output, 4);
  const double here = code.buffer(window, 4), there = code.buffer(window, 4);
  // The last instruction of the body would show that it has read what the inner loop has not computed.
  const Numbers inner =
      Code::loopOf(forever, {{here, x, 4, -4, 2}}, {Code::within(0, forever, copied(1, {here, 0}, {0, 0}))});
  code.instructions = {Code::loopOf(
      forever, {{there, own, 0, 0, 0}},
      {Code::within(0, forever, inner), Code::within(0, forever, copied(1, {x, 0}, {there, 0}))})};
  code.outputs.push_back({f32, 1, own, 0});
  Code idle = code;
  idle.instructions = {Code::loopOf(forever, {{here, x, 0, 0, 0}, {there, own, 0, 0, 0}},
                                    {Code::within(7, 7, copied(1, {here, 0}, {there, 0}))})};
  for (const Code& each : {code, idle}) {
    Memory memory(each);
    memory.set<float>(x, {5, 6});
    const std::unique_ptr<Program> program = create(each, memory);
    CHECK(program->executions() >= forever);
    for (const bool check : {false, true}) {
      const Canceller canceller(2000);
      RunArguments arguments;
      arguments.cancelled = &canceller.flag;
      arguments.checkFinite = check;
      CHECK(run(*program, memory, arguments) == RunResult::cancelled);
      CHECK(memory.output<float>(0) == Floats{0});
    }
  }
}

TEST_CASE("a profile adds up the times of an instruction of a loop") {
  Rows rows;
  const Numbers twice = Code::loopOf(3, {{rows.before, 0, 0, 8, 0}},
                                     {Code::within(0, 3, copied(2, {rows.ones, 0}, {rows.before, 0})),
                                      Code::within(1, 1, copied(2, {rows.ones, 0}, {rows.before, 0}))});
  rows.code.instructions = {
      copied(2, {rows.ones, 0}, {0, 0}),
      Code::loopOf(4, {{rows.row, rows.x, 0, 8, 0}, {rows.after, 0, 8, 8, 0}},
                   {Code::within(0, 4, copied(2, {rows.row, 0}, {rows.after, 0})), Code::within(2, 4, twice),
                    Code::within(0, 0, copied(2, {rows.row, 0}, {rows.after, 0}))}),
      copied(2, {rows.ones, 0}, {0, 0})};
  Memory memory(rows.code);
  const std::unique_ptr<Program> program = create(rows.code, memory);
  REQUIRE(program->instructionCount() == 8);
  CHECK(program->executions() == 2 + (1 + 4) + 4 + 2 * ((1 + 3) + 3));
  constexpr double unset = -1, late = 1e18;
  RunArguments arguments;
  for (const double first : {unset, late}) {
    std::vector<double> times(8, first);
    arguments.nanoseconds = times.data();
    CHECK(run(*program, memory, arguments) == RunResult::done);
    for (const std::size_t executed : std::vector<std::size_t>{0, 1, 2, 3, 4, 7}) {
      CAPTURE(executed);
      CHECK(times[executed] >= 0);
      CHECK(times[executed] < late);
    }
    CHECK(times[5] == first);
    CHECK(times[6] == first);
    CHECK(times[1] >= times[2] + times[3]);
    CHECK(times[3] >= times[4]);
  }
}

TEST_CASE("the time of an instruction of a loop within a loop is that of all its executions") {
  constexpr double count = 100000;
  Code code;
  code.buffer(arena, static_cast<std::int64_t>(4 * count));
  const double x = code.buffer(feed, static_cast<std::int64_t>(4 * count));
  const Numbers inner = Code::loopOf(2, {}, {Code::within(0, 2, copied(count, {x, 0}, {0, 0}))});
  code.instructions = {Code::loopOf(8, {}, {Code::within(0, 8, inner)})};
  Memory memory(code);
  const std::unique_ptr<Program> program = create(code, memory);
  double times[3] = {};
  RunArguments arguments;
  arguments.nanoseconds = times;
  CHECK(run(*program, memory, arguments) == RunResult::done);
  CHECK(times[2] <= times[1]);
  CHECK(times[2] > times[1] / 2);
}
