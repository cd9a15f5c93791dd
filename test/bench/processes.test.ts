// Tests that start processes. They run every workload on every peer that is installed, and the command `npm run bench`.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assertAgreement, hasKinks, ownKinks } from '../../bench/src/agree.js';
import { type Peer, peers } from '../../bench/src/contenders.js';
import { BenchError } from '../../bench/src/errors.js';
import { Start, Tensors } from '../../bench/src/exchange.js';
import { measure } from '../../bench/src/measure.js';
import type { Contender, Form, Hello } from '../../bench/src/protocol.js';
import type { Results } from '../../bench/src/results.js';
import { tensorsOf } from '../../bench/src/tensors.js';
import { type ModelSpec, training, workloads } from '../../bench/src/workloads.js';
import {
  buildBench,
  root,
  smallGru,
  smallLstm,
  smallMlp,
  startForebay,
  startPeer,
} from './support.js';

const trained: [string, ModelSpec][] = Object.entries(workloads).flatMap(([name, spec]) =>
  spec.kind === 'compile' ? [] : [[name, spec]],
);
/** A small model of each kind. Within a model, all sizes are different, so that a transposed tensor is noticed. */
const small: [string, ModelSpec][] = [
  ['a small LSTM', smallLstm],
  ['a small LSTM with tanh', { ...smallLstm, readout: 'tanh' }],
  // The sequence consists of points of a circle, so there are two inputs and two outputs.
  [
    'a small LSTM, node by node',
    { ...smallLstm, kind: 'lstm-nodes', dtype: 'float64', inputs: 2, batch: 1, readout: 'tanh' },
  ],
  ['a small GRU', smallGru],
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
  [
    'a small GPT',
    {
      kind: 'gpt',
      dtype: 'float32',
      vocabulary: 7,
      width: 6,
      heads: 3,
      blocks: 2,
      tokens: 5,
      batch: 4,
      optimizer: 'adamW',
      rate: 1e-2,
    },
  ],
];

beforeAll(buildBench);

const missing = (peer: Peer) => peer.command() === undefined;
/** Returns the name of the suite of a peer. If the peer is missing, the name says how to install the peer. */
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
      const { blas } = await own.ask('hello', { threads: 1, compiled: false });
      theirs = startPeer(peer, blas.core);
      hello = await theirs.ask('hello', { threads: 1, compiled: false });
    });
    afterAll(async () => {
      await own?.[Symbol.asyncDispose]();
      await theirs?.[Symbol.asyncDispose]();
    });

    const cases = [...small, ...trained].flatMap(([name, spec]) => {
      const form = peer.adapt(spec);
      // WebAssembly takes seconds for one step of the largest models. The smaller models test the same code.
      const tooLong = peer.name === 'tfjs-wasm' && /large|medium|1000|256/.test(name);
      return form === undefined || tooLong ? [] : [[name, form] as const];
    });

    it.each(cases)('agrees with forebay in each form: %s', async (name, spec) => {
      using start = new Start(spec);
      const { folder, entries } = start;
      const request = { spec, folder, manifest: entries, training, only: null };
      const { forms: ours } = await own.ask('load', request);
      const [mine] = ours as [Form];
      const { forms } = await theirs.ask('load', request);
      const expected = hasKinks(spec)
        ? await own.ask('exact', { spec, folder, manifest: entries })
        : mine;
      const results = new Tensors(folder, expected.results);
      if (hasKinks(spec)) {
        const own32 = { name: 'forebay', form: mine, folder };
        expect(
          assertAgreement(name, spec, own32, { form: mine, results, tolerance: ownKinks }).distance,
        ).toBeGreaterThan(1e-9);
      }
      expect(forms.length).toBeGreaterThan(0);
      expect(new Set(forms.map((form) => form.name)).size).toBe(forms.length);
      for (const form of forms) {
        const theirForm = { name: peer.name, form, folder };
        const worst = assertAgreement(name, spec, theirForm, { form: mine, results });
        expect(worst.distance).toBeLessThanOrEqual(worst.tolerance);
      }
      if (spec.kind === 'predict') return;
      // The comparison of the losses proves something only if the training steps change the loss.
      const [first, , last] = mine.losses as [number, number, number];
      expect(Math.abs(last - first)).toBeGreaterThan(0.01 * first);
      const parameters = tensorsOf(spec).filter(({ role }) => role === 'parameter');
      expect(mine.results).toHaveLength(parameters.length);
    });

    it('reports its version, and passes its own inspection', () => {
      expect(hello.version).toMatch(/^\d+\.\d+/);
      expect(() => peer.inspect?.(hello)).not.toThrow();
    });
  },
);

