// Compares groups (instructions that execute fused loops) with the interpreter of program_plain.cc, which
// computes one element at a time.
#include "test/program_samples.h"

using namespace forebay;
using namespace forebay::test;

TEST_CASE("groups of any kind give the same bits as computing one element at a time") {
  Generator generator(11);
  for (int round = 0; round < 1500; ++round) {
    CAPTURE(round);
    Code code;
    Space space(code);
    addSomeGroup(generator, code, space, false);
    if (round % 3 == 0) {
      code.writesBegin();
      addSomeGroup(generator, code, space, true);
    }
    holdProgram(code, static_cast<std::uint64_t>(round));
  }
}

TEST_CASE("later steps and stores read the values from before a store that overwrites them") {
  // A group computes one tile of elements at a time. Tiles of 64 and 48 elements consist of whole vectors, so
  // the steps use them directly in memory. A tile of 15 elements does not, so it is first copied to a buffer
  // with padding (a register of the group).
  for (const double count : {64.0, 48.0, 15.0}) {
    Code code;
    code.buffer(arena, 0);
    const double a = code.buffer(variable, static_cast<std::int64_t>(4 * count));
    const double b = code.buffer(variable, static_cast<std::int64_t>(4 * count));
    code.writesBegin();
    // Computes (a, b) = (a + b, a - b). The difference is computed after the sum.
    code.add(group, {{1, 1, 4,  2,          2,   2, 0, f32, 0,  f32, 1, map("add"), f32, 2,
                      0, 1, -1, map("sub"), f32, 3, 0, 1,   -1, f32, 2, f32,        3},
                     {count, a, 0, 1, b, 0, 1, a, 0, 1, b, 0, 1}});
    // Computes (a, b) = (b, a).
    code.add(group, {{1, 1, 2, 2, 0, 2, 0, f32, 0, f32, 1, f32, 1, f32, 0},
                     {count, a, 0, 1, b, 0, 1, a, 0, 1, b, 0, 1}});
    // Computes (a, b) = (-a, a).
    code.add(group, {{1, 1, 2, 1, 1, 2, 0, f32, 0, map("neg"), f32, 1, 0, -1, -1, f32, 1, f32, 0},
                     {count, a, 0, 1, a, 0, 1, b, 0, 1}});
    CAPTURE(count);
    holdProgram(code);
    Memory memory(code);
    const std::unique_ptr<Program> program = create(code, memory);
    const std::vector<float> x = memory.values<float>(a), y = memory.values<float>(b);
    CHECK(run(*program, memory) == RunResult::done);
    for (std::size_t i = 0; i < x.size(); ++i) {
      CHECK(memory.values<float>(a)[i] == -(x[i] - y[i]));
      CHECK(memory.values<float>(b)[i] == x[i] - y[i]);
    }
  }
}

TEST_CASE("memory is gathered again if it is read with another layout") {
  // The segments read the same memory with different strides: as a matrix in row-major order, transposed,
  // with two other row strides, as wide rows, and as a scalar.
  Code code;
  code.buffer(arena, 1000);
  const double x = code.buffer(feed, 81 * 4);
  code.add(group, {{6, 2, 2, 1, 1, 1, 0, f32, 0, map("neg"), f32, 1, 0, -1, -1, f32, 1},
                   {5, 5, x, 0, 5, 1, 0, 0, 5, 1},
                   {5, 5, x, 0, 1, 5, 0, 100, 5, 1},
                   {4, 5, x, 0, 6, 1, 0, 200, 5, 1},
                   {4, 5, x, 0, 7, 1, 0, 280, 5, 1},
                   {2, 40, x, 0, 41, 1, 0, 360, 40, 1},
                   {3, 5, x, 0, 0, 0, 0, 680, 5, 1}});
  holdProgram(code);
}
