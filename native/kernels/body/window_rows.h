// Rows of pooling windows of images without adjacent channels (window_routines.h). Each vector holds the
// elements of neighbouring windows. The last vector of a row may overlap the one before: it computes the same
// results again.
#pragma once

#include "kernels/body/prelude.h"

namespace forebay::FOREBAY_BODY {

template <class T, int lanes>
struct WindowVector {
  typedef T Type __attribute__((vector_size(lanes * sizeof(T))));
};
template <class T, int lanes>
using Windowed = typename WindowVector<T, lanes>::Type;

// The integer type of the lanes of a mask for vectors of T.
template <class T>
using MaskLane = std::conditional_t<sizeof(T) == 8, std::int64_t, std::int32_t>;

// Vectors are passed by reference: the compiler warns of those that are wider than a register otherwise.
template <class V>
FOREBAY_INLINE void loadWindows(const void* from, V& loaded) {
  __builtin_memcpy(&loaded, from, sizeof loaded);
}
template <class V>
FOREBAY_INLINE void storeWindows(void* to, const V& stored) {
  __builtin_memcpy(to, &stored, sizeof stored);
}

// Returns the lanes `index...` of the vector that consists of a and b.
template <class T, int lanes, int... index>
FOREBAY_INLINE void pick(const Windowed<T, lanes>& a, const Windowed<T, lanes>& b,
                         Windowed<T, lanes>& picked) {
#if defined(__clang__)
  picked = __builtin_shufflevector(a, b, index...);
#else
  picked = __builtin_shuffle(a, b, Windowed<MaskLane<T>, lanes>{index...});
#endif
}

// Loads the elements 0, 2, 4 … of a row. The second half starts at an odd element, so that no element after
// the last one is read.
template <class T, int lanes, int... i>
FOREBAY_INLINE void loadPairs(const T* in, Windowed<T, lanes>& loaded,
                              std::integer_sequence<int, i...> /*lanes*/) {
  Windowed<T, lanes> low, high;
  loadWindows(in, low);
  loadWindows(in + lanes - 1, high);
  pick<T, lanes, (i < lanes / 2 ? 2 * i : 2 * i + 1)...>(low, high, loaded);
}

// Stores the lanes of two vectors in turn.
template <class T, int lanes, int... i>
FOREBAY_INLINE void storePairs(T* out, const Windowed<T, lanes>& even, const Windowed<T, lanes>& odd,
                               std::integer_sequence<int, i...> /*lanes*/) {
  Windowed<T, lanes> low, high;
  pick<T, lanes, (i / 2 + i % 2 * lanes)...>(even, odd, low);
  pick<T, lanes, ((lanes + i) / 2 + i % 2 * lanes)...>(even, odd, high);
  storeWindows(out, low);
  storeWindows(out + lanes, high);
}

// Loads an element of each of some windows. `stride` is that of the windows, or 0 if it is not known when
// this is compiled.
template <class T, int lanes, int stride>
FOREBAY_INLINE void loadStrided(const T* in, std::int64_t apart, Windowed<T, lanes>& loaded) {
  if constexpr (stride == 1) {
    loadWindows(in, loaded);
  } else if constexpr (stride == 2) {
    loadPairs<T, lanes>(in, loaded, std::make_integer_sequence<int, lanes>());
  } else {
    T each[static_cast<std::size_t>(lanes)];
    for (int i = 0; i < lanes; ++i) each[i] = in[i * apart];
    loadWindows(each, loaded);
  }
}

// The indices of the first elements of `lanes` windows.
template <int lanes, int... i>
FOREBAY_INLINE void indicesOf(std::int64_t first, std::int64_t apart, Windowed<std::int32_t, lanes>& indices,
                              std::integer_sequence<int, i...> /*lanes*/) {
  indices = Windowed<std::int32_t, lanes>{i...} * static_cast<std::int32_t>(apart) +
            static_cast<std::int32_t>(first);
}

// Calls body(elements, indices) for every step of the windows from `window` on.
template <class T, int lanes, int stride, class Body>
FOREBAY_INLINE void eachTap(const WindowRow& row, const T* image, std::int64_t window, const Body& body) {
  const std::int64_t apart = stride == 0 ? row.distance : stride;
  Windowed<std::int32_t, lanes> indices;
  indicesOf<lanes>(row.index + window * apart, apart, indices, std::make_integer_sequence<int, lanes>());
  for (std::int64_t line = 0; line < row.lines; ++line) {
    const T* const in = image + line * row.lineDistance + window * apart;
    const std::int32_t first = static_cast<std::int32_t>(line) * row.lineIndices;
    for (std::int64_t step = 0; step < row.steps; ++step) {
      const std::int64_t shift = step * row.stepDistance;
      Windowed<T, lanes> elements;
      loadStrided<T, lanes, stride>(in + shift, apart, elements);
      body(elements, indices + (first + static_cast<std::int32_t>(shift)));
    }
  }
}

// Calls body.template part<lanes>(window) for vectors of windows, which cover all of at least 4 windows.
template <int lanes, class Body>
FOREBAY_INLINE void eachVector(std::int64_t windows, const Body& body) {
  if constexpr (lanes > 4) {
    if (windows < lanes) return eachVector<lanes / 2>(windows, body);
  }
  std::int64_t window = 0;
  for (; window + lanes < windows; window += lanes) body.template part<lanes>(window);
  body.template part<lanes>(windows - lanes);
}

template <class T>
constexpr int windowLanes = FOREBAY_BODY_VECTOR / static_cast<int>(sizeof(T)) < 4
                                ? 4
                                : FOREBAY_BODY_VECTOR / static_cast<int>(sizeof(T));

// Runs Part<T, stride> over the vectors of a row.
template <class T, template <class, int> class Part, class... Arguments>
FOREBAY_INLINE void alongWindows(const WindowRow& row, const Arguments&... arguments) {
  if (row.distance == 1) return eachVector<windowLanes<T>>(row.windows, Part<T, 1>{row, arguments...});
  if (row.distance == 2) return eachVector<windowLanes<T>>(row.windows, Part<T, 2>{row, arguments...});
  return eachVector<windowLanes<T>>(row.windows, Part<T, 0>{row, arguments...});
}

template <class T, int stride>
struct LargestPart {
  const WindowRow& row;
  const T* image;
  T least;
  std::int32_t* winners;

