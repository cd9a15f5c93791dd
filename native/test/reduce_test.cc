// Compares reductions over any axes, with any strides, with plain loops. Also tests their accuracy, and that
// invalid arguments are refused.
#include "kernels/reduce.h"

#include <cmath>
#include <limits>

#include "test/support.h"

using namespace forebay;
using namespace forebay::test;

namespace {

// Returns the geometry of a reduction. The axes of `in` are the kept axes, then the reduced axes.
std::vector<double> geometryOf(const View& out, const View& in) {
  const std::size_t kept = out.sizes.size();
  std::vector<double> geometry = {static_cast<double>(kept), static_cast<double>(in.sizes.size() - kept)};
  append(geometry, in.sizes);
  append(geometry, out);
  append(geometry, in);
  return geometry;
}

template <class Result, class T>
void reduce(const Kernel& kernel, const View& outView, std::vector<Result>& out, const View& inView,
            std::vector<T>& in) {
  const std::vector<double> geometry = geometryOf(outView, inView);
  ReducePlan plan;
  Fault fault;
  const bool planned =
      planReduce(plan, kernel, geometry.data(), geometry.size(), arrayOf(out), arrayOf(in), fault);
  REQUIRE_MESSAGE(planned, std::string(fault.text()));
  runReduce(plan);
}

// Returns the elements that are reduced to output `index`, in row-major order of the reduced axes. `kept` is
// the number of outputs.
template <class T>
std::vector<T> folded(const View& in, const std::vector<T>& memory, std::int64_t index, std::int64_t kept) {
  const std::int64_t reduced = kept == 0 ? 0 : in.count() / kept;
  std::vector<T> values;
  for (std::int64_t r = 0; r < reduced; ++r) values.push_back(memory[in.at(index * reduced + r)]);
  return values;
}

template <class T>
struct Expected {
  long double sum = 0;
  double magnitude = 0;
  T max = std::is_integral_v<T> ? std::numeric_limits<T>::min() : static_cast<T>(-INFINITY);
  std::int32_t argmax = 0;

  explicit Expected(const std::vector<T>& values) {
    bool nan = false;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const T x = values[i];
      sum += static_cast<long double>(x);
      magnitude += std::fabs(static_cast<double>(x));
      if (!nan && (x > max || x != x)) {
        max = x;
        argmax = static_cast<std::int32_t>(i);
        nan = x != x;
      }
    }
  }
};

template <class T>
void holdRandom(const Body& body, std::uint64_t seed, int times) {
  Generator generator(seed);
  for (int round = 0; round < times; ++round) {
    const std::vector<std::int64_t> shape = someSizes(generator, 5, 20000);
    const auto keptRank =
        static_cast<std::ptrdiff_t>(between(generator, 0, static_cast<std::int64_t>(shape.size())));
    const std::vector<std::int64_t> keptShape(shape.begin(), shape.begin() + keptRank);
    const View out = someView(generator, keptShape, false), in = someView(generator, shape, true);
    std::vector<T> x = someValues<T>(generator, in.extent());
    if constexpr (std::is_floating_point_v<T>) {
      if (round % 4 == 0) {
        for (std::size_t i = 0; i < x.size(); i += 97) x[i] = std::numeric_limits<T>::quiet_NaN();
      }
      if (round % 4 == 1) {
        for (std::size_t i = 0; i < x.size(); i += 2) x[i] = -std::numeric_limits<T>::infinity();
      }
    }
    const std::int64_t kept = out.count();
    std::vector<T> sum(out.extent(), T(5)), max(out.extent(), T(5));
    std::vector<std::int32_t> argmax(out.extent(), 5);
    const bool empty = kept > 0 && in.count() == 0;
    if constexpr (std::is_floating_point_v<T>) reduce(kernelOf(body, Family::reduce, "sum"), out, sum, in, x);
    reduce(kernelOf(body, Family::reduce, "max"), out, max, in, x);
    if (!empty) reduce(kernelOf(body, Family::reduce, "argmax"), out, argmax, in, x);

    std::vector<bool> written(out.extent(), false);
    for (std::int64_t i = 0; i < kept; ++i) {
      const Expected<T> expected(folded(in, x, i, kept));
      const std::size_t at = out.at(i);
      written[at] = true;
      CAPTURE(round);
      CAPTURE(i);
      REQUIRE(same(max[at], expected.max));
      if (!empty) REQUIRE(argmax[at] == expected.argmax);
      if constexpr (std::is_floating_point_v<T>) {
        const auto got = static_cast<long double>(sum[at]);
        // A float sum must be nearly the exact sum, because it is accumulated in double. A double sum
        // accumulates rounding errors.
        const double units = std::is_same_v<T, float> ? 1 : 16;
        const double slack =
            units * expected.magnitude * static_cast<double>(std::numeric_limits<T>::epsilon());
        const bool close = std::isfinite(expected.sum)
                               ? std::fabs(got - expected.sum) <= static_cast<long double>(slack)
                               : same(static_cast<T>(got), static_cast<T>(expected.sum));
        REQUIRE_MESSAGE(close, double(got) << " expected " << double(expected.sum));
      }
    }
    for (std::size_t i = 0; i < written.size(); ++i) {
      if (!written[i]) REQUIRE(max[i] == T(5));
    }
  }
}

