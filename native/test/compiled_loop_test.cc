// Compares compiled loops with the interpretation of their steps. The results must have the same bits. (The
// sign and the payload of a NaN may differ.)
#include <cmath>
#include <limits>

#include "program/instruction.h"
#include "program/pool.h"
#include "test/program_support.h"

using namespace forebay;
using namespace forebay::test;

namespace {

template <class T>
std::vector<T> specialValues() {
  using L = std::numeric_limits<T>;
  return {T(0),           T(-0.0),         L::infinity(),    -L::infinity(),
          L::quiet_NaN(), L::denorm_min(), -L::denorm_min(), L::min() / 4,
          L::min(),       L::max(),        L::lowest(),      T(1),
          T(-1),          T(0.5),          T(1e-7),          T(88.7),
          T(-103.5),      T(750)};
}

// Random numbers. If `special` is true, one of three is a special value.
template <class T>
void fill(Generator& generator, T* values, std::size_t count, bool special) {
  static const std::vector<T> specials = specialValues<T>();
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = static_cast<T>(std::normal_distribution<double>(0, 2)(generator));
    if (special && between(generator, 0, 2) == 0) {
      values[i] = specials[static_cast<std::size_t>(
          between(generator, 0, static_cast<std::int64_t>(specials.size()) - 1))];
    }
  }
}

// The operands of a call: for each operand, rows with gaps between them. The totals of a maximum are stored
// as T.
template <class T>
struct Operands2d {
  std::int64_t rows, columns;
  std::vector<std::vector<T>> memory;
  std::vector<std::int64_t> rowSteps;       // in elements
  std::vector<std::vector<double>> totals;  // for each fold
  std::vector<std::int64_t> totalSteps;     // in totals: 1, or 0 if all rows have one total

  std::size_t count() const { return memory.size(); }
  const T* row(std::size_t k, std::int64_t r) const { return memory[k].data() + r * rowSteps[k]; }
  T* row(std::size_t k, std::int64_t r) { return memory[k].data() + r * rowSteps[k]; }
};

template <class T>
Operands2d<T> someOperands(Generator& generator, const CompiledLoop& loop, std::int64_t rows,
                           std::int64_t columns, bool special) {
  Operands2d<T> all{rows, columns, {}, {}, {}, {}};
  for (std::size_t f = 0; f < loop.steps.foldCount; ++f) {
    all.totalSteps.push_back(between(generator, 0, 1));
    all.totals.emplace_back(static_cast<std::size_t>(rows));
    for (double& total : all.totals.back()) {
      const T start = static_cast<T>(std::normal_distribution<double>(0, 2)(generator));
      total = static_cast<double>(start);
      if (loop.steps.folds[f].kind == Fold::Kind::max) std::memcpy(&total, &start, sizeof start);
    }
  }
  const std::size_t loads = loop.steps.loadCount;
  for (std::size_t k = 0; k < loads + loop.steps.resultCount; ++k) {
    const bool single = k < loads && (loop.singles >> k & 1) != 0;
    const std::int64_t width = single ? 1 : columns;
    const std::int64_t step =
        k < loads && between(generator, 0, 3) == 0 ? 0 : width + between(generator, 0, 3);
    all.rowSteps.push_back(step);
    all.memory.emplace_back(static_cast<std::size_t>(step * (rows - 1) + width));
    fill(generator, all.memory.back().data(), all.memory.back().size(), special);
  }
  return all;
}

