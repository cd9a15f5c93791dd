// The routines conv and convInputGradient (conv.h). Both are passes of a product by tiles: the rows of a tile
// are pixels anywhere in the source, and its terms are runs of taps and channels (conv_blocks.h). With few
// terms (first layers), few columns (their input gradients) and depthwise, other routines compute a pass.
#include "routines/conv_depthwise.h"
#include "routines/conv_pairs.h"
#include "routines/conv_row_dots.h"

namespace forebay {

namespace {

constexpr int integers = windowIntegers + 1;

// The bytes of the weights that are multiplied with one block after another. They stay in the L2 cache.
constexpr std::int64_t weightBytes = std::int64_t(256) << 10;
// The largest number of terms that a tile sums before it adds the sum to the result.
constexpr std::int64_t mostTerms = 1024;
// If the weights are larger than weightBytes, several blocks are computed at a time, with about this many
// pixels and at most this many bytes, so that weights are read from a far cache less often.
constexpr std::int64_t pixelsAtOnce = 512;
constexpr std::int64_t sourceBytesAtOnce = std::int64_t(512) << 10;
// With at most this many terms, tiles are those of short products.
constexpr std::int64_t fewTerms = 64;
// With at most mostConvDots columns and at least this many channels, the lanes of registers are channels of
// the source instead of columns of the result.
constexpr std::int64_t channelsWorthDots = 8;

// A call of conv or convInputGradient. All numbers follow from the shapes.
struct Call {
  ConvShape shape;
  bool gradient;
  ConvPacking packing;
  ConvPass largest;
  ConvBlocks blocks;
  std::int64_t sourceChannels, resultChannels;
  std::int64_t resultRows, resultColumns;
  std::int64_t atOnce;  // blocks
  std::int64_t runs;    // the largest number of runs of a pass
  bool dots;
  bool pairs;  // whether two adjacent outputs are computed at once (conv_pairs.h)

  Call(const RoutineCall& call, bool isGradient) : gradient(isGradient) {
    shape = convShapeOf(call, gradient ? ConvImages{2, 0} : ConvImages{0, 2});
    packing = packingOf(shape, gradient);
    largest = gradient ? largestGradientPass(shape) : forwardPass(shape);
    sourceChannels = gradient ? shape.outputs : shape.channels;
    resultChannels = gradient ? shape.channels : shape.outputs;
    resultRows = gradient ? shape.rows.length : shape.rows.count;
    resultColumns = gradient ? shape.columns.length : shape.columns.count;
    const std::int64_t channels = std::max<std::int64_t>(sourceChannels, 1);
    blocks = blocksOf(largest, packing.depthwise ? channels : pixelOf(channels, shape.type), shape.type,
                      packing.depthwise);
    atOnce = 1;
    runs = 0;
    dots = packing.n <= mostConvDots && packing.depth >= channelsWorthDots;
    pairs = !packing.depthwise && !dots && !blocks.tooLarge && hasPairs(shape, packing.depth, packing.n);
    if (blocks.tooLarge || packing.depth == 0) return;
    const auto size = static_cast<std::int64_t>(sizeOf(shape.type));
    const std::int64_t all = largest.taps() * packing.depth * packing.paddedColumns() * size;
    if (!packing.depthwise && !pairs && all > weightBytes) {
      const std::int64_t most = std::max<std::int64_t>(sourceBytesAtOnce / (blocks.elements * size), 1);
      const std::int64_t pixels = blocks.rows * blocks.columns;
      atOnce = std::min(most, (pixelsAtOnce + pixels - 1) / pixels);
    }
    runs = largest.taps();
  }
  std::int64_t units() const { return blocks.tooLarge ? shape.batch : shape.batch * blocks.inImage(); }
};

template <class T>
class Passes {
 public:
  Passes(const RoutineRun& run, const Call& call, char* scratch)
      : call_(call),
        view_(run.call.operands[0]),
        source_(readAs<T>(run, 0)),
        packed_(readAs<T>(run, 1)),
        result_(writeAs<T>(run, 2)),
        gemm_(gemmOf(call.shape.type)),
        conv_(convOf(call.shape.type)),
        factors_(reinterpret_cast<const T*>(run.shared)) {
    Scratch pieces(scratch);
    blocks_ = pieces.take<Block>(call.atOnce);
    runs_ = pieces.take<ConvRun>(call.runs);
    taps_ = pieces.take<ConvTap>(call.runs);
    elements_ = pieces.take<T>(call.atOnce * call.blocks.elements);
    dotWeights_ = pieces.take<T>(dotElements(call));
    pairSources_ = pieces.take<T>(pairElements(call));
    pairSums_ = pieces.take<T>(pairSumElements(call));
    zeros_ = pieces.take<T>(call.pairs ? call.sourceChannels : 0);
    if (call.pairs) std::fill_n(zeros_, call.sourceChannels, T(0));
  }

