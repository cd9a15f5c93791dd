// The error of a kernel call. It uses no exceptions and no allocation, so reporting a failed allocation
// cannot fail.
#pragma once

namespace forebay {

class Fault {
 public:
  enum class Kind { none, argument, memory };

  // Both record the message and return false, so that a check can `return fault.argument(…)`.
  [[gnu::format(printf, 2, 3)]] bool argument(const char* format, ...);
  [[gnu::format(printf, 2, 3)]] bool memory(const char* format, ...);

  Kind kind() const { return kind_; }
  const char* text() const { return kind_ == Kind::none ? "" : text_; }

 private:
  Kind kind_ = Kind::none;
  char text_[400];  // not initialized: clearing it would cost time in every successful call
};

}  // namespace forebay
