// Row groups: fused loops over whole rows. The plain form computes one element at a time
// (row_group_plain.cc).
#include "program/instruction.h"
#include "test/program_samples.h"
#include "test/refusals.h"

using namespace forebay;
using namespace forebay::test;

using Numbers = Code::Numbers;

namespace {

double sumOfRows() { return idOf(Family::reduce, "sum"); }
double maxOfRows() { return idOf(Family::reduce, "max"); }

// The softmax of `rows` rows of x, and the sum of y over the rows: y = e / sum(e) with e = exp(x - max(x)).
Code softmax(double rows, double columns) {
  Code code;
  code.buffer(arena, static_cast<std::int64_t>(4 * (rows + 1) * columns));
  const double x = code.buffer(feed, static_cast<std::int64_t>(4 * rows * columns));
  code.outputs.push_back({f32, (rows + 1) * columns, 0, 0});
  code.add(rowGroup, {{1, 1, 1, 5, 1, 1},
                      {f32, 0},
                      {maxOfRows(), f32, 0, -1, -1},
                      {map("sub"), f32, 0, 1, -1},
                      {map("exp"), f32, 2, -1, -1},
                      {sumOfRows(), f32, 3, -1, -1},
                      {map("div"), f32, 3, 4, -1},
                      {f32, 5},
                      {1, f32, 5},
                      {rows, columns, x, 0, columns, 1, 0, 0, columns, 1, 0, 4 * rows * columns, 1}});
  return code;
}

// A row group with the steps of a compiled loop that has folds. All results and the reductions are written to
// the arena. If `closes` is true, sums are over all elements instead of over rows.
Code loopRows(const CompiledLoop& loop, double rows, double columns, bool closes) {
  const LoopSteps& of = loop.steps;
  const double type = of.type == DType::float32 ? f32 : f64, size = of.type == DType::float32 ? 4 : 8;
  const Body& body = *chosen().body;
  Code code;
  Numbers loads, steps, stores, closed, segment = {rows, columns};
  const auto append = [](Numbers& to, const Numbers& more) { to.insert(to.end(), more.begin(), more.end()); };
  double arenaBytes = 0;
  code.buffer(arena, 0);
  const auto operand = [&](double buffer, double offset, bool perRow) {
    append(segment, {buffer, offset, perRow ? 1 : columns, perRow ? 0.0 : 1.0});
  };
  const auto take = [&](bool perRow) {
    const double at = arenaBytes;
    arenaBytes += 8 * std::ceil(rows * (perRow ? 1 : columns) * size / 8);
    return at;
  };
  for (std::size_t l = 0; l < of.loadCount; ++l) {
    const bool single = (loop.singles >> l & 1) != 0;
    append(loads, {type, single ? 1.0 : 0.0});
    const double bytes = rows * (single ? 1 : columns) * size;
    operand(code.buffer(feed, static_cast<std::int64_t>(bytes), type), 0, single);
  }
  // A step computes with masks, and so does the conversion of a mask.
  std::vector<DType> types(of.loadCount, of.type);
  for (std::size_t s = 0; s < of.stepCount; ++s) {
    const Kernel& kernel = body.kernels[of.steps[s].kernel];
    const int last = kernel.arity - 1;
    const DType of0 = types[of.steps[s].in[last]];
    append(steps, {static_cast<double>(of.steps[s].kernel), static_cast<double>(of0)});
    for (int k = 0; k < maxArity; ++k)
      append(steps, {k <= last ? static_cast<double>(of.steps[s].in[k]) : -1});
    types.push_back(kernel.resultType(of0));
  }
  double next = of.loadCount + of.stepCount, stepCount = of.stepCount;
  Numbers perRow;
  for (std::size_t f = 0; f < of.foldCount; ++f) {
    const bool sums = of.folds[f].kind == Fold::Kind::sum;
    if (sums && closes) {
      append(closed, {0, type, static_cast<double>(of.folds[f].value)});
      continue;
    }
    append(steps, {sums ? sumOfRows() : maxOfRows(), type, static_cast<double>(of.folds[f].value), -1, -1});
    perRow.push_back(next++);
    ++stepCount;
  }
  for (std::size_t q = 0; q < of.resultCount; ++q) {
    append(stores, {type, static_cast<double>(of.results[q])});
    operand(0, take(false), false);
  }
  for (const double value : perRow) {
    append(stores, {type, value});
    operand(0, take(true), true);
  }
  for (std::size_t c = 0; c < closed.size() / 3; ++c) append(segment, {0, take(true), 0});
  code.buffers[0][1] = arenaBytes;
  code.outputs.push_back({f32, std::floor(arenaBytes / 4), 0, 0});
  code.add(rowGroup, {{1, 1, static_cast<double>(of.loadCount), stepCount,
                       static_cast<double>(stores.size()) / 2, static_cast<double>(closed.size()) / 3},
                      loads,
                      steps,
                      stores,
                      closed,
                      segment});
  return code;
}

int calls = 0;
void (*original)(const LoopCall& call) = nullptr;
void countCall(const LoopCall& call) {
  ++calls;
  original(call);
}

// Decodes and runs the first instruction of a program, which is a row group, by the kernels of `body`.
// Returns the contents of the arena.
std::vector<float> runFirst(const Code& code, const Body& body) {
  Memory memory(code);
  Items<Buffer> buffers;
  REQUIRE(buffers.allocate(memory.buffers.size()));
  std::vector<char*> bases;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const auto bytes = static_cast<std::int64_t>(memory.buffers[i].size());
    buffers[i] = {i == 0 ? Buffer::Kind::arena : Buffer::Kind::constant, bytes, memory.buffers[i].data(), 8,
                  false};
    bases.push_back(memory.buffers[i].data());
  }
  Fault fault;
  const Numbers& numbers = code.instructions[0];
  Reader reader(numbers.data() + 2, numbers.size() - 2, fault);
  Operands operands(reader, buffers);
  const std::unique_ptr<Instruction> decoded = decodeRowGroup(operands, body);
  REQUIRE_MESSAGE(decoded != nullptr, std::string(fault.text()));
  AlignedBytes scratch;
  REQUIRE(scratch.allocate(decoded->scratchBytes()));
  RunFailure failure;
  decoded->run({bases.data(), buffers.data(), scratch.data(), 0, nullptr, 1, 0, false, false, &failure});
  return memory.values<float>(0);
}

