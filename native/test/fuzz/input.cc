#include "test/fuzz/input.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "routines/routine.h"

namespace forebay::test {

namespace {

// The encoding of numbers. An integer below 224 is one byte. The byte 224 + n is followed by an integer of n
// + 1 bytes, little-endian. The byte 255 is followed by a double.
constexpr std::uint8_t firstLong = 224, wholeDouble = 255;
constexpr std::size_t mostBytes = 6;

double product(const Parts::Numbers& numbers, std::size_t from, std::size_t count) {
  double all = 1;
  for (std::size_t i = from; i < from + count && i < numbers.size(); ++i) all *= numbers[i];
  return all;
}

// Estimates the work of a routine: the elements of all operands, times the elements of a window, if there are
// windows.
double workOfRoutine(const Parts::Numbers& instruction) {
  if (instruction.size() < 3 || instruction[2] >= static_cast<double>(routineCount)) return 0;
  const RoutineRow& row = *routines[static_cast<std::int64_t>(instruction[2])];
  std::size_t position = 3 + static_cast<std::size_t>(row.operands());
  double elements = 0;
  for (int i = 0; i < row.operands() && position < instruction.size(); ++i) {
    const auto rank = static_cast<std::size_t>(instruction[position]);
    elements += product(instruction, position + 1, rank);
    position += 3 + 2 * rank;
  }
  const bool windows = row.integers >= 10 && position + 1 < instruction.size();
  return elements * (windows ? instruction[position] * instruction[position + 1] : 1);
}

}  // namespace

Input Input::read(const std::uint8_t* data, std::size_t size) {
  Input input;
  if (size == 0) return input;
  input.how = data[0];
  for (std::size_t at = 1; at < size;) {
    const std::uint8_t lead = data[at++];
    if (lead < firstLong) {
      input.numbers.push_back(lead);
    } else if (lead < firstLong + mostBytes) {
      std::uint64_t whole = 0;
      for (int shift = 0; shift <= 8 * (lead - firstLong) && at < size; shift += 8) {
        whole |= static_cast<std::uint64_t>(data[at++]) << shift;
      }
      input.numbers.push_back(static_cast<double>(whole));
    } else {
      double number = 0;
      const std::size_t bytes = std::min(sizeof number, size - at);
      std::memcpy(&number, data + at, bytes);
      at += bytes;
      input.numbers.push_back(number);
    }
  }
  return input;
}

std::size_t Input::write(std::uint8_t* data, std::size_t most) const {
  if (most == 0) return 0;
  std::size_t at = 0;
  data[at++] = how;
  for (const double number : numbers) {
    if (at + 1 + sizeof number > most) break;
    const bool whole = number >= 0 && number < std::ldexp(1, 8 * mostBytes) && number == std::floor(number);
    if (!whole || std::signbit(number)) {
      data[at++] = wholeDouble;
      std::memcpy(data + at, &number, sizeof number);
      at += sizeof number;
      continue;
    }
    auto left = static_cast<std::uint64_t>(number);
    if (left < firstLong) {
      data[at++] = static_cast<std::uint8_t>(left);
      continue;
    }
    const std::size_t lead = at++;
    for (; left > 0; left >>= 8) data[at++] = static_cast<std::uint8_t>(left & 0xff);
    data[lead] = static_cast<std::uint8_t>(firstLong + (at - lead - 2));
  }
  return at;
}

bool Parts::read(const Numbers& code, Parts& parts) {
  constexpr std::size_t header = 6;
  if (code.size() < header) return false;
  for (std::size_t i = 1; i < 5; ++i) {
    if (!(code[i] >= 0 && code[i] < 1000)) return false;
  }
  parts.version = code[0];
  parts.writeStart = static_cast<std::size_t>(code[3]);
  parts.once = code[5];
  std::size_t at = header;
  const auto take = [&](std::vector<Numbers>& list, double length) {
    const auto left = static_cast<double>(code.size() - at);
    if (!(length >= 0 && length <= left)) return false;
    const auto first = code.begin() + static_cast<std::ptrdiff_t>(at);
    list.emplace_back(first, first + static_cast<std::ptrdiff_t>(length));
    at += static_cast<std::size_t>(length);
    return true;
  };
  bool whole = true;
  for (double i = 0; i < code[1] && whole; ++i) {
    const bool isDraw = at < code.size() && code[at] == 6;
    whole = take(parts.buffers, isDraw ? 5 : 2);
  }
  for (double i = 0; i < code[4] && whole; ++i) whole = take(parts.outputs, 4);
  for (double i = 0; i < code[2] && whole; ++i) {
    whole = at + 2 <= code.size() && code[at + 1] >= 2 && take(parts.instructions, std::floor(code[at + 1]));
  }
  parts.rest.assign(code.begin() + static_cast<std::ptrdiff_t>(at), code.end());
  return true;
}

Parts::Numbers Parts::join() const {
  const auto count = [](const auto& list) { return static_cast<double>(list.size()); };
  Numbers code = {
      version, count(buffers), count(instructions), static_cast<double>(writeStart), count(outputs), once};
  for (const auto* list : {&buffers, &outputs, &instructions}) {
    for (const Numbers& numbers : *list) code.insert(code.end(), numbers.begin(), numbers.end());
  }
  code.insert(code.end(), rest.begin(), rest.end());
  return code;
}

namespace {

// The work of a loop: that of its windows in each iteration, and that of the executions of its body.
double workOfLoop(const Parts::Numbers& instruction) {
  const auto at = [&](std::size_t i) { return i < instruction.size() ? instruction[i] : 0; };
  const double count = at(2), windows = at(3);
  std::size_t next = 4 + 5 * static_cast<std::size_t>(windows);
  const double parts = at(next++);
  double work = count * (1 + windows + parts);
  for (double i = 0; i < parts && next + 4 <= instruction.size(); ++i) {
    const auto length = static_cast<std::size_t>(instruction[next + 3]);
    const auto first = instruction.begin() + static_cast<std::ptrdiff_t>(next + 2);
    const double executions = instruction[next + 1] - instruction[next];
    if (executions > 0) {
      work += executions * (1 + workOf({first, first + static_cast<std::ptrdiff_t>(length)}));
    }
    next += 2 + length;
  }
  return work;
}

}  // namespace

// Reads the numbers at the positions that program/code.h defines for each opcode.
double workOf(const Parts::Numbers& instruction) {
  const auto at = [&](std::size_t i) { return i < instruction.size() ? instruction[i] : 0; };
  const auto index = [&](std::size_t i) { return static_cast<std::size_t>(at(i)); };
  switch (index(0)) {
    case 1: {
      const std::size_t rank = index(3), loads = index(5), steps = index(6), stores = index(7),
                        closes = index(8);
      const std::size_t segment = rank + (loads + stores) * (2 + rank) + closes * 2;
      std::size_t first = 9 + 2 * (loads + stores + closes) + 6 * steps;
      double elements = 0;
      for (double s = 0; s < at(2); ++s, first += segment) elements += 1 + product(instruction, first, rank);
      return elements * static_cast<double>(1 + loads + steps + stores + closes);
    }
    case 3:
      return at(3) * at(4) * (1 + at(7));
    case 5:
      return product(instruction, 6, index(4) + index(5));
    case 6:
      return product(instruction, 5, index(4) + 3);
    case 7:
      return at(5);
    case 8:
      return product(instruction, 4, index(3));
    case 9:
      return workOfRoutine(instruction);
    case 10: {
      const std::size_t rank = index(3), loads = index(4), steps = index(5), stores = index(6),
                        closes = index(7);
      const std::size_t segment = rank + 1 + (loads + stores) * (3 + rank) + closes * 3;
      std::size_t first = 8 + 2 * (loads + stores) + 3 * closes + 5 * steps;
      double elements = 0;
      for (double s = 0; s < at(2); ++s, first += segment)
        elements += 1 + product(instruction, first, rank + 1);
      return elements * static_cast<double>(1 + loads + steps + stores + closes);
    }
    case 11:
      return workOfLoop(instruction);
    default:
      return at(3) * at(4) * at(5);
  }
}

}  // namespace forebay::test
