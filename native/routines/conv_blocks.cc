#include "routines/conv_blocks.h"

#include <numeric>

namespace forebay {

namespace {

// The bytes of the source of a block. They stay in the L2 cache together with a block of weights.
constexpr std::int64_t blockBytes = std::int64_t(192) << 10;
// A depthwise convolution reads each element of the source once, and computes a few rows at a time.
constexpr std::int64_t depthwiseBytes = std::int64_t(512) << 10, depthwiseRows = 7;
// Blocks of more bytes are not copied.
constexpr std::int64_t mostBlockBytes = std::int64_t(8) << 20;
// With pixels at a multiple of this distance, the pixels of a tile are in few sets of the caches.
constexpr std::int64_t conflicting = 512;
constexpr std::int64_t line = 64;

PassAxis forwardAxis(const ConvAxis& axis) {
  return {axis.length, axis.count, axis.stride, axis.size, -axis.before, axis.dilation, 0, 1, 0, 1};
}

// The taps of a class along an axis are at this distance from each other.
std::int64_t periodOf(const ConvAxis& axis) { return axis.stride / std::gcd(axis.stride, axis.dilation); }

PassAxis gradientAxis(const ConvAxis& axis, std::int64_t position) {
  PassAxis pass = {};
  pass.source = axis.count;
  pass.outputs = position < axis.length ? (axis.length - position - 1) / axis.stride + 1 : 0;
  pass.step = 1;
  pass.outFirst = position;
  pass.outStep = axis.stride;
  const std::int64_t period = periodOf(axis);
  pass.pitch = axis.dilation / std::gcd(axis.stride, axis.dilation);
  pass.tapStep = -period;
  // The first tap of the class is below the period, if there is one.
  const std::int64_t of = (position + axis.before) % axis.stride;
  for (std::int64_t tap = 0; tap < std::min(period, axis.size); ++tap) {
    if (tap * axis.dilation % axis.stride != of) continue;
    pass.taps = (axis.size - 1 - tap) / period + 1;
    pass.tap = tap + (pass.taps - 1) * period;
    pass.first = (position + axis.before - pass.tap * axis.dilation) / axis.stride;
  }
  return pass;
}

}  // namespace

ConvPass forwardPass(const ConvShape& shape) { return {forwardAxis(shape.rows), forwardAxis(shape.columns)}; }

std::int64_t gradientPasses(const ConvAxis& axis) { return std::min(axis.stride, axis.length); }

ConvPass gradientPass(const ConvShape& shape, std::int64_t down, std::int64_t across) {
  return {gradientAxis(shape.rows, down), gradientAxis(shape.columns, across)};
}

ConvPass largestGradientPass(const ConvShape& shape) {
  ConvPass pass = gradientPass(shape, 0, 0);
  const auto enlarge = [](PassAxis& largest, const ConvAxis& axis) {
    const std::int64_t period = periodOf(axis);
    largest.taps = (axis.size - 1) / period + 1;
  };
  enlarge(pass.rows, shape.rows);
  enlarge(pass.columns, shape.columns);
  return pass;
}

std::int64_t pixelOf(std::int64_t channels, DType type) {
  const auto size = static_cast<std::int64_t>(sizeOf(type));
  return channels * size % conflicting == 0 ? channels + line / size : channels;
}

ConvBlocks blocksOf(const ConvPass& pass, std::int64_t pixel, DType type, bool depthwise) {
  ConvBlocks blocks = {};
  const auto most = static_cast<double>(depthwise ? depthwiseBytes : blockBytes);
  const auto size = static_cast<std::int64_t>(sizeOf(type));
  blocks.pixel = pixel;
  const std::int64_t tileRows = gemmOf(type).tileRows;
  const PassAxis &rows = pass.rows, &columns = pass.columns;
  // The numbers may be large, and are compared as double.
  const auto bytes = [&](std::int64_t down, std::int64_t across) {
    return static_cast<double>(rows.extent(down)) * static_cast<double>(columns.extent(across)) *
           static_cast<double>(blocks.pixel * size);
  };
  // Returns the largest count for which a block fits.
  const auto largest = [&](std::int64_t count, std::int64_t least, const auto& bytesOf) {
    if (count <= least || bytesOf(count) <= most) return count;
    std::int64_t fits = least, above = count;
    while (above - fits > 1) {
      const std::int64_t middle = fits + (above - fits) / 2;
      (bytesOf(middle) <= most ? fits : above) = middle;
    }
    return evenly(count, fits);
  };
  blocks.columns = largest(columns.outputs, tileRows, [&](std::int64_t count) { return bytes(1, count); });
  blocks.rows = largest(rows.outputs, 1, [&](std::int64_t count) { return bytes(count, blocks.columns); });
  if (depthwise && blocks.rows < rows.outputs) blocks.rows = roundedUp(blocks.rows, depthwiseRows);
  blocks.down = (rows.outputs + blocks.rows - 1) / blocks.rows;
  blocks.across = (columns.outputs + blocks.columns - 1) / blocks.columns;
  blocks.tooLarge = bytes(blocks.rows, blocks.columns) > static_cast<double>(mostBlockBytes);
  if (blocks.tooLarge) return blocks;
  blocks.elements =
      roundedUp(rows.extent(blocks.rows) * columns.extent(blocks.columns) * blocks.pixel, line / size);
  return blocks;
}

ConvBlock blockAt(const ConvPass& pass, const ConvBlocks& blocks, std::int64_t number) {
  const std::int64_t inImage = number % blocks.inImage();
  ConvBlock block = {number / blocks.inImage(), inImage / blocks.across * blocks.rows,
                     inImage % blocks.across * blocks.columns, 0, 0};
  block.rows = std::clamp<std::int64_t>(pass.rows.outputs - block.row, 0, blocks.rows);
  block.columns = std::clamp<std::int64_t>(pass.columns.outputs - block.column, 0, blocks.columns);
  return block;
}

std::int64_t runsOf(const ConvPass& pass, std::int64_t row, std::int64_t pixel, std::int64_t depth,
                    std::int64_t width, ConvRun* runs) {
  std::int64_t count = 0, b = 0;
  for (std::int64_t i = 0; i < pass.rows.taps; ++i) {
    for (std::int64_t j = 0; j < pass.columns.taps; ++j, b += depth * width) {
      const std::int64_t a = i * pass.rows.pitch * row + j * pass.columns.pitch * pixel;
      if (count > 0 && runs[count - 1].a + runs[count - 1].length == a) {
        runs[count - 1].length += depth;
      } else {
        runs[count++] = {a, b, depth};
      }
    }
  }
  return count;
}

}  // namespace forebay
