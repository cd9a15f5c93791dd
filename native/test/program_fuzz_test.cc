// Damages the code of programs at random. The code must be refused, or the program must run and stay inside
// its memory. All leaves, feeds and outputs and the arena are on the heap and have exactly the required size,
// so that ASAN ends the run at any access outside them.
//
// Tests 100,000 programs by default. FOREBAY_FUZZ sets another number of programs, FOREBAY_FUZZ_SEED another
// seed.
#include <cstdlib>

#include "program/pool.h"
#include "test/program_samples.h"

using namespace forebay;
using namespace forebay::test;

#if defined(FOREBAY_UNDER_ASAN)
// A damaged program may request any amount of memory. With these options, an allocation that is too large
// returns null.
extern "C" [[gnu::visibility("default")]] const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
  return "allocator_may_return_null=1:max_allocation_size_mb=1024";
}
#endif

namespace {

// Returns false if the program might run for a long time. With strides of 0, a program with little memory can
// have very long loops.
bool patientWith(const Code::Numbers& code) {
  for (const double number : code) {
    if (number > 1e6) return false;
  }
  return true;
}

// With loops within loops, a program can execute its instructions very often.
constexpr double mostExecutions = 10000;

}  // namespace

TEST_CASE("damaged programs are refused or stay inside their memory") {
  const char* const asked = std::getenv("FOREBAY_FUZZ");
  const int rounds = asked != nullptr ? std::atoi(asked) : 100000;
  const char* const seed = std::getenv("FOREBAY_FUZZ_SEED");
  const int before = Pool::instance().threads();
  Pool::instance().setThreads(2);
  Generator generator(seed != nullptr ? std::strtoull(seed, nullptr, 10) : 77);
  Code code;
  int ran = 0, refused = 0, outOfRange = 0;
  for (int round = 0; round < rounds; ++round) {
    if (round % 5 == 0) code = someProgram(generator);
    Code::Numbers numbers = code.code();
    const auto last = static_cast<std::int64_t>(numbers.size()) - 1;
    for (std::int64_t damages = std::max<std::int64_t>(between(generator, -1, 2), 1); damages > 0;
         --damages) {
      double& number = numbers[static_cast<std::size_t>(between(generator, 0, last))];
      number = damagedNumber(generator, number);
    }
    // These are the leaves of the undamaged code. If they are too small for the damaged code, the code must
    // be refused.
    Memory memory(code, static_cast<std::uint64_t>(round));
    if (between(generator, 0, 99) == 0) numbers.resize(static_cast<std::size_t>(between(generator, 0, last)));
    Fault fault;
    const std::unique_ptr<Program> program = create(numbers, memory, fault);
    REQUIRE((program == nullptr) == (fault.kind() != Fault::Kind::none));
    if (!program) {
      ++refused;
      continue;
    }
    if (!patientWith(numbers) || program->executions() > mostExecutions) continue;
    // Allocates feeds and outputs of the sizes that the program requires.
    std::vector<Bytes> feeds, outputs;
    std::vector<void*> feedMemory, outputMemory;
    for (std::size_t i = 0; i < program->feedCount(); ++i) {
      feeds.emplace_back(program->feedBytes(i));
      Memory::fillAny(generator, feeds.back());
      feedMemory.push_back(feeds.back().data());
    }
    for (std::size_t i = 0; i < program->outputCount(); ++i) {
      outputs.emplace_back(program->outputLength(i) * sizeOf(program->outputType(i)));
      outputMemory.push_back(outputs.back().data());
    }
    RunArguments arguments;
    arguments.feeds = feedMemory.data();
    arguments.outputs = outputMemory.data();
    arguments.threads = 1 + round % 2;
    arguments.checkFinite = round % 3 == 0;
    RunFailure failure;
    RunResult result = program->run(arguments, failure);
    // The second run reads the values that the first one has kept.
    if (result == RunResult::done && memory.kept) result = program->run(arguments, failure);
    outOfRange += result == RunResult::outOfRange;
    ++ran;
  }
  Pool::instance().setThreads(before);
  // If nearly all or nearly no programs were refused, the test would have no value.
  CHECK(ran > rounds / 10);
  CHECK(refused > rounds / 10);
  CHECK(outOfRange > rounds / 2000);
  CHECK(outOfRange < ran / 2);
  MESSAGE(rounds, " programs: ", ran, " ran (", outOfRange, " had an index out of range), ", refused,
          " were refused");
}
