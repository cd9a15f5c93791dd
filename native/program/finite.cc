#include "program/finite.h"

#include <cstring>

#include "kernels/geometry.h"

namespace forebay {

namespace {

// Returns true if all elements are finite. A number is NaN or infinite if and only if all bits of its
// exponent are set. The loop over a block has no branches, so that the compiler can vectorise it.
template <class Word, Word exponent>
bool finiteWords(const char* data, std::int64_t stride, std::int64_t count) {
  constexpr std::int64_t block = 1024;
  for (std::int64_t start = 0; start < count; start += block) {
    const std::int64_t end = start + block < count ? start + block : count;
    Word bad = 0;
    for (std::int64_t i = start; i < end; ++i) {
      Word word;
      std::memcpy(&word, data + i * stride * std::int64_t(sizeof word), sizeof word);
      bad |= static_cast<Word>((word & exponent) == exponent);
    }
    if (bad != 0) return false;
  }
  return true;
}

bool finiteRow(DType type, const char* data, std::int64_t stride, std::int64_t count) {
  switch (type) {
    case DType::float32:
      return stride == 1 ? finiteWords<std::uint32_t, 0x7f800000u>(data, 1, count)
                         : finiteWords<std::uint32_t, 0x7f800000u>(data, stride, count);
    case DType::float64:
      return stride == 1 ? finiteWords<std::uint64_t, 0x7ff0000000000000u>(data, 1, count)
                         : finiteWords<std::uint64_t, 0x7ff0000000000000u>(data, stride, count);
    default:
      return true;
  }
}

}  // namespace

bool allFinite(DType type, const void* data, std::int64_t count) {
  return finiteRow(type, static_cast<const char*>(data), 1, count);
}

bool viewFinite(DType type, const void* data, const std::int64_t* sizes, const std::int64_t* strides,
                int rank) {
  const char* at = static_cast<const char*>(data);
  if (rank == 0) return finiteRow(type, at, 1, 1);
  const auto size = static_cast<std::int64_t>(sizeOf(type));
  std::int64_t position[maxRank] = {};
  for (;;) {
    if (!finiteRow(type, at, strides[rank - 1], sizes[rank - 1])) return false;
    int d = rank - 2;
    for (; d >= 0; --d) {
      if (++position[d] < sizes[d]) {
        at += strides[d] * size;
        break;
      }
      at -= strides[d] * size * (position[d] - 1);
      position[d] = 0;
    }
    if (d < 0) return true;
  }
}

}  // namespace forebay
