// Runs a MapPlan: loops over all axes except two, and divides the plane of these two axes into tiles of at
// most 512 elements. The kernel is called for each tile, with contiguous memory only. An operand that is
// contiguous within a tile is used where it is. Any other operand is copied to or from a buffer on the stack,
// which stays in the L1 cache.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "kernels/map.h"

namespace forebay {

namespace {

constexpr std::int64_t tileElements = 512;
// If rows have at least this length, a tile is one row. If they are shorter, a tile has several rows.
constexpr std::int64_t longRow = 64;
// The width of a tile if the row stride of an operand is smaller than its column stride. Such a tile uses all
// elements of a cache line while the line is in cache.
constexpr std::int64_t crossingWidth = 32;

using Word8 = char[1];
using Word32 = char[4];
using Word64 = char[8];

// Copies a block of rows x columns. `to` is written row by row, because strided reads that share cache lines
// take less time than strided writes.
template <class Word>
void copyWords(char* to, std::int64_t toRow, std::int64_t toColumn, const char* from, std::int64_t fromRow,
               std::int64_t fromColumn, std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t size = sizeof(Word);
  if (toColumn == 1 && fromColumn == 1) {
    // memmove and not memcpy, because `to` and `from` may be the same memory (in place).
    for (std::int64_t i = 0; i < rows; ++i) {
      std::memmove(to + i * toRow * size, from + i * fromRow * size,
                   static_cast<std::size_t>(columns * size));
    }
    return;
  }
  for (std::int64_t i = 0; i < rows; ++i) {
    char* target = to + i * toRow * size;
    const char* source = from + i * fromRow * size;
    for (std::int64_t j = 0; j < columns; ++j) {
      Word word;
      std::memcpy(word, source + j * fromColumn * size, sizeof word);
      std::memcpy(target + j * toColumn * size, word, sizeof word);
    }
  }
}

void copyBlock(std::size_t size, char* to, std::int64_t toRow, std::int64_t toColumn, const char* from,
               std::int64_t fromRow, std::int64_t fromColumn, std::int64_t rows, std::int64_t columns) {
  const auto copy = size == sizeof(Word64)   ? copyWords<Word64>
                    : size == sizeof(Word32) ? copyWords<Word32>
                                             : copyWords<Word8>;
  copy(to, toRow, toColumn, from, fromRow, fromColumn, rows, columns);
}

// The plane of the two axes that are divided into tiles, and the size of the tiles.
struct Plane {
  std::int64_t rows, columns;
  std::int64_t tileRows, tileColumns;
  std::int64_t rowStrides[1 + maxArity], columnStrides[1 + maxArity];
};

bool crosses(const Plane& plane, int operand) {
  const std::int64_t across = std::abs(plane.columnStrides[operand]);
  return across > 1 && std::abs(plane.rowStrides[operand]) < across;
}

class Runner {
 public:
  explicit Runner(const MapPlan& plan) : plan_(plan) {}

  void run() {
    choosePlane();
    std::int64_t position[maxRank] = {};
    char* at[1 + maxArity];
    for (int i = 0; i <= plan_.arity; ++i) at[i] = plan_.operands[i].data;
    for (;;) {
      runPlane(at);
      int d = outerRank_ - 1;
      for (; d >= 0; --d) {
        const int axis = outer_[d];
        if (++position[d] < plan_.sizes[axis]) {
          for (int i = 0; i <= plan_.arity; ++i) at[i] += step(i, axis);
          break;
        }
        position[d] = 0;
        for (int i = 0; i <= plan_.arity; ++i) at[i] -= step(i, axis) * (plan_.sizes[axis] - 1);
      }
      if (d < 0) return;
    }
  }

 private:
  std::int64_t step(int operand, int axis) const {
    const MapPlan::Operand& o = plan_.operands[operand];
    return o.strides[axis] * static_cast<std::int64_t>(o.size);
  }