describe('a faulty peer', () => {
  const wrong: Peer = {
    name: 'wrong',
    title: 'Wrong',
    install: '',
    command: () => ({
      file: process.execPath,
      args: [fileURLToPath(new URL('./wrong-peer.mjs', import.meta.url))],
    }),
    adapt: (spec) => (spec.kind === 'compile' ? undefined : spec),
  };
  const settings = { threads: 1, rounds: 1, sliceSeconds: 0.001, compiled: false };

  it('is refused for wrong gradients, before anything is timed', async () => {
    const run = measure('small', smallLstm, [wrong], settings);
    await expect(run).rejects.toThrow(BenchError);
    await expect(run).rejects.toThrow(/small: wrong \(lazy\) and forebay .*'lstm\.forget\.weight'/);
  });

  it('is reported with its own error output if it fails or exits', async () => {
    const contender = startPeer(wrong, null);
    await expect(contender.ask('memory', {})).rejects.toThrow(
      "wrong failed to memory: no 'memory'",
    );
    const ended = contender.ask('round', { steps: 1, form: 'none' });
    await expect(ended).rejects.toThrow(/wrong ended \(status 3\).*'round'\nout of fuel/s);
    await contender[Symbol.asyncDispose]();
  });

  it('is reported if it cannot be started', async () => {
    const nowhere = { ...wrong, command: () => ({ file: '/nowhere/python', args: [] }) };
    const contender = startPeer(nowhere, null);
    await expect(contender.ask('memory', {})).rejects.toThrow(/ENOENT/);
  });
});

const logFolder = mkdtempSync(join(tmpdir(), 'forebay-audition-'));
afterAll(() => rmSync(logFolder, { recursive: true, force: true }));
let logs = 0;

/** Returns a peer that runs copying-peer.mjs with these forms, and a function that reads the log of its requests. */
function peerOf(...forms: string[]): { peer: Peer; asked: () => string[] } {
  const log = join(logFolder, `log-${logs++}`);
  const common = { FOREBAY_TEST_LOG: log, FOREBAY_TEST_FORMS: forms.join('|') };
  const peer: Peer = {
    name: 'copy',
    title: 'Copy',
    install: '',
    environments: {
      'at half speed': { ...common, SLOWER: '2' },
      'at full speed': { ...common, SLOWER: '1' },
    },
    command: () => ({
      file: process.execPath,
      args: [fileURLToPath(new URL('./copying-peer.mjs', import.meta.url))],
    }),
    adapt: (spec) => (spec.kind === 'compile' ? undefined : spec),
  };
  return { peer, asked: () => readFileSync(log, 'utf8').trimEnd().split('\n') };
}