  static std::int64_t scratchBytes(const Call& call) {
    return Scratch::bytes<Block>(call.atOnce) + Scratch::bytes<ConvRun>(call.runs) +
           Scratch::bytes<ConvTap>(call.runs) + Scratch::bytes<T>(call.atOnce * call.blocks.elements) +
           Scratch::bytes<T>(dotElements(call)) + Scratch::bytes<T>(pairElements(call)) +
           Scratch::bytes<T>(pairSumElements(call)) + Scratch::bytes<T>(call.pairs ? call.sourceChannels : 0);
  }

  // Computes the blocks from `from` to `to` - 1 of a pass.
  void run(const ConvPass& pass, std::int64_t from, std::int64_t to) {
    pass_ = &pass;
    packedGroup_ = -1;
    const bool empty = pass.taps() == 0 || call_.packing.depth == 0;
    for (std::int64_t block = from; block < to; block += call_.atOnce) {
      count_ = 0;
      for (std::int64_t number = block; number < std::min(block + call_.atOnce, to); ++number) {
        const ConvBlock at = blockAt(pass, call_.blocks, number);
        if (at.rows == 0 || at.columns == 0) continue;
        if (empty) {
          clear(at);
          continue;
        }
        if (call_.packing.depthwise) {
          depthwise(at);
          continue;
        }
        if (call_.dots && isRowDots(pass, call_.packing, conv_.lanes)) {
          for (std::int64_t group = 0; group < call_.packing.groups; ++group) rowDots(at, group);
          continue;
        }
        if (call_.pairs) {
          pairs(at);
          continue;
        }
        T* const scratch = elements_ + count_ * call_.blocks.elements;
        blocks_[count_++] = {at, sourceOf(pass, call_.blocks, at, view_, source_, call_.sourceChannels,
                                          call_.blocks.pixel, scratch)};
      }
      for (std::int64_t group = 0; count_ > 0 && group < call_.packing.groups; ++group) products(group);
    }
  }

  // Returns true if spread() computes all passes at once.
  bool isSpread() const {
    const bool contiguous = view_.strides[3] == 1 || view_.sizes[3] == 1;
    return call_.gradient && contiguous && forebay::isSpread(call_.shape, call_.packing);
  }

  // Computes the blocks from `from` to `to` - 1 of all passes of the input gradient of a depthwise
  // convolution.
  void spread(std::int64_t from, std::int64_t to) const {
    const ConvAxis &rows = call_.shape.rows, &columns = call_.shape.columns;
    const std::int64_t channels = call_.shape.channels, row = call_.resultColumns * channels;
    ConvSpread sums = {};
    sums.top = rows.before;
    sums.left = columns.before;
    sums.sourceRows = rows.count;
    sums.source = columns.count;
    sums.channels = channels;
    sums.size = rows.size;
    sums.aPixel = view_.strides[2];
    sums.aRow = view_.strides[1];
    sums.cPixel = channels;
    sums.cRow = row;
    sums.wColumn = channels;
    sums.wRow = columns.size * channels;
    for (std::int64_t number = from; number < to; ++number) {
      // A block has the outputs of one pass, and those of all passes are adjacent.
      const ConvBlock at = blockAt(call_.largest, call_.blocks, number);
      sums.fromRow = 2 * at.row;
      sums.toRow = std::min(2 * (at.row + at.rows), call_.resultRows);
      sums.fromColumn = 2 * at.column;
      sums.toColumn = std::min(2 * (at.column + at.columns), call_.resultColumns);
      conv_.spread(sums, source_ + at.image * view_.strides[0], packed_,
                   result_ + at.image * call_.resultRows * row);
    }
  }

 private:
  static std::int64_t dotElements(const Call& call) {
    return call.dots ? call.runs * call.packing.depth * call.packing.n : 0;
  }

