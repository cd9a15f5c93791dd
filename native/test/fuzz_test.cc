// Calls kernels with random geometry (offsets, sizes and strides). Every call must be refused or stay within
// its arrays. The arrays are on the heap and have exactly the required size, so that ASAN ends the run at any
// access outside them.
#include <cmath>

#include "kernels/map.h"
#include "kernels/product.h"
#include "kernels/random.h"
#include "kernels/reduce.h"
#include "test/support.h"

using namespace forebay;
using namespace forebay::test;

namespace {

// Returns mostly small numbers, so that many calls are accepted, and sometimes a hostile number.
double someNumber(Generator& generator) {
  static const double hostile[] = {
      -1,           0.5,  NAN,   INFINITY,           2147483647,         2147483648.0,
      4294967296.0, 1e18, 1e300, 9007199254740991.0, 9007199254740990.0, 4503599627370496.0,
      3037000500.0};
  if (between(generator, 0, 19) == 0) return hostile[between(generator, 0, 12)];
  return static_cast<double>(between(generator, 0, 4));
}

std::vector<double> someNumbers(Generator& generator, std::size_t n) {
  std::vector<double> numbers(n);
  for (double& number : numbers) number = someNumber(generator);
  return numbers;
}

struct Memory {
  std::vector<float> floats;
  std::vector<double> doubles;
  std::vector<std::int32_t> integers;

  Memory(Generator& generator)
      : floats(static_cast<std::size_t>(between(generator, 0, 60))),
        doubles(static_cast<std::size_t>(between(generator, 0, 60))),
        integers(static_cast<std::size_t>(between(generator, 0, 60))) {}

  Array some(Generator& generator) {
    const std::int64_t which = between(generator, 0, 9);
    return which < 6 ? arrayOf(floats) : which < 8 ? arrayOf(doubles) : arrayOf(integers);
  }
};

// Calls with longer loops are valid, but could take days, so this test does not run them.
constexpr std::int64_t patience = 100000;

}  // namespace

TEST_CASE("hostile geometry never leaves the arrays") {
  const Body& body = *chosen().body;
  Generator generator(99);
  int maps = 0, reductions = 0, products = 0;
  for (int round = 0; round < 200000; ++round) {
    Memory memory[4] = {Memory(generator), Memory(generator), Memory(generator), Memory(generator)};
    const Array arrays[4] = {memory[0].some(generator), memory[1].some(generator), memory[2].some(generator),
                             memory[3].some(generator)};
    const Kernel& kernel =
        body.kernels[between(generator, 0, static_cast<std::int64_t>(body.kernelCount) - 1)];
    const auto rank = static_cast<std::size_t>(between(generator, 0, 3));
    Fault fault;
    if (kernel.family == Family::map || kernel.family == Family::cast) {
      const auto arity = static_cast<std::size_t>(kernel.arity);
      std::vector<double> geometry = someNumbers(generator, 1 + rank + (1 + arity) * (1 + rank));
      geometry[0] = static_cast<double>(rank);
      // After the sizes, each operand has an offset and its strides. Some strides are made negative.
      for (std::size_t at = 1 + rank; at < geometry.size(); ++at) {
        const bool stride = (at - 1 - rank) % (1 + rank) != 0;
        if (stride && between(generator, 0, 3) == 0) geometry[at] = -geometry[at];
      }
      MapPlan plan;
      if (!planMap(plan, kernel, geometry.data(), geometry.size(), arrays[0], arrays + 1, kernel.arity,
                   fault)) {
        continue;
      }
      runMap(plan);
      ++maps;
    } else if (kernel.family == Family::reduce) {
      const auto reduced = static_cast<std::size_t>(between(generator, 0, 3));
      std::vector<double> geometry = someNumbers(generator, 4 + 3 * rank + 2 * reduced);
      geometry[0] = static_cast<double>(rank);
      geometry[1] = static_cast<double>(reduced);
      ReducePlan plan;
      if (!planReduce(plan, kernel, geometry.data(), geometry.size(), arrays[0], arrays[1], fault)) continue;
      if (plan.reducedCount > patience) continue;
      runReduce(plan);
      ++reductions;
    } else if (kernel.family == Family::product) {
      std::vector<double> geometry = someNumbers(generator, 12 + 4 * rank);
      geometry[0] = static_cast<double>(rank);
      for (std::size_t i = rank + 4; i < rank + 6; ++i)
        geometry[i] = static_cast<double>(between(generator, 0, 1));
      for (std::size_t i = rank + 6; i < rank + 9; ++i) geometry[i] += 3;
      ProductPlan plan;
      if (!planProduct(plan, kernel, geometry.data(), geometry.size(), 1, 0.5, arrays[0], arrays[1],
                       arrays[2], fault)) {
        continue;
      }
      if (plan.batchCount > patience) continue;
      runProduct(plan);
      ++products;
    } else {
      static_cast<void>(fillRandom(kernel, someNumber(generator), someNumber(generator), arrays[0], fault));
    }
  }
  // If nearly all calls were refused, the test would have no value.
  CHECK(maps > 1000);
  CHECK(reductions > 100);
  CHECK(products > 10);
}
