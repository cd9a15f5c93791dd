#include "binding/describe.h"

#include <cstdint>
#include <initializer_list>

#include "binding/call.h"
#include "kernels/blas.h"

namespace forebay {

namespace {

// Makes JavaScript values; after the first failure does nothing more, so that only the end is checked.
class Maker {
 public:
  explicit Maker(napi_env env) : env_(env) {}

  bool ok() const { return ok_; }

  napi_value number(int value) {
    napi_value made = nullptr;
    if (ok_) ok_ = napi_create_int32(env_, value, &made) == napi_ok;
    return made;
  }
  napi_value text(const char* value) {
    napi_value made = nullptr;
    if (ok_) ok_ = napi_create_string_utf8(env_, value, NAPI_AUTO_LENGTH, &made) == napi_ok;
    return made;
  }
  napi_value object() {
    napi_value made = nullptr;
    if (ok_) ok_ = napi_create_object(env_, &made) == napi_ok;
    return made;
  }
  napi_value list() {
    napi_value made = nullptr;
    if (ok_) ok_ = napi_create_array(env_, &made) == napi_ok;
    return made;
  }
  void set(napi_value object, const char* key, napi_value value) {
    if (ok_) ok_ = napi_set_named_property(env_, object, key, value) == napi_ok;
  }
  void push(napi_value list, napi_value value) {
    std::uint32_t length = 0;
    if (ok_) ok_ = napi_get_array_length(env_, list, &length) == napi_ok;
    if (ok_) ok_ = napi_set_element(env_, list, length, value) == napi_ok;
  }

 private:
  napi_env env_;
  bool ok_ = true;
};

napi_value describeKernels(Maker& make, const Body& body) {
  napi_value kernels = make.list();
  for (std::size_t id = 0; id < body.kernelCount; ++id) {
    const Kernel& kernel = body.kernels[id];
    napi_value dtypes = make.list();
    for (const DType type : {DType::float32, DType::float64, DType::int32}) {
      if (kernel.routine(type)) make.push(dtypes, make.text(nameOf(type)));
    }
    napi_value row = make.object();
    make.set(row, "family", make.text(nameOf(kernel.family)));
    make.set(row, "name", make.text(kernel.name));
    make.set(row, "arity", make.number(kernel.arity));
    make.set(row, "dtypes", dtypes);
    make.push(kernels, row);
  }
  return kernels;
}

napi_value describeSimd(Maker& make, const Body& active) {
  napi_value available = make.list();
  for (const Body* const* body = bodies; *body != nullptr; ++body) {
    if ((*body)->supported()) make.push(available, make.text((*body)->name));
  }
  napi_value simd = make.object();
  make.set(simd, "active", make.text(active.name));
  make.set(simd, "available", available);
  return simd;
}

napi_value describeBlas(Maker& make) {
  const BlasInfo info = blasInfo();
  napi_value blas = make.object();
  make.set(blas, "library", make.text(info.library));
  make.set(blas, "core", make.text(info.core));
  make.set(blas, "threads", make.number(info.threads));
  return blas;
}

}  // namespace

napi_value describe(napi_env env, napi_callback_info info) {
  Call call(env, info, "describe");
  const Body* body = nullptr;
  if (!call.body(body)) return call.finish();

  Maker make(env);
  napi_value description = make.object();
  make.set(description, "abi", make.number(abi));
  make.set(description, "version", make.text(FOREBAY_VERSION));
  make.set(description, "kernels", describeKernels(make, *body));
  make.set(description, "simd", describeSimd(make, *body));
  make.set(description, "blas", describeBlas(make));
  if (make.ok()) return description;
  static_cast<void>(call.fault().memory("describe: Node could not create the description"));
  return call.finish();
}

}  // namespace forebay
