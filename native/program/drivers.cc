// The instructions reduce, batch product and random. The drivers of kernels/ (reduce.h and product.h) check
// the arguments of the first two. The driver of reductions also calls the kernels. Batches are multiplied by
// gemm.h.
#include <algorithm>

#include "kernels/gemm.h"
#include "kernels/product.h"
#include "kernels/reduce.h"
#include "program/instruction.h"
#include "program/pool.h"

namespace forebay {

namespace {

// Builds the list of numbers that describes the operands to a driver. The driver checks the numbers.
class Geometry {
 public:
  bool allocate(int count) { return numbers_.allocate(static_cast<std::size_t>(count)); }
  void add(std::int64_t number) { numbers_[used_++] = static_cast<double>(number); }
  void add(const std::int64_t* numbers, int count) {
    for (int i = 0; i < count; ++i) add(numbers[i]);
  }
  const double* data() const { return numbers_.data(); }
  std::size_t size() const { return used_; }

 private:
  Items<double> numbers_;
  std::size_t used_ = 0;
};

// Returns an Array with the size of the buffer, for the checks of the drivers. Its address is a placeholder,
// because every run sets the actual address.
Array arrayOf(const Operands& operands, const Location& location, DType type) {
  alignas(8) static char placeholder[8];
  return {type, placeholder, static_cast<std::size_t>(operands.buffer(location).bytes) / sizeOf(type)};
}

std::int64_t elementOffset(const Location& location, DType type) {
  return location.offset / static_cast<std::int64_t>(sizeOf(type));
}

// Reads the kernel of an instruction. Returns null if the kernel is not of `family`.
const Kernel* readKernel(Reader& reader, const Body& body, Family family) {
  std::int64_t id = 0;
  if (!reader.integer({nullptr, -1, "the kernel"}, id, static_cast<std::int64_t>(body.kernelCount) - 1)) {
    return nullptr;
  }
  const Kernel& kernel = body.kernels[id];
  if (kernel.family == family) return &kernel;
  reader.refuse("the kernel is '%s' of family %s, expected %s", kernel.name, nameOf(kernel.family),
                nameOf(family));
  return nullptr;
}

// With less work than this, one thread does all the work. The units are elements of a reduction and
// multiply-adds of a product.
constexpr std::int64_t worthReducing = std::int64_t(1) << 18;
constexpr std::int64_t worthMultiplying = std::int64_t(1) << 20;

class Reduce final : public Instruction {
 public:
  // Divides the first kept axis into independent shares for threads. The shares do not depend on the number
  // of threads. If there is only one kept axis, shares are wide, so that the driver computes each in the same
  // way (side by side or one at a time) as the whole axis.
  void shareOut() {
    if (plan.keptRank == 0 || plan.keptCount == 0 || plan.reducedCount == 0) return;
    const std::int64_t size = plan.keptSizes[0], least = plan.keptRank > 1 ? 1 : narrowest;
    if (plan.keptCount < worthReducing / plan.reducedCount || size < 2 * least) return;
    each_ = ((size + mostShares - 1) / mostShares + least - 1) / least * least;
    shares_ = static_cast<int>((size + each_ - 1) / each_);
  }

  bool run(const Running& running) override {
    plan.in = address(in, running.bases);
    plan.out = address(out, running.bases);
    if (running.threads > 1 && shares_ > 1) {
      Pool::instance().run(running.threads, shares_, runShare, this);
    } else {
      for (int share = 0; share < shares_; ++share) runShare(this, share, 0);
    }
    return true;
  }

  // The plan has the fewest axes that describe the result.
  bool state(Reader& reader) {
    if (!stateResults(reader, 1)) return false;
    stateResult(0, outType, out, plan.keptSizes, plan.outStrides, plan.keptRank);
    return true;
  }

  ReducePlan plan;
  DType outType = DType::float32;
  Location in = {}, out = {};

 private:
  static constexpr std::int64_t narrowest = 128, mostShares = 16;

