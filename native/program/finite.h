// Checks memory for NaN and infinity.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace forebay {

// True if `count` contiguous elements are all finite. int32 is always finite.
bool allFinite(DType type, const void* data, std::int64_t count);

// The same for a view, which must not be empty. Strides are in elements.
bool viewFinite(DType type, const void* data, const std::int64_t* sizes, const std::int64_t* strides,
                int rank);

}  // namespace forebay
