// Breaks every rule of the format of the code once. The program must be refused, and the message must say
// where and why.
#include <cmath>
#include <cstdint>
#include <limits>

#include "program/items.h"
#include "test/refusals.h"

using namespace forebay;
using namespace forebay::test;

using Numbers = Code::Numbers;

TEST_CASE("a group that breaks a rule is refused") {
  // Computes y = cast(x + x) and z = the sum of x, where x is 2 x 3 elements of a feed.
  const Numbers body = {1,
                        2,
                        3,
                        1,
                        2,
                        1,
                        1,  // counts
                        f32,
                        0,  // load
                        map("add"),
                        f32,
                        1,
                        0,
                        0,
                        -1,  // step 0
                        castTo("int32"),
                        f32,
                        2,
                        1,
                        -1,
                        -1,  // step 1
                        i32,
                        2,  // store
                        f32,
                        0,  // close
                        2,
                        3,
                        3,
                        0,
                        3,
                        1,  // sizes, load
                        0,
                        128,
                        4,
                        1,
                        0,
                        0};  // store, close
  const double sum = idOf(Family::reduce, "sum");
  const double huge = 9007199254740991.0;
  refusesEach(
      group, body,
      {{1, 33, "the rank is 33"},
       {1, 1, "numbers follow its counts"},
       {2, 5000, "the number of registers"},
       {3, 2, "expected"},
       {7, i32, "input 0 of step 0 is register 0, which holds int32, expected float32"},
       {8, 3, "the register of load 0"},
       {8, 2, "input 0 of step 0 is register 0, which no load or step has written"},
       {9, sum, "the kernel of step 0 is 'sum' of family reduce, expected map or cast"},
       {9, 1000, "the kernel of step 0"},
       {10, i32, "'add', does not exist for int32"},
       {10, f64, "expected float64"},
       {11, 3, "the output register of step 0"},
       {12, 1, "register 1, which no load or step has written"},
       {13, -1, "input 1 of step 0"},
       {14, 0, "input 2 of step 0 is 0, expected -1 because 'add' has 2 inputs"},
       {19, 0, "input 1 of step 1 is 0, expected -1"},
       {21, f32, "store 0 is register 2, which holds int32, expected float32"},
       {22, 1, "holds float32, expected int32"},
       {23, i32, "the dtype of close 0 is int32, expected float32 or float64"},
       {24, 1000, "the register of close 0"},
       {25, 20, "segment 0: the view of store 0 reaches beyond buffer 0, which has 256 bytes"},
       {27, 4, "the buffer of load 0"},
       {28, 236, "the view of load 0 reaches beyond"},
       {28, 2, "the byte offset of load 0 is 2, expected a multiple of 4"},
       {29, 62, "the view of load 0 reaches beyond"},
       {30, 4503599627370496.0, "the view of load 0 reaches beyond"},
       {31, 1, "the buffer of store 0 is a variable (buffer 1), which cannot be written before the start"},
       {31, 2, "the buffer of store 0 is a constant (buffer 2), which is never written"},
       {31, 3, "the buffer of store 0 is a feed (buffer 3), which is never written"},
       {33, 0, "the view of store 0 writes one element more than once: axis 0 has 2 elements"},
       {34, 0, "axis 1 has 3 elements and stride 0"},
       {29, -1, "the view of load 0 reaches beyond buffer 3"},  // the lowest element is number -1
       {30, -1, "the view of load 0 reaches beyond buffer 3"},  // the lowest element is number -2
       {29, -huge, "the view of load 0 reaches beyond buffer 3"},
       {29, -2 - huge, "a stride of load 0"},
       {33, -33, "the view of store 0 reaches beyond buffer 0"},  // the lowest element is number -1
       {34, -17, "the view of store 0 reaches beyond buffer 0"},  // the lowest element is number -2
       {33, 40, "the view of store 0 reaches beyond"},
       {35, 2, "the buffer of close 0 is a constant"},
       {36, 256, "the view of close 0 reaches beyond"}},
      "group");
  refuses(with(group, body, true), "instruction 0 (group): it has closes");
  refuses(with(group, {1, 2, 1, 1, 0, 0, 1, f32, 0, f32, 0, huge, 3, 3, 0, 0, 0, 0, 0}),
          "more than 2^53 - 1 elements");
  refuses(with(group, {huge, 0, 0, 0, 0, 0, 0}), "the number of segments");
  // The partial sums of this group would need more memory than there is.
  refuses(with(group, {1, 1, 1, 1, 0, 0, 1, f32, 0, f32, 0, huge, 3, 0, 0, 0, 0}), "out of memory");
}

