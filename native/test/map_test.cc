// Tests the map driver, which applies an element-wise kernel to strided views: with any strides it gives the
// same result as a loop over the elements of the views, and it refuses invalid arguments.
#include "kernels/map.h"

#include "test/support.h"

using namespace forebay;
using namespace forebay::test;

namespace {

std::vector<double> geometryOf(const View& out, const std::vector<View>& in) {
  std::vector<double> geometry = {static_cast<double>(out.sizes.size())};
  append(geometry, out.sizes);
  append(geometry, out);
  for (const View& view : in) append(geometry, view);
  return geometry;
}

// Runs a kernel with one to three inputs and checks the result. `naive` computes the expected value of an
// element.
template <class T, class Naive>
void hold(const Kernel& kernel, const View& out, const std::vector<View>& in, Generator& generator,
          Naive naive) {
  std::vector<std::vector<T>> memory;
  std::vector<Array> arrays;
  for (const View& view : in) memory.push_back(someValues<T>(generator, view.extent()));
  for (std::vector<T>& values : memory) arrays.push_back(arrayOf(values));
  std::vector<T> result = someValues<T>(generator, out.extent());
  std::vector<T> expected = result;
  for (std::int64_t i = 0; i < out.count(); ++i) {
    T operands[3] = {};
    for (std::size_t k = 0; k < in.size(); ++k) operands[k] = memory[k][in[k].at(i)];
    expected[out.at(i)] = naive(operands[0], operands[1], operands[2]);
  }

  const std::vector<double> geometry = geometryOf(out, in);
  MapPlan plan;
  Fault fault;
  const bool planned = planMap(plan, kernel, geometry.data(), geometry.size(), arrayOf(result), arrays.data(),
                               static_cast<int>(arrays.size()), fault);
  REQUIRE_MESSAGE(planned, std::string(fault.text()));
  runMap(plan);
  // This also compares the gaps of the output, which must not be written.
  for (std::size_t i = 0; i < result.size(); ++i) {
    CAPTURE(i);
    REQUIRE(same(result[i], expected[i]));
  }
}

template <class T>
void holdRandom(const Body& body, std::uint64_t seed, std::int64_t most, int times) {
  Generator generator(seed);
  for (int round = 0; round < times; ++round) {
    CAPTURE(round);
    const std::vector<std::int64_t> shape = someSizes(generator, 5, most);
    const View out = someView(generator, shape, false, true);
    const auto in = [&](int n) {
      std::vector<View> views;
      for (int k = 0; k < n; ++k) views.push_back(someView(generator, shape, true, true));
      return views;
    };
    hold<T>(kernelOf(body, Family::map, "copy"), out, in(1), generator, [](T a, T, T) { return a; });
    hold<T>(kernelOf(body, Family::map, "maximum"), out, in(2), generator,
            [](T a, T b, T) { return a > b ? a : b; });
  }
}

View viewOf(std::int64_t offset, std::vector<std::int64_t> shape, std::vector<std::int64_t> strides) {
  View view;
  view.offset = offset;
  view.sizes = std::move(shape);
  view.strides = std::move(strides);
  return view;
}

}  // namespace

TEST_CASE("random layouts of every dtype") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(std::string(body->name));
    holdRandom<float>(*body, 11, 4000, 300);
    holdRandom<double>(*body, 12, 4000, 300);
    holdRandom<std::int32_t>(*body, 13, 4000, 100);
  }
}

TEST_CASE("layouts that occur in models") {
  Generator generator(14);
  const Body& body = *chosen().body;
  const Kernel& add = kernelOf(body, Family::map, "add");
  const auto sum = [](float a, float b, float) { return a + b; };
  const auto both = [&](const View& out, const View& a, const View& b) {
    hold<float>(add, out, {a, b}, generator, sum);
  };
  const View rows = viewOf(0, {70, 600}, {600, 1});
  both(rows, rows, viewOf(0, {70, 600}, {0, 1}));                            // + bias
  both(rows, rows, viewOf(0, {70, 600}, {1, 0}));                            // + column
  both(rows, rows, viewOf(5, {70, 600}, {0, 0}));                            // + scalar
  both(rows, rows, viewOf(0, {70, 600}, {1, 70}));                           // + transposed
  both(viewOf(0, {70, 600}, {1, 70}), rows, viewOf(0, {70, 600}, {1, 70}));  // into transposed
  both(viewOf(3, {70, 5}, {9, 1}), viewOf(0, {70, 5}, {5, 1}), viewOf(0, {70, 5}, {0, 1}));  // into a slice
  both(viewOf(0, {}, {}), viewOf(2, {}, {}), viewOf(1, {}, {}));                             // scalars
  both(viewOf(0, {4, 8, 6, 5}, {240, 5, 40, 1}), viewOf(0, {4, 8, 6, 5}, {240, 30, 5, 1}),
       viewOf(0, {4, 8, 6, 5}, {0, 0, 5, 1}));  // heads permuted
}