// Computes one row by the routines of the kernel table, as a group does when it interprets the steps.
template <class T>
void interpretRow(const Body& body, const CompiledLoop& loop, Operands2d<T>& all, std::int64_t r) {
  const std::size_t loads = loop.steps.loadCount;
  const auto width = static_cast<std::size_t>(all.columns);
  std::vector<std::vector<T>> values(loads + loop.steps.stepCount);
  std::vector<bool> single(values.size());
  for (std::size_t l = 0; l < loads; ++l) {
    single[l] = (loop.singles >> l & 1) != 0;
    values[l].assign(all.row(l, r), all.row(l, r) + (single[l] ? 1 : width));
  }
  for (std::size_t s = 0; s < loop.steps.stepCount; ++s) {
    const LoopStep& step = loop.steps.steps[s];
    const Kernel& kernel = body.kernels[step.kernel];
    const void* in[maxArity] = {};
    unsigned singles = 0;
    for (int k = 0; k < kernel.arity; ++k) {
      in[k] = values[step.in[k]].data();
      if (single[step.in[k]]) singles |= 1u << k;
    }
    single[loads + s] = singles + 1 == 1u << kernel.arity;
    values[loads + s].resize(single[loads + s] ? 1 : width);
    kernel.routine(loop.steps.type)
        .tiles[single[loads + s] ? 0 : singles](values[loads + s].data(), in, values[loads + s].size());
  }
  for (std::size_t q = 0; q < loop.steps.resultCount; ++q) {
    const std::vector<T>& from = values[loop.steps.results[q]];
    for (std::size_t j = 0; j < width; ++j) all.row(loads + q, r)[j] = from[from.size() == 1 ? 0 : j];
  }
  for (std::size_t f = 0; f < loop.steps.foldCount; ++f) {
    const LoopFold& fold = loop.steps.folds[f];
    const char* const name = fold.kind == Fold::Kind::sum ? "sum" : "max";
    const Kernel& kernel = kernelOf(body, Family::reduce, name);
    kernel.routine(loop.steps.type)
        .fold->run({all.totals[f].data() + r * all.totalSteps[f], nullptr}, values[fold.value].data(), width,
                   0);
  }
}

template <class T>
LoopCall callOf(Operands2d<T>& all, std::vector<char*>& operands, std::vector<std::int64_t>& rowSteps,
                std::vector<char*>& totals, std::vector<std::int64_t>& totalSteps) {
  for (std::size_t k = 0; k < all.count(); ++k) {
    operands.push_back(reinterpret_cast<char*>(all.memory[k].data()));
    rowSteps.push_back(all.rowSteps[k] * static_cast<std::int64_t>(sizeof(T)));
  }
  for (std::size_t f = 0; f < all.totals.size(); ++f) {
    totals.push_back(reinterpret_cast<char*>(all.totals[f].data()));
    totalSteps.push_back(all.totalSteps[f] * std::int64_t(sizeof(double)));
  }
  return {operands.data(), rowSteps.data(), all.rows, all.columns, totals.data(), totalSteps.data()};
}

// Compares totals. The sum of a row can be NaN in both, with another payload.
template <class T>
bool sameTotals(const CompiledLoop& loop, const Operands2d<T>& a, const Operands2d<T>& b) {
  for (std::size_t f = 0; f < a.totals.size(); ++f) {
    const bool sums = loop.steps.folds[f].kind == Fold::Kind::sum;
    for (std::size_t r = 0; r < a.totals[f].size(); ++r) {
      T x, y;
      std::memcpy(&x, &a.totals[f][r], sizeof x);
      std::memcpy(&y, &b.totals[f][r], sizeof y);
      if (sums ? !same(a.totals[f][r], b.totals[f][r]) : !same(x, y)) return false;
    }
  }
  return true;
}

template <class T>
bool sameMemory(const std::vector<T>& a, const std::vector<T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](T x, T y) { return same(x, y); });
}