std::vector<float> resultOf(const Code& code, int threads) {
  Memory memory(code);
  const std::unique_ptr<Program> program = create(code, memory);
  RunArguments arguments;
  arguments.threads = threads;
  CHECK(run(*program, memory, arguments) == RunResult::done);
  return memory.output<float>(0);
}

}  // namespace

TEST_CASE("row groups of any kind give the same bits as computing one element at a time") {
  Generator generator(14);
  for (int round = 0; round < 2500; ++round) {
    CAPTURE(round);
    Code code;
    Space space(code);
    addSomeRowGroup(generator, code, space);
    showArena(code);
    holdProgram(code, static_cast<std::uint64_t>(round));
  }
}

TEST_CASE("a softmax in one row group is that of the formula, for rows of any length") {
  for (const double columns : {1.0, 2.0, 31.0, 64.0, 100.0, 1000.0, 5000.0}) {
    const double rows = 5;
    const Code code = softmax(rows, columns);
    Memory memory(code);
    const std::vector<float> x = memory.values<float>(1);
    const std::vector<float> y = resultOf(code, 1);
    CAPTURE(columns);
    const auto n = static_cast<std::size_t>(columns);
    for (std::size_t r = 0; r < 5; ++r) {
      double most = -9, total = 0;
      for (std::size_t j = 0; j < n; ++j) most = std::max(most, static_cast<double>(x[r * n + j]));
      for (std::size_t j = 0; j < n; ++j) total += std::exp(static_cast<double>(x[r * n + j]) - most);
      for (std::size_t j = 0; j < n; ++j) {
        const double expected = std::exp(static_cast<double>(x[r * n + j]) - most) / total;
        CHECK(y[r * n + j] == doctest::Approx(expected).epsilon(1e-6));
      }
    }
  }
}

TEST_CASE(
    "a row group gives the same bits if compiled loops compute its phases and if its steps are interpreted") {
  for (const double columns : {3.0, 40.0, 256.0, 1500.0}) {
    const Code code = softmax(7, columns);
    Body body = *chosen().body;
    std::vector<CompiledLoop> loops(body.loops, body.loops + body.loopCount);
    calls = 0;
    for (CompiledLoop& loop : loops) {
      const LoopSteps& of = loop.steps;
      const bool powers = of.type == DType::float32 && of.stepCount == 2 && of.resultCount == 1 &&
                          of.foldCount == 1 && of.folds[0].value == of.results[0] &&
                          static_cast<double>(of.steps[0].kernel) == map("sub") &&
                          static_cast<double>(of.steps[1].kernel) == map("exp");
      if (!powers || loop.singles != 2) continue;
      original = loop.run;
      loop.run = countCall;
    }
    body.loops = loops.data();
    const std::vector<float> compiled = runFirst(code, body);
    CHECK(calls > 0);
    body.loopCount = 0;
    calls = 0;
    CAPTURE(columns);
    CHECK(runFirst(code, body) == compiled);
    CHECK(calls == 0);
  }
}

