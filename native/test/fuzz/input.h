// The input that the fuzzer mutates: a byte that selects how the program is run, and the numbers of its code.
// Numbers are encoded in bytes, so that small integers, which are the most frequent, take little space.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace forebay::test {

struct Input {
  std::uint8_t how = 0;
  std::vector<double> numbers;

  // Accepts any bytes.
  static Input read(const std::uint8_t* data, std::size_t size);
  // Writes as many numbers as fit, and returns the length in bytes.
  std::size_t write(std::uint8_t* data, std::size_t most) const;
};

// The parts of a code, as far as its counts and lengths are valid.
struct Parts {
  using Numbers = std::vector<double>;
  double version = 1, reserved = 0;
  std::size_t writeStart = 0;
  std::vector<Numbers> buffers, outputs, instructions;
  Numbers rest;  // the numbers that belong to no other part

  // False if the header is damaged and the parts cannot be found.
  static bool read(const Numbers& code, Parts& parts);
  Numbers join() const;
};

// The approximate number of elements that a run of the instruction touches. Only for an accepted instruction.
double workOf(const Parts::Numbers& instruction);

}  // namespace forebay::test
