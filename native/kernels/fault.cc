#include "kernels/fault.h"

#include <cstdarg>
#include <cstdio>

namespace forebay {

bool Fault::argument(const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text_, sizeof text_, format, arguments);
  va_end(arguments);
  kind_ = Kind::argument;
  return false;
}

bool Fault::memory(const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text_, sizeof text_, format, arguments);
  va_end(arguments);
  kind_ = Kind::memory;
  return false;
}

}  // namespace forebay