  static std::int64_t pairElements(const Call& call) {
    return call.pairs ? PairSources(call.largest, call.blocks, call.blocks.pixel).elements() : 0;
  }
  static std::int64_t pairSumElements(const Call& call) {
    return call.pairs ? pairProducts * mostTileRows * call.packing.paddedColumns() : 0;
  }

  struct Block {
    ConvBlock at;
    ConvSource<T> source;
  };

  T* resultAt(const ConvBlock& at, std::int64_t row, std::int64_t column) const {
    const std::int64_t y = pass_->rows.outFirst + (at.row + row) * pass_->rows.outStep;
    const std::int64_t x = pass_->columns.outFirst + (at.column + column) * pass_->columns.outStep;
    return result_ + ((at.image * call_.resultRows + y) * call_.resultColumns + x) * call_.resultChannels;
  }

  // Sets some adjacent pixels of the result to 0.
  void clear(T* to, std::int64_t pixels) const { clear(to, pixels, call_.resultChannels); }
  void clear(T* to, std::int64_t pixels, std::int64_t channels) const {
    const std::int64_t step = pass_->columns.outStep * call_.resultChannels;
    for (std::int64_t p = 0; p < pixels; ++p) std::fill_n(to + p * step, channels, T(0));
  }
  void clear(const ConvBlock& at) const {
    for (std::int64_t row = 0; row < at.rows; ++row) clear(resultAt(at, row, 0), at.columns);
  }

  // ---- products

  // Multiplies the blocks with the weights of a group, one piece of the weights after another.
  void products(std::int64_t group) {
    const ConvPacking& packing = call_.packing;
    const auto size = static_cast<std::int64_t>(sizeof(T));
    const std::int64_t k = pass_->taps() * packing.depth, width = packing.width;
    const T* const weights = packed_ + packing.at(group, pass_->rows.tap, pass_->columns.tap, 0, 0);
    if (call_.dots) return dots(group, weights, k);
    if (k <= fewTerms) return shortProducts(group, weights, k);
    const std::int64_t terms = k * packing.paddedColumns() * size <= weightBytes ? k : evenly(k, mostTerms);
    const std::int64_t panels = std::max<std::int64_t>(weightBytes / (terms * width * size), 1);
    for (std::int64_t from = 0; from < k; from += terms) {
      product_ = {runs_, runsFrom(from, std::min(from + terms, k)), 1, width, k * width, 0, from > 0};
      for (std::int64_t column = 0; column < packing.n; column += panels * width) {
        product_.n = std::min(panels * width, packing.n - column);
        for (std::int64_t i = 0; i < count_; ++i) tiles(blocks_[i], group, column, weights + column * k);
      }
    }
  }

  // Lists the runs of the terms from `from` to `to` - 1 of all terms.
  std::int64_t runsFrom(std::int64_t from, std::int64_t to) {
    const std::int64_t width = call_.packing.width;
    const ConvSource<T>& source = blocks_[0].source;
    const std::int64_t all = runsOf(*pass_, source.row, source.pixel, call_.packing.depth, width, runs_);
    std::int64_t count = 0, term = 0;
    for (std::int64_t i = 0; i < all; ++i) {
      const ConvRun run = runs_[i];
      const std::int64_t first = std::max(from - term, std::int64_t(0));
      const std::int64_t last = std::min(to - term, run.length);
      term += run.length;
      if (first < last) runs_[count++] = {run.a + first, run.b + first * width, last - first};
    }
    return count;
  }

  // Multiplies the pixels of a block, a tile of pixels at a time.
  void tiles(const Block& block, std::int64_t group, std::int64_t column, const T* weights) {
    const std::int64_t pixels = block.at.rows * block.at.columns;
    const std::int64_t count = (pixels + gemm_.tileRows - 1) / gemm_.tileRows;
    const std::int64_t sourceStep = pass_->columns.step * block.source.pixel;
    const std::int64_t resultStep = pass_->columns.outStep * call_.resultChannels;
    const std::int64_t sourceColumn = group * call_.packing.depth,
                       resultColumn = group * call_.packing.n + column;
    std::int64_t row = 0, x = 0;
    const T* a = nullptr;
    T* c = nullptr;
    const void* left[mostTileRows];
    void* out[mostTileRows];
    for (std::int64_t tile = 0; tile < count; ++tile) {
      const auto size = static_cast<int>((tile + 1) * pixels / count - tile * pixels / count);
      for (int i = 0; i < size; ++i) {
        if (x == 0) {
          a = block.source.data + row * pass_->rows.step * block.source.row + sourceColumn;
          c = resultAt(block.at, row, 0) + resultColumn;
        }
        left[i] = a;
        out[i] = c;
        a += sourceStep;
        c += resultStep;
        if (++x == block.at.columns) {
          x = 0;
          ++row;
        }
      }
      if (call_.dots) {
        conv_.dots(dots_, size, left, weights, out);
      } else {
        conv_.product(product_, size, left, weights, out);
      }
    }
  }

