// Support for the tests of programs: a class that assembles code from its parts, memory of exactly the
// required size, and a second interpreter of the same code, which is as simple as possible.
#pragma once

#include <memory>

#include "program/program.h"
#include "test/support.h"

#if defined(__SANITIZE_ADDRESS__)
#define FOREBAY_UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FOREBAY_UNDER_ASAN 1
#endif
#endif

namespace forebay::test {

enum BufferKind : int { arena, variable, constant, feed, output, keptValues, drawn, window };
enum Operation {
  group = 1,
  product,
  pack,
  packedProduct,
  reduce,
  batchProduct,
  draw,
  copy,
  routine,
  rowGroup,
  loop
};

constexpr double none = -1, f32 = 0, f64 = 1, i32 = 2, b8 = 3, u8 = 4;

inline double idOf(Family family, const char* name) {
  return static_cast<double>(&kernelOf(*chosen().body, family, name) - chosen().body->kernels);
}
inline double map(const char* name) { return idOf(Family::map, name); }
inline double castTo(const char* name) { return idOf(Family::cast, name); }

// The parts of the code of a program. code() concatenates them.
struct Code {
  using Numbers = std::vector<double>;
  std::vector<Numbers> buffers, outputs, instructions;
  std::vector<double> types;  // for each buffer, the dtype of the values that fill it before a run
  double writeStart = -1;     // -1: after the last instruction
  double onceCount = 0;       // the number of instructions that run once

  double buffer(BufferKind kind, std::int64_t bytes, double type = f32) {
    buffers.push_back({static_cast<double>(kind), static_cast<double>(bytes)});
    types.push_back(type);
    return static_cast<double>(buffers.size()) - 1;
  }
  // Adds a buffer that is a draw. It has no memory that is filled.
  double drawnBuffer(const char* kernel, double type, double seed, std::int64_t bytes) {
    buffers.push_back(
        {static_cast<double>(drawn), static_cast<double>(bytes), idOf(Family::random, kernel), type, seed});
    types.push_back(none);
    return static_cast<double>(buffers.size()) - 1;
  }
  // Appends an instruction. The numbers after [opcode, length] are given in pieces.
  void add(Operation operation, const std::vector<Numbers>& pieces) {
    instructions.push_back(instructionOf(operation, pieces));
  }
  static Numbers instructionOf(Operation operation, const std::vector<Numbers>& pieces) {
    Numbers instruction = {static_cast<double>(operation), 2};
    for (const Numbers& piece : pieces) instruction.insert(instruction.end(), piece.begin(), piece.end());
    instruction[1] = static_cast<double>(instruction.size());
    return instruction;
  }
  // Returns a loop. The windows are [buffer, parent, byteOffset, step, period], and an instruction of the
  // body is [first, end, opcode, length, …].
  static Numbers loopOf(double count, const std::vector<Numbers>& windows, const std::vector<Numbers>& body) {
    std::vector<Numbers> pieces = {{count, static_cast<double>(windows.size())}};
    pieces.insert(pieces.end(), windows.begin(), windows.end());
    pieces.push_back({static_cast<double>(body.size())});
    pieces.insert(pieces.end(), body.begin(), body.end());
    return instructionOf(loop, pieces);
  }
  // Returns an instruction of the body of a loop.
  static Numbers within(double first, double end, const Numbers& instruction) {
    Numbers part = {first, end};
    part.insert(part.end(), instruction.begin(), instruction.end());
    return part;
  }
  void onceEnds() { onceCount = static_cast<double>(instructions.size()); }
  void writesBegin() { writeStart = static_cast<double>(instructions.size()); }

  Numbers code() const {
    const auto count = [](const auto& list) { return static_cast<double>(list.size()); };
    Numbers all = {1,
                   count(buffers),
                   count(instructions),
                   writeStart < 0 ? count(instructions) : writeStart,
                   count(outputs),
                   onceCount};
    for (const auto* list : {&buffers, &outputs, &instructions}) {
      for (const Numbers& numbers : *list) all.insert(all.end(), numbers.begin(), numbers.end());
    }
    return all;
  }
};

using Bytes = std::vector<char>;

// The contents of all buffers and outputs of a program.
struct Memory {
  std::vector<BufferKind> kinds;
  std::vector<Bytes> buffers;
  std::vector<Bytes> outputs;
  // The addresses of windows in the iterations that runPlainly() executes, by their buffers.
  std::vector<char*> windows;
  // The memory of the buffer of kept values. The buffer above is for runPlainly().
  std::shared_ptr<KeptValues> kept;

  // Fills the buffers with small integers, so that no sum of their products is rounded.
  explicit Memory(const Code& code, std::uint64_t seed = 5) {
    Generator generator(seed);
    for (std::size_t i = 0; i < code.buffers.size(); ++i) {
      kinds.push_back(static_cast<BufferKind>(code.buffers[i][0]));
      buffers.emplace_back(kinds.back() == window ? 0 : static_cast<std::size_t>(code.buffers[i][1]));
      if (kinds.back() == keptValues) {
        kept = std::make_shared<KeptValues>();
        REQUIRE(kept->allocate(buffers.back().size()));
      }
      if (code.types[i] == f32) fill<float>(generator, buffers.back());
      if (code.types[i] == f64) fill<double>(generator, buffers.back());
      if (code.types[i] == i32) fill<std::int32_t>(generator, buffers.back());
      if (code.types[i] == b8) fillBools(generator, buffers.back());
      if (code.types[i] == u8) fill<std::uint8_t>(generator, buffers.back());
    }
    windows.resize(buffers.size());
    for (const Code::Numbers& output : code.outputs) {
      outputs.emplace_back(static_cast<std::size_t>(output[1]) * sizeOf(static_cast<DType>(output[0])));
    }
  }