TEST_CASE("a copy that breaks a rule is refused") {
  refusesEach(copy, {f64, 2, 2, 3, 3, 64, 1, 2, 0, 128, 3, 1},
              {{0, 5, "the dtype"},
               {1, 33, "the rank"},
               {1, 1, "instruction 0 (copy)"},
               {2, 20, "reaches beyond"},
               {4, 9, "the buffer of load 0"},
               {5, 4, "expected a multiple of 8 for float64"},
               {6, 32, "reaches beyond"},
               {8, 2, "never written"},
               {10, 0, "more than once"}},
              "copy");
  CHECK(refusal(with(copy, {f32, 1, 4, 3, 0, 1, 1, 0, 1}, true)) == "");
  // The buffers have 64 elements. A view with negative strides must stay within its buffer at both ends.
  const auto copies = [](double fromByte, const Numbers& from, double toByte, const Numbers& to) {
    Numbers numbers = {f32, 2, 2, 3, 3, fromByte};
    numbers.insert(numbers.end(), from.begin(), from.end());
    numbers.insert(numbers.end(), {0, toByte});
    numbers.insert(numbers.end(), to.begin(), to.end());
    return with(copy, numbers);
  };
  CHECK(refusal(copies(20, {-3, -1}, 252, {-61, -1})) == "");
  CHECK(refusal(copies(0, {61, 1}, 0, {3, 1})) == "");
  CHECK(refusal(copies(244, {-61, 1}, 8, {61, -1})) == "");
  refuses(copies(16, {-3, -1}, 0, {3, 1}), "the view of load 0 reaches beyond buffer 3");
  refuses(copies(240, {-61, 1}, 0, {3, 1}), "the view of load 0 reaches beyond buffer 3");
  refuses(copies(248, {-61, 1}, 0, {3, 1}), "the view of load 0 reaches beyond buffer 3");
  refuses(copies(4, {61, -1}, 0, {3, 1}), "the view of load 0 reaches beyond buffer 3");
  refuses(copies(12, {61, -1}, 0, {3, 1}), "the view of load 0 reaches beyond buffer 3");
  refuses(copies(0, {3, 1}, 16, {-3, -1}), "the view of store 0 reaches beyond buffer 0");
  refuses(copies(0, {3, 1}, 248, {-62, -1}), "the view of store 0 reaches beyond buffer 0");
  refuses(copies(0, {3, 1}, 12, {61, -1}), "the view of store 0 reaches beyond buffer 0");
}

