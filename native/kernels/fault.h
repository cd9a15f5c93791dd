// The error of a kernel call. The class throws no exceptions and allocates no memory, so even a failed
// allocation can be reported.
#pragma once

namespace forebay {

class Fault {
 public:
  enum class Kind { none, argument, memory };

  // These two functions record the message and return false, so a check can end with `return
  // fault.argument(…)`.
  [[gnu::format(printf, 2, 3)]] bool argument(const char* format, ...);
  [[gnu::format(printf, 2, 3)]] bool memory(const char* format, ...);

  Kind kind() const { return kind_; }
  const char* text() const { return kind_ == Kind::none ? "" : text_; }

 private:
  Kind kind_ = Kind::none;
  char text_[400];  // not initialized: clearing it would cost time in every successful call
};

}  // namespace forebay
