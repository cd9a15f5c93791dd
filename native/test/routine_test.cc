// Compares every routine with its reference (routine_plain.cc), on random calls and on special
// numbers.
#include <cmath>
#include <limits>

#include "program/pool.h"
#include "test/program_samples.h"
#include "test/routine_program.h"

using namespace forebay;
using namespace forebay::test;

namespace {

constexpr double notANumber = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T>
void fill(Memory& memory, double buffer, const std::vector<double>& elements) {
  std::vector<T> values;
  for (const double element : elements) values.push_back(static_cast<T>(element));
  memory.set<T>(buffer, values);
}

// Runs a routine once, with elements that are given. Returns the elements of the last write: of `write`, or
// of the last of the `further` ones.
std::vector<double> computed(const char* name, const std::vector<Operand>& reads, const Operand& write,
                             const Code::Numbers& integers, const std::vector<Operand>& further = {}) {
  const RoutineProgram made(name, reads, write, integers, further);
  Memory memory(made.code);
  for (std::size_t i = 0; i < reads.size(); ++i) {
    if (reads[i].type == f32) fill<float>(memory, made.feeds[i], reads[i].elements);
    if (reads[i].type == f64) fill<double>(memory, made.feeds[i], reads[i].elements);
    if (reads[i].type == i32) fill<std::int32_t>(memory, made.feeds[i], reads[i].elements);
  }
  REQUIRE(run(*create(made.code, memory), memory) == RunResult::done);
  const double type = further.empty() ? write.type : further.back().type;
  return type == f32   ? asDoubles(memory.output<float>(further.size()))
         : type == f64 ? asDoubles(memory.output<double>(further.size()))
                       : asDoubles(memory.output<std::int32_t>(further.size()));
}

// Runs a sort along axis 1. Returns its first result, the sorted elements.
std::vector<double> sorted(const Operand& x, double descending) {
  const RoutineProgram made("sort", {x}, {x.type, x.sizes}, {descending}, {{i32, x.sizes}});
  Memory memory(made.code);
  if (x.type == f32) fill<float>(memory, made.feeds[0], x.elements);
  if (x.type == f64) fill<double>(memory, made.feeds[0], x.elements);
  if (x.type == i32) fill<std::int32_t>(memory, made.feeds[0], x.elements);
  REQUIRE(run(*create(made.code, memory), memory) == RunResult::done);
  return x.type == f32   ? asDoubles(memory.output<float>(0))
         : x.type == f64 ? asDoubles(memory.output<double>(0))
                         : asDoubles(memory.output<std::int32_t>(0));
}

bool sameNumbers(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!same(a[i], b[i])) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("every routine equals its reference, with any strides, with one thread and with four") {
  for (std::int64_t id = 0; id < routineCount; ++id) {
    CAPTURE(std::string(routines[id]->name));
    Generator generator(static_cast<std::uint64_t>(id) + 3);
    for (int round = 0; round < 400; ++round) {
      CAPTURE(round);
      Code code;
      Space space(code);
      addRoutine(generator, code, space, *routines[id]);
      holdProgram(code, static_cast<std::uint64_t>(round));
    }
  }
}

TEST_CASE("every routine that writes variables equals its reference, also if it runs twice") {
  int tested = 0;
  for (std::int64_t id = 0; id < routineCount; ++id) {
    if (!routines[id]->updatesLeaves) continue;
    ++tested;
    CAPTURE(std::string(routines[id]->name));
    // If no element fails before the first write, the run would have to stop between two writes.
    CHECK(routines[id]->writes == 1);
    CHECK((!routines[id]->mayFail || routines[id]->checksFirst != nullptr));
    Generator generator(static_cast<std::uint64_t>(id) + 3);
    for (int round = 0; round < 400; ++round) {
      CAPTURE(round);
      Code code;
      Space space(code);
      addRoutine(generator, code, space, *routines[id]);
      code.writesBegin();
      addUpdates(generator, code, space, *routines[id]);
      holdProgram(code, static_cast<std::uint64_t>(round));
    }
  }
  CHECK(tested > 0);
}

TEST_CASE("large routines that are split among threads equal their references") {
  const auto hold = [](const char* name, const std::vector<Operand>& reads, const Operand& write,
                       const Code::Numbers& integers, const std::vector<Operand>& further = {}) {
    CAPTURE(name);
    const RoutineProgram made(name, reads, write, integers, further);
    for (std::uint64_t seed = 0; seed < 2; ++seed) holdProgram(made.code, seed);
  };
  const Operand x = {f32, {3, 700, 90}}, indices = {i32, {900}}, rows = {f32, {3, 900, 90}};
  const Operand along = {i32, {3, 900, 90}}, order = {i32, {3, 700, 90}};
  hold("gather", {x, indices}, rows, {1});
  hold("takeAlongAxis", {x, along}, rows, {1});
  hold("takeLabels", {{f32, {70000, 17}}, {i32, {70000}}}, {f32, {70000}}, {8});
  hold("gatherSum", {{f32, {700, 90}}, {i32, {900, 7}}}, {f32, {900, 90}}, {1});
  hold("gatherSum", {{f64, {70, 23}}, {i32, {3, 1000}}}, {f64, {3, 23}}, {1});
  // The rows take more than 1 MB, so that they are requested in advance.
  hold("gatherSum", {{f32, {1100, 300}}, {i32, {50, 40}}}, {f32, {50, 300}}, {0});
  hold("scatterAdd", {x, indices, rows}, x, {1});
  hold("scatterAdd", {x, {i32, {2700}}, rows}, x, {1});
  hold("scatterAddAlongAxis", {x, along, rows}, x, {1});
  hold("sort", {x}, x, {0}, {order});
  hold("argsort", {x}, order, {1});
  hold("topK", {x}, {i32, {3, 20, 90}}, {});
  hold("cumsum", {x}, x, {0});
  // A product of more elements is not finite.
  const Operand factors = {f32, {700, 17, 90}};
  hold("cumprod", {factors}, factors, {});
  hold("recurrence", {factors, factors}, factors, {0});
  hold("recurrence", {factors, factors}, factors, {1});
  hold("argmin", {x}, {i32, {3, 90}}, {});
  for (const bool last : {false, true}) {
    CAPTURE(last);
    const auto images = [&](double type, double height, double width) -> Operand {
      if (last) return {type, {3, height, width, 40}};
      return {type, {3, 40, height, width}};
    };
    const Operand planes = images(f32, 66, 30), pooled = images(f32, 33, 15), winners = images(i32, 33, 15);
    const Code::Numbers windows = {3, 3, 2, 2, 1, 1, 1, 0, 1, 0, last ? 1.0 : 0.0};
    hold("maxPool", {planes}, winners, windows);
    hold("maxPoolValues", {planes, winners}, pooled, windows);
    hold("maxPoolGradient", {pooled, winners}, planes, windows);
    Code::Numbers counting = windows;
    counting.push_back(1);
    hold("avgPool", {planes}, pooled, counting);
    hold("avgPoolGradient", {pooled}, planes, counting);
  }
}

TEST_CASE("gather and scatterAdd whose results are written around the caches equal their references") {
  // The results have more than 16 MB.
  const Operand x = {f32, {1, 9000, 512}}, indices = {i32, {9001}}, rows = {f32, {1, 9001, 512}};
  for (const char* name : {"gather", "scatterAdd"}) {
    CAPTURE(name);
    const bool adds = std::string(name) == "scatterAdd";
    const RoutineProgram made(
        name, adds ? std::vector<Operand>{x, indices, rows} : std::vector<Operand>{x, indices},
        adds ? x : rows, {1});
    holdProgram(made.code);
    if (!adds) continue;
    // Only rows that are added to a single element are written around the caches.
    Code single = made.code;
    Code::Numbers& call = single.instructions[0];
    const auto strides = call.begin() + 3 + 4 + 1 + 3 + 2;
    REQUIRE((strides[0] == 9000 * 512 && strides[1] == 512 && strides[2] == 1));
    std::fill_n(strides, 3, 0.0);
    holdProgram(single);
  }
}

TEST_CASE("no updates leave the table as it is") {
  // The indices and updates have no memory at all, so that no address may be computed from theirs.
  const Operand x = {f32, {2, 3, 2}}, none = {i32, {2, 0, 2}}, nothing = {f32, {2, 0, 2}};
  const RoutineProgram along("scatterAddAlongAxis", {x, none, nothing}, x, {1});
  holdProgram(along.code);
  const RoutineProgram rows("scatterAdd", {x, {i32, {0}}, nothing}, x, {1});
  holdProgram(rows.code);
}

TEST_CASE("sorts are stable, and NaN counts as the largest number") {
  for (const double type : {f32, f64}) {
    CAPTURE(type);
    const Operand x = {type, {1, 8, 1}, {2, notANumber, -infinity, 0.0, -0.0, notANumber, infinity, -3}};
    const Operand order = {i32, {1, 8, 1}};
    CHECK(sameNumbers(sorted(x, 0), {-infinity, -3, 0.0, -0.0, 2, infinity, notANumber, notANumber}));
    CHECK(sameNumbers(sorted(x, 1), {notANumber, notANumber, infinity, 2, 0.0, -0.0, -3, -infinity}));
    for (const double descending : {0, 1}) {
      CHECK(computed("sort", {x}, {type, {1, 8, 1}}, {descending}, {order}) ==
            computed("argsort", {x}, order, {descending}));
    }
    CHECK(computed("argsort", {x}, order, {0}) == std::vector<double>{2, 7, 3, 4, 0, 6, 1, 5});
    CHECK(computed("argsort", {x}, order, {1}) == std::vector<double>{1, 5, 6, 0, 3, 4, 7, 2});
    CHECK(computed("topK", {x}, {i32, {1, 5, 1}}, {}) == std::vector<double>{1, 5, 6, 0, 3});
    CHECK(computed("argmin", {x}, {i32, {1, 1}}, {}) == std::vector<double>{1});
  }
  const double least = std::numeric_limits<std::int32_t>::min(),
               most = std::numeric_limits<std::int32_t>::max();
  CHECK(sorted({i32, {1, 5, 1}, {0, most, -1, least, 1}}, 0) == std::vector<double>{least, -1, 0, 1, most});
  CHECK(computed("cumsum", {{i32, {1, 3, 1}, {most, 1, -1}}}, {i32, {1, 3, 1}}, {0}) ==
        std::vector<double>{most, least, most});
}

TEST_CASE("running products pass zeros, and the adjoint of a recurrence is the reverse one") {
  for (const double type : {f32, f64}) {
    CAPTURE(type);
    const Operand out = {type, {1, 4, 1}};
    const Operand b = {type, {1, 4, 1}, {1, 2, 3, 4}}, a = {type, {1, 4, 1}, {notANumber, 2, 0, -1}};
    CHECK(computed("cumprod", {{type, {1, 4, 1}, {3, -2, 0, 5}}}, out, {}) ==
          std::vector<double>{3, -6, 0, 0});
    // The first factor is not read.
    CHECK(computed("recurrence", {b, a}, out, {0}) == std::vector<double>{1, 4, 3, 1});
    CHECK(computed("recurrence", {b, a}, out, {1}) == std::vector<double>{5, 2, -1, 4});
  }
}

TEST_CASE("maxPool takes the first of ties, and a NaN") {
  // Windows of 2 x 2 with stride 2 over 2 x 6, and a window that has only minus infinity.
  const Operand x = {f32,
                     {1, 1, 2, 8},
                     {5, 5, 1, notANumber, 3, notANumber, -infinity, -infinity,  //
                      5, 5, 9, 7, 8, notANumber, -infinity, -infinity}};
  const Operand values = {f32, {1, 1, 1, 4}}, winners = {i32, {1, 1, 1, 4}, {0, 3, 5, 6}};
  const Code::Numbers windows = {2, 2, 2, 2, 1, 1, 0, 0, 0, 0, 0};
  CHECK(computed("maxPool", {x}, winners, windows) == winners.elements);
  CHECK(sameNumbers(computed("maxPoolValues", {x, winners}, values, windows),
                    {5, notANumber, notANumber, -infinity}));
  // With padding of 1 at the left, the windows are the columns {0}, {1, 2}, {3, 4}, {5, 6} and {7}.
  CHECK(computed("maxPool", {x}, {i32, {1, 1, 1, 5}}, {2, 2, 2, 2, 1, 1, 0, 0, 1, 1, 0}) ==
        std::vector<double>{0, 10, 3, 5, 7});
  const double least = std::numeric_limits<std::int32_t>::min();
  CHECK(computed("maxPool", {{i32, {1, 1, 1, 4}, {least, least, least, -1}}}, {i32, {1, 1, 1, 2}},
                 {1, 2, 1, 2, 1, 1, 0, 0, 0, 0, 0}) == std::vector<double>{0, 3});
}

namespace {

// Compares the results of both orders of the axes, for images of 3 channels with ties and NaN. The windows
// have the stride 2.
void holdPoolingOrders(std::size_t height, std::size_t width, std::size_t size, std::size_t padding) {
  constexpr std::size_t batch = 2, channels = 3;
  const std::size_t rows = (height + 2 * padding - size) / 2 + 1,
                    columns = (width + 2 * padding - size) / 2 + 1;
  CAPTURE(width);
  CAPTURE(size);
  std::vector<double> elements(batch * channels * height * width), given(batch * channels * rows * columns);
  Generator generator(6);
  for (double& element : elements) {
    const std::int64_t number = between(generator, -3, 4);
    element = number == 4 ? notANumber : static_cast<double>(number) / 3;
  }
  for (double& number : given) number = static_cast<double>(between(generator, -99, 99)) / 7;
  // Moves the channels of images of h x w to the last axis.
  const auto moved = [&](const std::vector<double>& from, std::size_t h, std::size_t w) {
    std::vector<double> to;
    for (std::size_t b = 0; b < batch; ++b) {
      for (std::size_t i = 0; i < h * w; ++i) {
        for (std::size_t c = 0; c < channels; ++c) to.push_back(from[(b * channels + c) * h * w + i]);
      }
    }
    return to;
  };
  const auto first = [&](double type, std::size_t h, std::size_t w,
                         const std::vector<double>& of = {}) -> Operand {
    return {type, {batch, channels, static_cast<double>(h), static_cast<double>(w)}, of};
  };
  const auto last = [&](double type, std::size_t h, std::size_t w,
                        const std::vector<double>& of = {}) -> Operand {
    return {type, {batch, static_cast<double>(h), static_cast<double>(w), channels}, of};
  };
  const auto withFlag = [&](double flag, bool counts) {
    const auto n = static_cast<double>(size), p = static_cast<double>(padding);
    Code::Numbers integers = {n, n, 2, 2, 1, 1, p, p, p, p, flag};
    if (counts) integers.push_back(0);
    return integers;
  };
  const std::vector<double> x = moved(elements, height, width), g = moved(given, rows, columns);
  const std::vector<double> winners = computed("maxPool", {first(f32, height, width, elements)},
                                               first(i32, rows, columns), withFlag(0, false));
  const std::vector<double> lasts = moved(winners, rows, columns);
  CHECK(computed("maxPool", {last(f32, height, width, x)}, last(i32, rows, columns), withFlag(1, false)) ==
        lasts);
  for (const double type : {f32, f64}) {
    CHECK(
        sameNumbers(computed("maxPoolValues", {last(type, height, width, x), last(i32, rows, columns, lasts)},
                             last(type, rows, columns), withFlag(1, false)),
                    moved(computed("maxPoolValues",
                                   {first(type, height, width, elements), first(i32, rows, columns, winners)},
                                   first(type, rows, columns), withFlag(0, false)),
                          rows, columns)));
    CHECK(computed("maxPoolGradient", {last(type, rows, columns, g), last(i32, rows, columns, lasts)},
                   last(type, height, width), withFlag(1, false)) ==
          moved(computed("maxPoolGradient",
                         {first(type, rows, columns, given), first(i32, rows, columns, winners)},
                         first(type, height, width), withFlag(0, false)),
                height, width));
    CHECK(sameNumbers(
        computed("avgPool", {last(type, height, width, x)}, last(type, rows, columns), withFlag(1, true)),
        moved(computed("avgPool", {first(type, height, width, elements)}, first(type, rows, columns),
                       withFlag(0, true)),
              rows, columns)));
    CHECK(computed("avgPoolGradient", {last(type, rows, columns, g)}, last(type, height, width),
                   withFlag(1, true)) ==
          moved(computed("avgPoolGradient", {first(type, rows, columns, given)}, first(type, height, width),
                         withFlag(0, true)),
                height, width));
  }
}

}  // namespace

TEST_CASE("pooling computes the same bits with channels last") {
  for (const std::size_t width : {5u, 7u, 16u, 41u}) {
    holdPoolingOrders(5, width, 2, 0);
    holdPoolingOrders(6, width, 2, 1);
    holdPoolingOrders(5, width, 3, 1);
  }
}

TEST_CASE("maxPoolValues and maxPoolGradient ignore an index that is not in its window") {
  const Operand x = {f32, {1, 1, 1, 4}, {1, 2, 3, 4}}, pair = {f32, {1, 1, 1, 2}, {5, 6}};
  const Code::Numbers windows = {1, 2, 1, 2, 1, 1, 0, 0, 0, 0, 0};
  const double most = std::numeric_limits<std::int32_t>::max();
  for (const double wrong : {2.0, -1.0, most, -most - 1}) {
    const Operand indices = {i32, {1, 1, 1, 2}, {wrong, 3}};
    CHECK(computed("maxPoolValues", {x, indices}, pair, windows) == std::vector<double>{0, 4});
    CHECK(computed("maxPoolGradient", {pair, indices}, x, windows) == std::vector<double>{0, 0, 0, 6});
  }
}

TEST_CASE("avgPool counts padding, or does not") {
  const Operand x = {f64, {1, 1, 1, 3}, {2, 4, 6}};
  CHECK(computed("avgPool", {x}, {f64, {1, 1, 1, 2}}, {1, 2, 1, 2, 1, 1, 0, 0, 1, 0, 0, 1}) ==
        std::vector<double>{1, 5});
  CHECK(computed("avgPool", {x}, {f64, {1, 1, 1, 2}}, {1, 2, 1, 2, 1, 1, 0, 0, 1, 0, 0, 0}) ==
        std::vector<double>{2, 5});
  // The last window reaches beyond the padding, as with `ceil`. Positions beyond the padding do not count.
  CHECK(computed("avgPool", {x}, {f64, {1, 1, 1, 2}}, {1, 3, 1, 2, 1, 1, 0, 0, 0, 0, 0, 1}) ==
        std::vector<double>{4, 6});
  CHECK(computed("avgPool", {x}, {f64, {1, 1, 1, 2}}, {1, 4, 1, 2, 1, 1, 0, 0, 0, 1, 0, 1}) ==
        std::vector<double>{3, 3});
}

TEST_CASE("a routine whose result is NaN or infinite is found if results are checked") {
  const RoutineProgram made("cumsum", {{f32, {1, 4, 1}}}, {f32, {1, 4, 1}}, {0});
  Memory memory(made.code);
  const std::unique_ptr<Program> program = create(made.code, memory);
  memory.set<float>(made.feeds[0], {1, 3e38F, 3e38F, 1});
  RunArguments arguments;
  CHECK(run(*program, memory, arguments) == RunResult::done);
  arguments.checkFinite = true;
  RunFailure failure;
  CHECK(run(*program, memory, arguments, &failure) == RunResult::notFinite);
  CHECK(failure.instruction == 0);
  CHECK_FALSE(failure.outOfRange);
}
