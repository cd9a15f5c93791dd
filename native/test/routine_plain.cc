#include "test/routine_plain.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace forebay::test {

namespace {

using List = std::vector<PlainOperand>;
using Integers = std::vector<std::int64_t>;

// Rounds a result to the dtype. int32 wraps around.
double rounded(DType type, double value) {
  if (type == DType::float32) return static_cast<double>(static_cast<float>(value));
  if (type == DType::int32) {
    return static_cast<double>(
        static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::int64_t>(value))));
  }
  return value;
}

std::int64_t rowAt(double index, std::int64_t n) {
  const auto row = static_cast<std::int64_t>(index);
  return row < 0 ? row + n : row;
}

// Calls body(o, j, i) for every position of an operand of rank 3.
template <class Body>
void each(const PlainOperand& operand, const Body& body) {
  for (std::int64_t o = 0; o < operand.sizes[0]; ++o) {
    for (std::int64_t j = 0; j < operand.sizes[1]; ++j) {
      for (std::int64_t i = 0; i < operand.sizes[2]; ++i) body(o, j, i);
    }
  }
}

void take(List& list, bool along) {
  PlainOperand &x = list[0], &indices = list[1], &out = list[2];
  each(out, [&](std::int64_t o, std::int64_t j, std::int64_t i) {
    const double index = along ? indices.at(o, j, i) : indices.elements[static_cast<std::size_t>(j)];
    out.at(o, j, i) = x.at(o, rowAt(index, x.sizes[1]), i);
  });
}

void takeLabels(List& list, std::int64_t offset) {
  PlainOperand &x = list[0], &labels = list[1], &out = list[2];
  for (std::int64_t row = 0; row < x.sizes[0]; ++row) {
    const auto at = static_cast<std::int64_t>(labels.elements[static_cast<std::size_t>(row)]) + offset;
    out.elements[static_cast<std::size_t>(row)] = x.elements[static_cast<std::size_t>(row * x.sizes[1] + at)];
  }
}

void scatter(DType type, List& list, bool along) {
  PlainOperand &x = list[0], &indices = list[1], &updates = list[2], &out = list[3];
  out.elements = x.elements;
  const std::int64_t rows = updates.sizes[1], terms = along || rows == 0 ? 1 : indices.sizes[0] / rows;
  each(updates, [&](std::int64_t o, std::int64_t j, std::int64_t i) {
    for (std::int64_t t = 0; t < terms; ++t) {
      const double index =
          along ? indices.at(o, j, i) : indices.elements[static_cast<std::size_t>(j * terms + t)];
      double& element = out.at(o, rowAt(index, x.sizes[1]), i);
      element = rounded(type, element + updates.at(o, j, i));
    }
  });
}

void gatherSum(DType type, List& list) {
  PlainOperand &x = list[0], &indices = list[1], &out = list[2];
  const std::int64_t rows = indices.sizes[0], terms = indices.sizes[1], inner = x.sizes[1];
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t i = 0; i < inner; ++i) {
      double sum = 0, part = 0;
      for (std::int64_t t = 0; t < terms; ++t) {
        const double index = indices.elements[static_cast<std::size_t>(r * terms + t)];
        part += x.elements[static_cast<std::size_t>(rowAt(index, x.sizes[0]) * inner + i)];
        if ((t + 1) % 256 != 0 && t + 1 < terms) continue;
        sum += part;
        part = 0;
      }
      out.elements[static_cast<std::size_t>(r * inner + i)] = rounded(type, sum);
    }
  }
}

// Returns true if a comes before b in descending order, where NaN is the largest.
bool larger(double a, double b) {
  if (std::isnan(b)) return false;
  return std::isnan(a) || a > b;
}

// Stores the indices of the k first elements of every line in order, or the elements themselves.
void order(List& list, bool descending, bool indices) {
  PlainOperand &x = list[0], &out = list[1];
  for (std::int64_t o = 0; o < x.sizes[0]; ++o) {
    for (std::int64_t i = 0; i < x.sizes[2]; ++i) {
      std::vector<std::int64_t> sorted(static_cast<std::size_t>(x.sizes[1]));
      for (std::size_t j = 0; j < sorted.size(); ++j) sorted[j] = static_cast<std::int64_t>(j);
      std::stable_sort(sorted.begin(), sorted.end(), [&](std::int64_t a, std::int64_t b) {
        return descending ? larger(x.at(o, a, i), x.at(o, b, i)) : larger(x.at(o, b, i), x.at(o, a, i));
      });
      for (std::int64_t j = 0; j < out.sizes[1]; ++j) {
        const std::int64_t from = sorted[static_cast<std::size_t>(j)];
        out.at(o, j, i) = indices ? static_cast<double>(from) : x.at(o, from, i);
      }
    }
  }
}

