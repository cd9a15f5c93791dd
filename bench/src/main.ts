/** `npm run bench`: forebay beside its peers. */

import { writeWhole } from '../../dist/report/index.js';
import type { Peer } from './contenders.js';
import { BenchError, UsageError } from './errors.js';
import { type Measured, measure } from './measure.js';
import { type Options, parseOptions } from './options.js';
import { drawRatios } from './plot.js';
import { resultsOf, rowOf } from './results.js';
import { headOf, linesOf } from './table.js';
import { type Spec, workloads } from './workloads.js';

const turnSeconds = 0.3;

/** The peers that are here; the others are named, with what installs them. */
function present({ peers, peersAsked }: Options): Peer[] {
  return peers.filter((peer) => {
    if (peer.command() !== undefined) return true;
    const message = `${peer.title} is not installed: ${peer.install}`;
    if (peersAsked) throw new BenchError(message);
    console.log(message);
    return false;
  });
}

async function bench(options: Options): Promise<void> {
  const peers = present(options);
  const names = peers.map(({ name }) => name);
  const { threads, rounds } = options;
  console.log(`${threads} thread${threads > 1 ? 's' : ''}, ${rounds} rounds; medians\n`);
  console.log(headOf(names));
  const measured: Measured[] = [];
  for (const name of options.only) {
    const settings = { threads, rounds, turnSeconds };
    const result = await measure(name, workloads[name] as Spec, peers, settings);
    measured.push(result);
    for (const text of linesOf(rowOf(result), names)) console.log(text);
  }
  const results = resultsOf(measured, { threads, rounds });
  const peaks = Object.entries(results.machine.peak_gflops);
  console.log(
    `\n${results.machine.cpu}, ${results.machine.capability}`,
    ...peaks.map(([dtype, gflops]) => `, ${dtype} peak ${gflops} GFLOP/s`),
  );
  if (options.json !== undefined) writeWhole(options.json, `${JSON.stringify(results, null, 1)}\n`);
  if (options.svg !== undefined) writeWhole(options.svg, await drawRatios(results));
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options !== undefined) await bench(options);
} catch (error) {
  if (!(error instanceof BenchError || error instanceof UsageError)) throw error;
  console.error(`bench: ${error.message}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
