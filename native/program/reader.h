// Reads the code of a program, one number after another. Each number is read once, and is checked when it is
// read. Error messages name the instruction, the operand and the field.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/fault.h"
#include "kernels/geometry.h"

namespace forebay {

// The parts of the name of a number, for example {"load", 2, "the buffer"}. The index is -1 if there is only
// one such operand.
struct Field {
  const char* operand;
  std::int64_t index;
  const char* name;
};

class Reader {
 public:
  // `what` is the name of the code for error messages.
  Reader(const double* numbers, std::size_t count, Fault& fault, const char* what = "program")
      : numbers_(numbers), fault_(fault), what_(what), frame_{-1, -1, "", count} {}

  // Enters an instruction. From now on, error messages name the instruction, and reading stops at its end.
  void enter(std::int64_t instruction, const char* opcode, std::size_t end) {
    frame_ = {instruction, -1, opcode, end};
  }
  // What is being read. An instruction may be within another one.
  struct Frame {
    std::int64_t instruction, segment;  // -1 if there is none
    const char* opcode;
    std::size_t end;
  };
  const Frame& frame() const { return frame_; }
  // Leaves the instruction. `outer` is the frame before enter().
  void leave(const Frame& outer) { frame_ = outer; }
  // Sets the segment that error messages name. -1 means no segment.
  void segment(std::int64_t index) { frame_.segment = index; }

  // Reads the next number, which must be an integer from `least` to `limit`.
  bool integer(const Field& field, std::int64_t& value, std::int64_t limit = largestInteger,
               std::int64_t least = 0);
  bool integers(const Field& field, std::int64_t* values, int count, std::int64_t limit = largestInteger);
  // Reads the next number, which may be negative.
  bool signedInteger(const Field& field, std::int64_t& value);
  // Reads the next `count` numbers, which are strides and may be negative.
  bool strides(const char* operand, std::int64_t index, std::int64_t* values, int count);
  bool dtype(const Field& field, DType& type);
  // Reads a dtype or the type of a mask, which only registers hold.
  bool laneType(const Field& field, DType& type);
  bool flag(const Field& field, bool& value);

  std::size_t position() const { return next_; }
  std::int64_t left() const { return static_cast<std::int64_t>(frame_.end - next_); }
  bool end();  // returns true if all numbers of the instruction (or of the code) have been read

  // These two functions return false. They record the message, after a prefix with the instruction and the
  // segment.
  [[gnu::format(printf, 2, 3)]] bool refuse(const char* format, ...);
  bool outOfMemory(const char* what);

 private:
  struct Prefix {
    char text[80];
  };
  Prefix prefix() const;

  const double* numbers_;
  std::size_t next_ = 0;
  Fault& fault_;
  const char* const what_;
  Frame frame_;
};

// The text of the name of a field for error messages, such as "the buffer of load 2" or "the dtype of the
// output".
struct Name {
  char text[64];
  explicit Name(const Field& field);
};

}  // namespace forebay
