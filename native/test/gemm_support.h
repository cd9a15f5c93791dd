// Products for the tests of forebay's own kernels: their operands, which end at inaccessible pages, and how
// they run.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include "kernels/gemm.h"
#include "test/support.h"

namespace forebay::test::products {

using Route = GemmPlan::Route;

inline std::size_t length(std::int64_t n) { return static_cast<std::size_t>(n); }

// Memory that ends at an inaccessible page, or `skew` elements before it, so that an access beyond its end
// crashes. (ASAN does not check the reads of masked instructions.)
template <class T>
class Memory {
 public:
  explicit Memory(std::size_t n, std::size_t skew = 0) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t bytes = (n + skew) * sizeof(T);
    const std::size_t whole = (bytes + page - 1) / page * page;
    mapped_ = whole + page;
    base_ = static_cast<char*>(
        mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(static_cast<void*>(base_) != MAP_FAILED);
    REQUIRE(mprotect(base_ + whole, page, PROT_NONE) == 0);
    data_ = reinterpret_cast<T*>(base_ + whole - bytes);
  }
  explicit Memory(const std::vector<T>& values, std::size_t skew = 0) : Memory(values.size(), skew) {
    std::copy(values.begin(), values.end(), data_);
  }
  ~Memory() { munmap(base_, mapped_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  T* data() { return data_; }

 private:
  char* base_;
  std::size_t mapped_;
  T* data_;
};

struct Case {
  std::int64_t m, n, k;
  bool transA = false, transB = false, accumulate = false;
  std::int64_t padA = 0, padB = 0, padC = 0;  // elements of padding after each stored row
};

inline std::string nameOf(const Case& s) {
  return std::to_string(s.m) + " x " + std::to_string(s.n) + " x " + std::to_string(s.k) +
         (s.transA ? ", A transposed" : "") + (s.transB ? ", B transposed" : "") +
         (s.accumulate ? ", accumulating" : "");
}

// The operands of one product, and its expected result.
template <class T>
struct Product {
  Case s;
  GemmShape shape;
  std::vector<T> a, b, before;

  Product(const Case& given, Generator& generator) : s(given) {
    const auto leading = [](std::int64_t columns, std::int64_t pad) {
      return std::max<std::int64_t>(columns, 1) + pad;
    };
    const std::int64_t lda = leading(s.transA ? s.m : s.k, s.padA);
    const std::int64_t ldb = leading(s.transB ? s.k : s.n, s.padB);
    const std::int64_t ldc = leading(s.n, s.padC);
    shape = {dtypeOf<T>,
             s.m,
             s.n,
             s.k,
             s.accumulate,
             s.transA ? 1 : lda,
             s.transA ? lda : 1,
             s.transB ? 1 : ldb,
             s.transB ? ldb : 1,
             ldc};
    a = someValues<T>(generator, extent(s.m, s.k, shape.aRow, shape.aColumn));
    b = someValues<T>(generator, extent(s.k, s.n, shape.bRow, shape.bColumn));
    before = someValues<T>(generator, extent(s.m, s.n, ldc, 1));
    if (!s.accumulate) std::fill(before.begin(), before.end(), std::numeric_limits<T>::quiet_NaN());
  }

  // Returns the smallest length of an array that contains a matrix with these strides.
  static std::size_t extent(std::int64_t rows, std::int64_t columns, std::int64_t row, std::int64_t column) {
    return rows == 0 || columns == 0 ? 0 : length((rows - 1) * row + (columns - 1) * column + 1);
  }

  void expect(std::vector<long double>& expected, std::vector<long double>& bound) const {
    // The bound allows for k + 1 roundings of a sum of these magnitudes, and a few more roundings.
    const long double unit =
        static_cast<long double>(std::numeric_limits<T>::epsilon()) * static_cast<long double>(s.k + 4);
    for (std::int64_t i = 0; i < s.m; ++i) {
      for (std::int64_t j = 0; j < s.n; ++j) {
        const auto c = static_cast<long double>(before[length(i * shape.cRow + j)]);
        long double sum = s.accumulate ? c : 0, size = std::fabs(sum);
        for (std::int64_t p = 0; p < s.k; ++p) {
          const long double term = static_cast<long double>(a[length(i * shape.aRow + p * shape.aColumn)]) *
                                   static_cast<long double>(b[length(p * shape.bRow + j * shape.bColumn)]);
          sum += term;
          size += std::fabs(term);
        }
        expected.push_back(sum);
        bound.push_back(size * unit);
      }
    }
  }

  void check(const std::vector<T>& c) const {
    std::vector<long double> expected, bound;
    expect(expected, bound);
    std::size_t wrong = 0, touched = 0, at = 0;
    for (std::int64_t i = 0; i < s.m; ++i) {
      for (std::int64_t j = 0; j < shape.cRow && length(i * shape.cRow + j) < c.size(); ++j) {
        const T value = c[length(i * shape.cRow + j)];
        if (j >= s.n) {
          touched += !same(value, before[length(i * shape.cRow + j)]);
        } else {
          wrong += !(std::fabs(static_cast<long double>(value) - expected[at]) <= bound[at]);
          ++at;
        }
      }
    }
    CHECK_MESSAGE(wrong == 0, nameOf(s));
    CHECK_MESSAGE(touched == 0, nameOf(s) << ": between the rows of C");
  }
};

template <class T>
void run(const GemmPlan& plan, const T* a, const T* b, T* c, std::int64_t from, std::int64_t to) {
  Memory<unsigned char> scratch(plan.scratchBytes);
  runGemm(plan, a, b, c, scratch.data(), from, to);
}

template <class T>
std::vector<T> result(const Product<T>& product, const GemmPlan& plan, const T* b) {
  Memory<T> a(product.a), c(product.before);
  run(plan, a.data(), b, c.data(), 0, plan.parts);
  return std::vector<T>(c.data(), c.data() + product.before.size());
}

// Packs B into panels, from four pieces that meet at a random point.
template <class T>
class Panels {
 public:
  Panels(const Product<T>& product, Generator& generator, const Body& body)
      : memory_(packedBytes(dtypeOf<T>, product.s.k, product.s.n, body) / sizeof(T)) {
    const Case& s = product.s;
    std::fill_n(memory_.data(), packedBytes(dtypeOf<T>, s.k, s.n, body) / sizeof(T),
                std::numeric_limits<T>::quiet_NaN());
    const std::int64_t kCut = between(generator, 0, s.k), nCut = between(generator, 0, s.n);
    const std::int64_t ks[] = {0, kCut, s.k}, ns[] = {0, nCut, s.n};
    for (int i = 0; i < 2; ++i) {
      for (int j = 0; j < 2; ++j) {
        const PanelPiece piece = {
            ks[i],
            ns[j],
            ks[i + 1] - ks[i],
            ns[j + 1] - ns[j],
            product.b.data() +
                (product.b.empty() ? 0 : ks[i] * product.shape.bRow + ns[j] * product.shape.bColumn),
            product.shape.bRow,
            product.shape.bColumn};
        if (piece.kCount > 0 && piece.nCount > 0)
          packPanels(dtypeOf<T>, s.k, s.n, piece, memory_.data(), body);
      }
    }
  }
  const T* data() { return memory_.data(); }

 private:
  Memory<T> memory_;
};

// Returns the plan with the smallest possible parts, one row or one panel each, even if the product is too
// small for several threads.
inline GemmPlan smallestParts(GemmPlan plan, const Body& body) {
  plan.partSize = plan.partsAreRows ? 1 : panelWidth(plan.shape.type, body);
  const std::int64_t extent = plan.partsAreRows ? plan.shape.m : plan.shape.n;
  plan.parts = (extent + plan.partSize - 1) / plan.partSize;
  return plan;
}

}  // namespace forebay::test::products