  static void runShare(void* context, int index, int) {
    const Reduce& reduce = *static_cast<const Reduce*>(context);
    if (reduce.shares_ == 1) return runReduce(reduce.plan);
    ReducePlan share = reduce.plan;
    const std::int64_t from = index * reduce.each_;
    share.keptSizes[0] = std::min(reduce.each_, share.keptSizes[0] - from);
    share.in += from * share.keptStrides[0] * static_cast<std::int64_t>(sizeOf(share.type));
    share.out += from * share.outStrides[0] * static_cast<std::int64_t>(sizeOf(reduce.outType));
    runReduce(share);
  }

  std::int64_t each_ = 0;
  int shares_ = 1;
};

class BatchProduct final : public Instruction {
 public:
  void planEach(const Body& body) {
    const Gemm& s = plan.shape;
    gemm_ = planGemm({plan.type, s.m, s.n, s.k, s.beta != 0, s.transA ? 1 : s.lda, s.transA ? s.lda : 1,
                      s.transB ? 1 : s.ldb, s.transB ? s.ldb : 1, s.ldc},
                     body);
    shareOut();
  }

  std::size_t scratchBytes() const override { return gemm_.scratchBytes; }

  // Divides the outermost batch axis into shares for threads, but only if the results of different positions
  // on this axis do not overlap. Batches that add to the same C must run in order.
  void shareOut() {
    if (plan.batchRank == 0 || plan.batchCount < 2 || plan.shape.m == 0 || plan.shape.n == 0) return;
    const auto work = static_cast<double>(plan.shape.m) * plan.shape.n * plan.shape.k;
    if (work * static_cast<double>(plan.batchCount) < static_cast<double>(worthMultiplying)) return;
    std::int64_t extent = std::int64_t(plan.shape.m - 1) * plan.shape.ldc + plan.shape.n;
    for (int d = 1; d < plan.batchRank; ++d) extent += (plan.batchSizes[d] - 1) * plan.cStrides[d];
    if (plan.cStrides[0] >= extent) shares_ = static_cast<int>(std::min(mostShares, plan.batchSizes[0]));
  }

  bool run(const Running& running) override {
    plan.a = address(a, running.bases);
    plan.b = address(b, running.bases);
    plan.c = address(c, running.bases);
    if (running.threads > 1 && shares_ > 1) {
      Task task = {*this, running};
      Pool::instance().run(running.threads, shares_, Task::run, &task);
    } else {
      multiply(plan, running.scratch);
    }
    return true;
  }

  bool state(Reader& reader) {
    if (!stateResults(reader, 1)) return false;
    std::int64_t sizes[maxRank], strides[maxRank];
    std::copy_n(plan.batchSizes, plan.batchRank, sizes);
    std::copy_n(plan.cStrides, plan.batchRank, strides);
    sizes[plan.batchRank] = plan.shape.m;
    strides[plan.batchRank] = plan.shape.ldc;
    sizes[plan.batchRank + 1] = plan.shape.n;
    strides[plan.batchRank + 1] = 1;
    stateResult(0, plan.type, c, sizes, strides, plan.batchRank + 2);
    return true;
  }

  ProductPlan plan;
  Location a = {}, b = {}, c = {};

 private:
  static constexpr std::int64_t mostShares = 64;

  struct Task {
    const BatchProduct& product;
    const Running& running;

    static void run(void* context, int index, int slot) {
      const auto& [product, running] = *static_cast<const Task*>(context);
      ProductPlan share = product.plan;
      const std::int64_t batches = share.batchSizes[0], from = batches * index / product.shares_;
      const auto size = static_cast<std::int64_t>(sizeOf(share.type));
      share.batchCount /= batches;
      share.batchSizes[0] = batches * (index + 1) / product.shares_ - from;
      share.batchCount *= share.batchSizes[0];
      share.a += from * share.aStrides[0] * size;
      share.b += from * share.bStrides[0] * size;
      share.c += from * share.cStrides[0] * size;
      product.multiply(share, running.scratchOf(slot));
    }
  };

  void multiply(const ProductPlan& batches, void* scratch) const {
    if (gemm_.shape.m == 0 || gemm_.shape.n == 0) return;  // there may be any number of empty batches
    forEachBatch(batches, [&](const char* left, const char* right, char* out) {
      runGemm(gemm_, left, right, out, scratch, 0, gemm_.parts);
    });
  }

