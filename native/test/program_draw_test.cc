// Tests draws that take no memory: the groups that load them compute their elements.
#include "test/refusals.h"

using namespace forebay;
using namespace forebay::test;

using Numbers = Code::Numbers;

TEST_CASE("draws are loaded with any strides, in interpreted and in compiled loops, by 1 and 4 threads") {
  // Computes a + x and x (a > x), where x is a draw that is read by rows, transposed, in reverse, with a
  // distance, as rows of one element, as one row and as one element.
  struct Case {
    double rows, columns, first, down, across;
  };
  for (const Case& one :
       {Case{70, 48, 0, 48, 1}, Case{70, 48, 0, 1, 70}, Case{70, 48, 3359, -48, -1}, Case{70, 48, 5, 49, 1},
        Case{33, 300, 1, 1000, 3}, Case{300, 33, 0, 1, 0}, Case{300, 33, 2, 0, 1}, Case{300, 33, 2, 0, 0},
        Case{90, 1, 0, 7, 1}, Case{600, 7, 0, 1, 601}, Case{600, 40, 0, 1, 1}, Case{2000, 700, 0, 700, 1}}) {
    for (const char* name : {"uniform", "normal", "truncatedNormal"}) {
      for (const double type : {f32, f64}) {
        const auto size = static_cast<double>(sizeOf(static_cast<DType>(type)));
        const double count = one.rows * one.columns;
        Code code;
        code.buffer(arena, static_cast<std::int64_t>(2 * count * size));
        const double a = code.buffer(feed, static_cast<std::int64_t>(count * size), type);
        const double x = code.drawnBuffer(name, type, 11, 1400000 * static_cast<std::int64_t>(size));
        const Code::Numbers operands = {a, 0, one.columns, 1, x, one.first * size, one.down, one.across};
        const auto stored = [&](double from) {
          Code::Numbers numbers = {one.rows, one.columns};
          numbers.insert(numbers.end(), operands.begin(), operands.end());
          numbers.insert(numbers.end(), {0, from * size, one.columns, 1});
          return numbers;
        };
        code.add(group, {{1, 2, 3, 2, 1, 1, 0, type, 0, type, 1, map("add"), type, 2, 0, 1, -1, type, 2},
                         stored(0)});
        // The step that reads x for the last time overwrites its register.
        code.add(group, {{1, 2, 2, 2,  2,          1,    0, type, 0, type, 1,    map("mul"), type,
                          0, 0, 1, -1, map("sub"), type, 1, 1,    0, -1,   type, 1},
                         stored(count)});
        CAPTURE(one.rows);
        CAPTURE(one.columns);
        CAPTURE(one.down);
        CAPTURE(one.across);
        CAPTURE(std::string(name));
        holdProgram(code);
      }
    }
  }
}

TEST_CASE("a group that only loads a draw and stores it writes what the instruction random writes") {
  for (const double type : {f32, f64}) {
    const auto size = static_cast<double>(sizeOf(static_cast<DType>(type)));
    Code code;
    code.buffer(arena, static_cast<std::int64_t>(2000 * size));
    const double x = code.drawnBuffer("normal", type, 11, 1000 * static_cast<std::int64_t>(size));
    code.add(group, {{1, 1, 1, 1, 0, 1, 0, type, 0, type, 0}, {1000, x, 0, 1, 0, 0, 1}});
    code.add(draw, {{idOf(Family::random, "normal"), type, 11, 1000, 0, 1000 * size}});
    code.outputs = {{type, 1000, 0, 0}, {type, 1000, 0, 1000 * size}};
    Memory memory(code);
    CHECK(run(*create(code, memory), memory) == RunResult::done);
    CHECK(memory.outputs[0] == memory.outputs[1]);
    CHECK(memory.outputs[0] != Bytes(memory.outputs[0].size()));
  }
}