TEST_CASE("a product that breaks a rule is refused") {
  // Computes c = a b, where c is 2 x 3, a is 2 x 4 and b is 4 x 3.
  const Numbers body = {f32, 2, 3, 4, 0, 3, 0, 4, 1, 3, 64, 3, 1, 0, 0, 3};
  refusesEach(product, body,
              {{0, i32, "the dtype is int32, expected float32 or float64"},
               {1, 2147483648.0, "m, n or k"},
               {1, 40, "the view of a reaches beyond"},
               {2, 40, "the view of b reaches beyond"},
               {3, 40, "a is 2 x 40"},
               {4, 2, "accumulate"},
               {5, 4, "the buffer of a"},
               {7, 3, "a is 2 x 4 with strides 3 and 1"},
               {8, 2, "a is 2 x 4 with strides 4 and 2"},
               {11, 80, "the view of b reaches beyond"},
               {11, 2, "b is 4 x 3 with strides 2 and 1"},
               {12, 0, "b is 4 x 3 with strides 3 and 0"},
               {12, 2147483648.0, "the column stride of b"},
               {13, 1, "the buffer of c is a variable"},
               {14, 240, "the view of c reaches beyond"},
               {15, 2, "the row stride of c is 2, expected at least its 3 columns"}},
              "product");
  refuses(with(product, body, true),
          "only groups, copies and routines can be at or after the start of the writes");

  // c must not overlap a: c at the same position, at the next row, or with a common column is refused. c
  // beside a or after a is accepted.
  const auto onA = [](double at, double row, double stride) {
    return with(product, {f32, 2, 3, 4, 0, 0, 0, stride, 1, 3, 0, 3, 1, 0, at, row});
  };
  refuses(onA(0, 8, 8), "c overlaps a");
  refuses(onA(32, 8, 8), "c overlaps a");
  refuses(onA(12, 8, 8), "c overlaps a");
  refuses(onA(24, 8, 8), "c overlaps a");  // the last column of c is the first column of a, one row lower
  CHECK(refusal(onA(16, 8, 8)) == "");
  CHECK(refusal(onA(20, 8, 8)) == "");
  CHECK(refusal(onA(64, 8, 8)) == "");
  // c in the memory of b, which is stored transposed, as 3 rows of 4 elements.
  const auto onB = [](double at) {
    return with(product, {f32, 2, 3, 4, 0, 3, 0, 4, 1, 0, 0, 1, 8, 0, at, 8});
  };
  refuses(onB(64), "c overlaps b");
  refuses(onB(0), "c overlaps b");
  CHECK(refusal(onB(16)) == "");
  CHECK(refusal(onB(96)) == "");
  // If an extent is 1 or 0, the strides are ignored.
  CHECK(refusal(with(product, {f32, 1, 1, 4, 0, 3, 0, 0, 1, 3, 64, 3, 0, 0, 0, 1})) == "");
  CHECK(refusal(with(product, {f32, 0, 3, 4, 0, 3, 0, 4, 1, 3, 64, 3, 1, 0, 0, 3})) == "");
  CHECK(refusal(with(product, {f32, 2, 3, 0, 0, 3, 0, 0, 1, 3, 64, 3, 1, 0, 0, 3})) == "");
}

TEST_CASE("a pack that breaks a rule is refused") {
  // Packs a 2 x 3 matrix from two pieces: its first column, and the other columns.
  const Numbers body = {f32, 2, 3, 0, 0, 2, 0, 0, 2, 1, 3, 0, 3, 1, 0, 1, 2, 2, 2, 4, 3, 1};
  refusesEach(pack, body,
              {{0, i32, "the dtype is int32"},
               {1, 3, "fewer elements than the 3 x 3 matrix"},
               {1, 2147483647.0, "the block of the panels reaches beyond"},
               {2, 2147483647.0, "the block of the panels reaches beyond"},
               {2, 2, "piece 1"},
               {3, 1, "which cannot be written before the start of the writes"},
               {4, 32, "the byte offset of the panels is 32, expected a multiple of 64"},
               {4, 4096, "the block of the panels reaches beyond"},
               {5, 1, "fewer elements"},
               {6, 1, "the number of rows of piece 0"},
               {8, 3, "the number of rows of piece 0"},
               {9, 2, "more elements than the 2 x 3 matrix"},
               {9, 4, "the number of columns of piece 0"},
               {10, 0, "piece 0 overlaps the panels"},
               {11, 250, "the byte offset of piece 0"},
               {11, 248, "the view of piece 0 reaches beyond"},
               {12, 2147483648.0, "the row stride of piece 0"},
               {20, 70, "the view of piece 1 reaches beyond"}},
              "pack");
}

