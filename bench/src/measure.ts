/**
 * Measures one workload: all contenders load it, their results are compared, then the contenders are timed in turns.
 */

import { type Agreement, assertAgreement, hasKinks, ownKinks } from './agree.js';
import {
  audition,
  type Conditions,
  type FormTime,
  type Reference,
  type Winner,
} from './audition.js';
import { environment, forebay, type Peer } from './contenders.js';
import { Start, Tensors } from './exchange.js';
import { timeStep } from './fastest.js';
import { type MachineRate, type Work, workOf } from './limit.js';
import { Contender, type Form, type Hello, type ProgramStats } from './protocol.js';
import { alternate, type Pair, type Rival, slowRounds } from './slices.js';
import { Team } from './team.js';
import { type CompileSpec, type ModelSpec, type Spec, training } from './workloads.js';

export interface Settings {
  readonly threads: number;
  readonly rounds: number;
  /** The approximate length of one turn of a contender. */
  readonly sliceSeconds: number;
  /** True if forms that need a C++ compiler are tried, too. */
  readonly compiled: boolean;
}

/** The measurements of forebay for a workload. */
export interface Own {
  readonly hello: Hello;
  /** Microseconds per step, by round. */
  readonly rounds: readonly number[];
  /** The peak memory while training, minus the memory after the import, in bytes. */
  readonly growth: number;
}

/** The measurements of a peer for a workload. */
export interface Taken {
  readonly hello: Hello;
  /** One pair of times for each round. A peer whose steps are slow takes part only in the first few rounds. */
  readonly pairs: readonly Pair[];
  /** The fastest form of the peer: `pairs` are the times of this form. */
  readonly form: string;
  /** Every form that was tried. */
  readonly forms: readonly FormTime[];
  /** The peak memory while training, minus the memory after the import, in bytes. */
  readonly growth: number;
  readonly agreement: Agreement;
}

export interface Measured {
  readonly workload: string;
  readonly spec: Spec;
  readonly forebay: Own;
  readonly peers: ReadonlyMap<string, Taken>;
  /** The statistics of the program of forebay; null for the workload `compile`. */
  readonly stats: ProgramStats | null;
  /** The work of one step; null for the workload `compile`. */
  readonly work: Work | null;
  /** The measured speed of the machine, by round; empty if `work` is null. */
  readonly machine: readonly MachineRate[];
  /**
   * For the workload `compile`, the time of each of its graphs in microseconds, by round; empty for other workloads.
   */
  readonly parts: ReadonlyMap<string, readonly number[]>;
}

/** A step that takes more than this number of seconds is slow. */
const slowStep = 1;

export async function measure(
  workload: string,
  spec: Spec,
  peers: readonly Peer[],
  settings: Settings,
): Promise<Measured> {
  const { threads, compiled } = settings;
  await using own = new Contender('forebay', forebay, environment(threads, null));
  const hello = await own.ask('hello', { threads, compiled });
  // `await` is necessary here, because `own` is disposed of when this function returns.
  if (spec.kind === 'compile') return await measureCompile(workload, spec, own, hello, settings);
  return await measureModel(workload, spec, own, hello, peers, settings);
}

async function measureModel(
  workload: string,
  spec: ModelSpec,
  own: Contender,
  hello: Hello,
  peers: readonly Peer[],
  settings: Settings,
): Promise<Measured> {
  await using team = new Team();
  const conditions: Conditions = { ...settings, core: hello.blas.core };
  const here = peers.flatMap((peer) => {
    const adapted = peer.command() === undefined ? undefined : peer.adapt(spec);
    return adapted === undefined ? [] : [{ peer, adapted }];
  });
  const others = here.map(({ adapted }) => adapted).filter(({ kind }) => kind !== spec.kind);
  const references = new Map<string, Reference>();
  // The workload itself is loaded last, so that forebay keeps it for the timing.
  for (const form of [...others, spec]) {
    references.set(form.kind, await referenceOf(workload, form, own, team));
  }
  const winners = new Map<string, Winner>();
  for (const { peer, adapted } of here) {
    const winner = await audition(peer, references.get(adapted.kind) as Reference, conditions);
    team.use(winner.contender);
    winners.set(peer.name, winner);
  }

  const work = workOf(spec);
  const { own: form } = references.get(spec.kind) as Reference;
  const runner = await runnerOf(own, form.name, settings.sliceSeconds);
  const rivals = [...winners].map(([name, winner]) => rivalOf(name, winner, settings.sliceSeconds));
  const slices = await alternate(runner, rivals, settings.rounds, () =>
    probe(own, spec, work, settings.threads),
  );

  const taken = new Map<string, Taken>();
  for (const [name, winner] of winners) {
    const { growth } = await winner.contender.ask('memory', {});
    taken.set(name, {
      hello: winner.hello,
      pairs: slices.pairs.get(name) ?? [],
      form: winner.label,
      forms: winner.forms,
      growth,
      agreement: winner.agreement,
    });
  }
  const { growth } = await own.ask('memory', {});
  return {
    workload,
    spec,
    forebay: { hello, rounds: slices.forebay, growth },
    peers: taken,
    stats: await programStats(own, spec, settings.threads),
    work,
    machine: slices.machine,
    parts: new Map(),
  };
}

