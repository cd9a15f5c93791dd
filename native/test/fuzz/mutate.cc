// Changes the inputs of the fuzzer. It usually changes a number or an instruction of a program, so that the
// result is similar to a program that is accepted. Sometimes it changes any byte.
#include <algorithm>

#include "test/fuzz/input.h"
#include "test/program_samples.h"

using namespace forebay::test;

extern "C" {
std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);
[[gnu::visibility("default")]] std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                                                   std::size_t most, unsigned int seed);
[[gnu::visibility("default")]] std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* data,
                                                                     std::size_t size,
                                                                     const std::uint8_t* otherData,
                                                                     std::size_t otherSize, std::uint8_t* out,
                                                                     std::size_t most, unsigned int seed);
}

namespace {

template <class T>
std::size_t someIndex(Generator& generator, const std::vector<T>& list) {
  return static_cast<std::size_t>(between(generator, 0, static_cast<std::int64_t>(list.size()) - 1));
}

void changeNumber(Generator& generator, Parts::Numbers& numbers) {
  if (numbers.empty()) return;
  double& number = numbers[someIndex(generator, numbers)];
  if (between(generator, 0, 2) == 0) {
    number = numbers[someIndex(generator, numbers)];
  } else {
    number = damagedNumber(generator, number);
  }
}

// Inserts an instruction of `other` into a program. Both programs usually have the buffers of the class Space
// (program_samples.h), in the same order. Each buffer of the result has the larger of the two sizes.
void splice(Generator& generator, Parts& parts, const Parts& other) {
  if (other.instructions.empty()) return;
  for (std::size_t i = 0; i < other.buffers.size(); ++i) {
    if (i == parts.buffers.size()) parts.buffers.push_back(other.buffers[i]);
    double& bytes = parts.buffers[i][1];
    bytes = std::max(bytes, other.buffers[i][1]);
  }
  const auto at =
      static_cast<std::size_t>(between(generator, 0, static_cast<std::int64_t>(parts.instructions.size())));
  parts.instructions.insert(parts.instructions.begin() + static_cast<std::ptrdiff_t>(at),
                            other.instructions[someIndex(generator, other.instructions)]);
  if (at <= parts.writeStart) ++parts.writeStart;
}

void changeInstructions(Generator& generator, Parts& parts) {
  auto& list = parts.instructions;
  if (list.empty()) return;
  const std::size_t one = someIndex(generator, list), other = someIndex(generator, list);
  switch (between(generator, 0, 5)) {
    case 0:
      std::swap(list[one], list[other]);
      break;
    case 1:
      list.erase(list.begin() + static_cast<std::ptrdiff_t>(one));
      if (one < parts.writeStart) --parts.writeStart;
      break;
    case 2:
      list.insert(list.begin() + static_cast<std::ptrdiff_t>(one), Parts::Numbers(list[other]));
      if (one <= parts.writeStart) ++parts.writeStart;
      break;
    case 3:
      parts.writeStart = one;
      break;
    case 4:
      parts.once = static_cast<double>(one);
      break;
    default:
      changeNumber(generator, list[one]);
      break;
  }
}

Parts someParts(Generator& generator) {
  Parts parts;
  Parts::read(someProgram(generator).code(), parts);
  return parts;
}

void change(Generator& generator, Input& input) {
  Parts parts;
  if (input.numbers.empty() || !Parts::read(input.numbers, parts)) {
    input.numbers = someProgram(generator).code();
    return;
  }
  switch (between(generator, 0, 9)) {
    case 0:
      input.how = static_cast<std::uint8_t>(between(generator, 0, 127));
      return;
    case 1:
      splice(generator, parts, someParts(generator));
      break;
    case 2:
    case 3:
      changeInstructions(generator, parts);
      break;
    case 4:
      if (!parts.buffers.empty()) changeNumber(generator, parts.buffers[someIndex(generator, parts.buffers)]);
      break;
    case 5:
      if (!parts.outputs.empty()) changeNumber(generator, parts.outputs[someIndex(generator, parts.outputs)]);
      break;
    default:
      changeNumber(generator, input.numbers);
      return;
  }
  input.numbers = parts.join();
}

}  // namespace

std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most,
                                    unsigned int seed) {
  Generator generator(seed);
  if (between(generator, 0, 19) == 0) return LLVMFuzzerMutate(data, size, most);
  Input input = Input::read(data, size);
  for (std::int64_t changes = between(generator, 1, 3); changes > 0; --changes) change(generator, input);
  return input.write(data, most);
}

std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* data, std::size_t size,
                                      const std::uint8_t* otherData, std::size_t otherSize, std::uint8_t* out,
                                      std::size_t most, unsigned int seed) {
  Generator generator(seed);
  Input input = Input::read(data, size);
  Parts parts, other;
  if (Parts::read(input.numbers, parts) && Parts::read(Input::read(otherData, otherSize).numbers, other)) {
    splice(generator, parts, other);
    input.numbers = parts.join();
  }
  return input.write(out, most);
}
