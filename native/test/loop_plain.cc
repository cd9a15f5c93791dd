#include "test/loop_plain.h"

namespace forebay::test {

void runLoopPlainly(const double* numbers, Memory& memory,
                    const std::function<void(const double*)>& execute) {
  const auto count = static_cast<std::int64_t>(numbers[0]);
  const double* const windows = numbers + 2;
  const double* const body = windows + 5 * static_cast<std::ptrdiff_t>(numbers[1]);
  for (std::int64_t n = 0; n < count; ++n) {
    for (const double* one = windows; one != body; one += 5) {
      const auto period = static_cast<std::int64_t>(one[4]), position = period == 0 ? n : n % period;
      memory.windows[static_cast<std::size_t>(one[0])] = memory.start(one[1]) +
                                                         static_cast<std::int64_t>(one[2]) +
                                                         static_cast<std::int64_t>(one[3]) * position;
    }
    const double* next = body + 1;
    for (double i = 0; i < *body; ++i) {
      const auto at = static_cast<double>(n);
      if (at >= next[0] && at < next[1]) execute(next + 2);
      next += 2 + static_cast<std::ptrdiff_t>(next[3]);
    }
  }
}

}  // namespace forebay::test
