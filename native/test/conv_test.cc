// Tests convolutions of sizes that are divided into blocks (routines/conv_blocks.h), and the routines of
// every body (kernels/conv_routines.h) against plain loops. routine_test.cc compares small convolutions with
// their reference.
#include "kernels/conv_routines.h"

#include <cmath>

#include "kernels/gemm_routines.h"
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
    {2, 1, 3, 9, 4, {1, 2, 1, 1, 1, 400000, 0, 0, 400000, 0}},  // blocks too large for scratch memory
    {2, 3, 1, 9, 4, {2, 1, 3000000, 1, 400000, 1, 400000, 0, 0, 0}},
};

template <class T>
std::vector<double> asDoubles(const std::vector<T>& values) {
  return std::vector<double>(values.begin(), values.end());
}

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

namespace {

template <class T>
class BodyTest {
 public:
  explicit BodyTest(const Body& body)
      : gemm_(body.gemm[sizeof(T) == 8 ? 1 : 0]), conv_(body.conv[sizeof(T) == 8 ? 1 : 0]) {}

  // Terms at runs of any length, and rows of A and C anywhere.
  void products() {
    for (std::int64_t rows = 1; rows <= gemm_.tileRows; ++rows) {
      for (std::int64_t n = 1; n <= 2 * gemm_.panelWidth + 3; n += n < 5 ? 1 : 3) {
        for (const bool accumulate : {false, true}) hold(rows, n, accumulate);
      }
    }
  }

  void stencils() {
    for (std::int64_t height = 1; height <= 5; ++height) {
      for (std::int64_t width = 1; width <= 5; ++width) {
        for (std::int64_t step = 1; step <= 2; ++step) {
          for (const std::int64_t channels : {1, 16, 37}) {
            for (const std::int64_t rows : {1, 2, 3, 4, 5, 7, 9, 12})
              stencil(height, width, step, channels, rows);
          }
        }
      }
    }
  }

  void stencil(std::int64_t height, std::int64_t width, std::int64_t step, std::int64_t channels,
               std::int64_t rows) {
    ConvStencil s = {};
    s.tapRows = height;
    s.tapColumns = width;
    s.columnStep = step;
    if (!s.isStencil()) return;
    s.rowStep = channels == 16 ? step : between(generator_, 1, 3);
    s.channels = channels;
    s.rows = rows;
    s.outputs = between(generator_, 1, 17);
    // Every number of columns in the padding, on both sides, and some more than there are taps.
    for (std::int64_t before = 0; before <= width; ++before) {
      for (std::int64_t after = 0; after <= width; ++after) {
        s.first = -before;
        s.source = (s.outputs - 1) * step + width - before - after;
        s.firstRow = -between(generator_, 0, height);
        s.sourceRows = (rows - 1) * s.rowStep + height + s.firstRow - between(generator_, 0, height);
        if (s.source > 0 && s.sourceRows > 0) holdStencil(s);
      }
    }
  }

  void depthwise() {
    for (std::int64_t taps = 1; taps <= 20; taps += taps < 11 ? 1 : 4) {
      for (const std::int64_t channels : {1, 3, 8, 16, 21, 37}) {
        for (std::int64_t pixels = 1; pixels < 16; ++pixels) holdDepthwise(taps, channels, pixels);
      }
    }
  }

 private:
  static void equal(const std::vector<T>& values, const std::vector<double>& expected) {
    CHECK(asDoubles(values) == expected);
  }
  // Small integers, whose products and sums are exact.
  std::vector<T> integers(std::int64_t count) {
    std::vector<T> values(static_cast<std::size_t>(count));
    for (T& value : values) value = static_cast<T>(between(generator_, -8, 8));
    return values;
  }

