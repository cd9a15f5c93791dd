/** Makes the results of a run of the benchmark, in the form in which --json writes them to a file. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';

import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Agreement } from './agree.js';
import type { FormTime } from './audition.js';
import { limitOf } from './limit.js';
import { type Measured, productOperations } from './measure.js';
import type { Hello } from './protocol.js';
import { median, ratios, type Spread, spreadOf } from './statistics.js';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  /** The instruction set that forebay uses. */
  readonly capability: string | null;
  /** The processor type for which the BLAS of forebay chose its kernels. */
  readonly blas_core: string | null;
  readonly memory_gb: number;
  /** The load average of the last minute before the run. It is about 0 on an idle machine. */
  readonly load: number;
  readonly os: string;
  readonly node: string;
  /** The measured peak speed by dtype: the median over all rounds. A dtype that no workload used is missing. */
  readonly peak_gflops: Readonly<Record<string, number>>;
}

export interface Row {
  readonly workload: string;
  readonly dtype: string;
  /** Microseconds per step: the median over rounds. */
  readonly us: number;
  readonly us_spread: Spread;
  /** Microseconds per step of each peer: the median over rounds. */
  readonly peers: Readonly<Record<string, number>>;
  /** For each peer, its time divided by the time of forebay: the median and the quartiles over rounds. */
  readonly ratios: Readonly<Record<string, Spread>>;
  /** The speed of the matrix products of the program; null if it is not known. */
  readonly gflops: number | null;
  /** `gflops` of each round divided by the peak speed measured in that round: the median over rounds. */
  readonly peak_fraction: number | null;
  /** The lower limit of the time of a step on this machine; null for `compile`. */
  readonly limit: Limit | null;
  /**
   * The memory of the program of forebay: arena (with packed weights), leaves and BLAS buffers. For the workload
   * `compile`, the growth of the process instead.
   */
  readonly rss_mb: number;
  readonly memory_mb: {
    readonly program: Readonly<Record<string, number>> | null;
    /** The peak memory of each process while training, minus its memory after the import. */
    readonly growth: Readonly<Record<string, number>>;
  };
  /** The name of the fastest form of each peer. */
  readonly fastest: Readonly<Record<string, string>>;
  /** Every form of each peer, with its time measured before the rounds, or the reason why it could not be run. */
  readonly forms: Readonly<Record<string, readonly FormTime[]>>;
  /** For each peer, how close its results were to those of forebay before anything was timed. */
  readonly agreement: Readonly<Record<string, Agreement>>;
  /** For `compile`: the time of each graph in microseconds. */
  readonly parts?: Readonly<Record<string, Spread>>;
}

/** The lower limit of the time of a step. limit.ts computes it. */
export interface Limit {
  /** Microseconds: the median over rounds. */
  readonly us: number;
  /** The limit divided by the time of forebay in the same round: the median over rounds. */
  readonly fraction: number;
  readonly operations: number;
  readonly traffic_bytes: number;
  readonly footprint_bytes: number;
  /** The speed of a copy in a buffer as large as the footprint, in GB/s read and written: the median over rounds. */
  readonly copy_gigabytes: number;
}

/** The settings of a run. */
export interface Run {
  readonly threads: number;
  readonly rounds: number;
  /** Whether forms that need a C++ compiler were tried. */
  readonly compiled: boolean;
  /** The load average before the run, as in `Machine`. */
  readonly load: number;
}

