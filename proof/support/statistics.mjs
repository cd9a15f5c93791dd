/** Returns the slope of the line that fits the points (0, y0), (1, y1), … best, by least squares. */
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
