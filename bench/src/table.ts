/** The table on the terminal, a line as soon as it is known. */

import type { Row } from './results.js';

const [first, column] = [16, 12];

export function headOf(peerNames: readonly string[]): string {
  const cells = ['us/step', 'spread', ...peerNames.flatMap((name) => [name, 'ratio'])];
  return line('workload', [...cells, 'GFLOP/s', 'of peak', 'MB']);
}

/** A row, and a line below it for each part of one that has parts. */
export function linesOf(row: Row, peerNames: readonly string[]): string[] {
  const { us_spread: own, ratios, peers } = row;
  const theirs = peerNames.flatMap((name) => {
    const ratio = ratios[name];
    const us = peers[name];
    return ratio === undefined || us === undefined
      ? ['-', '-']
      : [formatUs(us), times(ratio.median)];
  });
  const cells = [
    formatUs(row.us),
    spread(own.low, own.high, own.median),
    ...theirs,
    row.gflops === null ? '-' : row.gflops.toFixed(1),
    row.peak_fraction === null ? '-' : row.peak_fraction.toFixed(2),
    row.rss_mb.toFixed(1),
  ];
  const parts = Object.entries(row.parts ?? {}).map(([name, part]) =>
    line(`  ${name}`, [formatUs(part.median), spread(part.low, part.high, part.median)]),
  );
  return [line(row.workload, cells), ...parts];
}

function line(name: string, cells: readonly string[]): string {
  return name.padEnd(first) + cells.map((cell) => cell.padStart(column)).join('');
}

/** Three digits, thousands apart. */
export function formatUs(us: number): string {
  const digits = us >= 100 ? 0 : us >= 10 ? 1 : 2;
  return us.toFixed(digits).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

export function times(ratio: number): string {
  return `${ratio >= 100 ? ratio.toFixed(0) : ratio >= 10 ? ratio.toFixed(1) : ratio.toFixed(2)}×`;
}

/** Half the distance between the quartiles, of the median. */
function spread(low: number, high: number, middle: number): string {
  return `±${((50 * (high - low)) / middle).toFixed(1)}%`;
}