  // ---- pairs

  // Computes a block in pairs of outputs, a tile of pairs at a time.
  void pairs(const ConvBlock& at) {
    const PairSources sources(*pass_, call_.blocks, call_.blocks.pixel);
    pairSources(*pass_, at, view_, source_, call_.sourceChannels, sources, zeros_, elements_, conv_.pairsIn,
                pairSources_);
    const PairFactors factors(call_.shape, call_.packing);
    for (std::int64_t group = 0; group < factors.groups; ++group) pairTiles(at, sources, factors, group);
  }

  // Computes the outputs of a group, for some panels of the factors after others, which stay in the L2 cache.
  void pairTiles(const ConvBlock& at, const PairSources& sources, const PairFactors& factors,
                 std::int64_t group) {
    const std::int64_t across = (at.columns + 1) / 2, all = at.rows * across;
    const std::int64_t count = (all + gemm_.tileRows - 1) / gemm_.tileRows;
    const std::int64_t panel = factors.terms() * factors.width;
    const std::int64_t panels = std::max<std::int64_t>(
        weightBytes / (pairProducts * panel * static_cast<std::int64_t>(sizeof(T))), 1);
    for (std::int64_t row = 0; row < factors.rows; ++row) {
      runs_[row] = {row * pass_->rows.pitch * sources.pitch(), row * factors.depth * factors.width,
                    factors.depth};
    }
    product_ = {runs_, factors.rows, 1, factors.width, panel, 0, false};
    for (std::int64_t from = 0; from < factors.panels; from += panels) {
      const std::int64_t column = from * factors.width;
      product_.n = std::min(panels * factors.width, call_.packing.n - column);
      for (std::int64_t tile = 0; tile < count; ++tile) {
        const std::int64_t first = tile * all / count, end = (tile + 1) * all / count;
        for (int product = 0; product < pairProducts; ++product) {
          pairProduct(sources, factors, product, across, first, end, group,
                      factors_ + factors.at(group, product) + from * panel);
        }
        for (std::int64_t pair = first; pair < end; ++pair) {
          const std::int64_t x = pair % across * 2;
          T* const y = resultAt(at, pair / across, x) + group * call_.packing.n + column;
          const void* sums[pairProducts];
          for (int product = 0; product < pairProducts; ++product)
            sums[product] = pairSum(product, pair - first);
          conv_.pairsOut(sums, y, x + 1 < at.columns ? y + call_.resultChannels : nullptr, product_.n);
        }
      }
    }
  }

  // Computes one of the four products for the pairs from `first` to `end` - 1, of which a row has `across`. A
  // tile sums the terms of some rows of taps, and then adds those of others.
  void pairProduct(const PairSources& sources, const PairFactors& factors, int product, std::int64_t across,
                   std::int64_t first, std::int64_t end, std::int64_t group, const T* right) {
    const void* left[mostTileRows];
    void* out[mostTileRows];
    for (std::int64_t pair = first; pair < end; ++pair) {
      left[pair - first] = pairSources_ + product * sources.plane() + pair / across * sources.pitch() +
                           pair % across * sources.pixel + group * factors.depth;
      out[pair - first] = pairSum(product, pair - first);
    }
    const std::int64_t rows = std::max<std::int64_t>(mostTerms / factors.depth, 1);
    for (std::int64_t row = 0; row < factors.rows; row += rows) {
      product_.runs = runs_ + row;
      product_.runCount = std::min(rows, factors.rows - row);
      product_.accumulate = row > 0;
      conv_.product(product_, static_cast<int>(end - first), left, right, out);
    }
  }

  T* pairSum(int product, std::int64_t pair) const {
    return pairSums_ + (product * mostTileRows + pair) * call_.packing.paddedColumns();
  }