  template <int lanes>
  FOREBAY_INLINE void part(std::int64_t window) const {
    using Indices = Windowed<std::int32_t, lanes>;
    Windowed<T, lanes> best = Windowed<T, lanes>{} + least;
    Indices winner;
    indicesOf<lanes>(row.index + window * row.distance, row.distance, winner,
                     std::make_integer_sequence<int, lanes>());
    eachTap<T, lanes, stride>(row, image, window,
                              [&](const Windowed<T, lanes>& value, const Indices& index) FOREBAY_INLINED {
                                // As in largestOf.
                                const auto better = ~(value <= best) & (best == best);
                                best = better ? value : best;
                                winner = __builtin_convertvector(better, Indices) ? index : winner;
                              });
    storeWindows(winners + window, winner);
  }
};

template <class T, int stride>
struct TakePart {
  const WindowRow& row;
  const T* image;
  const std::int32_t* winners;
  T* out;

  template <int lanes>
  FOREBAY_INLINE void part(std::int64_t window) const {
    using Indices = Windowed<std::int32_t, lanes>;
    using Mask = Windowed<MaskLane<T>, lanes>;
    Indices winner;
    loadWindows(winners + window, winner);
    Windowed<T, lanes> taken = {};
    eachTap<T, lanes, stride>(row, image, window,
                              [&](const Windowed<T, lanes>& value, const Indices& index) FOREBAY_INLINED {
                                const Mask same = __builtin_convertvector(winner == index, Mask);
                                taken = same ? value : taken;
                              });
    storeWindows(out + window, taken);
  }
};

template <class T, int stride>
struct AveragePart {
  const WindowRow& row;
  const T* image;
  double divisor;
  T* out;

