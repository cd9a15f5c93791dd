// What runs as processes: every workload on every peer that is here, and the command itself.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assertAgreement } from '../../bench/src/agree.js';
import { type Peer, peers } from '../../bench/src/contenders.js';
import { BenchError } from '../../bench/src/errors.js';
import { Start, Tensors } from '../../bench/src/exchange.js';
import { measure } from '../../bench/src/measure.js';
import type { Contender, Hello } from '../../bench/src/protocol.js';
import type { Results } from '../../bench/src/results.js';
import { type ModelSpec, training, workloads } from '../../bench/src/workloads.js';
import { buildBench, root, smallLstm, smallMlp, startForebay, startPeer } from './support.js';

const trained: [string, ModelSpec][] = Object.entries(workloads).flatMap(([name, spec]) =>
  spec.kind === 'compile' ? [] : [[name, spec]],
);
/** Small ones of each kind, whose sizes are all different. */
const small: [string, ModelSpec][] = [
  ['a small LSTM', smallLstm],
  // The points of a circle, one after another: two coordinates in and out.
  [
    'a small LSTM, node by node',
    { ...smallLstm, kind: 'lstm-nodes', dtype: 'float64', inputs: 2, batch: 1 },
  ],
  ['a small network', smallMlp],
  [
    'a small auto-encoder',
    {
      kind: 'vae',
      dtype: 'float32',
      inputs: 7,
      hidden: 5,
      latent: 3,
      batch: 2,
      optimizer: 'adam',
      rate: 1e-2,
    },
  ],
];

beforeAll(buildBench);

const missing = (peer: Peer) => peer.command() === undefined;
/** A suite's name; of one that is skipped, with what would change that. */
const titleOf = (peer: Peer) =>
  missing(peer) ? `${peer.title}, missing: ${peer.install}` : peer.title;

describe.each(peers.filter(missing).map((peer) => [titleOf(peer)]))('%s', (title) => {
  it.skip(title);
});

describe.each(peers.filter((peer) => !missing(peer)).map((peer) => [peer.title, peer] as const))(
  '%s',
  (_, peer) => {
    let own: Contender;
    let theirs: Contender;
    let hello: Hello;

    beforeAll(async () => {
      own = startForebay();
      const { blas } = await own.ask('hello', { threads: 1 });
      theirs = startPeer(peer, blas.core);
      hello = await theirs.ask('hello', { threads: 1 });
    });
    afterAll(async () => {
      await own?.[Symbol.asyncDispose]();
      await theirs?.[Symbol.asyncDispose]();
    });

    const cases = [...small, ...trained].flatMap(([name, spec]) => {
      const form = peer.form(spec);
      // WebAssembly takes seconds for a step of the largest; what it does there it does in the smaller.
      const tooLong = peer.name === 'tfjs-wasm' && /large|medium|256/.test(name);
      return form === undefined || tooLong ? [] : [[name, form] as const];
    });

    it.each(cases)('computes what forebay computes: %s', async (name, form) => {
      using start = new Start(form);
      const request = { spec: form, folder: start.folder, manifest: start.entries, training };
      const mine = await own.ask('load', request);
      const loaded = await theirs.ask('load', request);
      const worst = assertAgreement(
        name,
        form,
        { name: peer.name, loaded, folder: start.folder },
        { loaded: mine, results: new Tensors(start.folder, mine.results) },
      );
      expect(worst.distance).toBeLessThanOrEqual(worst.tolerance);
      expect(loaded.variants.length).toBeGreaterThan(0);
      if (form.kind === 'predict') return;
      // The losses can only be compared if the steps move them.
      const [first, , last] = mine.losses as [number, number, number];
      expect(Math.abs(last - first)).toBeGreaterThan(0.01 * first);
      expect(mine.results.length).toBeGreaterThanOrEqual(6);
    });

    it('says what it is made of', () => {
      expect(hello.version).toMatch(/^\d+\.\d+/);
      expect(() => peer.inspect?.(hello)).not.toThrow();
    });
  },
);

