// The routines for convolutions with few terms or few outputs, against loops. Small integers, whose products
// and sums are exact, so that every order of additions gives the same result.
#include <algorithm>
#include <vector>

#include "kernels/bodies.h"
#include "kernels/conv_routines.h"
#include "kernels/gemm_routines.h"
#include "test/support.h"

using namespace forebay;
using namespace forebay::test;

namespace {

template <class T>
class FewTest {
 public:
  explicit FewTest(const Body& body)
      : gemm_(body.gemm[sizeof(T) == 8 ? 1 : 0]), conv_(body.conv[sizeof(T) == 8 ? 1 : 0]) {}

  void shortProducts() {
    const std::int64_t width = gemm_.panelWidth;
    for (std::int64_t terms = 1; terms <= 12; ++terms) {
      for (const std::int64_t n : {std::int64_t(1), width / 2, width - 1, width, width + 1, 2 * width}) {
        for (const std::int64_t pixels : {1, 2, 7, 28}) shortProduct(terms, n, 3, pixels);
      }
    }
  }

  void rowDots() {
    for (const std::int64_t taps : {3, 5}) {
      for (std::int64_t pixels = 1; pixels < 36; ++pixels) {
        for (std::int64_t before = 0; before < taps; ++before) {
          for (std::int64_t after = 0; after < taps; ++after) rowOfDots(taps, pixels, before, after);
        }
      }
    }
  }

 private:
  std::vector<T> integers(std::int64_t count) {
    std::vector<T> values(static_cast<std::size_t>(count));
    for (T& value : values) value = static_cast<T>(between(generator_, -8, 8));
    return values;
  }

  static T& at(std::vector<T>& values, std::int64_t index) { return values[static_cast<std::size_t>(index)]; }

  void shortProduct(std::int64_t terms, std::int64_t n, std::int64_t rows, std::int64_t pixels) {
    CAPTURE(terms);
    CAPTURE(n);
    CAPTURE(pixels);
    const std::int64_t width = gemm_.panelWidth, panels = (n + width - 1) / width;
    std::vector<std::int64_t> offsets;
    for (std::int64_t t = 0; t < terms; ++t) offsets.push_back(between(generator_, 0, 50));
    const std::int64_t end = *std::max_element(offsets.begin(), offsets.end());
    const std::int64_t aStep = between(generator_, 1, 3), aRow = between(generator_, 0, 90),
                       cStep = n + between(generator_, 0, 3),
                       cRow = pixels * cStep + between(generator_, 0, 5);
    // The last panel ends after column n, so that an access after it is found.
    std::vector<T> a = integers((rows - 1) * aRow + (pixels - 1) * aStep + end + 1),
                   b = integers((panels * terms - 1) * width + n - (panels - 1) * width),
                   c = integers((rows - 1) * cRow + (pixels - 1) * cStep + n), expected = c;
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t i = 0; i < pixels; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          T& sum = at(expected, r * cRow + i * cStep + j);
          sum = 0;
          for (std::int64_t t = 0; t < terms; ++t) {
            sum += at(a, r * aRow + i * aStep + offsets[static_cast<std::size_t>(t)]) *
                   at(b, j / width * terms * width + t * width + j % width);
          }
        }
      }
    }
    conv_.shortProduct({offsets.data(), terms, rows, pixels, n, aStep, aRow, cStep, cRow, terms * width},
                       a.data(), b.data(), c.data());
    CHECK(c == expected);
  }

  void rowOfDots(std::int64_t taps, std::int64_t pixels, std::int64_t before, std::int64_t after) {
    CAPTURE(taps);
    CAPTURE(pixels);
    CAPTURE(before);
    CAPTURE(after);
    ConvRowDots s = {};
    s.pixels = pixels;
    s.first = -before;
    s.source = pixels + taps - 1 - before - after;
    s.tapRows = between(generator_, 1, 3);
    s.tapColumns = taps;
    s.depth = conv_.lanes * between(generator_, 1, 3);
    s.aPixel = s.depth + between(generator_, 0, 3);
    s.aRow = s.source * s.aPixel + between(generator_, 0, 3);
    s.bColumn = s.tapRows * taps * s.depth;
    s.n = between(generator_, 1, mostConvDots);
    s.cPixel = s.n + between(generator_, 0, 2);
    if (s.source < 1) return;
    if (!s.isPossible()) {
      CHECK(s.source < pixels - before);
      return;
    }
    // An access outside of the source is found.
    std::vector<T> a = integers((s.tapRows - 1) * s.aRow + (s.source - 1) * s.aPixel + s.depth),
                   b = integers(s.n * s.bColumn), c = integers((pixels - 1) * s.cPixel + s.n), expected = c;
    for (std::int64_t x = 0; x < pixels; ++x) {
      for (std::int64_t j = 0; j < s.n; ++j) {
        T& sum = at(expected, x * s.cPixel + j);
        sum = 0;
        for (std::int64_t i = 0; i < s.tapRows; ++i) {
          for (std::int64_t t = 0; t < taps; ++t) {
            const std::int64_t column = s.first + x + t;
            for (std::int64_t k = 0; column >= 0 && column < s.source && k < s.depth; ++k) {
              const std::int64_t lane = k % conv_.lanes;
              sum += at(a, i * s.aRow + column * s.aPixel + k) *
                     at(b, j * s.bColumn + (i * s.depth + k - lane) * taps + t * conv_.lanes + lane);
            }
          }
        }
      }
    }
    conv_.rowDots(s, a.data(), b.data(), c.data());
    CHECK(c == expected);
  }

  Generator generator_{12};
  const GemmRoutines& gemm_;
  const ConvRoutines& conv_;
};

}  // namespace

TEST_CASE("products with few terms equal loops, for several rows of pixels, with every body") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(body->name);
    FewTest<float>(*body).shortProducts();
    FewTest<double>(*body).shortProducts();
  }
}

TEST_CASE("rows of dot products equal loops, for all numbers of pixels and paddings, with every body") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(body->name);
    FewTest<float>(*body).rowDots();
    FewTest<double>(*body).rowDots();
  }
}
