// The routines of a body (see bodies.h) for matrix products. gemm.cc divides a product into blocks and calls
// these routines. Pointers are to elements of the dtype of the routine. Strides are in elements.
#pragma once

#include <cstdint>

namespace forebay {

// A part of a product that fits in cache: C = A B or C += A B. B is divided into panels, strips of
// `panelWidth` columns. bRow is the stride from row to row, and bPanel is the stride from panel to panel. A B
// that is not packed is also treated as panels: its bPanel is the width of a panel.
struct GemmBlock {
  std::int64_t m, n, k;
  std::int64_t aRow, aColumn;
  // How A is read. A packed A is in the order in which tiles read it: one group of rows after another, and a
  // group column by column.
  enum class Left {
    strided,  // by aRow and aColumn
    packs,    // by aColumn, and packed for later blocks; aRow is 1, and n is at least the width of a panel
    packed    // an earlier block with the same rows has packed it
  } left;
  std::int64_t bRow, bPanel;
  std::int64_t cRow;
  bool accumulate;
  // True if C is not in the L1 cache. A tile then prefetches its part of C before the loop over k, and reads
  // or writes that part after the loop.
  bool farC;
  // The order of the loops. If true, all rows are computed for one panel while the next panel is prefetched.
  // This order is for few rows and a B that is not in a near cache. If false, all columns are computed for
  // some rows of A. Then these rows stay in the L1 cache, B is read from the L2 cache, and C is written in
  // memory order.
  bool panelsFirst;
};

// C = A B or C += A B, where each element of C is computed as a dot product. Rows of A and columns of B are
// contiguous.
struct GemmDots {
  std::int64_t m, n, k;
  std::int64_t aRow, bColumn, cRow;
  bool accumulate;
};

// A product whose C has one row. C stays in the L1 cache while B is read, a few rows at a time.
struct GemmRow {
  std::int64_t n, k;
  std::int64_t aColumn, bRow;
  bool accumulate;
};

struct GemmRoutines {
  std::int64_t tileRows, panelWidth;
  bool blasIsFaster;  // OpenBLAS is faster for all but small products
  // `packedA` has memory for m k elements and one register, unless `left` is `strided`.
  void (*block)(const GemmBlock& block, const void* a, void* packedA, const void* b, void* c);
  void (*dots)(const GemmDots& dots, const void* a, const void* b, void* c);
  void (*row)(const GemmRow& row, const void* a, const void* b, void* c);

  // Packs a k x n matrix into columns [skip, skip + n) of the panels at `panels`. `bPanel` is the stride from
  // panel to panel. If `pad` is true, the rest of the last panel is filled with zeros.
  void (*packB)(std::int64_t k, std::int64_t n, const void* b, std::int64_t bRow, std::int64_t bColumn,
                void* panels, std::int64_t bPanel, std::int64_t skip, bool pad);

  // Executes `rounds` rounds of independent multiply-adds in registers. Returns the number of floating-point
  // operations, two for each multiply-add.
  double (*peak)(std::int64_t rounds);
};

}  // namespace forebay
