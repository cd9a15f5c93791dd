// Compares the routines for the windows of pooling (kernels/window_routines.h) of every body with plain
// loops.
#include "kernels/window_routines.h"

#include <cstring>
#include <limits>
#include <type_traits>

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

// Calls body(at, index, window) for the elements of a row of windows.
template <class Visit>
void eachElementOf(const WindowRow& row, const Visit& visit) {
  for (std::int64_t w = 0; w < row.windows; ++w) {
    for (std::int64_t line = 0; line < row.lines; ++line) {
      for (std::int64_t step = 0; step < row.steps; ++step) {
        const std::int64_t along = w * row.distance + step * row.stepDistance;
        visit(static_cast<std::size_t>(line * row.lineDistance + along),
              static_cast<std::int32_t>(row.index + line * row.lineIndices + along),
              static_cast<std::size_t>(w));
      }
    }
  }
}

// Calls hold(row, elements of the image) for rows of windows of many forms.
template <class Hold>
void eachWindowRow(const Hold& hold) {
  for (const std::size_t n : lengths) {
    const auto windows = static_cast<std::int64_t>(n);
    if (windows < leastWindows) continue;
    for (const std::int64_t distance : {1, 2, 3}) {
      for (const std::int64_t dilation : {1, 2}) {
        const std::int64_t width = (windows - 1) * distance + 2 * dilation + 1;
        const WindowRow row = {windows, distance, 3, dilation,
                               2,       width,    5, static_cast<std::int32_t>(width + 1)};
        hold(row, static_cast<std::size_t>(2 * width));
      }
    }
  }
}

template <class T>
bool sameBits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

template <class T>
void holdLargestOfRow(const Body& body, Generator& generator, int item) {
  eachWindowRow([&](const WindowRow& row, std::size_t elements) {
    std::vector<T> image = someValues<T>(generator, elements);
    if constexpr (std::is_floating_point_v<T>) {
      for (std::size_t i = 0; i < elements; i += 7) image[i] = std::numeric_limits<T>::quiet_NaN();
      for (std::size_t i = 1; i < elements; i += 3) image[i] = -std::numeric_limits<T>::infinity();
    }
    const auto n = static_cast<std::size_t>(row.windows);
    const T least =
        std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
    std::vector<std::int32_t> winners(n, -1), expected(n, -1);
    std::vector<T> best(n), taken(n);
    eachElementOf(row, [&](std::size_t at, std::int32_t index, std::size_t window) {
      const T value = image[at], held = best[window];
      const bool isFirst = expected[window] == -1, isNaN = value != value, heldNaN = held != held;
      if (!isFirst && (heldNaN || !(isNaN || value > held))) return;
      best[window] = value;
      expected[window] = index;
    });
    body.windows->largestOfRow[item](row, image.data(), &least, winners.data());
    CHECK(winners == expected);

    winners[n / 2] = -1;
    best[n / 2] = T(0);
    body.windows->takeRow[item](row, image.data(), winners.data(), taken.data());
    CHECK(sameBits(best, taken));
  });
}

template <class T>
void holdRowSums(const Body& body, Generator& generator, int item) {
  eachWindowRow([&](const WindowRow& row, std::size_t elements) {
    const std::vector<T> image = someValues<T>(generator, elements);
    const auto n = static_cast<std::size_t>(row.windows);
    std::vector<double> sums(n);
    eachElementOf(row, [&](std::size_t at, std::int32_t, std::size_t window) {
      sums[window] += static_cast<double>(image[at]);
    });
    std::vector<T> means(n), expected(n), numbers = someValues<T>(generator, n);
    for (std::size_t w = 0; w < n; ++w) expected[w] = static_cast<T>(sums[w] / 6.0);
    body.windows->averageRow[item](row, image.data(), 6.0, means.data());
    CHECK(means == expected);

    numbers[0] = T(-0.0);
    const WindowStep step = {row.windows, 1, 2, 9, 2};
    const std::vector<std::int32_t> winners = someWinners(generator, step, n);
    std::vector<T> given(2 * n, T(3)), spread(2 * n, T(3)), expectedGiven(2 * n), expectedSpread(2 * n);
    for (std::size_t i = 0; i < 2 * n; ++i) {
      if (winners[i / 2] == static_cast<std::int32_t>(9 + i)) expectedGiven[i] += numbers[i / 2];
      expectedSpread[i] += static_cast<T>(static_cast<double>(numbers[i / 2]) / 6.0);
    }
    body.windows->givePairs[item](row.windows, numbers.data(), winners.data(), 9, given.data());
    body.windows->spreadPairs[item](row.windows, numbers.data(), 6.0, spread.data());
    CHECK(sameBits(given, expectedGiven));
    CHECK(sameBits(spread, expectedSpread));
  });
}

}  // namespace

TEST_CASE("rows of pooling windows equal those of loops") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(body->name);
    Generator generator(11);
    holdLargestOfRow<float>(*body, generator, 0);
    holdLargestOfRow<double>(*body, generator, 1);
    holdLargestOfRow<std::int32_t>(*body, generator, 2);
    holdRowSums<float>(*body, generator, 0);
    holdRowSums<double>(*body, generator, 1);
  }
}

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
