/** One workload: everybody loads it, all agree, then they take turns. */

import { type Agreement, assertAgreement } from './agree.js';
import { environment, forebay, type Peer } from './contenders.js';
import { BenchError } from './errors.js';
import { Start, Tensors } from './exchange.js';
import { Contender, type Hello, type ProgramStats } from './protocol.js';
import { type CompileSpec, type ModelSpec, type Spec, training } from './workloads.js';

export interface Settings {
  readonly threads: number;
  readonly rounds: number;
  /** How long a contender's turn lasts, at least. */
  readonly turnSeconds: number;
}

/** One contender's part in a workload. */
export interface Taken {
  readonly hello: Hello;
  /** Microseconds a step, by round; one whose steps are slow takes part in the first few only. */
  readonly rounds: readonly number[];
  /** The form that was fastest. */
  readonly variant: string;
  /** The most bytes while training, less those after its import. */
  readonly growth: number;
  /** None for forebay itself. */
  readonly agreement?: Agreement;
}

export interface Measured {
  readonly workload: string;
  readonly spec: Spec;
  readonly forebay: Taken;
  readonly peers: ReadonlyMap<string, Taken>;
  /** Of the program; null where nothing is compiled. */
  readonly stats: ProgramStats | null;
  /** The machine's peak in GFLOP/s, by round; empty where it is not known. */
  readonly peaks: readonly number[];
  /** What `compile` compiled, in microseconds by round. */
  readonly parts: ReadonlyMap<string, readonly number[]>;
}

const warmUps = 1;
/** A step above this is slow: the contender takes no warm-up round, and few others. */
const slowStep = 1;
const slowRounds = 3;

/** How a contender is timed from now on. */
interface Turn {
  readonly contender: Contender;
  readonly variant: string;
  readonly steps: number;
  readonly slow: boolean;
  readonly rounds: number[];
}

/** Processes that end together, whatever happens. */
class Team implements AsyncDisposable {
  readonly #members: Contender[] = [];

  join(member: Contender): Contender {
    this.#members.push(member);
    return member;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#members.map((member) => member[Symbol.asyncDispose]()));
  }
}

export async function measure(
  workload: string,
  spec: Spec,
  peers: readonly Peer[],
  settings: Settings,
): Promise<Measured> {
  await using own = new Contender('forebay', forebay, environment(settings.threads, null));
  const hello = await own.ask('hello', { threads: settings.threads });
  // Awaited here: own lives as long as this function.
  if (spec.kind === 'compile') return await measureCompile(workload, spec, own, hello, settings);

  await using team = new Team();
  const opponents = await lineUp(team, spec, peers, settings.threads, hello.blas.core);
  const compared = await compare(workload, spec, own, opponents);
  const turns: Turn[] = [];
  for (const contender of [own, ...opponents.map((opponent) => opponent.contender)]) {
    const { variants } = compared.get(contender.name) as Compared;
    turns.push(await calibrate(contender, variants, settings.turnSeconds));
  }
  const peaks = await takeTurns(own, turns, spec, settings);

  const taken = new Map<string, Taken>();
  const hellos = [hello, ...opponents.map((opponent) => opponent.hello)];
  for (const [index, { contender, variant, rounds }] of turns.entries()) {
    const { growth } = await contender.ask('memory', {});
    const agreement = compared.get(contender.name)?.agreement;
    taken.set(contender.name, {
      hello: hellos[index] as Hello,
      rounds,
      variant,
      growth,
      ...(agreement && { agreement }),
    });
  }
  return {
    workload,
    spec,
    forebay: taken.get(own.name) as Taken,
    peers: new Map([...taken].filter(([name]) => name !== own.name)),
    stats: await programStats(own, spec, settings.threads),
    peaks,
    parts: new Map(),
  };
}

/** A peer that takes part in a workload. */
interface Opponent {
  /** The workload as it does it. */
  readonly form: ModelSpec;
  readonly contender: Contender;
  readonly hello: Hello;
}

/** Starts the peers that are here and can do the workload. */
async function lineUp(
  team: Team,
  spec: Spec,
  peers: readonly Peer[],
  threads: number,
  core: string | null,
): Promise<Opponent[]> {
  const opponents: Opponent[] = [];
  for (const peer of peers) {
    const form = peer.form(spec);
    const command = peer.command();
    if (form === undefined || command === undefined) continue;
    const contender = team.join(new Contender(peer.name, command, environment(threads, core)));
    const hello = await contender.ask('hello', { threads });
    peer.inspect?.(hello);
    opponents.push({ form, contender, hello });
  }
  return opponents;
}

interface Compared {
  readonly variants: readonly string[];
  /** None for forebay itself. */
  readonly agreement?: Agreement;
}

