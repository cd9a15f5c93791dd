// The routines `stencil` and `stencilWeights` of conv_routines.h: one function for each width and step.
#pragma once

#include "kernels/body/stencil_weights.h"

namespace forebay::FOREBAY_BODY {

template <int number>
using Constant = std::integral_constant<int, number>;

// Calls body(width, step) with constants. The width is 3 or 5.
template <class Body>
FOREBAY_INLINE void withWideSize(const ConvStencil& s, const Body& body) {
  if (s.tapColumns == 3) {
    s.columnStep == 1 ? body(Constant<3>(), Constant<1>()) : body(Constant<3>(), Constant<2>());
  } else {
    s.columnStep == 1 ? body(Constant<5>(), Constant<1>()) : body(Constant<5>(), Constant<2>());
  }
}

template <class T>
void convStencil(const ConvStencil& s, const void* in, const void* weights, void* out) {
  const T *const a = static_cast<const T*>(in), *const w = static_cast<const T*>(weights);
  T* const c = static_cast<T*>(out);
  if (s.tapColumns == 1) return stencilOfWidth<T, 1, 1>(s, a, w, c);
  if (s.tapColumns == 2) return stencilOfWidth<T, 2, 1>(s, a, w, c);
  withWideSize(s, [&](auto width, auto step) {
    stencilOfWidth<T, decltype(width)::value, decltype(step)::value>(s, a, w, c);
  });
}

template <class T>
void convStencilWeights(const ConvStencil& s, const void* in, const void* out, void* weights) {
  withWideSize(s, [&](auto width, auto step) {
    stencilWeightsOfWidth<T, decltype(width)::value, decltype(step)::value>(
        s, static_cast<const T*>(in), static_cast<const T*>(out), static_cast<T*>(weights));
  });
}

}  // namespace forebay::FOREBAY_BODY
