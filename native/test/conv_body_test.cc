// Tests the routines of every body for convolutions (kernels/conv_routines.h) against plain loops.
#include "kernels/conv_routines.h"

#include "kernels/gemm_routines.h"
#include "test/support.h"

using namespace forebay;
using namespace forebay::test;

namespace {

template <class T>
class BodyTest {
 public:
  explicit BodyTest(const Body& body)
      : gemm_(body.gemm[sizeof(T) == 8 ? 1 : 0]), conv_(body.conv[sizeof(T) == 8 ? 1 : 0]) {}

  // Terms at runs of any length, and rows of A and C anywhere.
  void products() {
    for (std::int64_t rows = 1; rows <= gemm_.tileRows; ++rows) {
      for (std::int64_t n = 1; n <= 2 * gemm_.panelWidth + 3; n += n < 5 ? 1 : 3) {
        for (const bool accumulate : {false, true}) hold(rows, n, accumulate);
      }
    }
  }

  void stencils() {
    for (std::int64_t height = 1; height <= 5; ++height) {
      for (std::int64_t width = 1; width <= 5; ++width) {
        for (std::int64_t step = 1; step <= 2; ++step) {
          for (const std::int64_t channels : {1, 16, 37}) {
            for (const std::int64_t rows : {1, 2, 3, 4, 5, 7, 9, 12})
              stencil(height, width, step, channels, rows, between(generator_, 1, 17));
          }
        }
      }
    }
    // Numbers of columns that are multiples of those of a band (kernels/body/stencil.h).
    for (const std::int64_t columns : {14, 28}) {
      for (const std::int64_t rows : {1, 2, 3, 6}) stencil(5, 5, 2, 16, rows, columns);
    }
  }

  void stencil(std::int64_t height, std::int64_t width, std::int64_t step, std::int64_t channels,
               std::int64_t rows, std::int64_t outputs) {
    ConvStencil s = {};
    s.tapRows = height;
    s.tapColumns = width;
    s.columnStep = step;
    if (!s.isStencil()) return;
    s.rowStep = channels == 16 ? step : between(generator_, 1, 3);
    s.channels = channels;
    s.rows = rows;
    s.outputs = outputs;
    // Every number of columns in the padding, on both sides, and some more than there are taps.
    for (std::int64_t before = 0; before <= width; ++before) {
      for (std::int64_t after = 0; after <= width; ++after) {
        s.first = -before;
        s.source = (s.outputs - 1) * step + width - before - after;
        s.firstRow = -between(generator_, 0, height);
        s.sourceRows = (rows - 1) * s.rowStep + height + s.firstRow - between(generator_, 0, height);
        if (s.source > 0 && s.sourceRows > 0) holdStencil(s);
      }
    }
  }

  void spreads() {
    for (const std::int64_t size : {3, 5}) {
      for (const std::int64_t channels : {1, 16, 37}) {
        for (std::int64_t before = 0; before <= size; ++before) {
          for (std::int64_t source = 1; source <= 9; ++source) spread(size, channels, before, source);
        }
      }
    }
  }

  void depthwise() {
    for (std::int64_t taps = 1; taps <= 20; taps += taps < 11 ? 1 : 4) {
      for (const std::int64_t channels : {1, 3, 8, 16, 21, 37}) {
        for (std::int64_t pixels = 1; pixels < 16; ++pixels) holdDepthwise(taps, channels, pixels);
      }
    }
  }

 private:
  static void equal(const std::vector<T>& values, const std::vector<double>& expected) {
    CHECK(asDoubles(values) == expected);
  }
  // Small integers, whose products and sums are exact.
  std::vector<T> integers(std::int64_t count) {
    std::vector<T> values(static_cast<std::size_t>(count));
    for (T& value : values) value = static_cast<T>(between(generator_, -8, 8));
    return values;
  }

