/** Runs a command line. `main` takes the arguments, and returns the exit status instead of ending the process. */

import { mkdirSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { Command, CommanderError, Option as CommandOption } from 'commander';
import { MissingDigitsError } from '../data/digits.js';
import { ForebayError } from '../errors.js';
import { createContext } from './context.js';
import type { AnyDemo, Registry } from './demo.js';
import { manifest } from './manifest.js';
import { greatestSeed, integer, type Option, parseFolder, UsageError } from './options.js';
import { ProgressBars, type Terminal } from './progress.js';

export interface Surroundings {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: Terminal;
  readonly demos: Registry;
}

/** The exit statuses: `failed` means that the work failed, `misused` means wrong usage or missing digits. */
const failed = 1;
const misused = 2;

/**
 * Runs a command.
 * @param args the arguments after `forebay`
 * @returns the exit status: 0 for success, 1 if the work failed, 2 for wrong usage or missing digits. An error is
 *   printed as one line to stderr
 * @throws any error that is neither a ForebayError nor a system error: a bug of the program
 */
export async function main(args: readonly string[], around: Surroundings): Promise<number> {
  const print = (text: string) => void around.stdout.write(text);
  const complain = (text: string) => void around.stderr.write(`forebay: ${text}\n`);
  const demo = args[0] === 'demo' ? args[1] : undefined;
  try {
    let status = 0;
    const program = await createProgram(args, around, print);
    addDoctor(program, print, () => {
      status = failed;
    });
    addBuild(program, print);
    await program.parseAsync([...args], { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    if (error instanceof CommanderError) {
      complain(oneLine(error.message.replace(/^error: /, '')));
      return misused;
    }
    if (error instanceof UsageError) {
      complain(error.message);
      return misused;
    }
    if (error instanceof MissingDigitsError) {
      const where = error.folder === undefined ? '' : ` (none in ${error.folder})`;
      around.stderr.write(`The ${demo} demo needs the MNIST digits ${error.remedy}${where}\n`);
      return misused;
    }
    if (error instanceof ForebayError || isSystemError(error)) {
      complain(error.message);
      return failed;
    }
    throw error;
  }
}

async function createProgram(
  args: readonly string[],
  around: Surroundings,
  print: (text: string) => void,
): Promise<Command> {
  const names = Object.keys(around.demos);
  const program = quiet(new Command('forebay'), print)
    .description('Train neural networks in Node.js: a wait-list compute graph on native kernels.')
    .version(manifest().version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .usage('COMMAND [options]')
    .argument('[command]')
    .action((name: string | undefined) => {
      const came = name === undefined ? 'expected a command' : `unknown command '${name}'`;
      throw new UsageError(`${came}; try 'forebay --help'`);
    });
  const command = quiet(program.command('demo'), print)
    .summary(`run a demonstration: ${names.join(', ')}`)
    .description('Run a demonstration. Each writes pictures and metrics.json into a folder.')
    .usage('NAME [options]')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .argument('[name]')
    .action((name: string | undefined) => {
      const came = name === undefined ? 'expected the name of a demo' : `unknown demo '${name}'`;
      throw new UsageError(`${came}; there are ${names.join(', ')}`);
    });
  // Load the demo that the arguments name. If they name none, load all demos, for the list in the help of `demo`.
  const [first, wanted = '-'] = args;
  const loaded = wanted.startsWith('-') ? names : [wanted];
  for (const name of first === 'demo' ? loaded : []) {
    const load = Object.hasOwn(around.demos, name) ? around.demos[name] : undefined;
    if (load !== undefined) addDemo(command, (await load()).demo, around, print);
  }
  return program;
}

function addDoctor(parent: Command, print: (text: string) => void, onProblem: () => void): void {
  quiet(parent.command('doctor'), print)
    .summary('show which native addon is loaded, and find problems')
    .description(
      'Show which native addon is loaded and from where, and list problems with their remedies. Exits with 1 if there are problems.',
    )
    .helpOption('-h, --help', 'print this help')
    .action(async () => {
      const { doctor } = await import('./doctor.js');
      if (!doctor(print)) onProblem();
    });
}

function addBuild(parent: Command, print: (text: string) => void): void {
  quiet(parent.command('build'), print)
    .summary('compile the native addon on this machine')
    .description(
      'Compile the native addon on this machine, for machines on which the binary in the package does not load. Needs a C++ compiler, make, python3 and OpenBLAS, and reports which of them are missing. Downloads nothing.',
    )
    .helpOption('-h, --help', 'print this help')
    .action(async () => {
      const { build } = await import('./build.js');
      print(`${build()}\n`);
    });
}

function addDemo(
  parent: Command,
  demo: AnyDemo,
  around: Surroundings,
  print: (text: string) => void,
): void {
  const command = quiet(parent.command(demo.name), print)
    .description(demo.summary)
    .helpOption('-h, --help', 'print this help')
    .option(
      '--out <DIR>',
      'the folder for results',
      parser('--out', parseFolder),
      `out/${demo.name}`,
    )
    .addOption(commandOption('seed', seedOption));
  for (const [name, option] of Object.entries(demo.options)) {
    command.addOption(commandOption(name, option));
  }
  command.action(async (values: Record<string, unknown>) => {
    const { out, seed } = values as { out: string; seed: number };
    const options = Object.fromEntries(
      Object.entries(demo.options).map(([name, of]) => [name, values[name] ?? of.default]),
    );
    await runDemo(demo, { out: resolve(out), seed, options }, around, print);
  });
}

const seedOption = integer({
  help: 'the seed of all random numbers; the same seed gives the same metrics',
  default: 1,
  max: greatestSeed,
});

async function runDemo(
  demo: AnyDemo,
  request: {
    readonly out: string;
    readonly seed: number;
    readonly options: Readonly<Record<string, unknown>>;
  },
  around: Surroundings,
  print: (text: string) => void,
): Promise<void> {
  // Create the folder first, so that an error is reported before the training and not after it.
  mkdirSync(request.out, { recursive: true });
  const started = performance.now();
  const bars = await ProgressBars.on(around.stderr);
  const { context, written } = createContext({ demo: demo.name, bars, print, ...request });
  try {
    await demo.run(context);
  } finally {
    bars.stop();
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  if (written.size === 0) return;
  const below = relative(process.cwd(), request.out);
  const folder = below === '' || below.startsWith('..') ? request.out : below;
  print(`Wrote ${[...written].join(', ')} to ${folder} in ${seconds} s\n`);
}

/**
 * Configures a command of the library Commander so that it neither prints errors nor ends the process. `main` prints
 * the errors, and the caller of `main` ends the process.
 */
function quiet(command: Command, print: (text: string) => void): Command {
  return command
    .exitOverride()
    .configureOutput({ writeOut: print, outputError: () => undefined })
    .allowExcessArguments(false);
}

function commandOption(name: string, option: Option<unknown>): CommandOption {
  const typed = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const value = option.placeholder === undefined ? '' : ` <${option.placeholder}>`;
  const made = new CommandOption(`--${typed}${value}`, option.help);
  if (option.placeholder === undefined) return made;
  made.argParser(parser(`--${typed}`, option.parse));
  return option.default === undefined ? made : made.default(option.default, option.defaultText);
}

/** Returns `parse` with error messages that begin with the name of the option. */
function parser<T>(name: string, parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      if (error instanceof UsageError) throw new UsageError(`${name}: ${error.message}`);
      throw error;
    }
  };
}

function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, ' ');
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}
