// The routines conv, convInputGradient and convWeightGradient (conv.h).
#include <algorithm>

#include "routines/conv.h"

namespace forebay {

namespace {

constexpr int integers = convWindowIntegers + 1;

// ---- conv

bool checkConv(const RoutineCall& call, Fault& fault) {
  if (!checkConvWindow(call, fault) || !checkConvImages(call, {"x", 0}, {"y", 2}, fault)) return false;
  return checkPackedSize(call, 1, packingOf(convShapeOf(call, {0, 2}), false), fault);
}

std::int64_t imageUnits(const RoutineCall& call) { return call.operands[0].sizes[0]; }

template <class T>
const T* elementOf(const RoutineRun& run, int operand, std::int64_t a, std::int64_t b, std::int64_t c,
                   std::int64_t d) {
  const std::int64_t* const strides = run.call.operands[operand].strides;
  return readAs<T>(run, operand) + a * strides[0] + b * strides[1] + c * strides[2] + d * strides[3];
}

template <class T>
void convPlainly(const RoutineRun& run, std::int64_t from, std::int64_t to) {
  const ConvShape s = convShapeOf(run.call, {0, 2});
  const ConvPacking packing = packingOf(s, false);
  const T* const packed = readAs<T>(run, 1);
  T* out = writeAs<T>(run, 2) + from * s.rows.count * s.columns.count * s.outputs;
  const std::int64_t channels = s.groupChannels(), outputs = s.groupOutputs();
  for (std::int64_t image = from; image < to; ++image) {
    for (std::int64_t row = 0; row < s.rows.count; ++row) {
      for (std::int64_t column = 0; column < s.columns.count; ++column) {
        for (std::int64_t o = 0; o < s.outputs; ++o) {
          T sum = T(0);
          for (std::int64_t i = 0; channels > 0 && i < s.rows.size; ++i) {
            for (std::int64_t j = 0; j < s.columns.size; ++j) {
              const std::int64_t y = row * s.rows.stride + i * s.rows.dilation - s.rows.before;
              const std::int64_t x = column * s.columns.stride + j * s.columns.dilation - s.columns.before;
              const bool inside = y >= 0 && y < s.rows.length && x >= 0 && x < s.columns.length;
              for (std::int64_t c = 0; c < channels; ++c) {
                const T weight = packed[packing.at(o / outputs, i, j, c, o % outputs)];
                sum +=
                    weight * (inside ? *elementOf<T>(run, 0, image, y, x, o / outputs * channels + c) : T(0));
              }
            }
          }
          *out++ = sum;
        }
      }
    }
  }
}

template <class T>
void convTyped(const RoutineRun& run, std::int64_t from, std::int64_t to, char*) {
  convPlainly<T>(run, from, to);
}

// ---- convInputGradient

bool checkInputGradient(const RoutineCall& call, Fault& fault) {
  if (!checkConvWindow(call, fault) || !checkConvImages(call, {"the gradient", 2}, {"g", 0}, fault)) {
    return false;
  }
  return checkPackedSize(call, 1, packingOf(convShapeOf(call, {2, 0}), true), fault);
}

template <class T>
void inputGradientPlainly(const RoutineRun& run, std::int64_t from, std::int64_t to) {
  const ConvShape s = convShapeOf(run.call, {2, 0});
  const ConvPacking packing = packingOf(s, true);
  const T* const packed = readAs<T>(run, 1);
  const std::int64_t channels = s.groupChannels(), outputs = s.groupOutputs();
  T* out = writeAs<T>(run, 2) + from * s.rows.length * s.columns.length * s.channels;
  for (std::int64_t image = from; image < to; ++image) {
    for (std::int64_t y = 0; y < s.rows.length; ++y) {
      for (std::int64_t x = 0; x < s.columns.length; ++x) {
        for (std::int64_t c = 0; c < s.channels; ++c) {
          T sum = T(0);
          for (std::int64_t i = 0; outputs > 0 && i < s.rows.size; ++i) {
            for (std::int64_t j = 0; j < s.columns.size; ++j) {
              const std::int64_t down = y + s.rows.before - i * s.rows.dilation;
              const std::int64_t across = x + s.columns.before - j * s.columns.dilation;
              if (down % s.rows.stride != 0 || across % s.columns.stride != 0) continue;
              const std::int64_t row = down / s.rows.stride, column = across / s.columns.stride;
              const bool inside = row >= 0 && row < s.rows.count && column >= 0 && column < s.columns.count;
              for (std::int64_t o = 0; o < outputs; ++o) {
                const T weight = packed[packing.at(c / channels, i, j, o, c % channels)];
                sum +=
                    weight *
                    (inside ? *elementOf<T>(run, 0, image, row, column, c / channels * outputs + o) : T(0));
              }
            }
          }
          *out++ = sum;
        }
      }
    }
  }
}

template <class T>
void inputGradientTyped(const RoutineRun& run, std::int64_t from, std::int64_t to, char*) {
  inputGradientPlainly<T>(run, from, to);
}

// ---- convWeightGradient

bool checkWeightGradient(const RoutineCall& call, Fault& fault) {
  constexpr Checked gradient = {"the gradient", 2};
  if (!checkConvWindow(call, fault) || !checkConvImages(call, {"x", 0}, {"g", 1}, fault) ||
      !hasRank(call, gradient, 4, fault) || !hasType(call, gradient, call.operands[0].type, fault)) {
    return false;
  }
  const ConvShape s = convShapeOf(call, {0, 1});
  const std::int64_t expected[] = {s.outputs, s.groupChannels(), s.rows.size, s.columns.size};
  for (int axis = 0; axis < 4; ++axis) {
    const std::int64_t found = call.operands[2].sizes[axis];
    if (found == expected[axis]) continue;
    return fault.argument("axis %d of the gradient has %lld elements, expected %lld", axis,
                          static_cast<long long>(found), static_cast<long long>(expected[axis]));
  }
  return true;
}

std::int64_t outputUnits(const RoutineCall& call) { return call.operands[2].sizes[0]; }

template <class T>
void weightGradientPlainly(const RoutineRun& run, std::int64_t from, std::int64_t to) {
  const ConvShape s = convShapeOf(run.call, {0, 1});
  const std::int64_t channels = s.groupChannels(), outputs = s.groupOutputs();
  T* out = writeAs<T>(run, 2) + from * channels * s.taps();
  for (std::int64_t o = from; o < to; ++o) {
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t i = 0; i < s.rows.size; ++i) {
        for (std::int64_t j = 0; j < s.columns.size; ++j) {
          T sum = T(0);
          for (std::int64_t image = 0; image < s.batch; ++image) {
            for (std::int64_t row = 0; row < s.rows.count; ++row) {
              const std::int64_t y = row * s.rows.stride + i * s.rows.dilation - s.rows.before;
              for (std::int64_t column = 0; column < s.columns.count; ++column) {
                const std::int64_t x = column * s.columns.stride + j * s.columns.dilation - s.columns.before;
                const bool inside = y >= 0 && y < s.rows.length && x >= 0 && x < s.columns.length;
                sum += (inside ? *elementOf<T>(run, 0, image, y, x, o / outputs * channels + c) : T(0)) *
                       *elementOf<T>(run, 1, image, row, column, o);
              }
            }
          }
          *out++ = sum;
        }
      }
    }
  }
}

