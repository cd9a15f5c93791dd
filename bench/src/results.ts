/** What a run has found, as it is written to a file and read by others. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Agreement } from './agree.js';
import { type Measured, productOperations } from './measure.js';
import type { Hello } from './protocol.js';
import { median, ratios, type Spread, spreadOf } from './statistics.js';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  /** The instruction set that forebay uses, and the processor whose BLAS it calls. */
  readonly capability: string | null;
  readonly blas_core: string | null;
  readonly memory_gb: number;
  readonly os: string;
  readonly node: string;
  /** Medians over all rounds of the run; a dtype that no workload used is not there. */
  readonly peak_gflops: Readonly<Record<string, number>>;
}

export interface Row {
  readonly workload: string;
  readonly dtype: string;
  /** Microseconds a step: the median over rounds. */
  readonly us: number;
  readonly us_spread: Spread;
  /** The same of the peers. */
  readonly peers: Readonly<Record<string, number>>;
  /** How many times slower a peer is, by round: what the targets are about. */
  readonly ratios: Readonly<Record<string, Spread>>;
  /** Of the program's own matrix products; null where that is not known. */
  readonly gflops: number | null;
  /** The median of each round's share of that round's peak. */
  readonly peak_fraction: number | null;
  /** Arena (packed weights included), leaves and BLAS buffers; of what is not compiled, the process's growth. */
  readonly rss_mb: number;
  readonly memory_mb: {
    readonly program: Readonly<Record<string, number>> | null;
    /** The most a process has held while training, less what it held after its import. */
    readonly growth: Readonly<Record<string, number>>;
  };
  /** The form of each that was fastest. */
  readonly variants: Readonly<Record<string, string>>;
  /** How close the results were before anything was timed. */
  readonly agreement: Readonly<Record<string, Agreement>>;
  /** Of `compile`: each graph's time in microseconds. */
  readonly parts?: Readonly<Record<string, Spread>>;
}

export interface Results {
  readonly machine: Machine;
  readonly threads: number;
  readonly rounds: number;
  readonly date: string;
  /** Of the checkout, with a + for one that was changed since; null outside of one. */
  readonly commit: string | null;
  readonly forebay: Hello | null;
  readonly peers: Readonly<Record<string, Hello>>;
  readonly rows: readonly Row[];
}

const megabytes = (bytes: number) => round(bytes / 1e6, 3);
const round = (value: number, digits = 4) => Number(value.toPrecision(digits));
const mapValues = <A, B>(map: ReadonlyMap<string, A>, of: (value: A) => B): Record<string, B> =>
  Object.fromEntries([...map].map(([key, value]) => [key, of(value)]));

function rounded({ median: middle, low, high, rounds }: Spread): Spread {
  return { median: round(middle), low: round(low), high: round(high), rounds };
}

export function rowOf(measured: Measured): Row {
  const { workload, spec, forebay, peers, stats, peaks, parts } = measured;
  const own = spreadOf(forebay.rounds);
  const operations = stats === null ? null : productOperations(stats);
  // GFLOP/s are operations by nanosecond.
  const speed = (us: number) => (operations ?? 0) / us / 1e3;
  const shares = peaks.map((peak, at) => speed(forebay.rounds[at] as number) / peak);
  const program = stats && mapValues(new Map(Object.entries(stats.memory)), megabytes);
  const all = new Map([['forebay', forebay], ...peers]);
  return {
    workload,
    dtype: spec.dtype,
    us: round(own.median),
    us_spread: rounded(own),
    peers: mapValues(peers, ({ rounds }) => round(median(rounds))),
    ratios: mapValues(peers, (peer) => rounded(spreadOf(ratios(peer.rounds, forebay.rounds)))),
    gflops: operations === null ? null : round(speed(own.median)),
    peak_fraction: operations === null || shares.length === 0 ? null : round(median(shares), 3),
    rss_mb: stats
      ? megabytes(Object.values(stats.memory).reduce((sum, bytes) => sum + bytes, 0))
      : megabytes(forebay.growth),
    memory_mb: { program, growth: mapValues(all, ({ growth }) => megabytes(growth)) },
    variants: mapValues(all, ({ variant }) => variant),
    agreement: Object.fromEntries(
      [...peers].flatMap(([name, { agreement }]) => (agreement ? [[name, agreement]] : [])),
    ),
    ...(parts.size > 0 && { parts: mapValues(parts, (rounds) => rounded(spreadOf(rounds))) }),
  };
}

export function resultsOf(
  measured: readonly Measured[],
  { threads, rounds }: { readonly threads: number; readonly rounds: number },
): Results {
  const hellos = new Map(
    measured.flatMap(({ peers }) => [...peers].map(([name, { hello }]) => [name, hello] as const)),
  );
  return {
    machine: machineOf(measured),
    threads,
    rounds,
    date: new Date().toISOString(),
    commit: commitOf(),
    forebay: measured[0]?.forebay.hello ?? null,
    peers: Object.fromEntries(hellos),
    rows: measured.map(rowOf),
  };
}

function machineOf(measured: readonly Measured[]): Machine {
  const own = measured[0]?.forebay.hello;
  const peaks = new Map<string, number[]>();
  for (const { spec, peaks: of } of measured) {
    if (of.length > 0) peaks.set(spec.dtype, [...(peaks.get(spec.dtype) ?? []), ...of]);
  }
  return {
    cpu: cpus()[0]?.model.trim() ?? process.arch,
    cores: cpus().length,
    capability: own?.capability ?? null,
    blas_core: own?.blas.core ?? null,
    memory_gb: round(totalmem() / 1e9, 3),
    os: osName(),
    node: process.version,
    peak_gflops: mapValues(peaks, (values) => round(median(values))),
  };
}

function osName(): string {
  try {
    const name = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
    if (name) return name;
  } catch {
    // Only Linux has the file.
  }
  return `${type()} ${release()}`;
}

function commitOf(): string | null {
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const git = (...args: string[]) => spawnSync('git', args, { cwd, encoding: 'utf8' });
  const { status, stdout } = git('rev-parse', '--short=12', 'HEAD');
  if (status !== 0) return null;
  return stdout.trim() + (git('status', '--porcelain').stdout === '' ? '' : '+');
}
