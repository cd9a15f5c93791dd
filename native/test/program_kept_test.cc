// Tests the instructions that run once, and the values that they keep for later runs.
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

#include "test/refusals.h"

using namespace forebay;
using namespace forebay::test;

namespace {

using Floats = std::vector<float>;

// A program with a variable w and a feed x, of 4 elements each. It runs once: kept = w. Output 0 is kept + x.
struct Sum {
  Code code;
  double w, x, kept;

  explicit Sum(bool keeps = true) {
    code.buffer(arena, 32);
    w = code.buffer(variable, 16);
    x = code.buffer(feed, 16);
    kept = keeps ? code.buffer(keptValues, 16) : 0;
    code.add(copy, {{f32, 1, 4, w, 0, 1, kept, 0, 1}});
    code.onceEnds();
    code.add(group, {{1, 1,  3,   2, 1, 1,    0, f32, 0, f32, 1, map("add"), f32, 2, 0,
                      1, -1, f32, 2, 4, kept, 0, 1,   x, 0,   1, 0,          16,  1}});
    code.outputs.push_back({f32, 4, 0, 16});
  }
};

// Runs the program with x = 0, and returns the output.
Floats sumOf(Program& program, const Sum& sum, Memory& memory, const RunArguments& arguments = {}) {
  memory.set<float>(sum.x, {0, 0, 0, 0});
  REQUIRE(run(program, memory, arguments) == RunResult::done);
  return memory.output<float>(0);
}

}  // namespace

TEST_CASE("instructions that run once run in the first run, and again after their values have expired") {
  const Sum sum;
  Memory memory(sum.code);
  const std::unique_ptr<Program> program = create(sum.code, memory);
  const Floats first = {1, 2, 3, 4}, second = {5, 6, 7, 8};
  memory.set(sum.w, first);
  CHECK(memory.kept->expired());
  CHECK(sumOf(*program, sum, memory) == first);
  CHECK(!memory.kept->expired());
  memory.set(sum.w, second);
  CHECK(sumOf(*program, sum, memory) == first);
  memory.kept->expire();
  CHECK(sumOf(*program, sum, memory) == second);
  CHECK(sumOf(*program, sum, memory) == second);
}

TEST_CASE("programs that share kept values compute them once") {
  const Sum sum;
  Memory memory(sum.code);
  const std::unique_ptr<Program> one = create(sum.code, memory), other = create(sum.code, memory);
  const Floats first = {1, 2, 3, 4}, second = {5, 6, 7, 8};
  memory.set(sum.w, first);
  CHECK(sumOf(*one, sum, memory) == first);
  memory.set(sum.w, second);
  CHECK(sumOf(*other, sum, memory) == first);
  memory.kept->expire();
  CHECK(sumOf(*other, sum, memory) == second);
  CHECK(sumOf(*one, sum, memory) == second);
}

TEST_CASE("without kept values, instructions that run once run every time") {
  const Sum sum(false);
  Memory memory(sum.code);
  const std::unique_ptr<Program> program = create(sum.code, memory);
  for (const Floats& w : {Floats{1, 2, 3, 4}, Floats{5, 6, 7, 8}}) {
    memory.set(sum.w, w);
    CHECK(sumOf(*program, sum, memory) == w);
  }
}

TEST_CASE("the time of an instruction that does not run is not changed") {
  const Sum sum;
  Memory memory(sum.code);
  const std::unique_ptr<Program> program = create(sum.code, memory);
  double times[2] = {-1, -1};
  RunArguments arguments;
  arguments.nanoseconds = times;
  sumOf(*program, sum, memory, arguments);
  CHECK(times[0] >= 0);
  CHECK(times[1] >= 0);
  times[0] = times[1] = -1;
  sumOf(*program, sum, memory, arguments);
  CHECK(times[0] == -1);
  CHECK(times[1] >= 0);
}

TEST_CASE("a run that checks its results also checks values that are kept") {
  const Sum sum;
  Memory memory(sum.code);
  const std::unique_ptr<Program> program = create(sum.code, memory);
  memory.set<float>(sum.w, {1, std::numeric_limits<float>::infinity(), 3, 4});
  RunArguments checked;
  checked.checkFinite = true;
  for (int time = 0; time < 2; ++time) {
    CAPTURE(time);
    sumOf(*program, sum, memory);
    RunFailure failure;
    failure.instruction = 7;
    CHECK(run(*program, memory, checked, &failure) == RunResult::notFinite);
    CHECK(failure.instruction == 0);
    CHECK(memory.kept->expired());
  }
  // Values that were checked are not computed again.
  memory.set<float>(sum.w, {1, 2, 3, 4});
  CHECK(sumOf(*program, sum, memory, checked) == Floats{1, 2, 3, 4});
  memory.set<float>(sum.w, {5, 6, 7, 8});
  CHECK(sumOf(*program, sum, memory, checked) == Floats{1, 2, 3, 4});
}

