// Compares the cast kernels of each body with plain C++.
#include <cstring>
#include <limits>

#include "test/support.h"

using namespace forebay;
using namespace forebay::test;

namespace {

template <class To, class From>
To converted(From x) {
  if constexpr (std::is_integral_v<To>) {
    using L = std::numeric_limits<To>;
    if (x != x) return 0;
    if (static_cast<double>(x) >= static_cast<double>(L::max())) return L::max();
    if (static_cast<double>(x) <= static_cast<double>(L::min())) return L::min();
  }
  return static_cast<To>(x);
}

template <class To, class From>
void holdCast(const Body& body) {
  const Kernel& kernel = kernelOf(body, Family::cast, nameOf(dtypeOf<To>));
  Generator generator(2);
  for (const std::size_t n : lengths) {
    std::vector<From> in = someValues<From>(generator, n);
    if (n == 1000) {
      const std::vector<From> extra = specials<From>();
      std::copy(extra.begin(), extra.end(), in.begin());
      if constexpr (std::is_floating_point_v<From>) {
        const From edges[] = {From(2147483520),    From(2147483647), From(2147483648), From(-2147483648.0),
                              From(-2147483904.0), From(1.9),        From(-1.9),       From(2147483646.5)};
        std::copy(std::begin(edges), std::end(edges), in.begin() + 100);
      }
    }
    std::vector<To> out(n);
    const void* pointers[] = {in.data()};
    kernel.routine(dtypeOf<From>).tile()(out.data(), pointers, n);
    for (std::size_t i = 0; i < n; ++i) {
      CAPTURE(static_cast<double>(in[i]));
      REQUIRE(same(out[i], converted<To>(in[i])));
    }
  }
}

// Checks the conversions between elements of T and bools of type Word.
template <class T, class Word>
void holdBoolCasts(const Body& body, DType type) {
  const Kernel &to = kernelOf(body, Family::cast, nameOf(type)),
               &from = kernelOf(body, Family::cast, nameOf(dtypeOf<T>));
  Generator generator(6);
  for (const std::size_t n : lengths) {
    std::vector<T> in = someValues<T>(generator, n);
    for (std::size_t i = 0; i < n; i += 3) in[i] = T(0);
    if (n == 1000) {
      const std::vector<T> extra = specials<T>();
      std::copy(extra.begin(), extra.end(), in.begin());
    }
    std::vector<Word> bools(n);
    std::vector<T> back(n);
    const void* pointers[] = {in.data()};
    to.routine(dtypeOf<T>).tile()(bools.data(), pointers, n);
    const void* others[] = {bools.data()};
    from.routine(type).tile()(back.data(), others, n);
    for (std::size_t i = 0; i < n; ++i) {
      CAPTURE(static_cast<double>(in[i]));
      REQUIRE(bools[i] == wordOf<Word>(in[i] != T(0)));
      REQUIRE(back[i] == (in[i] != T(0) ? T(1) : T(0)));
    }
  }
}

template <class T>
void holdBoolCasts(const Body& body) {
  holdBoolCasts<T, std::uint8_t>(body, DType::boolean);
  holdBoolCasts<T, std::uint32_t>(body, DType::mask32);
  holdBoolCasts<T, std::uint64_t>(body, DType::mask64);
}

}  // namespace

TEST_CASE("casts truncate, saturate, and convert NaN to 0") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(std::string(body->name));
    holdCast<float, float>(*body);
    holdCast<float, double>(*body);
    holdCast<float, std::int32_t>(*body);
    holdCast<double, float>(*body);
    holdCast<double, double>(*body);
    holdCast<double, std::int32_t>(*body);
    holdCast<std::int32_t, float>(*body);
    holdCast<std::int32_t, double>(*body);
    holdCast<std::int32_t, std::int32_t>(*body);
    holdCast<std::uint8_t, float>(*body);
    holdCast<std::uint8_t, double>(*body);
    holdCast<std::uint8_t, std::int32_t>(*body);
    holdCast<float, std::uint8_t>(*body);
    holdCast<double, std::uint8_t>(*body);
    holdCast<std::int32_t, std::uint8_t>(*body);
  }
}

TEST_CASE("a number becomes true if it is not 0, and true becomes 1") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(std::string(body->name));
    holdBoolCasts<float>(*body);
    holdBoolCasts<double>(*body);
    holdBoolCasts<std::int32_t>(*body);
    holdBoolCasts<std::uint8_t>(*body);
  }
}

TEST_CASE("bools are converted between a byte and masks of both widths") {
  for (const Body* body : supportedBodies()) {
    for (const DType from : {DType::boolean, DType::mask32, DType::mask64}) {
      for (const DType to : {DType::boolean, DType::mask32, DType::mask64}) {
        // Memory with the bits of two bools: false, then true.
        std::uint64_t in[2] = {0, 0}, out[2] = {5, 5};
        std::memset(reinterpret_cast<char*>(in) + sizeOf(from), from == DType::boolean ? 1 : -1,
                    sizeOf(from));
        const void* pointers[] = {in};
        kernelOf(*body, Family::cast, nameOf(to)).routine(from).tile()(out, pointers, 2);
        std::uint64_t expected[2] = {5, 5};
        std::memset(expected, 0, sizeOf(to));
        std::memset(reinterpret_cast<char*>(expected) + sizeOf(to), to == DType::boolean ? 1 : -1,
                    sizeOf(to));
        CHECK(std::memcmp(out, expected, sizeof out) == 0);
      }
    }
  }
}
