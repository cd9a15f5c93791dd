// Loops whose elements are computed in SIMD registers with explicit instructions, for operations that the
// compiler does not vectorise well. Only the AVX-512 body has them. The element of a loop is written once, as
// a function of an access to memory. forElements calls it with accesses to registers if the body has them,
// and with accesses to single elements otherwise.
#pragma once

#include "kernels/body/gemm_vector.h"

namespace forebay::FOREBAY_BODY {

#if FOREBAY_BODY_VECTOR == 64

// The elements of a register.
template <class T>
struct Packed {
  using V = Vector<T>;
  typename V::Register lanes;

  explicit FOREBAY_INLINE Packed(T x) : lanes(V::broadcast(x)) {}
  explicit FOREBAY_INLINE Packed(typename V::Register values) : lanes(values) {}

  friend FOREBAY_INLINE Packed operator+(Packed a, Packed b) { return Packed(a.lanes + b.lanes); }
  friend FOREBAY_INLINE Packed operator-(Packed a, Packed b) { return Packed(a.lanes - b.lanes); }
  friend FOREBAY_INLINE Packed operator*(Packed a, Packed b) { return Packed(a.lanes * b.lanes); }
  friend FOREBAY_INLINE Packed operator/(Packed a, Packed b) { return Packed(a.lanes / b.lanes); }
  friend FOREBAY_INLINE Packed operator-(Packed a) { return Packed(-a.lanes); }
};

// Returns the number of x or `most` with the smaller absolute value, with the sign of x. If x is NaN, the
// absolute value is that of `most`. (Without optimization, GCC has macros for these instructions, which
// convert the sign of their mask.)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
FOREBAY_INLINE Packed<float> limited(Packed<float> x, Packed<float> most) {
  return Packed<float>(_mm512_range_ps(x.lanes, most.lanes, 2));
}
FOREBAY_INLINE Packed<double> limited(Packed<double> x, Packed<double> most) {
  return Packed<double>(_mm512_range_pd(x.lanes, most.lanes, 2));
}
#pragma GCC diagnostic pop

// The functions of arithmetic.h of the same names. The instructions for the maximum and the minimum return
// the second operand if one is NaN. (The masks have all lanes, because without a mask GCC warns of an
// uninitialized value.)
FOREBAY_INLINE Packed<float> maximum(Packed<float> a, Packed<float> b) {
  const auto larger = _mm512_maskz_max_ps(0xffff, a.lanes, b.lanes);
  return Packed<float>(
      _mm512_mask_mov_ps(larger, _mm512_cmp_ps_mask(a.lanes, a.lanes, _CMP_UNORD_Q), a.lanes));
}
FOREBAY_INLINE Packed<double> maximum(Packed<double> a, Packed<double> b) {
  const auto larger = _mm512_maskz_max_pd(0xff, a.lanes, b.lanes);
  return Packed<double>(
      _mm512_mask_mov_pd(larger, _mm512_cmp_pd_mask(a.lanes, a.lanes, _CMP_UNORD_Q), a.lanes));
}
FOREBAY_INLINE Packed<float> minimum(Packed<float> a, Packed<float> b) {
  const auto smaller = _mm512_maskz_min_ps(0xffff, a.lanes, b.lanes);
  return Packed<float>(
      _mm512_mask_mov_ps(smaller, _mm512_cmp_ps_mask(a.lanes, a.lanes, _CMP_UNORD_Q), a.lanes));
}
FOREBAY_INLINE Packed<double> minimum(Packed<double> a, Packed<double> b) {
  const auto smaller = _mm512_maskz_min_pd(0xff, a.lanes, b.lanes);
  return Packed<double>(
      _mm512_mask_mov_pd(smaller, _mm512_cmp_pd_mask(a.lanes, a.lanes, _CMP_UNORD_Q), a.lanes));
}
FOREBAY_INLINE Packed<float> absolute(Packed<float> x) {
  return Packed<float>(_mm512_andnot_ps(_mm512_set1_ps(-0.0f), x.lanes));
}
FOREBAY_INLINE Packed<double> absolute(Packed<double> x) {
  return Packed<double>(_mm512_andnot_pd(_mm512_set1_pd(-0.0), x.lanes));
}
// `x` must not be negative.
FOREBAY_INLINE Packed<float> withSign(Packed<float> x, Packed<float> sign) {
  return Packed<float>(_mm512_or_ps(x.lanes, _mm512_and_ps(_mm512_set1_ps(-0.0f), sign.lanes)));
}
FOREBAY_INLINE Packed<double> withSign(Packed<double> x, Packed<double> sign) {
  return Packed<double>(_mm512_or_pd(x.lanes, _mm512_and_pd(_mm512_set1_pd(-0.0), sign.lanes)));
}
// Returns a >= b ? x : y.
FOREBAY_INLINE Packed<float> ifNotLess(Packed<float> a, Packed<float> b, Packed<float> x, Packed<float> y) {
  return Packed<float>(
      _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.lanes, b.lanes, _CMP_GE_OQ), y.lanes, x.lanes));
}
FOREBAY_INLINE Packed<double> ifNotLess(Packed<double> a, Packed<double> b, Packed<double> x,
                                        Packed<double> y) {
  return Packed<double>(
      _mm512_mask_blend_pd(_mm512_cmp_pd_mask(a.lanes, b.lanes, _CMP_GE_OQ), y.lanes, x.lanes));
}

