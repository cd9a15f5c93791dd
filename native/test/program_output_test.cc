// Tests outputs that have buffers of their own: runs compute them in the caller's memory.
#include <limits>

#include "routines/routine.h"
#include "test/program_support.h"

using namespace forebay;
using namespace forebay::test;

namespace {

using Numbers = Code::Numbers;
using Floats = std::vector<float>;

// Output 0 is a copy of the feed x, of 4 floats, in a buffer of its own. Output 1 is the same, copied from
// there.
struct Direct {
  Code code;
  double x, own;

  Direct() {
    code.buffer(arena, 0);
    x = code.buffer(feed, 16);
    own = code.buffer(output, 16);
    code.add(copy, {{f32, 1, 4, x, 0, 1, own, 0, 1}});
    code.outputs.push_back({f32, 4, own, 0});
    code.outputs.push_back({f32, 2, own, 8});
  }
};

// Returns the reason for which the code is refused.
std::string refusalOf(const Code& code) {
  Memory memory(code);
  Fault fault;
  CHECK(create(code.code(), memory, fault) == nullptr);
  return fault.text();
}

}  // namespace

TEST_CASE("an output in a buffer of its own is computed there, and other outputs are copied from it") {
  const Direct direct;
  Memory memory(direct.code);
  const std::unique_ptr<Program> program = create(direct.code, memory);
  memory.set<float>(direct.x, {1, 2, 3, 4});
  CHECK(run(*program, memory) == RunResult::done);
  CHECK(memory.output<float>(0) == Floats{1, 2, 3, 4});
  CHECK(memory.output<float>(1) == Floats{3, 4});
}

TEST_CASE("a run that fails keeps the outputs if this is asked") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const bool keeps : {false, true}) {
    const Direct direct;
    Memory memory(direct.code);
    const std::unique_ptr<Program> program = create(direct.code, memory);
    memory.set<float>(direct.x, {1, 2, nan, 4});
    RunArguments arguments;
    arguments.checkFinite = true;
    arguments.keepOutputs = keeps;
    const Bytes before = memory.outputs[0];
    CHECK(run(*program, memory, arguments) == RunResult::notFinite);
    CHECK((memory.outputs[0] == before) == keeps);
    memory.set<float>(direct.x, {1, 2, 3, 4});
    CHECK(run(*program, memory, arguments) == RunResult::done);
    CHECK(memory.output<float>(0) == Floats{1, 2, 3, 4});
    CHECK(memory.output<float>(1) == Floats{3, 4});
  }
}

TEST_CASE("an index that is out of range keeps the outputs that instructions before it have written") {
  for (const std::int32_t index : {0, 9}) {
    Direct direct;
    Code& code = direct.code;
    const double at = code.buffer(feed, 4, i32), gathered = code.buffer(output, 4);
    const auto id = [] {
      for (std::int64_t i = 0; i < routineCount; ++i) {
        if (routines[i] == findRoutine("gather")) return static_cast<double>(i);
      }
      return -1.0;
    }();
    code.add(routine, {{id, f32, i32, f32},
                       {3, 1, 4, 1, direct.x, 0, 4, 1, 1},
                       {1, 1, at, 0, 1},
                       {3, 1, 1, 1, gathered, 0, 1, 1, 1},
                       {0}});
    code.outputs.push_back({f32, 1, gathered, 0});
    Memory memory(code);
    const std::unique_ptr<Program> program = create(code, memory);
    memory.set<float>(direct.x, {1, 2, 3, 4});
    memory.set<std::int32_t>(at, {index});
    RunArguments arguments;
    arguments.keepOutputs = true;
    const std::vector<Bytes> before = memory.outputs;
    const bool valid = index == 0;
    CHECK(run(*program, memory, arguments) == (valid ? RunResult::done : RunResult::outOfRange));
    CHECK((memory.outputs == before) == !valid);
  }
}

TEST_CASE("buffers of outputs that break a rule are refused") {
  Direct nobody;
  nobody.code.buffer(output, 16);
  CHECK(refusalOf(nobody.code) == "program: buffer 3 is an output, but no output has it");
  Direct partly;
  partly.code.outputs[0][1] = 3;
  CHECK(refusalOf(partly.code) ==
        "program: output 0 has 12 bytes at offset 0 of buffer 2, expected all its 16");
  Direct wide;
  wide.code.instructions.clear();
  wide.code.add(draw, {{idOf(Family::random, "uniform"), f64, 7, 2, wide.own, 0}});
  CHECK(refusalOf(wide.code) ==
        "program: the buffer of output 0 has elements of 8 bytes, but the output of 4");
  Direct late;
  late.code.writeStart = 0;
  CHECK(refusalOf(late.code).find(
            "is an output (buffer 2), which cannot be written after the start of the writes") !=
        std::string::npos);
}
