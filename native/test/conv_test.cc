// Tests convolutions of sizes that are divided into blocks (routines/conv_blocks.h). routine_test.cc compares
// small convolutions with their reference, and conv_body_test.cc tests the routines of every body.
#include <cmath>

#include "program/pool.h"
#include "routines/conv.h"
#include "test/routine_program.h"
#include "test/support.h"

using namespace forebay;
using namespace forebay::test;

namespace {

struct Sizes {
  double batch, height, width, channels, outputs;
  std::vector<double> window;  // the ten integers
  double groups = 1;
};

// The operands of conv, of convInputGradient and of convWeightGradient.
struct Calls {
  Operand x, y, w, packed, packedGradient;
  Code::Numbers integers;

  Calls(double type, const Sizes& s) : integers(s.window) {
    integers.push_back(s.groups);
    const auto count = [&](std::size_t axis, double length) {
      const double padded = length + s.window[6 + 2 * axis] + s.window[7 + 2 * axis];
      return std::floor((padded - (s.window[axis] - 1) * s.window[4 + axis] - 1) / s.window[2 + axis]) + 1;
    };
    x = {type, {s.batch, s.height, s.width, s.channels}};
    y = {type, {s.batch, count(0, s.height), count(1, s.width), s.outputs}};
    w = {type, {s.outputs, s.channels / s.groups, s.window[0], s.window[1]}};
    RoutineCall call = {};
    call.operands[0] = viewOf(x);
    call.operands[1] = viewOf(y);
    for (std::size_t i = 0; i < integers.size(); ++i)
      call.integers[i] = static_cast<std::int64_t>(integers[i]);
    const ConvShape shape = convShapeOf(call, {0, 1});
    std::int64_t forward = 0, backward = 0;
    REQUIRE(packingOf(shape, false).elements(forward));
    REQUIRE(packingOf(shape, true).elements(backward));
    packed = {type, {static_cast<double>(forward)}};
    packedGradient = {type, {static_cast<double>(backward)}};
  }
  static RoutineView viewOf(const Operand& operand) {
    RoutineView view = {static_cast<DType>(static_cast<int>(operand.type)), 4, {}, {}};
    for (std::size_t d = 0; d < 4; ++d) view.sizes[d] = static_cast<std::int64_t>(operand.sizes[d]);
    return view;
  }
  static RoutineView dense(const Operand& operand) {
    RoutineView view = viewOf(operand);
    std::int64_t stride = 1;
    for (int d = 3; d >= 0; stride *= view.sizes[d--]) view.strides[d] = stride;
    return view;
  }
  std::vector<RoutineProgram> programs() const {
    return {RoutineProgram("conv", {x, packed}, y, integers),
            RoutineProgram("convInputGradient", {y, packedGradient}, x, integers),
            RoutineProgram("convWeightGradient", {x, y}, w, integers)};
  }
};

// A kernel of 3 x 3 with a padding of 1.
const std::vector<double> threeByThree = {3, 3, 1, 1, 1, 1, 1, 1, 1, 1};

const Sizes large[] = {
    {3, 6, 5, 130, 150, threeByThree},                        // weights larger than a piece
    {2, 4, 4, 1100, 40, {1, 1, 1, 1, 1, 1, 0, 0, 0, 0}},      // one tap with more terms than a tile sums
    {2, 90, 40, 64, 5, threeByThree},                         // several blocks of rows
    {1, 1, 3000, 64, 9, {1, 3, 1, 1, 1, 1, 0, 0, 1, 1}},      // several blocks of columns
    {2, 30, 31, 128, 3, threeByThree},                        // few outputs, pixels far from each other
    {2, 61, 40, 40, 33, {3, 3, 2, 3, 1, 2, 2, 0, 1, 3}},      // strides and dilation
    {3, 20, 21, 24, 36, {3, 2, 1, 2, 2, 1, 2, 1, 0, 1}, 3},   // groups
    {3, 30, 20, 70, 70, {3, 3, 1, 2, 1, 1, 1, 2, 2, 1}, 70},  // depthwise
    // Depthwise kernels that the routines of stencils compute: of several sizes, with padding on one side
    // only, and with a large stride for their gradients.
    {2, 14, 19, 512, 512, threeByThree, 512},
    {2, 9, 14, 130, 130, {5, 5, 1, 1, 1, 1, 2, 2, 2, 2}, 130},
    {2, 12, 17, 21, 21, {4, 2, 1, 1, 1, 1, 3, 0, 0, 1}, 21},
    {3, 1, 40, 37, 37, {1, 5, 1, 1, 1, 1, 0, 0, 4, 0}, 37},
    {2, 13, 11, 40, 40, {3, 5, 1, 1, 1, 1, 0, 0, 0, 0}, 40},
    {2, 15, 16, 48, 48, {5, 3, 2, 2, 1, 1, 2, 2, 1, 1}, 48},
    {2, 15, 19, 48, 48, {3, 5, 3, 2, 1, 1, 1, 1, 2, 2}, 48},
    {2, 4, 3, 33, 33, {3, 3, 1, 1, 1, 1, 2, 2, 2, 2}, 33},
    {3, 64, 64, 3, 33, threeByThree},  // few channels
    // Few channels or outputs, so that rows of the result are dot products: several blocks, one pixel,
    // groups, dilation, and padding that is larger than the kernel.
    {2, 29, 31, 3, 64, threeByThree},
    {2, 70, 45, 64, 2, {5, 5, 1, 1, 1, 1, 2, 2, 2, 2}},
    {2, 9, 17, 32, 4, {3, 3, 2, 1, 2, 1, 5, 1, 0, 4}},
    {2, 7, 12, 4, 32, {3, 3, 1, 1, 1, 1, 4, 0, 3, 1}},
    {2, 7, 12, 96, 6, {3, 5, 1, 1, 1, 1, 0, 2, 4, 1}, 2},
    {3, 2, 1, 16, 1, threeByThree},
    {2, 1, 300, 1, 32, {1, 3, 1, 1, 1, 1, 0, 0, 2, 2}},
    {2, 90, 40, 1, 96, threeByThree},
    // Few weights, whose gradients are sums of parts of the images.
    {19, 28, 28, 1, 32, threeByThree},
    {33, 20, 26, 4, 6, threeByThree, 2},
    // Pairs of outputs: tails of panels, odd numbers of columns, groups and dilated rows, padding that is
    // larger than the kernel, several blocks of rows and of columns, more terms than a tile sums, and parts.
    {2, 9, 14, 24, 40, threeByThree},
    {3, 8, 7, 96, 96, {3, 3, 1, 1, 2, 1, 2, 2, 0, 3}, 3},
    {2, 6, 3, 32, 32, {1, 3, 1, 1, 1, 1, 0, 0, 5, 4}},
    {1, 70, 33, 64, 33, threeByThree},
    {1, 2, 801, 64, 32, {2, 3, 1, 1, 1, 1, 1, 0, 2, 0}},
    {2, 5, 6, 600, 40, threeByThree},
    {40, 20, 13, 16, 33, threeByThree},
    {2, 1, 3, 9, 4, {1, 2, 1, 1, 1, 400000, 0, 0, 400000, 0}},  // blocks too large for scratch memory
    {2, 3, 1, 9, 4, {2, 1, 3000000, 1, 400000, 1, 400000, 0, 0, 0}},
};

}  // namespace

