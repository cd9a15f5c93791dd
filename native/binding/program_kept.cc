// The values that the runs of programs keep for later runs, as JavaScript holds them.
#include <cstdint>
#include <new>

#include "binding/program.h"

namespace forebay {

namespace {

struct KeptHandle final : Handle {
  explicit KeptHandle(Kept<SharedValues> what) : Handle(Kind::kept), kept(std::move(what)) {}
  Kept<SharedValues> kept;
};

}  // namespace

Kept<SharedValues> SharedValues::create(napi_env env, double bytes) {
  Kept<SharedValues> made(new (std::nothrow) SharedValues(env));
  // More bytes than this exceed the address space.
  if (!made || bytes > static_cast<double>(PTRDIFF_MAX / 2) ||
      !made->values.allocate(static_cast<std::size_t>(bytes))) {
    return {};
  }
  made->reported_ = static_cast<std::int64_t>(bytes);
  std::int64_t all = 0;
  napi_adjust_external_memory(env, made->reported_, &all);
  return made;
}

SharedValues::~SharedValues() {
  std::int64_t all = 0;
  if (reported_ > 0) napi_adjust_external_memory(env_, -reported_, &all);
}

bool keptOf(Call& call, std::size_t argument, Kept<SharedValues>& kept) {
  KeptHandle* handle = nullptr;
  if (!call.handle(argument, "kept values", Handle::Kind::kept, handle)) return false;
  kept = handle->kept;
  return true;
}

// createKept(bytes): memory for kept values
napi_value createKept(napi_env env, napi_callback_info info) {
  Call call(env, info, "createKept");
  double bytes = 0;
  if (!call.integer(0, "the bytes", 0, bytes)) return call.finish();
  Kept<SharedValues> kept = SharedValues::create(env, bytes);
  if (!kept) call.fault().memory("createKept: no memory for %.0f bytes", bytes);
  return call.finish(kept ? call.external(new (std::nothrow) KeptHandle(kept)) : nullptr);
}

// expireKept(kept): the next run of each program that has these kept values computes them again
napi_value expireKept(napi_env env, napi_callback_info info) {
  Call call(env, info, "expireKept");
  KeptHandle* handle = nullptr;
  if (call.handle(0, "kept values", Handle::Kind::kept, handle) && handle->kept) {
    handle->kept->values.expire();
  }
  return call.finish();
}

// disposeKept(kept): frees the memory when no program has these kept values any more. It may be called again.
napi_value disposeKept(napi_env env, napi_callback_info info) {
  Call call(env, info, "disposeKept");
  KeptHandle* handle = nullptr;
  if (call.handle(0, "kept values", Handle::Kind::kept, handle)) handle->kept = Kept<SharedValues>();
  return call.finish();
}

}  // namespace forebay
