// A second, simple interpreter of the code of programs. Tests compare programs with it. It checks nothing.
#include <array>
#include <cmath>

#include "kernels/gemm.h"
#include "program/pool.h"
#include "test/loop_plain.h"
#include "test/program_support.h"
#include "test/routine_plain.h"
#include "test/row_group_plain.h"

namespace forebay::test {

namespace {

class Plain {
 public:
  Plain(Memory& memory, std::uint64_t run) : memory_(memory), run_(run) {}

  void instruction(const double* numbers) {
    next_ = numbers;
    const auto operation = static_cast<Operation>(number());
    number();
    switch (operation) {
      case group:
        return runGroup();
      case product:
        return runProduct(false);
      case pack:
        return runPack();
      case packedProduct:
        return runProduct(true);
      case reduce:
        return runReduction();
      case batchProduct:
        return runBatchProduct();
      case draw:
        return runRandom();
      case copy:
        return runCopy();
      case routine:
        return runRoutine();
      case rowGroup:
        return runRowGroupPlainly(next_, memory_);
      case loop:
        return runLoopPlainly(next_, memory_, [this](const double* one) { instruction(one); });
    }
  }

 private:
  std::int64_t number() { return static_cast<std::int64_t>(*next_++); }
  DType dtype() { return static_cast<DType>(number()); }
  std::vector<std::int64_t> numbers(std::int64_t count) {
    std::vector<std::int64_t> list(static_cast<std::size_t>(count));
    for (std::int64_t& one : list) one = number();
    return list;
  }
  const Kernel& kernel() { return chosen().body->kernels[number()]; }

  struct Strided {
    char* data;
    std::vector<std::int64_t> strides;

    char* at(DType type, const std::vector<std::int64_t>& position) const {
      std::int64_t index = 0;
      for (std::size_t d = 0; d < strides.size(); ++d) index += position[d] * strides[d];
      return data + index * static_cast<std::int64_t>(sizeOf(type));
    }
  };
  char* location() {
    char* const start = memory_.start(*next_++);
    return start + number();
  }
  Strided strided(std::int64_t rank) {
    char* data = location();
    return {data, numbers(rank)};
  }

  // Calls `body` for every position of an index space, in row-major order.
  template <class Body>
  static void each(const std::vector<std::int64_t>& sizes, const Body& body) {
    std::int64_t count = 1;
    for (const std::int64_t size : sizes) count *= size;
    std::vector<std::int64_t> position(sizes.size());
    for (std::int64_t i = 0; i < count; ++i) {
      std::int64_t rest = i;
      for (std::size_t d = sizes.size(); d-- > 0;) {
        position[d] = rest % sizes[d];
        rest /= sizes[d];
      }
      body(position);
    }
  }

  static double value(DType type, const char* at) {
    if (type == DType::float64) return *reinterpret_cast<const double*>(at);
    return static_cast<double>(*reinterpret_cast<const float*>(at));
  }
  static void setValue(DType type, char* at, double value) {
    if (type == DType::float64) {
      *reinterpret_cast<double*>(at) = value;
    } else {
      *reinterpret_cast<float*>(at) = static_cast<float>(value);
    }
  }

  struct Listed {
    DType type;
    std::size_t number;
  };
  std::vector<Listed> listed(std::int64_t count) {
    std::vector<Listed> list(static_cast<std::size_t>(count));
    for (Listed& one : list) {
      one.type = dtype();
      one.number = static_cast<std::size_t>(number());
    }
    return list;
  }

