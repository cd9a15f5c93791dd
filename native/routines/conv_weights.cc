// The routine convWeightGradient (conv.h): a product whose terms are the pixels of g. A row of the product is
// an element of the window and a channel of x, and a column is a channel of g. The product is computed for
// one piece of the images after another, and added to sums in shared memory. At the end, the sums are
// transposed to the result. If there are few weights, the images are divided into parts with sums of their
// own.
#include "routines/conv_depthwise.h"
#include "routines/conv_pairs.h"

namespace forebay {

namespace {

// With fewer rows of the product than this, g is read where it is. Otherwise it is packed in panels first.
constexpr std::int64_t rowsWorthPacking = 48;
// The largest number of pixels, and of bytes of x and of g, that are multiplied at a time.
constexpr std::int64_t pixelsAtOnce = 512;
constexpr std::int64_t bytesAtOnce = std::int64_t(256) << 10;
// With fewer pixels in a block, pairs are not faster, because their products are added block by block.
constexpr std::int64_t leastPairPixels = 32;
// The number of rows of the product in a unit, if possible.
constexpr std::int64_t unitRows = 48;
// The number of channels in a unit of a depthwise convolution.
constexpr std::int64_t depthwiseChannels = 32;
// Few weights have few units. The images are then divided into parts, whose sums are added at the end: at
// most this many units, at least this many steps of pixels in a part, and at most this many sums in a part.
constexpr std::int64_t mostUnits = 8, leastSteps = 4, mostPartSums = std::int64_t(1) << 15;

// Writes the transpose of a matrix of `rows` x `columns`.
template <class T>
void transpose(const T* from, std::int64_t rows, std::int64_t columns, T* to, std::int64_t toRow,
               std::int64_t fromRow) {
  constexpr std::int64_t square = 16;
  for (std::int64_t r = 0; r < rows; r += square) {
    const std::int64_t rowEnd = std::min(r + square, rows);
    for (std::int64_t c = 0; c < columns; ++c) {
      for (std::int64_t i = r; i < rowEnd; ++i) to[c * toRow + i] = from[i * fromRow + c];
    }
  }
}

// All numbers follow from the shapes.
struct Call {
  ConvShape shape;
  ConvPass pass;
  ConvBlocks blocks;
  bool depthwise, packs;
  bool pairs;  // whether the products of two adjacent pixels of g are computed at once (conv_pairs.h)
  std::int64_t width, columns;   // of panels, and of a row of the sums
  std::int64_t atOnce;           // blocks
  std::int64_t channels, units;  // the channels of a group in a unit, and the units of a group
  std::int64_t parts;            // of the images, each with units and sums of its own

