// Compares the map kernels of each body with libm and with plain C++ in double.
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <map>

#include "test/support.h"
#include "test/ulp.h"

using namespace forebay;
using namespace forebay::test;

namespace {

using Exact = std::function<double(double, double, double)>;

struct Expectation {
  Exact exact;
  double ulp;  // the largest allowed error; 0: the correctly rounded result and the correct sign of zero
};

bool nan(double x) { return std::isnan(x); }

// The remainder with the sign of the divisor.
double moduloOf(double a, double b, double) {
  const double r = std::fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

// The exact results, computed in double. For double operands, the kernels do the same operations. For float
// operands, double is so precise that rounding to float gives the correctly rounded result.
const std::map<std::string, Expectation> expectations = {
    {"copy", {[](double a, double, double) { return a; }, 0}},
    {"add", {[](double a, double b, double) { return a + b; }, 0}},
    {"sub", {[](double a, double b, double) { return a - b; }, 0}},
    {"mul", {[](double a, double b, double) { return a * b; }, 0}},
    {"div", {[](double a, double b, double) { return a / b; }, 0}},
    {"neg", {[](double a, double, double) { return -a; }, 0}},
    {"sqrt", {[](double a, double, double) { return std::sqrt(a); }, 0}},
    {"square", {[](double a, double, double) { return a * a; }, 0}},
    {"abs", {[](double a, double, double) { return std::fabs(a); }, 0}},
    {"sign", {[](double a, double, double) { return nan(a) || a == 0 ? a : std::copysign(1.0, a); }, 0}},
    {"relu", {[](double a, double, double) { return nan(a) || a >= 0 ? a : 0.0; }, 0}},
    {"maximum", {[](double a, double b, double) { return nan(a) || nan(b) ? NAN
                                                         : a > b          ? a
                                                                          : b; }, 0}},
    {"minimum", {[](double a, double b, double) { return nan(a) || nan(b) ? NAN
                                                         : a < b          ? a
                                                                          : b; }, 0}},
    {"greater", {[](double a, double b, double) { return a > b ? 1.0 : 0.0; }, 0}},
    {"greaterEqual", {[](double a, double b, double) { return a >= b ? 1.0 : 0.0; }, 0}},
    {"equal", {[](double a, double b, double) { return a == b ? 1.0 : 0.0; }, 0}},
    {"notEqual", {[](double a, double b, double) { return a != b ? 1.0 : 0.0; }, 0}},
    {"and", {[](double a, double b, double) { return a != 0 && b != 0 ? 1.0 : 0.0; }, 0}},
    {"or", {[](double a, double b, double) { return a != 0 || b != 0 ? 1.0 : 0.0; }, 0}},
    {"xor", {[](double a, double b, double) { return (a != 0) != (b != 0) ? 1.0 : 0.0; }, 0}},
    {"not", {[](double a, double, double) { return a == 0 ? 1.0 : 0.0; }, 0}},
    // (On a processor without a fused multiply-add instruction, results of these three may be rounded twice:
    // see `hold`.)
    {"fma", {[](double a, double b, double c) { return std::fma(a, b, c); }, 0}},
    {"fms", {[](double a, double b, double c) { return std::fma(a, b, -c); }, 0}},
    {"fnma", {[](double a, double b, double c) { return std::fma(-a, b, c); }, 0}},
    {"where", {[](double a, double b, double c) { return a != 0 ? b : c; }, 0}},
    {"exp", {[](double a, double, double) { return std::exp(a); }, 3}},
    {"log", {[](double a, double, double) { return std::log(a); }, 3}},
    {"tanh", {[](double a, double, double) { return std::tanh(a); }, 3}},
    {"sigmoid", {[](double a, double, double) { return 1 / (1 + std::exp(-a)); }, 4}},
    {"softplus",
     {[](double a, double, double) { return std::fmax(a, 0) + std::log1p(std::exp(-std::fabs(a))); }, 5}},
    {"pow", {[](double a, double b, double) { return std::pow(a, b); }, 1}},
    {"sin", {[](double a, double, double) { return std::sin(a); }, 1}},
    {"cos", {[](double a, double, double) { return std::cos(a); }, 1}},
    {"rsqrt", {[](double a, double, double) { return 1 / std::sqrt(a); }, 1.5}},
    {"erf", {[](double a, double, double) { return std::erf(a); }, 3}},
    {"log1p", {[](double a, double, double) { return std::log1p(a); }, 3}},
    {"expm1", {[](double a, double, double) { return std::expm1(a); }, 3.5}},
    {"floor", {[](double a, double, double) { return std::floor(a); }, 0}},
    {"ceil", {[](double a, double, double) { return std::ceil(a); }, 0}},
    {"round", {[](double a, double, double) { return std::nearbyint(a); }, 0}},
    {"trunc", {[](double a, double, double) { return std::trunc(a); }, 0}},
    {"tan", {[](double a, double, double) { return std::tan(a); }, 4}},
    {"asin", {[](double a, double, double) { return std::asin(a); }, 3.5}},
    {"acos", {[](double a, double, double) { return std::acos(a); }, 3}},
    {"atan", {[](double a, double, double) { return std::atan(a); }, 3}},
    {"atan2", {[](double a, double b, double) { return std::atan2(a, b); }, 3}},
    {"mod", {moduloOf, 0}},
};

bool isMultiplyAdd(const Kernel& kernel) {
  const std::string name = kernel.name;
  return name == "fma" || name == "fms" || name == "fnma";
}

// Returns the result of a multiply-add on a processor without a fused multiply-add instruction.
template <class T>
T roundedTwice(const Kernel& kernel, const std::vector<std::vector<T>>& in, std::size_t i) {
  const std::string name = kernel.name;
  const T product = in[0][i] * in[1][i];
  if (name == "fma") return product + in[2][i];
  if (name == "fms") return product - in[2][i];
  return in[2][i] - product;
}

// Checks a kernel whose result or first input is a bool of type Word: a mask in a register, a byte in memory.
template <class T, class Word>
void holdBools(TileFn tile, const Kernel& kernel, const std::vector<std::vector<T>>& in, std::size_t n) {
  const Expectation& expected = expectations.at(kernel.name);
  std::vector<Word> tests(n), results(n);
  std::vector<T> chosen(n);
  const bool selects = kernel.form == Form::selects;
  for (std::size_t i = 0; i < n; ++i) tests[i] = wordOf<Word>(in[0][i] != T(0));
  const void* pointers[] = {selects ? static_cast<const void*>(tests.data()) : in[0].data(), in[1].data(),
                            in[2].data()};
  tile(selects ? static_cast<void*>(chosen.data()) : results.data(), pointers, n);
  for (std::size_t i = 0; i < n; ++i) {
    const double a = static_cast<double>(in[0][i]), b = static_cast<double>(in[1][i]),
                 c = static_cast<double>(in[2][i]);
    CAPTURE(a);
    CAPTURE(b);
    if (selects) {
      REQUIRE(same(chosen[i], static_cast<T>(expected.exact(a, b, c))));
    } else {
      REQUIRE(results[i] == wordOf<Word>(expected.exact(a, b, 0) != 0));
    }
  }
}

template <class T>
using MaskWord = std::conditional_t<sizeof(T) == 4, std::uint32_t,
                                    std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint8_t>>;

template <class T>
void hold(const Kernel& kernel, const std::vector<std::vector<T>>& in, std::size_t n) {
  const Expectation& expected = expectations.at(kernel.name);
  if (kernel.form != Form::plain) {
    const Routine& routine = kernel.routine(dtypeOf<T>);
    holdBools<T, MaskWord<T>>(routine.tile(), kernel, in, n);
    holdBools<T, std::uint8_t>(routine.inMemory(), kernel, in, n);
    return;
  }
  std::vector<T> out(n);
  const void* pointers[] = {in[0].data(), in[1].data(), in[2].data()};
  kernel.routine(dtypeOf<T>).tile()(out.data(), pointers, n);
  for (std::size_t i = 0; i < n; ++i) {
    const double a = static_cast<double>(in[0][i]), b = static_cast<double>(in[1][i]),
                 c = static_cast<double>(in[2][i]);
    const double exact = kernel.arity == 1   ? expected.exact(a, 0, 0)
                         : kernel.arity == 2 ? expected.exact(a, b, 0)
                                             : expected.exact(a, b, c);
    INFO((std::string(kernel.name) + " of " + nameOf(dtypeOf<T>))
         << " " << a << ", " << b << ", " << c << " at " << i << " of " << n << " gives "
         << static_cast<double>(out[i]) << ", expected " << exact);
    if constexpr (std::is_floating_point_v<T>) {
      if (expected.ulp > 0) {
        const bool within = ulps<T, double>(out[i], exact) <= expected.ulp;
        REQUIRE(within);
        continue;
      }
    }
    // An integer modulo 0 is 0.
    bool right = same(out[i], std::is_integral_v<T> && nan(exact) ? T(0) : static_cast<T>(exact));
    if constexpr (std::is_floating_point_v<T>)
      right = right || (isMultiplyAdd(kernel) && same(out[i], roundedTwice(kernel, in, i)));
    REQUIRE(right);
  }
}

template <class T>
void holdAll(const Body& body) {
  Generator generator(1);
  for (std::size_t id = 0; id < body.kernelCount; ++id) {
    const Kernel& kernel = body.kernels[id];
    if (kernel.family != Family::map || !kernel.routine(dtypeOf<T>)) continue;
    CAPTURE(std::string(body.name));
    for (const std::size_t n : lengths) {
      std::vector<std::vector<T>> in;
      for (int i = 0; i < 3; ++i) in.push_back(someValues<T>(generator, n));
      for (std::size_t i = 0; i < n; i += 5) in[1][i] = in[0][i];  // so that `equal` is sometimes true
      hold<T>(kernel, in, n);
    }
    // Tests every pair of special values. The third operand is always 3.
    std::vector<std::vector<T>> in(3);
    for (const T a : specials<T>()) {
      for (const T b : specials<T>()) {
        in[0].push_back(a);
        in[1].push_back(b);
        in[2].push_back(T(3));
      }
    }
    hold<T>(kernel, in, in[0].size());
  }
}

// Checks that an input with a single element gives the same bits as an input with n copies of this element.
template <class T>
void holdSingles(const Body& body) {
  Generator generator(5);
  for (std::size_t id = 0; id < body.kernelCount; ++id) {
    const Kernel& kernel = body.kernels[id];
    if (kernel.family != Family::map || !kernel.routine(dtypeOf<T>)) continue;
    for (unsigned singles = 1; singles + 1 < 1u << kernel.arity; ++singles) {
      for (const std::size_t n : lengths) {
        std::vector<std::vector<T>> in;
        for (int k = 0; k < maxArity; ++k) {
          in.push_back(someValues<T>(generator, n));
          if ((singles >> k & 1) != 0 && n > 0) std::fill(in.back().begin(), in.back().end(), in.back()[0]);
        }
        std::vector<T> one(n), all(n);
        const void* pointers[] = {in[0].data(), in[1].data(), in[2].data()};
        kernel.routine(dtypeOf<T>).tile()(all.data(), pointers, n);
        for (std::size_t k = 0; k < maxArity; ++k) {
          if ((singles >> k & 1) != 0) in[k].resize(n == 0 ? 0 : 1);
        }
        const void* shortened[] = {in[0].data(), in[1].data(), in[2].data()};
        if (n > 0) kernel.routine(dtypeOf<T>).tiles[singles](one.data(), shortened, n);
        CAPTURE(std::string(kernel.name));
        CAPTURE(singles);
        REQUIRE(std::equal(one.begin(), one.end(), all.begin(), same<T>));
      }
    }
  }
}

// Checks the logical operations on bools of type Word, whose false is 0 and whose other words are true.
template <class Word>
void holdLogic(const Body& body, DType type) {
  for (const char* name : {"and", "or", "xor", "not"}) {
    const Kernel& kernel = kernelOf(body, Family::map, name);
    CAPTURE(std::string(name));
    for (const std::size_t n : lengths) {
      std::vector<Word> a(n), b(n), out(n);
      for (std::size_t i = 0; i < n; ++i) {
        // 2 stands for a byte that a user wrote into the memory of a tensor.
        a[i] = i % 5 == 4 ? Word(2) : wordOf<Word>(i % 2 == 1);
        b[i] = wordOf<Word>(i % 4 >= 2);
      }
      const void* pointers[] = {a.data(), b.data()};
      kernel.routine(type).tile()(out.data(), pointers, n);
      for (std::size_t i = 0; i < n; ++i) {
        const double exact = expectations.at(name).exact(a[i] != 0 ? 1.0 : 0.0, b[i] != 0 ? 1.0 : 0.0, 0);
        REQUIRE(out[i] == wordOf<Word>(exact != 0));
      }
    }
  }
}

}  // namespace

TEST_CASE("every map kernel has an expectation, and every expectation a kernel") {
  std::size_t maps = 0;
  const Body& body = *bodies[0];
  for (std::size_t id = 0; id < body.kernelCount; ++id) {
    if (body.kernels[id].family != Family::map) continue;
    CAPTURE(std::string(body.kernels[id].name));
    CHECK(expectations.count(body.kernels[id].name) == 1);
    ++maps;
  }
  CHECK(maps == expectations.size());
}

TEST_CASE("map kernels give the results of C++ and libm") {
  for (const Body* body : supportedBodies()) {
    holdAll<float>(*body);
    holdAll<double>(*body);
    holdAll<std::int32_t>(*body);
    holdAll<std::uint8_t>(*body);
  }
}

TEST_CASE("an input of a single element is broadcast over the tile") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(std::string(body->name));
    holdSingles<float>(*body);
    holdSingles<double>(*body);
    holdSingles<std::int32_t>(*body);
    holdSingles<std::uint8_t>(*body);
  }
}