// Returns x times 2^exponent, rounded once. The exponent is an integer, infinite or NaN. The masks have all
// lanes: without a mask, GCC warns of an uninitialized value.
FOREBAY_INLINE Packed<float> scaledBy(Packed<float> exponent, Packed<float> x) {
  return Packed<float>(_mm512_maskz_scalef_ps(0xffff, x.lanes, exponent.lanes));
}
FOREBAY_INLINE Packed<double> scaledBy(Packed<double> exponent, Packed<double> x) {
  return Packed<double>(_mm512_maskz_scalef_pd(0xff, x.lanes, exponent.lanes));
}

// Accesses as many elements as a register has.
template <class T>
struct Whole {
  using Value = Packed<T>;
  static FOREBAY_INLINE Value load(const T* from) { return Value(Vector<T>::load(from)); }
  static FOREBAY_INLINE void store(T* to, Value value) { Vector<T>::store(to, value.lanes); }
};

// Accesses the elements of a mask. The other elements are loaded as 0.
template <class T>
struct First {
  using Value = Packed<T>;
  typename Vector<T>::Mask mask;
  FOREBAY_INLINE Value load(const T* from) const { return Value(Vector<T>::loadFirst(from, mask)); }
  FOREBAY_INLINE void store(T* to, Value value) const { Vector<T>::storeFirst(to, mask, value.lanes); }
};

// Calls element(access, i) so that the accesses cover the elements 0 to n - 1, each once.
template <class T, class Element>
FOREBAY_INLINE void forElements(std::int64_t n, const Element& element) {
  constexpr std::int64_t width = Vector<T>::width;
  std::int64_t i = 0;
  for (; n - i >= width; i += width) element(Whole<T>{}, i);
  if (i < n) element(First<T>{Vector<T>::first(static_cast<int>(n - i))}, i);
}

#else

// Accesses one element.
template <class T>
struct Each {
  using Value = T;
  static FOREBAY_INLINE T load(const T* from) { return *from; }
  static FOREBAY_INLINE void store(T* to, T value) { *to = value; }
};

template <class T, class Element>
FOREBAY_INLINE void forElements(std::int64_t n, const Element& element) {
  FOREBAY_INDEPENDENT
  for (std::int64_t i = 0; i < n; ++i) element(Each<T>{}, i);
}

#endif

}  // namespace forebay::FOREBAY_BODY
