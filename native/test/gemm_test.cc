// Compares forebay's own matrix products with three loops in long double, for every route (method of
// computing a product) and every body (the kernels compiled for one instruction set), with sizes that do not
// fill the tiles of C, and with sizes of zero. Also tests that neither threads nor alignment change a bit.
#include "kernels/gemm.h"

#include <cmath>
#include <limits>
#include <thread>

#include "kernels/peak.h"
#include "test/gemm_support.h"

using namespace forebay;
using namespace forebay::test;
using namespace forebay::test::products;

namespace {

template <class T>
void checkBothWays(const Case& s, Generator& generator, const Body& body) {
  CAPTURE(body.name);
  const Product<T> product(s, generator);
  const GemmPlan plan = planGemm(product.shape, body);
  CHECK(plan.scratchBytes <= maxGemmScratchBytes);
  Memory<T> b(product.b);
  const std::vector<T> c = result(product, plan, b.data());
  product.check(c);

  Panels<T> panels(product, generator, body);
  const GemmPlan packed = planPanels(product.shape, body);
  CHECK(packed.scratchBytes <= maxGemmScratchBytes);
  const std::vector<T> fromPanels = result(product, packed, panels.data());
  product.check(fromPanels);

  // Checks that the bits stay the same if the product is divided into parts in other ways.
  if (plan.route == Route::nothing) return;
  for (const bool own : {true, false}) {
    if (own && plan.route == Route::blas) continue;  // OpenBLAS does not guarantee the same bits
    const GemmPlan parts = smallestParts(own ? plan : packed, body);
    std::vector<T> shared = product.before;
    for (std::int64_t from = 0; from < parts.parts;) {
      const std::int64_t to = std::min(parts.parts, from + between(generator, 1, 9));
      run(parts, product.a.data(), own ? product.b.data() : panels.data(), shared.data(), from, to);
      from = to;
    }
    const std::vector<T>& whole = own ? c : fromPanels;
    CHECK_MESSAGE(std::equal(shared.begin(), shared.end(), whole.begin(), same<T>), nameOf(s));
  }
}

Case someCase(Generator& generator, std::int64_t most) {
  const auto size = [&] {
    static constexpr std::int64_t small[] = {0,  1,  1,  2,  3,  4,  5,  7,  8, 9,
                                             11, 12, 13, 15, 16, 17, 31, 32, 33};
    return between(generator, 0, 2) > 0 ? small[between(generator, 0, 18)] : between(generator, 1, most);
  };
  const auto coin = [&] { return between(generator, 0, 1) == 1; };
  const auto pad = [&] { return coin() ? 0 : between(generator, 1, 5); };
  Case s = {size(), size(), size(), coin(), coin(), coin(), pad(), pad(), pad()};
  return s;
}

}  // namespace

TEST_CASE_TEMPLATE("products of random shapes equal those of three loops", T, float, double) {
  for (const Body* body : supportedBodies()) {
    Generator generator(41);
    for (int i = 0; i < 400; ++i) checkBothWays<T>(someCase(generator, 90), generator, *body);
  }
}

TEST_CASE_TEMPLATE("products that are cut into blocks equal those of three loops", T, float, double) {
  // Some cases have more than one block along k, m or n. A and B are stored by rows or by columns. Together,
  // the cases use every route, which is checked below.
  static const Case cases[] = {
      {3, 70, 1000},
      {5, 40, 700, false, true},
      {40, 70, 1100, true, true, true},
      {300, 40, 300, false, true},
      {1100, 20, 70, true, false, true, 3, 0, 0},
      {150, 1100, 270, true, false, false, 0, 0, 2},
      {140, 1300, 300, false, false, true, 0, 4, 1},
      {700, 1, 300},
      {300, 1, 700, true},
      {1, 900, 2, false, true},
      {1, 700, 131},  // one row of C, and B with large strides
      {1, 333, 402, true, false, true, 3, 2, 0},
      {31, 1000, 500, false, false, true},  // panels that are larger than manyPanels in gemm.cc
  };
  for (const Body* body : supportedBodies()) {
    Generator generator(43);
    bool routes[7] = {};
    for (const Case& s : cases) {
      checkBothWays<T>(s, generator, *body);
      routes[static_cast<int>(planGemm(Product<T>(s, generator).shape, *body).route)] = true;
    }
    if (!routes[static_cast<int>(Route::blas)]) {
      CHECK(routes[static_cast<int>(Route::direct)]);
      CHECK(routes[static_cast<int>(Route::row)]);
      CHECK(routes[static_cast<int>(Route::dot)]);
      CHECK(routes[static_cast<int>(Route::packed)]);
    }
  }
}

