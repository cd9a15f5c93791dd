// Breaks every rule of the instruction `routine` and of each routine once.
#include "kernels/gemm.h"
#include "routines/routine.h"
#include "test/refusals.h"
#include "test/routine_program.h"

using namespace forebay;
using namespace forebay::test;

using Numbers = Code::Numbers;

TEST_CASE("a routine that breaks a rule of the instruction is refused") {
  // Gathers rows 2 x [4] of a table of 3 rows, transposed: [outer, n, inner] = [1, 3, 2].
  const Numbers body = {0, f32, i32, f32,                  // the routine, the dtypes
                        3, 1,   3,   2,   3, 0,  9, 1, 3,  // read 0: rank, sizes, location, strides
                        1, 4,   2,   8,   1,               // read 1
                        3, 1,   4,   2,   0, 64, 8, 2, 1,  // write 0
                        5};
  refusesEach(routine, body,
              {{0, 1000, "the routine is 1000"},
               {1, 5, "the dtype of read 0"},
               {1, f64, "gather: out is float32, expected float64"},
               {2, f32, "gather: indices is float32, expected int32"},
               {3, i32, "gather: out is int32, expected float32"},
               {4, 9, "the rank of read 0"},
               {4, 2, "instruction 0 (routine)"},
               {5, 2, "axis 0 of out has 1 elements, expected 2 as axis 0 of x"},
               {6, 0, "axis 1 of x has no elements, so that no index is valid"},
               {6, 70, "the view of read 0 reaches beyond buffer 3"},
               {7, 3, "axis 2 of out has 2 elements, expected 3 as axis 2 of x"},
               {8, 4, "the buffer of read 0"},
               {9, 2, "expected a multiple of 4"},
               {9, 240, "the view of read 0 reaches beyond"},
               {10, 9007199254740992.0, "a stride of read 0"},
               {11, 60, "the view of read 0 reaches beyond"},
               {13, 2, "instruction 0 (routine)"},
               {14, 5, "axis 0 of indices has 5 elements, expected 4 as axis 1 of out"},
               {16, 244, "the view of read 1 reaches beyond"},
               {20, 5, "expected 5 as axis 1 of out"},
               {22, 1, "the buffer of write 0 is a variable"},
               {22, 2, "the buffer of write 0 is a constant"},
               {22, 3, "the buffer of write 0 is a feed"},
               {23, 240, "the view of write 0 reaches beyond"},
               {25, 4, "write 0 is not dense: the stride of axis 1 is 4, expected 2"},
               {26, 2, "write 0 is not dense: the stride of axis 2 is 2, expected 1"}},
              "routine");
  refuses(with(routine, body, true), "'gather' cannot be at or after the start of the writes");
}

TEST_CASE("a routine that updates a leaf must write a variable") {
  // Adds 4 rows to a table of [1, 3, 2] in buffer `table`: 0 is the arena, 1 a variable, 2 a constant.
  const auto adds = [](double table, bool writing) {
    return with(routine, {2, f32, i32, f32, f32, 3, 1, 3, 2, table, 0, 6, 2, 1,     1, 4, 2, 8, 1,
                          3, 1,   4,   2,   3,   0, 8, 2, 1, 3,     1, 3, 2, table, 0, 6, 2, 1, 0},
                writing);
  };
  CHECK(refusal(adds(1, true)) == "");
  refuses(adds(0, true), "the buffer of write 0 is the arena, expected a variable");
  refuses(adds(2, true), "the buffer of write 0 is a constant");
  refuses(adds(1, false), "cannot be written before the start of the writes");
}

