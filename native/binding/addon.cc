// The addon's entry points. Each turns its arguments into plain memory and hands them to kernels/,
// which checks them; nothing is computed here. No state but constants: any thread may load it.
#include "binding/async.h"
#include "binding/call.h"
#include "binding/describe.h"
#include "binding/program.h"
#include "kernels/blas.h"
#include "kernels/map.h"
#include "kernels/peak.h"
#include "kernels/product.h"
#include "kernels/random.h"
#include "kernels/reduce.h"
#include "program/pool.h"

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

// setThreads(count), getThreads(): of the process
void setThreads(const Napi::CallbackInfo& info) {
  Call call(info, "setThreads");
  double count = 0;
  if (call.integer(0, "the threads", 1, count)) Pool::instance().setThreads(threadsOf(count));
  return call.finish();
}

Napi::Value getThreads(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), Pool::instance().threads());
}

// fmaPeak(bits): floating-point operations a second of one thread, at best; measured now
Napi::Value fmaPeak(const Napi::CallbackInfo& info) {
  Call call(info, "fmaPeak");
  const Body* body = nullptr;
  double bits = 0, peak = 0;
  if (call.body(body) && call.integer(0, "the bits of an element", 32, bits)) {
    peak = fmaPeak(bits == 64 ? DType::float64 : DType::float32, *body);
  }
  call.finish();
  return Napi::Number::New(info.Env(), peak);
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  // Once a process, before any product can run.
  static const bool prepared = (prepareBlas(), true);
  static_cast<void>(prepared);
  if (!prepareAsync(env)) {
    napi_throw_error(env, "FOREBAY_NATIVE_MEMORY", "there is no memory for the addon");
    return exports;
  }
  exports.Set("describe", Napi::Function::New<describe>(env, "describe"));
  exports.Set("map", Napi::Function::New<map>(env, "map"));
  exports.Set("reduce", Napi::Function::New<reduce>(env, "reduce"));
  exports.Set("product", Napi::Function::New<product>(env, "product"));
  exports.Set("random", Napi::Function::New<random>(env, "random"));
  exports.Set("createQueue", Napi::Function::New<createQueue>(env, "createQueue"));
  exports.Set("createProgram", Napi::Function::New<createProgram>(env, "createProgram"));
  exports.Set("runProgram", Napi::Function::New<runProgram>(env, "runProgram"));
  exports.Set("profileProgram", Napi::Function::New<profileProgram>(env, "profileProgram"));
  exports.Set("disposeProgram", Napi::Function::New<disposeProgram>(env, "disposeProgram"));
  exports.Set("startProgram", Napi::Function::New<startProgram>(env, "startProgram"));
  exports.Set("cancelRun", Napi::Function::New<cancelRun>(env, "cancelRun"));
  exports.Set("claimLeaves", Napi::Function::New<claimLeaves>(env, "claimLeaves"));
  exports.Set("beginWrites", Napi::Function::New<beginWrites>(env, "beginWrites"));
  exports.Set("releaseLeaves", Napi::Function::New<releaseLeaves>(env, "releaseLeaves"));
  exports.Set("gatherRows", Napi::Function::New<gatherRows>(env, "gatherRows"));
  exports.Set("fmaPeak", Napi::Function::New<fmaPeak>(env, "fmaPeak"));
  exports.Set("setThreads", Napi::Function::New<setThreads>(env, "setThreads"));
  exports.Set("getThreads", Napi::Function::New<getThreads>(env, "getThreads"));
  return exports;
}

}  // namespace

// Context-aware: run once for every thread that loads the addon.
NODE_API_MODULE(forebay, init)

}  // namespace forebay
