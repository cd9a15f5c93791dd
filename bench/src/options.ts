/** The command line of `npm run bench`. */

import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { type Peer, peers } from './contenders.js';
import { UsageError } from './errors.js';
import { workloads } from './workloads.js';

export interface Options {
  /** Names of workloads, in the order of the table. */
  readonly only: readonly string[];
  readonly peers: readonly Peer[];
  /** Whether the peers were asked for by name: one that is missing is an error then. */
  readonly peersAsked: boolean;
  readonly threads: number;
  readonly rounds: number;
  readonly json?: string;
  readonly svg?: string;
}

/** One or more of some names, in their order whatever the user's. */
function choice(what: string, known: readonly string[]): (text: string) => string[] {
  return (text) => {
    const asked = text.split(',').map((name) => name.trim());
    for (const name of asked) {
      if (known.includes(name)) continue;
      throw new InvalidArgumentError(`There is no ${what} '${name}': ${known.join(', ')}.`);
    }
    return known.filter((name) => asked.includes(name));
  };
}

function count(most: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : 0;
    if (value >= 1 && value <= most) return value;
    throw new InvalidArgumentError(`Expected a whole number from 1 to ${most}.`);
  };
}

/** @throws UsageError for words that it does not know; undefined when all that was asked is the help */
export function parseOptions(argv: readonly string[]): Options | undefined {
  let said = '';
  const command = new Command('npm run bench --')
    .description(
      'Times forebay beside its peers, round by round. What is missing among them is named and left out.',
    )
    .option(
      '--only <a,b>',
      `workloads: ${Object.keys(workloads).join(', ')}`,
      choice('workload', Object.keys(workloads)),
    )
    .option(
      '--peers <a,b>',
      `whom to compare with: ${peers.map(({ name }) => name).join(', ')}, or none`,
      (text) =>
        text === 'none'
          ? []
          : choice(
              'peer',
              peers.map(({ name }) => name),
            )(text),
    )
    .option('--threads <n>', 'threads of each contender', count(256), 1)
    .option('--rounds <n>', 'rounds in which everyone takes a turn', count(1000), 9)
    .option('--json <file>', 'write every figure there')
    .option('--svg <file>', 'draw the ratios there')
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeErr: (text) => (said += text) });
  try {
    command.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    throw new UsageError(said.trim().replace(/^error: /, ''));
  }
  const {
    only,
    peers: asked,
    ...rest
  } = command.opts<{
    only?: string[];
    peers?: string[];
    threads: number;
    rounds: number;
    json?: string;
    svg?: string;
  }>();
  return {
    ...rest,
    only: only ?? Object.keys(workloads),
    peers: peers.filter(({ name }) => asked?.includes(name) ?? true),
    peersAsked: asked !== undefined,
  };
}