TEST_CASE("a routine whose write overlaps another operand is refused, unless it may be in place") {
  // Adds 4 rows to a table of [1, 3, 2].
  const auto adds = [](double at, double stride) {
    return with(routine, {2, f32, i32, f32, f32, 3, 1, 3, 2, 0, at, 6, stride, 1, 1, 4, 2, 8, 1,
                          3, 1,   4,   2,   3,   0, 8, 2, 1, 3, 1,  3, 2,      0, 0, 6, 2, 1, 0});
  };
  CHECK(refusal(adds(0, 2)) == "");
  CHECK(refusal(adds(24, 2)) == "");
  refuses(adds(4, 2), "write 0 overlaps read 0");
  refuses(adds(20, 2), "write 0 overlaps read 0");
  refuses(adds(0, 3), "write 0 overlaps read 0");
  const auto sorts = [](double at) {
    return with(routine, {5, f32, i32, 3, 1, 4, 1, 0, at, 4, 1, 1, 3, 1, 4, 1, 0, 0, 4, 1, 1, 0});
  };
  refuses(sorts(0), "write 0 overlaps read 0");
  CHECK(refusal(sorts(16)) == "");
  // A sort, whose second result is at byte `at` of the arena. The first is from byte 16 to 31.
  const auto writes = [](double at) {
    return with(routine, {4, f32, f32, i32, 3, 1, 4, 1, 0, 0, 4, 1,  1, 3, 1, 4,
                          1, 0,   16,  4,   1, 1, 3, 1, 4, 1, 0, at, 4, 1, 1, 0});
  };
  refuses(writes(0), "write 1 overlaps read 0");
  refuses(writes(16), "write 1 overlaps write 0");
  refuses(writes(28), "write 1 overlaps write 0");
  CHECK(refusal(writes(32)) == "");
}

