// Compares matrix products with three loops in double, for transposes, gaps, batches, and sizes of zero.
#include "kernels/product.h"

#include <cmath>
#include <limits>

#include "test/support.h"

using namespace forebay;
using namespace forebay::test;

namespace {

struct Shape {
  std::int64_t m, n, k;
  bool transA, transB;
  std::int64_t padA = 0, padB = 0, padC = 0;  // elements of padding after each row
};

// Computes and checks a product with one batch axis. `aStep` and `bStep` are the distances from batch to
// batch, in matrices; 0 broadcasts the matrix.
template <class T>
void hold(const Shape& s, std::int64_t batches, std::int64_t aStep, std::int64_t bStep, double alpha,
          double beta, T before) {
  const std::int64_t aRows = s.transA ? s.k : s.m, aColumns = s.transA ? s.m : s.k;
  const std::int64_t bRows = s.transB ? s.n : s.k, bColumns = s.transB ? s.k : s.n;
  const std::int64_t lda = std::max<std::int64_t>(aColumns, 1) + s.padA;
  const std::int64_t ldb = std::max<std::int64_t>(bColumns, 1) + s.padB;
  const std::int64_t ldc = std::max<std::int64_t>(s.n, 1) + s.padC;
  const std::int64_t aStride = aStep * aRows * lda, bStride = bStep * bRows * ldb, cStride = s.m * ldc;
  Generator generator(31);
  const auto length = [](std::int64_t n) { return static_cast<std::size_t>(n); };
  std::vector<T> a = someValues<T>(generator, length(batches * aRows * lda));
  std::vector<T> b = someValues<T>(generator, length(batches * bRows * ldb));
  std::vector<T> c(length(batches * cStride), before);
  std::vector<double> expected(c.begin(), c.end());
  std::vector<double> magnitude(c.size(), 0);
  for (std::int64_t batch = 0; batch < batches; ++batch) {
    for (std::int64_t i = 0; i < s.m; ++i) {
      for (std::int64_t j = 0; j < s.n; ++j) {
        double sum = 0, size = 0;
        for (std::int64_t p = 0; p < s.k; ++p) {
          const double x =
              static_cast<double>(a[length(batch * aStride + (s.transA ? p * lda + i : i * lda + p))]);
          const double y =
              static_cast<double>(b[length(batch * bStride + (s.transB ? j * ldb + p : p * ldb + j))]);
          sum += x * y;
          size += std::fabs(x * y);
        }
        const std::size_t at = length(batch * cStride + i * ldc + j);
        expected[at] = alpha * sum + (beta == 0 ? 0 : beta * static_cast<double>(before));
        magnitude[at] = std::fabs(alpha) * size + std::fabs(expected[at]);
      }
    }
  }

  const auto number = [](std::int64_t n) { return static_cast<double>(n); };
  const std::vector<double> geometry = {1,
                                        number(batches),
                                        number(s.m),
                                        number(s.n),
                                        number(s.k),
                                        s.transA ? 1.0 : 0.0,
                                        s.transB ? 1.0 : 0.0,
                                        number(lda),
                                        number(ldb),
                                        number(ldc),
                                        0,
                                        number(aStride),
                                        0,
                                        number(bStride),
                                        0,
                                        number(cStride)};
  ProductPlan plan;
  Fault fault;
  const bool planned = planProduct(plan, kernelOf(*chosen().body, Family::product, "gemm"), geometry.data(),
                                   geometry.size(), alpha, beta, arrayOf(c), arrayOf(a), arrayOf(b), fault);
  REQUIRE_MESSAGE(planned, std::string(fault.text()));
  runProduct(plan);
  CAPTURE(s.m);
  CAPTURE(s.n);
  CAPTURE(s.k);
  CAPTURE(s.transA);
  CAPTURE(s.transB);
  const double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());
  for (std::size_t i = 0; i < c.size(); ++i) {
    CAPTURE(i);
    if (std::isnan(expected[i])) {
      REQUIRE(std::isnan(c[i]));  // a gap, which contained NaN and must not be written
    } else {
      REQUIRE(std::fabs(static_cast<double>(c[i]) - expected[i]) <= 8 * epsilon * magnitude[i]);
    }
  }
}

template <class T>
void holdTransposes(const Shape& shape) {
  const T nan = std::numeric_limits<T>::quiet_NaN();
  for (const bool transA : {false, true}) {
    for (const bool transB : {false, true}) {
      Shape s = shape;
      s.transA = transA;
      s.transB = transB;
      hold<T>(s, 1, 1, 1, 1, 0, nan);
      hold<T>(s, 1, 1, 1, -0.5, 0, nan);
      hold<T>(s, 1, 1, 1, 1, 1, T(2));
      hold<T>(s, 1, 1, 1, 2, -0.25, T(3));
    }
  }
}

}  // namespace

TEST_CASE_TEMPLATE("all transposes and sizes; with beta = 0 an old NaN has no effect", T, float, double) {
  for (const std::int64_t m : {1, 2, 7, 33}) {
    for (const std::int64_t n : {1, 3, 8, 50}) {
      for (const std::int64_t k : {1, 4, 17, 64}) holdTransposes<T>({m, n, k, false, false});
    }
  }
  holdTransposes<T>({128, 50, 784, false, false});
  holdTransposes<T>({5, 6, 7, false, false, 1, 2, 3});
}

