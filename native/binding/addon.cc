// The entry points of the addon. Each reads its arguments as plain memory and passes them to kernels/, which
// checks them and computes. This file has no state except constants, so any thread may load the addon.
#include <napi.h>

#include "binding/async.h"
#include "binding/call.h"
#include "binding/describe.h"
#include "binding/program.h"
#include "binding/routine.h"
#include "kernels/blas.h"
#include "kernels/gemm.h"
#include "kernels/map.h"
#include "kernels/peak.h"
#include "kernels/product.h"
#include "kernels/random.h"
#include "kernels/reduce.h"
#include "program/panels.h"
#include "program/pool.h"
#if defined(FOREBAY_FAIL_ALLOCATION)
#include "test/failing/failing.h"
#endif

namespace forebay {

namespace {

// map(kernelId, geometry, out, ...inputs)
napi_value map(napi_env env, napi_callback_info info) {
  Call call(env, info, "map");
  const Kernel* kernel = nullptr;
  const double* geometry = nullptr;
  std::size_t length = 0;
  Array out, inputs[maxArity];
  if (!call.atLeast(4) || !call.kernel(0, kernel) || !call.geometry(1, geometry, length) ||
      !call.array(2, "the output", out)) {
    return call.finish();
  }
  const std::size_t count = call.count() - 3;
  for (std::size_t i = 0; i < count && i < maxArity; ++i) {
    if (!call.array(3 + i, "an input", inputs[i])) return call.finish();
  }
  MapPlan plan;
  if (planMap(plan, *kernel, geometry, length, out, inputs, static_cast<int>(count), call.fault()))
    runMap(plan);
  return call.finish();
}

// reduce(kernelId, geometry, out, input)
napi_value reduce(napi_env env, napi_callback_info info) {
  Call call(env, info, "reduce");
  const Kernel* kernel = nullptr;
  const double* geometry = nullptr;
  std::size_t length = 0;
  Array out, input;
  if (!call.atLeast(4) || !call.kernel(0, kernel) || !call.geometry(1, geometry, length) ||
      !call.array(2, "the output", out) || !call.array(3, "the input", input)) {
    return call.finish();
  }
  ReducePlan plan;
  if (planReduce(plan, *kernel, geometry, length, out, input, call.fault())) runReduce(plan);
  return call.finish();
}

// product(geometry, alpha, beta, out, a, b)
napi_value product(napi_env env, napi_callback_info info) {
  Call call(env, info, "product");
  const Body* body = nullptr;
  const double* geometry = nullptr;
  std::size_t length = 0;
  double alpha = 0, beta = 0;
  Array out, a, b;
  if (!call.atLeast(6) || !call.body(body) || !call.geometry(0, geometry, length) ||
      !call.number(1, "alpha", alpha) || !call.number(2, "beta", beta) || !call.array(3, "the output", out) ||
      !call.array(4, "a", a) || !call.array(5, "b", b)) {
    return call.finish();
  }
  static const Kernel* const gemm = find(*body, Family::product, "gemm");
  ProductPlan plan;
  if (planProduct(plan, *gemm, geometry, length, alpha, beta, out, a, b, call.fault())) runProduct(plan);
  return call.finish();
}

// panelsSave(geometry): whether a product takes less time if its right operand is already packed (1 or 0).
// The geometry is [dtype, m, n, k, row and column strides of the left operand, those of the right operand].
napi_value panelsSaveTime(napi_env env, napi_callback_info info) {
  Call call(env, info, "panelsSave");
  const Body* body = nullptr;
  const double* geometry = nullptr;
  std::size_t length = 0;
  if (!call.atLeast(1) || !call.body(body) || !call.geometry(0, geometry, length)) return call.finish();
  Reader reader(geometry, length, call.fault(), "panelsSave");
  GemmShape shape = {};
  std::int64_t numbers[7];
  if (!readFloatType(reader, shape.type) ||
      !reader.integers({nullptr, -1, "an extent or a stride"}, numbers, 7, maxExtent) || !reader.end()) {
    return call.finish();
  }
  shape.m = numbers[0];
  shape.n = shape.cRow = numbers[1];
  shape.k = numbers[2];
  shape.aRow = numbers[3];
  shape.aColumn = numbers[4];
  shape.bRow = numbers[5];
  shape.bColumn = numbers[6];
  return call.finish(panelsSave(shape, *body) ? 1.0 : 0.0);
}

// random(kernelId, seed, run, out)
napi_value random(napi_env env, napi_callback_info info) {
  Call call(env, info, "random");
  const Kernel* kernel = nullptr;
  double seed = 0, run = 0;
  Array out;
  if (call.atLeast(4) && call.kernel(0, kernel) && call.number(1, "the seed", seed) &&
      call.number(2, "the run", run) && call.array(3, "the output", out)) {
    static_cast<void>(fillRandom(*kernel, seed, run, out, call.fault()));
  }
  return call.finish();
}

// setThreads(count), getThreads(): set and return the number of threads of the process
napi_value setThreads(napi_env env, napi_callback_info info) {
  Call call(env, info, "setThreads");
  double count = 0;
  if (call.integer(0, "the threads", 1, count)) Pool::instance().setThreads(threadsOf(count));
  return call.finish();
}

napi_value getThreads(napi_env env, napi_callback_info info) {
  Call call(env, info, "getThreads");
  return call.finish(static_cast<double>(Pool::instance().threads()));
}

// fmaPeak(bits): measures and returns the most floating-point operations per second of one thread
napi_value fmaPeak(napi_env env, napi_callback_info info) {
  Call call(env, info, "fmaPeak");
  const Body* body = nullptr;
  double bits = 0, peak = 0;
  if (call.body(body) && call.integer(0, "the bits of an element", 32, bits)) {
    peak = fmaPeak(bits == 64 ? DType::float64 : DType::float32, *body);
  }
  return call.finish(peak);
}

struct EntryPoint {
  const char* name;
  napi_callback function;
};
constexpr EntryPoint entryPoints[] = {
    {"describe", describe},
    {"map", map},
    {"reduce", reduce},
    {"product", product},
    {"random", random},
    {"panelsSave", panelsSaveTime},
    {"createQueue", createQueue},
    {"createKept", createKept},
    {"expireKept", expireKept},
    {"disposeKept", disposeKept},
    {"createProgram", createProgram},
    {"runProgram", runProgram},
    {"profileProgram", profileProgram},
    {"readFailure", readFailure},
    {"readIterations", readIterations},
    {"routine", routine},
    {"disposeProgram", disposeProgram},
    {"startProgram", startProgram},
    {"cancelRun", cancelRun},
    {"claimLeaves", claimLeaves},
    {"beginWrites", beginWrites},
    {"releaseLeaves", releaseLeaves},
    {"gatherRows", gatherRows},
    {"fmaPeak", fmaPeak},
    {"setThreads", setThreads},
    {"getThreads", getThreads},
};

bool exportAll(napi_env env, napi_value exports) {
  for (const auto& [name, function] : entryPoints) {
    napi_value value = nullptr;
    if (napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value) != napi_ok ||
        napi_set_named_property(env, exports, name, value) != napi_ok) {
      return false;
    }
  }
  return true;
}

// Node calls this once for every thread that loads the addon (the addon is context-aware). Only this
// registration uses node-addon-api. Its wrappers of values abort the process if a value cannot be created, so
// they are not used anywhere else.
Napi::Object init(Napi::Env env, Napi::Object exports) {
  // A static variable makes this run once per process, before any product can run.
  static const bool prepared = (prepareBlas(), true);
  static_cast<void>(prepared);
#if defined(FOREBAY_FAIL_ALLOCATION)
  if (!test::exportFailing(env, exports)) return exports;
#endif
  if (prepareAsync(env) && exportAll(env, exports)) return exports;
  bool pending = false;
  if (napi_is_exception_pending(env, &pending) == napi_ok && !pending) {
    napi_throw_error(env, "FOREBAY_NATIVE_MEMORY", "there is no memory for the addon");
  }
  return exports;
}

}  // namespace

NODE_API_MODULE(forebay, init)

}  // namespace forebay
