// The routines convPack and convPackGradient, which bring weights into the form that conv and
// convInputGradient read (conv.h).
#include <algorithm>

#include "routines/conv.h"

namespace forebay {

namespace {

constexpr Checked w = {"w", 0};

ConvPacking packingOfCall(const RoutineCall& call, bool gradient) {
  const RoutineView& view = call.operands[0];
  ConvShape shape = {};
  shape.type = view.type;
  shape.groups = call.integers[0];
  shape.outputs = view.sizes[0];
  shape.channels = view.sizes[1] * shape.groups;
  shape.rows.size = view.sizes[2];
  shape.columns.size = view.sizes[3];
  if (gradient) {
    shape.rows.stride = call.integers[1];
    shape.columns.stride = call.integers[2];
    shape.rows.dilation = call.integers[3];
    shape.columns.dilation = call.integers[4];
  }
  return packingOf(shape, gradient);
}

bool checkPack(const RoutineCall& call, bool gradient, Fault& fault) {
  if (!hasRank(call, w, 4, fault) || !checkConvGroups(call.integers[0], fault)) return false;
  for (int axis = 0; axis < 4; ++axis) {
    if (!countable(call, w, axis, fault)) return false;
  }
  const std::int64_t outputs = call.operands[0].sizes[0];
  if (outputs % call.integers[0] != 0) {
    return fault.argument("axis 0 of w has %lld elements, expected a multiple of the %lld groups",
                          static_cast<long long>(outputs), static_cast<long long>(call.integers[0]));
  }
  static constexpr const char* names[] = {"the stride of rows", "the stride of columns",
                                          "the dilation of rows", "the dilation of columns"};
  for (int i = 1; gradient && i < 5; ++i) {
    if (call.integers[i] >= 1 && call.integers[i] <= mostInt32) continue;
    return fault.argument("%s is %lld, expected an integer from 1 to 2^31 - 1", names[i - 1],
                          static_cast<long long>(call.integers[i]));
  }
  return checkPackedSize(call, 1, packingOfCall(call, gradient), fault);
}

bool checkForward(const RoutineCall& call, Fault& fault) { return checkPack(call, false, fault); }
bool checkGradient(const RoutineCall& call, Fault& fault) { return checkPack(call, true, fault); }

// A unit is a panel of a group. Without panels, all is one unit.
std::int64_t panelsOf(const ConvPacking& packing) { return packing.paddedColumns() / packing.width; }

template <bool gradient>
std::int64_t packUnits(const RoutineCall& call) {
  const ConvPacking packing = packingOfCall(call, gradient);
  return packing.depthwise ? 1 : packing.groups * panelsOf(packing);
}

// The number of rows of a panel for each tap that are written at a time, so that they stay in the L1 cache.
constexpr std::int64_t rowsAtOnce = 8;

template <class T>
class Packer {
 public:
  Packer(const RoutineRun& run, bool gradient)
      : view_(run.call.operands[0]),
        packing_(packingOfCall(run.call, gradient)),
        source_(readAs<T>(run, 0)),
        target_(writeAs<T>(run, 1)) {}

  void depthwise() const {
    T* to = target_;
    for (std::int64_t row = 0; row < packing_.rows.size; ++row) {
      for (std::int64_t column = 0; column < packing_.columns.size; ++column) {
        for (std::int64_t group = 0; group < packing_.groups; ++group) *to++ = *at(group, 0, row, column);
      }
    }
  }

  void panel(std::int64_t group, std::int64_t panel) const {
    const std::int64_t first = panel * packing_.width, width = packing_.width;
    const std::int64_t columns = std::min(width, packing_.n - first);
    for (std::int64_t row = 0; row < packing_.rows.size; ++row) {
      for (std::int64_t column = 0; column < packing_.columns.size; ++column) {
        T* const to = target_ + packing_.at(group, row, column, 0, first);
        for (std::int64_t inner = 0; columns < width && inner < packing_.depth; ++inner) {
          std::fill(to + inner * width + columns, to + (inner + 1) * width, T(0));
        }
      }
    }
    for (std::int64_t inner = 0; inner < packing_.depth; inner += rowsAtOnce) {
      const std::int64_t end = std::min(inner + rowsAtOnce, packing_.depth);
      for (std::int64_t row = 0; row < packing_.rows.size; ++row) {
        for (std::int64_t column = 0; column < packing_.columns.size; ++column) {
          T* const to = target_ + packing_.at(group, row, column, 0, first);
          for (std::int64_t i = inner; i < end; ++i)
            line(group, i, row, column, first, columns, to + i * width);
        }
      }
    }
  }

 private:
  const T* at(std::int64_t output, std::int64_t channel, std::int64_t row, std::int64_t column) const {
    return source_ + output * view_.strides[0] + channel * view_.strides[1] + row * view_.strides[2] +
           column * view_.strides[3];
  }

  // Copies a row of a panel.
  void line(std::int64_t group, std::int64_t inner, std::int64_t row, std::int64_t column, std::int64_t first,
            std::int64_t columns, T* to) const {
    const bool gradient = packing_.gradient;
    const T* const from = gradient ? at(group * packing_.depth + inner, first, row, column)
                                   : at(group * packing_.n + first, inner, row, column);
    const std::int64_t stride = view_.strides[gradient ? 1 : 0];
    for (std::int64_t j = 0; j < columns; ++j) to[j] = from[j * stride];
  }

  const RoutineView& view_;
  const ConvPacking packing_;
  const T* source_;
  T* target_;
};

template <class T>
void packUnitsOf(const RoutineRun& run, bool gradient, std::int64_t from, std::int64_t to) {
  const Packer<T> packer(run, gradient);
  const ConvPacking packing = packingOfCall(run.call, gradient);
  if (packing.depthwise) return packer.depthwise();
  const std::int64_t panels = panelsOf(packing);
  for (std::int64_t unit = from; unit < to; ++unit) packer.panel(unit / panels, unit % panels);
}

template <bool gradient>
bool runPack(const RoutineRun& run, std::int64_t from, std::int64_t to, char*, RoutineFailure&) {
  if (run.call.operands[0].type == DType::float64) {
    packUnitsOf<double>(run, gradient, from, to);
  } else {
    packUnitsOf<float>(run, gradient, from, to);
  }
  return true;
}

}  // namespace

extern const RoutineRow convPackRow, convPackGradientRow;
const RoutineRow convPackRow = {
    "convPack", 1, 1, 1, floatDtypes, false, -1, 0, checkForward, packUnits<false>, runPack<false>};
const RoutineRow convPackGradientRow = {
    "convPackGradient", 1, 1, 5, floatDtypes, false, -1, 0, checkGradient, packUnits<true>, runPack<true>};

}  // namespace forebay