  explicit Call(const RoutineCall& call) {
    shape = convShapeOf(call, {0, 1});
    pass = forwardPass(shape);
    depthwise = shape.isDepthwise();
    width = panelWidth(shape.type);
    columns = depthwise ? shape.channels : roundedUp(shape.groupOutputs(), width);
    channels = depthwise ? depthwiseChannels : evenly(shape.groupChannels(), unitRows / shape.taps() + 1);
    units = depthwise ? (shape.channels + channels - 1) / channels
                      : (shape.groupChannels() + channels - 1) / channels;
    atOnce = parts = 1;
    packs = pairs = false;
    if (isZero()) return;
    blocks = blocksOf(pass, depthwise ? shape.channels : pixelOf(shape.groupChannels(), shape.type),
                      shape.type, depthwise);
    if (blocks.tooLarge) return;
    const auto size = static_cast<std::int64_t>(sizeOf(shape.type));
    const RoutineView& g = call.operands[1];
    packs = !depthwise && (shape.taps() * shape.groupChannels() >= rowsWorthPacking ||
                           (g.strides[3] != 1 && g.sizes[3] != 1));
    if (depthwise) return;
    const std::int64_t pixels = blocks.rows * blocks.columns;
    pairs =
        packs && pixels >= leastPairPixels && hasPairs(shape, shape.groupChannels(), shape.groupOutputs());
    const std::int64_t bytes = std::max(blocks.elements, pixels * columns) * size;
    if (!pairs) {
      atOnce = std::clamp<std::int64_t>(std::min(bytesAtOnce / bytes, (pixelsAtOnce + pixels - 1) / pixels),
                                        1, shape.batch * blocks.inImage());
    }
    if (sums() > mostPartSums || units * shape.groups >= mostUnits) return;
    const std::int64_t steps = shape.batch * blocks.inImage() / atOnce;
    parts = std::clamp<std::int64_t>(steps / leastSteps, 1, mostUnits / (units * shape.groups));
  }
  // The sums of a part.
  std::int64_t sums() const { return (depthwise ? 1 : shape.channels) * rowsOfChannel() * columns; }
  // The rows of the sums of a channel.
  std::int64_t rowsOfChannel() const { return pairs ? shape.rows.size * pairProducts : shape.taps(); }
  // The units of a part.
  std::int64_t unitsOfPart() const { return units * (depthwise ? 1 : shape.groups); }
  // True if no terms are added.
  bool isZero() const { return shape.batch == 0 || pass.isEmpty(); }
  bool isPlain() const { return !isZero() && blocks.tooLarge; }
};

template <class T>
class Weights {
 public:
  Weights(const RoutineRun& run, const Call& call, char* scratch)
      : call_(call),
        shape_(call.shape),
        x_(run.call.operands[0]),
        g_(run.call.operands[1]),
        xData_(readAs<T>(run, 0)),
        gData_(readAs<T>(run, 1)),
        result_(writeAs<T>(run, 2)),
        sums_(reinterpret_cast<T*>(run.shared)),
        gemm_(gemmOf(call.shape.type)),
        conv_(convOf(call.shape.type)) {
    Scratch pieces(scratch);
    runs_ = pieces.take<ConvRun>(runCount(call));
    taps_ = pieces.take<ConvTap>(call.depthwise ? call.shape.taps() : 0);
    elements_ = pieces.take<T>(call.atOnce * call.blocks.elements);
    panels_ = pieces.take<T>(panelElements(call));
    sources_ = pieces.take<T>(sourceElements(call));
    zeros_ = pieces.take<T>(zeroElements(call));
    std::fill_n(zeros_, zeroElements(call), T(0));
    copied_ = call.depthwise ? pieces.take<T>(pixels(call) * call.shape.channels) : nullptr;
  }

  static std::size_t scratchBytes(const Call& call) {
    return static_cast<std::size_t>(
        Scratch::bytes<ConvRun>(runCount(call)) +
        Scratch::bytes<ConvTap>(call.depthwise ? call.shape.taps() : 0) +
        Scratch::bytes<T>(call.atOnce * call.blocks.elements) + Scratch::bytes<T>(panelElements(call)) +
        Scratch::bytes<T>(sourceElements(call)) + Scratch::bytes<T>(zeroElements(call)) +
        Scratch::bytes<T>(call.depthwise ? pixels(call) * call.shape.channels : 0));
  }

  // Computes the channels of the units from `from` to `to` - 1.
  void run(std::int64_t from, std::int64_t to) {
    while (from < to) {
      const std::int64_t unit = from % call_.unitsOfPart();
      part_ = from / call_.unitsOfPart();
      const std::int64_t group = unit / call_.units, first = unit % call_.units;
      const std::int64_t last = std::min(call_.units, first + to - from);
      const std::int64_t all = call_.depthwise ? shape_.channels : shape_.groupChannels();
      first_ = first * call_.channels;
      count_ = std::min(last * call_.channels, all) - first_;
      call_.depthwise ? depthwise() : product(group);
      from += last - first;
    }
  }

