/**
 * Slices that alternate: forebay and a peer take turns of a fraction of a second, since the machine's own
 * speed may change by a quarter within minutes. Only neighbours are compared.
 */

import type { Take } from './fastest.js';

/** Who is timed. */
export interface Runner {
  /** Takes so many steps; returns the seconds. */
  readonly take: Take;
  /** Steps of one slice. */
  readonly steps: number;
}

/** A peer, and how many rounds it takes part in. */
export interface Rival extends Runner {
  readonly name: string;
  /** If its steps are slow: no warm-up round, and only a few others. */
  readonly slow: boolean;
}

/** Microseconds a step of a peer, and of forebay just before it. */
export interface Pair {
  readonly peer: number;
  readonly forebay: number;
}

export interface Slices<M> {
  /** By the peer's name, one for each round in which it took part. */
  readonly pairs: ReadonlyMap<string, readonly Pair[]>;
  /** forebay's microseconds a step by round: the mean over its slices of the round. */
  readonly forebay: readonly number[];
  /** What the machine did in each round. */
  readonly machine: readonly M[];
}

const warmUps = 1;
export const slowRounds = 3;

/**
 * In each round, for each peer in turn: a slice of forebay, then one of the peer. The first round warms
 * up and is not counted.
 *
 * @param probe measures the machine, once a round
 */
export async function alternate<M>(
  own: Runner,
  rivals: readonly Rival[],
  rounds: number,
  probe: () => Promise<M>,
): Promise<Slices<M>> {
  const pairs = new Map<string, Pair[]>(rivals.map(({ name }) => [name, []]));
  const forebay: number[] = [];
  const machine: M[] = [];
  const slice = async ({ take, steps }: Runner) => ((await take(steps)) / steps) * 1e6;
  for (let round = -warmUps; round < rounds; round++) {
    const probed = await probe();
    const here = rivals.filter(({ slow }) => !slow || (round >= 0 && round < slowRounds));
    const mine: number[] = [];
    for (const rival of here) {
      const before = await slice(own);
      mine.push(before);
      const peer = await slice(rival);
      if (round >= 0) pairs.get(rival.name)?.push({ peer, forebay: before });
    }
    if (here.length === 0) mine.push(await slice(own));
    if (round < 0) continue;
    machine.push(probed);
    forebay.push(mine.reduce((sum, us) => sum + us, 0) / mine.length);
  }
  return { pairs, forebay, machine };
}
