// check:ulp: computes the functions of native/test/ulp.h of each of the 2^32 floats with every body (the
// kernels compiled for one instruction set) that this machine supports. Compares the results with libm in
// double. Prints the largest error and its argument, and exits with 1 if an error exceeds its limit. Takes
// some minutes on two threads.
//
// usage: forebay_ulp [step]   (every step-th float; default 1)
#include "test/ulp.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "kernels/bodies.h"

using namespace forebay;

namespace {

constexpr std::uint64_t floats = std::uint64_t(1) << 32;
constexpr std::size_t chunk = 4096;
constexpr int threads = 2;

struct Worst {
  double error = -1;
  float at = 0, got = 0;
};

float ofBits(std::uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

// Tests all bodies together, so that the reference is computed only once, because it takes most of the time.
void sweep(const Reference<double>& reference, const std::vector<TileFn>& tiles, std::uint64_t first,
           std::uint64_t step, std::vector<Worst>& worst) {
  std::vector<float> x(chunk), y(chunk);
  std::vector<double> exact(chunk);
  for (std::uint64_t bits = first; bits < floats;) {
    std::size_t n = 0;
    for (; n < chunk && bits < floats; ++n, bits += step) {
      x[n] = ofBits(static_cast<std::uint32_t>(bits));
      exact[n] = reference.exact(static_cast<double>(x[n]));
    }
    const void* in[] = {x.data()};
    for (std::size_t body = 0; body < tiles.size(); ++body) {
      tiles[body](y.data(), in, n);
      for (std::size_t i = 0; i < n; ++i) {
        // Most errors are at most half a unit. Those are detected without frexp.
        if (y[i] == static_cast<float>(exact[i]) && worst[body].error >= 0.5) continue;
        const double error = ulps(y[i], exact[i]);
        if (error > worst[body].error) worst[body] = {error, x[i], y[i]};
      }
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  const std::uint64_t step = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 1;
  if (step == 0) {
    std::fprintf(stderr, "usage: forebay_ulp [step], step a positive integer\n");
    return 2;
  }
  std::vector<const Body*> supported;
  for (const Body* const* body = bodies; *body != nullptr; ++body) {
    if ((*body)->supported()) supported.push_back(*body);
  }

  bool good = true;
  for (const Reference<double>& reference : references<double>) {
    std::vector<TileFn> tiles;
    for (const Body* body : supported) {
      tiles.push_back(find(*body, Family::map, reference.kernel)->routine(DType::float32).tile());
    }
    std::vector<std::vector<Worst>> worst(threads, std::vector<Worst>(tiles.size()));
    std::vector<std::thread> workers;
    for (std::size_t t = 0; t < threads; ++t) {
      workers.emplace_back([&, t] { sweep(reference, tiles, t * step, step * threads, worst[t]); });
    }
    for (std::thread& worker : workers) worker.join();

    for (std::size_t body = 0; body < tiles.size(); ++body) {
      const Worst& a = worst[0][body];
      const Worst& b = worst[1][body];
      const Worst& w = a.error >= b.error ? a : b;
      const bool within = w.error <= reference.floatLimit;
      good = good && within;
      std::printf("%-9s %-9s %.3f ulp at %.9g (gives %.9g)%s\n", reference.kernel, supported[body]->name,
                  w.error, static_cast<double>(w.at), static_cast<double>(w.got),
                  within ? "" : "  OVER THE LIMIT");
      std::fflush(stdout);
    }
  }
  return good ? 0 : 1;
}
