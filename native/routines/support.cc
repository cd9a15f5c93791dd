#include "routines/support.h"

namespace forebay {

namespace {

constexpr long long shown(std::int64_t number) { return number; }

const RoutineView& viewOf(const RoutineCall& call, const Checked& checked) {
  return call.operands[checked.operand];
}

}  // namespace

bool hasType(const RoutineCall& call, const Checked& operand, DType type, Fault& fault) {
  const DType found = viewOf(call, operand).type;
  return found == type || fault.argument("%s is %s, expected %s", operand.name, nameOf(found), nameOf(type));
}

bool hasRank(const RoutineCall& call, const Checked& operand, int rank, Fault& fault) {
  const int found = viewOf(call, operand).rank;
  return found == rank || fault.argument("the rank of %s is %d, expected %d", operand.name, found, rank);
}

bool sameSize(const RoutineCall& call, const Checked& a, int axisOfA, const Checked& b, int axisOfB,
              Fault& fault) {
  const std::int64_t sizeOfA = viewOf(call, a).sizes[axisOfA], sizeOfB = viewOf(call, b).sizes[axisOfB];
  return sizeOfA == sizeOfB ||
         fault.argument("axis %d of %s has %lld elements, expected %lld as axis %d of %s", axisOfA, a.name,
                        shown(sizeOfA), shown(sizeOfB), axisOfB, b.name);
}

bool sameShape(const RoutineCall& call, const Checked& a, const Checked& b, Fault& fault) {
  const int rank = viewOf(call, b).rank;
  if (!hasRank(call, a, rank, fault)) return false;
  for (int axis = 0; axis < rank; ++axis) {
    if (!sameSize(call, a, axis, b, axis, fault)) return false;
  }
  return true;
}

bool countable(const RoutineCall& call, const Checked& operand, int axis, Fault& fault) {
  const std::int64_t size = viewOf(call, operand).sizes[axis];
  return size <= mostInt32 || fault.argument("axis %d of %s has %lld elements, expected at most 2^31 - 1",
                                             axis, operand.name, shown(size));
}

bool isFlag(const RoutineCall& call, int integer, const char* name, Fault& fault) {
  const std::int64_t value = call.integers[integer];
  return value <= 1 || fault.argument("%s is %lld, expected 0 or 1", name, shown(value));
}

bool checkWindow(const RoutineCall& call, const char* height, const char* width, Fault& fault) {
  const char* const names[windowIntegers] = {
      height,
      width,
      "the stride of rows",
      "the stride of columns",
      "the dilation of rows",
      "the dilation of columns",
      "the padding at the top",
      "the padding at the bottom",
      "the padding at the left",
      "the padding at the right",
  };
  for (int i = 0; i < windowIntegers; ++i) {
    const std::int64_t least = i < 6 ? 1 : 0;
    if (call.integers[i] >= least && call.integers[i] <= mostInt32) continue;
    return fault.argument("%s is %lld, expected an integer from %lld to 2^31 - 1", names[i],
                          shown(call.integers[i]), shown(least));
  }
  return true;
}

const RoutineRow* findRoutine(const char* name) {
  for (std::int64_t id = 0; id < routineCount; ++id) {
    const char *a = routines[id]->name, *b = name;
    while (*a != '\0' && *a == *b) ++a, ++b;
    if (*a == *b) return routines[id];
  }
  return nullptr;
}

}  // namespace forebay
