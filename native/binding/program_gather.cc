// Copies rows of a dataset, by index, into the memory of a feed.
#include <cmath>
#include <cstring>

#include "binding/program.h"

namespace forebay {

namespace {

// The arguments of gatherRows. `out` has the shape [outer, batch, inner], and `source` has the shape
// [examples, outer, inner]. For each index `row` of `indices`, element [o, from + row, i] of `out` becomes
// element [indices[row], o, i] of `source`.
struct Gather {
  Array out{}, source{}, indices{};
  std::size_t from = 0, batch = 0, inner = 0, outer = 0;

  bool read(Call& call) {
    double sizes[3];  // from, batch, inner
    if (!call.atLeast(6) || !call.array(0, "the rows", out) || !call.array(1, "the source", source) ||
        !call.array(2, "the indices", indices)) {
      return false;
    }
    for (std::size_t i = 0; i < 3; ++i) {
      if (!call.integer(3 + i, "from, batch or inner", 0, sizes[i])) return false;
    }
    if (out.dtype != source.dtype) {
      return call.fault().argument("gatherRows: the source is %s, but the rows are %s", nameOf(source.dtype),
                                   nameOf(out.dtype));
    }
    if (indices.dtype != DType::int32 && indices.dtype != DType::float64) {
      return call.fault().argument("gatherRows: indices are int32 or float64, but these are %s",
                                   nameOf(indices.dtype));
    }
    // The checks are computed in doubles, which do not overflow. Numbers that pass them are at most the
    // length of an array.
    if (sizes[1] * sizes[2] > static_cast<double>(out.length) ||
        sizes[0] + static_cast<double>(indices.length) > sizes[1]) {
      return call.fault().argument(
          "gatherRows: rows %.0f to %.0f of a batch of %.0f rows of %.0f elements are outside the "
          "memory of %zu elements",
          sizes[0], sizes[0] + static_cast<double>(indices.length), sizes[1], sizes[2], out.length);
    }
    from = static_cast<std::size_t>(sizes[0]);
    batch = static_cast<std::size_t>(sizes[1]);
    inner = static_cast<std::size_t>(sizes[2]);
    outer = batch * inner == 0 ? 0 : out.length / (batch * inner);
    return true;
  }

  template <class Index>
  bool copy(Call& call) const {
    const std::size_t width = outer * inner, unit = inner * sizeOf(out.dtype);
    if (width == 0) return true;
    const std::size_t whole = source.length / width;
    const auto examples = static_cast<double>(whole);
    const auto* const index = static_cast<const Index*>(indices.data);
    char* to = static_cast<char*>(out.data) + from * unit;
    for (std::size_t row = 0; row < indices.length; ++row, to += unit) {
      // Each index is read only once, because another thread may write to the array.
      const auto wanted = static_cast<double>(index[row]);
      if (!(wanted >= 0 && wanted < examples && wanted == std::floor(wanted))) {
        return call.fault().argument("gatherRows: index %zu is %.17g, expected one from 0 to %.0f", row,
                                     wanted, examples - 1);
      }
      const char* example =
          static_cast<const char*>(source.data) + static_cast<std::size_t>(wanted) * outer * unit;
      for (std::size_t o = 0; o < outer; ++o) std::memcpy(to + o * batch * unit, example + o * unit, unit);
    }
    return true;
  }
};

}  // namespace

// gatherRows(out, source, indices, from, batch, inner)
napi_value gatherRows(napi_env env, napi_callback_info info) {
  Call call(env, info, "gatherRows");
  Gather gather;
  if (gather.read(call)) {
    if (gather.indices.dtype == DType::int32) {
      static_cast<void>(gather.copy<std::int32_t>(call));
    } else {
      static_cast<void>(gather.copy<double>(call));
    }
  }
  return call.finish();
}

}  // namespace forebay
