// The entry point of libFuzzer: decodes, checks and runs any bytes as a program. A program must be refused
// with a reason, or it must run within its memory. This memory is on the heap and has exactly the required
// size, so that ASAN stops the fuzzer at any access outside it.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>

#include "kernels/blas.h"
#include "program/pool.h"
#include "test/fuzz/input.h"
#include "test/program_samples.h"

using namespace forebay;
using namespace forebay::test;

extern "C" {
[[gnu::visibility("default")]] const char* __asan_default_options();
[[gnu::visibility("default")]] int LLVMFuzzerInitialize(int* count, char*** arguments);
[[gnu::visibility("default")]] int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
}

// A program may request any amount of memory. With these options, large requests fail instead of ending the
// process.
const char* __asan_default_options() { return "allocator_may_return_null=1:max_allocation_size_mb=64"; }

namespace {

[[noreturn]] void broken(const char* rule) {
  std::fprintf(stderr, "broken: %s\n", rule);
  std::abort();
}

// Larger programs are not run. They would be slow and would not test other code.
constexpr double mostBytes = 1 << 16, mostWork = 1e6;

// The memory of every leaf and of the kept values of the code. `fit` is false if a buffer of the code is
// larger than mostBytes.
struct Leaves {
  std::vector<Bytes> bytes;
  std::vector<LeafMemory> list;
  KeptValues kept;
  bool fit = true;

  explicit Leaves(const std::vector<double>& code) {
    Parts parts;
    if (!Parts::read(code, parts)) return;
    Generator generator(code.size());
    double keptBytes = 0;
    for (const Parts::Numbers& buffer : parts.buffers) {
      if (buffer[1] > mostBytes) fit = false;
      const bool leaf =
          buffer[0] == static_cast<double>(variable) || buffer[0] == static_cast<double>(constant);
      if (buffer[0] == static_cast<double>(keptValues)) keptBytes = buffer[1];
      if (!leaf) continue;
      const bool possible = buffer[1] >= 0 && buffer[1] <= mostBytes;
      bytes.emplace_back(possible ? static_cast<std::size_t>(buffer[1]) : 0);
      Memory::fillAny(generator, bytes.back());
    }
    for (Bytes& leaf : bytes) list.push_back({leaf.data(), leaf.size()});
    const bool possible = keptBytes >= 0 && keptBytes <= mostBytes;
    if (!kept.allocate(possible ? static_cast<std::size_t>(keptBytes) : 0)) fit = false;
  }
};

std::unique_ptr<Program> decode(const std::vector<double>& code, Leaves& leaves) {
  const std::unique_ptr<double[]> exact(new double[code.size()]);
  std::copy(code.begin(), code.end(), exact.get());
  Fault fault;
  std::unique_ptr<Program> program =
      Program::create(exact.get(), code.size(), leaves.list.data(), leaves.list.size(), fault, &leaves.kept);
  if ((program == nullptr) != (fault.kind() != Fault::Kind::none)) broken("refused without a reason");
  if (program == nullptr && *fault.text() == 0) broken("an empty reason");
  return program;
}

bool patientWith(const std::vector<double>& code) {
  Parts parts;
  if (!Parts::read(code, parts)) return false;
  double work = 0;
  for (const Parts::Numbers& instruction : parts.instructions) work += workOf(instruction);
  return work <= mostWork;
}

void runAs(Program& program, std::uint8_t how) {
  Generator generator(how);
  std::vector<Bytes> feeds, outputs;
  std::vector<void*> feedMemory, outputMemory;
  for (std::size_t i = 0; i < program.feedCount(); ++i) {
    feeds.emplace_back(program.feedBytes(i));
    Memory::fillAny(generator, feeds.back());
    feedMemory.push_back(feeds.back().data());
  }
  for (std::size_t i = 0; i < program.outputCount(); ++i) {
    outputs.emplace_back(program.outputLength(i) * sizeOf(program.outputType(i)));
    outputMemory.push_back(outputs.back().data());
  }
  std::vector<double> nanoseconds(program.instructionCount());
  const std::atomic<bool> cancelled{(how & 8) != 0};
  RunArguments arguments;
  arguments.feeds = feedMemory.data();
  arguments.outputs = outputMemory.data();
  arguments.run = how;
  arguments.threads = 1 + (how & 1);
  arguments.checkFinite = (how & 2) != 0;
  if ((how & 4) != 0) arguments.nanoseconds = nanoseconds.data();
  if ((how & 24) != 0) arguments.cancelled = &cancelled;
  if ((how & 32) != 0) arguments.beforeWrites = [](void* context) { return context != nullptr; };
  if ((how & 64) != 0) arguments.context = &arguments;
  RunFailure failure;
  RunResult result = program.run(arguments, failure);
  // The second run reads the values that the first one has kept.
  if (result == RunResult::done) result = program.run(arguments, failure);
  if (result == RunResult::notFinite && !arguments.checkFinite) broken("not finite without checkFinite");
  if ((result == RunResult::outOfRange) != failure.outOfRange) broken("a failure without a description");
  // Labels, which have the axis -1, have another range than indices.
  const bool isIndex = failure.outOfRange && failure.axis >= 0;
  if (isIndex && failure.value >= -failure.bound && failure.value < failure.bound) {
    broken("a failure about a valid index");
  }
  if (result == RunResult::notFinite && failure.instruction >= program.instructionCount())
    broken("no instruction");
  if (failure.loops < 0 || failure.loops > maxLoopDepth) broken("too many loops");
  if (result != RunResult::cancelled && cancelled && arguments.cancelled != nullptr) broken("not cancelled");
}

}  // namespace

int LLVMFuzzerInitialize(int*, char***) {
  // The helpers that make programs use the assertions of doctest. Outside of a test case, these need a
  // context.
  static doctest::Context asserts;
  asserts.setAsDefaultForAssertsOutOfTestCases();
  prepareBlas();
  Pool::instance().setThreads(2);
  return 0;
}

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Input input = Input::read(data, size);
  Leaves leaves(input.numbers);
  if (!leaves.fit) return 0;
  const std::unique_ptr<Program> program = decode(input.numbers, leaves);
  if (program == nullptr) return 0;
  if (patientWith(input.numbers)) runAs(*program, input.how);
  // A program must refuse a leaf with one byte less than it needs.
  for (LeafMemory& leaf : leaves.list) {
    if (leaf.bytes == 0) continue;
    --leaf.bytes;
    if (decode(input.numbers, leaves) != nullptr) broken("a leaf that is too small");
    ++leaf.bytes;
    break;
  }
  return 0;
}
