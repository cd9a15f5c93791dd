// Breaks every rule of loops and windows once. Also tests which operands in windows overlap.
#include "test/refusals.h"
#include "test/routine_program.h"

using namespace forebay;
using namespace forebay::test;

namespace {

using Numbers = Code::Numbers;

constexpr double huge = 9007199254740991.0;

Numbers copied(double count, const Numbers& from, const Numbers& to) {
  return Code::instructionOf(copy, {{f32, 1, count}, from, {1}, to, {1}});
}

// A program with six buffers of 256 bytes: 0 arena, 1 variable, 2 constant, 3 feed, 4 kept values, 5 draw. A
// window has 16 bytes.
struct Frame {
  Code code;

  Frame() {
    for (const BufferKind kind : {arena, variable, constant, feed, keptValues}) code.buffer(kind, 256);
    code.drawnBuffer("uniform", f32, 7, 256);
  }
  double window(std::int64_t bytes = 16) { return code.buffer(test::window, bytes); }
  // Adds a loop that executes the instructions of its body in all iterations.
  Frame& loop(double count, const std::vector<Numbers>& windows, const std::vector<Numbers>& body) {
    code.instructions.push_back(looped(count, windows, body));
    return *this;
  }
  static Numbers looped(double count, const std::vector<Numbers>& windows, const std::vector<Numbers>& body) {
    std::vector<Numbers> parts;
    for (const Numbers& one : body) parts.push_back(Code::within(0, count, one));
    return Code::loopOf(count, windows, parts);
  }
  void accepted() const { CHECK(refusal(code) == ""); }
  void refused(const char* why) const { refuses(code, why); }
};

// Returns a program with a loop of `count` iterations that copies 4 floats from the feed to one window.
Frame moving(double count, double parent, double offset, double step, double period,
             std::int64_t bytes = 16) {
  Frame frame;
  const double w = frame.window(bytes);
  frame.loop(count, {{w, parent, offset, step, period}}, {copied(4, {3, 0}, {w, 0})});
  return frame;
}

}  // namespace

TEST_CASE("a window must be defined by exactly one loop, before its use") {
  moving(4, 0, 0, 64, 0).accepted();
  Frame nobody = moving(4, 0, 0, 64, 0);
  nobody.window();
  nobody.refused("program: buffer 7 is a window, but no loop defines it");
  Frame twice = moving(4, 0, 0, 64, 0);
  twice.loop(1, {{6, 0, 0, 0, 0}}, {});
  twice.refused("instruction 2 (loop): the buffer of window 0 is buffer 6, which a loop has defined before");
  Frame both;
  const double w = both.window();
  both.loop(1, {{w, 0, 0, 0, 0}, {w, 0, 0, 0, 0}}, {}).refused("the buffer of window 1 is buffer 6, which a");
  Frame other;
  other.window();
  other.loop(1, {{0, 0, 0, 0, 0}}, {}).refused("the buffer of window 0 is the arena (buffer 0), expected a");

  const char* const closed = "is a window (buffer 6), which no loop around the instruction defines";
  Frame early = moving(4, 0, 0, 64, 0), late = early, shown = early;
  early.code.instructions.insert(early.code.instructions.begin(), copied(4, {3, 0}, {6, 0}));
  early.refused(closed);
  late.code.instructions.push_back(copied(4, {6, 0}, {0, 0}));
  late.refused(closed);
  shown.code.outputs.push_back({f32, 4, 6, 0});
  shown.refused(closed);
}

TEST_CASE("the parent of a window has memory, and moves along another loop") {
  moving(4, 5, 0, 0, 0).refused("the parent of window 0 is a draw (buffer 5), which has no memory");
  const char* const closed = "is a window (buffer 6), which no loop around this one defines";
  Frame sibling = moving(4, 0, 0, 64, 0);
  const double second = sibling.window();
  sibling.loop(1, {{second, 6, 0, 0, 0}}, {}).refused(closed);
  Frame same;
  const double first = same.window(), inner = same.window();
  same.loop(1, {{first, 0, 0, 0, 0}, {inner, first, 0, 0, 0}}, {}).refused(closed);
  Frame nested;
  const double wide = nested.window(32), narrow = nested.window();
  nested.loop(2, {{wide, 0, 0, 32, 0}},
              {Frame::looped(2, {{narrow, wide, 0, 16, 0}}, {copied(4, {3, 0}, {narrow, 0})})});
  nested.accepted();
}

