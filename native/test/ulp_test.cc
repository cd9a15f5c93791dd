// Tests the promised accuracy of the functions of ulp.h on a sample: every 1009th float, and doubles of all
// exponents. tools/ulp.cc checks every float.
#include "test/ulp.h"

#include <cstring>

#include "test/support.h"

using namespace forebay;
using namespace forebay::test;

namespace {

template <class T, class Wide>
void holdPromise(const Reference<Wide>& reference, const std::vector<T>& x, double limit) {
  for (const Body* body : supportedBodies()) {
    std::vector<T> y(x.size());
    const void* in[] = {x.data()};
    kernelOf(*body, Family::map, reference.kernel).routine(dtypeOf<T>).tile()(y.data(), in, x.size());
    double worst = 0;
    T at = 0, got = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const Wide exact = reference.exact(static_cast<Wide>(x[i]));
      // Most errors are at most half a unit. Those are detected without frexp.
      if (y[i] == static_cast<T>(exact) && worst >= 0.5) continue;
      const double error = ulps(y[i], exact);
      if (error > worst) {
        worst = error;
        at = x[i];
        got = y[i];
      }
    }
    INFO((std::string(reference.kernel) + " " + nameOf(dtypeOf<T>) + " " + body->name)
         << ": " << worst << " ulp at " << static_cast<double>(at) << " (gives " << static_cast<double>(got)
         << ")");
    CHECK(worst <= limit);
  }
}

template <class T, class Bits>
T ofBits(Bits bits) {
  T x;
  static_assert(sizeof x == sizeof bits);
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

std::vector<float> someFloats() {
  std::vector<float> x;
  for (std::uint64_t bits = 0; bits < (std::uint64_t(1) << 32); bits += 1009) {
    x.push_back(ofBits<float>(static_cast<std::uint32_t>(bits)));
  }
  return x;
}

std::vector<double> someDoubles() {
  std::vector<double> x;
  constexpr std::uint64_t step = std::numeric_limits<std::uint64_t>::max() / 500009;
  for (std::uint64_t i = 0, bits = 0; i < 500009; ++i, bits += step) x.push_back(ofBits<double>(bits));
  // Most of these numbers are huge or tiny. So this adds numbers from the ranges in which the functions
  // change.
  Generator generator(4);
  for (int i = 0; i < 300000; ++i) x.push_back(std::uniform_real_distribution<double>(-2, 2)(generator));
  for (int i = 0; i < 300000; ++i) x.push_back(std::uniform_real_distribution<double>(-50, 50)(generator));
  for (int i = 0; i < 300000; ++i) x.push_back(std::uniform_real_distribution<double>(-750, 720)(generator));
  for (const double edge :
       {709.78, 709.7827128933840, 709.7827128933841, -708.39, -745.13, -745.1332191019411,
        -745.1332191019412, 0.0, -0.0, 0x1p-1074, 0x1p-1022, 1.0, 0x1.fffffffffffffp-1}) {
    x.push_back(edge);
  }
  return x;
}

// The AVX2 and the AVX-512 body compute exp and erf by different instructions.
template <class T>
void haveSameBits(const char* name, const std::vector<T>& x) {
  CAPTURE(std::string(name));
  std::vector<std::vector<T>> results;
  for (const Body* body : supportedBodies()) {
    if (std::string(body->name) == "portable") continue;
    results.emplace_back(x.size());
    const void* in[] = {x.data()};
    kernelOf(*body, Family::map, name).routine(dtypeOf<T>).tile()(results.back().data(), in, x.size());
  }
  for (const std::vector<T>& result : results) {
    std::size_t differ = 0;
    for (std::size_t i = 0; i < x.size(); ++i) differ += !same(result[i], results[0][i]);
    CHECK(differ == 0);
  }
}

}  // namespace

TEST_CASE("ulps measures the error") {
  CHECK(ulps(1.0f, 1.0) == 0);
  CHECK(ulps(1.0f + 0x1p-23f, 1.0) == 1);
  CHECK(ulps(1.0f - 0x1p-24f, 1.0) == 0.5);
  CHECK(ulps(0x1p-149f, 0.0) == 1);
  CHECK(ulps(0x1p-148f, 0x1p-149) == 1);
  CHECK(ulps(0.0f, 0x1p-150) == 0.5);
  CHECK(ulps(std::numeric_limits<float>::infinity(), 1e300) == 0);
  CHECK(ulps(std::numeric_limits<float>::max(), 1e300) == 1);
  CHECK(ulps(std::numeric_limits<float>::infinity(), 1.0) > 1e6);
  CHECK(ulps(0.0f, std::nan("")) > 1e6);
  CHECK(ulps(std::nanf(""), std::nan("")) == 0);
  CHECK(ulps(1.0 + 0x1p-52, 1.0L) == 1);
}