TEST_CASE("large convolutions and their gradients equal their references") {
  for (const double type : {f32, f64}) {
    for (const Sizes& sizes : large) {
      CAPTURE(type);
      CAPTURE(sizes.channels);
      CAPTURE(sizes.height);
      for (const RoutineProgram& made : Calls(type, sizes).programs()) holdProgram(made.code);
    }
  }
}

TEST_CASE("the bits of a convolution do not depend on the number of threads") {
  const int before = Pool::instance().threads();
  Pool::instance().setThreads(4);
  for (const Sizes& sizes : large) {
    CAPTURE(sizes.channels);
    CAPTURE(sizes.height);
    for (const RoutineProgram& made : Calls(f32, sizes).programs()) {
      Memory memory(made.code);
      Generator generator(3);
      for (const double buffer : made.feeds) {
        memory.set<float>(buffer, someValues<float>(generator, memory.values<float>(buffer).size()));
      }
      const std::unique_ptr<Program> program = create(made.code, memory);
      std::vector<std::int32_t> expected;
      for (const int threads : {1, 2, 3, 4}) {
        CAPTURE(threads);
        RunArguments arguments;
        arguments.threads = threads;
        REQUIRE(run(*program, memory, arguments) == RunResult::done);
        if (threads == 1) expected = memory.output<std::int32_t>(0);
        CHECK(memory.output<std::int32_t>(0) == expected);
      }
    }
  }
  Pool::instance().setThreads(before);
}

TEST_CASE("the gradient of few weights is divided into units, so that several threads compute it") {
  const RoutineRow& weightGradient = *findRoutine("convWeightGradient");
  const auto unitCount = [&](const Sizes& sizes) {
    const Calls calls(f32, sizes);
    RoutineCall call = {};
    call.operands[0] = Calls::dense(calls.x);
    call.operands[1] = Calls::dense(calls.y);
    call.operands[2] = Calls::dense(calls.w);
    std::copy(calls.integers.begin(), calls.integers.end(), call.integers);
    return weightGradient.units(call);
  };
  CHECK(unitCount({64, 28, 28, 1, 32, threeByThree}) == 8);
  CHECK(unitCount({33, 32, 32, 3, 32, threeByThree}) == 8);
  CHECK(unitCount({33, 32, 32, 4, 32, threeByThree, 2}) == 8);
  // Few images are not worth it.
  CHECK(unitCount({2, 28, 28, 1, 32, threeByThree}) == 1);
}

TEST_CASE("packed weights of large kernels equal their references") {
  for (const double type : {f32, f64}) {
    for (const Sizes& sizes : large) {
      CAPTURE(type);
      CAPTURE(sizes.channels);
      const Calls calls(type, sizes);
      const std::vector<double>& n = sizes.window;
      const RoutineProgram forward("convPack", {calls.w}, calls.packed, {sizes.groups});
      const RoutineProgram gradient("convPackGradient", {calls.w}, calls.packedGradient,
                                    {sizes.groups, n[2], n[3], n[4], n[5]});
      holdProgram(forward.code);
      holdProgram(gradient.code);
    }
  }
}

TEST_CASE("a convolution without terms is zero") {
  const Calls none(f32, {2, 3, 3, 0, 4, threeByThree});
  holdProgram(RoutineProgram("conv", {none.x, none.packed}, none.y, none.integers).code);
  const Calls noOutputs(f32, {2, 3, 3, 4, 0, threeByThree});
  holdProgram(RoutineProgram("convInputGradient", {noOutputs.y, noOutputs.packedGradient}, noOutputs.x,
                             noOutputs.integers)
                  .code);
  const Calls noImages(f32, {0, 3, 3, 4, 5, threeByThree});
  holdProgram(
      RoutineProgram("convWeightGradient", {noImages.x, noImages.y}, noImages.w, noImages.integers).code);
  // With a stride of 2, half of the rows and columns of x are not read by a kernel of 1 x 1.
  const Calls strided(f32, {2, 4, 5, 3, 4, {1, 1, 2, 2, 1, 1, 0, 0, 0, 0}});
  for (const RoutineProgram& made : strided.programs()) holdProgram(made.code);
}