/**
 * Has all load the workload and compares what they compute. A peer that does a form of its own is
 * compared with that form; the workload itself comes last, and stays loaded.
 * @throws BenchError when two of them differ
 */
async function compare(
  workload: string,
  spec: ModelSpec,
  own: Contender,
  opponents: readonly Opponent[],
): Promise<ReadonlyMap<string, Compared>> {
  const compared = new Map<string, Compared>();
  const others = opponents.map(({ form }) => form).filter(({ kind }) => kind !== spec.kind);
  for (const form of [...others, spec]) {
    using start = new Start(form);
    const request = { spec: form, folder: start.folder, manifest: start.entries, training };
    const loaded = await own.ask('load', request);
    compared.set(own.name, loaded);
    const mine = { loaded, results: new Tensors(start.folder, loaded.results) };
    for (const { contender } of opponents.filter((opponent) => opponent.form.kind === form.kind)) {
      const theirs = await contender.ask('load', request);
      const peer = { name: contender.name, loaded: theirs, folder: start.folder };
      const agreement = assertAgreement(workload, form, peer, mine);
      compared.set(contender.name, { variants: theirs.variants, agreement });
    }
  }
  return compared;
}

/** The program's own, and the buffers of BLAS: as many as there are threads. */
async function programStats(
  own: Contender,
  { dtype }: ModelSpec,
  threads: number,
): Promise<ProgramStats | null> {
  const stats = await own.ask('stats', {});
  if (stats === null) return null;
  await using fresh = new Contender('forebay', forebay, environment(threads, null));
  const { growth } = await fresh.ask('blas', { dtype, shapes: stats.productShapes });
  return { ...stats, memory: { ...stats.memory, blas: growth * threads } };
}

/** Finds the fastest variant, and how many of its steps fill a turn. */
async function calibrate(
  contender: Contender,
  variants: readonly string[],
  turnSeconds: number,
): Promise<Turn> {
  let best = { variant: '', seconds: Infinity };
  for (const variant of variants) {
    let steps = 1;
    let elapsed = (await contender.ask('round', { steps, variant })).seconds;
    // A first step says little: code is compiled and memory touched by it.
    while (elapsed < turnSeconds / 4) {
      const wanted = Math.ceil((steps * turnSeconds) / 3 / Math.max(elapsed, 1e-7));
      steps = Math.min(steps * 20, Math.max(steps + 1, wanted));
      elapsed = (await contender.ask('round', { steps, variant })).seconds;
    }
    if (elapsed / steps < best.seconds) best = { variant, seconds: elapsed / steps };
  }
  const { variant, seconds } = best;
  if (variant === '') throw new BenchError(`${contender.name} has no form of this workload`);
  const steps = Math.max(1, Math.round(turnSeconds / seconds));
  return { contender, variant, steps, slow: seconds > slowStep, rounds: [] };
}

/** Rounds in which everyone has a turn, so that whatever slows the machine slows all. */
async function takeTurns(
  own: Contender,
  turns: readonly Turn[],
  spec: ModelSpec,
  { threads, rounds }: Settings,
): Promise<number[]> {
  const peaks: number[] = [];
  for (let round = -warmUps; round < rounds; round++) {
    const { gflops } = await own.ask('peak', { dtype: spec.dtype, threads });
    if (round >= 0) peaks.push(gflops);
    for (const { contender, variant, steps, slow, rounds: done } of turns) {
      if (slow && (round < 0 || round >= slowRounds)) continue;
      const { seconds } = await contender.ask('round', { steps, variant });
      if (round >= 0) done.push((seconds / steps) * 1e6);
    }
  }
  return peaks;
}

/** Graphs are compiled one after another; nobody else has such a step. */
async function measureCompile(
  workload: string,
  spec: CompileSpec,
  own: Contender,
  hello: Hello,
  { rounds }: Settings,
): Promise<Measured> {
  const { variants } = await own.ask('load', { spec, folder: '', manifest: [], training });
  const parts = new Map<string, number[]>(variants.map((variant) => [variant, []]));
  for (let round = -warmUps; round < Math.min(rounds, slowRounds + 2); round++) {
    for (const [variant, done] of parts) {
      const { seconds } = await own.ask('round', { steps: 1, variant });
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
    forebay: { hello, rounds: sums, variant: variants.join(' + '), growth },
    peers: new Map(),
    stats: null,
    peaks: [],
    parts,
  };
}

/** Floating-point operations of a step's matrix products. */
export function productOperations({ productShapes }: ProgramStats): number {
  return productShapes.reduce((sum, [m, n, k]) => sum + 2 * m * n * k, 0);
}
