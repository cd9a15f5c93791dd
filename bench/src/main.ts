/** `npm run bench`: times forebay and its peers. */

import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { writeWhole } from '../../dist/report/index.js';
import type { Peer } from './contenders.js';
import { BenchError, UsageError } from './errors.js';
import { type Measured, measure } from './measure.js';
import { type Options, parseOptions } from './options.js';
import { drawRatios } from './plot.js';
import { cautionsOf, withSection } from './readme.js';
import { type Results, resultsOf, rowOf } from './results.js';
import { head, linesOf } from './table.js';
import { type Spec, workloads } from './workloads.js';

const sliceSeconds = 0.4;

/**
 * Returns the peers that are installed. For each peer that is not, prints the command that installs it; if the user
 * requested the peers by name, throws instead.
 */
function present({ peers, peersAsked }: Options): Peer[] {
  return peers.filter((peer) => {
    if (peer.command() !== undefined) return true;
    const message = `${peer.title} is not installed: ${peer.install}`;
    if (peersAsked) throw new BenchError(message);
    console.log(message);
    return false;
  });
}

async function run(options: Options): Promise<Results> {
  const peers = present(options);
  const { threads, rounds, compiled } = options;
  const [load = 0] = loadavg();
  console.log(head());
  const measured: Measured[] = [];
  for (const name of options.only) {
    const settings = { threads, rounds, compiled, sliceSeconds };
    const result = await measure(name, workloads[name] as Spec, peers, settings);
    measured.push(result);
    for (const text of linesOf(rowOf(result))) console.log(text);
  }
  return resultsOf(measured, { threads, rounds, compiled, load });
}

/**
 * Reads the results of an earlier run and prints their table.
 *
 * @throws BenchError if the file was not written by --json
 */
function read(file: string): Results {
  let results: Results;
  try {
    results = JSON.parse(readFileSync(file, 'utf8')) as Results;
  } catch (error) {
    throw new BenchError(`${file} cannot be read: ${(error as Error).message}`);
  }
  if (!Array.isArray(results?.rows)) {
    throw new BenchError(`${file} does not hold the results of a run (--json writes such a file)`);
  }
  console.log(head());
  for (const row of results.rows) for (const text of linesOf(row)) console.log(text);
  return results;
}

function sayMachine(results: Results): void {
  const { machine, threads, rounds, peers } = results;
  const peaks = Object.entries(machine.peak_gflops).map(
    ([dtype, gflops]) => `${dtype} peak ${gflops} GFLOP/s`,
  );
  const turns = `${threads} thread${threads > 1 ? 's' : ''}, ${rounds} rounds; medians`;
  const versions = Object.entries(peers).map(([name, { version }]) => `${name} ${version}`);
  for (const caution of cautionsOf(results)) console.log(caution);
  console.log(`\n${turns}; ${[machine.cpu, machine.capability, ...peaks, ...versions].join(', ')}`);
}

async function bench(options: Options): Promise<void> {
  if (options.python !== undefined) process.env.FOREBAY_BENCH_PYTHON = options.python;
  const results = options.from === undefined ? await run(options) : read(options.from);
  sayMachine(results);
  if (options.json !== undefined) writeWhole(options.json, `${JSON.stringify(results, null, 1)}\n`);
  if (options.svg !== undefined) writeWhole(options.svg, await drawRatios(results));
  if (options.readme) {
    const readme = fileURLToPath(new URL('../../README.md', import.meta.url));
    writeWhole(readme, withSection(readFileSync(readme, 'utf8'), results));
  }
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options !== undefined) await bench(options);
} catch (error) {
  if (!(error instanceof BenchError || error instanceof UsageError)) throw error;
  console.error(`bench: ${error.message}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
