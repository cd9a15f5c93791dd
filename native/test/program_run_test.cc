// Tests how programs run: outputs are copied before writes, runs stop, threads share work, and errors are
// reported.
#include <cmath>
#include <limits>

#include "program/pool.h"
#include "test/program_support.h"

using namespace forebay;
using namespace forebay::test;

namespace {

using Numbers = Code::Numbers;

// Returns the numbers of a group (an instruction for a fused loop) that computes `to` = f(`from`, `other`)
// for `count` floats, where f is the kernel `name`.
Numbers binary(const char* name, double count, double from, double other, double to, double at = 0) {
  return {1, 1,  3,   2, 1,     1,    0, f32, 0,     f32, 1, map(name), f32, 2, 0,
          1, -1, f32, 2, count, from, 0, 1,   other, 0,   1, to,        at,  1};
}

// A program with a variable w and a feed x, of 4 elements each. Output 0 is w x, output 1 is the old w, and
// the new w is w + x.
struct Update {
  Code code;
  double w, x;

  Update() {
    code.buffer(arena, 16);
    w = code.buffer(variable, 16);
    x = code.buffer(feed, 16);
    code.add(group, {binary("mul", 4, w, x, 0)});
    code.writesBegin();
    code.add(group, {binary("add", 4, w, x, w)});
    code.outputs.push_back({f32, 4, 0, 0});
    code.outputs.push_back({f32, 4, w, 0});
  }
};

// Sets the number of threads of the pool during its lifetime.
struct Threads {
  const int before = Pool::instance().threads();
  explicit Threads(int threads) { Pool::instance().setThreads(threads); }
  ~Threads() { Pool::instance().setThreads(before); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
};

using Floats = std::vector<float>;

}  // namespace

TEST_CASE("subnormal numbers are read, computed and written as any others") {
  const Update update;
  Memory memory(update.code);
  const std::unique_ptr<Program> program = create(update.code, memory);
  const float tiny = 1e-40f;
  memory.set<float>(update.w, {tiny, tiny, 1e-30f, 1});
  memory.set<float>(update.x, {tiny, 1, 1e-10f, 1});
  CHECK(run(*program, memory) == RunResult::done);
  CHECK(memory.output<float>(0) == Floats{0, tiny, 1e-30f * 1e-10f, 1});
  CHECK(memory.values<float>(update.w)[0] == 2 * tiny);
}

TEST_CASE("outputs use the old values of leaves, and every run continues from the last") {
  const Update update;
  Memory memory(update.code);
  const std::unique_ptr<Program> program = create(update.code, memory);
  memory.set<float>(update.w, {1, 2, 3, 4});
  memory.set<float>(update.x, {1, 10, 100, 1000});
  CHECK(run(*program, memory) == RunResult::done);
  CHECK(memory.output<float>(0) == Floats{1, 20, 300, 4000});
  CHECK(memory.output<float>(1) == Floats{1, 2, 3, 4});
  CHECK(memory.values<float>(update.w) == Floats{2, 12, 103, 1004});
  memory.set<float>(update.x, {1, 1, 1, 1});
  CHECK(run(*program, memory) == RunResult::done);
  CHECK(memory.output<float>(0) == Floats{2, 12, 103, 1004});
  CHECK(memory.values<float>(update.w) == Floats{3, 13, 104, 1005});
}

TEST_CASE("a program reports its feeds, outputs and sizes") {
  Update update;
  const double y = update.code.buffer(feed, 24);
  update.code.outputs.push_back({f64, 2, y, 8});
  Memory memory(update.code);
  const std::unique_ptr<Program> program = create(update.code, memory);
  CHECK(program->feedCount() == 2);
  CHECK(program->feedBytes(0) == 16);
  CHECK(program->feedAlignment(0) == 4);
  CHECK(program->feedBytes(1) == 24);
  CHECK(program->feedAlignment(1) == 8);
  CHECK(program->outputCount() == 3);
  CHECK(program->outputType(0) == DType::float32);
  CHECK(program->outputType(2) == DType::float64);
  CHECK(program->outputLength(2) == 2);
  CHECK(program->instructionCount() == 2);
  CHECK(program->arenaBytes() == 16);
  CHECK(program->scratchBytes() > 0);
}

TEST_CASE("a run that finds a NaN or an infinity writes nothing and returns the instruction") {
  const Update update;
  RunArguments checked;
  checked.checkFinite = true;
  const float infinity = std::numeric_limits<float>::infinity(), large = std::numeric_limits<float>::max();
  const std::pair<Floats, Floats> cases[] = {
      {{1, 2, 3, 4}, {1, NAN, 1, 1}}, {{1, 2, infinity, 4}, {1, 1, 1, 1}}, {{1, 2, large, 4}, {1, 1, 2, 1}}};
  for (const auto& [w, x] : cases) {
    Memory memory(update.code);
    const std::unique_ptr<Program> program = create(update.code, memory);
    memory.set<float>(update.w, w);
    memory.set<float>(update.x, x);
    RunFailure failure;
    CHECK(run(*program, memory, checked, &failure) == RunResult::notFinite);
    CHECK(failure.instruction == 0);
    CHECK((memory.values<float>(update.w) == w));
    // Without checkFinite, the same run succeeds.
    CHECK(run(*program, memory) == RunResult::done);
    CHECK((memory.values<float>(update.w) != w));
  }
  Memory memory(update.code);
  const std::unique_ptr<Program> program = create(update.code, memory);
  memory.set<float>(update.w, {1, large, -large, 0});
  memory.set<float>(update.x, {0, 1, 1, 1e-45F});
  CHECK(run(*program, memory, checked) == RunResult::done);
}

TEST_CASE("new values are checked before any of them is written") {
  // w1 is written before w2, and only the new value of w2 is infinite.
  Code code;
  code.buffer(arena, 0);
  const double w1 = code.buffer(variable, 16), w2 = code.buffer(variable, 16);
  code.writesBegin();
  code.add(group, {binary("add", 4, w1, w1, w1)});
  code.add(group, {binary("mul", 4, w2, w2, w2)});
  code.add(copy, {{f32, 1, 2, w2, 0, 1, w1, 8, 1}});
  Memory memory(code);
  const std::unique_ptr<Program> program = create(code, memory);
  memory.set<float>(w1, {1, 2, 3, 4});
  memory.set<float>(w2, {1, 2, 1e30F, 4});
  RunArguments arguments;
  arguments.checkFinite = true;
  bool asked = false;
  arguments.context = &asked;
  arguments.beforeWrites = [](void* context) { return *static_cast<bool*>(context) = true; };
  RunFailure failure;
  CHECK(run(*program, memory, arguments, &failure) == RunResult::notFinite);
  CHECK(failure.instruction == 1);
  CHECK_FALSE(asked);
  CHECK(memory.values<float>(w1) == Floats{1, 2, 3, 4});
  CHECK(memory.values<float>(w2) == Floats{1, 2, 1e30F, 4});
  memory.set<float>(w2, {1, 2, 3, 4});
  CHECK(run(*program, memory, arguments, &failure) == RunResult::done);
  CHECK(asked);
  CHECK(memory.values<float>(w1) == Floats{2, 4, 1, 4});
  CHECK(memory.values<float>(w2) == Floats{1, 4, 9, 16});
}

TEST_CASE("the results of every opcode that computes are checked") {
  const Numbers matrix = {1, 0, 2, 1};
  struct Case {
    const char* name;
    Operation operation;
    Numbers body;
  };
  const Case cases[] = {
      {"product", product, {f32, 2, 2, 2, 0, 1, 0, 2, 1, 1, 0, 2, 1, 0, 0, 2}},
      {"reduce", reduce, {idOf(Family::reduce, "sum"), f32, 1, 1, 2, 2, 0, 0, 1, 1, 0, 2, 1}},
      {"batch product", batchProduct, {f32, 0, 0, 2, 2, 2, 0, 0, 2, 2, 2, 1, 0, 1, 0, 0, 0}},
      {"copy", copy, {f32, 2, 2, 2, 1, 0, 1, 2, 0, 0, 2, 1}},
      {"close", group, {1, 1, 1, 1, 0, 0, 1, f32, 0, f32, 0, 4, 1, 0, 1, 0, 0}}};
  for (const Case& one : cases) {
    CAPTURE(one.name);
    Code code;
    code.buffer(arena, 16);
    const double x = code.buffer(feed, 16);
    code.add(one.operation, {one.body});
    Memory memory(code);
    const std::unique_ptr<Program> program = create(code, memory);
    RunArguments arguments;
    arguments.checkFinite = true;
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()}) {
      for (std::size_t element = 0; element < 4; ++element) {
        Floats values = {1, 2, 3, 4};
        memory.set<float>(x, values);
        CHECK(run(*program, memory, arguments) == RunResult::done);
        values[element] = bad;
        memory.set<float>(x, values);
        CHECK(run(*program, memory, arguments) == RunResult::notFinite);
        CHECK(run(*program, memory) == RunResult::done);
      }
    }
  }
}

