#include "kernels/random.h"

#include "kernels/geometry.h"

namespace forebay {

bool fillRandom(const Kernel& kernel, double seed, double run, const Array& out, Fault& fault) {
  if (kernel.family != Family::random) {
    return fault.argument("random: kernel '%s' is of family %s, expected random", kernel.name,
                          nameOf(kernel.family));
  }
  if (!kernel.routine(out.dtype)) {
    return fault.argument("random: kernel '%s' does not exist for %s", kernel.name, nameOf(out.dtype));
  }
  std::int64_t key = 0, number = 0;
  if (!toInteger(seed, largestInteger, key)) {
    return fault.argument("random: the seed is %.17g, expected an integer from 0 to 2^53 - 1", seed);
  }
  if (!toInteger(run, largestInteger, number)) {
    return fault.argument("random: the run is %.17g, expected an integer from 0 to 2^53 - 1", run);
  }
  if (out.length > 0) {
    kernel.routine(out.dtype).fill(static_cast<std::uint64_t>(key), static_cast<std::uint64_t>(number), 0, 1,
                                   out.data, out.length);
  }
  return true;
}

}  // namespace forebay
