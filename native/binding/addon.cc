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
void map(const Napi::CallbackInfo& info) {
  Call call(info, "map");
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
void reduce(const Napi::CallbackInfo& info) {
  Call call(info, "reduce");
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
void product(const Napi::CallbackInfo& info) {
  Call call(info, "product");
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
void random(const Napi::CallbackInfo& info) {
  Call call(info, "random");
  const Kernel* kernel = nullptr;
  double seed = 0, run = 0;
  Array out;
  if (call.atLeast(4) && call.kernel(0, kernel) && call.number(1, "the seed", seed) &&
      call.number(2, "the run", run) && call.array(3, "the output", out)) {
    static_cast<void>(fillRandom(*kernel, seed, run, out, call.fault()));
  }
  return call.finish();
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  // Once a process, before any product can run.
  static const bool prepared = (prepareBlas(), true);
  static_cast<void>(prepared);
  exports.Set("describe", Napi::Function::New<describe>(env, "describe"));
  exports.Set("map", Napi::Function::New<map>(env, "map"));
  exports.Set("reduce", Napi::Function::New<reduce>(env, "reduce"));
  exports.Set("product", Napi::Function::New<product>(env, "product"));
  exports.Set("random", Napi::Function::New<random>(env, "random"));
  return exports;
}

}  // namespace

// Context-aware: run once for every thread that loads the addon.
NODE_API_MODULE(forebay, init)

}  // namespace forebay