TEST_CASE("a row group that a compiled loop with folds runs gives the same bits as an interpreted one") {
  const Body& all = *chosen().body;
  int folding = 0;
  for (std::size_t i = 0; i < all.loopCount; ++i) {
    CAPTURE(i);
    if (all.loops[i].steps.foldCount == 0) continue;
    ++folding;
    for (const double columns : {3.0, 40.0, 256.0, 1000.0, 5000.0}) {
      CAPTURE(columns);
      for (const bool closes : {false, true}) {
        const Code code = loopRows(all.loops[i], 9, columns, closes);
        CompiledLoop loop = all.loops[i];
        Body body = all;
        original = loop.run;
        loop.run = countCall;
        body.loops = &loop;
        body.loopCount = 1;
        calls = 0;
        const std::vector<float> compiled = runFirst(code, body);
        CHECK(calls > 0);
        body.loopCount = 0;
        const std::vector<float> interpreted = runFirst(code, body);
        CHECK(std::equal(compiled.begin(), compiled.end(), interpreted.begin(), same<float>));
      }
    }
  }
  CHECK(folding > 10);
}

TEST_CASE("threads that share the rows of a row group give the same bits as one thread") {
  for (const double columns : {40.0, 700.0, 3000.0}) {
    const Code code = softmax(std::floor(1500000 / columns), columns);
    CAPTURE(columns);
    const std::vector<float> one = resultOf(code, 1), four = resultOf(code, 4), three = resultOf(code, 3);
    CHECK(one == four);
    CHECK(one == three);
  }
}

TEST_CASE("a row group reports a result that is not finite") {
  for (const bool nan : {false, true}) {
    const Code code = softmax(3, 50);
    Memory memory(code);
    const std::unique_ptr<Program> program = create(code, memory);
    if (nan) memory.of<float>(1)[70] = std::nanf("");
    RunArguments arguments;
    arguments.checkFinite = true;
    CHECK(run(*program, memory, arguments) == (nan ? RunResult::notFinite : RunResult::done));
  }
}

TEST_CASE("a row group that breaks a rule is refused") {
  // Computes the sum s of each row of x, which is 2 x 3 elements of a feed, y = x + s, and the sums of y over
  // all elements and over the rows.
  const Numbers body = {1,           1,   1,   2,  2,   2,         // 0: counts
                        f32,         0,                            // 6: load
                        sumOfRows(), f32, 0,   -1, -1,             // 8: steps
                        map("add"),  f32, 0,   1,  -1,             // 13
                        f32,         2,   f32, 1,                  // 18: stores
                        0,           f32, 2,   1,  f32, 2,         // 22: closes
                        2,           3,                            // 28: sizes
                        3,           0,   3,   1,                  // 30: load
                        0,           0,   3,   1,  0,   32, 1, 0,  // 34: stores
                        0,           64,  0,   0,  96,  1};        // 42: closes
  refusesEach(rowGroup, body,
              {{1, 33, "the rank is 33"},
               {0, 2, "numbers follow its counts"},
               {2, 2, "numbers follow its counts"},
               {6, 5, "the dtype of load 0 is 5"},
               {7, 2, "the flag of one element a row of load 0 is 2"},
               {8, idOf(Family::random, "normal"), "expected map, cast or reduce"},
               {8, idOf(Family::reduce, "argmax"), "expected a sum or a maximum"},
               {9, i32, "'sum', does not exist for int32"},
               {10, 1, "input 0 of step 0 is 1, but only 1 values are computed before it"},
               {11, 0, "expected -1 because 'sum' has 1 inputs"},
               {14, f64, "which has the dtype float32, expected float64"},
               {15, 1, "close 1 has a result for each column, but value 2"},
               {44, 1, "the stride of close 0 is 1, expected 0"},
               {19, 3, "the value of store 0"},
               {20, f64, "which has the dtype float32, expected float64"},
               {23, i32, "the dtype of close 0 is int32"},
               {25, 2, "the flag of one result a column of close 1 is 2"},
               {27, 1, "close 1 has a result for each column, but value 1 has only one element a row"},
               {28, 40, "load 0"},
               {29, 0, "the number of columns is 0"},
               {29, 70, "load 0"},
               {34, 2, "store 0"},
               {37, 0, "store 0"},
               {41, 1, "the column stride of store 1 is 1, expected 0 because it has one element a row"},
               {43, 253, "close 0"},
               {47, 0, "close 1"}},
              "row group");
}

TEST_CASE("a maximum of int32 in a row group is refused") {
  refuses(
      with(rowGroup, {1, 0, 1, 1, 1, 0, i32, 0, maxOfRows(), i32, 0, -1, -1, i32, 1, 3, 3, 0, 1, 0, 0, 0}),
      "step 0 is 'max' of int32, expected a sum or a maximum of float32 or float64");
}

TEST_CASE("a row group cannot write variables or leaves") {
  const Numbers body = {1, 0, 1, 0, 1, 0, f32, 0, f32, 0, 3, 3, 0, 1, 0, 0, 1};
  CHECK(refusal(with(rowGroup, body)) == "");
  refuses(with(rowGroup, body, true), "row group");
}