TEST_CASE("a routine with wrong shapes or integers is refused") {
  // The dtypes, then a view [rank, sizes, buffer, offset, strides] of each read in a feed, and of the write.
  const auto call = [](double id, const Numbers& types, const std::vector<Numbers>& shapes,
                       const Numbers& integers) {
    Numbers body = {id};
    body.insert(body.end(), types.begin(), types.end());
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      body.push_back(static_cast<double>(shapes[i].size()));
      body.insert(body.end(), shapes[i].begin(), shapes[i].end());
      // A routine has as many reads as shapes less its writes. The second write is behind the first.
      const auto reads = static_cast<std::size_t>(routines[static_cast<std::int64_t>(id)]->reads);
      body.insert(body.end(), {i < reads ? 3.0 : 0.0, i > reads ? 120.0 : 0.0});
      Numbers strides(shapes[i].size());
      double stride = 1;
      for (std::size_t d = strides.size(); d-- > 0; stride *= shapes[i][d]) strides[d] = stride;
      body.insert(body.end(), strides.begin(), strides.end());
    }
    body.insert(body.end(), integers.begin(), integers.end());
    return with(routine, body);
  };
  const Numbers x = {2, 5, 3};
  // takeAlongAxis
  CHECK(refusal(call(1, {f32, i32, f32}, {x, {2, 4, 3}, {2, 4, 3}}, {1})) == "");
  refuses(call(1, {f32, i32, f32}, {x, {2, 4, 2}, {2, 4, 3}}, {1}), "axis 2 of indices has 2 elements");
  refuses(call(1, {f32, i32, f32}, {x, {4}, {2, 4, 3}}, {1}), "the rank of indices is 1, expected 3");
  // takeLabels
  const double labels = idOfRoutine("takeLabels");
  CHECK(refusal(call(labels, {f32, i32, f32}, {{2, 5}, {2}, {2}}, {0})) == "");
  refuses(call(labels, {f32, i32, f32}, {x, {2}, {2}}, {0}), "the rank of x is 3, expected 2");
  refuses(call(labels, {f32, i32, f32}, {{2, 5}, {3}, {2}}, {0}), "axis 0 of labels has 3 elements");
  refuses(call(labels, {f32, f32, f32}, {{2, 5}, {2}, {2}}, {0}), "labels is float32, expected int32");
  refuses(call(labels, {f32, i32, i32}, {{2, 5}, {2}, {2}}, {0}), "out is int32, expected float32");
  refuses(call(labels, {f32, i32, f32}, {{2, 5}, {2}, {3}}, {0}), "axis 0 of out has 3 elements");
  refuses(call(labels, {f32, i32, f32}, {{2, 5}, {2}, {2}}, {4e9}), "the offset of the labels is too large");
  // gatherSum
  const double bag = idOfRoutine("gatherSum");
  CHECK(refusal(call(bag, {f32, i32, f32}, {{5, 3}, {2, 4}, {2, 3}}, {1})) == "");
  refuses(call(bag, {f32, i32, f32}, {x, {2, 4}, {2, 3}}, {1}), "the rank of x is 3, expected 2");
  refuses(call(bag, {f32, f32, f32}, {{5, 3}, {2, 4}, {2, 3}}, {1}), "indices is float32, expected int32");
  refuses(call(bag, {f32, i32, f32}, {{5, 3}, {4}, {2, 3}}, {1}), "the rank of indices is 1, expected 2");
  refuses(call(bag, {f32, i32, f64}, {{5, 3}, {2, 4}, {2, 3}}, {1}), "out is float64, expected float32");
  refuses(call(bag, {f32, i32, f32}, {{5, 3}, {2, 4}, {3, 3}}, {1}), "axis 0 of out has 3 elements");
  refuses(call(bag, {f32, i32, f32}, {{5, 3}, {2, 4}, {2, 4}}, {1}), "axis 1 of out has 4 elements");
  refuses(call(bag, {f32, i32, f32}, {{0, 3}, {2, 4}, {2, 3}}, {1}), "axis 0 of x has no elements");
  // scatterAdd and scatterAddAlongAxis
  CHECK(refusal(call(2, {f32, i32, f32, f32}, {x, {4}, {2, 4, 3}, x}, {1})) == "");
  refuses(call(2, {f32, i32, f32, f32}, {x, {3}, {2, 4, 3}, x}, {1}), "axis 0 of indices has 3 elements");
  CHECK(refusal(call(2, {f32, i32, f32, f32}, {x, {8}, {2, 4, 3}, x}, {1})) == "");
  refuses(call(2, {f32, i32, f32, f32}, {x, {6}, {2, 4, 3}, x}, {1}), "axis 0 of indices has 6 elements");
  refuses(call(2, {f32, i32, f32, f32}, {x, {0}, {2, 4, 3}, x}, {1}), "axis 0 of indices has 0 elements");
  refuses(call(2, {f32, i32, f32, f32}, {x, {6}, {2, 0, 3}, x}, {1}), "axis 0 of indices has 6 elements");
  refuses(call(2, {f32, i32, f32, f32}, {x, {4}, {2, 4, 3}, {2, 4, 3}}, {1}), "axis 1 of out has 4");
  refuses(call(2, {f32, i32, f64, f32}, {x, {2}, {2, 2, 3}, x}, {1}), "updates is float64, expected float32");
  refuses(call(3, {f32, i32, f32, f32}, {x, {4}, {2, 4, 3}, x}, {1}), "the rank of indices is 1, expected 3");
  // sort, argsort and topK
  CHECK(refusal(call(4, {f32, f32, i32}, {x, x, x}, {1})) == "");
  refuses(call(4, {f32, f32, i32}, {x, x, x}, {2}), "sort: descending is 2, expected 0 or 1");
  refuses(call(4, {f32, i32, i32}, {x, x, x}, {1}), "out is int32, expected float32");
  refuses(call(4, {f32, f32, f32}, {x, x, x}, {1}), "indices is float32, expected int32");
  refuses(call(4, {f32, f32, i32}, {x, {2, 5, 2}, x}, {1}), "axis 2 of out has 2 elements");
  refuses(call(4, {f32, f32, i32}, {x, x, {2, 4, 3}}, {1}), "axis 1 of indices has 4 elements");
  refuses(call(5, {f32, f32}, {x, x}, {1}), "argsort: out is float32, expected int32");
  refuses(call(5, {f32, i32}, {{5}, {5}}, {1}), "the rank of x is 1, expected 3");
  refuses(call(6, {f32, i32}, {x, {2, 6, 3}}, {}), "axis 1 of out has 6 elements, expected at most 5");
  // cumsum and argmin
  CHECK(refusal(call(7, {i32, i32}, {x, x}, {1})) == "");
  refuses(call(7, {f32, f32}, {x, x}, {2}), "reverse is 2, expected 0 or 1");
  refuses(call(7, {f32, f32}, {x, {2, 5}}, {1}), "the rank of out is 2, expected 3");
  CHECK(refusal(call(8, {i32, i32}, {x, {2, 3}}, {})) == "");
  refuses(call(8, {f32, i32}, {x, x}, {}), "the rank of out is 3, expected 2");
  refuses(call(8, {f32, i32}, {{2, 0, 3}, {2, 3}}, {}), "axis 1 of x has no elements");
  // cumprod and recurrence
  const double cumprod = idOfRoutine("cumprod"), recurrence = idOfRoutine("recurrence");
  CHECK(refusal(call(cumprod, {f64, f64}, {x, x}, {})) == "");
  refuses(call(cumprod, {i32, i32}, {x, x}, {}), "'cumprod' does not exist for int32");
  refuses(call(cumprod, {f32, f64}, {x, x}, {}), "out is float64, expected float32");
  refuses(call(cumprod, {f32, f32}, {x, {2, 4, 3}}, {}), "axis 1 of out has 4 elements");
  CHECK(refusal(call(recurrence, {f32, f32, f32}, {x, x, x}, {1})) == "");
  refuses(call(recurrence, {f32, f32, f32}, {x, x, x}, {2}), "reverse is 2, expected 0 or 1");
  refuses(call(recurrence, {f32, f64, f32}, {x, x, x}, {0}), "a is float64, expected float32");
  refuses(call(recurrence, {f32, f32, f32}, {x, {2, 5, 2}, x}, {0}), "axis 2 of a has 2 elements");
  refuses(call(recurrence, {f32, f32, f32}, {x, x, {2, 5}}, {0}), "the rank of out is 2, expected 3");
}

