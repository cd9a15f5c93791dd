// One call from JavaScript: its arguments as plain memory and numbers, and its errors. Raw Node-API,
// as a call should cost well under a microsecond; no C++ exceptions.
#pragma once

#include <node_api.h>

#include "kernels/bodies.h"
#include "kernels/fault.h"
#include "kernels/kernel.h"

namespace forebay {

class Call {
 public:
  // `name` is the entry point's, for messages.
  Call(napi_env env, napi_callback_info info, const char* name);

  std::size_t count() const { return count_; }
  Fault& fault() { return fault_; }

  // Argument `index`; false after recording why it is not what was expected. The memory is valid
  // until the call returns: nothing else runs on this thread, so nothing can detach it.
  bool body(const Body*& body);
  bool kernel(std::size_t index, const Kernel*& kernel);
  bool number(std::size_t index, const char* what, double& value);
  bool array(std::size_t index, const char* what, Array& array);
  bool geometry(std::size_t index, const double*& numbers, std::size_t& length);
  bool atLeast(std::size_t count);

  // What the entry point returns: undefined, after throwing the fault if there is one.
  napi_value finish();

 private:
  static constexpr std::size_t maxArguments = 6;

  napi_env env_;
  const char* name_;
  std::size_t count_ = maxArguments;
  napi_value arguments_[maxArguments];
  Fault fault_;
};

// An Error with a `code`, as the TypeScript side expects them.
void throwFault(napi_env env, const Fault& fault);

}  // namespace forebay
