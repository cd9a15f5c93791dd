// Convolutions and their gradients in plain loops, for calls whose blocks are too large for scratch memory:
// those with a padding, stride or dilation of many thousands.
#include "routines/conv_blocks.h"

namespace forebay {

namespace {

template <class T>
const T* elementOf(const RoutineRun& run, int operand, std::int64_t a, std::int64_t b, std::int64_t c,
                   std::int64_t d) {
  const std::int64_t* const strides = run.call.operands[operand].strides;
  return readAs<T>(run, operand) + a * strides[0] + b * strides[1] + c * strides[2] + d * strides[3];
}

}  // namespace

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

template void convPlainly<float>(const RoutineRun& run, std::int64_t fromImage, std::int64_t toImage);
template void convPlainly<double>(const RoutineRun& run, std::int64_t fromImage, std::int64_t toImage);
template void inputGradientPlainly<float>(const RoutineRun& run, std::int64_t fromImage,
                                          std::int64_t toImage);
template void inputGradientPlainly<double>(const RoutineRun& run, std::int64_t fromImage,
                                           std::int64_t toImage);
template void weightGradientPlainly<float>(const RoutineRun& run, std::int64_t fromOutput,
                                           std::int64_t toOutput);
template void weightGradientPlainly<double>(const RoutineRun& run, std::int64_t fromOutput,
                                            std::int64_t toOutput);

}  // namespace forebay