TEST_CASE("a convolution with wrong shapes or integers is refused") {
  const std::int64_t width = panelWidth(DType::float32);
  struct Operand {
    double type;
    Numbers sizes;
  };
  // The reads are dense views of a feed, and the write is in the arena.
  const auto call = [](const char* name, const std::vector<Operand>& operands, const Numbers& integers,
                       double packedStride = 1) {
    double id = 0;
    while (routines[static_cast<std::int64_t>(id)]->name != std::string(name)) ++id;
    Code code;
    double bytes = 0;
    Numbers body = {id};
    for (const Operand& operand : operands) body.push_back(operand.type);
    std::vector<Numbers> views;
    for (const Operand& operand : operands) {
      double stride = operand.sizes.size() == 1 ? packedStride : 1;
      Numbers strides(operand.sizes.size());
      for (std::size_t d = strides.size(); d-- > 0; stride *= operand.sizes[d]) strides[d] = stride;
      Numbers view = {static_cast<double>(operand.sizes.size())};
      view.insert(view.end(), operand.sizes.begin(), operand.sizes.end());
      view.insert(view.end(), {&operand == &operands.back() ? 0.0 : 1.0, 0});
      view.insert(view.end(), strides.begin(), strides.end());
      views.push_back(view);
      bytes = std::max(bytes, 8 * stride);
    }
    code.buffer(arena, static_cast<std::int64_t>(bytes));
    code.buffer(feed, static_cast<std::int64_t>(bytes), f32);
    std::vector<Numbers> pieces = {body};
    pieces.insert(pieces.end(), views.begin(), views.end());
    pieces.push_back(integers);
    code.add(routine, pieces);
    return code;
  };
  // 2 images of 5 x 6 with 4 channels in 2 groups, 6 outputs, kernels of 3 x 2 with strides 2 and 1.
  const Numbers x = {2, 5, 6, 4}, y = {2, 3, 7, 6}, w = {6, 2, 3, 2},
                window = {3, 2, 2, 1, 1, 1, 1, 1, 1, 1, 2};
  const Numbers packed = {static_cast<double>(2 * 12 * width)},
                packedGradient = {static_cast<double>(2 * 18 * width)};
  const auto changed = [](Numbers numbers, std::size_t at, double number) {
    numbers[at] = number;
    return numbers;
  };
  const auto conv = [&](const Numbers& integers) {
    return call("conv", {{f32, x}, {f32, packed}, {f32, y}}, integers);
  };
  CHECK(refusal(conv(window)) == "");
  refuses(conv(changed(window, 0, 0)), "conv: the height of the kernel is 0, expected an integer from 1");
  refuses(conv(changed(window, 1, 2147483648.0)), "the width of the kernel is 2147483648");
  refuses(conv(changed(window, 2, 0)), "the stride of rows is 0");
  refuses(conv(changed(window, 5, 0)), "the dilation of columns is 0");
  refuses(conv(changed(window, 9, 2147483648.0)), "the padding at the right is 2147483648");
  refuses(conv(changed(window, 10, 0)), "the number of groups is 0");
  refuses(conv(changed(window, 10, 4)), "axis 3 of y has 6 elements, expected a multiple of the 4 groups");
  refuses(conv(changed(window, 10, 3)), "axis 3 of x has 4 elements, expected a multiple of the 3 groups");
  refuses(conv(changed(window, 2, 1)), "axis 1 of y has 3 elements, expected 5");
  refuses(conv(changed(window, 9, 2)), "axis 2 of y has 7 elements, expected 8");
  refuses(conv(changed(window, 0, 2147483647.0)), "axis 1 of y has 3 elements, expected 0");
  refuses(call("conv", {{f32, x}, {f32, packed}, {f32, {3, 3, 7, 6}}}, window), "axis 0 of y has 3 elements");
  refuses(call("conv", {{f32, x}, {f32, {7}}, {f32, y}}, window), "packed has 7 elements, expected");
  refuses(call("conv", {{f32, x}, {f32, {7, 1}}, {f32, y}}, window), "the rank of packed is 2, expected 1");
  refuses(call("conv", {{f32, x}, {f32, packed}, {f32, y}}, window, 2),
          "the stride of packed is 2, expected 1");
  refuses(call("conv", {{f32, {2, 5, 24}}, {f32, packed}, {f32, y}}, window),
          "the rank of x is 3, expected 4");
  refuses(call("conv", {{f32, x}, {f64, packed}, {f32, y}}, window), "packed is float64, expected float32");
  refuses(call("conv", {{f32, x}, {f32, packed}, {f64, y}}, window), "y is float64, expected float32");
  refuses(call("conv", {{i32, x}, {f32, packed}, {f32, y}}, window), "'conv' does not exist for int32");

  CHECK(refusal(call("convInputGradient", {{f32, y}, {f32, packedGradient}, {f32, x}}, window)) == "");
  refuses(call("convInputGradient", {{f32, y}, {f32, packed}, {f32, x}}, window), "packed has");
  refuses(call("convInputGradient", {{f32, y}, {f32, packedGradient}, {f32, {2, 7, 6, 4}}}, window),
          "axis 1 of g has 3 elements, expected 4");

  CHECK(refusal(call("convWeightGradient", {{f32, x}, {f32, y}, {f32, w}}, window)) == "");
  refuses(call("convWeightGradient", {{f32, x}, {f32, y}, {f32, {6, 2, 2, 3}}}, window),
          "axis 2 of the gradient has 2 elements, expected 3");
  refuses(call("convWeightGradient", {{f32, x}, {f32, y}, {f32, {72}}}, window),
          "the rank of the gradient is 1, expected 4");
  refuses(call("convWeightGradient", {{f32, x}, {f32, y}, {f64, w}}, window), "the gradient is float64");

  CHECK(refusal(call("convPack", {{f32, w}, {f32, packed}}, {2})) == "");
  refuses(call("convPack", {{f32, w}, {f32, packed}}, {4}), "axis 0 of w has 6 elements");
  refuses(call("convPack", {{f32, w}, {f32, packed}}, {0}), "the number of groups is 0");
  refuses(call("convPack", {{f32, w}, {f32, packedGradient}}, {2}), "packed has");
  refuses(call("convPack", {{f32, {6, 2, 6}}, {f32, packed}}, {2}), "the rank of w is 3, expected 4");
  CHECK(refusal(call("convPackGradient", {{f32, w}, {f32, packedGradient}}, {2, 2, 1, 1, 1})) == "");
  refuses(call("convPackGradient", {{f32, w}, {f32, packedGradient}}, {2, 0, 1, 1, 1}),
          "the stride of rows is 0");
  refuses(call("convPackGradient", {{f32, w}, {f32, packedGradient}}, {2, 2, 1, 1, 2147483648.0}),
          "the dilation of columns is 2147483648");
}

