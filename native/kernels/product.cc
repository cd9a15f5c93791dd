#include "kernels/product.h"

#include <algorithm>
#include <climits>
#include <cstring>

namespace forebay {

namespace {

// The view of one operand as it is stored: the batch axes, then the rows, then the columns.
struct Stored {
  std::int64_t sizes[maxRank];
  std::int64_t strides[maxRank];
  std::int64_t offset;
};

bool checkDtypes(const Kernel& kernel, const Array& out, const Array& a, const Array& b, Fault& fault) {
  if (kernel.family != Family::product) {
    return fault.argument("product: kernel '%s' is of family %s, expected product", kernel.name,
                          nameOf(kernel.family));
  }
  if (a.dtype != b.dtype || a.dtype != out.dtype) {
    return fault.argument("product: dtypes differ: a is %s, b is %s, the output is %s", nameOf(a.dtype),
                          nameOf(b.dtype), nameOf(out.dtype));
  }
  if (!kernel.routine(a.dtype)) {
    return fault.argument("product: kernel '%s' does not exist for %s", kernel.name, nameOf(a.dtype));
  }
  return true;
}

bool readOperand(GeometryReader& reader, const char* role, const Array& array, const ProductPlan& plan,
                 std::int64_t rows, std::int64_t columns, std::int64_t leading, std::int64_t* batchStrides,
                 const char*& data, Fault& fault) {
  Stored view;
  const int rank = plan.batchRank;
  if (!reader.integer("an offset", view.offset)) return false;
  if (!reader.integers("a batch stride", batchStrides, rank)) return false;
  if (leading < std::max<std::int64_t>(columns, 1)) {
    return fault.argument("product: the leading dimension of %s is %lld, expected at least its %lld columns",
                          role, static_cast<long long>(leading), static_cast<long long>(columns));
  }
  std::copy_n(plan.batchSizes, rank, view.sizes);
  std::copy_n(batchStrides, rank, view.strides);
  view.sizes[rank] = rows;
  view.strides[rank] = leading;
  view.sizes[rank + 1] = columns;
  view.strides[rank + 1] = 1;
  if (!checkExtent("product", role, array, view.offset, view.sizes, view.strides, rank + 2, fault))
    return false;
  data = address(array, view.offset);
  return true;
}

bool readGeometry(ProductPlan& plan, const double* geometry, std::size_t length, const Array& out,
                  const Array& a, const Array& b, Fault& fault) {
  GeometryReader reader("product", geometry, length, fault);
  if (!reader.rank("the batch rank", plan.batchRank)) return false;
  if (plan.batchRank > maxRank - 2) {
    return fault.argument("product: %d batch axes, expected at most %d", plan.batchRank, maxRank - 2);
  }
  if (!reader.integers("a batch size", plan.batchSizes, plan.batchRank)) return false;
  if (!countElements("product", plan.batchSizes, plan.batchRank, plan.batchCount, fault)) return false;

  // The limit is INT_MAX, because OpenBLAS takes dimensions of type int.
  std::int64_t mnk[3], transposed[2], leading[3];
  if (!reader.integers("m, n or k", mnk, 3, INT_MAX)) return false;
  if (!reader.integers("a transpose flag", transposed, 2, 1)) return false;
  if (!reader.integers("a leading dimension", leading, 3, INT_MAX)) return false;
  const auto [m, n, k] = mnk;
  const bool transA = transposed[0] == 1, transB = transposed[1] == 1;
  plan.shape.transA = transA;
  plan.shape.transB = transB;
  plan.shape.m = static_cast<int>(m);
  plan.shape.n = static_cast<int>(n);
  plan.shape.k = static_cast<int>(k);
  plan.shape.lda = static_cast<int>(leading[0]);
  plan.shape.ldb = static_cast<int>(leading[1]);
  plan.shape.ldc = static_cast<int>(leading[2]);

  const char* c = nullptr;
  if (!readOperand(reader, "a", a, plan, transA ? k : m, transA ? m : k, leading[0], plan.aStrides, plan.a,
                   fault) ||
      !readOperand(reader, "b", b, plan, transB ? n : k, transB ? k : n, leading[1], plan.bStrides, plan.b,
                   fault) ||
      !readOperand(reader, "the output", out, plan, m, n, leading[2], plan.cStrides, c, fault)) {
    return false;
  }
  if (k == 0) {
    // A and B are empty. Their strides are set to 0, because checkExtent has not checked them.
    std::fill_n(plan.aStrides, plan.batchRank, 0);
    std::fill_n(plan.bStrides, plan.batchRank, 0);
  }
  plan.c = const_cast<char*>(c);  // readOperand takes const pointers, for inputs and output
  return reader.end();
}

// Computes C = beta C, the result for k = 0. If beta is 0, writes zeros without multiplying, because NaN * 0
// is NaN.
template <class T>
void scale(const Gemm& shape, void* data) {
  T* c = static_cast<T*>(data);
  const T beta = static_cast<T>(shape.beta);
  for (std::ptrdiff_t i = 0; i < shape.m; ++i) {
    for (std::ptrdiff_t j = 0; j < shape.n; ++j) {
      T& element = c[i * shape.ldc + j];
      element = beta == T(0) ? T(0) : beta * element;
    }
  }
}

}  // namespace

bool planProduct(ProductPlan& plan, const Kernel& kernel, const double* geometry, std::size_t geometryLength,
                 double alpha, double beta, const Array& out, const Array& a, const Array& b, Fault& fault) {
  if (!checkDtypes(kernel, out, a, b, fault)) return false;
  plan.type = a.dtype;
  plan.gemm = kernel.routine(a.dtype).gemm;
  plan.shape.alpha = alpha;
  plan.shape.beta = beta;
  return readGeometry(plan, geometry, geometryLength, out, a, b, fault);
}

void runProduct(const ProductPlan& plan) {
  const Gemm& shape = plan.shape;
  if (shape.m == 0 || shape.n == 0) return;
  forEachBatch(plan, [&](const char* a, const char* b, char* c) {
    if (shape.k > 0) {
      plan.gemm(shape, a, b, c);
    } else if (plan.type == DType::float32) {
      scale<float>(shape, c);
    } else {
      scale<double>(shape, c);
    }
  });
}

}  // namespace forebay
