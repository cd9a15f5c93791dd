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