TEST_CASE("a draw that breaks a rule is refused") {
  const double uniform = idOf(Family::random, "uniform");
  // A group loads 8 elements of a draw of 10 elements. Its operands are in buffers 0 (arena) and 4 (draw).
  const auto loads = [&](const Numbers& buffer, const Numbers& load = {4, 8, 1}, double type = f32) {
    Code code = with(group, {1, 1, 1, 1, 0, 1, 0, type, 0, type, 0, 8, load[0], load[1], load[2], 0, 0, 1});
    code.buffers.push_back(buffer);
    code.types.push_back(none);
    return code;
  };
  const Numbers valid = {drawn, 40, uniform, f32, 7};
  CHECK(refusal(loads(valid)) == "");
  CHECK(refusal(loads(valid, {4, 36, -1})) == "");
  refuses(loads({8, 40, uniform, f32, 7}), "the kind of buffer 4");
  refuses(loads({drawn, 0.5, uniform, f32, 7}), "the size of buffer 4");
  refuses(loads({drawn, 40, map("add"), f32, 7}),
          "the kernel of buffer 4 is 'add' of family map, expected random");
  refuses(loads({drawn, 40, 1e6, f32, 7}), "the kernel of buffer 4");
  refuses(loads({drawn, 40, uniform, i32, 7}), "the kernel of buffer 4, 'uniform', does not exist for int32");
  refuses(loads({drawn, 40, uniform, 9, 7}), "the dtype of buffer 4");
  refuses(loads({drawn, 40, uniform, f32, -1}), "the seed of buffer 4");
  refuses(loads({drawn, 40, uniform, f32, 9007199254740992.0}), "the seed of buffer 4");
  // The elements that a load reads must be in the draw, and of its dtype.
  const std::string where = "instruction 0 (group), ";
  refuses(loads(valid, {4, 12, 1}),
          where + "segment 0: the view of load 0 reaches beyond buffer 4, which has 40 bytes");
  refuses(loads(valid, {4, 24, -1}), where + "segment 0: the view of load 0 reaches beyond buffer 4");
  refuses(loads(valid, {4, 6, 1}),
          where + "segment 0: the byte offset of load 0 is 6, expected a multiple of 4");
  refuses(loads({drawn, 400, uniform, f64, 7}),
          where + "segment 0: the buffer of load 0 is a draw of float64, expected float32");
  refuses(loads(valid, {4, 8, 1}, i32),
          where + "segment 0: the buffer of load 0 is a draw of float32, expected int32");
  // Nothing writes a draw, and only groups load it.
  const auto refusesIn = [&](Operation operation, const Numbers& body, const char* why) {
    Code code = with(operation, body);
    code.buffers.push_back({drawn, 256, uniform, f32, 7});
    code.types.push_back(none);
    refuses(code, why);
  };
  refusesIn(group, {1, 1, 1, 1, 0, 1, 0, f32, 0, f32, 0, 8, 3, 0, 1, 4, 0, 1},
            "the buffer of store 0 is a draw (buffer 4), which is never written");
  refusesIn(draw, {uniform, f32, 7, 8, 4, 0},
            "the buffer of the output is a draw (buffer 4), which is never written");
  refusesIn(copy, {f32, 1, 8, 4, 0, 1, 0, 0, 1},
            "instruction 0 (copy), segment 0: the buffer of load 0 is a draw (buffer 4), which only groups "
            "can load");
  refusesIn(product, {f32, 2, 2, 2, 0, 4, 0, 2, 1, 3, 0, 2, 1, 0, 0, 2},
            "is a draw (buffer 4), which only groups can load");
  refusesIn(rowGroup, {1, 1, 1, 0, 1, 0, f32, 0, f32, 0, 8, 2, 4, 200, 2, 1, 0, 0, 2, 1},
            "the view of load 0 reaches beyond buffer 4");
  refusesIn(
      rowGroup, {1, 1, 1, 0, 1, 0, f64, 0, f64, 0, 8, 2, 4, 0, 2, 1, 0, 0, 2, 1},
      "instruction 0 (row group), segment 0: the buffer of load 0 is a draw of float32, expected float64");
  Code code = with(draw, {uniform, f32, 7, 8, 0, 0});
  code.buffers.push_back({drawn, 256, uniform, f32, 7});
  code.types.push_back(none);
  code.outputs = {{f32, 8, 4, 0}};
  refuses(code, "the buffer of output 0 is a draw (buffer 4), which only groups can load");
}
