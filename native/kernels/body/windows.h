// Steps of pooling windows (window_routines.h).
#pragma once

#include "kernels/body/prelude.h"
#include "kernels/body/window_rows.h"

namespace forebay::FOREBAY_BODY {

// Calls body(at, to, index) for the elements of a step: `at` is the position in the image, `to` that in the
// other operands. `distance` is that of the step, or 0 if it is not known when this is compiled.
template <std::int64_t distance, class Body>
FOREBAY_INLINE void alongRow(const WindowStep& step, const Body& body) {
  const std::int64_t apart = distance == 0 ? step.distance : distance, windows = step.windows;
  const std::int32_t index = step.index, next = step.indexDistance;
  FOREBAY_INDEPENDENT
  for (std::int64_t w = 0; w < windows; ++w) {
    body(w * apart, w, index + static_cast<std::int32_t>(w) * next);
  }
}

template <class Body>
FOREBAY_INLINE void eachElement(const WindowStep& step, const Body& body) {
  const std::int64_t channels = step.channels;
  if (channels == 1) {
    if (step.distance == 1) return alongRow<1>(step, body);
    if (step.distance == 2) return alongRow<2>(step, body);
    return alongRow<0>(step, body);
  }
  for (std::int64_t w = 0; w < step.windows; ++w) {
    const std::int64_t at = w * step.distance, to = w * channels;
    const std::int32_t index = step.index + static_cast<std::int32_t>(w) * step.indexDistance;
    FOREBAY_INDEPENDENT
    for (std::int64_t c = 0; c < channels; ++c) body(at + c, to + c, index);
  }
}

template <class T>
void largestOf(const WindowStep& step, const void* image, void* best, std::int32_t* winners) {
  const T* const in = static_cast<const T*>(image);
  T* const held = static_cast<T*>(best);
  eachElement(step, [&](std::int64_t at, std::int64_t to, std::int32_t index) FOREBAY_INLINED {
    const T value = in[at], old = held[to];
    const std::int32_t winner = winners[to];
    // The comparison is true for a larger value and for a NaN. A NaN that was found before stays.
    const bool better = !(value <= old) & (old == old);
    held[to] = better ? value : old;
    winners[to] = better ? index : winner;
  });
}

template <class T>
void takeWinners(const WindowStep& step, const void* image, const std::int32_t* winners, void* out) {
  const T* const in = static_cast<const T*>(image);
  T* const taken = static_cast<T*>(out);
  eachElement(step, [&](std::int64_t at, std::int64_t to, std::int32_t index) FOREBAY_INLINED {
    const T value = in[at], old = taken[to];
    taken[to] = winners[to] == index ? value : old;
  });
}

template <class T>
void giveWinners(const WindowStep& step, const void* numbers, const std::int32_t* winners, void* image) {
  const T* const given = static_cast<const T*>(numbers);
  T* const out = static_cast<T*>(image);
  eachElement(step, [&](std::int64_t at, std::int64_t to, std::int32_t index) FOREBAY_INLINED {
    const T old = out[at], sum = old + given[to];
    out[at] = winners[to] == index ? sum : old;
  });
}

template <class T>
void addElements(const WindowStep& step, const void* image, double* sums) {
  const T* const in = static_cast<const T*>(image);
  eachElement(step, [&](std::int64_t at, std::int64_t to, std::int32_t)
                        FOREBAY_INLINED { sums[to] += static_cast<double>(in[at]); });
}

template <class T>
void spreadNumbers(const WindowStep& step, const void* numbers, void* image) {
  const T* const in = static_cast<const T*>(numbers);
  T* const out = static_cast<T*>(image);
  eachElement(step,
              [&](std::int64_t at, std::int64_t to, std::int32_t) FOREBAY_INLINED { out[at] += in[to]; });
}

constexpr WindowRoutines windowRoutines = {
    {largestOf<float>, largestOf<double>, largestOf<std::int32_t>},
    {takeWinners<float>, takeWinners<double>, takeWinners<std::int32_t>},
    {giveWinners<float>, giveWinners<double>},
    {addElements<float>, addElements<double>},
    {spreadNumbers<float>, spreadNumbers<double>},
    {largestOfRow<float>, largestOfRow<double>, largestOfRow<std::int32_t>},
    {takeRow<float>, takeRow<double>, takeRow<std::int32_t>},
    {averageRow<float>, averageRow<double>},
    {givePairs<float>, givePairs<double>},
    {spreadPairs<float>, spreadPairs<double>},
};

}  // namespace forebay::FOREBAY_BODY
