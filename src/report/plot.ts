/** The parts that all charts have: title, legend and axes. ECharts draws them without a browser. */

import type { Axis } from './chart.js';
import { fontFamily, ink, paper, quietInk, rule, textSize, titleSize } from './theme.js';

/**
 * Renders an ECharts option as SVG. ECharts is loaded at the first call, because loading it takes longer than most
 * commands that draw nothing.
 */
export async function drawChart(width: number, height: number, option: object): Promise<string> {
  const { init } = await loadECharts();
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({ animation: false, ...option });
    return still(chart.renderToSVGString());
  } finally {
    chart.dispose();
  }
}

/**
 * Makes an SVG static and reproducible. Styles and attributes for the mouse are removed. A counter that ECharts
 * increments from chart to chart is removed from the ids, so that the same chart gives the same bytes.
 */
function still(svg: string): string {
  return svg
    .replace(/<style\b[\s\S]*?<\/style>\s*/, '')
    .replace(/ (?:class|pointer-events|ecmeta_\w+)="[^"]*"/g, '')
    .replace(/\bzr\d+-/g, 'zr-');
}

let loaded: Promise<typeof import('./echarts.js')> | undefined;

function loadECharts(): Promise<typeof import('./echarts.js')> {
  loaded ??= import('./echarts.js');
  return loaded;
}

export interface Frame {
  readonly title: string;
  readonly subtitle?: string;
  /** The entries of the legend. */
  readonly legend: readonly (string | object)[];
}

const edge = 22;

export interface FrameOption extends Record<string, unknown> {
  readonly grid: { readonly top: number } & Record<string, unknown>;
  readonly legend: Record<string, unknown>;
}

/** Returns the title, the legend and the margins around the axes, as part of an ECharts option. */
export function frame(of: Frame): FrameOption {
  const underTitle = edge + titleSize + (of.subtitle === undefined ? 0 : textSize + 8);
  const hasLegend = of.legend.length > 0;
  return {
    backgroundColor: paper,
    textStyle: { fontFamily, fontSize: textSize, color: ink },
    title: {
      text: of.title,
      subtext: of.subtitle ?? '',
      left: edge,
      top: edge - 4,
      padding: 0,
      itemGap: 8,
      textStyle: { fontFamily, fontSize: titleSize, fontWeight: 'bold', color: ink },
      subtextStyle: { fontFamily, fontSize: textSize, color: quietInk },
    },
    legend: {
      show: hasLegend,
      data: [...of.legend],
      left: edge,
      top: underTitle + 12,
      padding: 0,
      itemGap: 22,
      itemWidth: 26,
      itemHeight: 10,
      selectedMode: false,
      textStyle: { fontFamily, fontSize: textSize, color: ink },
    },
    grid: {
      left: 74,
      right: 28,
      top: underTitle + 12 + (hasLegend ? textSize + 18 : 8),
      bottom: 60,
    },
  };
}

/**
 * Returns a numeric axis with a label, thin grid lines and readable numbers, as part of an ECharts option.
 * @param extent the least and the greatest value, if the axis must end exactly at these values
 */
export function valueAxis(
  axis: Axis,
  direction: 'x' | 'y',
  extent?: readonly [number, number],
): object {
  const scale = axis.scale ?? 'linear';
  const ticks = extent !== undefined &&
    scale === 'linear' && { customValues: roundValues(...extent) };
  return {
    type: scale === 'log' ? 'log' : 'value',
    name: axis.label,
    nameLocation: 'middle',
    nameGap: direction === 'x' ? 34 : 50,
    nameTextStyle: { fontFamily, fontSize: textSize, color: ink },
    // The x axis (steps or epochs) ends at its first and last value. The y axis ends at round numbers.
    min: axis.min ?? (direction === 'x' ? 'dataMin' : null),
    max: axis.max ?? (direction === 'x' ? 'dataMax' : null),
    axisLabel: {
      ...ticks,
      fontFamily,
      fontSize: textSize - 1,
      color: quietInk,
      formatter: scale === 'log' ? formatPower : formatNumber,
    },
    axisLine: { show: direction === 'x', onZero: false, lineStyle: { color: quietInk } },
    axisTick: { ...ticks, show: direction === 'x', lineStyle: { color: quietInk } },
    splitLine: { show: direction === 'y', lineStyle: { color: rule, opacity: 0.7 } },
    minorTick: { show: false },
  };
}

/** Returns about six round numbers from `low` to `high`: the multiples of 1, 2 or 5 times a power of ten. */
export function roundValues(low: number, high: number): number[] {
  if (!(high > low) || !Number.isFinite(high - low)) return [low];
  const rough = (high - low) / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, index) => (first + index) * step);
}

const superscripts = '⁰¹²³⁴⁵⁶⁷⁸⁹';

function formatNumber(value: number): string {
  // Remove the rounding error of a number such as 0.30000000000000004, and write a proper minus sign.
  return String(Number(value.toPrecision(10))).replace('-', '−');
}

function formatPower(value: number): string {
  const exponent = Math.log10(value);
  if (!Number.isInteger(Math.round(exponent * 1e6) / 1e6) || (exponent > -3.5 && exponent < 3.5)) {
    return formatNumber(value);
  }
  const digits = [...String(Math.abs(Math.round(exponent)))].map((d) => superscripts[Number(d)]);
  return `10${exponent < 0 ? '⁻' : ''}${digits.join('')}`;
}
