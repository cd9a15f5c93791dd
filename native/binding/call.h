// One call from JavaScript: its arguments as plain memory and numbers, and its errors. node-addon-api
// without C++ exceptions; arguments are read by Node-API's own functions, as its TypedArray asks Node
// for the buffer too, and a call should cost well under a microsecond.
#pragma once

#include <napi.h>

#include "kernels/bodies.h"
#include "kernels/fault.h"
#include "kernels/kernel.h"

namespace forebay {

class Call {
 public:
  // `name` is the entry point's, for messages.
  Call(const Napi::CallbackInfo& info, const char* name) : info_(info), name_(name) {}

  std::size_t count() const { return info_.Length(); }
  Fault& fault() { return fault_; }

  // Argument `index`; false after recording why it is not what was expected. The memory is valid
  // until the call returns: nothing else runs on this thread, so nothing can detach it.
  bool body(const Body*& body);
  bool kernel(std::size_t index, const Kernel*& kernel);
  bool number(std::size_t index, const char* what, double& value);
  bool array(std::size_t index, const char* what, Array& array);
  bool geometry(std::size_t index, const double*& numbers, std::size_t& length);
  bool atLeast(std::size_t count);

  // Throws the fault, if there is one.
  void finish();

 private:
  const Napi::CallbackInfo& info_;
  const char* name_;
  Fault fault_;
};

// An Error with a `code`, as the TypeScript side expects them.
void throwFault(napi_env env, const Fault& fault);

}  // namespace forebay