TEST_CASE("sizes of packed weights that overflow are refused") {
  // Views of one element with strides of 0.
  const double most = 2147483647;
  const auto pack = [&](const Numbers& sizes, double groups) {
    return with(routine, {12, f32, f32, 4, sizes[0], sizes[1], sizes[2], sizes[3], 3, 0,
                          0,  0,   0,   0, 1,        1,        0,        0,        1, groups});
  };
  refuses(pack({most, most, 1, 1}, 1), "packed needs more than 2^53 elements");
  refuses(pack({1, most, most, most}, 1), "routine");
  refuses(pack({most, 1, 1, 1}, 1), "packed has 1 elements, expected");
}

TEST_CASE("pooling with wrong windows is refused") {
  // Windows of 2 x 2 with stride 2 over planes of 4 x 5, with a padding of 1 at the right.
  struct Routine {
    const char* name;
    bool gradient, indices;  // reads an element for each window; reads indices
    double written;
    std::size_t integers;
  };
  constexpr Routine all[] = {{"maxPool", false, false, i32, 11},
                             {"maxPoolValues", false, true, f32, 11},
                             {"maxPoolGradient", true, true, f32, 11},
                             {"avgPool", false, false, f32, 12},
                             {"avgPoolGradient", true, false, f32, 12}};
  const auto program = [](const Routine& one, double type, const Numbers& images, const Numbers& windows,
                          const Numbers& integers, const Numbers& indices) {
    std::vector<Operand> reads = {{f32, one.gradient ? windows : images}};
    if (one.indices) reads.push_back({i32, indices});
    return RoutineProgram(one.name, reads, {type, one.gradient ? images : windows}, integers).code;
  };
  for (const Routine& one : all) {
    CAPTURE(one.name);
    for (const bool last : {false, true}) {
      CAPTURE(last);
      const auto sizes = [&](double batch, double channels, double height, double width) {
        return last ? Numbers{batch, height, width, channels} : Numbers{batch, channels, height, width};
      };
      const auto numbers = [&](const Numbers& windows) {
        Numbers integers = windows;
        integers.push_back(last ? 1 : 0);
        integers.resize(one.integers, 1);
        return integers;
      };
      const Numbers images = sizes(2, 3, 4, 5), windows = sizes(2, 3, 2, 3);
      const Numbers fine = numbers({2, 2, 2, 2, 1, 1, 0, 0, 0, 1});
      const auto changed = [&](std::size_t at, double number) {
        Numbers integers = fine;
        if (at < integers.size()) integers[at] = number;
        return program(one, one.written, images, windows, integers, windows);
      };
      CHECK(refusal(changed(99, 0)) == "");
      refuses(changed(0, 0), "the height of a window is 0, expected an integer from 1 to 2^31 - 1");
      refuses(changed(1, 2147483648.0), "the width of a window is 2147483648");
      refuses(changed(2, 0), "the stride of rows is 0");
      refuses(changed(3, 5), "window 2 along the columns has no element of x");
      refuses(changed(2, 4), "window 1 along the rows has no element of x");
      refuses(changed(4, 0), "the dilation of rows is 0");
      refuses(changed(6, 2), "window 0 along the rows has no element of x");
      refuses(changed(8, 2147483648.0), "the padding at the left is 2147483648");
      refuses(changed(10, 2), "the flag that channels are last is 2, expected 0 or 1");
      if (one.integers > 11) refuses(changed(11, 2), "the flag that counts padding is 2, expected 0 or 1");
      refuses(program(one, one.written == i32 ? f32 : i32, images, windows, fine, windows), "out is");
      const auto pooled = [&](const Numbers& wrong) {
        return program(one, one.written, images, wrong, fine, wrong);
      };
      refuses(pooled(sizes(1, 3, 2, 3)), "has");
      refuses(pooled(sizes(2, 4, 2, 3)), "has");
      refuses(pooled({2, 3, 6}), "the rank of");
      if (one.indices) {
        refuses(program(one, f32, images, windows, fine, sizes(2, 3, 3, 3)), "of indices has 3 elements");
        refuses(program(one, f32, images, windows, fine, {2, 3, 6}), "the rank of indices is 3");
      }
      // The number of planes has more than 64 bits.
      const double most = 4503599627370496.0;
      const Numbers none = sizes(most, most, 4, 0), nothing = sizes(most, most, 2, 0);
      CHECK(refusal(program(one, one.written, none, nothing, fine, nothing)) == "");
      // Windows whose steps are wider than the plane step over all of its elements.
      const Numbers wide = numbers({1, 2, 1, 1, 1, 3, 0, 0, 3, 0}), single = sizes(1, 1, 1, 1);
      const auto over = [&](double count) {
        return program(one, one.written, single, sizes(1, 1, 1, count), wide, sizes(1, 1, 1, count));
      };
      CHECK(refusal(over(1)) == "");
      refuses(over(4), "window 1 along the columns has no element of x");
    }
  }
}