TEST_CASE("a cancelled run writes nothing") {
  const Update update;
  Memory memory(update.code);
  const std::unique_ptr<Program> program = create(update.code, memory);
  const Floats before = memory.values<float>(update.w);
  std::atomic<bool> cancelled{true};
  RunArguments arguments;
  arguments.cancelled = &cancelled;
  CHECK(run(*program, memory, arguments) == RunResult::cancelled);
  CHECK(memory.values<float>(update.w) == before);
  // A run whose beforeWrites returns false writes nothing either.
  cancelled = false;
  arguments.beforeWrites = [](void*) { return false; };
  CHECK(run(*program, memory, arguments) == RunResult::cancelled);
  CHECK(memory.values<float>(update.w) == before);
  // If a run is cancelled after beforeWrites, it still completes its writes.
  arguments.context = &cancelled;
  arguments.beforeWrites = [](void* flag) {
    static_cast<std::atomic<bool>*>(flag)->store(true);
    return true;
  };
  CHECK(run(*program, memory, arguments) == RunResult::done);
  CHECK(memory.values<float>(update.w) != before);
}

TEST_CASE("the callbacks run before and after the writes, and not at all without writes") {
  struct Seen {
    Memory* memory;
    double w;
    std::vector<Floats> values;
  };
  const auto look = [](void* context) {
    Seen& seen = *static_cast<Seen*>(context);
    seen.values.push_back(seen.memory->values<float>(seen.w));
    seen.values.push_back(seen.memory->output<float>(1));
  };
  for (const bool writes : {true, false}) {
    Update update;
    if (!writes) {
      update.code.instructions.pop_back();
      update.code.writeStart = -1;
    }
    Memory memory(update.code);
    const std::unique_ptr<Program> program = create(update.code, memory);
    memory.set<float>(update.w, {1, 2, 3, 4});
    memory.set<float>(update.x, {1, 1, 1, 1});
    Seen seen{&memory, update.w, {}};
    RunArguments arguments;
    arguments.context = &seen;
    arguments.afterWrites = look;
    arguments.beforeWrites = [](void* context) {
      Seen& all = *static_cast<Seen*>(context);
      all.values.push_back(all.memory->values<float>(all.w));
      all.values.push_back(all.memory->output<float>(1));
      return true;
    };
    CHECK(run(*program, memory, arguments) == RunResult::done);
    if (writes) {
      const Floats w = {1, 2, 3, 4}, later = {2, 3, 4, 5};
      CHECK((seen.values == std::vector<Floats>{w, w, later, w}));
    } else {
      CHECK(seen.values.empty());
    }
  }
}

