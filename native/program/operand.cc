#include "program/operand.h"

#include <algorithm>

namespace forebay {

namespace {

constexpr long long shown(std::int64_t number) { return number; }

}  // namespace

const char* nameOf(Buffer::Kind kind) {
  return kind == Buffer::Kind::arena      ? "the arena"
         : kind == Buffer::Kind::variable ? "a variable"
         : kind == Buffer::Kind::constant ? "a constant"
         : kind == Buffer::Kind::feed     ? "a feed"
         : kind == Buffer::Kind::output   ? "an output"
         : kind == Buffer::Kind::draw     ? "a draw"
         : kind == Buffer::Kind::window   ? "a window"
                                          : "kept values";
}

bool Extent::overlaps(const Extent& other) const {
  const Distances distances(buffers, buffer, other.buffer);
  return std::any_of(distances.begin(), distances.end(),
                     [&](const Distances::Range& apart) { return overlapsAt(apart, other); });
}

bool Operands::sameAddress(const Location& a, const Location& b) const {
  if (a.buffer == b.buffer) return a.offset == b.offset;
  return Distances(buffers_.data(), a.buffer, b.buffer).always(a.offset - b.offset);
}

// Checks that elements of `size` bytes are aligned in a window, and that the instruction is within its loop.
bool Operands::checkWindow(const Field& field, std::uint32_t number, std::size_t size) const {
  const Window& window = buffers_[number].window;
  if (!window.open) {
    return reader_.refuse("%s is a window (buffer %u), which no loop around the instruction defines",
                          Name(field).text, number);
  }
  const auto bytes = static_cast<std::int64_t>(size);
  if (window.offset % bytes != 0 || window.step % bytes != 0) {
    return reader_.refuse(
        "%s is in a window (buffer %u) of offset %lld and step %lld, expected multiples of %zu",
        Name(field).text, number, shown(window.offset), shown(window.step), size);
  }
  return true;
}

bool Operands::locate(const char* operand, std::int64_t index, Access access, DType type,
                      Location& location) {
  std::int64_t number = 0;
  if (!reader_.integer({operand, index, "the buffer"}, number,
                       static_cast<std::int64_t>(buffers_.size()) - 1)) {
    return false;
  }
  location.buffer = static_cast<std::uint32_t>(number);
  if (!reader_.integer({operand, index, "the byte offset"}, location.offset)) return false;

  const auto size = sizeOf(type);
  std::uint32_t root = location.buffer;
  while (buffers_[root].kind == Buffer::Kind::window) {
    if (!checkWindow({operand, index, "the buffer"}, root, size)) return false;
    root = buffers_[root].window.parent;
  }
  Buffer& buffer = buffers_[root];
  if (static_cast<std::size_t>(location.offset) % size != 0) {
    return reader_.refuse("%s is %lld, expected a multiple of %zu for %s",
                          Name({operand, index, "the byte offset"}).text, shown(location.offset), size,
                          nameOf(type));
  }
  if (reinterpret_cast<std::uintptr_t>(buffer.data) % size != 0) {
    return reader_.refuse("%s is %s at an address that is not a multiple of %zu",
                          Name({operand, index, "the buffer"}).text, nameOf(buffer.kind), size);
  }
  buffer.alignment = std::max(buffer.alignment, size);
  buffer.touched = buffer.touched || writing_;
  buffer.once = buffer.once || once_;
  if (once_ && (buffer.kind == Buffer::Kind::feed || buffer.kind == Buffer::Kind::output ||
                buffer.kind == Buffer::Kind::draw)) {
    return reader_.refuse("%s is %s (buffer %lld), which instructions that run once cannot access",
                          Name({operand, index, "the buffer"}).text, nameOf(buffer.kind), shown(number));
  }
  if (buffer.kind == Buffer::Kind::draw && access != Access::write) {
    if (access == Access::read) {
      return reader_.refuse("%s is a draw (buffer %lld), which only groups can load",
                            Name({operand, index, "the buffer"}).text, shown(number));
    }
    if (buffer.type == type) return true;
    return reader_.refuse("%s is a draw of %s, expected %s", Name({operand, index, "the buffer"}).text,
                          nameOf(buffer.type), nameOf(type));
  }
  if (access != Access::write) return true;

  arenaWritten_ = arenaWritten_ || (writing_ && buffer.kind == Buffer::Kind::arena);
  const bool writable =
      buffer.kind == Buffer::Kind::arena || (buffer.kind == Buffer::Kind::variable && writing_) ||
      (buffer.kind == Buffer::Kind::kept && once_) || (buffer.kind == Buffer::Kind::output && !writing_);
  outputWritten_ = outputWritten_ || (writable && buffer.kind == Buffer::Kind::output);
  if (writable) return true;
  return reader_.refuse(
      "%s is %s (buffer %lld), which %s", Name({operand, index, "the buffer"}).text, nameOf(buffer.kind),
      shown(number),
      buffer.kind == Buffer::Kind::variable ? "cannot be written before the start of the writes"
      : buffer.kind == Buffer::Kind::output ? "cannot be written after the start of the writes"
      : buffer.kind == Buffer::Kind::kept   ? "only instructions that run once can write"
                                            : "is never written");
}

bool Operands::view(const char* operand, std::int64_t index, Access access, DType type,
                    const Location& location, const std::int64_t* sizes, const std::int64_t* strides,
                    int rank, Extent& extent) {
  const auto size = static_cast<std::int64_t>(sizeOf(type));
  const std::int64_t available = buffer(location).bytes;
  extent = {buffers_.data(), location.buffer, location.offset, location.offset};
  const bool empty = std::find(sizes, sizes + rank, 0) != sizes + rank;
  Reach reach = {};
  // Both ends are compared in elements, which is exact because the offset is a multiple of `size`.
  const bool fits = empty ? location.offset <= available
                          : reachOf(sizes, strides, rank, reach) && location.offset <= available &&
                                reach.lowest >= -(location.offset / size) &&
                                reach.highest < (available - location.offset) / size;
  if (!fits) {
    return reader_.refuse("%s reaches beyond buffer %lld, which has %lld bytes",
                          Name({operand, index, "the view"}).text, shown(location.buffer), shown(available));
  }
  if (empty) return true;
  extent.first = location.offset + reach.lowest * size;
  extent.end = location.offset + (reach.highest + 1) * size;
  for (int d = 0; d < rank && access == Access::write; ++d) {
    if (sizes[d] > 1 && strides[d] == 0) {
      return reader_.refuse("%s writes one element more than once: axis %d has %lld elements and stride 0",
                            Name({operand, index, "the view"}).text, d, shown(sizes[d]));
    }
  }
  return true;
}

bool Operands::bytes(const char* operand, std::int64_t index, const Location& location, std::int64_t count,
                     Extent& extent) {
  const std::int64_t available = buffer(location).bytes;
  if (location.offset > available || count > available - location.offset) {
    return reader_.refuse("%s reaches beyond buffer %lld, which has %lld bytes",
                          Name({operand, index, "the block"}).text, shown(location.buffer), shown(available));
  }
  extent = {buffers_.data(), location.buffer, location.offset, location.offset + count};
  return true;
}

}  // namespace forebay
