/** The command line of `npm run bench`. */

import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { type Peer, peers } from './contenders.js';
import { UsageError } from './errors.js';
import { nearest } from './nearest.js';
import { workloads } from './workloads.js';

export interface Options {
  /** Names of workloads, in the order of the table. */
  readonly only: readonly string[];
  readonly peers: readonly Peer[];
  /** True if the user requested the peers by name. In this case, a peer that is not installed is an error. */
  readonly peersAsked: boolean;
  readonly threads: number;
  readonly rounds: number;
  /** True if forms that need a C++ compiler, such as those of torch.compile, are tried, too. */
  readonly compiled: boolean;
  /** The path of the Python that runs the peers that are written in Python. */
  readonly python?: string;
  /** A file of results to show instead of running the benchmark. */
  readonly from?: string;
  readonly json?: string;
  readonly svg?: string;
  readonly readme: boolean;
}

/** Returns a function that parses a list of names. The names in its result have the order of `known`. */
function choice(what: string, known: readonly string[]): (text: string) => string[] {
  return (text) => {
    const asked = text.split(',').map((name) => name.trim());
    for (const name of asked) {
      if (known.includes(name)) continue;
      const meant = nearest(name, known);
      const hint = meant === undefined ? '' : ` Did you mean '${meant}'?`;
      throw new InvalidArgumentError(`There is no ${what} '${name}': ${known.join(', ')}.${hint}`);
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

type Parsed = Omit<Options, 'only' | 'peers' | 'peersAsked'> & {
  readonly only?: string[];
  readonly peers?: string[];
};

/**
 * Parses the arguments of the command line.
 *
 * @returns the options; undefined if the user only requested the help
 * @throws UsageError for unknown options, workloads or peers, and wrong values
 */
export function parseOptions(argv: readonly string[]): Options | undefined {
  let said = '';
  const workloadNames = Object.keys(workloads);
  const peerNames = peers.map(({ name }) => name);
  const chosenPeers = choice('peer', [...peerNames, 'none']);
  const command = new Command('npm run bench --')
    .description(
      'Times forebay beside its peers, each in its fastest form. A peer that is missing is named and left out.',
    )
    .option(
      '--only <a,b>',
      `workloads: ${workloadNames.join(', ')}`,
      choice('workload', workloadNames),
    )
    .option('--peers <a,b>', `whom to compare with: ${peerNames.join(', ')}, or none`, chosenPeers)
    .option('--threads <n>', 'threads of each contender', count(256), 1)
    .option('--rounds <n>', 'rounds in which everyone takes a turn', count(1000), 11)
    .option('--python <path>', 'the Python of the peers in Python (or FOREBAY_BENCH_PYTHON)')
    .option('--no-compiled', "leave out torch.compile's forms, which take a minute to build")
    .option('--json <file>', 'write every figure there')
    .option('--svg <file>', 'draw the ratios there')
    .option('--readme', "write the table into README.md's section on speed", false)
    .option('--from <file>', 'show the results of that file (of --json) instead of a run')
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
  const { only, peers: asked, ...rest } = command.opts<Parsed>();
  return {
    ...rest,
    only: only ?? workloadNames,
    peers: peers.filter(({ name }) => asked?.includes(name) ?? true),
    peersAsked: asked !== undefined,
  };
}
