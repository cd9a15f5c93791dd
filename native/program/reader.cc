#include "program/reader.h"

#include <cstdarg>
#include <cstdio>

namespace forebay {

Name::Name(const Field& field) {
  if (field.operand == nullptr) {
    std::snprintf(text, sizeof text, "%s", field.name);
  } else if (field.index < 0) {
    std::snprintf(text, sizeof text, "%s of %s", field.name, field.operand);
  } else {
    std::snprintf(text, sizeof text, "%s of %s %lld", field.name, field.operand,
                  static_cast<long long>(field.index));
  }
}

Reader::Prefix Reader::prefix() const {
  Prefix prefix;
  if (frame_.instruction < 0) {
    std::snprintf(prefix.text, sizeof prefix.text, "%s", what_);
  } else if (frame_.segment < 0) {
    std::snprintf(prefix.text, sizeof prefix.text, "%s: instruction %lld (%s)", what_,
                  static_cast<long long>(frame_.instruction), frame_.opcode);
  } else {
    std::snprintf(prefix.text, sizeof prefix.text, "%s: instruction %lld (%s), segment %lld", what_,
                  static_cast<long long>(frame_.instruction), frame_.opcode,
                  static_cast<long long>(frame_.segment));
  }
  return prefix;
}

bool Reader::refuse(const char* format, ...) {
  char text[300];
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return fault_.argument("%s: %s", prefix().text, text);
}

bool Reader::outOfMemory(const char* what) {
  return fault_.memory("%s: out of memory for %s", prefix().text, what);
}

bool Reader::integer(const Field& field, std::int64_t& value, std::int64_t limit, std::int64_t least) {
  if (next_ >= frame_.end) return refuse("the code ends where %s was expected", Name(field).text);
  // volatile guarantees a single read. Another thread may write to the array between two reads.
  const double number = *static_cast<const volatile double*>(numbers_ + next_);
  ++next_;
  if (least == -1 && number == -1) {
    value = -1;
    return true;
  }
  if (!toInteger(number, limit, value) || value < least) {
    return refuse("%s is %.17g, expected an integer from %lld to %lld", Name(field).text, number,
                  static_cast<long long>(least), static_cast<long long>(limit));
  }
  return true;
}

bool Reader::integers(const Field& field, std::int64_t* values, int count, std::int64_t limit) {
  for (int i = 0; i < count; ++i) {
    if (!integer(field, values[i], limit)) return false;
  }
  return true;
}

bool Reader::signedInteger(const Field& field, std::int64_t& value) {
  if (next_ >= frame_.end) return refuse("the code ends where %s was expected", Name(field).text);
  // volatile guarantees a single read. Another thread may write to the array between two reads.
  const double number = *static_cast<const volatile double*>(numbers_ + next_);
  ++next_;
  return toStride(number, value) ||
         refuse("%s is %.17g, expected an integer from -%lld to %lld", Name(field).text, number,
                static_cast<long long>(largestInteger), static_cast<long long>(largestInteger));
}

bool Reader::strides(const char* operand, std::int64_t index, std::int64_t* values, int count) {
  for (int i = 0; i < count; ++i) {
    if (!signedInteger({operand, index, "a stride"}, values[i])) return false;
  }
  return true;
}

bool Reader::dtype(const Field& field, DType& type) {
  std::int64_t code = 0;
  if (!integer(field, code, static_cast<std::int64_t>(dtypeCount) - 1)) return false;
  type = static_cast<DType>(code);
  return true;
}

bool Reader::laneType(const Field& field, DType& type) {
  std::int64_t code = 0;
  if (!integer(field, code, static_cast<std::int64_t>(laneTypeCount) - 1)) return false;
  type = static_cast<DType>(code);
  return true;
}

bool Reader::flag(const Field& field, bool& value) {
  std::int64_t number = 0;
  if (!integer(field, number, 1)) return false;
  value = number == 1;
  return true;
}

bool Reader::end() {
  if (next_ == frame_.end) return true;
  return refuse("%lld numbers are left over", static_cast<long long>(left()));
}

}  // namespace forebay