 private:
  static std::int64_t runCount(const Call& call) {
    return call.depthwise ? 0 : call.atOnce * call.blocks.rows;
  }
  static std::int64_t pixels(const Call& call) { return call.blocks.rows * call.blocks.columns; }
  // The pairs of the largest block.
  static std::int64_t pairsOf(const Call& call) { return call.blocks.rows * ((call.blocks.columns + 1) / 2); }
  // g in panels; for pairs, followed by its four factors.
  static std::int64_t panelElements(const Call& call) {
    if (!call.packs) return 0;
    const std::int64_t pixelsAndFactors = pixels(call) + (call.pairs ? pairProducts * pairsOf(call) : 0);
    return call.atOnce * pixelsAndFactors * call.columns;
  }
  static std::int64_t sourceElements(const Call& call) {
    if (!call.pairs) return 0;
    return call.atOnce * PairSources(call.pass, call.blocks, call.blocks.pixel).elements();
  }
  static std::int64_t zeroElements(const Call& call) {
    return call.pairs ? std::max(call.shape.groupChannels(), call.width) : 0;
  }

  const T* gAt(const ConvBlock& at, std::int64_t row) const {
    return gData_ + at.image * g_.strides[0] + (at.row + row) * g_.strides[1] + at.column * g_.strides[2];
  }

  // The sums of a group: a row for each channel and tap, in this order.
  T* sumsOf(std::int64_t group) const {
    return sums_ + part_ * call_.sums() +
           group * shape_.groupChannels() * call_.rowsOfChannel() * call_.columns;
  }

  void product(std::int64_t group) {
    T* const sums = sumsOf(group) + first_ * call_.rowsOfChannel() * call_.columns;
    const std::int64_t all = shape_.batch * call_.blocks.inImage();
    const std::int64_t end = all * (part_ + 1) / call_.parts;
    bool accumulate = false;
    for (std::int64_t from = all * part_ / call_.parts; from < end; from += call_.atOnce, accumulate = true) {
      if (call_.pairs) {
        pairs(group, from, sums, accumulate);
        continue;
      }
      gather(group, from, std::min(from + call_.atOnce, end));
      tiles(sums, accumulate);
    }
    const std::int64_t rows = count_ * shape_.taps(), rowsOfResult = shape_.groupChannels() * shape_.taps();
    if (call_.parts > 1) return;
    if (call_.pairs) tapsOfPairs(sums, count_ * shape_.rows.size, call_.columns);
    T* const to = result_ + group * shape_.groupOutputs() * rowsOfResult + first_ * shape_.taps();
    transpose(sums, rows, shape_.groupOutputs(), to, rowsOfResult, call_.columns);
  }

  // Brings the elements of x and g of some blocks to scratch memory, and lists the runs of pixels.
  void gather(std::int64_t group, std::int64_t from, std::int64_t to) {
    const std::int64_t outputs = shape_.groupOutputs(), width = call_.width;
    const T* const x = xData_ + (group * shape_.groupChannels() + first_) * x_.strides[3];
    const std::int64_t firstOutput = group * outputs * g_.strides[3];
    std::int64_t terms = 0;
    for (std::int64_t number = from; number < to; ++number) {
      const ConvBlock at = blockAt(call_.pass, call_.blocks, number);
      terms += at.rows * at.columns;
    }
    base_ = nullptr;
    const T* gBase = nullptr;
    product_.runCount = 0;
    std::int64_t term = 0;
    for (std::int64_t number = from; number < to; ++number) {
      const ConvBlock at = blockAt(call_.pass, call_.blocks, number);
      const ConvSource<T> source = sourceOf(call_.pass, call_.blocks, at, x_, x, count_, scratchPixel(),
                                            elements_ + (number - from) * call_.blocks.elements);
      if (base_ == nullptr) {
        base_ = source.data;
        gBase = gAt(at, 0) + firstOutput;
        pixel_ = source.pixel;
      }
      for (std::int64_t row = 0; row < at.rows; ++row, term += at.columns) {
        const T* const g = gAt(at, row) + firstOutput;
        runs_[product_.runCount++] = {source.data + row * call_.pass.rows.step * source.row - base_,
                                      call_.packs ? term * width : g - gBase, at.columns};
        if (call_.packs) {
          gemm_.packB(at.columns, outputs, g, g_.strides[2], outputs == 1 ? 1 : g_.strides[3],
                      panels_ + term * width, terms * width, 0, false);
        }
      }
      row_ = source.row;
    }
    product_.runs = runs_;
    product_.aStep = call_.pass.columns.step * pixel_;
    product_.bRow = call_.packs ? width : g_.strides[2];
    product_.bPanel = call_.packs ? terms * width : width;
    product_.n = outputs;
    right_ = call_.packs ? panels_ : gBase;
  }

