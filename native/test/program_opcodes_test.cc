// Compares all opcodes except group with plain loops (program_plain.cc).
#include "kernels/gemm.h"
#include "program/code.h"
#include "test/program_samples.h"

using namespace forebay;
using namespace forebay::test;

namespace {

template <class Add>
void holdMany(int rounds, const Add& add) {
  Generator generator(12);
  for (int round = 0; round < rounds; ++round) {
    CAPTURE(round);
    Code code;
    Space space(code);
    add(generator, code, space);
    holdProgram(code, static_cast<std::uint64_t>(round));
  }
}

}  // namespace

TEST_CASE("products equal those of three loops") { holdMany(500, addSomeProduct); }
TEST_CASE("packed products equal those of three loops") { holdMany(500, addSomePackedProduct); }
TEST_CASE("reductions equal those of loops") { holdMany(500, addSomeReduction); }
TEST_CASE("batched products equal those of loops") { holdMany(300, addSomeBatchProduct); }
TEST_CASE("random draws depend on their seed and run") { holdMany(100, addSomeRandom); }
TEST_CASE("loops equal loops that execute one instruction after another") { holdMany(600, addSomeLoop); }
TEST_CASE("copies move every element") {
  holdMany(500, [](Generator& generator, Code& code, Space& space) {
    addSomeCopy(generator, code, space, false);
    code.writesBegin();
    addSomeCopy(generator, code, space, true);
  });
}

TEST_CASE("large reductions that are split among threads are complete") {
  struct Case {
    std::vector<double> sizes, outStrides, inStrides;  // the kept axes are first
  };
  const Case cases[] = {{{1025, 300}, {1}, {1, 1030}},                // reduces columns
                        {{2100, 130}, {2}, {131, 1}},                 // reduces rows, with gaps
                        {{3, 7, 13000}, {7, 1}, {1, 3, 21}},          // reduces the outermost axis
                        {{5, 1, 60000}, {1, 1}, {60000, 300000, 1}},  // reduces few rows
                        {{300, 40, 25}, {40, 1}, {1000, 1, 40}}};     // reduces the middle axis
  for (const char* name : {"sum", "max", "argmax"}) {
    for (const Case& one : cases) {
      Code code;
      const auto kept = one.outStrides.size(), rank = one.sizes.size();
      double results = 1, elements = 1;
      for (std::size_t d = 0; d < rank; ++d) elements += (one.sizes[d] - 1) * one.inStrides[d];
      for (std::size_t d = 0; d < kept; ++d) results += (one.sizes[d] - 1) * one.outStrides[d];
      code.buffer(arena, static_cast<std::int64_t>(4 * results));
      const double x = code.buffer(feed, static_cast<std::int64_t>(4 * elements));
      code.add(reduce, {{idOf(Family::reduce, name), f32, static_cast<double>(kept),
                         static_cast<double>(rank - kept)},
                        one.sizes,
                        {0, 0},
                        one.outStrides,
                        {x, 0},
                        one.inStrides});
      CAPTURE(name);
      CAPTURE(rank);
      CAPTURE(results);
      holdProgram(code);
    }
  }
}

TEST_CASE("large batched products are split among threads only if each has its own result") {
  const double m = 40, n = 50, k = 60;
  for (const double step : {m * n, 1.0, 0.0}) {
    Code code;
    const double elements = 10 * step + m * n;
    code.buffer(arena, static_cast<std::int64_t>(4 * elements));
    const double a = code.buffer(feed, 11 * 40 * 60 * 4), b = code.buffer(feed, 60 * 50 * 4);
    code.add(batchProduct, {{f32, 1, 1, 11, m, n, k, 0, 0, k, n, n, a, 0, m * k, b, 0, 0, 0, 0, step}});
    CAPTURE(step);
    holdProgram(code);
  }
}

TEST_CASE("threads that share batches have scratch memory of their own") {
  // Both packed operands need it: a transposed B, and a transposed A beside many columns.
  const double m = 40, n = 150, k = 60;
  for (const bool left : {false, true}) {
    for (const double terms : {k, 0.0}) {
      Code code;
      code.buffer(arena, static_cast<std::int64_t>(8 * m * n * 4));
      const double a = code.buffer(feed, static_cast<std::int64_t>(8 * m * k * 4));
      const double b = code.buffer(feed, static_cast<std::int64_t>(8 * k * n * 4));
      code.add(batchProduct, {{f32,   0, 1, 8,     m, n, terms, left ? 1.0 : 0.0, 1, left ? m : k, k, n, a, 0,
                               m * k, b, 0, k * n, 0, 0, m * n}});
      CAPTURE(left);
      CAPTURE(terms);
      holdProgram(code);
    }
  }
}

TEST_CASE("batches without elements end at once, whatever their number and strides") {
  Code code;
  code.buffer(arena, 64);
  const double a = code.buffer(feed, 64), b = code.buffer(feed, 64), many = 0x1p31;
  code.add(batchProduct,
           {{f32, 0, 2, many, 1000, 3, 0, 2, 0, 0, 2, 1, 1, a, 0, 0, 0, b, 0, many, many, 0, 0, many, many}});
  holdProgram(code);
}

TEST_CASE("large products, packs, draws and copies that are split among threads are complete") {
  const double m = 130, n = 300, k = 400;
  Code code;
  const auto panels = static_cast<double>((packedBytes(DType::float32, 400, 300) + 63) / 64 * 64);
  const double results = m * n * 4;
  code.buffer(arena, static_cast<std::int64_t>(panels + 3 * results) + 700000 * 4);
  const double a = code.buffer(feed, 130 * 400 * 4), b = code.buffer(feed, 400 * 300 * 4);
  code.add(pack, {{f32, k, n, 0, 0, 2, 0, 0, 3, n, b, 0, n, 1, 3, 0, k - 3, n, b, 3 * n * 4, n, 1}});
  code.add(packedProduct, {{f32, m, n, k, 0, a, 0, k, 1, 0, 0, 0, panels, n}});
  code.add(product, {{f32, m, n, k, 0, a, 0, k, 1, b, 0, n, 1, 0, panels + results, n}});
  code.add(product, {{f32, m, n, k, 1, a, 0, 1, m, b, 0, 1, k, 0, panels + 2 * results, n}});
  code.add(draw, {{idOf(Family::random, "normal"), f32, 7, 300001, 0, panels + 3 * results}});
  code.add(copy, {{f32, 2, 400, 300, b, 0, 1, 400, 0, panels + 3 * results + 4 * 310000, 300, 1}});
  holdProgram(code);
}

TEST_CASE("random programs use every opcode") {
  Generator generator(11);
  std::int64_t uses[opcodeCount] = {};
  for (int round = 0; round < 500; ++round) {
    for (const Code::Numbers& instruction : someProgram(generator).instructions) {
      ++uses[static_cast<std::size_t>(instruction[0]) - 1];
    }
  }
  for (std::int64_t i = 0; i < opcodeCount; ++i) {
    CAPTURE(std::string(opcodes[i].name));
    CHECK(uses[i] >= 20);
  }
}