template <class T>
void compareLoop(const Body& body, const CompiledLoop& loop, Generator& generator) {
  constexpr std::int64_t shapes[][2] = {{1, 1},  {1, 5},  {1, 15},  {1, 16},  {1, 17}, {1, 31},
                                        {1, 64}, {3, 10}, {4, 50},  {7, 1},   {5, 33}, {1, 1000},
                                        {2, 8},  {2, 24}, {3, 127}, {1, 4099}};
  for (const auto& shape : shapes) {
    for (const bool special : {false, true}) {
      CAPTURE(shape[0]);
      CAPTURE(shape[1]);
      CAPTURE(special);
      Operands2d<T> expected = someOperands<T>(generator, loop, shape[0], shape[1], special);
      Operands2d<T> actual = expected;
      for (std::int64_t r = 0; r < shape[0]; ++r) interpretRow(body, loop, expected, r);
      const Operands2d<T> before = actual;
      std::vector<char*> operands, totals;
      std::vector<std::int64_t> rowSteps, totalSteps;
      const LoopCall call = callOf(actual, operands, rowSteps, totals, totalSteps);
      loop.run(call);
      CHECK(sameTotals(loop, actual, expected));
      for (std::size_t k = 0; k < actual.count(); ++k) {
        CAPTURE(k);
        CHECK(sameMemory(actual.memory[k], expected.memory[k]));
      }
      // The results overwrite loads: result q overwrites the q-th load that is not single.
      std::size_t result = loop.steps.loadCount;
      for (std::size_t l = 0; l < loop.steps.loadCount && result < actual.count(); ++l) {
        if ((loop.singles >> l & 1) != 0 || actual.rowSteps[l] == 0) continue;
        operands[result] = operands[l];
        rowSteps[result++] = rowSteps[l];
      }
      if (result < actual.count()) continue;
      for (std::size_t f = 0; f < before.totals.size(); ++f)
        std::copy(before.totals[f].begin(), before.totals[f].end(), actual.totals[f].begin());
      loop.run(call);
      CHECK(sameTotals(loop, actual, expected));
      result = loop.steps.loadCount;
      for (std::size_t l = 0; l < loop.steps.loadCount && result < actual.count(); ++l) {
        if ((loop.singles >> l & 1) != 0 || actual.rowSteps[l] == 0) continue;
        bool equal = true;
        for (std::int64_t r = 0; r < shape[0]; ++r) {
          for (std::int64_t j = 0; j < shape[1]; ++j)
            equal = equal && same(actual.row(l, r)[j], expected.row(result, r)[j]);
        }
        CAPTURE(l);
        CHECK(equal);
        ++result;
      }
    }
  }
}

// The layout of the operands of a segment.
struct Layout {
  const char* name;
  std::vector<std::int64_t> sizes;
  // Returns the strides of an operand that has an element for each position.
  std::vector<std::int64_t> strides;
  // If true, loads that a loop treats as single have one element for each row, otherwise one for all rows.
  bool rowSingles;
  std::vector<std::int64_t> resultStrides = {};  // if empty, those of `strides`
};

const std::vector<Layout> smallLayouts = {
    {"contiguous", {9000}, {1}, false},
    {"a few elements", {13}, {1}, false},
    {"one element", {1}, {1}, false},
    {"rows", {37, 50}, {50, 1}, true},
    {"long rows with gaps", {3, 1104}, {1200, 1}, true},
    {"many short rows with gaps", {150, 10}, {12, 1}, true},
    {"rows with gaps in the results", {40, 30}, {30, 1}, false, {32, 1}},
    {"transposed", {48, 70}, {1, 48}, false},
    {"outer axes", {3, 5, 40}, {1000, 100, 1}, true},
    {"every second element", {300}, {2}, false},
};

// Where the results of a loop go.
enum class Results {
  apart,    // to variables of their own
  inPlace,  // to the variables that loads read, as far as possible
  summed,   // to the arena. All results are summed, and only every second is stored
};

// A program of one group with the steps of a loop, and one segment for each layout.
class LoopProgram {
 public:
  Code code;

