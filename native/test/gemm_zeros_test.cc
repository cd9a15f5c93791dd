// Tests that terms of 0 at the end of a product change no bit of it, so that padding changes no gradient.
#include <limits>

#include "test/gemm_support.h"

using namespace forebay;
using namespace forebay::test;
using namespace forebay::test::products;

namespace {

// Checks that the terms from `k` on, whose elements of A are 0, change no bit of a product. Returns false if
// OpenBLAS computes it.
template <class T>
bool checkZeroTerms(const Case& s, std::int64_t k, Generator& generator, const Body& body, bool underflow) {
  Product<T> product(s, generator);
  if (underflow) {
    // No term is 0, but all of them are rounded to -0.
    std::fill(product.a.begin(), product.a.end(), std::numeric_limits<T>::denorm_min());
    std::fill(product.b.begin(), product.b.end(), -std::numeric_limits<T>::denorm_min());
    if (s.accumulate) std::fill(product.before.begin(), product.before.end(), T(-0.0));
  }
  for (std::int64_t i = 0; i < s.m; ++i) {
    for (std::int64_t p = k; p < s.k; ++p) {
      const std::size_t at = length(i * product.shape.aRow + p * product.shape.aColumn);
      product.a[at] = (i + p) % 2 == 0 ? T(0) : T(-0.0);
    }
  }
  GemmShape fewer = product.shape;
  fewer.k = k;
  const GemmPlan plan = planGemm(fewer, body), longer = planGemm(product.shape, body);
  if (plan.route == Route::blas || longer.route == Route::blas) return false;
  const std::vector<T> expected = result(product, plan, product.b.data());
  const std::vector<T> padded = result(product, longer, product.b.data());
  CHECK_MESSAGE(
      std::equal(padded.begin(), padded.end(), expected.begin(), same<T>),
      nameOf(s) << ", of which " << k << " are not 0" << std::string(underflow ? ", underflow" : ""));
  return true;
}

}  // namespace

// The gradient of a weight that is used in all steps of a sequence is such a product. In it, A is stored by
// columns, or has one row. If A is stored by rows, the route must not depend on k.
TEST_CASE_TEMPLATE("terms of 0 at the end of a product change no bit", T, float, double) {
  for (const Body* body : supportedBodies()) {
    CAPTURE(body->name);
    Generator generator(73);
    int checked = 0;
    const auto check = [&](Case s, std::int64_t k, std::int64_t more) {
      s.k = k + more;
      for (const bool underflow : {false, true}) {
        checked += checkZeroTerms<T>(s, k, generator, *body, underflow);
      }
    };
    for (const std::int64_t k : {1, 3, 31, 255, 256, 257, 300, 511, 700}) {
      for (const std::int64_t more : {1, 5, 213, 1000}) {
        const bool odd = (k + more) % 2 == 1;
        check({13, 45, 0, true, false, odd, 2, 1, 3}, k, more);
        check({40, 137, 0, true, odd, !odd}, k, more);
        check({3, 20, 0, true, true}, k, more);
        check({5, 1, 0, true, false, odd}, k, more);
        check({1, 50, 0, true, false, false, 2}, k, more);
        check({1, 1, 0, true}, k, more);
        check({1, 700, 0, true}, k, more);  // B may be so large that it is read row by row
        check({29, 70, 0, false, false, odd, 1, 0, 0}, k, more);
        check({150, 160, 0, false, false, false}, k, more);
      }
    }
    const bool own =
        planGemm({dtypeOf<T>, 40, 137, 300, false, 1, 40, 137, 1, 137}, *body).route != Route::blas;
    CHECK(checked > 10);
    if (own) CHECK(checked == 9 * 4 * 9 * 2);
  }
}
