#include "binding/describe.h"

#include "binding/call.h"
#include "kernels/blas.h"
#include "kernels/gemm.h"

namespace forebay {

namespace {

// After a failure node-addon-api makes empty values and leaves Node's exception pending, so nothing
// is checked on the way.
void push(Napi::Array list, Napi::Value value) { list.Set(list.Length(), value); }

Napi::Array describeKernels(Napi::Env env, const Body& body) {
  Napi::Array kernels = Napi::Array::New(env);
  for (std::size_t id = 0; id < body.kernelCount; ++id) {
    const Kernel& kernel = body.kernels[id];
    Napi::Array dtypes = Napi::Array::New(env);
    for (const DType type : {DType::float32, DType::float64, DType::int32}) {
      if (kernel.routine(type)) push(dtypes, Napi::String::New(env, nameOf(type)));
    }
    Napi::Object row = Napi::Object::New(env);
    row.Set("family", nameOf(kernel.family));
    row.Set("name", kernel.name);
    row.Set("arity", kernel.arity);
    row.Set("dtypes", dtypes);
    push(kernels, row);
  }
  return kernels;
}

Napi::Object describeSimd(Napi::Env env, const Body& active) {
  Napi::Array available = Napi::Array::New(env);
  for (const Body* const* body = bodies; *body != nullptr; ++body) {
    if ((*body)->supported()) push(available, Napi::String::New(env, (*body)->name));
  }
  Napi::Object simd = Napi::Object::New(env);
  simd.Set("active", active.name);
  simd.Set("available", available);
  return simd;
}

Napi::Object describeBlas(Napi::Env env) {
  const BlasInfo info = blasInfo();
  Napi::Object blas = Napi::Object::New(env);
  blas.Set("library", info.library);
  blas.Set("core", info.core);
  blas.Set("threads", info.threads);
  return blas;
}

Napi::Object describePanels(Napi::Env env, const Body& body) {
  Napi::Object panels = Napi::Object::New(env);
  for (const DType type : {DType::float32, DType::float64}) {
    panels.Set(nameOf(type), static_cast<double>(panelWidth(type, body)));
  }
  return panels;
}

}  // namespace

Napi::Value describe(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Call call(info, "describe");
  const Body* body = nullptr;
  if (!call.body(body)) {
    call.finish();
    return env.Undefined();
  }
  Napi::Object description = Napi::Object::New(env);
  description.Set("abi", abi);
  description.Set("version", FOREBAY_VERSION);
  description.Set("kernels", describeKernels(env, *body));
  description.Set("simd", describeSimd(env, *body));
  description.Set("blas", describeBlas(env));
  description.Set("panels", describePanels(env, *body));
  return description;
}

}  // namespace forebay
