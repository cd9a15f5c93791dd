// The routines `stencil` and `stencilWeights` of conv_routines.h: one function for each size.
#pragma once

#include <utility>

#include "kernels/body/stencil_weights.h"

namespace forebay::FOREBAY_BODY {

template <class T>
struct StencilPair {
  void (*sum)(const ConvStencil& s, const T* a, const T* w, T* c);
  void (*gradient)(const ConvStencil& s, const T* a, const T* c, T* w);
};

// By columnStep, tapRows and tapColumns.
template <class T>
struct StencilTable {
  StencilPair<T> of[std::size_t{mostStencilStep * mostStencilTaps * mostStencilTaps}];

  const StencilPair<T>& at(const ConvStencil& s) const {
    return of[((s.columnStep - 1) * mostStencilTaps + s.tapRows - 1) * mostStencilTaps + s.tapColumns - 1];
  }
};

template <class T, int number>
constexpr StencilPair<T> stencilPair() {
  constexpr int width = number % mostStencilTaps + 1, rest = number / mostStencilTaps;
  constexpr int height = rest % mostStencilTaps + 1, step = rest / mostStencilTaps + 1;
  return {stencilOfSize<T, height, width, step>, stencilGradientOfSize<T, height, width, step>};
}

template <class T, int... number>
constexpr StencilTable<T> stencilTableOf(std::integer_sequence<int, number...>) {
  return {{stencilPair<T, number>()...}};
}

template <class T>
constexpr StencilTable<T> stencilTable =
    stencilTableOf<T>(std::make_integer_sequence<int, mostStencilStep * mostStencilTaps * mostStencilTaps>());

template <class T>
void convStencil(const ConvStencil& s, const void* a, const void* w, void* c) {
  stencilTable<T>.at(s).sum(s, static_cast<const T*>(a), static_cast<const T*>(w), static_cast<T*>(c));
}

template <class T>
void convStencilWeights(const ConvStencil& s, const void* in, const void* out, void* weights) {
  stencilTable<T>.at(s).gradient(s, static_cast<const T*>(in), static_cast<const T*>(out),
                                 static_cast<T*>(weights));
}

}  // namespace forebay::FOREBAY_BODY