  template <int lanes>
  FOREBAY_INLINE void part(std::int64_t window) const {
    using Sums = Windowed<double, lanes>;
    Sums sums = {};
    eachTap<T, lanes, stride>(row, image, window,
                              [&](const Windowed<T, lanes>& value, const Windowed<std::int32_t, lanes>&)
                                  FOREBAY_INLINED { sums += __builtin_convertvector(value, Sums); });
    using Numbers = Windowed<T, lanes>;
    const Numbers means = __builtin_convertvector(sums / divisor, Numbers);
    storeWindows(out + window, means);
  }
};

template <class T>
void largestOfRow(const WindowRow& row, const void* image, const void* least, std::int32_t* winners) {
  alongWindows<T, LargestPart>(row, static_cast<const T*>(image), *static_cast<const T*>(least), winners);
}

template <class T>
void takeRow(const WindowRow& row, const void* image, const std::int32_t* winners, void* out) {
  alongWindows<T, TakePart>(row, static_cast<const T*>(image), winners, static_cast<T*>(out));
}

template <class T>
void averageRow(const WindowRow& row, const void* image, double divisor, void* out) {
  alongWindows<T, AveragePart>(row, static_cast<const T*>(image), divisor, static_cast<T*>(out));
}

// The gradients start with 0, because 0 + -0 is 0.
template <class T>
struct GivePart {
  const T* numbers;
  const std::int32_t* winners;
  std::int32_t index;
  T* out;

  template <int lanes>
  FOREBAY_INLINE void part(std::int64_t window) const {
    using Indices = Windowed<std::int32_t, lanes>;
    using Mask = Windowed<MaskLane<T>, lanes>;
    using Numbers = Windowed<T, lanes>;
    const Numbers zeros = {};
    Numbers given;
    loadWindows(numbers + window, given);
    given += zeros;
    Indices winner;
    loadWindows(winners + window, winner);
    Indices even;
    indicesOf<lanes>(index + 2 * window, 2, even, std::make_integer_sequence<int, lanes>());
    const Mask first = __builtin_convertvector(winner == even, Mask),
               second = __builtin_convertvector(winner == even + 1, Mask);
    storePairs<T, lanes>(out + 2 * window, first ? given : zeros, second ? given : zeros,
                         std::make_integer_sequence<int, lanes>());
  }
};

template <class T>
struct SpreadPart {
  const T* numbers;
  double divisor;
  T* out;

  template <int lanes>
  FOREBAY_INLINE void part(std::int64_t window) const {
    using Numbers = Windowed<T, lanes>;
    using Quotients = Windowed<double, lanes>;
    const Numbers zeros = {};
    Numbers loaded;
    loadWindows(numbers + window, loaded);
    const Quotients quotients = __builtin_convertvector(loaded, Quotients) / divisor;
    const Numbers share = __builtin_convertvector(quotients, Numbers) + zeros;
    storePairs<T, lanes>(out + 2 * window, share, share, std::make_integer_sequence<int, lanes>());
  }
};

template <class T>
void givePairs(std::int64_t windows, const void* numbers, const std::int32_t* winners, std::int32_t index,
               void* out) {
  eachVector<windowLanes<T>>(
      windows, GivePart<T>{static_cast<const T*>(numbers), winners, index, static_cast<T*>(out)});
}

template <class T>
void spreadPairs(std::int64_t windows, const void* numbers, double divisor, void* out) {
  eachVector<windowLanes<T>>(windows,
                             SpreadPart<T>{static_cast<const T*>(numbers), divisor, static_cast<T*>(out)});
}

}  // namespace forebay::FOREBAY_BODY
