#include "program/draw.h"

#include <algorithm>

#include "program/tile_copy.h"

namespace forebay {

namespace {

// Draws `count` elements that have the distance `step`, in elements.
void drawLine(const Draw& draw, std::uint64_t run, char* to, std::int64_t first, std::int64_t step,
              std::int64_t count) {
  if (step == 0 || count == 1) {
    draw.fill(draw.seed, run, static_cast<std::uint64_t>(first), 1, to, 1);
    fillElements(draw.size, to, to, count);
    return;
  }
  draw.fill(draw.seed, run, static_cast<std::uint64_t>(first), step, to, static_cast<std::size_t>(count));
}

// Draws a block whose columns are contiguous in the draw: along a column, the generator computes all elements
// of its blocks of random bits, and not only one of them.
void drawColumns(const Draw& draw, std::uint64_t run, char* to, std::int64_t first, std::int64_t columnStep,
                 std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t atOnce = 256;
  alignas(64) char part[atOnce * 8];
  for (std::int64_t i = 0; i < rows; i += atOnce) {
    const std::int64_t some = std::min(atOnce, rows - i);
    for (std::int64_t j = 0; j < columns; ++j) {
      drawLine(draw, run, part, first + i + j * columnStep, 1, some);
      copyBlock(draw.size, to + (i * columns + j) * draw.size, columns * draw.size, draw.size, part,
                draw.size, draw.size, some, 1);
    }
  }
}

}  // namespace

void drawBlock(const Draw& draw, std::uint64_t run, char* to, std::int64_t at, std::int64_t rowStep,
               std::int64_t columnStep, std::int64_t rows, std::int64_t columns) {
  const std::int64_t first = at / draw.size, down = rowStep / draw.size, across = columnStep / draw.size;
  const std::int64_t bytes = columns * draw.size;
  if (rows == 1 || down == columns * across) {
    drawLine(draw, run, to, first, across, rows * columns);
  } else if (columns == 1) {
    drawLine(draw, run, to, first, down, rows);
  } else if (down == 0) {
    drawLine(draw, run, to, first, across, columns);
    copyBlock(draw.size, to + bytes, bytes, draw.size, to, 0, draw.size, rows - 1, columns);
  } else if (down == 1 && across != 0 && across != 1) {
    drawColumns(draw, run, to, first, across, rows, columns);
  } else {
    for (std::int64_t i = 0; i < rows; ++i)
      drawLine(draw, run, to + i * bytes, first + i * down, across, columns);
  }
}

}  // namespace forebay