  // If `interpreted` is true, a step that no store reads is appended, so that no compiled loop has the steps.
  // It uses no other register, so the tiles have the same size.
  LoopProgram(const CompiledLoop& loop, const std::vector<Layout>& layouts, bool interpreted, Results results)
      : loop_(loop), results_(results), type_(loop.steps.type == DType::float32 ? f32 : f64) {
    code.buffer(arena, 0);
    std::vector<Code::Numbers> pieces = {head(interpreted, layouts.size())};
    for (const Layout& layout : layouts) pieces.push_back(segment(layout));
    code.buffers[0][1] = static_cast<double>(arenaBytes_);
    if (results != Results::summed) code.writesBegin();
    code.add(group, pieces);
    if (results == Results::summed) showArena(code);
  }

 private:
  bool stored(std::size_t result) const { return results_ != Results::summed || result % 2 == 0; }

  Code::Numbers head(bool interpreted, std::size_t segments) const {
    const std::size_t loads = loop_.steps.loadCount, steps = loop_.steps.stepCount;
    Code::Numbers stores, closes;
    for (std::size_t q = 0; q < loop_.steps.resultCount; ++q) {
      const Code::Numbers result = {type_, static_cast<double>(loop_.steps.results[q])};
      if (stored(q)) stores.insert(stores.end(), result.begin(), result.end());
      if (results_ == Results::summed) closes.insert(closes.end(), result.begin(), result.end());
    }
    Code::Numbers numbers = {static_cast<double>(segments),
                             axes,
                             static_cast<double>(loads + steps),
                             static_cast<double>(loads),
                             static_cast<double>(steps + (interpreted ? 1 : 0)),
                             static_cast<double>(stores.size()) / 2,
                             static_cast<double>(closes.size()) / 2};
    const auto append = [&](const Code::Numbers& more) {
      numbers.insert(numbers.end(), more.begin(), more.end());
    };
    for (std::size_t l = 0; l < loads; ++l) append({type_, static_cast<double>(l)});
    for (std::size_t s = 0; s < steps; ++s) {
      const LoopStep& step = loop_.steps.steps[s];
      const int arity = chosen().body->kernels[step.kernel].arity;
      append({static_cast<double>(step.kernel), type_, static_cast<double>(loads + s)});
      for (int k = 0; k < maxArity; ++k) append({k < arity ? static_cast<double>(step.in[k]) : -1});
    }
    if (interpreted) append({map("copy"), type_, 0, 0, -1, -1});
    append(stores);
    append(closes);
    return numbers;
  }

  Code::Numbers segment(const Layout& layout) {
    const std::size_t missing = axes - layout.sizes.size();
    Code::Numbers numbers(missing, 1);
    const bool gaps = !layout.resultStrides.empty();
    const std::vector<std::int64_t>& resultStrides = gaps ? layout.resultStrides : layout.strides;
    std::int64_t extent = 1;
    for (std::size_t d = 0; d < layout.sizes.size(); ++d) {
      numbers.push_back(static_cast<double>(layout.sizes[d]));
      extent += (layout.sizes[d] - 1) * std::max(layout.strides[d], resultStrides[d]);
    }
    const std::int64_t bytes = extent * static_cast<std::int64_t>(sizeOf(loop_.steps.type));
    const auto append = [&](double buffer, double offset, const std::vector<std::int64_t>& strides,
                            bool single) {
      numbers.insert(numbers.end(), {buffer, offset});
      numbers.insert(numbers.end(), missing, 0);
      for (std::size_t d = 0; d < layout.sizes.size(); ++d) {
        const bool row = layout.rowSingles && d + 1 < layout.sizes.size();
        numbers.push_back(single && !row ? 0 : static_cast<double>(strides[d]));
      }
    };
    std::vector<double> arrays;  // the buffers of the loads that have an element for each position
    for (std::size_t l = 0; l < loop_.steps.loadCount; ++l) {
      const bool single = (loop_.singles >> l & 1) != 0;
      const double buffer = code.buffer(variable, bytes, type_);
      append(buffer, 0, layout.strides, single);
      if (!single) arrays.push_back(buffer);
    }
    for (std::size_t q = 0; q < loop_.steps.resultCount; ++q) {
      if (!stored(q)) continue;
      if (results_ == Results::summed) {
        append(0, place(bytes), resultStrides, false);
      } else {
        const bool taken = results_ == Results::inPlace && !gaps && q < arrays.size();
        append(taken ? arrays[q] : code.buffer(variable, bytes, type_), 0, resultStrides, false);
      }
    }
    for (std::size_t q = 0; q < loop_.steps.resultCount && results_ == Results::summed; ++q) {
      numbers.insert(numbers.end(), {0, place(8)});
    }
    return numbers;
  }

