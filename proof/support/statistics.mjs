/** The slope of a line through (0, y0), (1, y1), …, by least squares. */
export function slope(/** @type {readonly number[]} */ ys) {
  const mean = (ys.length - 1) / 2;
  let products = 0;
  let squares = 0;
  ys.forEach((y, x) => {
    products += (x - mean) * y;
    squares += (x - mean) ** 2;
  });
  return products / squares;
}