export interface Results extends Omit<Run, 'load'> {
  readonly machine: Machine;
  readonly date: string;
  /** The commit of the checkout, followed by + if there are uncommitted changes; null if this is not a checkout. */
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

/** The kinds of networks whose products are convolutions. */
const convolving: ReadonlySet<string> = new Set(['conv', 'cnn', 'resnet', 'tcn']);

export function rowOf(measured: Measured): Row {
  const { workload, spec, forebay, peers, stats, machine, parts } = measured;
  const own = spreadOf(forebay.rounds);
  // The statistics of a program count its matrix products, but not its convolutions.
  const counts = stats !== null && !convolving.has(spec.kind);
  const operations = counts ? productOperations(stats) : null;
  // Returns GFLOP/s: operations per microsecond, divided by 1,000.
  const speed = (us: number) => (operations ?? 0) / us / 1e3;
  const shares = machine.map(({ gflops }, at) => speed(forebay.rounds[at] as number) / gflops);
  const program = stats && mapValues(new Map(Object.entries(stats.memory)), megabytes);
  const growths = new Map([...peers].map(([name, { growth }]) => [name, growth]));
  return {
    workload,
    dtype: spec.dtype,
    us: round(own.median),
    us_spread: rounded(own),
    peers: mapValues(peers, ({ pairs }) => round(median(pairs.map(({ peer }) => peer)))),
    ratios: mapValues(peers, ({ pairs }) => rounded(spreadOf(ratios(pairs)))),
    gflops: operations === null ? null : round(speed(own.median)),
    peak_fraction: operations === null || shares.length === 0 ? null : round(median(shares), 3),
    limit: limitIn(measured),
    rss_mb: stats
      ? megabytes(Object.values(stats.memory).reduce((sum, bytes) => sum + bytes, 0))
      : megabytes(forebay.growth),
    memory_mb: {
      program,
      growth: mapValues(new Map([['forebay', forebay.growth], ...growths]), megabytes),
    },
    fastest: mapValues(peers, ({ form }) => form),
    forms: mapValues(peers, ({ forms }) => forms.map(roundedForm)),
    agreement: mapValues(peers, ({ agreement }) => agreement),
    ...(parts.size > 0 && { parts: mapValues(parts, (rounds) => rounded(spreadOf(rounds))) }),
  };
}

const roundedForm = (form: FormTime): FormTime =>
  form.us === null ? form : { ...form, us: round(form.us) };

function limitIn({ work, machine, forebay }: Measured): Limit | null {
  if (work === null || machine.length === 0) return null;
  const limits = machine.map((rate) => limitOf(work, rate));
  const fractions = limits.map((limit, at) => limit / (forebay.rounds[at] as number));
  return {
    us: round(median(limits)),
    fraction: round(median(fractions), 3),
    operations: work.operations,
    traffic_bytes: work.traffic,
    footprint_bytes: work.footprint,
    copy_gigabytes: round(median(machine.map(({ gigabytes }) => gigabytes))),
  };
}

export function resultsOf(measured: readonly Measured[], { load, ...run }: Run): Results {
  const hellos = new Map(
    measured.flatMap(({ peers }) => [...peers].map(([name, { hello }]) => [name, hello] as const)),
  );
  return {
    machine: machineOf(measured, load),
    ...run,
    date: new Date().toISOString(),
    commit: commitOf(),
    forebay: named(measured[0]?.forebay.hello) ?? null,
    peers: mapValues(hellos, named),
    rows: measured.map(rowOf),
  };
}

/** Removes the folders from the paths of the BLAS files, because the folders are specific to this machine. */
function named<H extends Hello | undefined>(hello: H): H {
  if (hello === undefined) return hello;
  const { core, files } = hello.blas;
  return { ...hello, blas: { core, files: [...new Set(files.map((file) => basename(file)))] } };
}

function machineOf(measured: readonly Measured[], load: number): Machine {
  const own = measured[0]?.forebay.hello;
  const peaks = new Map<string, number[]>();
  for (const { spec, machine } of measured) {
    const of = machine.map(({ gflops }) => gflops);
    if (of.length > 0) peaks.set(spec.dtype, [...(peaks.get(spec.dtype) ?? []), ...of]);
  }
  return {
    cpu: cpus()[0]?.model.trim() ?? process.arch,
    cores: cpus().length,
    capability: own?.capability ?? null,
    blas_core: own?.blas.core ?? null,
    memory_gb: round(totalmem() / 1e9, 3),
    load: round(load, 2),
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
    // This file exists only on Linux. On other systems, the type and the release are returned.
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