TEST_CASE("a window is within its parent in all iterations") {
  const char* const beyond = "window 0 (buffer 6) reaches beyond buffer 0, which has 256 bytes";
  moving(4, 0, 48, 64, 0).accepted();
  moving(4, 0, 52, 64, 0).refused(beyond);
  moving(5, 0, 0, 64, 0).refused(beyond);
  moving(5, 0, 0, 64, 4).accepted();
  moving(5, 0, 0, 64, 5).refused(beyond);
  moving(huge, 0, 0, 64, 4).accepted();
  moving(huge, 0, 240, 0, 0).accepted();
  moving(huge, 0, 244, 0, 0).refused(beyond);
  moving(4, 0, 192, -64, 0).accepted();
  moving(4, 0, 188, -64, 0).refused(beyond);
  moving(4, 0, 240, -64, 0).accepted();
  moving(4, 0, 244, -64, 0).refused(beyond);
  moving(huge, 0, 0, huge - 3, 0).refused(beyond);
  moving(huge, 0, 0, 3 - huge, 0).refused(beyond);
  moving(2, 0, 0, huge - 3, 0).refused(beyond);
  moving(2, 0, 0, 3 - huge, 0).refused(beyond);
  moving(4, 0, huge - 3, 0, 0).refused(beyond);
  moving(1025, 0, 8192, huge - 3, 0).refused(beyond);  // the last offset is above 2^63
  moving(1, 0, 0, huge - 3, 0).accepted();
  moving(1, 0, 0, 0, 0, 260).refused(beyond);
  moving(0, 0, huge - 3, huge - 3, 0, 260).accepted();
  // An operand is within its window, even if its buffer has more bytes.
  Frame view;
  const double w = view.window(12);
  view.loop(1, {{w, 0, 0, 0, 0}}, {copied(4, {3, 0}, {w, 0})});
  view.refused("instruction 1 (copy), segment 0: the view of store 0 reaches beyond buffer 6, which has 12");
  Frame nested;
  const double wide = nested.window(32), narrow = nested.window();
  nested.loop(2, {{wide, 0, 0, 32, 0}}, {Frame::looped(3, {{narrow, wide, 0, 16, 0}}, {})});
  nested.refused("instruction 1 (loop): window 0 (buffer 7) reaches beyond buffer 6, which has 32 bytes");
}

TEST_CASE("a window is written where the buffer that contains it may be written") {
  const std::string where = "instruction 1 (copy), segment 0: the buffer of store 0 is ";
  moving(4, 1, 0, 64, 0).refused((where + "a variable (buffer 6), which cannot be written before").c_str());
  moving(4, 2, 0, 64, 0).refused((where + "a constant (buffer 6), which is never written").c_str());
  moving(4, 3, 0, 64, 0).refused((where + "a feed (buffer 6), which is never written").c_str());
  moving(4, 4, 0, 64, 0).refused((where + "kept values (buffer 6), which only instructions that").c_str());
  Frame own;
  const double out = own.code.buffer(output, 64), w = own.window();
  own.code.outputs.push_back({f32, 16, out, 0});
  own.loop(4, {{w, out, 0, 16, 0}}, {copied(4, {3, 0}, {w, 0})}).accepted();
  // The elements of an output are not larger than those that its buffer is accessed with.
  own.code.instructions.clear();
  own.loop(4, {{w, out, 0, 16, 0}}, {Code::instructionOf(copy, {{f64, 1, 2, 3, 0, 1, w, 0, 1}})});
  own.refused("the buffer of output 0 has elements of 8 bytes, but the output of 4");
}

