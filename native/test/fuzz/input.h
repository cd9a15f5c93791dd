// The input that the fuzzer mutates: a byte that selects how the program is run, and the numbers of its code.
// The encoding is short for small integers, which are the most frequent numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace forebay::test {

struct Input {
  std::uint8_t how = 0;
  std::vector<double> numbers;

  // Decodes an input. Any bytes are valid.
  static Input read(const std::uint8_t* data, std::size_t size);
  // Writes as many numbers as fit, and returns the length in bytes.
  std::size_t write(std::uint8_t* data, std::size_t most) const;
};

// The parts of the code of a program, up to the first invalid count or length.
struct Parts {
  using Numbers = std::vector<double>;
  double version = 1, once = 0;
  std::size_t writeStart = 0;
  std::vector<Numbers> buffers, outputs, instructions;
  Numbers rest;  // all numbers after these parts

  // Returns false if the header is damaged, so that the parts cannot be found.
  static bool read(const Numbers& code, Parts& parts);
  Numbers join() const;
};

// Estimates the work of an instruction: about the number of elements or multiply-adds. The instruction must
// belong to a program that was accepted.
double workOf(const Parts::Numbers& instruction);

}  // namespace forebay::test
