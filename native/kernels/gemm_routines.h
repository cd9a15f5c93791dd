// The routines of a body for matrix products. gemm.cc chooses the blocks and calls the routines. Pointers are
// to elements of the routine's dtype. Strides are in elements.
#pragma once

#include <cstdint>

namespace forebay {

// C = A B or C += A B for a block that fits in cache. B consists of panels of `panelWidth` columns: bRow is
// the stride of rows, bPanel that of panels. An unpacked B also consists of panels: bPanel is their width.
struct GemmBlock {
  std::int64_t m, n, k;
  std::int64_t aRow, aColumn;
  bool aPacked;  // by packA; aRow and aColumn are not used
  std::int64_t bRow, bPanel;
  std::int64_t cRow;
  bool accumulate;
  // C is not in the L1 cache: a tile prefetches its part of C before the loop over k and uses it after that.
  bool farC;
  // If true, all rows are computed for one panel while the next panel is prefetched: for few rows and a B
  // that is not in a near cache. If false, all columns are computed for some rows of A: these rows stay in
  // the L1 cache, B is read from the L2 cache, and C is written in memory order.
  bool panelsFirst;
};

// C = A B or C += A B, element by element. Rows of A and columns of B are contiguous.
struct GemmDots {
  std::int64_t m, n, k;
  std::int64_t aRow, bColumn, cRow;
  bool accumulate;
};

// One row of C, which stays in the L1 cache while B is read, some rows at a time.
struct GemmRow {
  std::int64_t n, k;
  std::int64_t aColumn, bRow;
  bool accumulate;
};

struct GemmRoutines {
  std::int64_t tileRows, panelWidth;
  bool blasIsFaster;  // OpenBLAS is faster for all but small products
  void (*block)(const GemmBlock& block, const void* a, const void* b, void* c);
  void (*dots)(const GemmDots& dots, const void* a, const void* b, void* c);
  void (*row)(const GemmRow& row, const void* a, const void* b, void* c);

  // Packs an m x k matrix that is stored by columns into the order in which `block` reads it.
  void (*packA)(std::int64_t m, std::int64_t k, const void* a, std::int64_t aColumn, void* packed);
  // Packs a k x n matrix into columns [skip, skip + n) of the panels at `panels`, whose stride is `bPanel`.
  // If `pad` is true, the rest of the last panel is filled with zeros.
  void (*packB)(std::int64_t k, std::int64_t n, const void* b, std::int64_t bRow, std::int64_t bColumn,
                void* panels, std::int64_t bPanel, std::int64_t skip, bool pad);

  // Does `rounds` rounds of independent multiply-adds in registers. Returns the number of operations.
  double (*peak)(std::int64_t rounds);
};

}  // namespace forebay
