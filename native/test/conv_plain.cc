// The reference of convolutions, by their definition, and of packed weights (routines/conv.h).
#include <cmath>

#include "kernels/gemm.h"
#include "test/routine_plain.h"

namespace forebay::test {

namespace {

using List = std::vector<PlainOperand>;
using Integers = std::vector<std::int64_t>;
using Sizes = std::vector<std::int64_t>;

double& element(PlainOperand& operand, std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) {
  const Sizes& n = operand.sizes;
  return operand.elements[static_cast<std::size_t>(((a * n[1] + b) * n[2] + c) * n[3] + d)];
}

// Calls body(output, channel, row, column) for the elements of a packed weight in the order of its memory.
// Elements after the last column have the position -1.
template <class Body>
void eachPacked(DType type, const Sizes& weight, std::int64_t groups, bool gradient, const Integers& strides,
                const Integers& dilations, const Body& body) {
  const std::int64_t outputs = weight[0] / groups, channels = weight[1], height = weight[2],
                     width = weight[3];
  if (outputs == 1 && channels == 1) {
    for (std::int64_t i = 0; i < height; ++i) {
      for (std::int64_t j = 0; j < width; ++j) {
        for (std::int64_t group = 0; group < groups; ++group) body(group, 0, i, j);
      }
    }
    return;
  }
  const std::int64_t inners = gradient ? outputs : channels, n = gradient ? channels : outputs,
                     panel = panelWidth(type);
  const auto tapsOf = [&](std::int64_t size, std::int64_t stride, std::int64_t dilation, std::int64_t of) {
    std::vector<std::int64_t> taps;
    for (std::int64_t tap = 0; tap < size; ++tap) {
      const std::int64_t number = gradient ? size - 1 - tap : tap;
      if (!gradient || number * dilation % stride == of) taps.push_back(number);
    }
    return taps;
  };
  for (std::int64_t group = 0; group < groups; ++group) {
    for (std::int64_t down = 0; down < (gradient ? strides[0] : 1); ++down) {
      for (std::int64_t across = 0; across < (gradient ? strides[1] : 1); ++across) {
        const auto rows = tapsOf(height, strides[0], dilations[0], down);
        const auto columns = tapsOf(width, strides[1], dilations[1], across);
        for (std::int64_t first = 0; first < n; first += panel) {
          for (const std::int64_t row : rows) {
            for (const std::int64_t column : columns) {
              for (std::int64_t inner = 0; inner < inners; ++inner) {
                for (std::int64_t j = first; j < first + panel; ++j) {
                  if (j >= n) {
                    body(-1, -1, -1, -1);
                  } else if (gradient) {
                    body(group * outputs + inner, j, row, column);
                  } else {
                    body(group * outputs + j, inner, row, column);
                  }
                }
              }
            }
          }
        }
      }
    }
  }
}

}  // namespace

void packPlainly(DType type, List& list, const Integers& n) {
  PlainOperand &w = list[0], &packed = list[1];
  const bool gradient = n.size() > 1;
  std::size_t next = 0;
  const Integers ones = {1, 1};
  eachPacked(type, w.sizes, n[0], gradient, gradient ? Integers{n[1], n[2]} : ones,
             gradient ? Integers{n[3], n[4]} : ones,
             [&](std::int64_t o, std::int64_t c, std::int64_t i, std::int64_t j) {
               packed.elements[next++] = o < 0 ? 0 : element(w, o, c, i, j);
             });
}

void convolvePlainly(DType type, const std::string& name, List& list, const Integers& n) {
  const bool inputGradient = name == "convInputGradient", weightGradient = name == "convWeightGradient";
  PlainOperand& x = list[inputGradient ? 2 : 0];
  PlainOperand& y = list[weightGradient ? 1 : inputGradient ? 0 : 2];
  const std::int64_t groups = n[10], channels = x.sizes[3] / groups, outputs = y.sizes[3] / groups;
  PlainOperand w;
  w.sizes = {y.sizes[3], channels, n[0], n[1]};
  w.elements.resize(static_cast<std::size_t>(y.sizes[3] * channels * n[0] * n[1]));
  std::size_t next = 0;
  if (!weightGradient && !w.elements.empty()) {
    eachPacked(type, w.sizes, groups, inputGradient, {n[2], n[3]}, {n[4], n[5]},
               [&](std::int64_t o, std::int64_t c, std::int64_t i, std::int64_t j) {
                 const double weight = list[1].elements[next++];
                 if (o >= 0) element(w, o, c, i, j) = weight;
               });
  }
  PlainOperand& result = weightGradient ? w : inputGradient ? x : y;
  for (double& one : result.elements) one = 0;
  for (std::int64_t image = 0; image < y.sizes[0]; ++image) {
    for (std::int64_t row = 0; row < y.sizes[1]; ++row) {
      for (std::int64_t column = 0; column < y.sizes[2]; ++column) {
        for (std::int64_t o = 0; o < y.sizes[3]; ++o) {
          for (std::int64_t i = 0; i < n[0]; ++i) {
            for (std::int64_t j = 0; j < n[1]; ++j) {
              const std::int64_t down = row * n[2] + i * n[4] - n[6];
              const std::int64_t across = column * n[3] + j * n[5] - n[8];
              if (down < 0 || down >= x.sizes[1] || across < 0 || across >= x.sizes[2]) continue;
              for (std::int64_t c = 0; c < channels; ++c) {
                double& in = element(x, image, down, across, o / outputs * channels + c);
                double& weight = element(w, o, c, i, j);
                double& out = element(y, image, row, column, o);
                if (inputGradient) {
                  in += out * weight;
                } else if (weightGradient) {
                  weight += in * out;
                } else {
                  out += in * weight;
                }
              }
            }
          }
        }
      }
    }
  }
  if (weightGradient) list[2].elements = w.elements;
  for (double& one : list[2].elements) {
    if (type == DType::float32) one = static_cast<double>(static_cast<float>(one));
  }
}

}  // namespace forebay::test
