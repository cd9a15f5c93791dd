// The addon's entry points. Each turns its arguments into plain memory and hands them to kernels/,
// which checks them; nothing is computed here. No state but constants: any thread may load it.
#include "binding/call.h"
#include "binding/describe.h"
#include "kernels/blas.h"
#include "kernels/map.h"
#include "kernels/product.h"
#include "kernels/random.h"
#include "kernels/reduce.h"

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

constexpr struct {
  const char* name;
  napi_callback function;
} entryPoints[] = {
    {"describe", describe}, {"map", map}, {"reduce", reduce}, {"product", product}, {"random", random},
};

}  // namespace

}  // namespace forebay

NAPI_MODULE_INIT() {
  // Once a process, before any product can run.
  static const bool prepared = (forebay::prepareBlas(), true);
  static_cast<void>(prepared);
  for (const auto& entry : forebay::entryPoints) {
    napi_value function = nullptr;
    if (napi_create_function(env, entry.name, NAPI_AUTO_LENGTH, entry.function, nullptr, &function) !=
            napi_ok ||
        napi_set_named_property(env, exports, entry.name, function) != napi_ok) {
      return nullptr;  // with Node's own exception pending
    }
  }
  return exports;
}
