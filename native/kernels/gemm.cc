#include "kernels/gemm.h"

#include <unistd.h>

#include <algorithm>

#include "kernels/blas.h"
#include "kernels/gemm_routines.h"

namespace forebay {

namespace {

using Route = GemmPlan::Route;

// The constants below come from measurements on a Xeon of 2023 (48 KiB of L1 and 2 MiB of L2 cache per core)
// or on an EPYC (Zen 3, 32 KiB and 512 KiB).

// Returns the size of the L2 cache of a core in bytes; 2 MiB, as in the Xeon, if the system does not report
// it.
std::int64_t secondCache() {
#if defined(_SC_LEVEL2_CACHE_SIZE)
  const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  if (bytes > 0) return bytes;
#endif
  return std::int64_t(2) << 20;
}

// tileBytesA and mostTermsAcross limit the number of terms that are summed in registers before the sum is
// added to C. With more terms, C is read and written less often. tileBytesA is the size of the rows of A in a
// tile, which stay in the L1 cache while all panels of B are read. On the EPYC, 1,024 terms are faster than
// 256: by 5 % for 32 x 256 x 1024 in panels, by 4 % for 128 x 784 x 400. mostTermsAcross is the limit if A is
// stored by columns. Successive terms are then in different cache lines, and 256 terms are about 5 % faster
// than 512.
constexpr std::int64_t tileBytesA = std::int64_t(24) << 10;
constexpr std::int64_t mostTermsAcross = 256;
// The sizes of the blocks of A and B. A block of A and a block of B fit in the L2 cache together. If B is in
// main memory ("far"), its blocks are larger, and have more columns and fewer rows, because main memory is
// read fastest in long contiguous stretches. The blocks of B are also larger if A is stored by columns.
constexpr std::int64_t blockBytesA = std::int64_t(512) << 10;
constexpr std::int64_t blockBytesB = std::int64_t(512) << 10;
constexpr std::int64_t blockBytesFarB = std::int64_t(1) << 20;
constexpr std::int64_t smallestFarB = std::int64_t(4) << 20;

// C is prefetched if it has at least this many bytes, because it is then not in the L1 cache. With
// prefetching, whole programs are 1 to 2 % faster. For a smaller C, the prefetch instructions cost more time
// than they save.
constexpr std::int64_t smallestFarC = std::int64_t(64) << 10;

// If A is stored by columns, it is packed if C has at least this many columns.
constexpr std::int64_t columnsWorthPackingA = 128;
// B is not packed if its size is at most largestDirectB, three quarters of the L2 cache. (For 128 x 784 x
// 400, packing is 8 % faster if the L2 cache has 512 KiB, and slower if it has 2 MiB.) If C has more than
// `fewRows` rows, the limit is largestDirectBOfMany. Packing is then a small part of the work, and packed
// rows of B use the caches better than rows with a stride.
constexpr std::int64_t fewRows = 128;
const std::int64_t largestDirectB = secondCache() / 4 * 3;  // if C has few rows
constexpr std::int64_t largestDirectBOfMany = std::int64_t(256) << 10;
// If C has one row and B has at least this many bytes, B is read row by row. A smaller B is in a cache where
// the order of reads does not matter. For it, tiles are faster, because they write C only once.
constexpr std::int64_t smallestLongB = std::int64_t(128) << 10;
// If C has few rows and the panels have more bytes than this, all rows are computed panel by panel. With 4
// MiB of panels, this is faster than the other order: by 8 % for 24 rows and by 15 % for 16. With 1 MiB, it
// is 5 % slower for 32 rows.
constexpr std::int64_t manyPanels = std::int64_t(1536) << 10;
// If C has at most fewPanelRows rows, large panels are divided along k as a far B that is not packed, so that
// both give the same bits (panelsSave). With 16 rows and 16 MiB of panels, this is up to 8 % faster than
// longer blocks; with 64 rows it is 2 % slower.
constexpr std::int64_t fewPanelRows = 32;
// A transposed B is not packed if C has at most fewDotRows rows and k >= fewDotTerms, or at most manyDotRows
// rows and k >= manyDotTerms. Dot products are half as fast as tiles, but packing takes as long as computing
// several rows.
constexpr std::int64_t fewDotRows = 8, fewDotTerms = 24;
constexpr std::int64_t manyDotRows = 32, manyDotTerms = 512;

// OpenBLAS is not faster if the product has at most mostOwnWork multiply-adds, because of the cost of a call,
// or if C has at most mostOwnRows rows.
constexpr double mostOwnWork = 20000;
constexpr std::int64_t mostOwnRows = 4;

// The least number of multiply-adds in a part. They take about ten times as long as waking a thread.
constexpr std::int64_t partWork = std::int64_t(1) << 22;

std::int64_t divideUp(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t roundUp(std::int64_t a, std::int64_t b) { return divideUp(a, b) * b; }

// Returns the size of a piece if `total` is divided into the fewest pieces of at most `most` each. The size
// is rounded up to a multiple of `multiple`, but is not above `total`. Only the last piece may be smaller.
std::int64_t evenly(std::int64_t total, std::int64_t most, std::int64_t multiple) {
  return std::min(total, roundUp(divideUp(total, divideUp(total, most)), multiple));
}

std::int64_t alignScratch(std::int64_t bytes) { return roundUp(bytes, 64); }

const GemmRoutines& routinesOf(const Body& body, DType type) {
  return body.gemm[type == DType::float64 ? 1 : 0];
}

// Sets the strides of axes with extent 1. Their values do not affect the result, so they get the values that
// suit the routines best.
void settleStrides(GemmShape& s) {
  if (s.m <= 1) s.aRow = 1;
  if (s.k <= 1) s.aColumn = 1;
  if (s.n <= 1) s.bColumn = 1;
  if (s.k <= 1 && s.bColumn != 1) s.bRow = 1;
}

void chooseBlocks(GemmPlan& plan) {
  const GemmShape& s = plan.shape;
  const GemmRoutines& r = *plan.routines;
  const auto size = static_cast<std::int64_t>(sizeOf(s.type));
  const bool acrossA = s.aColumn != 1;
  plan.packsA = acrossA && s.n >= columnsWorthPackingA;
  plan.farC = s.m * s.n >= smallestFarC / size;
  const bool large = s.k * s.n >= smallestFarB / size;
  const bool farB = plan.route == Route::packed && large;
  const bool shorter = farB || (plan.route == Route::panels && large && s.m <= fewPanelRows);
  const std::int64_t rowBytes = tileBytesA / r.tileRows / (shorter ? 2 : 1);  // bytes of a row of A in a tile
  // Blocks along k have a fixed size, so that terms of 0 after the last one change no bit. The one row of a
  // direct product is a single block, because a longer one, of Route::row, has no blocks either.
  const std::int64_t mostTerms = acrossA ? mostTermsAcross : rowBytes / size;
  plan.kBlock = plan.route == Route::direct && s.m == 1 ? s.k : std::min(s.k, mostTerms);
  plan.mBlock = evenly(s.m, blockBytesA / (plan.kBlock * size), r.tileRows);
  const std::int64_t blockBytes = acrossA || farB ? blockBytesFarB : blockBytesB;
  const std::int64_t columns = blockBytes / (plan.kBlock * size) / r.panelWidth * r.panelWidth;
  plan.nBlock = evenly(s.n, std::max(columns, r.panelWidth), r.panelWidth);
  plan.panelsFirst =
      plan.route == Route::panels && s.m > r.tileRows && s.m <= fewRows && s.k * s.n > manyPanels / size;
  if (plan.route == Route::packed) {
    plan.scratchBytes += static_cast<std::size_t>(plan.kBlock * roundUp(plan.nBlock, r.panelWidth) * size);
  }
  if (plan.packsA) {
    // A tile that packs A stores whole registers.
    constexpr std::int64_t widestRegister = 64;
    plan.scratchBytes +=
        static_cast<std::size_t>(alignScratch(plan.mBlock * plan.kBlock * size + widestRegister));
  }
}

void chooseParts(GemmPlan& plan) {
  const GemmShape& s = plan.shape;
  const GemmRoutines& r = *plan.routines;
  // Every thread reads the whole operand that is not divided: B if parts are rows, A if parts are columns.
  plan.partsAreRows = plan.route == Route::panels ? s.m >= 2 * s.n : s.m >= s.n;
  const std::int64_t extent = plan.partsAreRows ? s.m : s.n;
  // Parts for OpenBLAS are larger, because OpenBLAS packs its operands again in each call, and each part is a
  // call.
  const bool blas = plan.route == Route::blas;
  const std::int64_t multiple = (plan.partsAreRows ? r.tileRows : r.panelWidth) * (blas ? 8 : 1);
  const std::int64_t other = (plan.partsAreRows ? s.n : s.m) * s.k;
  plan.partSize = std::min(
      extent, roundUp(divideUp(blas ? 8 * partWork : partWork, std::max<std::int64_t>(other, 1)), multiple));
  plan.parts = divideUp(extent, plan.partSize);
}

struct Range {
  std::int64_t from, to;
};

char* at(const void* base, std::int64_t elements, DType type) {
  return static_cast<char*>(const_cast<void*>(base)) + elements * static_cast<std::int64_t>(sizeOf(type));
}

// Computes the block of C that lies in a range of rows and in a range of columns.
class Run {
 public:
  Run(const GemmPlan& plan, const void* a, const void* b, void* c, void* scratch)
      : plan_(plan), s_(plan.shape), a_(a), b_(b), c_(c), packedB_(static_cast<char*>(scratch)) {
    const std::int64_t panels = roundUp(plan.nBlock, plan.routines->panelWidth);
    packedA_ = plan.route == Route::packed ? at(scratch, plan.kBlock * panels, s_.type) : packedB_;
  }

  void operator()(Range rows, Range columns) const {
    switch (plan_.route) {
      case Route::nothing:
        return clear(rows, columns);
      case Route::row:
        return row(columns);
      case Route::dot:
        return dots(rows, columns);
      case Route::blas:
        return blas(rows, columns);
      case Route::direct:
      case Route::packed:
      case Route::panels:
        return blocks(rows, columns);
    }
  }

 private:
  const void* a(std::int64_t i, std::int64_t p) const {
    return at(a_, i * s_.aRow + p * s_.aColumn, s_.type);
  }
  const void* b(std::int64_t p, std::int64_t j) const {
    return at(b_, p * s_.bRow + j * s_.bColumn, s_.type);
  }
  void* c(std::int64_t i, std::int64_t j) const { return at(c_, i * s_.cRow + j, s_.type); }

  void clear(Range rows, Range columns) const {
    if (s_.accumulate) return;
    const auto bytes = static_cast<std::size_t>(columns.to - columns.from) * sizeOf(s_.type);
    for (std::int64_t i = rows.from; i < rows.to; ++i) {
      std::fill_n(static_cast<char*>(c(i, columns.from)), bytes, char(0));
    }
  }

  void dots(Range rows, Range columns) const {
    const GemmDots all = {rows.to - rows.from, columns.to - columns.from, s_.k, s_.aRow, s_.bColumn, s_.cRow,
                          s_.accumulate};
    plan_.routines->dots(all, a(rows.from, 0), b(0, columns.from), c(rows.from, columns.from));
  }

  void row(Range columns) const {
    const GemmRow all = {columns.to - columns.from, s_.k, s_.aColumn, s_.bRow, s_.accumulate};
    plan_.routines->row(all, a(0, 0), b(0, columns.from), c(0, columns.from));
  }

  void blas(Range rows, Range columns) const {
    const bool transA = s_.aColumn != 1, transB = s_.bColumn != 1;
    const auto number = [](std::int64_t n) { return static_cast<int>(n); };
    // The leading dimensions are increased if necessary, because BLAS checks them even if a matrix has a
    // single row.
    const Gemm shape = {transA,
                        transB,
                        number(rows.to - rows.from),
                        number(columns.to - columns.from),
                        number(s_.k),
                        number(std::max(transA ? s_.aColumn : s_.aRow, transA ? s_.m : s_.k)),
                        number(std::max(transB ? s_.bColumn : s_.bRow, transB ? s_.k : s_.n)),
                        number(std::max(s_.cRow, s_.n)),
                        1,
                        s_.accumulate ? 1.0 : 0.0};
    const auto product = s_.type == DType::float32 ? gemmFloat : gemmDouble;
    product(shape, a(rows.from, 0), b(0, columns.from), c(rows.from, columns.from));
  }

  // Loops over blocks of columns, blocks of k and blocks of rows. A block of B stays in cache, and all its
  // columns are computed for some rows at a time.
  void blocks(Range rows, Range columns) const {
    const GemmRoutines& r = *plan_.routines;
    const bool packsB = plan_.route == Route::packed;
    GemmBlock block = {};
    block.aRow = s_.aRow;
    block.aColumn = s_.aColumn;
    block.bRow = plan_.route == Route::direct ? s_.bRow : r.panelWidth;
    block.cRow = s_.cRow;
    block.farC = plan_.farC;
    block.panelsFirst = plan_.panelsFirst;
    // If B must be packed, the outer loop goes over the blocks that are packed. Otherwise it has one
    // iteration for all columns.
    const std::int64_t outer = packsB ? plan_.nBlock : columns.to - columns.from;
    for (std::int64_t j = columns.from; j < columns.to; j += outer) {
      const std::int64_t end = std::min(j + outer, columns.to);
      for (std::int64_t p = 0; p < s_.k; p += plan_.kBlock) {
        block.k = std::min(plan_.kBlock, s_.k - p);
        block.accumulate = s_.accumulate || p > 0;
        block.bPanel = r.panelWidth * (packsB ? block.k : plan_.route == Route::panels ? s_.k : 1);
        if (packsB) r.packB(block.k, end - j, b(p, j), s_.bRow, s_.bColumn, packedB_, block.bPanel, 0, false);
        const bool packsA = plan_.packsA && end - j > r.panelWidth;  // a single panel reads A once
        for (std::int64_t i = rows.from; i < rows.to; i += plan_.mBlock) {
          block.m = std::min(plan_.mBlock, rows.to - i);
          block.left = packsA ? GemmBlock::Left::packs : GemmBlock::Left::strided;
          for (std::int64_t jj = j; jj < end; jj += plan_.nBlock) {
            block.n = std::min(plan_.nBlock, end - jj);
            r.block(block, a(i, p), packedA_, packsB ? packedB_ : right(p, jj), c(i, jj));
            if (packsA) block.left = GemmBlock::Left::packed;
          }
        }
      }
    }
  }

  const void* right(std::int64_t p, std::int64_t j) const {
    return plan_.route == Route::panels ? at(b_, j * s_.k + p * plan_.routines->panelWidth, s_.type)
                                        : b(p, j);
  }

  const GemmPlan& plan_;
  const GemmShape& s_;
  const void* a_;
  const void* b_;
  void* c_;
  char* packedB_;
  char* packedA_;
};

GemmPlan start(const GemmShape& shape, const Body& body) {
  GemmPlan plan = {};
  plan.shape = shape;
  plan.routines = &routinesOf(body, shape.type);
  settleStrides(plan.shape);
  return plan;
}

bool isNothing(const GemmShape& s) { return s.m == 0 || s.n == 0 || s.k == 0; }

GemmPlan finish(GemmPlan plan) {
  if (isNothing(plan.shape)) {
    plan.route = Route::nothing;
    plan.partsAreRows = true;
    plan.partSize = plan.shape.m;
    plan.parts = 1;
    return plan;
  }
  if (plan.route != Route::row && plan.route != Route::dot && plan.route != Route::blas) chooseBlocks(plan);
  chooseParts(plan);
  return plan;
}

}  // namespace

GemmPlan planGemm(const GemmShape& shape, const Body& body) {
  GemmPlan plan = start(shape, body);
  GemmShape& s = plan.shape;
  // If C has one column, it is computed as the one row of the transposed product, because a tile with one
  // column would use only one lane of each register.
  if (s.n == 1 && s.cRow == 1) {
    plan.swapped = true;
    std::swap(s.m, s.n);
    std::swap(s.aRow, s.bColumn);
    std::swap(s.aColumn, s.bRow);
    s.cRow = s.n;
    settleStrides(s);
  }
  const auto size = static_cast<std::int64_t>(sizeOf(s.type));
  const bool transposedB = s.bRow == 1 && s.bColumn != 1;
  const double work = static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k);
  if (plan.routines->blasIsFaster && work > mostOwnWork && s.m > mostOwnRows) {
    plan.route = Route::blas;
  } else if (transposedB) {
    plan.route = s.aColumn == 1 && ((s.m <= fewDotRows && s.k >= fewDotTerms) ||
                                    (s.m <= manyDotRows && s.k >= manyDotTerms))
                     ? Route::dot
                     : Route::packed;
  } else if (s.m == 1 && s.k * s.n >= smallestLongB / size) {
    plan.route = Route::row;
  } else {
    const std::int64_t most = s.m <= fewRows ? largestDirectB : largestDirectBOfMany;
    plan.route = s.m <= plan.routines->tileRows || s.k * s.n <= most / size ? Route::direct : Route::packed;
  }
  return finish(plan);
}

GemmPlan planPanels(const GemmShape& shape, const Body& body) {
  GemmPlan plan = start(shape, body);
  plan.route = Route::panels;
  return finish(plan);
}

bool panelsSave(const GemmShape& shape, const Body& body) {
  const GemmPlan plan = planGemm(shape, body), panels = planPanels(shape, body);
  // Both plans sum in the same order if they sum the same terms in registers. A B that is read without
  // packing is read as fast as panels.
  return plan.route == Route::packed && !plan.swapped && plan.kBlock == panels.kBlock;
}

void runGemm(const GemmPlan& plan, const void* a, const void* b, void* c, void* scratch, std::int64_t from,
             std::int64_t to) {
  const GemmShape& s = plan.shape;
  const Run run(plan, plan.swapped ? b : a, plan.swapped ? a : b, c, scratch);
  // If BLAS computed several parts in one call, it might sum in another order. So each part of BLAS is a call
  // of its own, and the bits do not depend on how the parts are shared.
  const std::int64_t step = plan.route == Route::blas ? 1 : to - from;
  for (; from < to; from += step) {
    const std::int64_t end =
        from + step == plan.parts ? (plan.partsAreRows ? s.m : s.n) : (from + step) * plan.partSize;
    const Range range = {from * plan.partSize, end};
    run(plan.partsAreRows ? range : Range{0, s.m}, plan.partsAreRows ? Range{0, s.n} : range);
  }
}

std::int64_t panelWidth(DType type, const Body& body) { return routinesOf(body, type).panelWidth; }

std::size_t packedBytes(DType type, std::int64_t k, std::int64_t n, const Body& body) {
  return static_cast<std::size_t>(k * roundUp(n, panelWidth(type, body))) * sizeOf(type);
}

void packPanels(DType type, std::int64_t k, std::int64_t n, const PanelPiece& piece, void* panels,
                const Body& body) {
  const GemmRoutines& r = routinesOf(body, type);
  const std::int64_t width = r.panelWidth;
  const std::int64_t panel = piece.nStart / width;
  const bool last = piece.nStart + piece.nCount == n;
  r.packB(piece.kCount, piece.nCount, piece.data, piece.kStride, piece.nStride,
          at(panels, (panel * k + piece.kStart) * width, type), k * width, piece.nStart % width, last);
}

}  // namespace forebay
