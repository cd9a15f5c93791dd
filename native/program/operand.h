// Where operands lie: the program's buffers, and the checks that a view of one stays inside of it.
#pragma once

#include "program/items.h"
#include "program/reader.h"

namespace forebay {

struct Buffer {
  enum class Kind : std::uint8_t { arena, variable, constant, feed };
  Kind kind;
  std::int64_t bytes;
  const char* data;       // of a leaf; else null while the program is decoded
  std::size_t alignment;  // of the widest element that an operand has read from it
};

const char* nameOf(Buffer::Kind kind);

// The first byte of an operand, relative to its buffer: feeds lie elsewhere in every run.
struct Place {
  std::uint32_t buffer;
  std::int64_t offset;
};

inline char* address(const Place& place, char* const* bases) { return bases[place.buffer] + place.offset; }

enum class Access { read, write };

// The bytes [first, end) that an operand may touch; empty where it touches none.
struct Extent {
  std::uint32_t buffer;
  std::int64_t first, end;

  bool meets(const Extent& other) const {
    return buffer == other.buffer && first < other.end && other.first < end;
  }
};

class Operands {
 public:
  Operands(Reader& reader, Items<Buffer>& buffers) : reader_(reader), buffers_(buffers) {}

  // Whether the instructions that are read now may write variables.
  void writesBegin() { writing_ = true; }
  bool writing() const { return writing_; }
  // Whether one of those writes to the arena, where outputs may lie.
  bool arenaWritten() const { return arenaWritten_; }

  // [buffer, byteOffset]: whether an operand of that access may be there at all.
  bool place(const char* operand, std::int64_t index, Access access, DType type, Place& place);

  // Whether a view that starts at `place` is inside the buffer, in elements; and, if it is written, that no
  // stride makes two elements one.
  bool view(const char* operand, std::int64_t index, Access access, DType type, const Place& place,
            const std::int64_t* sizes, const std::int64_t* strides, int rank, Extent& extent);

  // A block of bytes.
  bool bytes(const char* operand, std::int64_t index, const Place& place, std::int64_t count, Extent& extent);

  const Buffer& buffer(const Place& place) const { return buffers_[place.buffer]; }
  Reader& reader() const { return reader_; }

 private:
  Reader& reader_;
  Items<Buffer>& buffers_;
  bool writing_ = false;
  bool arenaWritten_ = false;
};

}  // namespace forebay