  void runGroup() {
    const std::vector<std::int64_t> counts = numbers(7);
    const std::int64_t rank = counts[1];
    std::vector<std::array<char, 8>> registers(static_cast<std::size_t>(counts[2]));
    const std::vector<Listed> loads = listed(counts[3]);
    const double* const steps = next_;
    next_ += 6 * counts[4];
    const std::vector<Listed> stores = listed(counts[5]), closes = listed(counts[6]);
    for (std::int64_t segment = 0; segment < counts[0]; ++segment) {
      const std::vector<std::int64_t> sizes = numbers(rank);
      std::vector<Strided> from, to;
      for (std::size_t i = 0; i < loads.size(); ++i) from.push_back(strided(rank));
      for (std::size_t i = 0; i < stores.size(); ++i) to.push_back(strided(rank));
      std::vector<char*> sums;
      for (std::size_t i = 0; i < closes.size(); ++i) sums.push_back(location());
      std::vector<double> totals(closes.size(), 0.0);
      each(sizes, [&](const std::vector<std::int64_t>& position) {
        for (std::size_t i = 0; i < loads.size(); ++i) {
          std::memcpy(registers[loads[i].number].data(), from[i].at(loads[i].type, position),
                      sizeOf(loads[i].type));
        }
        const double* const after = next_;
        next_ = steps;
        for (std::int64_t i = 0; i < counts[4]; ++i) oneStep(registers);
        next_ = after;
        for (std::size_t i = 0; i < stores.size(); ++i) {
          std::memcpy(to[i].at(stores[i].type, position), registers[stores[i].number].data(),
                      sizeOf(stores[i].type));
        }
        for (std::size_t i = 0; i < closes.size(); ++i) {
          totals[i] += value(closes[i].type, registers[closes[i].number].data());
        }
      });
      for (std::size_t i = 0; i < closes.size(); ++i) setValue(closes[i].type, sums[i], totals[i]);
    }
  }

  void oneStep(std::vector<std::array<char, 8>>& registers) {
    const Kernel& step = kernel();
    const DType type = dtype();
    char* const out = registers[static_cast<std::size_t>(number())].data();
    const void* in[maxArity] = {};
    for (const void*& input : in) {
      const std::int64_t index = number();
      if (index >= 0) input = registers[static_cast<std::size_t>(index)].data();
    }
    step.routine(type).tile()(out, in, 1);
  }

  void runProduct(bool packed) {
    const DType type = dtype();
    const std::int64_t m = number(), n = number(), k = number(), accumulate = number();
    const Strided a = strided(2);
    const Strided b = packed ? Strided{location(), {}} : strided(2);
    Strided c = strided(1);
    c.strides.push_back(1);
    const std::int64_t width = panelWidth(type);
    each({m, n}, [&](const std::vector<std::int64_t>& at) {
      char* const element = c.at(type, at);
      double sum = accumulate != 0 ? value(type, element) : 0;
      for (std::int64_t p = 0; p < k; ++p) {
        const std::int64_t inPanels = (at[1] / width * k + p) * width + at[1] % width;
        const char* right =
            packed ? b.data + inPanels * static_cast<std::int64_t>(sizeOf(type)) : b.at(type, {p, at[1]});
        sum += value(type, a.at(type, {at[0], p})) * value(type, right);
      }
      setValue(type, element, sum);
    });
  }

  void runPack() {
    const DType type = dtype();
    const std::int64_t k = number(), n = number();
    char* const panels = location();
    const std::int64_t width = panelWidth(type), columns = (n + width - 1) / width * width;
    const auto at = [&](std::int64_t p, std::int64_t j) {
      return panels + ((j / width * k + p) * width + j % width) * static_cast<std::int64_t>(sizeOf(type));
    };
    each({k, columns}, [&](const std::vector<std::int64_t>& p) { setValue(type, at(p[0], p[1]), 0); });
    for (std::int64_t pieces = number(); pieces > 0; --pieces) {
      const std::vector<std::int64_t> area = numbers(4);
      const Strided piece = strided(2);
      each({area[2], area[3]}, [&](const std::vector<std::int64_t>& p) {
        setValue(type, at(area[0] + p[0], area[1] + p[1]), value(type, piece.at(type, p)));
      });
    }
  }

