// Measures convolutions and their gradients as fractions of the peak of a core, on one thread: `npm run
// bench:conv`. FOREBAY_SIMD chooses the body.
//
// For each shape and direction it prints the time of the processor, the fraction of the peak speed of
// multiply-adds (kernels/peak.h), and the time as a multiple of a copy of as many bytes as the operands have.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <vector>

#include "kernels/peak.h"
#include "program/items.h"
#include "routines/conv.h"

using namespace forebay;

namespace {

struct Shape {
  const char* name;
  std::int64_t batch, height, width, channels, outputs, kernelHeight, kernelWidth, stride, groups;
};

constexpr Shape shapes[] = {
    {"14x14 32->64", 64, 14, 14, 32, 64, 3, 3, 1, 1},
    {"32x32 64->64", 32, 32, 32, 64, 64, 3, 3, 1, 1},
    {"8x8 256->256", 32, 8, 8, 256, 256, 3, 3, 1, 1},
    {"1-D 128 64->64", 32, 1, 128, 64, 64, 1, 3, 1, 1},
    {"16x16 64->128 s2", 32, 16, 16, 64, 128, 3, 3, 2, 1},
    {"16x16 128->128 1x1", 32, 16, 16, 128, 128, 1, 1, 1, 1},
    {"28x28 1->32", 64, 28, 28, 1, 32, 3, 3, 1, 1},
    {"32x32 3->32", 32, 32, 32, 3, 32, 3, 3, 1, 1},
    {"14x14 128 depthwise", 64, 14, 14, 128, 128, 3, 3, 1, 128},
    {"56x56 64 depthwise", 8, 56, 56, 64, 64, 3, 3, 1, 64},
    {"28x28 256 depthwise", 8, 28, 28, 256, 256, 3, 3, 1, 256},
    {"56x56 64 depthwise s2", 8, 56, 56, 64, 64, 3, 3, 2, 64},
    {"28x28 128 depthw. 5x5", 16, 28, 28, 128, 128, 5, 5, 1, 128},
    {"28x28 128 dw. 5x5 s2", 16, 28, 28, 128, 128, 5, 5, 2, 128},
};

double now() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

template <class Work>
double fastest(const Work& work) {
  double best = 1e9;
  const double end = now() + 0.3;
  for (double start = now(); start < end;) {
    work();
    const double stop = now();
    best = std::min(best, stop - start);
    start = stop;
  }
  return best;
}

RoutineView dense(DType type, const std::vector<std::int64_t>& sizes) {
  RoutineView view = {type, static_cast<int>(sizes.size()), {}, {}};
  std::int64_t stride = 1;
  for (std::size_t d = sizes.size(); d-- > 0; stride *= sizes[d]) {
    view.sizes[d] = sizes[d];
    view.strides[d] = stride;
  }
  return view;
}

std::int64_t bytesOf(const RoutineView& view) {
  std::int64_t bytes = static_cast<std::int64_t>(sizeOf(view.type));
  for (int d = 0; d < view.rank; ++d) bytes *= view.sizes[d];
  return bytes;
}

struct Case {
  AlignedBytes operands[3], scratch, shared;
  double bytes = 0;

  // Returns the seconds of a call.
  double measure(const char* name, const std::vector<RoutineView>& views,
                 const std::vector<std::int64_t>& n) {
    const RoutineRow& row = *findRoutine(name);
    RoutineCall call = {};
    std::copy(views.begin(), views.end(), call.operands);
    std::copy(n.begin(), n.end(), call.integers);
    Fault fault;
    if (!row.check(call, fault)) {
      std::printf("%s\n", fault.text());
      return 0;
    }
    char* data[3] = {};
    bytes = 0;
    for (std::size_t i = 0; i < views.size(); ++i) {
      const auto size = static_cast<std::size_t>(bytesOf(views[i]));
      bytes += static_cast<double>(size);
      // The operands begin at different places in a page, because loads and stores at the same place wait for
      // each other.
      operands[i].allocate(size + 4096);
      data[i] = operands[i].data() + 1344 * i;
      std::memset(data[i], 0, size);
    }
    scratch.allocate(row.scratchBytes == nullptr ? 0 : row.scratchBytes(call));
    shared.allocate(row.sharedBytes == nullptr ? 0 : row.sharedBytes(call));
    RoutineFailure failure;
    const RoutineRun run = {call, data, shared.data()};
    return fastest([&] {
      row.run(run, 0, row.units(call), scratch.data(), failure);
      if (row.finish != nullptr) row.finish(run);
    });
  }
};

// The seconds that a copy of half as many bytes takes, which reads and writes `bytes`.
double copyTime(double bytes) {
  const auto half = static_cast<std::size_t>(bytes / 2);
  std::vector<char> from(half, 'a'), to(half, 'b');
  return fastest([&] { std::memcpy(to.data(), from.data(), half); });
}

}  // namespace

int main(int count, char** arguments) {
  for (const DType type : {DType::float32, DType::float64}) {
    if (type == DType::float64 && count < 2) break;
    const double peak = std::max({fmaPeak(type), fmaPeak(type), fmaPeak(type)});
    std::printf("%s %s: peak %.1f GFLOP/s\n%-22s%28s%28s%28s\n", chosen().body->name, nameOf(type),
                peak * 1e-9, "", "forward", "input gradient", "weight gradient");
    for (const Shape& s : shapes) {
      if (count > 2 && std::strstr(s.name, arguments[2]) == nullptr) continue;
      const std::int64_t top = s.kernelHeight / 2, left = s.kernelWidth / 2;
      const std::int64_t rows = (s.height + 2 * top - s.kernelHeight) / (s.height == 1 ? 1 : s.stride) + 1;
      const std::int64_t columns = (s.width + 2 * left - s.kernelWidth) / s.stride + 1;
      const RoutineView x = dense(type, {s.batch, s.height, s.width, s.channels});
      const RoutineView y = dense(type, {s.batch, rows, columns, s.outputs});
      const RoutineView w = dense(type, {s.outputs, s.channels / s.groups, s.kernelHeight, s.kernelWidth});
      const std::vector<std::int64_t> n = {
          s.kernelHeight, s.kernelWidth, s.height == 1 ? 1 : s.stride, s.stride, 1, 1, top, top, left,
          left,           s.groups};
      ConvShape shape = {};
      shape.type = type;
      shape.channels = s.channels;
      shape.outputs = s.outputs;
      shape.groups = s.groups;
      shape.rows.size = s.kernelHeight;
      shape.columns.size = s.kernelWidth;
      shape.rows.stride = shape.columns.stride = s.stride;
      shape.rows.dilation = shape.columns.dilation = 1;
      std::int64_t forward = 0, backward = 0;
      packingOf(shape, false).elements(forward);
      packingOf(shape, true).elements(backward);
      const double work = 2.0 * static_cast<double>(s.batch * rows * columns * s.outputs) *
                          static_cast<double>(s.channels / s.groups * s.kernelHeight * s.kernelWidth);
      std::printf("%-22s", s.name);
      const struct {
        const char* name;
        std::vector<RoutineView> views;
      } directions[] = {{"conv", {x, dense(type, {forward}), y}},
                        {"convInputGradient", {y, dense(type, {backward}), x}},
                        {"convWeightGradient", {x, y, w}}};
      for (const auto& direction : directions) {
        Case one;
        const double time = one.measure(direction.name, direction.views, n);
        const double limit = std::max(work / peak, copyTime(one.bytes));
        std::printf("%9.0f us %5.2f %6.2f x", time * 1e6, work / time / peak, time / limit);
        std::fflush(stdout);
      }
      std::printf("\n");
    }
  }
}
