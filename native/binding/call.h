// One call from JavaScript: its arguments as plain memory and numbers, and its errors. node-addon-api
// without C++ exceptions; arguments are read by Node-API's own functions, as its TypedArray asks Node
// for the buffer too, and a call should cost well under a microsecond.
#pragma once

#include <napi.h>

#include "kernels/bodies.h"
#include "kernels/fault.h"
#include "kernels/kernel.h"

namespace forebay {

// What an external of ours points to; the kind comes first, for one to be told from another.
struct Handle {
  enum class Kind { queue, program, claim };
  explicit Handle(Kind what) : kind(what) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  virtual ~Handle() = default;
  const Kind kind;
};

class Call {
 public:
  // `name` is the entry point's, for messages.
  Call(const Napi::CallbackInfo& info, const char* name) : info_(info), name_(name) {}

  std::size_t count() const { return info_.Length(); }
  Napi::Env env() const { return info_.Env(); }
  Napi::Value operator[](std::size_t index) const { return info_[index]; }
  Fault& fault() { return fault_; }

  // Argument `index`; false after recording why it is not what was expected. The memory is valid
  // until the call returns: nothing else runs on this thread, so nothing can detach it.
  bool body(const Body*& body);
  bool kernel(std::size_t index, const Kernel*& kernel);
  bool number(std::size_t index, const char* what, double& value);
  bool array(std::size_t index, const char* what, Array& array);
  bool geometry(std::size_t index, const double*& numbers, std::size_t& length);
  bool atLeast(std::size_t count);
  bool flag(std::size_t index, const char* what, bool& value);
  // An integer from `low` to 2^53 - 1.
  bool integer(std::size_t index, const char* what, double low, double& value);
  template <class T>
  bool handle(std::size_t index, const char* what, Handle::Kind kind, T*& value) {
    Handle* found = nullptr;
    if (!handle(index, what, kind, found)) return false;
    value = static_cast<T*>(found);
    return true;
  }
  // The elements of a JavaScript array, which has `count`. To be read before any memory is looked at: an
  // element may be a getter, and run code that takes memory away.
  bool list(std::size_t index, const char* what, std::uint32_t& count);
  bool elements(std::size_t index, std::uint32_t count, napi_value* values);
  // The typed array that one of them is. `shared`: it must lie on a SharedArrayBuffer, which nothing can
  // take away while other threads use it.
  bool typedArray(napi_value value, const char* what, std::size_t place, bool shared, Array& array);

  // A new external that owns `handle`; undefined, with the fault recorded, when there is no memory for it.
  Napi::Value external(Handle* handle);

  // Throws the fault, if there is one.
  void finish();

 private:
  bool handle(std::size_t index, const char* what, Handle::Kind kind, Handle*& found);

  const Napi::CallbackInfo& info_;
  const char* name_;
  Fault fault_;
};

// An Error with a `code`, as the TypeScript side expects them.
void throwFault(napi_env env, const Fault& fault);

}  // namespace forebay