TEST_CASE("elements are aligned in their windows, and in all that contain them") {
  moving(4, 0, 2, 64, 0)
      .refused("is in a window (buffer 6) of offset 2 and step 64, expected multiples of 4");
  moving(4, 0, 0, 34, 0)
      .refused("is in a window (buffer 6) of offset 0 and step 34, expected multiples of 4");
  moving(4, 0, 192, -34, 0).refused("of offset 192 and step -34, expected multiples of 4");
  for (const bool outer : {false, true}) {
    Frame nested;
    const double wide = nested.window(32), narrow = nested.window();
    nested.loop(2, {{wide, 0, outer ? 4.0 : 0, 32, 0}},
                {Frame::looped(2, {{narrow, wide, outer ? 0 : 4.0, 8, 0}},
                               {Code::instructionOf(copy, {{f64, 1, 2, 3, 0, 1, narrow, 0, 1}})})});
    nested.refused("expected multiples of 8");
  }
  Frame feeds;
  const double w = feeds.window();
  feeds.loop(1, {{w, 3, 0, 0, 0}}, {Code::instructionOf(copy, {{f64, 1, 2, w, 0, 1, 0, 0, 1}})});
  Memory memory(feeds.code);
  CHECK(create(feeds.code, memory)->feedAlignment(0) == 8);
  // The leaf is at an address that is not a multiple of 8.
  feeds.code.instructions.clear();
  feeds.loop(1, {{w, 1, 0, 0, 0}}, {Code::instructionOf(copy, {{f64, 1, 2, w, 0, 1, 0, 0, 1}})});
  alignas(8) char bytes[264];
  const LeafMemory leaves[] = {{bytes + 4, 256}, {bytes, 256}};
  const Numbers numbers = feeds.code.code();
  Fault fault;
  CHECK(Program::create(numbers.data(), numbers.size(), leaves, 2, fault, memory.kept.get()) == nullptr);
  CHECK(std::string(fault.text()).find("address that is not a multiple of 8") != std::string::npos);
}

TEST_CASE("panels are not in windows") {
  Frame packs;
  packs.code.buffers[0][1] = 8192;
  const double panels = packs.window(4096);
  const Numbers filled = Code::instructionOf(pack, {{f32, 2, 2, panels, 0, 1, 0, 0, 2, 2, 3, 0, 2, 1}});
  packs.loop(1, {{panels, 0, 0, 0, 0}}, {filled});
  packs.refused("the buffer of the panels is a window, expected the arena or kept values");
  packs.code.instructions.clear();
  const Numbers multiplied =
      Code::instructionOf(packedProduct, {{f32, 2, 2, 2, 0, 3, 0, 2, 1, panels, 0, 0, 4096, 2}});
  packs.loop(1, {{panels, 0, 0, 0, 0}}, {multiplied});
  packs.refused("the buffer of b is a window, expected the arena or kept values");
}

TEST_CASE("a loop is before the start of the writes, and does not run once") {
  Frame writes = moving(4, 0, 0, 64, 0);
  writes.code.writeStart = 0;
  writes.refused("instruction 0 (loop): only groups, copies and routines can be at or after the start");
  Frame once = moving(4, 0, 0, 64, 0);
  once.code.onceEnds();
  once.refused("instruction 0 (loop): draws and loops cannot run once");
}

TEST_CASE("at most 8 loops are one within the other") {
  Numbers inner = copied(4, {3, 0}, {0, 0});
  for (int depth = 1; depth <= 9; ++depth) {
    inner = Frame::looped(1, {}, {inner});
    Frame frame;
    frame.code.instructions = {inner};
    CAPTURE(depth);
    if (depth <= 8) {
      frame.accepted();
    } else {
      frame.refused("instruction 8 (loop): it is within 8 loops, expected at most 7");
    }
  }
}

TEST_CASE("the numbers of a loop are checked one by one") {
  const auto changed = [](std::size_t at, double number) {
    Frame frame = moving(4, 0, 0, 64, 0);
    frame.code.instructions[0][at] = number;
    return refusal(frame.code);
  };
  const auto says = [&](std::size_t at, double number, const std::string& why) {
    CAPTURE(at);
    const std::string text = changed(at, number);
    CAPTURE(text);
    CHECK(text.find(why) != std::string::npos);
  };
  // [11, length, 4, 1, 6, 0, 0, 64, 0, 1, 0, 4, 8, …]
  says(1, 22, "instruction 1 (copy): the length");
  says(2, -1, "the number of iterations");
  says(3, 1000, "the number of windows");
  says(4, 100, "the buffer of window 0");
  says(5, 7, "the parent of window 0");
  says(6, -1, "the byte offset of window 0");
  says(7, 0.5, "the step of window 0");
  says(8, -1, "the period of window 0");
  says(9, 1000, "the number of instructions");
  says(9, 0, "numbers are left over");
  says(9, 2, "the code ends where");
  says(10, 5, "the first iteration of instruction 0 is 5, expected an integer from 0 to 4");
  says(11, 5, "the end of the iterations of instruction 0 is 5, expected an integer from 0 to 4");
  says(12, 12, "instruction 1 (opcode unknown): the opcode is 12");
  says(13, 100, "instruction 1 (copy): the length");
  Frame turned = moving(4, 0, 0, 64, 0);
  turned.code.instructions[0][10] = 3;
  turned.code.instructions[0][11] = 2;
  turned.refused("the end of the iterations of instruction 0 is 2, expected an integer from 3 to 4");
  const Numbers body = moving(4, 0, 0, 64, 0).code.instructions[0];
  for (std::size_t at = 1; at < body.size(); ++at) {
    for (const double bad :
         {0.5, 1e300, 9007199254740992.0, -std::numeric_limits<double>::infinity(), std::nan("")}) {
      CAPTURE(at);
      CAPTURE(bad);
      CHECK(changed(at, bad) != "");
    }
  }
  // An instruction after the loop has the number that follows those of the body.
  Frame after = moving(4, 0, 0, 64, 0);
  after.code.instructions.push_back(copied(400, {3, 0}, {0, 0}));
  after.refused("instruction 2 (copy)");
}