template <class T>
void weightGradientTyped(const RoutineRun& run, std::int64_t from, std::int64_t to, char*) {
  weightGradientPlainly<T>(run, from, to);
}

using Typed = void (*)(const RoutineRun& run, std::int64_t from, std::int64_t to, char* scratch);

template <Typed runFloat, Typed runDouble>
bool runTyped(const RoutineRun& run, std::int64_t from, std::int64_t to, char* scratch, RoutineFailure&) {
  (run.call.operands[0].type == DType::float64 ? runDouble : runFloat)(run, from, to, scratch);
  return true;
}

}  // namespace

extern const RoutineRow convRow, convInputGradientRow, convWeightGradientRow;
const RoutineRow convRow = {"conv", 2,  1,         integers,   floatDtypes,
                            false,  -1, checkConv, imageUnits, runTyped<convTyped<float>, convTyped<double>>};
const RoutineRow convInputGradientRow = {"convInputGradient",
                                         2,
                                         1,
                                         integers,
                                         floatDtypes,
                                         false,
                                         -1,
                                         checkInputGradient,
                                         imageUnits,
                                         runTyped<inputGradientTyped<float>, inputGradientTyped<double>>};
const RoutineRow convWeightGradientRow = {"convWeightGradient",
                                          2,
                                          1,
                                          integers,
                                          floatDtypes,
                                          false,
                                          -1,
                                          checkWeightGradient,
                                          outputUnits,
                                          runTyped<weightGradientTyped<float>, weightGradientTyped<double>>};

}  // namespace forebay
