// Builds a ReducePlan from the numbers that JavaScript passes. reduce_run.cc runs the plan.
#include "kernels/reduce.h"

#include <utility>

namespace forebay {

namespace {

bool checkDtypes(const Kernel& kernel, const Array& out, const Array& input, Fault& fault) {
  if (kernel.family != Family::reduce) {
    return fault.argument("reduce: kernel '%s' is of family %s, expected reduce", kernel.name,
                          nameOf(kernel.family));
  }
  if (!kernel.routine(input.dtype)) {
    return fault.argument("reduce: kernel '%s' does not exist for %s", kernel.name, nameOf(input.dtype));
  }
  const DType result = kernel.routine(input.dtype).fold->result;
  if (out.dtype != result) {
    return fault.argument("reduce: the output of '%s' for %s is %s, expected %s", kernel.name,
                          nameOf(input.dtype), nameOf(out.dtype), nameOf(result));
  }
  return true;
}

bool readGeometry(ReducePlan& plan, const double* geometry, std::size_t length, const Array& out,
                  const Array& input, Fault& fault) {
  GeometryReader reader("reduce", geometry, length, fault);
  if (!reader.rank("the kept rank", plan.keptRank)) return false;
  if (!reader.rank("the reduced rank", plan.reducedRank)) return false;
  const int rank = plan.keptRank + plan.reducedRank;
  if (rank > maxRank) return fault.argument("reduce: rank %d, expected at most %d", rank, maxRank);

  // The input is checked as one view with all its axes. The kept and the reduced axes are separated after
  // that.
  std::int64_t sizes[maxRank], strides[maxRank];
  std::int64_t outOffset = 0, inOffset = 0, count = 0;
  if (!reader.integers("a size", sizes, rank)) return false;
  if (!reader.integer("the output's offset", outOffset)) return false;
  if (!reader.integers("a stride", plan.outStrides, plan.keptRank)) return false;
  if (!reader.integer("the input's offset", inOffset)) return false;
  if (!reader.integers("a stride", strides, rank)) return false;
  if (!reader.end()) return false;
  if (!countElements("reduce", sizes, rank, count, fault)) return false;
  if (!checkOutput("reduce", out, outOffset, sizes, plan.outStrides, plan.keptRank, fault)) return false;
  if (!checkExtent("reduce", "input", input, inOffset, sizes, strides, rank, fault)) return false;

  for (int d = 0; d < rank; ++d) {
    const bool kept = d < plan.keptRank;
    const int to = kept ? d : d - plan.keptRank;
    (kept ? plan.keptSizes : plan.reducedSizes)[to] = sizes[d];
    (kept ? plan.keptStrides : plan.reducedStrides)[to] = strides[d];
  }
  plan.out = address(out, outOffset);
  plan.in = address(input, inOffset);
  // The two groups of axes are counted separately, because zero reduced elements still give results: an empty
  // sum is 0.
  return countElements("reduce", plan.keptSizes, plan.keptRank, plan.keptCount, fault) &&
         countElements("reduce", plan.reducedSizes, plan.reducedRank, plan.reducedCount, fault);
}

// Removes axes of size 1, sorts the axes by descending `strides` if `sort` is true (stable), and merges axes
// if both lists of strides allow it. Returns the number of axes that are left.
int simplify(int rank, bool sort, std::int64_t* sizes, std::int64_t* strides, std::int64_t* others) {
  int kept = 0;
  for (int d = 0; d < rank; ++d) {
    if (sizes[d] == 1) continue;
    sizes[kept] = sizes[d];
    strides[kept] = strides[d];
    others[kept] = others[d];
    ++kept;
  }
  for (int d = 1; sort && d < kept; ++d) {
    for (int e = d; e > 0 && strides[e - 1] < strides[e]; --e) {
      std::swap(sizes[e - 1], sizes[e]);
      std::swap(strides[e - 1], strides[e]);
      std::swap(others[e - 1], others[e]);
    }
  }
  if (kept == 0) return 0;
  int last = 0;
  for (int d = 1; d < kept; ++d) {
    const bool mergeable = strides[last] == strides[d] * sizes[d] && others[last] == others[d] * sizes[d];
    const std::int64_t size = mergeable ? sizes[last] * sizes[d] : sizes[d];
    if (!mergeable) ++last;
    sizes[last] = size;
    strides[last] = strides[d];
    others[last] = others[d];
  }
  return last + 1;
}

}  // namespace

bool planReduce(ReducePlan& plan, const Kernel& kernel, const double* geometry, std::size_t geometryLength,
                const Array& out, const Array& input, Fault& fault) {
  if (!checkDtypes(kernel, out, input, fault)) return false;
  plan.type = input.dtype;
  plan.fold = kernel.routine(input.dtype).fold;
  if (!readGeometry(plan, geometry, geometryLength, out, input, fault)) return false;

  const bool indices = plan.fold->kind == Fold::Kind::argmax;
  if (indices && plan.keptCount > 0 && plan.reducedCount == 0) {
    return fault.argument("reduce: argmax over 0 elements is undefined, expected at least 1");
  }
  if (indices && plan.reducedCount > INT32_MAX) {
    return fault.argument("reduce: argmax over %lld elements, expected at most 2^31 - 1",
                          static_cast<long long>(plan.reducedCount));
  }
  // The axes of an empty input are not simplified. Its strides were not checked and could cause an overflow
  // here.
  if (plan.keptCount > 0 && plan.reducedCount > 0) {
    plan.keptRank = simplify(plan.keptRank, true, plan.keptSizes, plan.keptStrides, plan.outStrides);
    std::int64_t none[maxRank] = {};
    plan.reducedRank = simplify(plan.reducedRank, !indices, plan.reducedSizes, plan.reducedStrides, none);
  }
  return true;
}

}  // namespace forebay
