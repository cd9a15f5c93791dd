// Compares the routines for the windows of pooling (kernels/window_routines.h) of every body with plain
// loops.
#include "kernels/window_routines.h"

#include "test/support.h"

using namespace forebay;
using namespace forebay::test;

namespace {

// Calls body(at, to, index) for the elements of a step.
template <class Visit>
void eachElement(const WindowStep& step, const Visit& visit) {
  for (std::int64_t w = 0; w < step.windows; ++w) {
    for (std::int64_t c = 0; c < step.channels; ++c) {
      visit(static_cast<std::size_t>(w * step.distance + c), static_cast<std::size_t>(w * step.channels + c),
            static_cast<std::int32_t>(step.index + w * step.indexDistance));
    }
  }
}

// Calls hold(step, elements of the image, elements of the other operands) for steps of many forms.
template <class Hold>
void eachStep(const Hold& hold) {
  for (const std::size_t n : lengths) {
    const auto many = static_cast<std::int64_t>(n);
    if (n == 0) continue;
    for (const std::int64_t distance : {1, 2, 3}) {
      const WindowStep along = {many, 1, distance, 5, static_cast<std::int32_t>(distance)};
      hold(along, static_cast<std::size_t>(many * distance), n);
      const WindowStep across = {3, many, many * distance, 7, static_cast<std::int32_t>(distance)};
      hold(across, static_cast<std::size_t>(3 * many * distance), 3 * n);
    }
  }
}

// Returns indices, of which about half are those of a step.
std::vector<std::int32_t> someWinners(Generator& generator, const WindowStep& step, std::size_t n) {
  std::vector<std::int32_t> winners(n);
  eachElement(step, [&](std::size_t, std::size_t to, std::int32_t index) {
    winners[to] = between(generator, 0, 1) == 0 ? index : index + 1;
  });
  return winners;
}

template <class T>
void holdLargest(const Body& body, Generator& generator, int item) {
  eachStep([&](const WindowStep& step, std::size_t elements, std::size_t n) {
    const std::vector<T> image = someValues<T>(generator, elements);
    std::vector<T> best = someValues<T>(generator, n), expectedBest = best;
    std::vector<std::int32_t> winners(n, -1), expected = winners;
    eachElement(step, [&](std::size_t at, std::size_t to, std::int32_t index) {
      if (!(image[at] > expectedBest[to])) return;
      expectedBest[to] = image[at];
      expected[to] = index;
    });
    body.windows->largest[item](step, image.data(), best.data(), winners.data());
    CHECK(best == expectedBest);
    CHECK(winners == expected);

    winners = someWinners(generator, step, n);
    std::vector<T> taken = best;
    eachElement(step, [&](std::size_t at, std::size_t to, std::int32_t index) {
      if (winners[to] == index) expectedBest[to] = image[at];
    });
    body.windows->take[item](step, image.data(), winners.data(), taken.data());
    CHECK(taken == expectedBest);
  });
}

template <class T>
void holdSums(const Body& body, Generator& generator, int item) {
  eachStep([&](const WindowStep& step, std::size_t elements, std::size_t n) {
    std::vector<T> image = someValues<T>(generator, elements), given = image, spread = image;
    const std::vector<T> numbers = someValues<T>(generator, n);
    const std::vector<std::int32_t> winners = someWinners(generator, step, n);
    std::vector<double> sums(n, 0.5), expectedSums = sums;
    std::vector<T> expectedGiven = image, expectedSpread = image;
    eachElement(step, [&](std::size_t at, std::size_t to, std::int32_t index) {
      expectedSums[to] += static_cast<double>(image[at]);
      expectedSpread[at] += numbers[to];
      if (winners[to] == index) expectedGiven[at] += numbers[to];
    });
    body.windows->add[item](step, image.data(), sums.data());
    body.windows->give[item](step, numbers.data(), winners.data(), given.data());
    body.windows->spread[item](step, numbers.data(), spread.data());
    CHECK(sums == expectedSums);
    CHECK(given == expectedGiven);
    CHECK(spread == expectedSpread);
  });
}

}  // namespace

TEST_CASE("steps of pooling windows equal those of loops") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(body->name);
    Generator generator(9);
    holdLargest<float>(*body, generator, 0);
    holdLargest<double>(*body, generator, 1);
    holdLargest<std::int32_t>(*body, generator, 2);
    holdSums<float>(*body, generator, 0);
    holdSums<double>(*body, generator, 1);
  }
}