View viewOf(std::vector<std::int64_t> shape, std::vector<std::int64_t> strides) {
  View view;
  view.sizes = std::move(shape);
  view.strides = std::move(strides);
  return view;
}

}  // namespace

TEST_CASE("random layouts, axes and dtypes") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(std::string(body->name));
    holdRandom<float>(*body, 21, 400);
    holdRandom<double>(*body, 22, 400);
    holdRandom<std::int32_t>(*body, 23, 200);
  }
}

TEST_CASE("rows and columns of every size") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(std::string(body->name));
    Generator generator(24);
    for (const std::size_t n : lengths) {
      const auto size = static_cast<std::int64_t>(n);
      for (const std::int64_t other : {1, 2, 3, 31, 33}) {
        CAPTURE(size);
        CAPTURE(other);
        const View rows = viewOf({other, size}, {size, 1}), columns = viewOf({other, size}, {1, other});
        for (const View& in : {rows, columns}) {
          const View out = viewOf({other}, {1});
          std::vector<float> x = someValues<float>(generator, n * static_cast<std::size_t>(other));
          std::vector<float> sum(static_cast<std::size_t>(other)), max(sum.size());
          reduce(kernelOf(*body, Family::reduce, "sum"), out, sum, in, x);
          reduce(kernelOf(*body, Family::reduce, "max"), out, max, in, x);
          for (std::int64_t i = 0; i < other; ++i) {
            const Expected<float> expected(folded(in, x, i, other));
            const auto at = static_cast<std::size_t>(i);
            const double error = std::fabs(static_cast<double>(sum[at]) - static_cast<double>(expected.sum));
            REQUIRE(error <= 1e-7 * expected.magnitude);
            REQUIRE(same(max[at], expected.max));
          }
        }
      }
    }
  }
}

// Returns the sums of the first `steps` steps of x, which has the shape [steps, rows, width]. After the rows
// of a step, there is a gap of so many elements.
template <class T>
std::vector<T> sumsOfSteps(const Body& body, std::vector<T>& x, std::int64_t steps, std::int64_t rows,
                           std::int64_t width, std::int64_t gap) {
  std::vector<T> sums(static_cast<std::size_t>(width));
  const View in = viewOf({width, steps, rows}, {1, rows * width + gap, width});
  reduce(kernelOf(body, Family::reduce, "sum"), viewOf({width}, {1}), sums, in, x);
  return sums;
}