TEST_CASE_TEMPLATE("no rows, no columns, and sums of no terms", T, float, double) {
  for (const std::int64_t m : {0, 3}) {
    for (const std::int64_t n : {0, 4}) {
      for (const std::int64_t k : {0, 5}) holdTransposes<T>({m, n, k, false, false});
    }
  }
  holdTransposes<T>({3, 4, 0, false, false, 0, 0, 2});
}

TEST_CASE_TEMPLATE("batches, with either operand broadcast", T, float, double) {
  const Shape s = {5, 6, 7, false, true};
  for (const std::int64_t batches : {0, 1, 2, 9}) {
    hold<T>(s, batches, 1, 1, 1, 0, T(NAN));
    hold<T>(s, batches, 0, 1, 1, 0, T(NAN));
    hold<T>(s, batches, 1, 0, 2, 1, T(1));
  }
  hold<T>({5, 6, 0, false, false}, 3, 1, 1, 1, 2, T(1));
}

TEST_CASE("two batch axes, and an output stride of 0, which sums") {
  // a has the shape [2, 3, 1, 2]. b has the shape [3, 2, 1] and is broadcast along the first axis. c is one
  // number.
  std::vector<double> a(12), b(6), c = {100};
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<double>(i);
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<double>(i * i);
  double expected = 100;
  for (std::size_t i = 0; i < a.size(); ++i) expected += a[i] * b[i % 6];
  const std::vector<double> geometry = {2, 2, 3, 1, 1, 2, 0, 0, 2, 1, 1, 0, 6, 2, 0, 0, 2, 0, 0, 0};
  ProductPlan plan;
  Fault fault;
  REQUIRE(planProduct(plan, kernelOf(*chosen().body, Family::product, "gemm"), geometry.data(),
                      geometry.size(), 1, 1, arrayOf(c), arrayOf(a), arrayOf(b), fault));
  runProduct(plan);
  CHECK(c[0] == expected);
}

TEST_CASE("invalid arguments of a product are refused with a reason") {
  std::vector<float> a(6), b(6), c(4);
  std::vector<double> wide(6);
  std::vector<std::int32_t> integers(6);
  const auto refused = [&](std::vector<double> geometry, Array out, Array left, Array right,
                           const char* part) {
    ProductPlan plan;
    Fault fault;
    CHECK_FALSE(planProduct(plan, kernelOf(*chosen().body, Family::product, "gemm"), geometry.data(),
                            geometry.size(), 1, 0, out, left, right, fault));
    INFO(std::string(fault.text()));
    CHECK(std::string(fault.text()).find(part) != std::string::npos);
  };
  const Array x = arrayOf(a), y = arrayOf(b), z = arrayOf(c);
  refused({0, 2, 2, 3, 0, 0, 3, 2, 2, 0, 0, 0}, z, x, arrayOf(wide), "dtypes differ");
  refused({0, 2, 2, 3, 0, 0, 3, 2, 2, 0, 0, 0}, arrayOf(integers), arrayOf(integers), arrayOf(integers),
          "does not exist for int32");
  refused({0, 2, 2, 3, 0, 0, 2, 2, 2, 0, 0, 0}, z, x, y,
          "leading dimension of a is 2, expected at least its 3");
  refused({0, 2, 2, 3, 0, 1, 3, 2, 2, 0, 0, 0}, z, x, y,
          "leading dimension of b is 2, expected at least its 3");
  refused({0, 2, 2, 3, 0, 0, 3, 2, 1, 0, 0, 0}, z, x, y, "leading dimension of the output is 1");
  refused({0, 2, 2, 0, 0, 0, 0, 2, 2, 0, 0, 0}, z, x, y, "leading dimension of a is 0");
  refused({0, 2, 2, 3, 0, 0, 4, 2, 2, 0, 0, 0}, z, x, y,
          "a (offset 0, shape [2, 3], strides [4, 1]) reaches");
  refused({0, 2, 2, 3, 0, 0, 3, 2, 2, 0, 1, 0}, z, x, y, "b (offset 1");
  refused({0, 2, 2, 3, 0, 0, 3, 2, 2, 0, 0, 1}, z, x, y, "the output (offset 1");
  refused({0, 2, 2, 3, 2, 0, 3, 2, 2, 0, 0, 0}, z, x, y, "a transpose flag) is 2");
  refused({0, 4294967296.0, 2, 3, 0, 0, 3, 2, 2, 0, 0, 0}, z, x, y,
          "expected an integer from 0 to 2147483647");
  refused({1, 2, 2, 2, 3, 0, 0, 3, 2, 2, 0, 0, 0, 0, 0, 4}, z, x, y, "the output (offset 0, shape [2, 2, 2]");
  refused({0, 2, 2, 3, 0, 0, 3, 2, 2, 0, 0}, z, x, y, "ends at number 11");
  refused({31}, z, x, y, "31 batch axes, expected at most 30");
}