TEST_CASE("an output that is also an input is correct, in any layout") {
  Generator generator(15);
  for (const Body* body : supportedBodies()) {
    const Kernel& add = kernelOf(*body, Family::map, "add");
    for (int round = 0; round < 100; ++round) {
      const std::vector<std::int64_t> shape = someSizes(generator, 4, 3000);
      const View out = someView(generator, shape, false, true),
                 other = someView(generator, shape, true, true);
      std::vector<float> x = someValues<float>(generator, out.extent());
      std::vector<float> y = someValues<float>(generator, other.extent());
      std::vector<float> expected = x;
      for (std::int64_t i = 0; i < out.count(); ++i) expected[out.at(i)] += y[other.at(i)];
      const std::vector<double> geometry = geometryOf(out, {out, other});
      const Array in[] = {arrayOf(x), arrayOf(y)};
      MapPlan plan;
      Fault fault;
      REQUIRE(planMap(plan, add, geometry.data(), geometry.size(), arrayOf(x), in, 2, fault));
      runMap(plan);
      REQUIRE(x == expected);
    }
  }
}

// Checks the kernels whose result or first input is a bool, over elements of T.
template <class T>
void holdBools(const Body& body, std::uint64_t seed) {
  Generator generator(seed);
  for (int round = 0; round < 100; ++round) {
    const std::vector<std::int64_t> shape = someSizes(generator, 4, 3000);
    const View out = someView(generator, shape, false, true), a = someView(generator, shape, true, true),
               b = someView(generator, shape, true, true), c = someView(generator, shape, true, true);
    std::vector<T> x = someValues<T>(generator, a.extent()), y = someValues<T>(generator, b.extent());
    std::vector<std::uint8_t> tests = someValues<std::uint8_t>(generator, c.extent());
    std::vector<std::uint8_t> more(out.extent(), 7);
    std::vector<T> chosen(out.extent(), T(7));
    std::vector<std::uint8_t> expectedMore = more;
    std::vector<T> expectedChosen = chosen;
    for (std::int64_t i = 0; i < out.count(); ++i) {
      expectedMore[out.at(i)] = x[a.at(i)] > y[b.at(i)] ? 1 : 0;
      expectedChosen[out.at(i)] = tests[c.at(i)] != 0 ? x[a.at(i)] : y[b.at(i)];
    }
    const auto run = [&](const char* name, const std::vector<View>& views, Array result,
                         const std::vector<Array>& in) {
      const std::vector<double> geometry = geometryOf(out, views);
      MapPlan plan;
      Fault fault;
      const bool planned = planMap(plan, kernelOf(body, Family::map, name), geometry.data(), geometry.size(),
                                   result, in.data(), static_cast<int>(in.size()), fault);
      REQUIRE_MESSAGE(planned, std::string(fault.text()));
      runMap(plan);
    };
    run("greater", {a, b}, arrayOf(more), {arrayOf(x), arrayOf(y)});
    run("where", {c, a, b}, arrayOf(chosen), {arrayOf(tests), arrayOf(x), arrayOf(y)});
    REQUIRE(more == expectedMore);
    REQUIRE(chosen == expectedChosen);
  }
}

TEST_CASE("comparisons write bools of one byte, and selections read them, in any layout") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(std::string(body->name));
    holdBools<float>(*body, 17);
    holdBools<double>(*body, 18);
    holdBools<std::int32_t>(*body, 19);
    holdBools<std::uint8_t>(*body, 20);
  }
}

TEST_CASE("casts accept any layout, for elements of different sizes") {
  Generator generator(16);
  const Body& body = *chosen().body;
  for (int round = 0; round < 100; ++round) {
    const std::vector<std::int64_t> shape = someSizes(generator, 4, 3000);
    const View out = someView(generator, shape, false, true), in = someView(generator, shape, true, true);
    std::vector<float> x = someValues<float>(generator, in.extent());
    std::vector<double> y(out.extent(), 7);
    std::vector<double> expected = y;
    for (std::int64_t i = 0; i < out.count(); ++i) expected[out.at(i)] = static_cast<double>(x[in.at(i)]);
    const std::vector<double> geometry = geometryOf(out, {in});
    const Array inputs[] = {arrayOf(x)};
    MapPlan plan;
    Fault fault;
    REQUIRE(planMap(plan, kernelOf(body, Family::cast, "float64"), geometry.data(), geometry.size(),
                    arrayOf(y), inputs, 1, fault));
    runMap(plan);
    REQUIRE(y == expected);
  }
}

