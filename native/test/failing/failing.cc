#include "test/failing/failing.h"

#include <malloc.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <new>
#include <string>
#include <vector>

namespace {

std::atomic<long> counted{0}, failAt{0};
std::atomic<const char*> failedAt{nullptr};
constexpr long mostSites = 1 << 16;
std::atomic<const char*> sites[mostSites];  // the allocating function of each allocation since failAt()
std::atomic<long> blocks{0}, bytes{0}, references{0};

// Counts an allocation. Returns true if it must fail. `site` is the name of the allocating function.
bool fails(const char* site) {
  const long n = ++counted;
  if (n <= mostSites) sites[n - 1] = site;
  if (n != failAt.load()) return false;
  failedAt = site;
  return true;
}

void* made(void* memory) {
  if (memory == nullptr) return nullptr;
  ++blocks;
  bytes += static_cast<long>(malloc_usable_size(memory));
  return memory;
}

void givenBack(void* memory) {
  if (memory == nullptr) return;
  --blocks;
  bytes -= static_cast<long>(malloc_usable_size(memory));
}

// ---- Holds calls of threadsafe functions back until the cleanup hook of their environment has run.

struct Made {
  napi_threadsafe_function function;
  napi_env env;
  void* context;
  napi_threadsafe_function_call_js call;
};
struct HeldCall {
  Made of;
  void* data;
};
struct Hook {
  void (*run)(void*);
  void* data;
  napi_env env;
};

std::atomic<bool> holding{false};
std::mutex callsMutex;
std::vector<Made> functions;
std::vector<HeldCall> held;

// Runs in place of the cleanup hook of the addon. Calls that hook, and then delivers the calls that were held
// back, with an environment that is not null.
void runHook(void* data) {
  const Hook hook = *static_cast<Hook*>(data);
  delete static_cast<Hook*>(data);
  hook.run(hook.data);
  std::vector<HeldCall> late;
  {
    const std::lock_guard<std::mutex> lock(callsMutex);
    late.swap(held);
  }
  for (const HeldCall& call : late) {
    if (call.of.env != hook.env) continue;
    napi_handle_scope scope = nullptr;
    napi_open_handle_scope(hook.env, &scope);
    call.of.call(hook.env, nullptr, call.of.context, call.data);
    napi_close_handle_scope(hook.env, scope);
  }
}

}  // namespace

// With --wrap, the linker replaces calls of f in the addon with calls of __wrap_f, and __real_f is the
// original f.
#define FOREBAY_REAL(result, name, ...) result __real_##name(__VA_ARGS__)

// Defines the wrapper of a function of Node-API that allocates. A failing call does not write its results.
#define FOREBAY_NAPI(name, parameters, arguments)                         \
  napi_status __real_##name parameters;                                   \
  napi_status __wrap_##name parameters;                                   \
  napi_status __wrap_##name parameters {                                  \
    return fails(#name) ? napi_generic_failure : __real_##name arguments; \
  }

extern "C" {

// The first six names are those of new (std::nothrow) T, new (std::nothrow) T[n], and the matching operators
// delete.
FOREBAY_REAL(void*, _ZnwmRKSt9nothrow_t, std::size_t, const std::nothrow_t&);
FOREBAY_REAL(void*, _ZnamRKSt9nothrow_t, std::size_t, const std::nothrow_t&);
FOREBAY_REAL(void, _ZdlPv, void*);
FOREBAY_REAL(void, _ZdlPvm, void*, std::size_t);
FOREBAY_REAL(void, _ZdaPv, void*);
FOREBAY_REAL(void, _ZdaPvm, void*, std::size_t);
FOREBAY_REAL(int, posix_memalign, void**, std::size_t, std::size_t);
FOREBAY_REAL(void, free, void*);
FOREBAY_REAL(int, pthread_create, pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);

void* __wrap__ZnwmRKSt9nothrow_t(std::size_t size, const std::nothrow_t& tag) {
  return fails("new") ? nullptr : made(__real__ZnwmRKSt9nothrow_t(size, tag));
}
void* __wrap__ZnamRKSt9nothrow_t(std::size_t size, const std::nothrow_t& tag) {
  return fails("new[]") ? nullptr : made(__real__ZnamRKSt9nothrow_t(size, tag));
}
void __wrap__ZdlPv(void* memory) {
  givenBack(memory);
  __real__ZdlPv(memory);
}
void __wrap__ZdlPvm(void* memory, std::size_t size) {
  givenBack(memory);
  __real__ZdlPvm(memory, size);
}
void __wrap__ZdaPv(void* memory) {
  givenBack(memory);
  __real__ZdaPv(memory);
}
void __wrap__ZdaPvm(void* memory, std::size_t size) {
  givenBack(memory);
  __real__ZdaPvm(memory, size);
}
int __wrap_posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  if (fails("posix_memalign")) return ENOMEM;
  const int error = __real_posix_memalign(memory, alignment, size);
  if (error == 0) made(*memory);
  return error;
}
void __wrap_free(void* memory) {
  givenBack(memory);
  __real_free(memory);
}
int __wrap_pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*),
                          void* argument) {
  return fails("pthread_create") ? EAGAIN : __real_pthread_create(thread, attributes, body, argument);
}

