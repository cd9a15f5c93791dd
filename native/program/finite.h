// Checks memory for NaN and infinity.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace forebay {

// Returns true if all of `count` contiguous elements are finite. int32 elements are always finite.
bool allFinite(DType type, const void* data, std::int64_t count);

// Returns true if all elements of a view are finite. The view must not be empty. Strides are in elements.
bool viewFinite(DType type, const void* data, const std::int64_t* sizes, const std::int64_t* strides,
                int rank);

}  // namespace forebay
