/** Draws line charts: curves over training steps or epochs. */

import { ShapeError, ValueError } from '../errors.js';
import { drawChart, frame, valueAxis } from './plot.js';
import { colourOf, ink, quietInk } from './theme.js';

export interface Axis {
  readonly label: string;
  /** The scale of the axis; `linear` by default. A logarithmic axis omits values that are not positive. */
  readonly scale?: 'linear' | 'log';
  readonly min?: number;
  readonly max?: number;
}

export interface Series {
  /** The text in the legend. Series with the same name share one entry of the legend, and should share a colour. */
  readonly name: string;
  readonly y: ArrayLike<number>;
  /** The x values, one for each value of `y`; 0, 1, 2, … by default. */
  readonly x?: ArrayLike<number>;
  /**
   * How the series is drawn; `line` by default. A `broad` line is pale and wide, to be drawn under a line of the same
   * colour. `faint` is for one of many lines. `points` are not connected.
   */
  readonly style?: 'line' | 'dashed' | 'broad' | 'faint' | 'points';
  /** An index in the palette. By default, it is the index of the series' name among the names of all series. */
  readonly colour?: number;
}

export interface LineChart {
  readonly title: string;
  readonly subtitle?: string;
  readonly x: Axis;
  readonly y: Axis;
  /** The series, drawn in this order with the last on top. NaN and infinities are gaps. */
  readonly series: readonly Series[];
  /** Shaded intervals of the x axis. */
  readonly bands?: readonly {
    readonly from: number;
    readonly to: number;
    readonly label: string;
  }[];
  /** The size in SVG units; 760 x 400 by default. */
  readonly width?: number;
  readonly height?: number;
}

const strokes = {
  line: { width: 1.8, opacity: 1, type: 'solid' },
  dashed: { width: 1.8, opacity: 1, type: [6, 4] },
  broad: { width: 7, opacity: 0.25, type: 'solid' },
  faint: { width: 1.3, opacity: 0.45, type: 'solid' },
  points: { width: 0, opacity: 1, type: 'solid' },
} as const;

/**
 * Draws a line chart.
 * @returns SVG text; the same chart always gives the same text
 * @throws ShapeError if x and y of a series differ in length; ValueError if there is no series
 */
export async function lineChart(chart: LineChart): Promise<string> {
  if (chart.series.length === 0) throw new ValueError(`lineChart '${chart.title}': no series`);
  const { width = 760, height = 400 } = chart;
  const names = [...new Set(chart.series.map((series) => series.name))];
  return drawChart(width, height, {
    ...frame({ ...chart, legend: names.length > 1 ? names.map((name) => keyOf(name, chart)) : [] }),
    xAxis: valueAxis(chart.x, 'x', extentOf(chart)),
    yAxis: valueAxis(chart.y, 'y'),
    series: [
      ...chart.series.map((series) => lineOf(series, names, chart)),
      ...bandsOf(chart.bands ?? []),
    ],
  });
}

/** Returns the legend's entry for a series name. It has a dot only if the style of the series is `points`. */
function keyOf(name: string, chart: LineChart): object {
  const style = chart.series.find((series) => series.name === name)?.style ?? 'line';
  return {
    name,
    itemStyle: { opacity: style === 'points' ? 1 : 0 },
    lineStyle: { width: strokes[style].width },
  };
}

/** Returns the ends of the x axis: its `min` and `max`, or the least and the greatest x value. */
function extentOf(chart: LineChart): readonly [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const { x, y } of chart.series) {
    for (let index = 0; index < y.length; index++) {
      const value = x?.[index] ?? index;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return [chart.x.min ?? low, chart.x.max ?? high];
}

function lineOf(series: Series, names: readonly string[], chart: LineChart): object {
  const style = series.style ?? 'line';
  const stroke = strokes[style];
  const colour = colourOf(series.colour ?? names.indexOf(series.name));
  return {
    type: 'line',
    name: series.name,
    data: pointsOf(series, chart),
    symbol: style === 'points' ? 'circle' : 'none',
    symbolSize: 6,
    showAllSymbol: true,
    itemStyle: { color: colour },
    lineStyle: {
      color: colour,
      join: 'round',
      cap: style === 'dashed' ? 'butt' : 'round',
      ...stroke,
    },
  };
}

function pointsOf(series: Series, chart: LineChart): (readonly [number, number | '-'])[] {
  const { x, y } = series;
  if (x !== undefined && x.length !== y.length) {
    throw new ShapeError(
      `lineChart '${chart.title}': series '${series.name}' has ${x.length} x values, but ${y.length} y values`,
    );
  }
  return Array.from(y, (value, index) => {
    const shown = Number.isFinite(value) && (chart.y.scale !== 'log' || value > 0);
    return [x?.[index] ?? index, shown ? value : '-'] as const;
  });
}

function bandsOf(bands: NonNullable<LineChart['bands']>): object[] {
  return bands.map((band) => ({
    type: 'line',
    data: [],
    silent: true,
    markArea: {
      itemStyle: { color: ink, opacity: 0.06 },
      label: { color: quietInk, position: 'insideTopLeft', distance: 5, fontSize: 12 },
      data: [[{ xAxis: band.from, name: band.label }, { xAxis: band.to }]],
    },
  }));
}