  // Multiplies the blocks with weights that have few terms, a row of pixels at a time.
  void shortProducts(std::int64_t group, const T* weights, std::int64_t k) {
    const std::int64_t runs = runsFrom(0, k);
    std::int64_t terms = 0;
    for (std::int64_t i = 0; i < runs; ++i) {
      for (std::int64_t p = 0; p < runs_[i].length; ++p) offsets_[terms++] = runs_[i].a + p;
    }
    const std::int64_t n = call_.packing.n, width = call_.packing.width;
    for (std::int64_t i = 0; i < count_; ++i) {
      const Block& block = blocks_[i];
      const ConvShort product = {offsets_,
                                 k,
                                 block.at.rows,
                                 block.at.columns,
                                 n,
                                 pass_->columns.step * block.source.pixel,
                                 pass_->rows.step * block.source.row,
                                 pass_->columns.outStep * call_.resultChannels,
                                 pass_->rows.outStep * call_.resultColumns * call_.resultChannels,
                                 k * width};
      conv_.shortProduct(product, block.source.data + group * call_.packing.depth, weights,
                         resultAt(block.at, 0, 0) + group * n);
    }
  }

  // Multiplies the blocks with the few columns of a group.
  void dots(std::int64_t group, const T* weights, std::int64_t k) {
    for (std::int64_t j = 0; j < call_.packing.n; ++j) {
      for (std::int64_t i = 0; i < k; ++i) dotWeights_[j * k + i] = weights[i * call_.packing.width + j];
    }
    const std::int64_t runs = runsFrom(0, k);
    for (std::int64_t i = 0; i < runs; ++i) runs_[i].b /= call_.packing.width;
    dots_ = {runs_, runs, k, static_cast<int>(call_.packing.n)};
    for (std::int64_t i = 0; i < count_; ++i) tiles(blocks_[i], group, 0, dotWeights_);
  }

  // ---- dot products of rows

  void rowDots(const ConvBlock& at, std::int64_t group) {
    const ConvPacking& packing = call_.packing;
    if (packedGroup_ != group) {
      packRowDots(*pass_, packing, packed_, group, conv_.lanes, dotWeights_);
      packedGroup_ = group;
    }
    const T* const channels = source_ + group * packing.depth * view_.strides[3];
    eachRowDots(*pass_, call_.blocks, at, packing, view_, channels, elements_,
                [&](std::int64_t row, ConvRowDots dots, const T* source, std::int64_t weight) {
                  dots.cPixel = pass_->columns.outStep * call_.resultChannels;
                  T* const out = resultAt(at, row, 0) + group * packing.n;
                  if (dots.tapRows > 0) return conv_.rowDots(dots, source, dotWeights_ + weight, out);
                  clear(out, at.columns, packing.n);
                });
  }

  // ---- depthwise

  void depthwise(const ConvBlock& at) {
    const DepthwiseSource<T> from =
        depthwiseSourceOf(*pass_, at, view_, source_, call_.shape.channels, elements_);
    const std::int64_t pixel = pass_->columns.outStep * call_.resultChannels;
    const std::int64_t width = call_.shape.columns.size, channels = call_.shape.channels;
    ConvStencil stencil = stencilOf(*pass_, at, from, width, channels);
    if (stencil.isStencil()) {
      stencil.channels = channels;
      stencil.cPixel = pixel;
      stencil.cRow = pass_->rows.outStep * call_.resultColumns * call_.resultChannels;
      return conv_.stencil(stencil, from.data, packed_ + firstWeight(*pass_, width, channels),
                           resultAt(at, 0, 0));
    }
    eachDepthwise(*pass_, at, from, call_.shape.columns.size, call_.shape.channels, taps_,
                  [&](std::int64_t row, std::int64_t column, const ConvDepthwise& taps, const T* source) {
                    ConvDepthwise sums = taps;
                    sums.channels = call_.shape.channels;
                    sums.cPixel = pixel;
                    T* const to = resultAt(at, row, column);
                    if (sums.tapCount > 0) return conv_.depthwise(sums, source, packed_, to);
                    clear(to, sums.pixels);
                  });
  }

  static constexpr int mostTileRows = 16;