  void hold(std::int64_t rows, std::int64_t n, bool accumulate) {
    CAPTURE(rows);
    CAPTURE(n);
    CAPTURE(accumulate);
    const std::int64_t width = gemm_.panelWidth, panels = (n + width - 1) / width,
                       aStep = between(generator_, 1, 3);
    std::vector<ConvRun> runs;
    std::int64_t terms = 0, end = 0;
    for (std::int64_t i = between(generator_, 0, 3); i >= 0; --i) {
      const std::int64_t length = between(generator_, 0, 40);
      runs.push_back({between(generator_, 0, 9), terms * width, length});
      terms += length;
      end = std::max(end, runs.back().a + std::max<std::int64_t>(length - 1, 0) * aStep + 1);
    }
    const std::int64_t pitch = between(generator_, 0, 5), cPitch = n + between(generator_, 0, 5);
    // The last panel ends after column n, so that an access after it is found.
    const std::int64_t bCount = (panels - 1) * terms * width + std::max<std::int64_t>(terms - 1, 0) * width +
                                (terms > 0 ? n - (panels - 1) * width : 0);
    const std::vector<T> a = integers((rows - 1) * pitch + end),
                         b = integers(std::max<std::int64_t>(bCount, 1));
    std::vector<T> c = integers((rows - 1) * cPitch + n);
    std::vector<double> expected = asDoubles(c), dots = expected;
    std::vector<const void*> left;
    std::vector<void*> out;
    for (std::int64_t i = 0; i < rows; ++i) {
      left.push_back(a.data() + i * pitch);
      out.push_back(c.data() + i * cPitch);
      for (std::int64_t j = 0; j < n; ++j) {
        double sum = accumulate ? expected[static_cast<std::size_t>(i * cPitch + j)] : 0;
        for (const ConvRun& run : runs) {
          for (std::int64_t p = 0; p < run.length; ++p) {
            sum +=
                static_cast<double>(a[static_cast<std::size_t>(i * pitch + run.a + p * aStep)]) *
                static_cast<double>(
                    b[static_cast<std::size_t>(j / width * terms * width + run.b + p * width + j % width)]);
          }
        }
        expected[static_cast<std::size_t>(i * cPitch + j)] = sum;
      }
    }
    const ConvProduct product = {
        runs.data(), static_cast<std::int64_t>(runs.size()), aStep, width, terms * width, n, accumulate};
    conv_.product(product, static_cast<int>(rows), left.data(), b.data(), out.data());
    equal(c, expected);
    if (accumulate || terms == 0) return;

    // The same product with the offset of every term.
    std::vector<std::int64_t> offsets;
    for (const ConvRun& run : runs) {
      for (std::int64_t p = 0; p < run.length; ++p) offsets.push_back(run.a + p * aStep);
    }
    std::fill(c.begin(), c.end(), T(3));
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = n; j < cPitch && i + 1 < rows; ++j)
        expected[static_cast<std::size_t>(i * cPitch + j)] = 3;
    }
    conv_.shortProduct({offsets.data(), terms, 1, rows, n, pitch, 0, cPitch, 0, terms * width}, a.data(),
                       b.data(), c.data());
    equal(c, expected);
    if (n <= mostConvDots && aStep == 1) holdDots(rows, n, terms, runs, left, b, c, out, expected);
  }

  void holdDots(std::int64_t rows, std::int64_t n, std::int64_t terms, std::vector<ConvRun> runs,
                const std::vector<const void*>& left, const std::vector<T>& b, std::vector<T>& c,
                const std::vector<void*>& out, const std::vector<double>& expected) {
    std::vector<T> columns(static_cast<std::size_t>(terms * n));
    for (std::int64_t j = 0; j < n; ++j) {
      for (std::int64_t p = 0; p < terms; ++p) {
        columns[static_cast<std::size_t>(j * terms + p)] =
            b[static_cast<std::size_t>(p * gemm_.panelWidth + j)];
      }
    }
    for (ConvRun& run : runs) run.b /= gemm_.panelWidth;
    std::fill(c.begin(), c.end(), T(3));
    const ConvDots dots = {runs.data(), static_cast<std::int64_t>(runs.size()), terms, static_cast<int>(n)};
    conv_.dots(dots, static_cast<int>(rows), left.data(), columns.data(), out.data());
    equal(c, expected);
  }

  void holdDepthwise(std::int64_t taps, std::int64_t channels, std::int64_t pixels) {
    CAPTURE(taps);
    CAPTURE(channels);
    CAPTURE(pixels);
    const std::int64_t aPixel = channels + between(generator_, 0, 3),
                       cPixel = channels + between(generator_, 0, 3);
    std::vector<ConvTap> list;
    std::int64_t end = 0;
    for (std::int64_t t = 0; t < taps; ++t) {
      list.push_back({between(generator_, 0, 50), (taps - 1 - t) * channels});
      end = std::max(end, list.back().a);
    }
    const ConvDepthwise sums = {list.data(), taps, pixels, channels, aPixel, cPixel};
    const std::vector<T> a = integers(end + (pixels - 1) * aPixel + channels);
    std::vector<T> w = integers(taps * channels), c = integers((pixels - 1) * cPixel + channels);
    std::vector<double> expected = asDoubles(c), expectedWeights = asDoubles(w);
    const std::vector<T> g = c;
    for (std::int64_t p = 0; p < pixels; ++p) {
      for (std::int64_t j = 0; j < channels; ++j) {
        double& sum = expected[static_cast<std::size_t>(p * cPixel + j)];
        sum = 0;
        for (const ConvTap& tap : list) {
          const auto x = static_cast<double>(a[static_cast<std::size_t>(p * aPixel + tap.a + j)]);
          sum += x * static_cast<double>(w[static_cast<std::size_t>(tap.w + j)]);
          expectedWeights[static_cast<std::size_t>(tap.w + j)] +=
              x * static_cast<double>(g[static_cast<std::size_t>(p * cPixel + j)]);
        }
      }
    }
    conv_.depthwise(sums, a.data(), w.data(), c.data());
    equal(c, expected);
    conv_.depthwiseWeights(sums, a.data(), g.data(), w.data());
    equal(w, expectedWeights);
  }

  void holdStencil(ConvStencil s) {
    CAPTURE(s.tapRows);
    CAPTURE(s.tapColumns);
    CAPTURE(s.columnStep);
    CAPTURE(s.rowStep);
    CAPTURE(s.channels);
    CAPTURE(s.rows);
    CAPTURE(s.outputs);
    CAPTURE(s.firstRow);
    CAPTURE(s.first);
    CAPTURE(s.sourceRows);
    CAPTURE(s.source);
    s.aPixel = s.channels + between(generator_, 0, 3);
    s.aRow = s.source * s.aPixel + between(generator_, 0, 9);
    s.cPixel = s.channels + between(generator_, 0, 3);
    s.cRow = s.outputs * s.cPixel + between(generator_, 0, 9);
    const bool reversed = between(generator_, 0, 1) == 1;
    s.wColumn = reversed ? -s.channels : s.channels;
    s.wRow = s.wColumn * s.tapColumns;
    const std::int64_t taps = s.tapRows * s.tapColumns;
    const std::int64_t wFirst = reversed ? (taps - 1) * s.channels : 0;
    const std::vector<T> a = integers((s.sourceRows - 1) * s.aRow + (s.source - 1) * s.aPixel + s.channels);
    std::vector<T> w = integers(taps * s.channels),
                   c = integers((s.rows - 1) * s.cRow + (s.outputs - 1) * s.cPixel + s.channels);
    const std::vector<T> g = c;
    std::vector<double> expected = asDoubles(c), expectedWeights = asDoubles(w);
    for (std::int64_t r = 0; r < s.rows; ++r) {
      for (std::int64_t o = 0; o < s.outputs; ++o) {
        for (std::int64_t j = 0; j < s.channels; ++j) {
          const auto to = static_cast<std::size_t>(r * s.cRow + o * s.cPixel + j);
          expected[to] = 0;
          for (std::int64_t i = 0; i < s.tapRows; ++i) {
            for (std::int64_t t = 0; t < s.tapColumns; ++t) {
              const std::int64_t line = s.firstRow + r * s.rowStep + i,
                                 column = s.first + o * s.columnStep + t;
              if (line < 0 || line >= s.sourceRows || column < 0 || column >= s.source) continue;
              const std::int64_t at = line * s.aRow + column * s.aPixel + j;
              const auto x = static_cast<double>(a[static_cast<std::size_t>(at)]);
              const auto weight = static_cast<std::size_t>(wFirst + i * s.wRow + t * s.wColumn + j);
              expected[to] += x * static_cast<double>(w[weight]);
              expectedWeights[weight] += x * static_cast<double>(g[to]);
            }
          }
        }
      }
    }
    conv_.stencil(s, a.data(), w.data() + wFirst, c.data());
    equal(c, expected);
    if (!s.isWide()) return;
    conv_.stencilWeights(s, a.data(), g.data(), w.data() + wFirst);
    equal(w, expectedWeights);
  }

  void spread(std::int64_t size, std::int64_t channels, std::int64_t before, std::int64_t source) {
    CAPTURE(size);
    CAPTURE(channels);
    CAPTURE(before);
    CAPTURE(source);
    ConvSpread s = {};
    s.size = size;
    s.channels = channels;
    s.top = between(generator_, 0, size);
    s.left = before;
    s.sourceRows = between(generator_, 1, 6);
    s.source = source;
    // Some rows and columns of the result may read nothing, and some belong to others.
    const std::int64_t rows = 2 * s.sourceRows + between(generator_, 0, size),
                       columns = 2 * source + between(generator_, 0, size);
    s.fromRow = between(generator_, 0, rows - 1);
    s.toRow = between(generator_, s.fromRow + 1, rows);
    s.fromColumn = between(generator_, 0, 1) * between(generator_, 0, columns - 1);
    s.toColumn = between(generator_, 0, 1) == 0 ? columns : between(generator_, s.fromColumn + 1, columns);
    s.aPixel = channels + between(generator_, 0, 3);
    s.aRow = source * s.aPixel + between(generator_, 0, 9);
    s.cPixel = channels + between(generator_, 0, 3);
    s.cRow = columns * s.cPixel + between(generator_, 0, 9);
    s.wColumn = channels;
    s.wRow = size * channels;
    const std::vector<T> a = integers((s.sourceRows - 1) * s.aRow + (source - 1) * s.aPixel + channels),
                         w = integers(size * size * channels);
    std::vector<T> c = integers((rows - 1) * s.cRow + (columns - 1) * s.cPixel + channels);
    std::vector<double> expected = asDoubles(c);
    for (std::int64_t r = s.fromRow; r < s.toRow; ++r) {
      for (std::int64_t o = s.fromColumn; o < s.toColumn; ++o) {
        for (std::int64_t j = 0; j < channels; ++j) {
          double& sum = expected[static_cast<std::size_t>(r * s.cRow + o * s.cPixel + j)];
          sum = 0;
          for (std::int64_t i = 0; i < size; ++i) {
            for (std::int64_t t = 0; t < size; ++t) {
              const std::int64_t down = r + s.top - i, across = o + s.left - t;
              if (down < 0 || down % 2 != 0 || down / 2 >= s.sourceRows) continue;
              if (across < 0 || across % 2 != 0 || across / 2 >= source) continue;
              const auto from = static_cast<std::size_t>(down / 2 * s.aRow + across / 2 * s.aPixel + j),
                         weight = static_cast<std::size_t>(i * s.wRow + t * s.wColumn + j);
              sum += static_cast<double>(a[from]) * static_cast<double>(w[weight]);
            }
          }
        }
      }
    }
    conv_.spread(s, a.data(), w.data(), c.data());
    equal(c, expected);
  }

  Generator generator_{11};
  const GemmRoutines& gemm_;
  const ConvRoutines& conv_;
};

}  // namespace

TEST_CASE("the products of convolutions equal those of loops, with every body") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(body->name);
    BodyTest<float>(*body).products();
    BodyTest<double>(*body).products();
  }
}

TEST_CASE("stencils and their gradients equal those of loops, with every body") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(body->name);
    BodyTest<float>(*body).stencils();
    BodyTest<double>(*body).stencils();
  }
}

TEST_CASE("input gradients of depthwise convolutions with strides equal those of loops, with every body") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(body->name);
    BodyTest<float>(*body).spreads();
    BodyTest<double>(*body).spreads();
  }
}

TEST_CASE("depthwise sums and gradients equal those of loops, with every body") {
  for (const Body* body : supportedBodies()) {
    CAPTURE(body->name);
    BodyTest<float>(*body).depthwise();
    BodyTest<double>(*body).depthwise();
  }
}