  // Computes sums, maxima, and indices of the first maximum.
  void runReduction() {
    const Kernel& of = kernel();
    const DType type = dtype();
    const Fold::Kind kind = of.routine(type).fold->kind;
    const std::int64_t keptRank = number(), reducedRank = number();
    const std::vector<std::int64_t> kept = numbers(keptRank), reduced = numbers(reducedRank);
    const Strided out = strided(keptRank), in = strided(keptRank + reducedRank);
    each(kept, [&](const std::vector<std::int64_t>& position) {
      double sum = 0, best = -INFINITY;
      std::int32_t index = 0, where = 0;
      each(reduced, [&](const std::vector<std::int64_t>& inner) {
        std::vector<std::int64_t> all = position;
        all.insert(all.end(), inner.begin(), inner.end());
        const double element = value(type, in.at(type, all));
        sum += element;
        if (element > best) {
          best = element;
          where = index;
        }
        ++index;
      });
      if (kind == Fold::Kind::argmax) {
        std::memcpy(out.at(DType::int32, position), &where, sizeof where);
      } else {
        setValue(type, out.at(type, position), kind == Fold::Kind::sum ? sum : best);
      }
    });
  }

  void runBatchProduct() {
    const DType type = dtype();
    const bool accumulate = number() != 0;
    const std::int64_t rank = number();
    const std::vector<std::int64_t> sizes = numbers(rank), shape = numbers(8);
    Strided views[] = {strided(rank), strided(rank), strided(rank)};
    // Appends the strides of the rows and columns of op(A), op(B) and C to the batch strides.
    for (int i = 0; i < 3; ++i) {
      const bool transposed = i < 2 && shape[static_cast<std::size_t>(3 + i)] != 0;
      const std::int64_t leading = shape[static_cast<std::size_t>(5 + i)];
      views[i].strides.push_back(transposed ? 1 : leading);
      views[i].strides.push_back(transposed ? leading : 1);
    }
    std::vector<std::int64_t> all = sizes;
    all.push_back(shape[0]);
    all.push_back(shape[1]);
    each(all, [&](std::vector<std::int64_t> at) {
      const std::int64_t i = at[at.size() - 2], j = at.back();
      char* const element = views[2].at(type, at);
      double sum = accumulate ? value(type, element) : 0;
      for (std::int64_t p = 0; p < shape[2]; ++p) {
        at[at.size() - 2] = i;
        at.back() = p;
        const double left = value(type, views[0].at(type, at));
        at[at.size() - 2] = p;
        at.back() = j;
        sum += left * value(type, views[1].at(type, at));
      }
      setValue(type, element, sum);
    });
  }

  void runRandom() {
    const Kernel& of = kernel();
    const DType type = dtype();
    const auto seed = static_cast<std::uint64_t>(number());
    const auto count = static_cast<std::size_t>(number());
    of.routine(type).fill(seed, run_, 0, 1, location(), count);
  }

  void runCopy() {
    const DType type = dtype();
    const std::int64_t rank = number();
    const std::vector<std::int64_t> sizes = numbers(rank);
    const Strided in = strided(rank), out = strided(rank);
    each(sizes, [&](const std::vector<std::int64_t>& position) {
      std::memcpy(out.at(type, position), in.at(type, position), sizeOf(type));
    });
  }

  static double element(DType type, const char* at) {
    if (sizeOf(type) == 1) return static_cast<double>(*reinterpret_cast<const std::uint8_t*>(at));
    return type == DType::int32 ? static_cast<double>(*reinterpret_cast<const std::int32_t*>(at))
                                : value(type, at);
  }
  static void setElement(DType type, char* at, double value) {
    if (sizeOf(type) == 1) {
      *reinterpret_cast<std::uint8_t*>(at) = static_cast<std::uint8_t>(value);
    } else if (type == DType::int32) {
      *reinterpret_cast<std::int32_t*>(at) = static_cast<std::int32_t>(value);
    } else {
      setValue(type, at, value);
    }
  }