void sort(List& list, bool descending) {
  order(list, descending, false);
  List indices = {list[0], list[2]};
  order(indices, descending, true);
  list[2] = indices[1];
}

void cumsum(DType type, List& list, bool reverse) {
  PlainOperand &x = list[0], &out = list[1];
  each(out, [&](std::int64_t o, std::int64_t j, std::int64_t i) {
    double sum = 0;
    const std::int64_t n = x.sizes[1];
    if (reverse) {
      for (std::int64_t k = n - 1; k >= j; --k) sum += x.at(o, k, i);
    } else {
      for (std::int64_t k = 0; k <= j; ++k) sum += x.at(o, k, i);
    }
    out.at(o, j, i) = rounded(type, sum);
  });
}

void cumprod(DType type, List& list) {
  PlainOperand &x = list[0], &out = list[1];
  each(out, [&](std::int64_t o, std::int64_t j, std::int64_t i) {
    double product = 1;
    for (std::int64_t k = 0; k <= j; ++k) product *= x.at(o, k, i);
    out.at(o, j, i) = rounded(type, product);
  });
}

void recurrence(DType type, List& list, bool reverse) {
  PlainOperand &b = list[0], &a = list[1], &out = list[2];
  each(out, [&](std::int64_t o, std::int64_t j, std::int64_t i) {
    const std::int64_t n = b.sizes[1];
    double value = b.at(o, reverse ? n - 1 : 0, i);
    if (reverse) {
      for (std::int64_t k = n - 2; k >= j; --k) value = b.at(o, k, i) + a.at(o, k + 1, i) * value;
    } else {
      for (std::int64_t k = 1; k <= j; ++k) value = b.at(o, k, i) + a.at(o, k, i) * value;
    }
    out.at(o, j, i) = rounded(type, value);
  });
}

void argmin(List& list) {
  PlainOperand &x = list[0], &out = list[1];
  for (std::int64_t o = 0; o < x.sizes[0]; ++o) {
    for (std::int64_t i = 0; i < x.sizes[2]; ++i) {
      std::int64_t best = 0;
      for (std::int64_t j = 1; j < x.sizes[1]; ++j) {
        const double value = x.at(o, j, i), least = x.at(o, best, i);
        if (!std::isnan(least) && (std::isnan(value) || value < least)) best = j;
      }
      out.elements[static_cast<std::size_t>(o * x.sizes[2] + i)] = static_cast<double>(best);
    }
  }
}

// The integers of pooling. `n` has those that describe the windows.
struct Pool {
  const Integers& n;
  bool last() const { return n[10] == 1; }
  bool countsPadding() const { return n.size() > 11 && n[11] == 1; }

  std::int64_t size(const PlainOperand& image, int axis) const {
    static constexpr std::size_t lasts[] = {0, 3, 1, 2};
    return image.sizes[last() ? lasts[axis] : static_cast<std::size_t>(axis)];
  }
  // The element of an image [batch, channels, height, width].
  double& at(PlainOperand& image, std::int64_t b, std::int64_t c, std::int64_t y, std::int64_t x) const {
    const std::int64_t height = size(image, 2), width = size(image, 3), channels = size(image, 1);
    const std::int64_t place = last() ? ((b * height + y) * width + x) * channels + c
                                      : ((b * channels + c) * height + y) * width + x;
    return image.elements[static_cast<std::size_t>(place)];
  }
  // Calls body(b, c, row, column) for every window.
  template <class Body>
  void eachWindow(const PlainOperand& windows, const Body& body) const {
    for (std::int64_t b = 0; b < size(windows, 0); ++b) {
      for (std::int64_t c = 0; c < size(windows, 1); ++c) {
        for (std::int64_t row = 0; row < size(windows, 2); ++row) {
          for (std::int64_t column = 0; column < size(windows, 3); ++column) body(b, c, row, column);
        }
      }
    }
  }
  // Calls body(y, x, inside) for every position of a window that does not lie beyond the padding.
  template <class Body>
  void eachOfWindow(const PlainOperand& image, std::int64_t row, std::int64_t column,
                    const Body& body) const {
    const std::int64_t height = size(image, 2), width = size(image, 3);
    for (std::int64_t r = 0; r < n[0]; ++r) {
      for (std::int64_t c = 0; c < n[1]; ++c) {
        const std::int64_t y = row * n[2] + r * n[4] - n[6], x = column * n[3] + c * n[5] - n[8];
        if (y >= height + n[7] || x >= width + n[9]) continue;
        body(y, x, y >= 0 && y < height && x >= 0 && x < width);
      }
    }
  }
};

