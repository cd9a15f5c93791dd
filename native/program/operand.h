// The buffers of a program, the locations of operands in buffers, and the checks that a view is within its
// buffer.
#pragma once

#include "program/draw.h"
#include "program/items.h"
#include "program/reader.h"
#include "program/window.h"

namespace forebay {

struct Buffer {
  enum class Kind : std::uint8_t { arena, variable, constant, feed, output, kept, draw, window };
  Kind kind;
  std::int64_t bytes;
  const char* data;             // the address of a leaf; null for other buffers while the program is decoded
  std::size_t alignment;        // the size of the largest element of any operand in this buffer
  bool touched;                 // true if instruction writeStart or a later one has an operand in this buffer
  bool owned = false;           // for the kind output: true if an output has this buffer
  DType type = DType::float32;  // for the kind draw: the dtype of the elements
  Draw draw = {};               // for the kind draw
  bool once = false;            // true if an instruction that runs once has an operand in this buffer
  bool copied = false;  // true if the dry run (checkFinite in program.h) works on a copy of the buffer
  Window window = {};   // for the kind window
};

const char* nameOf(Buffer::Kind kind);

// The position of the first byte of an operand. It is relative to the buffer, because the address of a feed
// changes in every run.
struct Location {
  std::uint32_t buffer;
  std::int64_t offset;
};

inline char* address(const Location& location, char* const* bases) {
  return bases[location.buffer] + location.offset;
}

// A view that an instruction writes.
struct Result {
  DType type;
  Location location;
  int rank;
  std::int64_t sizes[maxRank], strides[maxRank];
};

// `load` is a read by a group, which can also read a draw.
enum class Access { read, load, write };

// The range of bytes, [first, end), that an operand may access. The range is empty if the operand has no
// elements.
struct Extent {
  const Buffer* buffers;  // of the program
  std::uint32_t buffer;
  std::int64_t first, end;

  // Returns true if two operands of an instruction may have memory in common in an iteration of the loops
  // around it.
  bool overlaps(const Extent& other) const;
  // The same, if the buffer of the other operand has one of these distances from the buffer of this one.
  bool overlapsAt(const Distances::Range& apart, const Extent& other) const {
    return first < other.end + apart.most && other.first + apart.least < end;
  }
};

class Operands {
 public:
  Operands(Reader& reader, Items<Buffer>& buffers) : reader_(reader), buffers_(buffers) {}

  // Call these before the first and after the last of the instructions that run once.
  void onceBegins() { once_ = true; }
  void onceEnds() { once_ = false; }
  bool once() const { return once_; }

  // Call this when the instruction `writeStart` is reached. From then on, instructions may write variables,
  // and writing() returns true.
  void writesBegin() { writing_ = true; }
  bool writing() const { return writing_; }
  // Returns true if the instruction `writeStart` or a later one writes to the arena, which may contain
  // outputs.
  bool arenaWritten() const { return arenaWritten_; }
  // Returns true if an instruction writes to a buffer of kind output.
  bool outputWritten() const { return outputWritten_; }

  // The instructions are numbered in the order in which they are decoded. Those of a loop follow the loop.
  std::size_t takeNumber() { return numbers_++; }
  std::size_t numbers() const { return numbers_; }

  // Call these before the first and after the last instruction of a loop.
  void loopBegins() { ++depth_; }
  void loopEnds() { --depth_; }
  // Returns the number of loops around the instruction that is decoded.
  int depth() const { return depth_; }

  // Reads a location, [buffer, byteOffset]. Checks its alignment and that the buffer allows the access. Every
  // operand of every instruction is located here, so this is the only statement of what instructions access.
  bool locate(const char* operand, std::int64_t index, Access access, DType type, Location& location);

  // Checks that a view that starts at `location` is within its buffer and computes its extent. If the view is
  // written, it must not have an axis with stride 0 and more than one element. Strides are in elements.
  bool view(const char* operand, std::int64_t index, Access access, DType type, const Location& location,
            const std::int64_t* sizes, const std::int64_t* strides, int rank, Extent& extent);

  // Checks that the `count` bytes that start at `location` are within the buffer, and computes their extent.
  bool bytes(const char* operand, std::int64_t index, const Location& location, std::int64_t count,
             Extent& extent);

  // Makes the dry run work on a copy of the buffer of a location, which must be a variable.
  void copyForDryRun(const Location& location) { buffers_[location.buffer].copied = true; }

  const Buffer& buffer(const Location& location) const { return buffers_[location.buffer]; }
  Items<Buffer>& buffers() const { return buffers_; }
  // Returns true if both locations have the same address in all iterations of the loops around the
  // instruction.
  bool sameAddress(const Location& a, const Location& b) const;
  // Returns the draw that is at a location; null if there is memory.
  const Draw* drawAt(const Location& location) const {
    const Buffer& found = buffer(location);
    return found.kind == Buffer::Kind::draw ? &found.draw : nullptr;
  }
  Reader& reader() const { return reader_; }

 private:
  bool checkWindow(const Field& field, std::uint32_t number, std::size_t size) const;

  Reader& reader_;
  Items<Buffer>& buffers_;
  std::size_t numbers_ = 0;
  int depth_ = 0;
  bool once_ = false;
  bool writing_ = false;
  bool arenaWritten_ = false;
  bool outputWritten_ = false;
};

}  // namespace forebay