template <class T>
void holdZeroSteps(const Body& body) {
  Generator generator(26);
  for (const std::int64_t width : {1, 2, 3, 6, 7, 10, 21, 31, 32, 50, 600}) {
    for (const std::int64_t rows : {1, 5, 7, 32}) {
      for (const std::int64_t gap : {0, 3}) {
        for (const std::int64_t steps : {1, 2, 3, 9, 18, 41, 700}) {
          if (width * rows * steps > 30000) continue;
          const std::int64_t more = steps + 200, step = rows * width + gap;
          std::vector<T> x = someValues<T>(generator, static_cast<std::size_t>(more * step));
          std::fill(x.begin() + steps * step, x.end(), T(0));
          const std::vector<T> expected = sumsOfSteps(body, x, steps, rows, width, gap);
          for (const std::int64_t longer : {steps + 1, steps + 2, steps + 13, more}) {
            const std::vector<T> found = sumsOfSteps(body, x, longer, rows, width, gap);
            CAPTURE(width);
            CAPTURE(rows);
            CAPTURE(gap);
            CAPTURE(steps);
            CAPTURE(longer);
            REQUIRE(std::equal(found.begin(), found.end(), expected.begin(), same<T>));
          }
        }
      }
    }
  }
}

TEST_CASE("further steps of zeros change no bit of a sum over steps") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(std::string(body->name));
    holdZeroSteps<float>(*body);
    holdZeroSteps<double>(*body);
  }
}

TEST_CASE("a sum of a million terms is accurate") {
  constexpr std::int64_t n = 1000000;
  for (const Body* body : supportedBodies()) {
    CAPTURE(std::string(body->name));
    const Kernel& sum = kernelOf(*body, Family::reduce, "sum");
    Generator generator(25);
    // This sum is difficult: all terms have the same sign, and adding 0.1f a million times in float gives an
    // error of 1e-2.
    std::vector<float> x(n * 3);
    for (float& value : x) value = 0.1f + 0.01f * static_cast<float>(between(generator, 0, 9));
    std::vector<float> one(1), three(3);
    for (const std::int64_t columns : {1, 3}) {
      long double expected[3] = {};
      for (std::int64_t i = 0; i < n * columns; ++i) {
        expected[i % columns] += static_cast<long double>(x[static_cast<std::size_t>(i)]);
      }
      std::vector<float>& out = columns == 1 ? one : three;
      reduce(sum, viewOf({columns}, {1}), out, viewOf({columns, n}, {1, columns}), x);
      for (std::int64_t j = 0; j < columns; ++j) {
        const double exact = static_cast<double>(expected[j]);
        CHECK(std::fabs(static_cast<double>(out[static_cast<std::size_t>(j)]) / exact - 1) <= 1e-7);
      }
    }
    // Tests sums in double: of rows, of a few columns, and of many columns (which overlap, to save memory). A
    // sum by successive additions would have an error of about 1e-13.
    std::vector<double> y(n * 2 + 40);
    for (double& value : y) value = std::uniform_real_distribution<double>(0, 1)(generator);
    for (const View& in : {viewOf({2, n}, {n, 1}), viewOf({2, n}, {1, 2}), viewOf({40, n}, {1, 2})}) {
      std::vector<double> out(static_cast<std::size_t>(in.sizes[0]));
      reduce(sum, viewOf({in.sizes[0]}, {1}), out, in, y);
      for (std::int64_t j = 0; j < 2; ++j) {
        long double exact = 0;
        for (std::int64_t i = 0; i < n; ++i) exact += static_cast<long double>(y[in.at(j * n + i)]);
        const double error = std::fabs(out[static_cast<std::size_t>(j)] / static_cast<double>(exact) - 1);
        CHECK(error <= 2e-15);
      }
    }
  }
}

TEST_CASE("partial results of a float sum may exceed the range of float") {
  std::vector<float> x = {3e38f, 3e38f, -3e38f, -3e38f}, out(1);
  reduce(kernelOf(*chosen().body, Family::reduce, "sum"), viewOf({}, {}), out, viewOf({4}, {1}), x);
  CHECK(out[0] == 0);
}

