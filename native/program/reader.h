// A program's code as it is read: one number after another, each read once and checked as it is read.
// A message says which instruction, which of its operands and which field it is about.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/fault.h"
#include "kernels/geometry.h"

namespace forebay {

// What a number is: {"load", 2, "the buffer"}; an index of -1 means that there is only one.
struct Field {
  const char* operand;
  std::int64_t index;
  const char* name;
};

class Reader {
 public:
  Reader(const double* numbers, std::size_t count, Fault& fault)
      : numbers_(numbers), end_(count), count_(count), fault_(fault) {}

  // From here on messages are about this instruction, and numbers end where it does.
  void enter(std::int64_t instruction, const char* opcode, std::size_t end);
  void leave() {
    end_ = count_;
    instruction_ = -1;
  }
  // The segment of the instruction; -1 for none.
  void segment(std::int64_t index) { segment_ = index; }

  // The next number, between `least` and `limit`.
  bool integer(const Field& field, std::int64_t& value, std::int64_t limit = largestInteger,
               std::int64_t least = 0);
  bool integers(const Field& field, std::int64_t* values, int count, std::int64_t limit = largestInteger);
  bool dtype(const Field& field, DType& type);
  bool flag(const Field& field, bool& value);

  std::size_t position() const { return next_; }
  std::int64_t left() const { return static_cast<std::int64_t>(end_ - next_); }
  bool end();  // true when all numbers were read

  // Both record the message, with the place in front, and return false.
  [[gnu::format(printf, 2, 3)]] bool refuse(const char* format, ...);
  bool outOfMemory(const char* what);

 private:
  struct Place {
    char text[80];
  };
  Place place() const;

  const double* numbers_;
  std::size_t end_, count_;
  std::size_t next_ = 0;
  Fault& fault_;
  std::int64_t instruction_ = -1, segment_ = -1;
  const char* opcode_ = "";
};

// "load 2's buffer", "the output's dtype", for messages.
struct Name {
  char text[64];
  explicit Name(const Field& field);
};

}  // namespace forebay