  template <class T>
  static void fill(Generator& generator, Bytes& bytes) {
    for (std::size_t at = 0; at + sizeof(T) <= bytes.size(); at += sizeof(T)) {
      const auto value = static_cast<T>(between(generator, -8, 8));
      std::memcpy(&bytes[at], &value, sizeof value);
    }
  }

  // Some bytes are neither 0 nor 1. They are true.
  static void fillBools(Generator& generator, Bytes& bytes) {
    for (char& byte : bytes) byte = static_cast<char>(std::max<std::int64_t>(between(generator, -8, 3), 0));
  }

  // Fills memory whose dtype is not known. Half of the time, it has small int32 numbers, which are often
  // valid indices. (As floats, they are subnormal.)
  static void fillAny(Generator& generator, Bytes& bytes) {
    if (between(generator, 0, 1) == 0) {
      fill<std::int32_t>(generator, bytes);
    } else {
      fill<float>(generator, bytes);
    }
  }

  // Returns the address of a buffer, which may be a window.
  char* start(double buffer) {
    const auto index = static_cast<std::size_t>(buffer);
    return kinds[index] == window ? windows[index] : buffers[index].data();
  }
  template <class T>
  T* of(double buffer) {
    return reinterpret_cast<T*>(buffers[static_cast<std::size_t>(buffer)].data());
  }
  template <class T>
  void set(double buffer, const std::vector<T>& values) {
    REQUIRE(values.size() * sizeof(T) == buffers[static_cast<std::size_t>(buffer)].size());
    std::memcpy(of<T>(buffer), values.data(), values.size() * sizeof(T));
  }
  template <class T>
  std::vector<T> output(std::size_t index) const {
    std::vector<T> values(outputs[index].size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), outputs[index].data(), outputs[index].size());
    return values;
  }
  template <class T>
  std::vector<T> values(double buffer) const {
    const Bytes& bytes = buffers[static_cast<std::size_t>(buffer)];
    std::vector<T> values(bytes.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }

  std::vector<LeafMemory> leaves() {
    std::vector<LeafMemory> list;
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      if (kinds[i] == variable || kinds[i] == constant)
        list.push_back({buffers[i].data(), buffers[i].size()});
    }
    return list;
  }
  std::vector<void*> feeds() {
    std::vector<void*> list;
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      if (kinds[i] == feed) list.push_back(buffers[i].data());
    }
    return list;
  }
  std::vector<void*> outputMemory() {
    std::vector<void*> list;
    for (Bytes& output : outputs) list.push_back(output.data());
    return list;
  }
};

inline std::unique_ptr<Program> create(const Code::Numbers& code, Memory& memory, Fault& fault,
                                       Arena* shared = nullptr) {
  // The code is copied to heap memory of exactly the required size, like all other memory, so that ASAN finds
  // an access beyond its end.
  const std::unique_ptr<double[]> exact(new double[code.size()]);
  std::copy(code.begin(), code.end(), exact.get());
  const std::vector<LeafMemory> leaves = memory.leaves();
  return Program::create(exact.get(), code.size(), leaves.data(), leaves.size(), fault, memory.kept.get(),
                         shared);
}

inline std::unique_ptr<Program> create(const Code& code, Memory& memory, Arena* shared = nullptr) {
  Fault fault;
  std::unique_ptr<Program> program = create(code.code(), memory, fault, shared);
  REQUIRE_MESSAGE(program != nullptr, std::string(fault.text()));
  return program;
}

// Returns the error message if `code` is refused, and an empty text if it is accepted.
inline std::string refusal(const Code& code) {
  Memory memory(code);
  Fault fault;
  const bool created = create(code.code(), memory, fault) != nullptr;
  CHECK(created == (fault.kind() == Fault::Kind::none));
  return fault.text();
}

inline RunResult run(Program& program, Memory& memory, RunArguments arguments = {},
                     RunFailure* failure = nullptr) {
  const std::vector<void*> feeds = memory.feeds(), outputs = memory.outputMemory();
  arguments.feeds = feeds.data();
  arguments.outputs = outputs.data();
  RunFailure found;
  const RunResult result = program.run(arguments, found);
  if (failure != nullptr) *failure = found;
  return result;
}

// Interprets `code` one element at a time. Reads and writes `memory`, which includes the arena.
void runPlainly(const Code& code, Memory& memory, std::uint64_t run);

// Makes the contents of the arena comparable: inserts an instruction that fills the arena from a new
// feed, after the instructions that run once, and appends a new output, which is a copy of the arena.
void showArena(Code& code);

// Checks that the program of `code` gives the same bits as runPlainly(), with 1 and with 4 threads.
void holdProgram(const Code& code, std::uint64_t seed = 5);

}  // namespace forebay::test