TEST_CASE("a packed product that breaks a rule is refused") {
  const Numbers body = {f32, 2, 3, 2, 0, 3, 0, 4, 1, 0, 0, 0, 2048, 3};
  refusesEach(packedProduct, body,
              {{0, i32, "the dtype is int32"},
               {7, 1, "a is 2 x 2 with strides 1 and 1"},
               {9, 3, "the buffer of b is a feed, expected the arena or kept values"},
               {10, 16, "the byte offset of b is 16, expected a multiple of 64"},
               {10, 4096, "b reaches beyond"},
               {3, 9, "a is 2 x 9"},
               {12, 0, "c overlaps b"},
               {11, 3, "the buffer of c is a feed"},
               {13, 2, "the row stride of c"}},
              "packed product");
}

TEST_CASE("a reduction that breaks a rule is refused") {
  const Numbers body = {idOf(Family::reduce, "sum"), f32, 1, 1, 2, 3, 0, 0, 1, 3, 0, 3, 1};
  refusesEach(reduce, body,
              {{0, 0, "the kernel is 'copy' of family map, expected reduce"},
               {1, i32, "'sum' does not exist for int32"},
               {2, 33, "a rank"},
               {2, 32, "the rank is 33"},
               {4, 65, "reaches beyond its array"},
               {6, 1, "the buffer of the output is a variable"},
               {7, 2, "expected a multiple of 4"},
               {7, 252, "output"},
               {8, 0, "writes one element more than once"},
               {9, 4, "the buffer of the input"},
               {10, 240, "input"},
               {11, 9007199254740991.0, "input"}},
              "reduce");
  refuses(with(reduce, body, true), "only groups, copies and routines");
  refuses(with(reduce, {idOf(Family::reduce, "argmax"), f32, 1, 1, 2, 0, 0, 0, 1, 3, 0, 3, 1}),
          "argmax over 0 elements");
}

TEST_CASE("a product over batches that breaks a rule is refused") {
  // 2 batches of products of 2 x 2 matrices
  const Numbers body = {f32, 0, 1, 2, 2, 2, 2, 0, 0, 2, 2, 2, 3, 0, 4, 3, 64, 0, 0, 0, 4};
  refusesEach(batchProduct, body,
              {{0, i32, "the dtype is int32"},
               {1, 2, "accumulate"},
               {2, 31, "the batch rank"},
               {3, 20, "reaches beyond its array"},
               {4, 2147483648.0, "m, n or k"},
               {7, 2, "a transpose flag"},
               {9, 1, "the leading dimension of a is 1"},
               {12, 7, "the buffer of a"},
               {13, 6, "the byte offset of a"},
               {14, 61, "a (offset 0"},
               {18, 3, "the buffer of c is a feed"},
               {19, 250, "the byte offset of c"},
               {20, 62, "the output"}},
              "batch product");
}

TEST_CASE("draws that break a rule are refused") {
  refusesEach(draw, {idOf(Family::random, "uniform"), f32, 42, 16, 0, 64},
              {{0, 0, "family map, expected random"},
               {1, i32, "'uniform' does not exist for int32"},
               {2, -1, "the seed"},
               {3, 49, "the view of the output reaches beyond"},
               {4, 2, "the buffer of the output is a constant"},
               {5, 2, "expected a multiple of 4"}},
              "random");
}

