// The instructions product (of unpacked operands) and packed product (whose right operand was packed into
// panels).
#include <algorithm>

#include "kernels/gemm.h"
#include "program/finite.h"
#include "program/instruction.h"
#include "program/panels.h"
#include "program/pool.h"

namespace forebay {

namespace {

// A matrix in a buffer. The code of a program gives an operand that is read as [buffer, byteOffset,
// rowStride, columnStride]. For the result it gives no column stride, which is 1.
struct Matrix {
  Location location;
  std::int64_t sizes[2], strides[2];
  Extent extent;
};

bool readMatrix(Operands& operands, const char* name, Access access, DType type, std::int64_t rows,
                std::int64_t columns, Matrix& matrix) {
  Reader& reader = operands.reader();
  matrix.sizes[0] = rows;
  matrix.sizes[1] = columns;
  matrix.strides[1] = 1;
  if (!operands.locate(name, -1, access, type, matrix.location)) return false;
  if (!reader.integer({name, -1, "the row stride"}, matrix.strides[0], maxExtent)) return false;
  if (access == Access::read) {
    if (!reader.integer({name, -1, "the column stride"}, matrix.strides[1], maxExtent)) return false;
  }
  return operands.view(name, -1, access, type, matrix.location, matrix.sizes, matrix.strides, 2,
                       matrix.extent);
}

// Checks that the matrix is contiguous along one axis, and that the stride of the other axis is at least the
// extent of the contiguous axis.
bool checkStrides(Reader& reader, const char* name, const Matrix& matrix) {
  for (const int inner : {1, 0}) {
    const int other = 1 - inner;
    const bool contiguous = matrix.strides[inner] == 1 || matrix.sizes[inner] <= 1;
    if (contiguous && (matrix.strides[other] >= matrix.sizes[inner] || matrix.sizes[other] <= 1)) return true;
  }
  return reader.refuse(
      "%s is %lld x %lld with strides %lld and %lld, expected one stride to be 1 and the other "
      "to be at least the extent of that axis",
      name, static_cast<long long>(matrix.sizes[0]), static_cast<long long>(matrix.sizes[1]),
      static_cast<long long>(matrix.strides[0]), static_cast<long long>(matrix.strides[1]));
}

// Returns true if two matrices with the same row stride have an element in common. Returns false if the row
// strides differ. Such matrices may have common elements, but these make only the values of the result
// unspecified. The buffer of `other` begins `apart` bytes after that of c.
bool shareElementsAt(const Matrix& c, Matrix other, std::int64_t apart, std::int64_t size) {
  if (other.strides[1] != 1) {
    std::swap(other.sizes[0], other.sizes[1]);
    std::swap(other.strides[0], other.strides[1]);
  }
  const std::int64_t stride = c.strides[0];
  if (other.strides[1] != 1 || (other.strides[0] != stride && other.sizes[0] > 1 && c.sizes[0] > 1))
    return false;
  if (stride == 0) return true;  // both matrices have one row, and their extents overlap
  // `other` begins `rows` rows below and `column` columns to the right of the start of c. A row of `other`
  // may extend past the end of a row of c, into the next row.
  const std::int64_t distance = (other.location.offset + apart - c.location.offset) / size;
  std::int64_t rows = distance / stride, column = distance % stride;
  if (column < 0) {
    column += stride;
    --rows;
  }
  const auto rowsOverlap = [&](std::int64_t first) {
    return first < c.sizes[0] && first + other.sizes[0] > 0;
  };
  if (column < c.sizes[1] && rowsOverlap(rows)) return true;
  return column + other.sizes[1] > stride && rowsOverlap(rows + 1);
}

// The same for all positions of their buffers, which may be windows. If these positions are not known
// exactly, returns true if the extents of the matrices may overlap.
bool shareElements(const Matrix& c, const Matrix& other, std::int64_t size) {
  const Distances distances(c.extent.buffers, c.extent.buffer, other.extent.buffer);
  return std::any_of(distances.begin(), distances.end(), [&](const Distances::Range& apart) {
    return c.extent.overlapsAt(apart, other.extent) &&
           (apart.least != apart.most || shareElementsAt(c, other, apart.least, size));
  });
}

bool checkApart(Reader& reader, const Matrix& c, const Matrix& other, const char* name, std::int64_t size) {
  return !shareElements(c, other, size) || reader.refuse("c overlaps %s", name);
}

// Computes C = A B or C += A B, with an unpacked B or with a B in panels.
class Product final : public Instruction {
 public:
  Product(const GemmPlan& plan, const Location& a, const Location& b, const Location& c)
      : plan_(plan), a_(a), b_(b), c_(c) {}