TEST_CASE("invalid arguments are refused with a reason") {
  const Body& body = *chosen().body;
  const Kernel& copy = kernelOf(body, Family::map, "copy");
  std::vector<float> x(6), y(6);
  std::vector<double> wide(6);
  std::vector<std::int32_t> integers(6);
  const auto refused = [&](const Kernel& kernel, std::vector<double> geometry, Array out,
                           std::vector<Array> in) -> std::string {
    MapPlan plan;
    Fault fault;
    const bool planned = planMap(plan, kernel, geometry.data(), geometry.size(), out, in.data(),
                                 static_cast<int>(in.size()), fault);
    CHECK_FALSE(planned);
    CHECK(fault.kind() == Fault::Kind::argument);
    return fault.text();
  };
  const auto says = [](const std::string& text, const char* part) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
  };
  const double big = 9007199254740991.0;
  const Array a = arrayOf(x), b = arrayOf(y);
  says(refused(copy, {}, a, {b}), "ends at number 0, where the rank");
  says(refused(copy, {33}, a, {b}), "expected an integer from 0 to 32");
  says(refused(copy, {1, 6, 0, 1, 0}, a, {b}), "ends at number 5");
  says(refused(copy, {1, 6, 0, 1, 0, 1, 1}, a, {b}), "has 7 numbers, expected 6");
  says(refused(copy, {1, -1, 0, 1, 0, 1}, a, {b}), "is -1, expected an integer");
  says(refused(copy, {1, 2.5, 0, 1, 0, 1}, a, {b}), "is 2.5, expected an integer");
  says(refused(copy, {1, NAN, 0, 1, 0, 1}, a, {b}), "is nan");
  says(refused(copy, {1, 6, 0, 1, 0, 1e300}, a, {b}), "is 1.0000000000000001e+300");
  says(refused(copy, {1, 7, 0, 1, 0, 1}, a, {b}), "output (offset 0, shape [7], strides [1]) reaches beyond");
  says(refused(copy, {1, 6, 0, 1, 1, 1}, a, {b}),
       "input 0 (offset 1, shape [6], strides [1]) reaches beyond");
  says(refused(copy, {1, 2, 0, 1, 0, 6}, a, {b}), "input 0");
  says(refused(copy, {2, 2, 3, 0, 3, 1, 0, 3, 2}, a, {b}), "input 0");
  says(refused(copy, {1, 3, 0, big, 0, 1}, a, {b}), "output");
  says(refused(copy, {1, 3, 1, -1, 3, 1}, a, {b}),
       "output (offset 1, shape [3], strides [-1]) reaches beyond");
  says(refused(copy, {1, 3, 5, -1, 1, -1}, a, {b}),
       "input 0 (offset 1, shape [3], strides [-1]) reaches beyond");
  says(refused(copy, {2, 2, 3, 0, 3, 1, 3, -3, 2}, a, {b}), "input 0");  // the highest element is number 7
  says(refused(copy, {2, 2, 3, 0, 3, 1, 2, -3, 1}, a, {b}), "input 0");  // the lowest element is number -1
  says(refused(copy, {1, 3, 6, -1, 0, 1}, a, {b}), "output");
  says(refused(copy, {1, 3, 5, -1, 0, -big}, a, {b}), "input 0");
  says(refused(copy, {1, 3, 5, -1, 0, -9007199254740992.0}, a, {b}),
       "is -9007199254740992, expected an integer");
  says(refused(copy, {1, 3, 5, -0.5, 0, 1}, a, {b}), "is -0.5, expected an integer");
  says(refused(copy, {1, 3, 5, -INFINITY, 0, 1}, a, {b}), "is -inf, expected an integer");
  says(refused(copy, {1, 6, 5}, a, {b}), "ends at number 3, where a stride was expected");
  says(refused(copy, {2, big, big, 0, -big, -big, 0, 0, 0}, a, {b}), "more than 2^53 - 1 elements");
  says(refused(copy, {2, big, 2, 0, 0, -big, 0, -big, -big}, a, {b}), "more than 2^53 - 1 elements");
  says(refused(copy, {2, 4503599627370496.0, 1, 0, -big, 1, 0, 0, 0}, a, {b}), "output");
  says(refused(copy, {2, 2, 2, big, big, big, 0, 0, 0}, a, {b}), "output");
  says(refused(copy, {1, big, 0, 1, 0, 0}, a, {b}), "output");
  says(refused(copy, {2, big, big, 0, 1, 1, 0, 0, 0}, a, {b}), "more than 2^53 - 1 elements");
  says(refused(copy, {1, 6, 0, 0, 0, 1}, a, {b}), "writes one element more than once");
  says(refused(copy, {1, 0, 7, 1, 0, 1}, a, {b}), "output starts at element 7 of an array of 6");
  says(refused(copy, {1, 6, 0, 1, 0, 1}, a, {arrayOf(wide)}),
       "the output of 'copy' for float64 is float32, expected float64");
  says(refused(copy, {1, 6, 0, 1, 0, 1}, a, {b, b}), "takes 1 inputs, received 2");
  const Kernel& add = kernelOf(body, Family::map, "add");
  const std::vector<double> three = {1, 6, 0, 1, 0, 1, 0, 1};
  says(refused(add, three, a, {b, arrayOf(wide)}), "input 1 of 'add' is float64, expected float32");
  says(refused(add, three, arrayOf(integers), {arrayOf(integers), arrayOf(integers)}),
       "does not exist for int32");
  says(refused(kernelOf(body, Family::reduce, "sum"), three, a, {b}), "is of family reduce");
  says(refused(kernelOf(body, Family::cast, "float64"), {1, 6, 0, 1, 0, 1}, a, {b}),
       "is float32, expected float64");
}

