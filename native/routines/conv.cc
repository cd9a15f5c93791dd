// The checks of convolutions, and the layout of packed weights.
#include "routines/conv.h"

#include <algorithm>

#include "kernels/geometry.h"

namespace forebay {

namespace {

constexpr long long shown(std::int64_t number) { return number; }

}  // namespace

std::int64_t ConvPacking::Taps::below(std::int64_t of) const {
  std::int64_t count = 0;
  for (std::int64_t tap = 0; tap < size; ++tap) count += classOf(tap) < of;
  return count;
}

std::int64_t ConvPacking::Taps::in(std::int64_t of) const {
  std::int64_t count = 0;
  for (std::int64_t tap = 0; tap < size; ++tap) count += classOf(tap) == of;
  return count;
}

std::int64_t ConvPacking::Taps::above(std::int64_t tap) const {
  std::int64_t count = 0;
  for (std::int64_t other = tap + 1; other < size; ++other) count += classOf(other) == classOf(tap);
  return count;
}

bool ConvPacking::elements(std::int64_t& count) const {
  count = groups;
  const std::int64_t factors[] = {rows.size, columns.size, depth, depthwise ? n : paddedColumns()};
  for (const std::int64_t factor : factors) {
    if (factor == 0) {
      count = 0;
      return true;
    }
  }
  for (const std::int64_t factor : factors) {
    if (__builtin_mul_overflow(count, factor, &count) || count > largestInteger) return false;
  }
  return true;
}

std::int64_t ConvPacking::at(std::int64_t group, std::int64_t row, std::int64_t column, std::int64_t inner,
                             std::int64_t j) const {
  if (depthwise) return (row * columns.size + column) * groups + group;
  std::int64_t tapsBefore = 0, tapsOfClass = rows.size * columns.size, tap = row * columns.size + column;
  if (gradient) {
    const std::int64_t classOfRow = rows.classOf(row), classOfColumn = columns.classOf(column);
    const std::int64_t down = rows.in(classOfRow), across = columns.in(classOfColumn);
    tapsBefore = rows.below(classOfRow) * columns.size + down * columns.below(classOfColumn);
    tapsOfClass = down * across;
    tap = rows.above(row) * across + columns.above(column);
  }
  const std::int64_t all = rows.size * columns.size;
  return (group * all + tapsBefore) * depth * paddedColumns() + j / width * tapsOfClass * depth * width +
         (tap * depth + inner) * width + j % width;
}

ConvPacking packingOf(const ConvShape& shape, bool gradient) {
  ConvPacking packing = {};
  packing.gradient = gradient;
  packing.depthwise = shape.isDepthwise();
  packing.groups = shape.groups;
  packing.depth = gradient ? shape.groupOutputs() : shape.groupChannels();
  packing.n = gradient ? shape.groupChannels() : shape.groupOutputs();
  packing.width = panelWidth(shape.type);
  packing.rows = {shape.rows.size, gradient ? shape.rows.stride : 1, gradient ? shape.rows.dilation : 1};
  packing.columns = {shape.columns.size, gradient ? shape.columns.stride : 1,
                     gradient ? shape.columns.dilation : 1};
  return packing;
}

ConvShape convShapeOf(const RoutineCall& call, const ConvImages& images) {
  const RoutineView &x = call.operands[images.x], &y = call.operands[images.y];
  const std::int64_t* const n = call.integers;
  ConvShape shape = {};
  shape.type = x.type;
  shape.batch = x.sizes[0];
  shape.channels = x.sizes[3];
  shape.outputs = y.sizes[3];
  shape.groups = n[windowIntegers];
  ConvAxis* const axes[] = {&shape.rows, &shape.columns};
  for (int d = 0; d < 2; ++d) {
    *axes[d] = {x.sizes[1 + d], y.sizes[1 + d], n[d], n[2 + d], n[4 + d], n[6 + 2 * d], n[7 + 2 * d]};
  }
  return shape;
}

bool checkConvWindow(const RoutineCall& call, Fault& fault) {
  if (!checkWindow(call, "the height of the kernel", "the width of the kernel", fault)) return false;
  return checkConvGroups(call.integers[windowIntegers], fault);
}

bool checkConvGroups(std::int64_t groups, Fault& fault) {
  return (groups >= 1 && groups <= mostInt32) ||
         fault.argument("the number of groups is %lld, expected an integer from 1 to 2^31 - 1",
                        shown(groups));
}

bool checkConvImages(const RoutineCall& call, const Checked& x, const Checked& y, Fault& fault) {
  if (!hasRank(call, x, 4, fault) || !hasRank(call, y, 4, fault) || !sameSize(call, y, 0, x, 0, fault) ||
      !hasType(call, y, call.operands[x.operand].type, fault)) {
    return false;
  }
  for (int axis = 0; axis < 4; ++axis) {
    if (!countable(call, x, axis, fault) || !countable(call, y, axis, fault)) return false;
  }
  const ConvShape shape = convShapeOf(call, {x.operand, y.operand});
  const struct {
    const char* name;
    std::int64_t size;
  } divided[] = {{x.name, shape.channels}, {y.name, shape.outputs}};
  for (const auto& [name, size] : divided) {
    if (size % shape.groups == 0) continue;
    return fault.argument("axis 3 of %s has %lld elements, expected a multiple of the %lld groups", name,
                          shown(size), shown(shape.groups));
  }
  int number = 1;
  for (const ConvAxis* const axis : {&shape.rows, &shape.columns}) {
    const std::int64_t padded = axis->length + axis->before + axis->after;
    const std::int64_t extent = (axis->size - 1) * axis->dilation + 1;
    const std::int64_t count = padded < extent ? 0 : (padded - extent) / axis->stride + 1;
    if (axis->count != count) {
      return fault.argument("axis %d of %s has %lld elements, expected %lld", number, y.name,
                            shown(axis->count), shown(count));
    }
    ++number;
  }
  return true;
}

bool checkPackedSize(const RoutineCall& call, int operand, const ConvPacking& packing, Fault& fault) {
  const Checked packed = {"packed", operand};
  if (!hasRank(call, packed, 1, fault) || !hasType(call, packed, call.operands[0].type, fault)) return false;
  std::int64_t elements = 0;
  if (!packing.elements(elements)) return fault.argument("packed needs more than 2^53 elements");
  const RoutineView& view = call.operands[operand];
  if (view.sizes[0] != elements) {
    return fault.argument("packed has %lld elements, expected %lld", shown(view.sizes[0]), shown(elements));
  }
  return elements <= 1 || view.strides[0] == 1 ||
         fault.argument("the stride of packed is %lld, expected 1", shown(view.strides[0]));
}

}  // namespace forebay