FOREBAY_NAPI(napi_create_array, (napi_env env, napi_value* made), (env, made))
FOREBAY_NAPI(napi_create_object, (napi_env env, napi_value* made), (env, made))
FOREBAY_NAPI(napi_create_string_utf8, (napi_env env, const char* text, std::size_t size, napi_value* made),
             (env, text, size, made))
FOREBAY_NAPI(napi_create_function,
             (napi_env env, const char* name, std::size_t size, napi_callback call, void* data,
              napi_value* made),
             (env, name, size, call, data, made))
FOREBAY_NAPI(napi_create_external,
             (napi_env env, void* data, napi_finalize finalize, void* hint, napi_value* made),
             (env, data, finalize, hint, made))
FOREBAY_NAPI(napi_set_element, (napi_env env, napi_value list, std::uint32_t index, napi_value value),
             (env, list, index, value))
FOREBAY_NAPI(napi_set_named_property, (napi_env env, napi_value object, const char* name, napi_value value),
             (env, object, name, value))
FOREBAY_NAPI(napi_set_instance_data, (napi_env env, void* data, napi_finalize finalize, void* hint),
             (env, data, finalize, hint))

FOREBAY_REAL(napi_status, napi_create_threadsafe_function, napi_env, napi_value, napi_value, napi_value,
             std::size_t, std::size_t, void*, napi_finalize, void*, napi_threadsafe_function_call_js,
             napi_threadsafe_function*);
FOREBAY_REAL(napi_status, napi_call_threadsafe_function, napi_threadsafe_function, void*,
             napi_threadsafe_function_call_mode);
FOREBAY_REAL(napi_status, napi_add_env_cleanup_hook, napi_env, void (*)(void*), void*);

napi_status __wrap_napi_create_threadsafe_function(napi_env env, napi_value function, napi_value resource,
                                                   napi_value name, std::size_t queue, std::size_t threads,
                                                   void* finalizeData, napi_finalize finalize, void* context,
                                                   napi_threadsafe_function_call_js call,
                                                   napi_threadsafe_function* made) {
  if (fails("napi_create_threadsafe_function")) return napi_generic_failure;
  const napi_status status = __real_napi_create_threadsafe_function(
      env, function, resource, name, queue, threads, finalizeData, finalize, context, call, made);
  // The function is added to the list only if calls are held back, because the memory of the list is counted
  // when it is freed, but not when it is allocated.
  if (status == napi_ok && holding) {
    const std::lock_guard<std::mutex> lock(callsMutex);
    functions.push_back({*made, env, context, call});
  }
  return status;
}
napi_status __wrap_napi_call_threadsafe_function(napi_threadsafe_function function, void* data,
                                                 napi_threadsafe_function_call_mode mode) {
  if (!holding) return __real_napi_call_threadsafe_function(function, data, mode);
  const std::lock_guard<std::mutex> lock(callsMutex);
  // Searches for the last function with this address. Earlier ones with the same address have been deleted.
  for (auto made = functions.rbegin(); made != functions.rend(); ++made) {
    if (made->function != function) continue;
    held.push_back({*made, data});
    return napi_ok;
  }
  return napi_invalid_arg;
}
napi_status __wrap_napi_add_env_cleanup_hook(napi_env env, void (*hook)(void*), void* data) {
  if (fails("napi_add_env_cleanup_hook")) return napi_generic_failure;
  if (!holding) return __real_napi_add_env_cleanup_hook(env, hook, data);
  return __real_napi_add_env_cleanup_hook(env, runHook, new Hook{hook, data, env});
}