describe('a peer with several forms and environments', () => {
  const settings = { threads: 1, rounds: 2, sliceSeconds: 0.01, compiled: false };

  it('is timed in the fastest of them, in a process of its own, and reports every form', async () => {
    const { peer, asked } = peerOf('9 ms', '5 ms', '7 ms');
    const { peers } = await measure('small', smallLstm, [peer], settings);
    const taken = peers.get('copy');
    expect(taken?.form).toBe('5 ms; at full speed');
    const missing = { us: null, why: 'there is none' };
    expect(taken?.forms).toEqual([
      ...[9, 5, 7].map((ms) => ({ form: `${ms} ms; at half speed`, us: 2000 * ms })),
      ...[9, 5, 7].map((ms) => ({ form: `${ms} ms; at full speed`, us: 1000 * ms })),
      { form: 'on a GPU; at half speed', ...missing },
      { form: 'on a GPU; at full speed', ...missing },
    ]);
    // The fastest form was loaded again, without the other forms. All later requests are for this form.
    const requests = asked();
    const last = requests.indexOf('load 5 ms 1');
    expect(last).toBeGreaterThan(0);
    expect(new Set(requests.slice(last + 1))).toEqual(new Set(['round 5 ms 1', 'memory  1']));
    expect(taken?.pairs).toHaveLength(2);
    for (const { peer: us } of taken?.pairs ?? []) expect(us).toBe(5000);
  });

  it('is timed in the same process if it has only one form', async () => {
    const { peer, asked } = peerOf('5 ms');
    const { environments, ...one } = peer;
    const only = { ...one, environments: { '': environments?.['at full speed'] ?? {} } };
    const { peers } = await measure('small', smallLstm, [only], settings);
    expect(peers.get('copy')).toMatchObject({ form: '5 ms' });
    expect(asked().filter((request) => request.startsWith('load'))).toEqual(['load  1']);
  });

  it('is refused with the reasons if none of its forms can be run', async () => {
    const { peer } = peerOf();
    await expect(measure('small', smallLstm, [peer], settings)).rejects.toThrow(
      /^copy has no form of this workload\non a GPU; at half speed: there is none\n/,
    );
  });

  it('is refused if one of its forms computes something else, before anything is timed', async () => {
    const { peer, asked } = peerOf('5 ms', '1 ms, wrong');
    await expect(measure('small', smallLstm, [peer], settings)).rejects.toThrow(
      /^small: copy \(1 ms, wrong\) and forebay do not compute the same: .*'lstm\.forget\.weight'/,
    );
    expect(asked().filter((request) => request.startsWith('round'))).toEqual([]);
  });
});

describe('a workload', () => {
  it('is timed in rounds', async () => {
    const settings = { threads: 1, rounds: 3, sliceSeconds: 0.002, compiled: false };
    const { forebay, machine, peers: others } = await measure('small', smallMlp, [], settings);
    expect(forebay.rounds).toHaveLength(3);
    for (const us of forebay.rounds) expect(us).toBeGreaterThan(0);
    expect(forebay.hello.threads).toBe(1);
    expect(machine).toHaveLength(3);
    for (const { gflops, gigabytes } of machine) {
      expect(gflops).toBeGreaterThan(0);
      expect(gigabytes).toBeGreaterThan(0);
    }
    expect(others.size).toBe(0);
  });

  it('takes the sum of the times of its graphs, if it only compiles them', async () => {
    const spec = {
      kind: 'compile',
      dtype: 'float32',
      parts: { one: smallLstm, other: smallMlp },
    } as const;
    const settings = { threads: 1, rounds: 2, sliceSeconds: 0.002, compiled: false };
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

  it('prints the results and writes them to a file', async () => {
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

  it('refuses an unknown workload by name, and exits with status 2', async () => {
    const { status, stderr } = await bench('--only', 'nothing');
    expect(status).toBe(2);
    expect(stderr).toMatch(/^bench: .*no workload 'nothing'/);
  });

  it('shows results from a file, and refuses a file of another kind', async () => {
    const file = join(folder, 'few.json');
    await bench('--only', 'predict-1', '--peers', 'none', '--rounds', '1', '--json', file);
    const { status, stdout } = await bench('--from', file);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^predict-1 .*limit .*% of it reached/m);
    const other = await bench('--from', join(root, 'package.json'));
    expect(other).toMatchObject({ status: 1 });
    expect(other.stderr).toMatch(/package\.json does not hold the results of a run/);
    expect((await bench('--from', join(folder, 'none'))).stderr).toMatch(/none cannot be read: /);
  });

  it('fails if a peer that was requested is missing, and says how to install it', async () => {
    const { status, stderr } = await bench(
      ...['--only', 'predict-1', '--peers', 'torch', '--python', '/nowhere/python'],
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/PyTorch is not installed: node bench\/peers\/install\.mjs/);
  });

  it('continues without a peer that is missing and was not requested, and names it', async () => {
    const { status, stdout } = await bench(
      ...['--only', 'predict-1', '--rounds', '1', '--python', '/nowhere/python'],
    );
    expect(status).toBe(0);
    for (const title of ['PyTorch', 'JAX', 'ONNX Runtime']) {
      expect(stdout).toContain(`${title} is not installed: node bench/peers/install.mjs`);
    }
  });
});