TEST_CASE(
    "a run that is cancelled while it computes kept values leaves them expired, and reads none of them") {
  constexpr double count = 8 << 20;
  Code code;
  code.buffer(arena, 16);
  const double large = code.buffer(variable, 4 * count), w = code.buffer(variable, 16);
  const double x = code.buffer(feed, 16), kept = code.buffer(keptValues, 4 * count + 16);
  code.add(copy, {{f32, 1, count, large, 0, 1, kept, 0, 1}});
  code.add(copy, {{f32, 1, 4, w, 0, 1, kept, 4 * count, 1}});
  code.onceEnds();
  code.add(group, {{1, 1,  3,   2, 1, 1,    0,         f32, 0, f32, 1, map("add"), f32, 2, 0,
                    1, -1, f32, 2, 4, kept, 4 * count, 1,   x, 0,   1, 0,          0,   1}});
  code.outputs.push_back({f32, 4, 0, 0});
  Memory memory(code);
  const std::unique_ptr<Program> program = create(code, memory);
  memory.set<float>(w, {1, 2, 3, 4});
  memory.set<float>(x, {0, 0, 0, 0});
  auto* const values = reinterpret_cast<float*>(memory.kept->data());
  const auto elements = static_cast<std::size_t>(count) + 4;
  bool within = false;
  for (int attempt = 0; attempt < 200 && !within; ++attempt) {
    memory.kept->expire();
    std::fill_n(values, elements, std::numeric_limits<float>::quiet_NaN());
    std::atomic<bool> cancelled{false};
    std::thread canceller([&] {
      std::this_thread::sleep_for(std::chrono::microseconds(200 + 20 * attempt));
      cancelled = true;
    });
    RunArguments arguments;
    arguments.checkFinite = true;
    arguments.cancelled = &cancelled;
    const RunResult result = run(*program, memory, arguments);
    canceller.join();
    REQUIRE((result == RunResult::cancelled || result == RunResult::done));
    within = !std::isnan(values[0]) && std::isnan(values[elements - 1]);
    if (within) CHECK(memory.kept->expired());
  }
  CHECK(within);
  CHECK(run(*program, memory) == RunResult::done);
  CHECK(memory.output<float>(0) == Floats{1, 2, 3, 4});
}

TEST_CASE("the variables that instructions that run once read are found") {
  Sum sum;
  const double other = sum.code.buffer(variable, 16);
  sum.code.add(copy, {{f32, 1, 4, other, 0, 1, 0, 0, 1}});
  Memory memory(sum.code);
  bool reads[2] = {};
  create(sum.code, memory)->findOnce(reads);
  CHECK(reads[0]);
  CHECK(!reads[1]);
}

TEST_CASE("instructions that run once may not access feeds and outputs, and only they write kept values") {
  const auto copies = [](Code& code, double from, double to) {
    code.add(copy, {{f32, 1, 4, from, 0, 1, to, 0, 1}});
  };
  const auto made = [](double& from, double& kept) {
    Code code;
    code.buffer(arena, 16);
    from = code.buffer(feed, 16);
    kept = code.buffer(keptValues, 16);
    return code;
  };
  double x = 0, kept = 0;
  Code reads = made(x, kept);
  copies(reads, x, kept);
  reads.onceEnds();
  refuses(reads, "the buffer of load 0 is a feed (buffer 1), which instructions that run once cannot access");

  Code writes = made(x, kept);
  const double y = writes.buffer(output, 16);
  copies(writes, 0, y);
  writes.onceEnds();
  writes.outputs.push_back({f32, 4, y, 0});
  refuses(writes,
          "the buffer of store 0 is an output (buffer 3), which instructions that run once cannot access");

  Code late = made(x, kept);
  copies(late, x, kept);
  refuses(late,
          "the buffer of store 0 is kept values (buffer 2), which only instructions that run once can write");

  Code two = made(x, kept);
  two.buffer(keptValues, 16);
  refuses(two, "buffers 2 and 3 are kept values, expected at most one");

  Code large = made(x, kept);
  Memory memory(large);
  large.buffers[2][1] = 17;
  Fault fault;
  CHECK(create(large.code(), memory, fault) == nullptr);
  CHECK(std::string(fault.text()).find("buffer 2 is 17 bytes of kept values, but 16 were passed") !=
        std::string::npos);
}