TEST_CASE("argmax: the first maximum, the first NaN, and index 0 among equals") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(std::string(body->name));
    const Kernel& argmax = kernelOf(*body, Family::reduce, "argmax");
    const auto of = [&](std::vector<float> x) {
      std::vector<std::int32_t> out(1, -1);
      reduce(argmax, viewOf({}, {}), out, viewOf({static_cast<std::int64_t>(x.size())}, {1}), x);
      return out[0];
    };
    CHECK(of({1, 3, 2, 3}) == 1);
    CHECK(of({1, NAN, 5, NAN}) == 1);
    CHECK(of({-INFINITY, -INFINITY}) == 0);
    CHECK(of({INFINITY, NAN}) == 1);
    std::vector<float> x(5000, 1);
    CHECK(of(x) == 0);
    x[3000] = 2;
    x[4500] = 2;
    CHECK(of(x) == 3000);
    x[4999] = NAN;
    CHECK(of(x) == 4999);
    x[1024] = NAN;
    CHECK(of(x) == 1024);
  }
}

TEST_CASE("no elements: sum 0, max minus infinity or the smallest integer, argmax refused") {
  const Body& body = *chosen().body;
  const View out = viewOf({3}, {1});
  // The strides of an empty input may have any size, because no element is read.
  const View in = viewOf({3, 0, 2}, {9007199254740991, 9007199254740991, 1});
  std::vector<double> none, sum(3, 7), max(3, 7);
  std::vector<std::int32_t> integers(3, 7), noIntegers;
  reduce(kernelOf(body, Family::reduce, "sum"), out, sum, in, none);
  reduce(kernelOf(body, Family::reduce, "max"), out, max, in, none);
  reduce(kernelOf(body, Family::reduce, "max"), out, integers, in, noIntegers);
  CHECK(sum == std::vector<double>(3, 0));
  CHECK(max == std::vector<double>(3, -INFINITY));
  CHECK(integers == std::vector<std::int32_t>(3, std::numeric_limits<std::int32_t>::min()));

  const std::vector<double> geometry = geometryOf(out, in);
  ReducePlan plan;
  Fault fault;
  CHECK_FALSE(planReduce(plan, kernelOf(body, Family::reduce, "argmax"), geometry.data(), geometry.size(),
                         arrayOf(integers), arrayOf(none), fault));
  CHECK(std::string(fault.text()) == "reduce: argmax over 0 elements is undefined, expected at least 1");
}

TEST_CASE("invalid arguments of a reduction are refused with the reason") {
  const Body& body = *chosen().body;
  std::vector<float> x(6), y(6);
  std::vector<std::int32_t> integers(6);
  const auto refused = [&](const char* name, std::vector<double> geometry, Array out, Array in,
                           const char* part) {
    ReducePlan plan;
    Fault fault;
    CHECK_FALSE(planReduce(plan, kernelOf(body, Family::reduce, name), geometry.data(), geometry.size(), out,
                           in, fault));
    INFO(std::string(fault.text()));
    CHECK(std::string(fault.text()).find(part) != std::string::npos);
  };
  const Array a = arrayOf(x), b = arrayOf(y);
  refused("sum", {20, 13}, a, b, "rank 33");
  refused("sum", {1, 1, 2, 3, 0, 1, 0, 3}, a, b, "ends at number 8");
  refused("sum", {1, 1, 2, 3, 0, 1, 0, 3, 1, 1}, a, b, "has 10 numbers, expected 9");
  refused("sum", {1, 1, 2, 3, 5, 1, 0, 3, 1}, a, b, "output (offset 5, shape [2], strides [1])");
  refused("sum", {1, 1, 2, 3, 0, 1, 1, 3, 1}, a, b, "input (offset 1, shape [2, 3], strides [3, 1])");
  refused("sum", {1, 1, 2, 3, 0, 0, 0, 3, 1}, a, b, "more than once");
  refused("sum", {1, 1, 2, 3, 0, 1, 0, 3, 1}, arrayOf(integers), b, "is int32, expected float32");
  refused("sum", {0, 1, 6, 0, 0, 1}, arrayOf(integers), arrayOf(integers), "does not exist for int32");
  refused("argmax", {0, 1, 6, 0, 0, 1}, a, b, "is float32, expected int32");
  refused("argmax", {0, 1, 4294967296.0, 0, 0, 0}, arrayOf(integers), b, "over 4294967296 elements");
}
