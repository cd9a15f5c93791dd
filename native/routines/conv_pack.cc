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

std::int64_t packUnits(const RoutineCall& call) { return call.integers[0]; }

// A unit is a group.
template <class T>
void packGroups(const RoutineRun& run, bool gradient, std::int64_t from, std::int64_t to) {
  const RoutineView& view = run.call.operands[0];
  const ConvPacking packing = packingOfCall(run.call, gradient);
  const T* const source = readAs<T>(run, 0);
  T* const target = writeAs<T>(run, 1);
  const std::int64_t columns = packing.depthwise ? packing.n : packing.paddedColumns();
  for (std::int64_t group = from; group < to; ++group) {
    for (std::int64_t row = 0; row < packing.rows.size; ++row) {
      for (std::int64_t column = 0; column < packing.columns.size; ++column) {
        for (std::int64_t inner = 0; inner < packing.depth; ++inner) {
          for (std::int64_t j = 0; j < columns; ++j) {
            const std::int64_t output = gradient ? group * packing.depth + inner : group * packing.n + j;
            const std::int64_t channel = gradient ? j : inner;
            target[packing.at(group, row, column, inner, j)] =
                j < packing.n ? source[output * view.strides[0] + channel * view.strides[1] +
                                       row * view.strides[2] + column * view.strides[3]]
                              : T(0);
          }
        }
      }
    }
  }
}

template <bool gradient>
bool runPack(const RoutineRun& run, std::int64_t from, std::int64_t to, char*, RoutineFailure&) {
  if (run.call.operands[0].type == DType::float64) {
    packGroups<double>(run, gradient, from, to);
  } else {
    packGroups<float>(run, gradient, from, to);
  }
  return true;
}

}  // namespace

extern const RoutineRow convPackRow, convPackGradientRow;
const RoutineRow convPackRow = {"convPack",    1, 1, 1, floatDtypes, false, -1, checkForward, packUnits,
                                runPack<false>};
const RoutineRow convPackGradientRow = {
    "convPackGradient", 1, 1, 5, floatDtypes, false, -1, checkGradient, packUnits, runPack<true>};

}  // namespace forebay
