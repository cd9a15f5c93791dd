// Reads a program's code, one number after another. Each number is read once and checked when it is read. An
// error message names the instruction, the operand and the field.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/fault.h"
#include "kernels/geometry.h"

namespace forebay {

// The name of a number: {"load", 2, "the buffer"}. The index is -1 if there is only one such operand.
struct Field {
  const char* operand;
  std::int64_t index;
  const char* name;
};

class Reader {
 public:
  Reader(const double* numbers, std::size_t count, Fault& fault)
      : numbers_(numbers), end_(count), count_(count), fault_(fault) {}

  // Enters an instruction: error messages name it, and reading stops at its end.
  void enter(std::int64_t instruction, const char* opcode, std::size_t end);
  void leave() {
    end_ = count_;
    instruction_ = -1;
  }
  // Sets the segment of the instruction for error messages. -1: no segment.
  void segment(std::int64_t index) { segment_ = index; }

  // Reads the next number, which must be an integer from `least` to `limit`.
  bool integer(const Field& field, std::int64_t& value, std::int64_t limit = largestInteger,
               std::int64_t least = 0);
  bool integers(const Field& field, std::int64_t* values, int count, std::int64_t limit = largestInteger);
  bool dtype(const Field& field, DType& type);
  bool flag(const Field& field, bool& value);

  std::size_t position() const { return next_; }
  std::int64_t left() const { return static_cast<std::int64_t>(end_ - next_); }
  bool end();  // true if all numbers have been read

  // Both record the message, after a prefix with the instruction and segment, and return false.
  [[gnu::format(printf, 2, 3)]] bool refuse(const char* format, ...);
  bool outOfMemory(const char* what);

 private:
  struct Prefix {
    char text[80];
  };
  Prefix prefix() const;

  const double* numbers_;
  std::size_t end_, count_;
  std::size_t next_ = 0;
  Fault& fault_;
  std::int64_t instruction_ = -1, segment_ = -1;
  const char* opcode_ = "";
};

// "the buffer of load 2", "the dtype of the output": the name of a field for error messages.
struct Name {
  char text[64];
  explicit Name(const Field& field);
};

}  // namespace forebay
