/** Draws the picture for the README: the time of each peer in its fastest form, relative to the time of forebay. */

import { drawChart, frame } from '../../dist/report/plot.js';
import { colourOf, fontFamily, ink, quietInk, rule, textSize } from '../../dist/report/theme.js';
import { peers } from './contenders.js';
import type { Results } from './results.js';
import { times } from './table.js';

const barHeight = 13;
const barGap = 2;
const rowGap = 8;

/**
 * The methods used here of the object that ECharts gives to `renderItem`. They read values and convert them to pixels.
 */
interface Place {
  value(dimension: number): number;
  coord(point: readonly [number, number]): [number, number];
}

/**
 * Draws bars on a logarithmic axis, from 1 (as fast as forebay) to the ratio of each peer.
 * @returns an SVG as text; the same results give the same text
 */
export async function drawRatios({ machine, threads, rows }: Results): Promise<string> {
  const compared = rows.filter(({ ratios }) => Object.keys(ratios).length > 0);
  const shown = peers.filter(({ name }) => compared.some(({ ratios }) => name in ratios));
  const all = compared.flatMap(({ ratios }) => Object.values(ratios).map(({ median }) => median));
  const rowHeight = shown.length * (barHeight + barGap) + rowGap;
  const chrome = frame({
    title: 'How many times as long each peer takes, in its fastest form',
    subtitle: `${machine.cpu}, ${threads} thread${threads > 1 ? 's' : ''}; medians of slices that alternate`,
    legend: shown.map(({ title }) => ({ name: title, icon: 'rect' })),
  });
  const height = chrome.grid.top + compared.length * rowHeight + 40;
  return drawChart(760, height, {
    ...chrome,
    grid: { ...chrome.grid, left: 104, right: 64, bottom: 40 },
    xAxis: {
      type: 'log',
      min: Math.min(1, ...all.map((ratio) => 10 ** Math.floor(Math.log10(ratio)))),
      max: 10 ** Math.ceil(Math.log10(Math.max(...all, 10))),
      axisLabel: {
        fontFamily,
        fontSize: textSize - 1,
        color: quietInk,
        formatter: (value: number) => `${value.toLocaleString('en')}×`,
      },
      splitLine: { show: true, lineStyle: { color: rule, opacity: 0.7 } },
      axisLine: { show: false },
      axisTick: { show: false },
    },
    yAxis: {
      type: 'category',
      inverse: true,
      data: compared.map(({ workload }) => workload),
      axisLabel: { fontFamily, fontSize: textSize, color: ink },
      axisTick: { show: false },
      axisLine: { show: true, onZero: false, lineStyle: { color: quietInk } },
    },
    series: shown.map(({ name, title }, index) => ({
      type: 'custom',
      name: title,
      itemStyle: { color: colourOf(index) },
      data: compared.flatMap(({ ratios: { [name]: ratio } }, row) =>
        ratio === undefined ? [] : [[row, ratio.median]],
      ),
      encode: { x: 1, y: 0 },
      renderItem: (_: unknown, place: Place) => {
        const [row, ratio] = [place.value(0), place.value(1)];
        const [from, middle] = place.coord([1, row]);
        const [to] = place.coord([ratio, row]);
        // Counts only the peers that ran this workload, so that there are no gaps between bars.
        const here = shown.filter((peer) => peer.name in (compared[row]?.ratios ?? {}));
        const rank = here.findIndex((peer) => peer.name === name);
        const top = middle + (rank - here.length / 2) * (barHeight + barGap);
        return {
          type: 'group',
          children: [
            {
              type: 'rect',
              shape: {
                x: Math.min(from, to),
                y: top,
                width: Math.abs(to - from),
                height: barHeight,
              },
              style: { fill: colourOf(index) },
            },
            {
              type: 'text',
              x: Math.max(from, to) + 5,
              y: top + barHeight / 2,
              style: {
                text: times(ratio),
                fill: ink,
                font: `${textSize - 2}px ${fontFamily}`,
                verticalAlign: 'middle',
              },
            },
          ],
        };
      },
    })),
  });
}
