// Tests random numbers: Philox gives its published test vectors, every body gives the same bits, and the
// distributions are correct. The seeds are fixed, so the result of a test never changes.
#include "kernels/random.h"

#include <algorithm>
#include <cmath>

#include "test/support.h"

// Includes the generator alone, for the test of the published vectors. The test needs all bits of a Philox
// block, but the random numbers that forebay returns do not contain all of them.
#include "kernels/body/prelude.h"
#define FOREBAY_BODY tested
#define FOREBAY_BODY_FMA 0
#include "kernels/body/philox.h"

using namespace forebay;
using namespace forebay::test;

namespace {

constexpr const char* distributions[] = {"uniform", "normal", "truncatedNormal"};

template <class T>
std::vector<T> draw(const Body& body, const char* name, double seed, double run, std::size_t n) {
  std::vector<T> out(n);
  Fault fault;
  const bool drawn = fillRandom(kernelOf(body, Family::random, name), seed, run, arrayOf(out), fault);
  REQUIRE_MESSAGE(drawn, std::string(fault.text()));
  return out;
}

double normalBelow(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

double below(const std::string& name, double x) {
  if (name == "uniform") return x;
  if (name == "normal") return normalBelow(x);
  return (normalBelow(x) - normalBelow(-2)) / (normalBelow(2) - normalBelow(-2));
}

// Returns the Kolmogorov-Smirnov statistic: sqrt(n) times the largest distance between the distribution
// function of `values` and the exact one.
template <class T>
double distance(const std::string& name, std::vector<T> values) {
  std::sort(values.begin(), values.end());
  const double n = static_cast<double>(values.size());
  double largest = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double expected = below(name, static_cast<double>(values[i]));
    const double rank = static_cast<double>(i);
    largest = std::max({largest, std::fabs(expected - rank / n), std::fabs(expected - (rank + 1) / n)});
  }
  return std::sqrt(n) * largest;
}

struct Moments {
  double mean = 0, variance = 0, skewness = 0, kurtosis = 0, correlation = 0;
};

template <class T>
Moments momentsOf(const std::vector<T>& values) {
  Moments m;
  const double n = static_cast<double>(values.size());
  for (const T value : values) m.mean += static_cast<double>(value) / n;
  double last = 0;
  for (const T value : values) {
    const double d = static_cast<double>(value) - m.mean;
    m.variance += d * d / n;
    m.skewness += d * d * d / n;
    m.kurtosis += d * d * d * d / n;
    m.correlation += d * last / n;
    last = d;
  }
  m.skewness /= std::pow(m.variance, 1.5);
  m.kurtosis /= m.variance * m.variance;
  m.correlation /= m.variance;
  return m;
}

}  // namespace

