/** What a run has found, as it is written to a file and read by others. */

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
  /** The instruction set that forebay uses, and the processor whose BLAS it calls. */
  readonly capability: string | null;
  readonly blas_core: string | null;
  readonly memory_gb: number;
  /** The load average of the last minute before the run: of an idle machine about 0. */
  readonly load: number;
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
  /** The least time that a step could take on this machine; null for what is only compiled. */
  readonly limit: Limit | null;
  /** Arena (packed weights included), leaves and BLAS buffers; of what is not compiled, the process's growth. */
  readonly rss_mb: number;
  readonly memory_mb: {
    readonly program: Readonly<Record<string, number>> | null;
    /** The most a process has held while training, less what it held after its import. */
    readonly growth: Readonly<Record<string, number>>;
  };
  /** The peers' fastest forms, by peer. */
  readonly fastest: Readonly<Record<string, string>>;
  /** Every form of each peer, with its time before the rounds, or the reason why it could not be run. */
  readonly forms: Readonly<Record<string, readonly FormTime[]>>;
  /** How close the results were before anything was timed. */
  readonly agreement: Readonly<Record<string, Agreement>>;
  /** Of `compile`: each graph's time in microseconds. */
  readonly parts?: Readonly<Record<string, Spread>>;
}

/** See limit.ts. */
export interface Limit {
  /** Microseconds: the median over rounds. */
  readonly us: number;
  /** The share of the limit that forebay reaches: the median of each round's limit over its time. */
  readonly fraction: number;
  readonly operations: number;
  readonly traffic_bytes: number;
  readonly footprint_bytes: number;
  /** GB/s of a copy within the footprint, read and written: the median over rounds. */
  readonly copy_gigabytes: number;
}

/** How a run was made. */
export interface Run {
  readonly threads: number;
  readonly rounds: number;
  /** Whether forms that need a C++ compiler were tried. */
  readonly compiled: boolean;
  /** See Machine. */
  readonly load: number;
}

export interface Results extends Omit<Run, 'load'> {
  readonly machine: Machine;
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
  const { workload, spec, forebay, peers, stats, machine, parts } = measured;
  const own = spreadOf(forebay.rounds);
  const operations = stats === null ? null : productOperations(stats);
  // GFLOP/s are operations by nanosecond.
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

/** With the names of BLAS's files and without their folders, which belong to this machine. */
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