  std::size_t scratchBytes() const override { return plan_.scratchBytes; }

  bool run(const Running& running) override {
    Task task = {plan_,
                 address(a_, running.bases),
                 address(b_, running.bases),
                 address(c_, running.bases),
                 running,
                 static_cast<int>(std::min<std::int64_t>(running.threads, plan_.parts))};
    if (task.count <= 1) {
      runGemm(plan_, task.a, task.b, task.c, running.scratch, 0, plan_.parts);
    } else {
      Pool::instance().run(running.threads, task.count, Task::run, &task);
    }
    if (!running.check || plan_.shape.m == 0 || plan_.shape.n == 0) return true;
    const std::int64_t sizes[] = {plan_.shape.m, plan_.shape.n}, strides[] = {plan_.shape.cRow, 1};
    return viewFinite(plan_.shape.type, task.c, sizes, strides, 2);
  }

 private:
  struct Task {
    const GemmPlan& plan;
    const char *a, *b;
    char* c;
    const Running& running;
    int count;

    static void run(void* context, int index, int slot) {
      const Task& task = *static_cast<const Task*>(context);
      runGemm(task.plan, task.a, task.b, task.c, task.running.scratchOf(slot),
              gemmShare(task.plan, task.count, index), gemmShare(task.plan, task.count, index + 1));
    }
  };

  const GemmPlan plan_;
  const Location a_, b_, c_;
};

std::unique_ptr<Instruction> decodeAny(Operands& operands, const Body& body, bool packed) {
  Reader& reader = operands.reader();
  GemmShape shape = {};
  std::int64_t extents[3];
  if (!readFloatType(reader, shape.type)) return nullptr;
  if (!reader.integers({nullptr, -1, "m, n or k"}, extents, 3, maxExtent)) return nullptr;
  if (!reader.flag({nullptr, -1, "accumulate"}, shape.accumulate)) return nullptr;
  shape.m = extents[0];
  shape.n = extents[1];
  shape.k = extents[2];
  Matrix a = {}, b = {}, c = {};
  if (!readMatrix(operands, "a", Access::read, shape.type, shape.m, shape.k, a)) return nullptr;
  if (!checkStrides(reader, "a", a)) return nullptr;
  if (packed) {
    if (!operands.locate("b", -1, Access::read, shape.type, b.location)) return nullptr;
    if (!checkPanels(operands, "b", shape.type, shape.k, shape.n, body, b.location, b.extent)) return nullptr;
  } else {
    if (!readMatrix(operands, "b", Access::read, shape.type, shape.k, shape.n, b)) return nullptr;
    if (!checkStrides(reader, "b", b)) return nullptr;
  }
  if (!readMatrix(operands, "c", Access::write, shape.type, shape.m, shape.n, c)) return nullptr;
  if (c.strides[0] < shape.n) {
    reader.refuse("the row stride of c is %lld, expected at least its %lld columns",
                  static_cast<long long>(c.strides[0]), static_cast<long long>(shape.n));
    return nullptr;
  }
  const auto size = static_cast<std::int64_t>(sizeOf(shape.type));
  if (!checkApart(reader, c, a, "a", size)) return nullptr;
  if (packed ? c.extent.overlaps(b.extent) : !checkApart(reader, c, b, "b", size)) {
    if (packed) reader.refuse("c overlaps b");
    return nullptr;
  }
  shape.aRow = a.strides[0];
  shape.aColumn = a.strides[1];
  shape.bRow = b.strides[0];
  shape.bColumn = b.strides[1];
  shape.cRow = c.strides[0];
  const GemmPlan plan = packed ? planPanels(shape, body) : planGemm(shape, body);
  std::unique_ptr<Instruction> product(new (std::nothrow) Product(plan, a.location, b.location, c.location));
  if (!product) reader.outOfMemory("a product");
  return product;
}

}  // namespace

std::unique_ptr<Instruction> decodeProduct(Operands& operands, const Body& body) {
  return decodeAny(operands, body, false);
}

std::unique_ptr<Instruction> decodePackedProduct(Operands& operands, const Body& body) {
  return decodeAny(operands, body, true);
}

}  // namespace forebay