  // Adds the products of one block, in pairs of pixels of g.
  void pairs(std::int64_t group, std::int64_t number, T* sums, bool accumulate) {
    const ConvBlock at = blockAt(call_.pass, call_.blocks, number);
    const PairSources sources(call_.pass, call_.blocks, scratchPixel());
    const T* const x = xData_ + (group * shape_.groupChannels() + first_) * x_.strides[3];
    pairSources(call_.pass, at, x_, x, count_, sources, zeros_, elements_, conv_.pairsIn, sources_);
    const std::int64_t across = (at.columns + 1) / 2, pairs = at.rows * across, width = call_.width;
    T* const factors = panels_ + pixels(call_) * call_.columns;
    for (std::int64_t row = 0; row < at.rows; ++row) {
      pairFactors(at, group, row, factors + row * across * width, pairs);
      runs_[row] = {row * sources.pitch(), row * across * width, across};
    }
    product_ = {runs_, at.rows, sources.pixel, width, pairs * width, shape_.groupOutputs(), accumulate};
    const std::int64_t rows = count_ * shape_.rows.size;
    const std::int64_t count = (rows + gemm_.tileRows - 1) / gemm_.tileRows;
    for (int factor = 0; factor < pairProducts; ++factor) {
      const T* const left = sources_ + factor * sources.plane();
      for (std::int64_t tile = 0; tile < count; ++tile) {
        const std::int64_t first = tile * rows / count, end = (tile + 1) * rows / count;
        const void* a[mostTileRows];
        void* out[mostTileRows];
        for (std::int64_t i = first; i < end; ++i) {
          const std::int64_t channel = i % count_, down = i / count_;
          a[i - first] = left + down * call_.pass.rows.pitch * sources.pitch() + channel;
          out[i - first] =
              sums + ((channel * shape_.rows.size + down) * pairProducts + factor) * call_.columns;
        }
        conv_.product(product_, static_cast<int>(end - first), a, factors + factor * pairs * call_.columns,
                      out);
      }
    }
  }

  // Computes the factors of a row of g: the panels of a factor have a row for each of `pairs` pairs.
  void pairFactors(const ConvBlock& at, std::int64_t group, std::int64_t row, T* to, std::int64_t pairs) {
    const std::int64_t outputs = shape_.groupOutputs(), width = call_.width;
    const T* g = gAt(at, row) + group * outputs * g_.strides[3];
    std::int64_t pixel = g_.strides[2], panel = width;
    if (g_.strides[3] != 1) {
      gemm_.packB(at.columns, outputs, g, g_.strides[2], g_.strides[3], panels_, at.columns * width, 0,
                  false);
      g = panels_;
      pixel = width;
      panel = at.columns * width;
    }
    for (std::int64_t j = 0; j < outputs; j += width, g += panel, to += pairs * width) {
      for (std::int64_t column = 0; column < at.columns; column += 2) {
        const T* const first = g + column * pixel;
        const void* const from[] = {zeros_, column + 1 < at.columns ? first + pixel : zeros_, first, zeros_};
        void* into[pairProducts];
        for (int factor = 0; factor < pairProducts; ++factor) {
          into[factor] = to + factor * pairs * call_.columns + column / 2 * width;
        }
        conv_.pairsIn(from, into, std::min(width, outputs - j));
      }
    }
  }

  std::int64_t scratchPixel() const {
    return call_.depthwise ? count_ : std::min(call_.blocks.pixel, pixelOf(count_, shape_.type));
  }

