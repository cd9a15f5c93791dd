// What the routines have in common: dispatch by dtype, checks of shapes, and checked indices.
#pragma once

#include <cstdint>
#include <type_traits>

#include "routines/routine.h"

namespace forebay {

constexpr unsigned anyDtype = 31, numberDtypes = 7, floatDtypes = 3;
constexpr std::int64_t mostInt32 = INT32_MAX;

// Calls `body` with a value of an integer type of the size of `type`: for routines that only copy elements.
template <class Body>
auto withSize(DType type, const Body& body) {
  if (sizeOf(type) == 8) return body(std::int64_t());
  if (sizeOf(type) == 4) return body(std::int32_t());
  return body(std::uint8_t());
}

// Calls `body` with a value of the C++ type of `type`, which must not be bool or uint8.
template <class Body>
auto withType(DType type, const Body& body) {
  if (type == DType::float64) return body(double());
  if (type == DType::int32) return body(std::int32_t());
  return body(float());
}

template <class T>
const T* readAs(const RoutineRun& run, int operand) {
  return reinterpret_cast<const T*>(run.data[operand]);
}
template <class T>
T* writeAs(const RoutineRun& run, int operand) {
  return reinterpret_cast<T*>(run.data[operand]);
}

// Adds two elements. int32 wraps around.
template <class T>
T added(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    using Word = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<Word>(a) + static_cast<Word>(b));
  } else {
    return a + b;
  }
}

// An operand for the messages of checks.
struct Checked {
  const char* name;
  int operand;
};

// Each of these functions records a fault and returns false if the check fails.
bool hasType(const RoutineCall& call, const Checked& operand, DType type, Fault& fault);
bool hasRank(const RoutineCall& call, const Checked& operand, int rank, Fault& fault);
// Checks that an axis of one operand and an axis of another have the same size.
bool sameSize(const RoutineCall& call, const Checked& a, int axisOfA, const Checked& b, int axisOfB,
              Fault& fault);
// Checks that two operands have the same shape.
bool sameShape(const RoutineCall& call, const Checked& a, const Checked& b, Fault& fault);
// Checks that int32 can count the elements of an axis.
bool countable(const RoutineCall& call, const Checked& operand, int axis, Fault& fault);
bool isFlag(const RoutineCall& call, int integer, const char* name, Fault& fault);

// The integers of a window, the first ones of a call: its height and width, then the strides and the
// dilations, each of rows and of columns, then the padding at the top, the bottom, the left and the right.
constexpr int windowIntegers = 10;
// Checks the integers of a window. `height` and `width` are the names of the first two.
bool checkWindow(const RoutineCall& call, const char* height, const char* width, Fault& fault);

// Reads an element of an index operand. Returns the index of a row, or -1 if the element is out of range.
inline std::int64_t rowOf(const std::int32_t* element, std::int64_t bound, std::int32_t& value) {
  value = *static_cast<const volatile std::int32_t*>(element);
  const std::int64_t row = value < 0 ? value + bound : value;
  return row >= 0 && row < bound ? row : -1;
}

}  // namespace forebay
