// Compares the routines for rows (kernels/row_routines.h) of every body with plain loops.
#include "kernels/row_routines.h"

#include "test/support.h"

using namespace forebay;
using namespace forebay::test;

namespace {

template <class T>
void holdSums(const Body& body, Generator& generator, int dtype) {
  for (const std::size_t n : lengths) {
    for (int count = 0; count <= mostSummedRows; ++count) {
      for (const bool single : {false, true}) {
        for (const bool far : {false, true}) {
          CAPTURE(n);
          CAPTURE(count);
          CAPTURE(single);
          CAPTURE(far);
          if (n == 0 || (far && n * sizeof(T) % streamAlignment != 0)) continue;
          const std::vector<T> base = someValues<T>(generator, single ? 1 : n);
          std::vector<std::vector<T>> rows;
          RowSum sum = {base.data(), single, {}, count, far};
          for (int i = 0; i < count; ++i) rows.push_back(someValues<T>(generator, n));
          for (int i = 0; i < count; ++i) sum.rows[i] = rows[static_cast<std::size_t>(i)].data();
          std::vector<T> expected(n);
          for (std::size_t i = 0; i < n; ++i) {
            expected[i] = single ? base[0] : base[i];
            for (const std::vector<T>& row : rows) expected[i] = static_cast<T>(expected[i] + row[i]);
          }
          std::vector<T> out(n, T(7));
          body.rows->sum[dtype](sum, out.data(), n);
          body.rows->fence();
          CHECK(out == expected);
          if (single) continue;
          // In place: the base is the result.
          std::vector<T> place = base;
          sum.base = place.data();
          body.rows->sum[dtype](sum, place.data(), n);
          body.rows->fence();
          CHECK(place == expected);
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("sums of rows equal those of loops, also in place and around the caches") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(body->name);
    Generator generator(8);
    holdSums<float>(*body, generator, 0);
    holdSums<double>(*body, generator, 1);
    holdSums<std::int32_t>(*body, generator, 2);
  }
}

TEST_CASE("integers in sums of rows wrap around") {
  for (const Body* body : supportedBodies()) {
    const std::vector<std::int32_t> base(20, INT32_MAX), row(20, 1);
    std::vector<std::int32_t> out(20);
    body->rows->sum[2]({base.data(), false, {row.data()}, 1, false}, out.data(), out.size());
    CHECK(out == std::vector<std::int32_t>(20, INT32_MIN));
  }
}
