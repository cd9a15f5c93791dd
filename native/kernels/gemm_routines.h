// What a body does for a matrix product; gemm.cc decides on blocks and drives it. Pointers are to the
// routine's dtype, strides in elements.
#pragma once

#include <cstdint>

namespace forebay {

// C = A B or C += A B for a block that stays in cache. B comes in panels of `panelWidth` columns: rows
// bRow apart, panels bPanel. An unpacked B is panels, too: bPanel is their width.
struct GemmBlock {
  std::int64_t m, n, k;
  std::int64_t aRow, aColumn;
  bool aPacked;  // by packA; aRow and aColumn are not looked at
  std::int64_t bRow, bPanel;
  std::int64_t cRow;
  bool accumulate;
  bool farC;  // its lines are asked for when a tile begins: they are wanted only when k has run
  // All rows for a panel, during which the next panel is fetched: for B that comes from afar and few rows.
  // Otherwise all columns for some rows of A, which stay in the nearest cache while B comes from the second,
  // and C is written as it lies.
  bool panelsFirst;
};

// C = A B or C += A B, element by element, where both rows of A and columns of B are runs.
struct GemmDots {
  std::int64_t m, n, k;
  std::int64_t aRow, bColumn, cRow;
  bool accumulate;
};

// One row of C, which stays in the nearest cache while B goes by, some rows of it at a time.
struct GemmRow {
  std::int64_t n, k;
  std::int64_t aColumn, bRow;
  bool accumulate;
};

struct GemmRoutines {
  std::int64_t tileRows, panelWidth;
  bool blasIsFaster;  // for all but small products
  void (*block)(const GemmBlock& block, const void* a, const void* b, void* c);
  void (*dots)(const GemmDots& dots, const void* a, const void* b, void* c);
  void (*row)(const GemmRow& row, const void* a, const void* b, void* c);

  // m rows of k terms, stored by columns, in the order in which `block` reads them.
  void (*packA)(std::int64_t m, std::int64_t k, const void* a, std::int64_t aColumn, void* packed);
  // k rows of n columns, to columns [skip, skip + n) of the panels from `panels` on, which are `bPanel`
  // apart; if `pad`, zeros up to the end of the last panel.
  void (*packB)(std::int64_t k, std::int64_t n, const void* b, std::int64_t bRow, std::int64_t bColumn,
                void* panels, std::int64_t bPanel, std::int64_t skip, bool pad);

  // `rounds` rounds of independent multiply-adds in registers; returns how many operations these were.
  double (*peak)(std::int64_t rounds);
};

}  // namespace forebay
