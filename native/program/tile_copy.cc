#include "program/tile_copy.h"

#include <cstring>

namespace forebay {

namespace {

template <class Word>
Word wordAt(const char* from) {
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

template <class Word>
void fillWords(char* to, const char* from, std::int64_t count) {
  const Word word = wordAt<Word>(from);
  for (std::int64_t i = 0; i < count; ++i)
    std::memcpy(to + i * std::int64_t(sizeof word), &word, sizeof word);
}

// Copies a block. `to` is written row by row, because strided reads that share cache lines take less time
// than strided writes.
template <class Word>
void copyWords(char* to, std::int64_t toRow, std::int64_t toColumn, const char* from, std::int64_t fromRow,
               std::int64_t fromColumn, std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t size = sizeof(Word);
  for (std::int64_t i = 0; i < rows; ++i, to += toRow, from += fromRow) {
    if (toColumn == size && fromColumn == size) {
      // memmove and not memcpy, because `to` and `from` may be the same block.
      std::memmove(to, from, static_cast<std::size_t>(columns * size));
    } else if (toColumn == size && fromColumn == 0) {
      fillWords<Word>(to, from, columns);
    } else {
      for (std::int64_t j = 0; j < columns; ++j) {
        const Word word = wordAt<Word>(from + j * fromColumn);
        std::memcpy(to + j * toColumn, &word, sizeof word);
      }
    }
  }
}

}  // namespace

void copyBlock(std::int32_t size, char* to, std::int64_t toRow, std::int64_t toColumn, const char* from,
               std::int64_t fromRow, std::int64_t fromColumn, std::int64_t rows, std::int64_t columns) {
  const auto copy = size == 8   ? copyWords<std::uint64_t>
                    : size == 4 ? copyWords<std::uint32_t>
                                : copyWords<std::uint8_t>;
  copy(to, toRow, toColumn, from, fromRow, fromColumn, rows, columns);
}

void fillElements(std::int32_t size, char* to, const char* from, std::int64_t count) {
  const auto fill = size == 8   ? fillWords<std::uint64_t>
                    : size == 4 ? fillWords<std::uint32_t>
                                : fillWords<std::uint8_t>;
  fill(to, from, count);
}

}  // namespace forebay