  // Chooses the two axes of the plane. The columns are the innermost axis of the output. The rows are the
  // axis with the smallest stride of an operand that is not contiguous along the columns. If all operands are
  // contiguous, the rows are the second-innermost axis of the output.
  void choosePlane() {
    const int rank = plan_.rank;
    const int column = rank - 1;
    int row = rank - 2;
    std::int64_t densest = INT64_MAX;
    for (int i = 0; i <= plan_.arity && rank > 2; ++i) {
      const std::int64_t* strides = plan_.operands[i].strides;
      const std::int64_t across = std::abs(strides[column]);
      if (across <= 1) continue;
      for (int d = 0; d < column; ++d) {
        const std::int64_t down = std::abs(strides[d]);
        if (down > 0 && down < across && down < densest) {
          densest = down;
          row = d;
        }
      }
    }
    for (int d = 0; d < column; ++d) {
      if (d != row) outer_[outerRank_++] = d;
    }

    plane_.columns = column >= 0 ? plan_.sizes[column] : 1;
    plane_.rows = row >= 0 ? plan_.sizes[row] : 1;
    bool crossing = false;
    for (int i = 0; i <= plan_.arity; ++i) {
      const std::int64_t* strides = plan_.operands[i].strides;
      plane_.columnStrides[i] = column >= 0 ? strides[column] : 1;
      plane_.rowStrides[i] = row >= 0 ? strides[row] : 0;
      crossing = crossing || (row >= 0 && crosses(plane_, i));
    }
    plane_.tileColumns = std::min(plane_.columns, crossing ? crossingWidth : tileElements);
    const bool oneByOne = !crossing && plane_.columns >= longRow;
    plane_.tileRows = oneByOne ? 1 : std::min(plane_.rows, tileElements / plane_.tileColumns);
  }

  void runPlane(char* const* at) {
    for (std::int64_t i = 0; i < plane_.rows; i += plane_.tileRows) {
      for (std::int64_t j = 0; j < plane_.columns; j += plane_.tileColumns) {
        char* tile[1 + maxArity];
        for (int k = 0; k <= plan_.arity; ++k) {
          const std::int64_t elements = i * plane_.rowStrides[k] + j * plane_.columnStrides[k];
          tile[k] = at[k] + elements * static_cast<std::int64_t>(plan_.operands[k].size);
        }
        runTile(tile, std::min(plane_.tileRows, plane_.rows - i),
                std::min(plane_.tileColumns, plane_.columns - j));
      }
    }
  }

  bool dense(int operand, std::int64_t rows, std::int64_t columns) const {
    return (columns == 1 || plane_.columnStrides[operand] == 1) &&
           (rows == 1 || plane_.rowStrides[operand] == columns);
  }

  void runTile(char* const* tile, std::int64_t rows, std::int64_t columns) {
    if (plan_.isCopy && !(dense(0, rows, columns) && dense(1, rows, columns))) {
      copyBlock(plan_.operands[0].size, tile[0], plane_.rowStrides[0], plane_.columnStrides[0], tile[1],
                plane_.rowStrides[1], plane_.columnStrides[1], rows, columns);
      return;
    }
    const void* in[maxArity];
    for (int k = 1; k <= plan_.arity; ++k) {
      in[k - 1] = dense(k, rows, columns) ? tile[k] : gathered(k, tile[k], rows, columns);
    }
    const auto n = static_cast<std::size_t>(rows * columns);
    if (dense(0, rows, columns)) {
      plan_.tile(tile[0], in, n);
    } else {
      plan_.tile(buffers_[0], in, n);
      copyBlock(plan_.operands[0].size, tile[0], plane_.rowStrides[0], plane_.columnStrides[0], buffers_[0],
                columns, 1, rows, columns);
    }
  }

  // Copies an operand into its buffer, and returns the buffer. Successive tiles often read the same elements
  // of a broadcast operand. Such elements are copied only once. (They have not changed, because a broadcast
  // operand cannot be the output.)
  const char* gathered(int operand, const char* from, std::int64_t rows, std::int64_t columns) {
    Gathered& last = gathered_[operand];
    if (from != last.from || rows != last.rows || columns != last.columns) {
      copyBlock(plan_.operands[operand].size, buffers_[operand], columns, 1, from, plane_.rowStrides[operand],
                plane_.columnStrides[operand], rows, columns);
      last = {from, rows, columns};
    }
    return buffers_[operand];
  }

  struct Gathered {
    const char* from = nullptr;
    std::int64_t rows = 0, columns = 0;
  };

  const MapPlan& plan_;
  Plane plane_ = {};
  int outer_[maxRank];
  int outerRank_ = 0;
  Gathered gathered_[1 + maxArity];
  alignas(64) char buffers_[1 + maxArity][tileElements * 8];  // not initialized
};

}  // namespace

void runMap(const MapPlan& plan) {
  if (plan.count == 0) return;

  // Handles the by far most frequent case without a Runner: all operands are contiguous, or all have one
  // element.
  bool contiguous = plan.rank <= 1;
  for (int i = 0; i <= plan.arity && contiguous && plan.rank == 1; ++i) {
    contiguous = plan.operands[i].strides[0] == 1;
  }
  if (contiguous) {
    const void* in[maxArity];
    for (int i = 0; i < plan.arity; ++i) in[i] = plan.operands[i + 1].data;
    plan.tile(plan.operands[0].data, in, static_cast<std::size_t>(plan.count));
    return;
  }
  Runner(plan).run();
}

}  // namespace forebay