  void hold(std::int64_t rows, std::int64_t n, bool accumulate) {
    CAPTURE(rows);
    CAPTURE(n);
    CAPTURE(accumulate);
    const std::int64_t width = gemm_.panelWidth, panels = (n + width - 1) / width,
                       aStep = between(generator_, 1, 3);
    std::vector<ConvRun> runs;
    std::int64_t terms = 0, end = 0;
    for (std::int64_t i = between(generator_, 0, 3); i >= 0; --i) {
      const std::int64_t length = between(generator_, 0, 40);
      runs.push_back({between(generator_, 0, 9), terms * width, length});
      terms += length;
      end = std::max(end, runs.back().a + std::max<std::int64_t>(length - 1, 0) * aStep + 1);
    }
    const std::int64_t pitch = between(generator_, 0, 5), cPitch = n + between(generator_, 0, 5);
    // The last panel ends after column n, so that an access after it is found.
    const std::int64_t bCount = (panels - 1) * terms * width + std::max<std::int64_t>(terms - 1, 0) * width +
                                (terms > 0 ? n - (panels - 1) * width : 0);
    const std::vector<T> a = integers((rows - 1) * pitch + end),
                         b = integers(std::max<std::int64_t>(bCount, 1));
    std::vector<T> c = integers((rows - 1) * cPitch + n);
    std::vector<double> expected = asDoubles(c), dots = expected;
    std::vector<const void*> left;
    std::vector<void*> out;
    for (std::int64_t i = 0; i < rows; ++i) {
      left.push_back(a.data() + i * pitch);
      out.push_back(c.data() + i * cPitch);
      for (std::int64_t j = 0; j < n; ++j) {
        double sum = accumulate ? expected[static_cast<std::size_t>(i * cPitch + j)] : 0;
        for (const ConvRun& run : runs) {
          for (std::int64_t p = 0; p < run.length; ++p) {
            sum +=
                static_cast<double>(a[static_cast<std::size_t>(i * pitch + run.a + p * aStep)]) *
                static_cast<double>(
                    b[static_cast<std::size_t>(j / width * terms * width + run.b + p * width + j % width)]);
          }
        }
        expected[static_cast<std::size_t>(i * cPitch + j)] = sum;
      }
    }
    const ConvProduct product = {
        runs.data(), static_cast<std::int64_t>(runs.size()), aStep, width, terms * width, n, accumulate};
    conv_.product(product, static_cast<int>(rows), left.data(), b.data(), out.data());
    equal(c, expected);
    if (accumulate || terms == 0) return;

    // The same product with the offset of every term.
    std::vector<std::int64_t> offsets;
    for (const ConvRun& run : runs) {
      for (std::int64_t p = 0; p < run.length; ++p) offsets.push_back(run.a + p * aStep);
    }
    std::fill(c.begin(), c.end(), T(3));
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = n; j < cPitch && i + 1 < rows; ++j)
        expected[static_cast<std::size_t>(i * cPitch + j)] = 3;
    }
    conv_.shortProduct({offsets.data(), terms, 1, rows, n, pitch, 0, cPitch, 0, terms * width}, a.data(),
                       b.data(), c.data());
    equal(c, expected);
    if (n <= mostConvDots && aStep == 1) holdDots(rows, n, terms, runs, left, b, c, out, expected);
  }

  void holdDots(std::int64_t rows, std::int64_t n, std::int64_t terms, std::vector<ConvRun> runs,
                const std::vector<const void*>& left, const std::vector<T>& b, std::vector<T>& c,
                const std::vector<void*>& out, const std::vector<double>& expected) {
    std::vector<T> columns(static_cast<std::size_t>(terms * n));
    for (std::int64_t j = 0; j < n; ++j) {
      for (std::int64_t p = 0; p < terms; ++p) {
        columns[static_cast<std::size_t>(j * terms + p)] =
            b[static_cast<std::size_t>(p * gemm_.panelWidth + j)];
      }
    }
    for (ConvRun& run : runs) run.b /= gemm_.panelWidth;
    std::fill(c.begin(), c.end(), T(3));
    const ConvDots dots = {runs.data(), static_cast<std::int64_t>(runs.size()), terms, static_cast<int>(n)};
    conv_.dots(dots, static_cast<int>(rows), left.data(), columns.data(), out.data());
    equal(c, expected);
  }

  void holdDepthwise(std::int64_t taps, std::int64_t channels, std::int64_t pixels) {
    CAPTURE(taps);
    CAPTURE(channels);
    CAPTURE(pixels);
    const std::int64_t aPixel = channels + between(generator_, 0, 3),
                       cPixel = channels + between(generator_, 0, 3);
    std::vector<ConvTap> list;
    std::int64_t end = 0;
    for (std::int64_t t = 0; t < taps; ++t) {
      list.push_back({between(generator_, 0, 50), (taps - 1 - t) * channels});
      end = std::max(end, list.back().a);
    }
    const ConvDepthwise sums = {list.data(), taps, pixels, channels, aPixel, cPixel};
    const std::vector<T> a = integers(end + (pixels - 1) * aPixel + channels);
    std::vector<T> w = integers(taps * channels), c = integers((pixels - 1) * cPixel + channels);
    std::vector<double> expected = asDoubles(c), expectedWeights = asDoubles(w);
    const std::vector<T> g = c;
    for (std::int64_t p = 0; p < pixels; ++p) {
      for (std::int64_t j = 0; j < channels; ++j) {
        double& sum = expected[static_cast<std::size_t>(p * cPixel + j)];
        sum = 0;
        for (const ConvTap& tap : list) {
          const auto x = static_cast<double>(a[static_cast<std::size_t>(p * aPixel + tap.a + j)]);
          sum += x * static_cast<double>(w[static_cast<std::size_t>(tap.w + j)]);
          expectedWeights[static_cast<std::size_t>(tap.w + j)] +=
              x * static_cast<double>(g[static_cast<std::size_t>(p * cPixel + j)]);
        }
      }
    }
    conv_.depthwise(sums, a.data(), w.data(), c.data());
    equal(c, expected);
    conv_.depthwiseWeights(sums, a.data(), g.data(), w.data());
    equal(w, expectedWeights);
  }

  void holdStencil(ConvStencil s) {
    CAPTURE(s.tapRows);
    CAPTURE(s.tapColumns);
    CAPTURE(s.columnStep);
    CAPTURE(s.rowStep);
    CAPTURE(s.channels);
    CAPTURE(s.rows);
    CAPTURE(s.outputs);
    CAPTURE(s.firstRow);
    CAPTURE(s.first);
    CAPTURE(s.sourceRows);
    CAPTURE(s.source);
    s.aPixel = s.channels + between(generator_, 0, 3);
    s.aRow = s.source * s.aPixel + between(generator_, 0, 9);
    s.cPixel = s.channels + between(generator_, 0, 3);
    s.cRow = s.outputs * s.cPixel + between(generator_, 0, 9);
    const bool reversed = between(generator_, 0, 1) == 1;
    s.wColumn = reversed ? -s.channels : s.channels;
    s.wRow = s.wColumn * s.tapColumns;
    const std::int64_t taps = s.tapRows * s.tapColumns;
    const std::int64_t wFirst = reversed ? (taps - 1) * s.channels : 0;
    const std::vector<T> a = integers((s.sourceRows - 1) * s.aRow + (s.source - 1) * s.aPixel + s.channels);
    std::vector<T> w = integers(taps * s.channels),
                   c = integers((s.rows - 1) * s.cRow + (s.outputs - 1) * s.cPixel + s.channels);
    const std::vector<T> g = c;
    std::vector<double> expected = asDoubles(c), expectedWeights = asDoubles(w);
    for (std::int64_t r = 0; r < s.rows; ++r) {
      for (std::int64_t o = 0; o < s.outputs; ++o) {
        for (std::int64_t j = 0; j < s.channels; ++j) {
          const auto to = static_cast<std::size_t>(r * s.cRow + o * s.cPixel + j);
          expected[to] = 0;
          for (std::int64_t i = 0; i < s.tapRows; ++i) {
            for (std::int64_t t = 0; t < s.tapColumns; ++t) {
              const std::int64_t line = s.firstRow + r * s.rowStep + i,
                                 column = s.first + o * s.columnStep + t;
              if (line < 0 || line >= s.sourceRows || column < 0 || column >= s.source) continue;
              const std::int64_t at = line * s.aRow + column * s.aPixel + j;
              const auto x = static_cast<double>(a[static_cast<std::size_t>(at)]);
              const auto weight = static_cast<std::size_t>(wFirst + i * s.wRow + t * s.wColumn + j);
              expected[to] += x * static_cast<double>(w[weight]);
              expectedWeights[weight] += x * static_cast<double>(g[to]);
            }
          }
        }
      }
    }
    conv_.stencil(s, a.data(), w.data() + wFirst, c.data());
    equal(c, expected);
    if (!s.isWide()) return;
    conv_.stencilWeights(s, a.data(), g.data(), w.data() + wFirst);
    equal(w, expectedWeights);
  }

  Generator generator_{11};
  const GemmRoutines& gemm_;
  const ConvRoutines& conv_;
};

}  // namespace

TEST_CASE("the products of convolutions equal those of loops, with every body") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(body->name);
    BodyTest<float>(*body).products();
    BodyTest<double>(*body).products();
  }
}

TEST_CASE("stencils and their gradients equal those of loops, with every body") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(body->name);
    BodyTest<float>(*body).stencils();
    BodyTest<double>(*body).stencils();
  }
}

TEST_CASE("depthwise sums and gradients equal those of loops, with every body") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(body->name);
    BodyTest<float>(*body).depthwise();
    BodyTest<double>(*body).depthwise();
  }
}