  const Call& call_;
  const RoutineView& view_;
  const T* source_;
  const T* packed_;
  T* result_;
  const GemmRoutines& gemm_;
  const ConvRoutines& conv_;
  const ConvPass* pass_ = nullptr;
  Block* blocks_;
  ConvRun* runs_;
  ConvTap* taps_;
  std::int64_t offsets_[fewTerms];
  const T* factors_;  // of pairs
  T *elements_, *dotWeights_, *pairSources_, *pairSums_, *zeros_;
  std::int64_t count_ = 0;
  ConvProduct product_ = {};
  ConvDots dots_ = {};
  std::int64_t packedGroup_ = -1;  // the group whose weights are in the order of rowDots; -1 if there is none
};

template <class T, bool gradient>
void runPasses(const RoutineRun& run, std::int64_t from, std::int64_t to, char* scratch) {
  const Call call(run.call, gradient);
  if (call.blocks.tooLarge) {
    return gradient ? inputGradientPlainly<T>(run, from, to) : convPlainly<T>(run, from, to);
  }
  Passes<T> passes(run, call, scratch);
  if (!gradient) return passes.run(forwardPass(call.shape), from, to);
  if (passes.isSpread()) return passes.spread(from, to);
  // The passes of a depthwise block read the same source, so that they follow one another.
  const std::int64_t atOnce = call.packing.depthwise ? 1 : to - from;
  for (std::int64_t block = from; block < to; block += atOnce) {
    for (std::int64_t down = 0; down < gradientPasses(call.shape.rows); ++down) {
      for (std::int64_t across = 0; across < gradientPasses(call.shape.columns); ++across) {
        passes.run(gradientPass(call.shape, down, across), block, block + atOnce);
      }
    }
  }
}

template <bool gradient>
bool runConv(const RoutineRun& run, std::int64_t from, std::int64_t to, char* scratch, RoutineFailure&) {
  const bool isDouble = run.call.operands[0].type == DType::float64;
  (isDouble ? runPasses<double, gradient> : runPasses<float, gradient>)(run, from, to, scratch);
  return true;
}

// The factors of pairs are made once in each run.
template <bool gradient>
std::size_t factorBytes(const RoutineCall& call) {
  const Call all(call, gradient);
  if (!all.pairs) return 0;
  return static_cast<std::size_t>(PairFactors(all.shape, all.packing).elements()) * sizeOf(all.shape.type);
}

template <bool gradient>
bool makeFactors(const RoutineRun& run, RoutineFailure&) {
  const Call all(run.call, gradient);
  if (!all.pairs) return true;
  const PairFactors factors(all.shape, all.packing);
  if (all.shape.type == DType::float64) {
    factors.compute(readAs<double>(run, 1), reinterpret_cast<double*>(run.shared));
  } else {
    factors.compute(readAs<float>(run, 1), reinterpret_cast<float*>(run.shared));
  }
  return true;
}

template <bool gradient>
std::int64_t unitsOf(const RoutineCall& call) {
  return Call(call, gradient).units();
}

template <bool gradient>
std::size_t scratchOf(const RoutineCall& call) {
  const Call all(call, gradient);
  if (all.blocks.tooLarge) return 0;
  return static_cast<std::size_t>(all.shape.type == DType::float64 ? Passes<double>::scratchBytes(all)
                                                                   : Passes<float>::scratchBytes(all));
}

bool checkConv(const RoutineCall& call, Fault& fault) {
  if (!checkConvWindow(call, fault) || !checkConvImages(call, {"x", 0}, {"y", 2}, fault)) return false;
  return checkPackedSize(call, 1, packingOf(convShapeOf(call, {0, 2}), false), fault);
}

bool checkInputGradient(const RoutineCall& call, Fault& fault) {
  if (!checkConvWindow(call, fault) || !checkConvImages(call, {"the gradient", 2}, {"g", 0}, fault)) {
    return false;
  }
  return checkPackedSize(call, 1, packingOf(convShapeOf(call, {2, 0}), true), fault);
}

}  // namespace

extern const RoutineRow convRow, convInputGradientRow;
const RoutineRow convRow = {"conv",
                            2,
                            1,
                            integers,
                            floatDtypes,
                            false,
                            -1,
                            1,
                            checkConv,
                            unitsOf<false>,
                            runConv<false>,
                            makeFactors<false>,
                            factorBytes<false>,
                            scratchOf<false>};
const RoutineRow convInputGradientRow = {"convInputGradient",
                                         2,
                                         1,
                                         integers,
                                         floatDtypes,
                                         false,
                                         -1,
                                         1,
                                         checkInputGradient,
                                         unitsOf<true>,
                                         runConv<true>,
                                         makeFactors<true>,
                                         factorBytes<true>,
                                         scratchOf<true>};

}  // namespace forebay