  // Returns the offset of memory in the arena.
  double place(std::int64_t bytes) {
    arenaBytes_ += (bytes + 7) / 8 * 8;
    return static_cast<double>(arenaBytes_ - (bytes + 7) / 8 * 8);
  }

  static constexpr std::size_t axes = 3;
  const CompiledLoop& loop_;
  const Results results_;
  const double type_;
  std::int64_t arenaBytes_ = 0;
};

// Runs a loop in both forms, and compares all memory.
template <class T>
void compareProgram(const CompiledLoop& loop, const std::vector<Layout>& layouts, Results results,
                    int threads, bool check, bool special) {
  std::vector<Memory> memories;
  std::vector<RunResult> ends;
  for (const bool interpreted : {true, false}) {
    const LoopProgram made(loop, layouts, interpreted, results);
    Memory& memory = memories.emplace_back(made.code);
    Generator generator(7);
    for (std::size_t i = 0; i < memory.buffers.size(); ++i) {
      const auto buffer = static_cast<double>(i);
      fill(generator, memory.of<T>(buffer), memory.buffers[i].size() / sizeof(T), special);
    }
    RunArguments arguments;
    arguments.threads = interpreted ? 1 : threads;
    arguments.checkFinite = check;
    ends.push_back(run(*create(made.code, memory), memory, arguments));
  }
  CHECK(ends[0] == ends[1]);
  for (std::size_t i = 0; i < memories[0].buffers.size(); ++i) {
    CAPTURE(i);
    const auto buffer = static_cast<double>(i);
    CHECK(sameMemory(memories[0].values<T>(buffer), memories[1].values<T>(buffer)));
  }
  for (std::size_t i = 0; i < memories[0].outputs.size() && ends[0] == RunResult::done; ++i) {
    CHECK(sameMemory(memories[0].output<T>(i), memories[1].output<T>(i)));
  }
}

// Groups have no folds (row_group_test.cc tests the loops that have).
bool inGroups(const CompiledLoop& loop) { return loop.steps.foldCount == 0; }

void compareProgram(const CompiledLoop& loop, const std::vector<Layout>& layouts, Results results,
                    int threads = 1, bool check = false, bool special = false) {
  if (!inGroups(loop)) return;
  if (loop.steps.type == DType::float32)
    compareProgram<float>(loop, layouts, results, threads, check, special);
  if (loop.steps.type == DType::float64)
    compareProgram<double>(loop, layouts, results, threads, check, special);
}

int calls = 0;
void countCall(const LoopCall&) { ++calls; }