  void tiles(T* sums, bool accumulate) {
    product_.accumulate = accumulate;
    const std::int64_t taps = shape_.taps(), rows = count_ * taps;
    const std::int64_t count = (rows + gemm_.tileRows - 1) / gemm_.tileRows;
    std::int64_t channel = 0, down = 0, across = 0;
    const void* left[mostTileRows];
    void* out[mostTileRows];
    for (std::int64_t tile = 0; tile < count; ++tile) {
      const auto size = static_cast<int>((tile + 1) * rows / count - tile * rows / count);
      for (int i = 0; i < size; ++i) {
        left[i] = base_ + down * call_.pass.rows.pitch * row_ + across * call_.pass.columns.pitch * pixel_ +
                  channel;
        out[i] = sums + (channel * taps + down * shape_.columns.size + across) * call_.columns;
        if (++channel < count_) continue;
        channel = 0;
        if (++across < shape_.columns.size) continue;
        across = 0;
        ++down;
      }
      conv_.product(product_, size, left, right_, out);
    }
  }

  void depthwise() {
    T* const sums = sums_ + first_ * shape_.taps();
    std::fill_n(sums, count_ * shape_.taps(), T(0));
    const T* const x = xData_ + first_ * x_.strides[3];
    const bool contiguous = g_.strides[3] == 1 || g_.sizes[3] == 1;
    for (std::int64_t number = 0; number < shape_.batch * call_.blocks.inImage(); ++number) {
      const ConvBlock at = blockAt(call_.pass, call_.blocks, number);
      const DepthwiseSource<T> from = depthwiseSourceOf(call_.pass, at, x_, x, count_, elements_);
      ConvStencil stencil = stencilOf(call_.pass, at, from, shape_.columns.size, count_);
      if (stencil.isWide() && contiguous) {
        stencil.channels = count_;
        stencil.cPixel = g_.strides[2];
        stencil.cRow = g_.strides[1];
        conv_.stencilWeights(stencil, from.data, gAt(at, 0) + first_ * g_.strides[3],
                             sums + firstWeight(call_.pass, shape_.columns.size, count_));
        continue;
      }
      eachDepthwise(call_.pass, at, from, shape_.columns.size, count_, taps_,
                    [&](std::int64_t row, std::int64_t column, ConvDepthwise terms, const T* source) {
                      terms.channels = count_;
                      const T* g = gAt(at, row) + column * g_.strides[2] + first_ * g_.strides[3];
                      terms.cPixel = contiguous ? g_.strides[2] : count_;
                      if (!contiguous) g = copied(g, terms.pixels);
                      if (terms.tapCount > 0) conv_.depthwiseWeights(terms, source, g, sums);
                    });
    }
    transpose(sums, shape_.taps(), count_, result_ + first_ * shape_.taps(), shape_.taps(), count_);
  }

  // Copies some pixels of g to scratch memory, where their channels are contiguous.
  const T* copied(const T* g, std::int64_t pixels) const {
    for (std::int64_t p = 0; p < pixels; ++p) {
      for (std::int64_t c = 0; c < count_; ++c) {
        copied_[p * count_ + c] = g[p * g_.strides[2] + c * g_.strides[3]];
      }
    }
    return copied_;
  }

  static constexpr int mostTileRows = 16;

