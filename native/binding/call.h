// One call from JavaScript: reads its arguments as plain memory and numbers, and throws its error. Uses only
// the functions of Node-API. Each of them may fail, for instance in a worker that is being terminated, and
// wrappers that throw or abort in that case cannot be used.
#pragma once

#include <node_api.h>

#include <memory>

#include "kernels/bodies.h"
#include "kernels/fault.h"
#include "kernels/kernel.h"

namespace forebay {

// The target of our external values. The kind is first, so that all kinds can be distinguished.
struct Handle {
  enum class Kind { queue, program, claim };
  explicit Handle(Kind what) : kind(what) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  virtual ~Handle() = default;
  const Kind kind;
};

// Keeps a JavaScript value alive. Used only on the thread of its environment.
class Reference {
 public:
  Reference() = default;
  ~Reference() {
    if (reference_ != nullptr) napi_delete_reference(env_, reference_);
  }
  Reference(const Reference&) = delete;
  Reference& operator=(const Reference&) = delete;

  bool keep(napi_env env, napi_value value) {
    env_ = env;
    return napi_create_reference(env, value, 1, &reference_) == napi_ok;
  }
  // Null if that fails.
  napi_value value() const {
    napi_value value = nullptr;
    return napi_get_reference_value(env_, reference_, &value) == napi_ok ? value : nullptr;
  }

 private:
  napi_env env_ = nullptr;
  napi_ref reference_ = nullptr;
};

class Call {
 public:
  // `name` is the name of the entry point, for messages.
  Call(napi_env env, napi_callback_info info, const char* name);
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  std::size_t count() const { return count_; }
  napi_env env() const { return env_; }
  napi_value operator[](std::size_t index) const { return arguments_[index]; }
  const napi_value* from(std::size_t index) const { return arguments_ + index; }
  Fault& fault() { return fault_; }

  // These read argument `index`. They return false and record a fault if it is not as expected. The memory is
  // valid until the call returns: no JavaScript runs on this thread meanwhile, so nothing can detach it.
  bool body(const Body*& body);
  bool kernel(std::size_t index, const Kernel*& kernel);
  bool number(std::size_t index, const char* what, double& value);
  bool array(std::size_t index, const char* what, Array& array);
  bool geometry(std::size_t index, const double*& numbers, std::size_t& length);
  bool atLeast(std::size_t count);
  bool flag(std::size_t index, const char* what, bool& value);
  bool isNull(std::size_t index) const;
  // An integer from `low` to 2^53 - 1.
  bool integer(std::size_t index, const char* what, double low, double& value);
  template <class T>
  bool handle(std::size_t index, const char* what, Handle::Kind kind, T*& value) {
    Handle* found = nullptr;
    if (!handle(index, what, kind, found)) return false;
    value = static_cast<T*>(found);
    return true;
  }
  // The length and the elements of a JavaScript array. Read these before any memory: an element may be a
  // getter, which can run code that detaches memory.
  bool list(std::size_t index, const char* what, std::uint32_t& count);
  bool elements(std::size_t index, std::uint32_t count, napi_value* values);
  // Reads one of the elements as a typed array. `shared`: it must be on a SharedArrayBuffer, which cannot be
  // detached while other threads use it.
  bool typedArray(napi_value value, const char* what, std::size_t index, bool shared, Array& array);

  // Keeps these values alive in a list of our own, because the caller may change its list.
  bool keep(const napi_value* values, std::size_t count, Reference& kept);

  // A new external value that owns `handle`. Null, with the fault recorded, if there is no memory.
  napi_value external(Handle* handle);

  // Throws the fault, if there is one, as an Error with a `code`, which the TypeScript side expects.
  // Otherwise returns the result of the entry point, undefined by default.
  napi_value finish(napi_value result = nullptr);
  napi_value finish(double result);

 private:
  // Enough for all calls except those with many feeds and outputs.
  static constexpr std::size_t mostInPlace = 24;

  bool handle(std::size_t index, const char* what, Handle::Kind kind, Handle*& found);

  const napi_env env_;
  const char* const name_;
  std::size_t count_ = mostInPlace;
  napi_value inPlace_[mostInPlace];
  std::unique_ptr<napi_value[]> more_;
  const napi_value* arguments_ = inPlace_;
  Fault fault_;
};

}  // namespace forebay