describe('a peer that is not what it should be', () => {
  const wrong: Peer = {
    name: 'wrong',
    title: 'Wrong',
    install: '',
    command: () => ({
      file: process.execPath,
      args: [fileURLToPath(new URL('./wrong-peer.mjs', import.meta.url))],
    }),
    form: (spec) => (spec.kind === 'compile' ? undefined : spec),
  };
  const settings = { threads: 1, rounds: 1, turnSeconds: 0.001 };

  it('is found out before anything is timed', async () => {
    const run = measure('small', smallLstm, [wrong], settings);
    await expect(run).rejects.toThrow(BenchError);
    await expect(run).rejects.toThrow(/small: wrong and forebay .*'lstm\.forget\.weight'/);
  });

  it('is reported with its own words when it fails or ends', async () => {
    const contender = startPeer(wrong, null);
    await expect(contender.ask('memory', {})).rejects.toThrow(
      "wrong failed to memory: no 'memory'",
    );
    const ended = contender.ask('round', { steps: 1, variant: 'none' });
    await expect(ended).rejects.toThrow(/wrong ended \(status 3\).*'round'\nout of fuel/s);
    await contender[Symbol.asyncDispose]();
  });

  it('is reported when it cannot be started', async () => {
    const nowhere = { ...wrong, command: () => ({ file: '/nowhere/python', args: [] }) };
    const contender = startPeer(nowhere, null);
    await expect(contender.ask('memory', {})).rejects.toThrow(/ENOENT/);
  });
});

describe('a workload', () => {
  it('is timed in rounds', async () => {
    const settings = { threads: 1, rounds: 3, turnSeconds: 0.002 };
    const { forebay, peers: others } = await measure('small', smallMlp, [], settings);
    expect(forebay.rounds).toHaveLength(3);
    for (const us of forebay.rounds) expect(us).toBeGreaterThan(0);
    expect(forebay.hello.threads).toBe(1);
    expect(others.size).toBe(0);
  });

  it('is the sum of its graphs when they are compiled only', async () => {
    const spec = {
      kind: 'compile',
      dtype: 'float32',
      parts: { one: smallLstm, other: smallMlp },
    } as const;
    const settings = { threads: 1, rounds: 2, turnSeconds: 0.002 };
    const { forebay, parts } = await measure('compile', spec, peers, settings);
    const [one, other] = [parts.get('one'), parts.get('other')];
    expect(one).toHaveLength(2);
    expect(forebay.rounds).toEqual(one?.map((us, round) => us + (other?.[round] as number)));
  });
});

describe('npm run bench', () => {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-bench-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const bench = async (...args: string[]) => {
    const run = promisify(execFile)(process.execPath, ['bench/build/main.js', ...args], {
      cwd: root,
    });
    return run.then(
      ({ stdout }) => ({ status: 0, stdout, stderr: '' }),
      ({ code, stdout, stderr }) => ({ status: code as number, stdout, stderr }),
    );
  };

  it('writes what it found', async () => {
    const file = join(folder, 'deep/results.json');
    const { status, stdout } = await bench(
      ...['--only', 'predict-1', '--peers', 'none', '--rounds', '2', '--json', file],
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(/^predict-1 +[\d.,]+ /m);
    const results = JSON.parse(readFileSync(file, 'utf8')) as Results;
    expect(results).toMatchObject({ threads: 1, rounds: 2 });
    expect(results.machine.cpu).not.toBe('');
    expect(results.machine.capability).toBe(results.forebay?.capability);
    expect(results.rows).toHaveLength(1);
    const [row] = results.rows;
    expect(row).toMatchObject({ workload: 'predict-1', peers: {} });
    for (const key of ['us', 'gflops', 'peak_fraction', 'rss_mb']) expect(row).toHaveProperty(key);
    expect(row?.us).toBeGreaterThan(0);
  });

  it('says what is wrong with its words, and ends with status 2', async () => {
    const { status, stderr } = await bench('--only', 'nothing');
    expect(status).toBe(2);
    expect(stderr).toMatch(/^bench: .*no workload 'nothing'/);
  });

  it('is an error for a peer that was asked for and is missing', async () => {
    const { env } = process;
    const before = env.FOREBAY_PYTHON;
    env.FOREBAY_PYTHON = '/nowhere/python';
    try {
      const { status, stderr } = await bench('--only', 'predict-1', '--peers', 'torch');
      expect(status).toBe(1);
      expect(stderr).toMatch(/PyTorch is not installed: .*python3-torch/);
    } finally {
      if (before === undefined) delete env.FOREBAY_PYTHON;
      else env.FOREBAY_PYTHON = before;
    }
  });
});