  const Call& call_;
  const ConvShape& shape_;
  const RoutineView &x_, &g_;
  const T *xData_, *gData_;
  T *result_, *sums_;
  const GemmRoutines& gemm_;
  const ConvRoutines& conv_;
  ConvRun* runs_;
  ConvTap* taps_;
  T *elements_, *panels_, *copied_, *sources_, *zeros_;
  std::int64_t part_ = 0;
  std::int64_t first_ = 0, count_ = 0;  // the channels that are computed, in their group
  const T *base_ = nullptr, *right_ = nullptr;
  std::int64_t row_ = 0, pixel_ = 0;
  ConvProduct product_ = {};
};

template <class T>
void runWeights(const RoutineRun& run, std::int64_t from, std::int64_t to, char* scratch) {
  const Call call(run.call);
  const std::int64_t groups = call.depthwise ? 1 : call.shape.groups;
  const auto outputs = [&](std::int64_t unit) { return call.shape.outputs * unit / (groups * call.units); };
  if (call.isZero()) {
    const std::int64_t each = call.shape.groupChannels() * call.shape.taps();
    std::fill_n(writeAs<T>(run, 2) + outputs(from) * each, (outputs(to) - outputs(from)) * each, T(0));
  } else if (call.isPlain()) {
    weightGradientPlainly<T>(run, outputs(from), outputs(to));
  } else {
    Weights<T>(run, call, scratch).run(from, to);
  }
}

bool runGradient(const RoutineRun& run, std::int64_t from, std::int64_t to, char* scratch, RoutineFailure&) {
  (run.call.operands[0].type == DType::float64 ? runWeights<double> : runWeights<float>)(run, from, to,
                                                                                         scratch);
  return true;
}

// Adds the sums of the parts, in their order, and transposes them to the result.
template <class T>
void addParts(const RoutineRun& run, const Call& call) {
  T* const sums = reinterpret_cast<T*>(run.shared);
  for (std::int64_t part = 1; part < call.parts; ++part) {
    const T* const more = sums + part * call.sums();
    for (std::int64_t i = 0; i < call.sums(); ++i) sums[i] += more[i];
  }
  const std::int64_t rows = call.shape.groupChannels() * call.shape.taps();
  for (std::int64_t group = 0; group < call.shape.groups; ++group) {
    T* const own = sums + group * call.shape.groupChannels() * call.rowsOfChannel() * call.columns;
    if (call.pairs) tapsOfPairs(own, call.shape.groupChannels() * call.shape.rows.size, call.columns);
    transpose(own, rows, call.shape.groupOutputs(),
              writeAs<T>(run, 2) + group * call.shape.groupOutputs() * rows, rows, call.columns);
  }
}

void finish(const RoutineRun& run) {
  const Call call(run.call);
  if (call.parts == 1) return;
  (call.shape.type == DType::float64 ? addParts<double> : addParts<float>)(run, call);
}

std::int64_t units(const RoutineCall& call) {
  const Call all(call);
  return all.parts * all.unitsOfPart();
}

std::size_t sharedBytes(const RoutineCall& call) {
  const Call all(call);
  if (all.isZero() || all.isPlain()) return 0;
  return static_cast<std::size_t>(all.parts * all.sums()) * sizeOf(all.shape.type);
}

std::size_t scratchBytes(const RoutineCall& call) {
  const Call all(call);
  if (all.isZero() || all.isPlain()) return 0;
  return all.shape.type == DType::float64 ? Weights<double>::scratchBytes(all)
                                          : Weights<float>::scratchBytes(all);
}

bool checkWeightGradient(const RoutineCall& call, Fault& fault) {
  constexpr Checked gradient = {"the gradient", 2};
  if (!checkConvWindow(call, fault) || !checkConvImages(call, {"x", 0}, {"g", 1}, fault) ||
      !hasRank(call, gradient, 4, fault) || !hasType(call, gradient, call.operands[0].type, fault)) {
    return false;
  }
  const ConvShape s = convShapeOf(call, {0, 1});
  const std::int64_t expected[] = {s.outputs, s.groupChannels(), s.rows.size, s.columns.size};
  for (int axis = 0; axis < 4; ++axis) {
    const std::int64_t found = call.operands[2].sizes[axis];
    if (found == expected[axis]) continue;
    return fault.argument("axis %d of the gradient has %lld elements, expected %lld", axis,
                          static_cast<long long>(found), static_cast<long long>(expected[axis]));
  }
  return true;
}

}  // namespace

extern const RoutineRow convWeightGradientRow;
const RoutineRow convWeightGradientRow = {"convWeightGradient",
                                          2,
                                          1,
                                          windowIntegers + 1,
                                          floatDtypes,
                                          false,
                                          -1,
                                          3,
                                          checkWeightGradient,
                                          units,
                                          runGradient,
                                          nullptr,
                                          sharedBytes,
                                          scratchBytes,
                                          true,
                                          nullptr,
                                          false,
                                          -1,
                                          finish};

}  // namespace forebay