TEST_CASE("Philox4x32-10 gives Random123's known answers") {
  struct Vector {
    std::uint64_t seed, run, block;
    std::uint32_t words[4];
  };
  const std::uint64_t ones = ~std::uint64_t(0);
  const Vector vectors[] = {
      {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {ones, ones, ones, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {0x299f31d0a4093822,
       0x0370734413198a2e,
       0x85a308d3243f6a88,
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (const Vector& vector : vectors) {
    const tested::Words w = tested::philox(vector.seed, vector.run, vector.block);
    for (int k = 0; k < 4; ++k) CHECK(w.word[k] == vector.words[k]);

    // Checks that every body computes its draws from these words. An element has a number of 64 bits, so a
    // draw has fewer blocks than Philox.
    const std::uint64_t block = vector.block % (std::uint64_t(1) << 60);
    const tested::Words words = tested::philox(vector.seed, vector.run, block);
    for (const Body* body : supportedBodies()) {
      CAPTURE(std::string(body->name));
      float y[4];
      double z[2];
      const Kernel& uniform = kernelOf(*body, Family::random, "uniform");
      uniform.routine(DType::float32).fill(vector.seed, vector.run, block * 4, 1, y, 4);
      uniform.routine(DType::float64).fill(vector.seed, vector.run, block * 2, 1, z, 2);
      for (int k = 0; k < 4; ++k) CHECK(y[k] == static_cast<float>(words.word[k] >> 8) / 16777216.0f);
      for (int k = 0; k < 2; ++k) {
        const std::uint64_t bits = std::uint64_t(words.word[2 * k + 1]) << 32 | words.word[2 * k];
        CHECK(z[k] == static_cast<double>(bits >> 11) / 9007199254740992.0);
      }
    }
  }
}

TEST_CASE_TEMPLATE("a normal is the Box-Muller transform of its block", T, float, double) {
  const std::vector<T> values = draw<T>(*chosen().body, "normal", 77, 3, 400);
  constexpr std::size_t per = 16 / sizeof(T);
  for (std::size_t block = 0; block < values.size() / per; ++block) {
    const tested::Words w = tested::philox(77, 3, block);
    for (std::size_t pair = 0; pair < per / 2; ++pair) {
      double u1 = 0, u2 = 0;
      if (sizeof(T) == 4) {
        u1 = (static_cast<double>(w.word[2 * pair]) + 1) / 4294967296.0;
        u2 = static_cast<double>(w.word[2 * pair + 1]) / 4294967296.0;
      } else {
        u1 = static_cast<double>(((std::uint64_t(w.word[1]) << 32 | w.word[0]) >> 11) + 1) /
             9007199254740992.0;
        u2 = static_cast<double>((std::uint64_t(w.word[3]) << 32 | w.word[2]) >> 11) / 9007199254740992.0;
      }
      const double radius = std::sqrt(-2 * std::log(u1)), angle = 2 * 3.14159265358979323846 * u2;
      const double tolerance = sizeof(T) == 4 ? 1e-6 : 1e-14;
      CHECK(static_cast<double>(values[block * per + 2 * pair]) ==
            doctest::Approx(radius * std::cos(angle)).epsilon(tolerance));
      CHECK(static_cast<double>(values[block * per + 2 * pair + 1]) ==
            doctest::Approx(radius * std::sin(angle)).epsilon(tolerance));
    }
  }
}

TEST_CASE_TEMPLATE("every body draws the same bits", T, float, double) {
  for (const char* name : distributions) {
    CAPTURE(std::string(name));
    const std::vector<T> expected = draw<T>(*bodies[0], name, 123456789012345, 42, 10007);
    for (const Body* body : supportedBodies())
      CHECK(draw<T>(*body, name, 123456789012345, 42, 10007) == expected);
  }
}

TEST_CASE_TEMPLATE("an element depends on the seed and the run, but not on the number of elements", T, float,
                   double) {
  for (const Body* body : supportedBodies()) {
    for (const char* name : distributions) {
      CAPTURE(std::string(name));
      const std::vector<T> all = draw<T>(*body, name, 5, 6, 1000);
      for (const std::size_t n : lengths) {
        const std::vector<T> some = draw<T>(*body, name, 5, 6, n);
        CHECK(std::equal(some.begin(), some.end(), all.begin()));
      }
      const double big = 4294967296.0;  // the numbers must also depend on the high words
      for (const auto& [seed, run] :
           {std::pair(6.0, 6.0), {5.0, 7.0}, {5.0 + big, 6.0}, {5.0, 6.0 + big}, {6.0, 5.0}}) {
        const std::vector<T> other = draw<T>(*body, name, seed, run, 1000);
        std::size_t equal = 0;
        for (std::size_t i = 0; i < 1000; ++i) equal += all[i] == other[i];
        CHECK(equal <= 1);
      }
    }
  }
}

TEST_CASE_TEMPLATE("any elements of a draw, with any distance, have the same bits in every body", T, float,
                   double) {
  constexpr std::int64_t size = 6000;
  for (const char* name : distributions) {
    const std::vector<T> all = draw<T>(*chosen().body, name, 5, 6, size);
    for (const Body* body : supportedBodies()) {
      const FillFn fill = kernelOf(*body, Family::random, name).routine(dtypeOf<T>).fill;
      for (const std::int64_t step : {1, 2, 3, 4, 7, 100, 0, -1, -2, -5, -100}) {
        for (const std::int64_t first : {0, 1, 2, 3, 5, 255, 256, 3001, 5998, 5999}) {
          for (const int count : {1, 2, 3, 7, 8, 31, 32, 33, 63, 64, 65, 250, 256, 300, 600}) {
            const std::int64_t last = first + (count - 1) * step;
            if (last < 0 || last >= size) continue;
            CAPTURE(std::string(body->name));
            CAPTURE(step);
            CAPTURE(first);
            CAPTURE(count);
            std::vector<T> some(static_cast<std::size_t>(count));
            fill(5, 6, static_cast<std::uint64_t>(first), step, some.data(), some.size());
            bool equal = true;
            for (int i = 0; i < count; ++i)
              equal = equal &&
                      some[static_cast<std::size_t>(i)] == all[static_cast<std::size_t>(first + i * step)];
            CHECK(equal);
          }
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("a truncated normal is the normal if that is within 2", T, float, double) {
  const std::vector<T> normal = draw<T>(*chosen().body, "normal", 8, 9, 100000);
  const std::vector<T> truncated = draw<T>(*chosen().body, "truncatedNormal", 8, 9, 100000);
  std::size_t redrawn = 0;
  for (std::size_t i = 0; i < normal.size(); ++i) {
    REQUIRE(std::fabs(truncated[i]) <= 2);
    if (std::fabs(normal[i]) <= 2) {
      REQUIRE(truncated[i] == normal[i]);
      continue;
    }
    // The expected value is the first value within [-2, 2] in the extra blocks of this element, from which no
    // other element is drawn.
    ++redrawn;
    T expected = 3;
    for (std::uint64_t attempt = 1; std::fabs(expected) > 2; ++attempt) {
      T block[16 / sizeof(T)];
      kernelOf(*chosen().body, Family::random, "normal")
          .routine(dtypeOf<T>)
          .fill(8, 9, (i + (attempt << 56)) * std::size(block), 1, block, std::size(block));
      for (const T value : block) {
        if (std::fabs(expected) > 2) expected = value;
      }
    }
    REQUIRE(truncated[i] == expected);
  }
  CHECK(redrawn > 4300);  // 4,550 expected
  CHECK(redrawn < 4800);
}

TEST_CASE_TEMPLATE("distributions: Kolmogorov-Smirnov and moments", T, float, double) {
  constexpr std::size_t n = 400000;
  struct Expected {
    const char* name;
    double mean, variance, kurtosis;
  };
  // If a normal distribution is truncated at 2, its variance is 1 - 4 phi(2) / (2 Phi(2) - 1). Its fourth
  // moment is derived by integration by parts.
  for (const Expected& expected : {Expected{"uniform", 0.5, 1.0 / 12, 1.8}, Expected{"normal", 0, 1, 3},
                                   Expected{"truncatedNormal", 0, 0.7737413, 2.3655367}}) {
    CAPTURE(std::string(expected.name));
    const std::vector<T> values = draw<T>(*chosen().body, expected.name, 2024, 1, n);
    CHECK(distance(expected.name, values) < 1.63);  // 1 in 100 samples exceeds this number
    const Moments m = momentsOf(values);
    const double deviation = std::sqrt(expected.variance);
    CHECK(std::fabs(m.mean - expected.mean) < 4 * deviation / std::sqrt(double(n)));
    CHECK(std::fabs(m.variance / expected.variance - 1) < 4 * std::sqrt((expected.kurtosis - 1) / n));
    CHECK(std::fabs(m.skewness) < 4 * std::sqrt(6.0 / n));
    CHECK(std::fabs(m.kurtosis - expected.kurtosis) < 4 * std::sqrt(24.0 / n));
    CHECK(std::fabs(m.correlation) < 4 / std::sqrt(double(n)));
  }
  // Checks that the test can fail: a shift by 0.01 is detected.
  std::vector<T> shifted = draw<T>(*chosen().body, "normal", 2024, 1, n);
  for (T& value : shifted) value += T(0.01);
  CHECK(distance("normal", shifted) > 1.63);
}

TEST_CASE("uniform is in [0, 1) and reaches both ends") {
  const std::vector<float> values = draw<float>(*chosen().body, "uniform", 1, 1, 1000000);
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  CHECK(*low >= 0);
  CHECK(*low < 1e-5f);
  CHECK(*high < 1);
  CHECK(*high > 1 - 1e-5f);
}

TEST_CASE("seeds and runs beyond 2^53 - 1, fractions and wrong kernels are refused") {
  std::vector<float> out(4);
  std::vector<std::int32_t> integers(4);
  const Body& body = *chosen().body;
  const auto refused = [&](const Kernel& kernel, double seed, double run, Array array, const char* part) {
    Fault fault;
    CHECK_FALSE(fillRandom(kernel, seed, run, array, fault));
    INFO(std::string(fault.text()));
    CHECK(std::string(fault.text()).find(part) != std::string::npos);
  };
  const Kernel& normal = kernelOf(body, Family::random, "normal");
  refused(normal, -1, 0, arrayOf(out), "the seed is -1");
  refused(normal, 0.5, 0, arrayOf(out), "the seed is 0.5");
  refused(normal, 9007199254740992.0, 0, arrayOf(out), "the seed is 9007199254740992");
  refused(normal, 0, NAN, arrayOf(out), "the run is nan");
  refused(normal, 0, 0, arrayOf(integers), "does not exist for int32");
  refused(kernelOf(body, Family::map, "add"), 0, 0, arrayOf(out), "is of family map");
  Fault fault;
  CHECK(fillRandom(normal, 9007199254740991.0, 9007199254740991.0, arrayOf(out), fault));
}
