// Programs with one routine.
#pragma once

#include "routines/routine.h"
#include "test/program_support.h"

namespace forebay::test {

inline double idOfRoutine(const char* name) {
  double id = 0;
  while (std::string(routines[static_cast<std::int64_t>(id)]->name) != name) ++id;
  return id;
}

// A dense operand of a routine.
struct Operand {
  double type;
  std::vector<double> sizes;
  std::vector<double> elements = {};

  std::int64_t bytes() const {
    double count = 1;
    for (const double size : sizes) count *= size;
    return static_cast<std::int64_t>(count) * (type == f64 ? 8 : 4);
  }
};

// A program with one routine. The reads are feeds. The writes are in the arena, one after the other, and are
// outputs.
struct RoutineProgram {
  Code code;
  std::vector<double> feeds;

  // `further` are the writes after the first.
  RoutineProgram(const char* name, const std::vector<Operand>& reads, const Operand& write,
                 const Code::Numbers& integers, const std::vector<Operand>& further = {}) {
    std::vector<Operand> writes = {write};
    writes.insert(writes.end(), further.begin(), further.end());
    std::int64_t end = 0;
    for (const Operand& each : writes) end += aligned(each);
    code.buffer(arena, end);
    Code::Numbers types;
    std::vector<Code::Numbers> pieces = {{idOfRoutine(name)}, {}};
    for (const Operand& read : reads) {
      feeds.push_back(code.buffer(feed, read.bytes(), read.type));
      add(pieces, types, read, feeds.back());
    }
    double at = 0;
    for (const Operand& each : writes) {
      add(pieces, types, each, 0, at);
      code.outputs.push_back(
          {each.type, static_cast<double>(each.bytes() / (each.type == f64 ? 8 : 4)), 0, at});
      at += static_cast<double>(aligned(each));
    }
    pieces[1] = types;
    pieces.push_back(integers);
    code.add(routine, pieces);
  }

  static std::int64_t aligned(const Operand& operand) { return (operand.bytes() + 7) / 8 * 8; }

  static void add(std::vector<Code::Numbers>& pieces, Code::Numbers& types, const Operand& operand,
                  double buffer, double offset = 0) {
    types.push_back(operand.type);
    Code::Numbers numbers = {static_cast<double>(operand.sizes.size())};
    numbers.insert(numbers.end(), operand.sizes.begin(), operand.sizes.end());
    numbers.insert(numbers.end(), {buffer, offset});
    double stride = 1;
    Code::Numbers strides(operand.sizes.size());
    for (std::size_t d = strides.size(); d-- > 0; stride *= operand.sizes[d]) strides[d] = stride;
    numbers.insert(numbers.end(), strides.begin(), strides.end());
    pieces.push_back(numbers);
  }
};

}  // namespace forebay::test
