/** Formats the table on the terminal: for each workload a line for forebay, then a line for each peer. */

import type { Row } from './results.js';

const [nameWidth, column] = [16, 11];

export function head(): string {
  return line('workload', ['us/step', 'spread', 'ratio', 'fastest form']);
}

/**
 * Returns the lines of a workload: the line of forebay with the limit of the workload, a line for each graph of
 * `compile`, and a line for each peer.
 */
export function linesOf(row: Row): string[] {
  const own = [formatUs(row.us), spreadText(row.us_spread), ''];
  const peers = Object.entries(row.ratios).map(([name, ratio]) => {
    const us = formatUs(row.peers[name] as number);
    return line(`  ${name}`, [us, spreadText(ratio), times(ratio.median), row.fastest[name] ?? '']);
  });
  const parts = Object.entries(row.parts ?? {}).map(([name, part]) =>
    line(`  ${name}`, [formatUs(part.median), spreadText(part)]),
  );
  return [line(row.workload, [...own, factsOf(row)]), ...parts, ...peers];
}

/** Returns further figures of forebay, for the end of its line: memory, speed, and the limit of the workload. */
function factsOf({ gflops, peak_fraction, limit, rss_mb }: Row): string {
  const facts = [`${rss_mb.toFixed(1)} MB`];
  if (gflops !== null) facts.push(`${gflops.toFixed(1)} GFLOP/s`);
  if (peak_fraction !== null) facts.push(`${percent(peak_fraction)} of peak`);
  if (limit !== null) {
    facts.push(`limit ${formatUs(limit.us)} us, ${percent(limit.fraction)} of it reached`);
  }
  return facts.join(', ');
}

/**
 * Formats a line with a name and up to four cells. Only the last cell may have any length, because the others are
 * padded to a fixed width.
 */
function line(name: string, cells: readonly string[]): string {
  const [us = '', spread = '', ratio = '', rest = ''] = cells;
  const fixed = [us, spread, ratio].map((cell) => cell.padStart(column)).join('');
  return `${name.padEnd(nameWidth)}${fixed}   ${rest}`.trimEnd();
}

/** Formats a share as a percentage with about two digits. */
export const percent = (share: number) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;

/** Formats microseconds with at least three digits, and with commas that separate thousands. */
export function formatUs(us: number): string {
  const digits = us >= 100 ? 0 : us >= 10 ? 1 : 2;
  return us.toFixed(digits).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

export function times(ratio: number): string {
  return `${ratio >= 100 ? ratio.toFixed(0) : ratio >= 10 ? ratio.toFixed(1) : ratio.toFixed(2)}×`;
}

/** Formats half the distance between the quartiles as a percentage of the median. */
function spreadText({ low, high, median }: Row['us_spread']): string {
  return `±${((50 * (high - low)) / median).toFixed(1)}%`;
}