namespace {

// Returns a program with a loop of 6 iterations that calls a routine, the sum of the 4 elements before each
// element, from a window to another one. Both are in the arena and have 16 bytes.
Frame summing(const Numbers& from, const Numbers& to, double count = 6) {
  Frame frame;
  const double a = frame.window(), b = frame.window();
  const auto placed = [](double buffer, const Numbers& move) {
    Numbers all = {buffer, 0};
    all.insert(all.end(), move.begin(), move.end());
    return all;
  };
  frame.loop(count, {placed(a, from), placed(b, to)},
             {Code::instructionOf(routine, {{idOfRoutine("cumsum"), f32, f32},
                                            {3, 1, 4, 1, a, 0, 4, 1, 1},
                                            {3, 1, 4, 1, b, 0, 4, 1, 1},
                                            {0}})});
  return frame;
}

}  // namespace

TEST_CASE("the overlap of operands in windows is judged in the same iteration if the windows move alike") {
  const char* const overlap = "write 0 overlaps read 0";
  // [offset, step, period]. The routine may work in place.
  summing({0, 32, 0}, {0, 32, 0}).accepted();
  summing({0, 32, 0}, {16, 32, 0}).accepted();
  summing({16, 32, 0}, {0, 32, 0}).accepted();
  summing({0, 32, 0}, {12, 32, 0}).refused(overlap);
  summing({0, 32, 0}, {4, 32, 0}).refused(overlap);
  summing({0, 16, 0}, {16, 16, 0}).accepted();  // reads row n and writes row n + 1
  summing({16, 16, 0}, {0, 16, 0}).accepted();
  summing({80, -16, 0}, {96, -16, 0}).accepted();
  summing({0, 16, 0}, {32, 16, 6}).accepted();  // a period of 6 iterations or more changes nothing
  summing({0, 16, 9}, {32, 16, 0}).accepted();
  summing({0, 16, 5}, {32, 16, 0}).refused(overlap);
  summing({0, 0, 0}, {0, 32, 1}).accepted();  // neither window moves
  summing({0, 0, 0}, {16, 0, 0}).accepted();
  summing({0, 0, 0}, {8, 0, 0}).refused(overlap);
}

TEST_CASE("windows with few positions are compared position by position") {
  const char* const overlap = "write 0 overlaps read 0";
  summing({0, 16, 2}, {16, -16, 2}).accepted();
  summing({0, 16, 2}, {16, -12, 2}).refused(overlap);
  summing({0, 16, 2}, {0, 32, 2}).refused(overlap);  // the same view, but only in iteration 0
  summing({0, 16, 4}, {48, -16, 4}).accepted();
  summing({0, 16, 0}, {48, -16, 0}, 4).accepted();
  summing({0, 16, 6}, {80, -16, 6}).refused(overlap);
  summing({0, 16, 0}, {80, -16, 0}).refused(overlap);
  summing({0, 32, 3}, {16, 32, 2}).accepted();  // positions 0, 32, 64 and 16, 48
  // Positions 0, 16, 32, 0, 16 and positions 16, 48, 16, 48, 16.
  summing({0, 16, 3}, {16, 32, 2}, 4).accepted();
  summing({0, 16, 3}, {16, 32, 2}, 5).refused(overlap);
  summing({0, 0, 0}, {16, -16, 2}).refused(overlap);
  summing({0, 0, 0}, {32, -16, 2}).accepted();
}