TEST_CASE("a tile that is written in place is correct") {
  for (const Body* body : supportedBodies()) {
    const Kernel& add = kernelOf(*body, Family::map, "add");
    Generator generator(3);
    for (const std::size_t n : lengths) {
      const std::vector<float> a = someValues<float>(generator, n);
      std::vector<float> x = a;
      const void* in[] = {x.data(), x.data()};
      add.routine(DType::float32).tile()(x.data(), in, n);
      for (std::size_t i = 0; i < n; ++i) REQUIRE(x[i] == a[i] + a[i]);
    }
  }
}

TEST_CASE("mod is exact for quotients of all sizes") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(std::string(body->name));
    const Kernel& mod = kernelOf(*body, Family::map, "mod");
    Generator generator(7);
    std::uniform_real_distribution<double> mantissa(1, 2), exponent(-30, 30);
    const auto some = [&] { return std::ldexp(mantissa(generator), static_cast<int>(exponent(generator))); };
    std::vector<double> a, b;
    for (int i = 0; i < 20000; ++i) {
      // Some quotients are integers, and some parts of a tile have only small quotients.
      const double divisor = i % 2 == 0 ? some() : -some();
      const double dividend = i % 3 == 0 ? divisor * (i % 1000) : i % 4096 < 2048 ? some() : divisor * some();
      a.push_back(i % 5 == 0 ? -dividend : dividend);
      b.push_back(divisor);
    }
    std::vector<float> floatA(a.begin(), a.end()), floatB(b.begin(), b.end()), floats(a.size());
    std::vector<double> doubles(a.size());
    const void *in[] = {a.data(), b.data()}, *floatIn[] = {floatA.data(), floatB.data()};
    mod.routine(DType::float64).tile()(doubles.data(), in, a.size());
    mod.routine(DType::float32).tile()(floats.data(), floatIn, a.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      CAPTURE(a[i]);
      CAPTURE(b[i]);
      REQUIRE(same(doubles[i], moduloOf(a[i], b[i], 0)));
      const float r = std::fmod(floatA[i], floatB[i]);
      REQUIRE(same(floats[i], r != 0 && (r < 0) != (floatB[i] < 0) ? r + floatB[i] : r));
    }
  }
}