void maxPool(List& list, const Pool& pool) {
  PlainOperand &image = list[0], &out = list[1];
  pool.eachWindow(out, [&](std::int64_t b, std::int64_t c, std::int64_t row, std::int64_t column) {
    std::int64_t best = -1;
    double most = 0;
    pool.eachOfWindow(image, row, column, [&](std::int64_t y, std::int64_t x, bool inside) {
      if (!inside || !(best < 0 || larger(pool.at(image, b, c, y, x), most))) return;
      most = pool.at(image, b, c, y, x);
      best = y * pool.size(image, 3) + x;
    });
    pool.at(out, b, c, row, column) = static_cast<double>(best);
  });
}

// Takes the elements at the indices or, as the gradient, adds the numbers of the windows there.
void winners(DType type, List& list, const Pool& pool, bool gradient) {
  PlainOperand &windows = list[gradient ? 0 : 2], &image = list[gradient ? 2 : 0], &indices = list[1];
  std::fill(list[2].elements.begin(), list[2].elements.end(), 0.0);
  pool.eachWindow(windows, [&](std::int64_t b, std::int64_t c, std::int64_t row, std::int64_t column) {
    const double index = pool.at(indices, b, c, row, column);
    double& number = pool.at(windows, b, c, row, column);
    pool.eachOfWindow(image, row, column, [&](std::int64_t y, std::int64_t x, bool inside) {
      if (!inside || static_cast<double>(y * pool.size(image, 3) + x) != index) return;
      double& element = pool.at(image, b, c, y, x);
      if (gradient) {
        element = rounded(type, element + number);
      } else {
        number = element;
      }
    });
  });
}

void avgPool(DType type, List& list, const Pool& pool, bool gradient) {
  PlainOperand &windows = list[gradient ? 0 : 1], &image = list[gradient ? 1 : 0];
  if (gradient) std::fill(image.elements.begin(), image.elements.end(), 0.0);
  pool.eachWindow(windows, [&](std::int64_t b, std::int64_t c, std::int64_t row, std::int64_t column) {
    double sum = 0, count = 0;
    pool.eachOfWindow(image, row, column, [&](std::int64_t y, std::int64_t x, bool inside) {
      if (inside) sum += pool.at(image, b, c, y, x);
      if (inside || pool.countsPadding()) ++count;
    });
    double& number = pool.at(windows, b, c, row, column);
    if (!gradient) {
      number = rounded(type, sum / count);
      return;
    }
    pool.eachOfWindow(image, row, column, [&](std::int64_t y, std::int64_t x, bool inside) {
      if (!inside) return;
      double& element = pool.at(image, b, c, y, x);
      element = rounded(type, element + rounded(type, number / count));
    });
  });
}

}  // namespace

void runRoutinePlainly(const RoutineRow& row, DType type, List& operands, const Integers& integers) {
  const std::string name = row.name;
  if (name == "gather") return take(operands, false);
  if (name == "takeAlongAxis") return take(operands, true);
  if (name == "takeLabels") return takeLabels(operands, integers[0]);
  if (name == "gatherSum") return gatherSum(type, operands);
  if (name == "scatterAdd") return scatter(type, operands, false);
  if (name == "scatterAddAlongAxis") return scatter(type, operands, true);
  if (name == "sort") return sort(operands, integers[0] == 1);
  if (name == "argsort") return order(operands, integers[0] == 1, true);
  if (name == "topK") return order(operands, true, true);
  if (name == "cumsum") return cumsum(type, operands, integers[0] == 1);
  if (name == "cumprod") return cumprod(type, operands);
  if (name == "recurrence") return recurrence(type, operands, integers[0] == 1);
  if (name == "argmin") return argmin(operands);
  if (name == "maxPool") return maxPool(operands, {integers});
  if (name == "maxPoolValues") return winners(type, operands, {integers}, false);
  if (name == "maxPoolGradient") return winners(type, operands, {integers}, true);
  if (name == "avgPool") return avgPool(type, operands, {integers}, false);
  if (name == "avgPoolGradient") return avgPool(type, operands, {integers}, true);
  if (name == "convPack" || name == "convPackGradient") return packPlainly(type, operands, integers);
  if (name.find("conv") == 0) return convolvePlainly(type, name, operands, integers);
  std::abort();  // a routine without a reference
}

}  // namespace forebay::test