TEST_CASE("floats are within their promised ulps") {
  const std::vector<float> x = someFloats();
  for (const Reference<double>& reference : references<double>)
    holdPromise(reference, x, reference.floatLimit);
}

TEST_CASE("doubles are within their promised ulps") {
  static_assert(std::numeric_limits<long double>::digits > 53 || sizeof(long double) == 8);
  if (std::numeric_limits<long double>::digits == 53) return;  // no wider type exists for the exact results
  const std::vector<double> x = someDoubles();
  for (const Reference<long double>& reference : references<long double>) {
    holdPromise(reference, x, reference.doubleLimit);
  }
}

TEST_CASE("exp and erf have the same bits in every body with fused multiply-add") {
  for (const char* name : {"exp", "erf"}) {
    std::vector<float> floats = someFloats();
    std::vector<double> doubles = someDoubles();
    for (const double edge :
         {0.0, 1.0, 4.0, 6.0, std::nextafter(1.0, 0.0), std::nextafter(1.0, 2.0),
          double(std::nextafterf(1, 0)), double(std::nextafterf(1, 2)), double(INFINITY)}) {
      for (const double x : {edge, -edge}) {
        floats.push_back(static_cast<float>(x));
        doubles.push_back(x);
      }
    }
    haveSameBits(name, floats);
    haveSameBits(name, doubles);
  }
}

TEST_CASE("signs of zero and ends of the range") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(std::string(body->name));
    const auto at = [&](const char* name, auto x) {
      using T = decltype(x);
      T y = 0;
      const void* in[] = {&x};
      kernelOf(*body, Family::map, name).routine(dtypeOf<T>).tile()(&y, in, 1);
      return y;
    };
    CHECK(same(at("tanh", -0.0f), -0.0f));
    CHECK(same(at("tanh", 0.0f), 0.0f));
    CHECK(same(at("tanh", -0.0), -0.0));
    CHECK(at("tanh", INFINITY) == 1);
    CHECK(at("tanh", -INFINITY) == -1);
    CHECK(at("exp", -INFINITY) == 0);
    CHECK(at("exp", INFINITY) == INFINITY);
    CHECK(at("exp", 0.0f) == 1);
    CHECK(at("exp", 0.0) == 1);
    CHECK(at("exp", -103.9f) == 0x1p-149f);
    CHECK(at("exp", -104.0f) == 0);
    CHECK(at("log", 0.0f) == -INFINITY);
    CHECK(at("log", -0.0f) == -INFINITY);
    CHECK(std::isnan(at("log", -1.0f)));
    CHECK(at("log", INFINITY) == INFINITY);
    CHECK(same(at("log", 1.0f), 0.0f));
    CHECK(same(at("log", 1.0), 0.0));
    CHECK(at("sigmoid", INFINITY) == 1);
    CHECK(at("sigmoid", -INFINITY) == 0);
    CHECK(at("sigmoid", 0.0f) == 0.5f);
    CHECK(at("sigmoid", -100.0f) > 0);
    CHECK(at("sigmoid", -740.0) > 0);
    for (const char* odd : {"erf", "log1p", "expm1", "tan", "asin", "atan"}) {
      CAPTURE(std::string(odd));
      CHECK(same(at(odd, -0.0f), -0.0f));
      CHECK(same(at(odd, -0.0), -0.0));
      CHECK(same(at(odd, 0x1p-1074), 0x1p-1074));
    }
    CHECK(at("log1p", -1.0f) == -INFINITY);
    CHECK(at("log1p", INFINITY) == INFINITY);
    CHECK(std::isnan(at("log1p", -1.5)));
    CHECK(at("expm1", -INFINITY) == -1);
    CHECK(at("expm1", INFINITY) == INFINITY);
    CHECK(at("erf", -INFINITY) == -1);
    CHECK(at("erf", 7.0) == 1);
    CHECK(std::isnan(at("asin", 1.0000001f)));
    CHECK(std::isnan(at("acos", -1.5)));
    CHECK(at("acos", 1.0) == 0);
    CHECK(std::isnan(at("tan", INFINITY)));
    CHECK(at("rsqrt", -0.0) == -INFINITY);
    CHECK(at("rsqrt", INFINITY) == 0);
    CHECK(at("softplus", -INFINITY) == 0);
    CHECK(at("softplus", INFINITY) == INFINITY);
    CHECK(at("softplus", -100.0f) > 0);
  }
}
