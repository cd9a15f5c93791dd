#include "program/group_reader.h"

#include <algorithm>

namespace forebay {

bool hasNumbers(Reader& reader, std::int64_t expected) {
  if (expected == reader.left()) return true;
  return reader.refuse("%lld numbers follow its counts, expected %lld", static_cast<long long>(reader.left()),
                       static_cast<long long>(expected));
}

bool readStepKernel(Reader& reader, const Body& body, std::int64_t step, bool reductions, StepKernel& read) {
  std::int64_t id = 0;
  if (!reader.integer({"step", step, "the kernel"}, id, static_cast<std::int64_t>(body.kernelCount) - 1) ||
      !reader.laneType({"step", step, "the dtype"}, read.type)) {
    return false;
  }
  read.id = static_cast<std::uint16_t>(id);
  read.kernel = body.kernels + id;
  const Kernel& kernel = *read.kernel;
  const bool reduces = reductions && kernel.family == Family::reduce;
  if (kernel.family != Family::map && kernel.family != Family::cast && !reduces) {
    return reader.refuse("the kernel of step %lld is '%s' of family %s, expected %s",
                         static_cast<long long>(step), kernel.name, nameOf(kernel.family),
                         reductions ? "map, cast or reduce" : "map or cast");
  }
  if (!kernel.routine(read.type)) {
    return reader.refuse("the kernel of step %lld, '%s', does not exist for %s", static_cast<long long>(step),
                         kernel.name, nameOf(read.type));
  }
  if (reduces && !kernel.reducesRows(read.type)) {
    return reader.refuse("step %lld is '%s' of %s, expected a sum or a maximum of float32 or float64",
                         static_cast<long long>(step), kernel.name, nameOf(read.type));
  }
  return true;
}

bool readUnused(Reader& reader, const Field& field, const StepKernel& read) {
  std::int64_t none = 0;
  if (!reader.integer(field, none, largestInteger, -1)) return false;
  if (none == -1) return true;
  return reader.refuse("%s is %lld, expected -1 because '%s' has %d inputs", Name(field).text,
                       static_cast<long long>(none), read.kernel->name, read.arity());
}

bool readCloseSum(Reader& reader, const Body& body, std::int64_t index, DType& type, const Fold*& sum) {
  if (!reader.dtype({"close", index, "the dtype"}, type)) return false;
  sum = sumFold(body, type);
  return sum != nullptr || reader.refuse("the dtype of close %lld is %s, expected float32 or float64",
                                         static_cast<long long>(index), nameOf(type));
}

bool readableCount(Reader& reader, const std::int64_t* sizes, int rank, std::int64_t& count) {
  count = std::find(sizes, sizes + rank, 0) == sizes + rank ? 1 : 0;
  for (int d = 0; d < rank && count > 0; ++d) {
    if (count > largestInteger / sizes[d]) return reader.refuse("it has more than 2^53 - 1 elements");
    count *= sizes[d];
  }
  return true;
}

}  // namespace forebay