// Decodes and runs the first instruction of a program, which is a group, by the kernels of `body`.
void runFirst(const Code& code, const Body& body) {
  Memory memory(code);
  Items<Buffer> buffers;
  REQUIRE(buffers.allocate(memory.buffers.size()));
  std::vector<char*> bases;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const auto bytes = static_cast<std::int64_t>(memory.buffers[i].size());
    buffers[i] = {i == 0 ? Buffer::Kind::arena : Buffer::Kind::variable, bytes, memory.buffers[i].data(), 8,
                  false};
    bases.push_back(memory.buffers[i].data());
  }
  Fault fault;
  const Code::Numbers& numbers = code.instructions[0];
  Reader reader(numbers.data() + 2, numbers.size() - 2, fault);
  Operands operands(reader, buffers);
  operands.writesBegin();
  const std::unique_ptr<Instruction> decoded = decodeGroup(operands, body);
  REQUIRE_MESSAGE(decoded != nullptr, std::string(fault.text()));
  AlignedBytes scratch;
  REQUIRE(scratch.allocate(decoded->scratchBytes()));
  decoded->attach(scratch.data());
  RunFailure failure;
  decoded->run({bases.data(), buffers.data(), scratch.data(), 0, nullptr, 1, 0, false, false, &failure});
}

}  // namespace

TEST_CASE("a compiled loop gives the same bits as the interpretation of its steps") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(std::string(body->name));
    REQUIRE(body->loopCount > 0);
    Generator generator(3);
    for (std::size_t i = 0; i < body->loopCount; ++i) {
      CAPTURE(i);
      const CompiledLoop& loop = body->loops[i];
      if (loop.steps.type == DType::float32) compareLoop<float>(*body, loop, generator);
      if (loop.steps.type == DType::float64) compareLoop<double>(*body, loop, generator);
    }
  }
}

TEST_CASE("a group that a compiled loop runs gives the same bits as an interpreted one in any layout") {
  const Body& body = *chosen().body;
  for (std::size_t i = 0; i < body.loopCount; ++i) {
    CAPTURE(i);
    compareProgram(body.loops[i], smallLayouts, Results::apart, 1, false, true);
    compareProgram(body.loops[i], smallLayouts, Results::apart, 1, true);
    compareProgram(body.loops[i], smallLayouts, Results::inPlace);
    compareProgram(body.loops[i], smallLayouts, Results::summed);
  }
}

TEST_CASE("threads that share the work of a compiled loop give the same bits as one thread") {
  const int before = Pool::instance().threads();
  Pool::instance().setThreads(4);
  const Body& body = *chosen().body;
  // Every loop has at least two operands and a step, so there is enough work to share.
  const std::vector<Layout> large = {{"rows", {500, 1040}, {1040, 1}, true}};
  for (const Results results : {Results::inPlace, Results::summed}) {
    for (std::size_t i = 0; i < body.loopCount; i += 10) {
      CAPTURE(i);
      compareProgram(body.loops[i], large, results, 4);
    }
  }
  Pool::instance().setThreads(before);
}

TEST_CASE("a group calls a compiled loop if and only if it has exactly the steps of the loop") {
  Body body = *chosen().body;
  std::vector<CompiledLoop> loops(body.loops, body.loops + body.loopCount);
  for (CompiledLoop& loop : loops) loop.run = countCall;
  body.loops = loops.data();
  for (std::size_t i = 0; i < loops.size(); ++i) {
    if (!inGroups(loops[i])) continue;
    CAPTURE(i);
    calls = 0;
    runFirst(LoopProgram(loops[i], {smallLayouts[1]}, false, Results::apart).code, body);
    CHECK(calls == 1);
    // A step is added.
    runFirst(LoopProgram(loops[i], {smallLayouts[1]}, true, Results::apart).code, body);
    CHECK(calls == 1);
    // The hash is equal, and the steps are not.
    const std::vector<LoopStep> steps(loops[i].steps.steps, loops[i].steps.steps + loops[i].steps.stepCount);
    std::vector<LoopStep> others = steps;
    others.back().in[0] = static_cast<std::uint16_t>(others.back().in[0] == 0 ? 1 : 0);
    CompiledLoop changed = loops[i];
    changed.steps.steps = others.data();
    body.loops = &changed;
    body.loopCount = 1;
    runFirst(LoopProgram(loops[i], {smallLayouts[1]}, false, Results::apart).code, body);
    CHECK(calls == 1);
    body.loops = loops.data();
    body.loopCount = loops.size();
  }
}
