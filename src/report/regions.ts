/** Draws decision regions: the predictions of a classifier of points in the plane, with the points on top. */

import { ShapeError } from '../errors.js';
import type { Axis } from './chart.js';
import { drawChart, frame, valueAxis } from './plot.js';
import { dataUrl, encodePng } from './raster.js';
import { channelsOf, colourOf } from './theme.js';

export interface PointSet {
  /** The text in the legend, such as `arm 1`. */
  readonly name: string;
  /** The coordinates, shape [n, 2]: x and y of each point. */
  readonly points: ArrayLike<number>;
  /** The class of all points of this set. It also selects their colour. */
  readonly label: number;
  /** How each point is drawn; `dot` by default. `ring` distinguishes a second kind of points, such as test points. */
  readonly mark?: 'dot' | 'ring';
}

export interface RegionGrid {
  readonly rows: number;
  readonly columns: number;
  readonly classes: number;
  /**
   * The probability of each class at each grid point, in the order of `gridPoints`: numbers of shape [rows * columns,
   * classes]. A region is pale where the classifier is unsure.
   */
  readonly probabilities: ArrayLike<number>;
}

export interface RegionChart {
  readonly title: string;
  readonly subtitle?: string;
  /** Both axes extend from -extent to extent. */
  readonly extent: number;
  readonly grid: RegionGrid;
  readonly sets: readonly PointSet[];
  /** The side of the square plot in SVG units, 460 by default. */
  readonly side?: number;
}

/**
 * Returns the points at which a classifier must be evaluated for `regionChart`. They are the centres of the rows x
 * columns cells of the square from -extent to extent, row by row from the top left.
 * @returns x and y of each point, in the shape [rows * columns, 2]
 */
export function gridPoints(extent: number, rows: number, columns: number): Float32Array {
  const points = new Float32Array(2 * rows * columns);
  for (let index = 0; index < rows * columns; index++) {
    const row = Math.floor(index / columns);
    points[2 * index] = extent * ((2 * ((index % columns) + 0.5)) / columns - 1);
    points[2 * index + 1] = extent * (1 - (2 * (row + 0.5)) / rows);
  }
  return points;
}

/**
 * Draws decision regions with points on top.
 * @returns SVG text; the same chart always gives the same text
 * @throws ShapeError if the number of probabilities is not rows * columns * classes
 */
export async function regionChart(chart: RegionChart): Promise<string> {
  const { side = 460, extent } = chart;
  const image = await regionImage(chart);
  const axis: Axis = { label: '', min: -extent, max: extent };
  const around = frame({ ...chart, legend: chart.sets.map((set) => ({ name: set.name })) });
  const grid = { left: 52, top: around.grid.top, width: side, height: side };
  const outline = { axisLine: { show: false }, splitLine: { show: false } };
  return drawChart(side + 80, side + grid.top + 46, {
    ...around,
    legend: { ...around.legend, itemWidth: 10, itemGap: 24 },
    grid,
    xAxis: { ...valueAxis(axis, 'x', [-extent, extent]), ...outline },
    yAxis: { ...valueAxis(axis, 'x', [-extent, extent]), ...outline },
    series: [
      {
        type: 'custom',
        data: [[0, 0]],
        silent: true,
        renderItem: () => ({
          type: 'image',
          style: { image, x: grid.left, y: grid.top, width: side, height: side },
        }),
      },
      ...chart.sets.map(scatterOf),
    ],
  });
}

function scatterOf(set: PointSet): object {
  const colour = colourOf(set.label);
  const ring = set.mark === 'ring';
  return {
    type: 'scatter',
    name: set.name,
    data: Array.from({ length: set.points.length / 2 }, (_, index) => [
      set.points[2 * index],
      set.points[2 * index + 1],
    ]),
    symbolSize: ring ? 6 : 5.5,
    silent: true,
    itemStyle: ring
      ? { opacity: 1, color: 'transparent', borderColor: colour, borderWidth: 1.4 }
      : { opacity: 1, color: colour, borderColor: '#ffffff', borderWidth: 0.7 },
  };
}

/** The opacity of the colour of a class where the classifier is sure that a point has this class. */
const tint = 0.3;

async function regionImage(chart: RegionChart): Promise<string> {
  const { rows, columns, classes, probabilities } = chart.grid;
  if (probabilities.length !== rows * columns * classes) {
    throw new ShapeError(
      `regionChart '${chart.title}': expected ${rows} x ${columns} x ${classes} probabilities, but received ${probabilities.length}`,
    );
  }
  const colours = Array.from({ length: classes }, (_, label) => channelsOf(colourOf(label)));
  const data = new Uint8Array(rows * columns * 3);
  for (let cell = 0; cell < rows * columns; cell++) {
    for (let channel = 0; channel < 3; channel++) {
      let mixed = 0;
      for (let label = 0; label < classes; label++) {
        const share = probabilities[cell * classes + label] as number;
        mixed += share * (colours[label]?.[channel] ?? 0);
      }
      data[3 * cell + channel] = Math.round(255 - tint * (255 - mixed));
    }
  }
  return dataUrl(await encodePng({ width: columns, height: rows, channels: 3, data }));
}