/** Loads a form of the workload into forebay. Returns its initial values and the results of forebay. */
async function referenceOf(
  workload: string,
  spec: ModelSpec,
  own: Contender,
  team: Team,
): Promise<Reference> {
  const start = team.use(new Start(spec));
  const { folder, entries } = start;
  const request = { spec, folder, manifest: entries, training, only: null };
  const { forms } = await own.ask('load', request);
  const form = forms[0] as Form;
  const { results } = hasKinks(spec) ? await exact(spec, start) : form;
  const expected = new Tensors(folder, results);
  if (hasKinks(spec)) {
    const within = { form, results: expected, tolerance: ownKinks };
    assertAgreement(workload, spec, { name: 'forebay', form, folder }, within);
  }
  return { workload, spec, start, own: form, expected };
}

/** Computes the results in float64, in another process, so that the memory for them is not measured. */
async function exact(spec: ModelSpec, { folder, entries }: Start) {
  await using contender = new Contender('forebay', forebay, environment(1, null));
  await contender.ask('hello', { threads: 1, compiled: false });
  return await contender.ask('exact', { spec, folder, manifest: entries });
}

const take = (contender: Contender, form: string) => async (steps: number) =>
  (await contender.ask('round', { steps, form })).seconds;

const stepsIn = (sliceSeconds: number, secondsPerStep: number) =>
  Math.max(1, Math.round(sliceSeconds / secondsPerStep));

async function runnerOf(own: Contender, form: string, sliceSeconds: number) {
  const steps = stepsIn(sliceSeconds, await timeStep(take(own, form), sliceSeconds));
  return { take: take(own, form), steps };
}

function rivalOf(
  name: string,
  { contender, form, secondsPerStep }: Winner,
  sliceSeconds: number,
): Rival {
  return {
    name,
    take: take(contender, form),
    steps: stepsIn(sliceSeconds, secondsPerStep),
    slow: secondsPerStep > slowStep,
  };
}

async function probe(
  own: Contender,
  { dtype }: ModelSpec,
  { footprint }: Work,
  threads: number,
): Promise<MachineRate> {
  const { gflops } = await own.ask('peak', { dtype, threads });
  const { gigabytes } = await own.ask('copy', { bytes: footprint, threads });
  return { gflops, gigabytes };
}

/**
 * Returns the statistics of the program of forebay. Adds the memory of BLAS, which is measured in a new process and
 * multiplied by the number of threads, because BLAS has one buffer for each thread.
 */
async function programStats(
  own: Contender,
  { dtype }: ModelSpec,
  threads: number,
): Promise<ProgramStats | null> {
  const stats = await own.ask('stats', {});
  if (stats === null) return null;
  await using fresh = new Contender('forebay', forebay, environment(threads, null));
  const { growth } = await fresh.ask('blas', {
    dtype,
    shapes: stats.productShapes.map(([m, n, k]) => [m, n, k] as const),
  });
  return { ...stats, memory: { ...stats.memory, blas: growth * threads } };
}

/** Measures the workload `compile`: compiles its graphs one after another. Peers do not run this workload. */
async function measureCompile(
  workload: string,
  spec: CompileSpec,
  own: Contender,
  hello: Hello,
  { rounds }: Settings,
): Promise<Measured> {
  const { forms } = await own.ask('load', {
    ...{ spec, folder: '', manifest: [], training, only: null },
  });
  const parts = new Map<string, number[]>(forms.map(({ name }) => [name, []]));
  for (let round = -1; round < Math.min(rounds, slowRounds + 2); round++) {
    for (const [form, done] of parts) {
      const { seconds } = await own.ask('round', { steps: 1, form });
      if (round >= 0) done.push(seconds * 1e6);
    }
  }
  const counted = Math.min(...[...parts.values()].map(({ length }) => length));
  const sums = Array.from({ length: counted }, (_, round) =>
    [...parts.values()].reduce((sum, done) => sum + (done[round] as number), 0),
  );
  const { growth } = await own.ask('memory', {});
  return {
    workload,
    spec,
    forebay: { hello, rounds: sums, growth },
    peers: new Map(),
    stats: null,
    work: null,
    machine: [],
    parts,
  };
}

/**
 * Returns the number of floating-point operations of the matrix products that the program of forebay computes in a
 * step.
 */
export function productOperations({ productShapes }: ProgramStats): number {
  return productShapes.reduce((sum, [m, n, k, trips = 1]) => sum + 2 * m * n * k * trips, 0);
}
