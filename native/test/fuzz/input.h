// What the fuzzer mutates: a byte that says how the program is run, and the numbers of its code. Kept in
// bytes so that small integers, which nearly all numbers are, take few.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace forebay::test {

struct Input {
  std::uint8_t how = 0;
  std::vector<double> numbers;

  // Any bytes are an input.
  static Input read(const std::uint8_t* data, std::size_t size);
  // As many numbers as fit; the length.
  std::size_t write(std::uint8_t* data, std::size_t most) const;
};

// A code taken apart, as far as its own counts and lengths allow.
struct Parts {
  using Numbers = std::vector<double>;
  double version = 1, reserved = 0;
  std::size_t writeStart = 0;
  std::vector<Numbers> buffers, outputs, instructions;
  Numbers rest;  // what no count accounts for

  // False where the header is damaged so that nothing can be told.
  static bool read(const Numbers& code, Parts& parts);
  Numbers join() const;
};

// How many elements a run of the instruction touches, about. Only for one that was accepted.
double workOf(const Parts::Numbers& instruction);

}  // namespace forebay::test
