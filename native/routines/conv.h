// Convolutions of images, their gradients, and the packed form of weights. A convolution of sequences is one
// of images of height 1. All tensors have one floating dtype, which is float32 or float64.
//
// Images are channels-last: x is [batch, height, width, channels], y is [batch, rows, columns, outputs]. The
// weight w is [outputs, channels / groups, kernel height, kernel width]. A view that is read may have any
// strides, except for packed weights, which are dense. It is read fastest if its channels are contiguous.
// Every write is dense.
//
// routine              operands                   integers
// convPack             w -> packed                groups
// convPackGradient     w -> packed                groups, stride of rows, of columns, dilation of rows, of
//                                                 columns
// conv                 x, packed -> y             the window, groups
// convInputGradient    g, packed -> gradient      the window, groups
// convWeightGradient   x, g -> gradient           the window, groups
//
// The window has ten integers, in the order of pooling: the kernel's height and width, the stride of rows and
// of columns, the dilation of rows and of columns, and the padding at the top, the bottom, the left and the
// right. With it, rows = (height + top + bottom - ((kernel height - 1) dilation + 1)) / stride + 1, rounded
// down, or 0 if the padded image is smaller than the kernel.
//
// g is the gradient of y. The gradient of convInputGradient has the shape of x, and that of
// convWeightGradient the shape of w. conv reads what convPack has packed, convInputGradient what
// convPackGradient has packed with the same groups, strides and dilations.
//
// Padding counts as zeros. Whether these are multiplied is not specified: an infinite weight times padding,
// or an infinite element of g, may give NaN. With three adjacent columns of taps, an infinite element may
// make neighbouring outputs NaN, too (conv_pairs.h).
//
// The packed form has one axis. It depends on the body (kernels/bodies.h), because its panels have the width
// of those of matrix products, panelWidth(dtype). Its number of elements is
//
//   groups k roundUp(n, panelWidth)   convPack: k = kernel height x kernel width x channels / groups, n =
//                                     outputs / groups; convPackGradient: with channels and outputs exchanged
//   kernel height x kernel width x channels    for both, if channels = outputs = groups ("depthwise")
//
// conv and convInputGradient need scratch memory for some rows of images for each thread. convWeightGradient
// also needs shared memory of the size of a packed weight. Every result has the same bits for every number of
// threads.
//
// conv_blocks.h says how the work is divided, and conv_depthwise.h how that of depthwise convolutions. `npm
// run bench:conv` measures it.
#pragma once

#include "kernels/gemm.h"
#include "routines/support.h"

namespace forebay {

// The sizes of a convolution along one axis of images.
struct ConvAxis {
  std::int64_t length, count;  // of x and of y
  std::int64_t size, stride, dilation, before, after;
};

struct ConvShape {
  DType type;
  std::int64_t batch, channels, outputs, groups;
  ConvAxis rows, columns;

  std::int64_t groupChannels() const { return channels / groups; }
  std::int64_t groupOutputs() const { return outputs / groups; }
  std::int64_t taps() const { return rows.size * columns.size; }
  bool isDepthwise() const { return groups == channels && groups == outputs; }
};

// The operands of a call that have the shapes of x and y.
struct ConvImages {
  int x, y;
};

// Returns the shape of a call whose ranks and integers have been checked.
ConvShape convShapeOf(const RoutineCall& call, const ConvImages& images);

// The packed form of a weight. A group is a matrix with k rows and n columns, which is stored in panels of
// `width` columns. Its rows are the taps, and for each tap the channels (convPack) or the outputs
// (convPackGradient).
//
// The taps of a gradient are in classes, because the elements of the gradient that lie at a multiple of the
// stride from each other have the same taps. The class of tap t along an axis is t dilation mod stride. The
// classes are stored one after another in ascending order, first by the class of the row, and each in panels
// of its own. In a class, the taps are in descending order, so that their elements of g are in ascending
// order.
struct ConvPacking {
  bool gradient, depthwise;
  std::int64_t groups, depth, n, width;  // depth: the number of rows for each tap
  // The taps along an axis.
  struct Taps {
    std::int64_t size, stride, dilation;  // stride 1 if the packed form is not for a gradient

    std::int64_t classOf(std::int64_t tap) const { return tap * dilation % stride; }
    // The number of taps that are in classes below `of`, and in this class.
    std::int64_t below(std::int64_t of) const;
    std::int64_t in(std::int64_t of) const;
    // The taps of the class of `tap` that are above it.
    std::int64_t above(std::int64_t tap) const;
  } rows, columns;

  std::int64_t paddedColumns() const { return (n + width - 1) / width * width; }
  // Returns false if the number of elements is above 2^53.
  bool elements(std::int64_t& count) const;
  // The index of the element of the taps `row` and `column`, of channel or output `inner` of the group, in
  // column `j` of the group.
  std::int64_t at(std::int64_t group, std::int64_t row, std::int64_t column, std::int64_t inner,
                  std::int64_t j) const;
};

ConvPacking packingOf(const ConvShape& shape, bool gradient);

// Each of these functions records a fault and returns false if the check fails.
bool checkConvWindow(const RoutineCall& call, Fault& fault);
bool checkConvGroups(std::int64_t groups, Fault& fault);
// Checks the shapes of x and y against each other and against the integers.
bool checkConvImages(const RoutineCall& call, const Checked& x, const Checked& y, Fault& fault);
bool checkPackedSize(const RoutineCall& call, int operand, const ConvPacking& packing, Fault& fault);

}  // namespace forebay
