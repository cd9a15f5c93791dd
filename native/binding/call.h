// A call from JavaScript. The class reads the arguments as plain memory and numbers, and throws the error of
// the call. It uses only the functions of Node-API. Each of these functions may fail, for instance in a
// worker that is being terminated. So wrappers that throw or abort on failure cannot be used.
#pragma once

#include <node_api.h>

#include <memory>

#include "kernels/bodies.h"
#include "kernels/fault.h"
#include "kernels/kernel.h"

namespace forebay {

// The object behind each external value that forebay gives to JavaScript. `kind` is in the base class, so
// that the kind of every object can be read.
struct Handle {
  enum class Kind { queue, program, claim, kept };
  explicit Handle(Kind what) : kind(what) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  virtual ~Handle() = default;
  const Kind kind;
};

// Keeps a JavaScript value alive. It may be used only on the thread of its environment.
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
  // Returns the value, or null if Node-API fails.
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
  // `name` is the name of the entry point, for error messages.
  Call(napi_env env, napi_callback_info info, const char* name);
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  std::size_t count() const { return count_; }
  napi_env env() const { return env_; }
  napi_value operator[](std::size_t index) const { return arguments_[index]; }
  const napi_value* from(std::size_t index) const { return arguments_ + index; }
  Fault& fault() { return fault_; }

  // The functions from here on read argument `index`. If the argument is not as expected, they record a fault
  // and return false. Memory that they return is valid until the call returns, because no JavaScript runs on
  // this thread until then, so nothing can detach the memory.
  bool body(const Body*& body);
  bool kernel(std::size_t index, const Kernel*& kernel);
  bool number(std::size_t index, const char* what, double& value);
  bool array(std::size_t index, const char* what, Array& array);
  bool geometry(std::size_t index, const double*& numbers, std::size_t& length);
  bool atLeast(std::size_t count);
  bool flag(std::size_t index, const char* what, bool& value);
  bool isNull(std::size_t index) const;
  // Reads an integer from `low` to 2^53 - 1.
  bool integer(std::size_t index, const char* what, double low, double& value);
  template <class T>
  bool handle(std::size_t index, const char* what, Handle::Kind kind, T*& value) {
    Handle* found = nullptr;
    if (!handle(index, what, kind, found)) return false;
    value = static_cast<T*>(found);
    return true;
  }
  // Read the length and the elements of a JavaScript array. Call these before the functions that return
  // memory: an element may be a getter, which can run code that detaches memory.
  bool list(std::size_t index, const char* what, std::uint32_t& count);
  bool elements(std::size_t index, std::uint32_t count, napi_value* values);
  // Reads `value`, an element, as a typed array. If `shared` is true, the array must be on a
  // SharedArrayBuffer, which cannot be detached while other threads use it.
  bool typedArray(napi_value value, const char* what, std::size_t index, bool shared, Array& array);

  // Keeps values alive in a new JavaScript array, because the caller may change its own array.
  bool keep(const napi_value* values, std::size_t count, Reference& kept);

  // Returns a new external value that owns `handle`. If there is no memory, deletes `handle`, records the
  // fault and returns null.
  napi_value external(Handle* handle);

  // If a fault was recorded, throws it as an Error with a `code`, which the TypeScript side expects.
  // Otherwise returns `result` as the result of the entry point; the default is undefined.
  napi_value finish(napi_value result = nullptr);
  napi_value finish(double result);

 private:
  // A call with up to this many arguments allocates no memory for them. Only calls with many feeds and
  // outputs have more.
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