TEST_CASE("other windows are compared by all memory that they ever have") {
  const char* const overlap = "write 0 overlaps read 0";
  summing({0, 16, 0}, {0, 32, 0}).refused(overlap);
  summing({0, 16, 0}, {96, 16, 5}).accepted();
  summing({0, 16, 0}, {92, 16, 5}).refused(overlap);
  summing({96, 16, 5}, {0, 16, 0}).accepted();
  summing({92, 16, 5}, {0, 16, 0}).refused(overlap);
  summing({80, -16, 0}, {96, 0, 0}).accepted();
  summing({80, -16, 0}, {92, 0, 0}).refused(overlap);
  summing({112, -16, 0}, {16, 0, 0}).accepted();
  summing({112, -16, 0}, {20, 0, 0}).refused(overlap);
  summing({0, 16, 0}, {0, 32, 0}, 0).accepted();
  // A window and the arena itself.
  const auto direct = [](double at) {
    Frame frame;
    const double w = frame.window();
    frame.loop(6, {{w, 0, 32, 16, 0}},
               {Code::instructionOf(routine, {{idOfRoutine("cumsum"), f32, f32},
                                              {3, 1, 4, 1, w, 0, 4, 1, 1},
                                              {3, 1, 4, 1, 0, at, 4, 1, 1},
                                              {0}})});
    return frame;
  };
  direct(16).accepted();
  direct(20).refused(overlap);
  direct(124).refused(overlap);
  direct(128).accepted();
}

TEST_CASE("in loops within loops, the movement along each loop is compared") {
  // Window a moves along the outer loop only. Window b is in it, and also moves along the inner loop.
  const auto nested = [](double from, const Numbers& outer, const Numbers& inner) {
    Frame frame;
    const double a = frame.window(48), other = frame.window(48), b = frame.window();
    const Numbers body = Code::instructionOf(routine, {{idOfRoutine("cumsum"), f32, f32},
                                                       {3, 1, 4, 1, a, from, 4, 1, 1},
                                                       {3, 1, 4, 1, b, 0, 4, 1, 1},
                                                       {0}});
    frame.loop(2, {{a, 0, 0, 64, 0}, {other, 0, outer[0], outer[1], 0}},
               {Frame::looped(inner[0], {{b, other, inner[1], inner[2], 0}}, {body})});
    return frame;
  };
  const char* const overlap = "write 0 overlaps read 0";
  nested(0, {0, 64}, {2, 16, 16}).accepted();
  nested(0, {0, 64}, {2, 12, 16}).refused(overlap);
  nested(32, {0, 64}, {2, 0, 16}).accepted();
  nested(32, {0, 64}, {3, 0, 16}).refused(overlap);
  nested(32, {48, 64}, {3, 0, 16}).accepted();
  // The outer loop moves both, but not alike: at 0 and 64, and at 128 and 64.
  nested(0, {128, -64}, {2, 0, 16}).refused(overlap);
  nested(0, {128, -64}, {2, 16, 16}).accepted();
}

TEST_CASE("a result beside or above an operand of a product is accepted, also in windows") {
  // a is 2 x 4 and c is 2 x 3, in rows of `stride` elements. Both are in windows of the arena.
  const auto multiplies = [](double apart, double stepA, double stepC, double period) {
    Frame frame;
    const double a = frame.window(48), c = frame.window(44);
    frame.loop(3, {{a, 0, 0, stepA, period}, {c, 0, apart, stepC, period}},
               {Code::instructionOf(product, {{f32, 2, 3, 4, 0, a, 0, 8, 1, 3, 0, 3, 1, c, 0, 8}})});
    return frame;
  };
  multiplies(16, 64, 64, 0).accepted();
  multiplies(20, 64, 64, 0).accepted();
  multiplies(12, 64, 64, 0).refused("c overlaps a");
  multiplies(32, 64, 64, 0).refused("c overlaps a");
  multiplies(64, 64, 64, 0).accepted();
  multiplies(64, 64, -64, 2).accepted();
  multiplies(16, 32, 64, 2).accepted();
  multiplies(16, 32, 60, 2).refused("c overlaps a");
  multiplies(0, 64, 32, 0).refused("c overlaps a");
}