  void runRoutine() {
    const RoutineRow& row = *routines[number()];
    std::vector<DType> types;
    for (int i = 0; i < row.operands(); ++i) types.push_back(dtype());
    std::vector<PlainOperand> operands(types.size());
    std::vector<Strided> views;
    for (std::size_t i = 0; i < operands.size(); ++i) {
      operands[i].sizes = numbers(number());
      views.push_back(strided(static_cast<std::int64_t>(operands[i].sizes.size())));
      each(operands[i].sizes, [&](const std::vector<std::int64_t>& position) {
        const bool read = static_cast<int>(i) < row.reads;
        operands[i].elements.push_back(read ? element(types[i], views[i].at(types[i], position)) : 0);
      });
    }
    bool empty = false;
    for (std::size_t i = static_cast<std::size_t>(row.reads); i < operands.size(); ++i) {
      empty = empty || operands[i].elements.empty();
    }
    if (empty) return;
    runRoutinePlainly(row, types[0], operands, numbers(row.integers));
    for (std::size_t i = static_cast<std::size_t>(row.reads); i < operands.size(); ++i) {
      std::size_t next = 0;
      each(operands[i].sizes, [&](const std::vector<std::int64_t>& position) {
        setElement(types[i], views[i].at(types[i], position), operands[i].elements[next++]);
      });
    }
  }

  Memory& memory_;
  const std::uint64_t run_;
  const double* next_ = nullptr;
};

}  // namespace

void runPlainly(const Code& code, Memory& memory, std::uint64_t run) {
  // Draws, which have no memory in a program, are arrays here.
  for (std::size_t i = 0; i < code.buffers.size(); ++i) {
    const Code::Numbers& buffer = code.buffers[i];
    if (buffer[0] != static_cast<double>(drawn)) continue;
    const auto type = static_cast<DType>(buffer[3]);
    Bytes& bytes = memory.buffers[i];
    chosen().body->kernels[static_cast<std::size_t>(buffer[2])].routine(type).fill(
        static_cast<std::uint64_t>(buffer[4]), run, 0, 1, bytes.data(), bytes.size() / sizeOf(type));
  }
  const auto copyOutputs = [&] {
    for (std::size_t i = 0; i < code.outputs.size(); ++i) {
      const Code::Numbers& output = code.outputs[i];
      const Bytes& buffer = memory.buffers[static_cast<std::size_t>(output[2])];
      std::copy_n(buffer.data() + static_cast<std::size_t>(output[3]), memory.outputs[i].size(),
                  memory.outputs[i].data());
    }
  };
  bool copied = false;
  for (std::size_t i = 0; i < code.instructions.size(); ++i) {
    if (static_cast<double>(i) == code.writeStart) {
      copyOutputs();
      copied = true;
    }
    Plain(memory, run).instruction(code.instructions[i].data());
  }
  if (!copied) copyOutputs();
}

void showArena(Code& code) {
  const double bytes = code.buffers[0][1], words = std::floor(bytes / 4);
  const double from = code.buffer(feed, static_cast<std::int64_t>(bytes));
  const Code::Numbers fill = {copy, 10, i32, 1, words, from, 0, 1, 0, 0, 1};
  const auto at = static_cast<std::ptrdiff_t>(code.onceCount);
  code.instructions.insert(code.instructions.begin() + at, fill);
  code.instructions[static_cast<std::size_t>(at)][1] = static_cast<double>(fill.size());
  if (code.writeStart >= 0) ++code.writeStart;
  code.outputs.push_back({i32, words, 0, 0});
}

void holdProgram(const Code& original, std::uint64_t seed) {
  Code code = original;
  showArena(code);
  Memory expected(code, seed);
  runPlainly(code, expected, 3);
  const int before = Pool::instance().threads();
  Pool::instance().setThreads(4);
  for (const int threads : {1, 4}) {
    Memory memory(code, seed);
    const std::unique_ptr<Program> program = create(code, memory);
    RunArguments arguments;
    arguments.run = 3;
    arguments.threads = threads;
    arguments.checkFinite = threads == 4;  // the instructions that write run twice, with the same result
    CHECK(run(*program, memory, arguments) == RunResult::done);
    CAPTURE(threads);
    for (std::size_t i = 0; i < memory.outputs.size(); ++i) {
      CAPTURE(i);
      CHECK(memory.output<std::int32_t>(i) == expected.output<std::int32_t>(i));
    }
    for (std::size_t i = 1; i < memory.buffers.size(); ++i) {
      CAPTURE(i);
      if (memory.kinds[i] == drawn) continue;
      CHECK((memory.buffers[i] == expected.buffers[i]));
    }
  }
  Pool::instance().setThreads(before);
}

}  // namespace forebay::test