  GemmPlan gemm_ = {};
  int shares_ = 1;
};

// The number of elements that a thread draws in one task.
constexpr std::int64_t drawnAtOnce = 16384;

class Random final : public Instruction {
 public:
  bool run(const Running& running) override {
    Task task = {*this, address(out, running.bases), running.run};
    const std::int64_t tasks = (count + drawnAtOnce - 1) / drawnAtOnce;
    if (running.threads > 1 && tasks > 1 && tasks <= INT32_MAX) {
      Pool::instance().run(running.threads, static_cast<int>(tasks), Task::run, &task);
    } else if (count > 0) {
      fill(seed, running.run, 0, 1, task.out, static_cast<std::size_t>(count));
    }
    return true;
  }

  DType type = DType::float32;
  FillFn fill = nullptr;
  std::uint64_t seed = 0;
  std::int64_t count = 0;
  Location out = {};

 private:
  struct Task {
    const Random& random;
    char* out;
    std::uint64_t run_;

    static void run(void* context, int index, int) {
      const Task& task = *static_cast<const Task*>(context);
      const Random& random = task.random;
      const std::int64_t from = index * drawnAtOnce;
      random.fill(random.seed, task.run_, static_cast<std::uint64_t>(from), 1,
                  task.out + from * static_cast<std::int64_t>(sizeOf(random.type)),
                  static_cast<std::size_t>(std::min(drawnAtOnce, random.count - from)));
    }
  };
};

template <class T>
std::unique_ptr<T> make(Reader& reader, const char* what) {
  std::unique_ptr<T> instruction(new (std::nothrow) T);
  if (!instruction) reader.outOfMemory(what);
  return instruction;
}

bool decode(Operands& operands, const Body& body, Reduce& reduce) {
  Reader& reader = operands.reader();
  const Kernel* kernel = readKernel(reader, body, Family::reduce);
  DType type;
  std::int64_t ranks[2], sizes[maxRank], inStrides[maxRank], outStrides[maxRank];
  if (kernel == nullptr || !reader.dtype({nullptr, -1, "the dtype"}, type)) return false;
  if (!kernel->routine(type)) return reader.refuse("'%s' does not exist for %s", kernel->name, nameOf(type));
  if (!reader.integers({nullptr, -1, "a rank"}, ranks, 2, maxRank)) return false;
  const int kept = static_cast<int>(ranks[0]), rank = static_cast<int>(ranks[0] + ranks[1]);
  if (rank > maxRank) return reader.refuse("the rank is %d, expected at most %d", rank, maxRank);
  reduce.outType = kernel->routine(type).fold->result;
  if (!reader.integers({nullptr, -1, "a size"}, sizes, rank) ||
      !operands.locate("the output", -1, Access::write, reduce.outType, reduce.out) ||
      !reader.integers({"the output", -1, "a stride"}, outStrides, kept) ||
      !operands.locate("the input", -1, Access::read, type, reduce.in) ||
      !reader.integers({"the input", -1, "a stride"}, inStrides, rank)) {
    return false;
  }
  Geometry geometry;
  if (!geometry.allocate(4 + kept + 2 * rank)) {
    return reader.outOfMemory("a reduction");
  }
  geometry.add(ranks, 2);
  geometry.add(sizes, rank);
  geometry.add(elementOffset(reduce.out, reduce.outType));
  geometry.add(outStrides, kept);
  geometry.add(elementOffset(reduce.in, type));
  geometry.add(inStrides, rank);
  Fault fault;
  if (!planReduce(reduce.plan, *kernel, geometry.data(), geometry.size(),
                  arrayOf(operands, reduce.out, reduce.outType), arrayOf(operands, reduce.in, type), fault)) {
    return reader.refuse("%s", fault.text());
  }
  reduce.shareOut();
  return reduce.state(reader);
}

bool decode(Operands& operands, const Body& body, BatchProduct& product) {
  Reader& reader = operands.reader();
  DType type;
  bool accumulate = false;
  std::int64_t rank = 0, sizes[maxRank], shape[8];
  std::int64_t strides[3][maxRank];
  if (!reader.dtype({nullptr, -1, "the dtype"}, type)) return false;
  const Kernel* kernel = nullptr;
  for (std::size_t id = 0; id < body.kernelCount && kernel == nullptr; ++id) {
    if (body.kernels[id].routine(type).gemm != nullptr) kernel = body.kernels + id;
  }
  if (kernel == nullptr) return reader.refuse("the dtype is %s, expected float32 or float64", nameOf(type));
  if (!reader.flag({nullptr, -1, "accumulate"}, accumulate)) return false;
  if (!reader.integer({nullptr, -1, "the batch rank"}, rank, maxRank - 2)) return false;
  const int batchRank = static_cast<int>(rank);
  if (!reader.integers({nullptr, -1, "a batch size"}, sizes, batchRank)) return false;
  if (!reader.integers({nullptr, -1, "m, n, k, a transpose flag or a leading dimension"}, shape, 8))
    return false;
  Location* const locations[] = {&product.a, &product.b, &product.c};
  static constexpr const char* names[] = {"a", "b", "c"};
  for (int i = 0; i < 3; ++i) {
    if (!operands.locate(names[i], -1, i == 2 ? Access::write : Access::read, type, *locations[i]) ||
        !reader.integers({names[i], -1, "a batch stride"}, strides[i], batchRank)) {
      return false;
    }
  }
  Geometry geometry;
  if (!geometry.allocate(12 + 4 * batchRank)) {
    return reader.outOfMemory("a batch product");
  }
  geometry.add(rank);
  geometry.add(sizes, batchRank);
  geometry.add(shape, 8);
  for (int i = 0; i < 3; ++i) {
    geometry.add(elementOffset(*locations[i], type));
    geometry.add(strides[i], batchRank);
  }
  Fault fault;
  if (!planProduct(product.plan, *kernel, geometry.data(), geometry.size(), 1, accumulate ? 1 : 0,
                   arrayOf(operands, product.c, type), arrayOf(operands, product.a, type),
                   arrayOf(operands, product.b, type), fault)) {
    return reader.refuse("%s", fault.text());
  }
  product.planEach(body);
  return product.state(reader);
}

bool decode(Operands& operands, const Body& body, Random& random) {
  Reader& reader = operands.reader();
  const Kernel* kernel = readKernel(reader, body, Family::random);
  std::int64_t seed = 0;
  if (kernel == nullptr || !reader.dtype({nullptr, -1, "the dtype"}, random.type)) return false;
  if (!kernel->routine(random.type)) {
    return reader.refuse("'%s' does not exist for %s", kernel->name, nameOf(random.type));
  }
  if (!reader.integer({nullptr, -1, "the seed"}, seed)) return false;
  if (!reader.integer({nullptr, -1, "the count"}, random.count)) return false;
  if (!operands.locate("the output", -1, Access::write, random.type, random.out)) return false;
  random.fill = kernel->routine(random.type).fill;
  random.seed = static_cast<std::uint64_t>(seed);
  const std::int64_t stride = 1;
  Extent extent;
  return operands.view("the output", -1, Access::write, random.type, random.out, &random.count, &stride, 1,
                       extent);
}

template <class T>
std::unique_ptr<Instruction> decodeAs(Operands& operands, const Body& body, const char* what) {
  std::unique_ptr<T> instruction = make<T>(operands.reader(), what);
  if (!instruction || !decode(operands, body, *instruction)) return nullptr;
  return instruction;
}

}  // namespace

std::unique_ptr<Instruction> decodeReduce(Operands& operands, const Body& body) {
  return decodeAs<Reduce>(operands, body, "a reduction");
}

std::unique_ptr<Instruction> decodeBatchProduct(Operands& operands, const Body& body) {
  return decodeAs<BatchProduct>(operands, body, "a batch product");
}

std::unique_ptr<Instruction> decodeRandom(Operands& operands, const Body& body) {
  return decodeAs<Random>(operands, body, "draws");
}

}  // namespace forebay