TEST_CASE("negative strides lead to elements before the first one") {
  const Kernel& copy = kernelOf(*chosen().body, Family::map, "copy");
  const auto copied = [&](const std::vector<double>& geometry) {
    std::vector<float> x = {1, 2, 3, 4, 5, 6}, y(6);
    const Array in = arrayOf(x);
    MapPlan plan;
    Fault fault;
    const bool planned = planMap(plan, copy, geometry.data(), geometry.size(), arrayOf(y), &in, 1, fault);
    REQUIRE_MESSAGE(planned, std::string(fault.text()));
    runMap(plan);
    return y;
  };
  using Floats = std::vector<float>;
  CHECK(copied({1, 6, 0, 1, 5, -1}) == Floats{6, 5, 4, 3, 2, 1});
  CHECK(copied({1, 6, 5, -1, 0, 1}) == Floats{6, 5, 4, 3, 2, 1});
  CHECK(copied({1, 6, 5, -1, 5, -1}) == Floats{1, 2, 3, 4, 5, 6});
  CHECK(copied({1, 3, 0, 1, 4, -2}) == Floats{5, 3, 1, 0, 0, 0});
  CHECK(copied({2, 2, 3, 0, 3, 1, 3, -3, 1}) == Floats{4, 5, 6, 1, 2, 3});
  CHECK(copied({2, 2, 3, 0, 3, 1, 2, 3, -1}) == Floats{3, 2, 1, 6, 5, 4});
}

TEST_CASE("empty views and a rank of 32 are accepted") {
  const Kernel& copy = kernelOf(*chosen().body, Family::map, "copy");
  std::vector<float> x = {1, 2}, y = {0, 0}, none;
  const auto run = [&](const std::vector<double>& geometry, Array out, Array in) {
    MapPlan plan;
    Fault fault;
    const bool planned = planMap(plan, copy, geometry.data(), geometry.size(), out, &in, 1, fault);
    REQUIRE_MESSAGE(planned, std::string(fault.text()));
    runMap(plan);
  };
  run({1, 0, 0, 1, 0, 1}, arrayOf(none), arrayOf(none));
  // The strides of an empty view are ignored, even if they are very large.
  run({2, 0, 3, 2, 9007199254740991.0, 1, 0, 9007199254740991.0, 9007199254740991.0}, arrayOf(y), arrayOf(x));
  CHECK(y == std::vector<float>{0, 0});

  // The strides of axes of size 1 are also ignored.
  std::vector<double> geometry = {32};
  for (int d = 0; d < 32; ++d) geometry.push_back(d == 20 ? 2 : 1);
  for (int i = 0; i < 2; ++i) {
    geometry.push_back(0);
    for (int d = 0; d < 32; ++d) geometry.push_back(d == 20 ? 1 : 9007199254740991.0);
  }
  run(geometry, arrayOf(y), arrayOf(x));
  CHECK(y == x);
}
