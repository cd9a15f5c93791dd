// Builds a MapPlan from the numbers that JavaScript passes: checks them and finds the simplest equivalent
// geometry. map_run.cc runs the plan.
#include "kernels/map.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace forebay {

namespace {

constexpr const char* inputNames[maxArity] = {"input 0", "input 1", "input 2"};

// The type of the routine that computes the call.
DType typeOf(const Kernel& kernel, const Array* inputs) {
  return inputs[kernel.form == Form::selects ? kernel.arity - 1 : 0].dtype;
}

bool checkDtypes(const Kernel& kernel, const Array& out, const Array* inputs, int inputCount, Fault& fault) {
  if (inputCount != kernel.arity) {
    return fault.argument("map: kernel '%s' takes %d inputs, received %d", kernel.name, kernel.arity,
                          inputCount);
  }
  const bool selects = kernel.form == Form::selects;
  const DType type = typeOf(kernel, inputs);
  if (!kernel.routine(type)) {
    return fault.argument("map: kernel '%s' does not exist for %s", kernel.name, nameOf(type));
  }
  for (int i = 0; i < inputCount; ++i) {
    const DType expected = selects && i == 0 ? DType::boolean : type;
    if (!sameMemory(inputs[i].dtype, expected)) {
      return fault.argument("map: input %d of '%s' is %s, expected %s", i, kernel.name,
                            nameOf(inputs[i].dtype), nameOf(expected));
    }
  }
  const DType result = kernel.form == Form::compares ? DType::boolean : kernel.resultType(type);
  if (!sameMemory(result, out.dtype)) {
    return fault.argument("map: the output of '%s' for %s is %s, expected %s", kernel.name, nameOf(type),
                          nameOf(out.dtype), nameOf(result));
  }
  return true;
}

bool readGeometry(MapPlan& plan, const double* geometry, std::size_t length, const Array& out,
                  const Array* inputs, Fault& fault) {
  GeometryReader reader("map", geometry, length, fault);
  if (!reader.rank("the rank", plan.rank)) return false;
  if (!reader.integers("a size", plan.sizes, plan.rank)) return false;
  if (!countElements("map", plan.sizes, plan.rank, plan.count, fault)) return false;
  for (int i = 0; i <= plan.arity; ++i) {
    const Array& array = i == 0 ? out : inputs[i - 1];
    MapPlan::Operand& operand = plan.operands[i];
    std::int64_t offset = 0;
    if (!reader.integer("an offset", offset)) return false;
    if (!reader.strides(operand.strides, plan.rank)) return false;
    const bool fits = i == 0
                          ? checkOutput("map", array, offset, plan.sizes, operand.strides, plan.rank, fault)
                          : checkExtent("map", inputNames[i - 1], array, offset, plan.sizes, operand.strides,
                                        plan.rank, fault);
    if (!fits) return false;
    operand.data = address(array, offset);
    operand.size = sizeOf(array.dtype);
  }
  return reader.end();
}

void copyAxis(MapPlan& plan, int to, int from) {
  plan.sizes[to] = plan.sizes[from];
  for (int i = 0; i <= plan.arity; ++i) plan.operands[i].strides[to] = plan.operands[i].strides[from];
}

void swapAxes(MapPlan& plan, int a, int b) {
  std::swap(plan.sizes[a], plan.sizes[b]);
  for (int i = 0; i <= plan.arity; ++i) std::swap(plan.operands[i].strides[a], plan.operands[i].strides[b]);
}

void dropOnes(MapPlan& plan) {
  int kept = 0;
  for (int d = 0; d < plan.rank; ++d) {
    if (plan.sizes[d] != 1) copyAxis(plan, kept++, d);
  }
  plan.rank = kept;
}

// Sorts the axes by descending distances between neighbours in the output. Insertion sort is stable, and fast
// if the axes are already in order, as they usually are.
void orderByOutput(MapPlan& plan) {
  const std::int64_t* strides = plan.operands[0].strides;
  for (int d = 1; d < plan.rank; ++d) {
    for (int e = d; e > 0 && std::abs(strides[e - 1]) < std::abs(strides[e]); --e) swapAxes(plan, e - 1, e);
  }
}

// Merges axes d and d + 1 if, for every operand, the stride of axis d is the size times the stride of
// axis d + 1.
void mergeAxes(MapPlan& plan) {
  if (plan.rank == 0) return;
  int last = 0;
  for (int d = 1; d < plan.rank; ++d) {
    bool mergeable = true;
    for (int i = 0; i <= plan.arity; ++i) {
      const std::int64_t* strides = plan.operands[i].strides;
      mergeable = mergeable && strides[last] == strides[d] * plan.sizes[d];
    }
    if (mergeable) {
      plan.sizes[d] *= plan.sizes[last];
    } else {
      ++last;
    }
    copyAxis(plan, last, d);
  }
  plan.rank = last + 1;
}

}  // namespace

bool planMap(MapPlan& plan, const Kernel& kernel, const double* geometry, std::size_t geometryLength,
             const Array& out, const Array* inputs, int inputCount, Fault& fault) {
  if (kernel.family != Family::map && kernel.family != Family::cast) {
    return fault.argument("map: kernel '%s' is of family %s, expected map or cast", kernel.name,
                          nameOf(kernel.family));
  }
  if (!checkDtypes(kernel, out, inputs, inputCount, fault)) return false;
  plan.arity = kernel.arity;
  plan.tile = kernel.routine(typeOf(kernel, inputs)).inMemory();
  plan.isCopy = kernel.family == Family::map && std::strcmp(kernel.name, "copy") == 0;
  if (!readGeometry(plan, geometry, geometryLength, out, inputs, fault)) return false;
  if (plan.count > 0) {
    dropOnes(plan);
    orderByOutput(plan);
    mergeAxes(plan);
  }
  return true;
}

}  // namespace forebay
