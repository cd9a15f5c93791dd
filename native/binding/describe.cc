#include "binding/describe.h"

#include <cmath>
#include <initializer_list>

#include "binding/call.h"
#include "kernels/blas.h"
#include "kernels/gemm.h"
#include "routines/routine.h"

namespace forebay {

namespace {

// Builds JavaScript values. After a failure, all later calls may fail too. So only fine() is checked, at the
// end.
class Builder {
 public:
  explicit Builder(napi_env env) : env_(env) {}
  bool fine() const { return fine_; }

  napi_value value(const char* text) {
    napi_value made = nullptr;
    check(napi_create_string_utf8(env_, text, NAPI_AUTO_LENGTH, &made));
    return made;
  }
  napi_value value(double number) {
    napi_value made = nullptr;
    check(napi_create_double(env_, number, &made));
    return made;
  }
  napi_value flag(bool value) {
    napi_value made = nullptr;
    check(napi_get_boolean(env_, value, &made));
    return made;
  }
  napi_value list() {
    napi_value made = nullptr;
    check(napi_create_array(env_, &made));
    return made;
  }
  napi_value record() {
    napi_value made = nullptr;
    check(napi_create_object(env_, &made));
    return made;
  }
  void push(napi_value list, napi_value value) {
    std::uint32_t length = 0;
    check(napi_get_array_length(env_, list, &length));
    check(napi_set_element(env_, list, length, value));
  }
  void set(napi_value record, const char* name, napi_value value) {
    check(napi_set_named_property(env_, record, name, value));
  }

 private:
  void check(napi_status status) { fine_ = fine_ && status == napi_ok; }

  const napi_env env_;
  bool fine_ = true;
};

napi_value listOfTypes(Builder& build, unsigned types) {
  napi_value const list = build.list();
  for (const DType type : laneTypes) {
    if ((types >> static_cast<int>(type) & 1u) != 0) build.push(list, build.value(nameOf(type)));
  }
  return list;
}

const char* nameOf(Form form) {
  return form == Form::compares ? "compares" : form == Form::selects ? "selects" : "plain";
}

// Adds the facts of a reduction to its row.
void describeFolds(Builder& build, const Kernel& kernel, napi_value row) {
  napi_value const identities = build.record();
  unsigned rows = 0;
  bool indexes = false;
  for (const DType type : laneTypes) {
    const Fold* const fold = kernel.routine(type).fold;
    if (fold == nullptr) continue;
    if (!std::isnan(fold->identity)) build.set(identities, nameOf(type), build.value(fold->identity));
    if (kernel.reducesRows(type)) rows |= 1u << static_cast<int>(type);
    indexes = fold->kind == Fold::Kind::argmax;
  }
  build.set(row, "identities", identities);
  build.set(row, "rows", listOfTypes(build, rows));
  build.set(row, "indexes", build.flag(indexes));
}

napi_value describeKernels(Builder& build, const Body& body) {
  napi_value const kernels = build.list();
  for (std::size_t id = 0; id < body.kernelCount; ++id) {
    const Kernel& kernel = body.kernels[id];
    unsigned types = 0;
    for (const DType type : laneTypes) {
      if (kernel.routine(type)) types |= 1u << static_cast<int>(type);
    }
    napi_value const row = build.record();
    build.set(row, "family", build.value(nameOf(kernel.family)));
    build.set(row, "name", build.value(kernel.name));
    build.set(row, "arity", build.value(kernel.arity));
    build.set(row, "dtypes", listOfTypes(build, types));
    build.set(row, "cheap", listOfTypes(build, kernel.cheap));
    build.set(row, "form", build.value(nameOf(kernel.form)));
    if (kernel.family == Family::reduce) describeFolds(build, kernel, row);
    build.push(kernels, row);
  }
  return kernels;
}

napi_value describeRoutines(Builder& build) {
  napi_value const list = build.list();
  for (std::int64_t id = 0; id < routineCount; ++id) {
    const RoutineRow& routine = *routines[id];
    napi_value const lanes = build.list();
    for (int read = 0; read < routine.reads; ++read) {
      if ((routine.lanes >> read & 1u) != 0) build.push(lanes, build.value(read));
    }
    napi_value const row = build.record();
    build.set(row, "name", build.value(routine.name));
    build.set(row, "reads", build.value(routine.reads));
    build.set(row, "writes", build.value(routine.writes));
    build.set(row, "integers", build.value(routine.integers));
    build.set(row, "dtypes", listOfTypes(build, routine.dtypes));
    build.set(row, "lanes", lanes);
    build.set(row, "mayFail", build.flag(routine.mayFail));
    build.set(row, "inPlace", build.value(routine.inPlace));
    build.set(row, "channelsLast", build.value(routine.channelsLast));
    build.set(row, "updatesLeaves", build.flag(routine.updatesLeaves));
    build.push(list, row);
  }
  return list;
}

napi_value describeSimd(Builder& build, const Body& active) {
  napi_value const available = build.list();
  for (const Body* const* body = bodies; *body != nullptr; ++body) {
    if ((*body)->supported()) build.push(available, build.value((*body)->name));
  }
  napi_value const simd = build.record();
  build.set(simd, "active", build.value(active.name));
  build.set(simd, "available", available);
  return simd;
}

napi_value describeBlas(Builder& build) {
  const BlasInfo info = blasInfo();
  napi_value const blas = build.record();
  build.set(blas, "library", build.value(info.library));
  build.set(blas, "core", build.value(info.core));
  build.set(blas, "threads", build.value(info.threads));
  return blas;
}

napi_value describePanels(Builder& build, const Body& body) {
  napi_value const panels = build.record();
  for (const DType type : {DType::float32, DType::float64}) {
    build.set(panels, nameOf(type), build.value(static_cast<double>(panelWidth(type, body))));
  }
  return panels;
}

}  // namespace

napi_value describe(napi_env env, napi_callback_info info) {
  Call call(env, info, "describe");
  const Body* body = nullptr;
  if (!call.body(body)) return call.finish();
  Builder build(env);
  napi_value const description = build.record();
  build.set(description, "abi", build.value(abi));
  build.set(description, "version", build.value(FOREBAY_VERSION));
  build.set(description, "kernels", describeKernels(build, *body));
  build.set(description, "routines", describeRoutines(build));
  build.set(description, "simd", describeSimd(build, *body));
  build.set(description, "blas", describeBlas(build));
  build.set(description, "panels", describePanels(build, *body));
  if (!build.fine()) call.fault().memory("describe: there is no memory left");
  return call.finish(description);
}

}  // namespace forebay