// The tiles of the first panel pack such an A. A tile with fewer rows stores more lanes beyond its last
// column.
TEST_CASE_TEMPLATE("a left operand that is stored by columns is packed by tiles of any number of rows", T,
                   float, double) {
  for (const Body* body : supportedBodies()) {
    Generator generator(71);
    for (std::int64_t m = 1; m <= 25; ++m) {
      for (const std::int64_t n : {128, 133, 161, 300}) {
        for (const std::int64_t k : {2, 31, 33, 257}) {
          checkBothWays<T>({m, n, k, true, (m + k) % 3 == 0, m % 2 == 0}, generator, *body);
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("the bits of a product do not depend on alignment", T, float, double) {
  for (const Body* body : supportedBodies()) {
    CAPTURE(body->name);
    Generator generator(47);
    for (const Case& s : {Case{13, 45, 70}, Case{3, 20, 90, false, true}, Case{140, 300, 300, true}}) {
      const Product<T> product(s, generator);
      const GemmPlan plan = planGemm(product.shape, *body);
      const std::vector<T> expected = result(product, plan, product.b.data());
      for (std::size_t skew = 1; skew < 64 / sizeof(T); skew += 3) {
        Memory<T> a(product.a, skew), b(product.b, skew + 1), c(product.before, skew + 2);
        run(plan, a.data(), b.data(), c.data(), 0, plan.parts);
        CHECK_MESSAGE(std::equal(expected.begin(), expected.end(), c.data(), same<T>), nameOf(s));
      }
    }
  }
}

TEST_CASE_TEMPLATE("a single row has the same bits as among other rows", T, float, double) {
  for (const Body* body : supportedBodies()) {
    CAPTURE(body->name);
    Generator generator(53);
    const Product<T> product({29, 83, 300}, generator);
    Panels<T> panels(product, generator, *body);
    const std::vector<T> all = result(product, planPanels(product.shape, *body), panels.data());
    GemmShape one = product.shape;
    one.m = 1;
    const GemmPlan plan = planPanels(one, *body);
    for (std::int64_t i = 0; i < 29; ++i) {
      std::vector<T> row(83);
      run(plan, product.a.data() + i * one.aRow, panels.data(), row.data(), 0, plan.parts);
      CHECK(std::equal(row.begin(), row.end(), all.begin() + i * one.cRow, same<T>));
    }
  }
}

TEST_CASE_TEMPLATE("where panels save time, they give the same bits", T, float, double) {
  int saved = 0, large = 0;
  for (const Body* body : supportedBodies()) {
    CAPTURE(body->name);
    Generator generator(61);
    std::vector<Case> cases = {{16, 1030, 1100}, {32, 2100, 600},
                               {33, 2100, 600},  {17, 600, 2100},
                               {130, 700, 900},  {24, 1030, 1100, true, false, true},
                               {3, 900, 1200},   {12, 300, 5, false, true}};
    for (int i = 0; i < 60; ++i) {
      const auto some = [&](std::int64_t most) { return between(generator, 1, most); };
      const auto flag = [&] { return some(2) == 1; };
      cases.push_back({some(150), some(700), some(700), flag(), flag(), flag(), some(3), some(3), some(3)});
    }
    for (const Case& s : cases) {
      const Product<T> product(s, generator);
      if (!panelsSave(product.shape, *body)) continue;
      ++saved;
      if (s.n * s.k >= 1 << 20) ++large;
      Panels<T> panels(product, generator, *body);
      const std::vector<T> c = result(product, planGemm(product.shape, *body), product.b.data());
      const std::vector<T> packed = result(product, planPanels(product.shape, *body), panels.data());
      CHECK_MESSAGE(std::equal(c.begin(), c.end(), packed.begin(), same<T>), nameOf(s));
    }
  }
  CHECK(saved > 20);
  CHECK(large > 2);
}

TEST_CASE_TEMPLATE("three threads give the same bits as one", T, float, double) {
  for (const Body* body : supportedBodies()) {
    CAPTURE(body->name);
    Generator generator(59);
    for (const Case& s :
         {Case{1900, 190, 300}, Case{230, 1700, 270, true}, Case{100, 2900, 380, false, true}}) {
      const Product<T> product(s, generator);
      const GemmPlan plan = planGemm(product.shape, *body);
      CHECK(plan.parts >= 3);
      const std::vector<T> expected = result(product, plan, product.b.data());
      std::vector<T> c = product.before;
      std::vector<std::thread> threads;
      threads.reserve(3);
      for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&, i] {
          run(plan, product.a.data(), product.b.data(), c.data(), gemmShare(plan, 3, i),
              gemmShare(plan, 3, i + 1));
        });
      }
      for (std::thread& thread : threads) thread.join();
      CHECK_MESSAGE(std::equal(c.begin(), c.end(), expected.begin(), same<T>), nameOf(s));
    }
  }
}

TEST_CASE("a product's scratch memory is limited, and small products have one part") {
  constexpr std::int64_t huge = (std::int64_t(1) << 31) - 1;
  for (const Body* body : supportedBodies()) {
    for (const DType type : {DType::float32, DType::float64}) {
      for (const bool transA : {false, true}) {
        const GemmShape shape = {type, huge, huge, huge, false, transA ? 1 : huge, transA ? huge : 1,
                                 huge, 1,    huge};
        CHECK(planGemm(shape, *body).scratchBytes <= maxGemmScratchBytes);
        CHECK(planPanels(shape, *body).scratchBytes <= maxGemmScratchBytes);
      }
      CHECK(planGemm({type, 16, 512, 128, false, 128, 1, 512, 1, 512}, *body).parts == 1);
      CHECK(planPanels({type, 1, 60, 15, false, 15, 1, 60, 1, 60}, *body).parts == 1);
    }
  }
}

TEST_CASE("a product propagates NaN and infinity, and padding does not add any") {
  for (const Body* body : supportedBodies()) {
    Generator generator(61);
    Product<float> product({5, 7, 9}, generator);
    product.a[2] = std::numeric_limits<float>::infinity();
    product.b[7 * 3 + 4] = std::numeric_limits<float>::quiet_NaN();
    Panels<float> panels(product, generator, *body);
    for (const bool own : {true, false}) {
      const std::vector<float> c = own ? result(product, planGemm(product.shape, *body), product.b.data())
                                       : result(product, planPanels(product.shape, *body), panels.data());
      for (std::size_t i = 0; i < 5; ++i) {
        for (std::size_t j = 0; j < 7; ++j) {
          CHECK(std::isfinite(c[i * 7 + j]) == (i != 0 && j != 4));
          CHECK(std::isnan(c[i * 7 + j]) == (j == 4));
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("panels contain B, and zeros after its last column", T, float, double) {
  for (const Body* body : supportedBodies()) {
    CAPTURE(body->name);
    Generator generator(67);
    const std::int64_t width = panelWidth(dtypeOf<T>, *body);
    for (int i = 0; i < 40; ++i) {
      Case s = {1, between(generator, 1, 3 * width), between(generator, 1, 150)};
      s.transB = i % 2 == 1;
      const Product<T> product(s, generator);
      Panels<T> panels(product, generator, *body);
      std::int64_t wrong = 0, at = 0;
      for (std::int64_t first = 0; first < s.n; first += width) {
        for (std::int64_t p = 0; p < s.k; ++p) {
          for (std::int64_t j = first; j < first + width; ++j, ++at) {
            const T expected =
                j < s.n ? product.b[length(p * product.shape.bRow + j * product.shape.bColumn)] : T(0);
            wrong += !same(panels.data()[at], expected);
          }
        }
      }
      CHECK(wrong == 0);
      CHECK(length(at) * sizeof(T) == packedBytes(dtypeOf<T>, s.k, s.n, *body));
    }
  }
}

TEST_CASE("a body's peak is a positive number") {
  for (const Body* body : supportedBodies()) {
    for (const DType type : {DType::float32, DType::float64}) {
      const double peak = fmaPeak(type, *body);
      CHECK(peak > 0);
      CHECK(std::isfinite(peak));
    }
  }
}
