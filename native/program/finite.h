// Whether memory holds a NaN or an infinity.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace forebay {

// `count` elements without a gap. int32 is always finite.
bool allFinite(DType type, const void* data, std::int64_t count);

// A view; strides in elements. The count of elements is not 0.
bool viewFinite(DType type, const void* data, const std::int64_t* sizes, const std::int64_t* strides,
                int rank);

}  // namespace forebay