FOREBAY_REAL(napi_status, napi_create_reference, napi_env, napi_value, std::uint32_t, napi_ref*);
FOREBAY_REAL(napi_status, napi_delete_reference, napi_env, napi_ref);

napi_status __wrap_napi_create_reference(napi_env env, napi_value value, std::uint32_t count,
                                         napi_ref* made) {
  if (fails("napi_create_reference")) return napi_generic_failure;
  const napi_status status = __real_napi_create_reference(env, value, count, made);
  if (status == napi_ok) ++references;
  return status;
}
napi_status __wrap_napi_delete_reference(napi_env env, napi_ref reference) {
  --references;
  return __real_napi_delete_reference(env, reference);
}

}  // extern "C"

namespace forebay::test {

namespace {

// The functions below call the original functions, because their own allocations must not be counted.
napi_value number(napi_env env, long value) {
  napi_value made = nullptr;
  napi_create_int64(env, value, &made);
  return made;
}

napi_value setFailAt(napi_env env, napi_callback_info info) {
  std::size_t count = 1;
  napi_value argument = nullptr;
  std::int64_t at = 0;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  napi_get_value_int64(env, argument, &at);
  counted = 0;
  failedAt = nullptr;
  failAt = static_cast<long>(at);
  return nullptr;
}

napi_value getCount(napi_env env, napi_callback_info) { return number(env, counted); }

napi_value getFailed(napi_env env, napi_callback_info) {
  napi_value name = nullptr;
  const char* const at = failedAt;
  if (at == nullptr) {
    napi_get_null(env, &name);
  } else {
    __real_napi_create_string_utf8(env, at, NAPI_AUTO_LENGTH, &name);
  }
  return name;
}

napi_value getSites(napi_env env, napi_callback_info) {
  const long n = std::min<long>(counted, mostSites);
  std::string names;
  for (long i = 0; i < n; ++i) names.append(i == 0 ? "" : " ").append(sites[i]);
  napi_value text = nullptr;
  __real_napi_create_string_utf8(env, names.c_str(), names.size(), &text);
  return text;
}

napi_value getLive(napi_env env, napi_callback_info) {
  napi_value live = nullptr;
  __real_napi_create_object(env, &live);
  __real_napi_set_named_property(env, live, "blocks", number(env, blocks));
  __real_napi_set_named_property(env, live, "bytes", number(env, bytes));
  __real_napi_set_named_property(env, live, "references", number(env, references));
  return live;
}

napi_value holdCalls(napi_env, napi_callback_info) {
  holding = true;
  return nullptr;
}

napi_value getHeld(napi_env env, napi_callback_info) {
  const std::lock_guard<std::mutex> lock(callsMutex);
  return number(env, static_cast<long>(held.size()));
}

// This runs before the addon is initialized, so that allocations in its initialization can fail.
const bool fromEnvironment = [] {
  const char* const text = std::getenv("FOREBAY_FAIL_AT");
  if (text != nullptr) failAt = std::atol(text);
  return text != nullptr;
}();

}  // namespace

bool exportFailing(napi_env env, napi_value exports) {
  static_cast<void>(fromEnvironment);
  napi_value failing = nullptr;
  if (__real_napi_create_object(env, &failing) != napi_ok) return false;
  struct Entry {
    const char* name;
    napi_callback function;
  };
  constexpr Entry entries[] = {{"failAt", setFailAt}, {"count", getCount}, {"failed", getFailed},
                               {"sites", getSites},   {"live", getLive},   {"holdCalls", holdCalls},
                               {"held", getHeld}};
  for (const auto& [name, function] : entries) {
    napi_value value = nullptr;
    __real_napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
    __real_napi_set_named_property(env, failing, name, value);
  }
  return __real_napi_set_named_property(env, exports, "failing", failing) == napi_ok;
}

}  // namespace forebay::test