TEST_CASE("a profiled run measures the time of every instruction, and is a normal run") {
  const Update update;
  Memory memory(update.code);
  const std::unique_ptr<Program> program = create(update.code, memory);
  const Floats before = memory.values<float>(update.w);
  double times[2] = {-1, -1};
  RunArguments arguments;
  arguments.nanoseconds = times;
  CHECK(run(*program, memory, arguments) == RunResult::done);
  CHECK(times[0] >= 0);
  CHECK(times[1] >= 0);
  CHECK(memory.values<float>(update.w) != before);
}

TEST_CASE("any number of threads gives the same bits") {
  // The number of elements is large enough for several threads. The last tile and the last unit are not full.
  // The sum is rounded at every addition.
  constexpr std::int64_t n = 300007;
  Code code;
  code.buffer(arena, n * 4 + 8);
  const double x = code.buffer(feed, n * 4);
  const double count = static_cast<double>(n);
  const double length = 16;
  Numbers steps;
  for (int i = 0; i < 4; ++i) {
    for (const char* name : {"sigmoid", "exp", "tanh"})
      steps.insert(steps.end(), {map(name), f32, 0, 0, -1, -1});
  }
  code.add(group,
           {{1, 1, 1, 1, 12, 1, 1, f32, 0}, steps, {f32, 0, f32, 0, count, x, 0, 1, 0, length, 1, 0, 4}});
  code.buffers[0][1] = n * 4 + length;
  code.outputs.push_back({f32, count, 0, length});
  code.outputs.push_back({f32, 1, 0, 4});
  const Threads pool(8);
  std::vector<float> first, sum;
  for (const int threads : {1, 2, 3, 8}) {
    Memory memory(code);
    const std::unique_ptr<Program> program = create(code, memory);
    Generator generator(3);
    memory.set<float>(x, someValues<float>(generator, n));
    RunArguments arguments;
    arguments.threads = threads;
    for (int round = 0; round < 3; ++round) {
      CHECK(run(*program, memory, arguments) == RunResult::done);
      if (first.empty()) {
        first = memory.output<float>(0);
        sum = memory.output<float>(1);
        double exact = 0;
        for (const float value : first) exact += static_cast<double>(value);
        CHECK(sum[0] == static_cast<float>(exact));
      }
      CAPTURE(threads);
      CHECK(memory.output<float>(0) == first);
      CHECK(memory.output<float>(1) == sum);
    }
  }
}

TEST_CASE("large segments, with empty and tiny ones among them, are split completely") {
  const Threads pool(4);
  Code code;
  const std::int64_t sizes[] = {0, 100003, 1, 0, 17, 262144, 5, 0};
  std::int64_t all = 0;
  Numbers segments;
  for (const std::int64_t size : sizes) all += size;
  code.buffer(arena, all * 4);
  const double x = code.buffer(feed, all * 4);
  std::int64_t at = 0;
  for (const std::int64_t size : sizes) {
    const auto offset = static_cast<double>(4 * at);
    segments.insert(segments.end(), {static_cast<double>(size), x, offset, 1, 0, offset, 1});
    at += size;
  }
  code.add(group, {{8, 1, 1,  1,          2,   1, 0, f32, 0,  map("add"), f32, 0,
                    0, 0, -1, map("neg"), f32, 0, 0, -1,  -1, f32,        0},
                   segments});
  holdProgram(code);
}

TEST_CASE("a program without instructions does nothing") {
  Code code;
  code.buffer(arena, 0);
  Memory memory(code);
  const std::unique_ptr<Program> program = create(code, memory);
  CHECK(run(*program, memory) == RunResult::done);
  CHECK(program->instructionCount() == 0);
}
