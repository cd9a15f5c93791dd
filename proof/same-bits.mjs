// Trains and predicts in several processes, one after another, and compares every bit of their results.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const models = fileURLToPath(new URL('support/models.mjs', import.meta.url));

/** Trains the models in a new process. Returns for each model a digest of everything that it computed. */
function digests(threads, goal, folder) {
  const args = [models, String(threads), goal, folder];
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${args.join(' ')}: ${signal ?? status}\n${stdout}${stderr}`);
  return JSON.parse(stdout);
}

function assertSame(found, expected, what) {
  for (const [model, digest] of Object.entries(expected)) {
    if (found[model] === digest) continue;
    throw new Error(`${what}: ${model} has the digest ${found[model]}, and had ${digest}`);
  }
}

export default {
  name: 'same-bits',
  promise:
    'One program with one binding and one number of threads gives the same bits in every run, in every process, and after its leaves are saved and loaded again.',
  async prove({ full, log }) {
    const figures = { models: 0, threads: [1, 2, 4], processes: 0, comparedDigests: 0 };
    const processes = full ? 8 : 2;
    for (const threads of figures.threads) {
      const folder = mkdtempSync(join(tmpdir(), 'forebay-same-bits-'));
      try {
        // Each process also trains every model twice, and compares the two trainings and successive runs.
        const first = digests(threads, 'save', folder);
        figures.models = Object.keys(first).length;
        figures.processes++;
        for (let i = 1; i < processes; i++) {
          assertSame(digests(threads, 'train', folder), first, `process ${i}, ${threads} threads`);
          figures.processes++;
          figures.comparedDigests += figures.models;
        }
        assertSame(digests(threads, 'load', folder), first, `after a reload, ${threads} threads`);
        figures.processes++;
        figures.comparedDigests += figures.models;
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
      log(`${threads} threads: ${processes + 1} processes agree`);
    }
    return figures;
  },
};
