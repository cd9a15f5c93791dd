/**
 * Runs a shard, which is many random cases of one family, in one test. A family is the set of cases with the same kind
 * of numbers. `FOREBAY_RANDOM=exact-float32:417` runs only the case of this family and seed. `FOREBAY_RANDOM_TIMES=20`
 * draws twenty times as many cases. `FOREBAY_RANDOM_TRACE=1` prints the name of each case before it runs, to find a
 * case that crashes the process.
 */

import { readdirSync, readFileSync, writeSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Case, drawCase, refused } from './cases.js';
import { type Difference, difference } from './differ.js';
import type { Numbers } from './draft.js';
import { shrunken } from './shrink.js';

export interface Shard {
  readonly numbers: Numbers;
  /** The first seed. The first seeds of shards of the same family are a million or more apart. */
  readonly from: number;
  readonly count: number;
  /**
   * The least number of times that the compiler must apply each of its rewrites. After `count` cases, further cases are
   * drawn until it has, but at most `count` more. So the test does not depend on how often the cases that happen to be
   * drawn lead to a rare rewrite. 0 if the shard is too small for this test.
   */
  readonly atLeast: number;
  /** The number of threads of each program. By default, every eighth case uses two threads and the others one. */
  readonly threads?: number;
}

const reported = 3;
const minutes = 60_000;
const apart = 1_000_000;
const [family, seed] = process.env.FOREBAY_RANDOM?.split(':') ?? [];
const replayed = seed === undefined ? undefined : Number(seed);
const times = Number(process.env.FOREBAY_RANDOM_TIMES ?? 1);
const rewrites = findRewrites();
const traced = process.env.FOREBAY_RANDOM_TRACE !== undefined;

export function testShard({ numbers, from, count, atLeast, threads }: Shard): void {
  const { exact, dtype, scale } = numbers;
  const name = `${exact ? 'exact' : 'general'}-${dtype}${scale === 1 ? '' : `-x${scale}`}`;
  const isOurs = (drawn: number) => name === family && drawn >= from && drawn < from + apart;
  const least = replayed === undefined ? count * times : [replayed].filter(isOurs).length;
  let cases = 0;
  const fired = new Map<string, number>();
  const rare = () => rewrites.filter((rewrite) => (fired.get(rewrite) ?? 0) < atLeast * times);
  /** Yields the seeds of the cases: the first ones, and then further ones while a rewrite is rare. */
  function* seeds(): Generator<number> {
    if (replayed !== undefined) {
      yield* [replayed].filter(isOurs);
      return;
    }
    for (let i = 0; i < least || (i < 2 * least && rare().length > 0); i++) yield from + i;
  }

  test.skipIf(least === 0)(
    `${least} random graphs, ${name}: programs agree with the interpreter`,
    { timeout: 10 * minutes * times },
    () => {
      const failures: string[] = [];
      for (const drawn of seeds()) {
        cases++;
        const own = `${name}:${drawn}`;
        if (traced) writeSync(2, `${own}\n`);
        const made = drawCase(drawn, numbers);
        const wrong = difference(made, {
          fired,
          threads: threads ?? (drawn % 8 === 0 ? 2 : 1),
          remade: drawn % 4 === 1,
        });
        if (wrong) failures.push(report(own, made, wrong));
        if (failures.length === reported) break;
      }
      expect(failures.join('\n\n')).toBe('');
    },
  );

  if (atLeast === 0) return;
  test.skipIf(replayed !== undefined)(
    `${name}: each rewrite is applied at least ${atLeast} times`,
    () => {
      const counts = rewrites.map((rewrite) => [fired.get(rewrite) ?? 0, rewrite] as const);
      const lines = [...counts].sort((p, q) => p[0] - q[0]).map((line) => line.join('  '));
      const unused = [...refused].map(([why, n]) => `${n} ${why}`).join(', ');
      console.log(
        `${name}: rewrites applied in ${cases} graphs\n${lines.join('\n')}\ngraphs drawn and not used: ${unused}`,
      );
      expect(counts.length).toBeGreaterThan(20);
      expect(rare()).toEqual([]);
    },
  );
}

function report(name: string, failing: Case, { run, message }: Difference): string {
  const again = `FOREBAY_RANDOM=${name} npx vitest run test/compile/random`;
  return `run ${run}: ${message}\nreplay it: ${again}\n${shrunken(failing, run)}`;
}

/**
 * Returns the names of all rewrites, which it finds in the source of the compiler. Therefore the test also notices a
 * rewrite that is never applied.
 */
function findRewrites(): string[] {
  const names = new Set<string>();
  for (const room of ['compile', 'ir', 'primitives']) {
    const folder = new URL(`../../../src/${room}/`, import.meta.url);
    for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts')) continue;
      const source = readFileSync(new URL(file, folder), 'utf8');
      for (const [, name] of source.matchAll(/'((?:simplify|share|layout|fuse|place): [^']+)'/g)) {
        names.add(name as string);
      }
    }
  }
  return [...names];
}
