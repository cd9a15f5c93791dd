/**
 * Times forebay and its peers in alternating slices, each a fraction of a second long. The speed of the machine may
 * change by a quarter within minutes, so only neighbouring slices are compared.
 */

import type { Take } from './fastest.js';

/** A contender to time. */
export interface Runner {
  /** Takes the given number of steps. Resolves to the number of seconds that they took. */
  readonly take: Take;
  /** The number of steps of one slice. */
  readonly steps: number;
}

/** A peer to time. */
export interface Rival extends Runner {
  readonly name: string;
  /** True if the steps of the peer are slow. A slow peer takes part in only a few rounds, and not in the warm-up. */
  readonly slow: boolean;
}

/** The microseconds per step of a slice of a peer, and of the slice of forebay just before. */
export interface Pair {
  readonly peer: number;
  readonly forebay: number;
}

export interface Slices<M> {
  /** For each peer, by name, one pair for each round in which the peer took part. */
  readonly pairs: ReadonlyMap<string, readonly Pair[]>;
  /** The microseconds per step of forebay, by round: the mean over the slices of forebay in this round. */
  readonly forebay: readonly number[];
  /** The measured speed of the machine in each round. */
  readonly machine: readonly M[];
}

const warmUps = 1;
export const slowRounds = 3;

/**
 * Times forebay and the peers in rounds. In each round, for each peer, it times a slice of forebay and then a slice of
 * the peer. A warm-up round comes first, which does not count.
 *
 * @param probe measures the machine, once per round
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