TEST_CASE("a program whose frame breaks a rule is refused") {
  const auto changed = [](std::size_t at, double number) {
    Code code = with(draw, {idOf(Family::random, "uniform"), f32, 42, 16, 0, 64});
    code.outputs.push_back({f32, 4, 0, 64});
    Memory memory(code);
    Numbers numbers = code.code();
    REQUIRE(at < numbers.size());
    numbers[at] = number;
    Fault fault;
    CHECK(create(numbers, memory, fault) == nullptr);
    CHECK(fault.kind() != Fault::Kind::none);
    return std::string(fault.text());
  };
  const auto says = [](const std::string& text, const char* why) {
    CAPTURE(text);
    CAPTURE(why);
    CHECK(text.find(why) != std::string::npos);
  };
  says(changed(0, 2), "the version is 2, expected 1");
  says(changed(1, 0), "it has no buffers");
  says(changed(1, 1e9), "the number of buffers is");
  says(changed(2, 2), "program: instruction 1");
  says(changed(2, 0), "the start of the writes");
  says(changed(3, 2), "the start of the writes");
  says(changed(3, 0), "only groups, copies and routines");
  says(changed(4, 1e9), "the number of outputs");
  says(changed(5, 2), "the number of instructions that run once is 2, expected an integer from 0 to 1");
  says(changed(5, 1), "instruction 0 (random): draws and loops cannot run once");
  says(changed(6, 1), "buffer 0 is a variable, expected buffer 0 and no other to be the arena");
  says(changed(8, 0), "buffer 1 is the arena");
  says(changed(8, 8), "the kind of buffer 1");
  says(changed(8, 5), "buffer 1 is 256 bytes of kept values, but 0 were passed");
  says(changed(8, 4), "it has 1 leaves, but 2 were passed");
  says(changed(8, 3), "it has 1 leaves, but 2 were passed");
  says(changed(12, 1), "buffer 3 is leaf 2, but 2 were passed");
  says(changed(9, 260), "buffer 1 is leaf 0 and has 260 bytes, but the memory of the leaf has 256");
  says(changed(7, 9007199254740991.0), "out of memory for the arena");
  says(changed(14, 5), "the dtype of output 0");
  says(changed(15, 49), "the view of output 0 reaches beyond buffer 0");
  says(changed(16, 4), "the buffer of output 0");
  says(changed(17, 66), "the byte offset of output 0");
  says(changed(18, 0), "the opcode is 0, expected an integer from 1 to 11");
  says(changed(18, 12), "the opcode is 12");
  says(changed(19, 1), "the length");
  says(changed(19, 9), "the length");
  says(changed(19, 7), "instruction 0 (random): the code ends where");

  // Tries all codes that end too early.
  Code code = with(copy, {f32, 1, 4, 3, 0, 1, 0, 0, 1});
  const Numbers whole = code.code();
  Memory memory(code);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    Fault fault;
    CHECK(create(Numbers(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)), memory,
                 fault) == nullptr);
    CHECK(fault.kind() == Fault::Kind::argument);
  }
  Numbers longer = whole;
  longer.push_back(0);
  Fault fault;
  CHECK(create(longer, memory, fault) == nullptr);
  says(fault.text(), "1 numbers are left over");
}

TEST_CASE("a leaf at an address that its dtype does not allow is refused") {
  Code code = with(copy, {f64, 1, 4, 1, 0, 1, 0, 0, 1});
  alignas(8) char memory[264];
  LeafMemory leaves[] = {{memory + 4, 256}, {memory, 256}};
  const Numbers numbers = code.code();
  Fault fault;
  CHECK(Program::create(numbers.data(), numbers.size(), leaves, 2, fault) == nullptr);
  CHECK(std::string(fault.text()).find("address that is not a multiple of 8") != std::string::npos);
}

TEST_CASE("a group with too many partial sums to count is refused") {
  // A group with so many loads computes only a few elements at a time. So each segment of 2^52 elements is
  // divided into 2^43 units, and each unit has a partial sum for each close (the end of a sum). 1024 segments
  // with 2048 closes have 2^64 partial sums. In 64 bits, this number would overflow to 0.
  const std::size_t segments = 1024, loads = 40, closes = 2048;
  Numbers body = {segments, 1, loads, loads, 0, 0, closes};
  for (std::size_t load = 0; load < loads; ++load) body.insert(body.end(), {f64, static_cast<double>(load)});
  for (std::size_t close = 0; close < closes; ++close) body.insert(body.end(), {f64, 0});
  for (std::size_t segment = 0; segment < segments; ++segment) {
    body.push_back(std::ldexp(1.0, 52));
    for (std::size_t load = 0; load < loads; ++load) body.insert(body.end(), {3, 0, 0});
    for (std::size_t close = 0; close < closes; ++close) body.insert(body.end(), {0, 0});
  }
  refuses(with(group, body), "out of memory for the sums of a group");
  // Requests more bytes than there are addresses.
  Items<double> items;
  CHECK_FALSE(items.allocate(std::size_t(1) << 61));
  CHECK_FALSE(items.allocate(SIZE_MAX));
  CHECK(items.allocate(3));
}