// Checks that no element of an operation depends on its neighbours, some of which are sent to libm. The tile
// is written in place.
template <class T>
void holdAlone(const Body& body, const char* name) {
  const Kernel& kernel = kernelOf(body, Family::map, name);
  const TileFn tile = kernel.routine(dtypeOf<T>).tile();
  const T infinity = std::numeric_limits<T>::infinity();
  const T others[] = {T(1e30), T(-3e37), infinity, -infinity, std::numeric_limits<T>::quiet_NaN(), T(2e6)};
  Generator generator(11);
  for (const std::size_t n : lengths) {
    for (const std::size_t distance : {1u, 2u, 5u, 16u, 100u}) {
      std::vector<T> a = someValues<T>(generator, n), b(n, T(0.75));
      for (std::size_t i = n / 3; i < n; i += distance) a[i] = others[i % 6];
      std::vector<T> y = a;
      const void* in[] = {y.data(), b.data()};
      tile(y.data(), in, n);
      for (std::size_t i = 0; i < n; ++i) {
        CAPTURE(a[i]);
        T alone;
        const void* own[] = {&a[i], &b[i]};
        tile(&alone, own, 1);
        REQUIRE(same(y[i], alone));
      }
    }
  }
}

TEST_CASE("an element does not depend on its neighbours") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(std::string(body->name));
    for (const char* name : {"tan", "mod", "sin", "cos", "pow"}) {
      CAPTURE(std::string(name));
      holdAlone<float>(*body, name);
      holdAlone<double>(*body, name);
    }
  }
}

TEST_CASE("logical operations compute bytes and masks of both widths") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(std::string(body->name));
    holdLogic<std::uint8_t>(*body, DType::boolean);
    holdLogic<std::uint8_t>(*body, DType::uint8);
    holdLogic<std::uint32_t>(*body, DType::mask32);
    holdLogic<std::uint64_t>(*body, DType::mask64);
  }
}
