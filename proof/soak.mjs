import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const script = fileURLToPath(new URL('support/soak.mjs', import.meta.url));

export default {
  name: 'soak',
  promise:
    'Memory does not grow over a million runs, nor over ten thousand programs that are compiled, run and disposed of.',

  /**
   * @param {{full: boolean, log: (text: string) => void}} options if `full` is false, makes only 60,000 runs and 400
   *   programs
   * @returns {Promise<Record<string, unknown>>} for each kind of use: the number of uses, and by how many bytes the
   *   resident memory of its process grew with each use. The growth is the slope of a line, fitted by least squares to
   *   the samples after the first quarter
   */
  async prove({ full, log }) {
    /** @type {Record<string, unknown>} */
    const figures = {};
    for (const [kind, long, short] of /** @type {const} */ ([
      ['run', 800_000, 40_000],
      ['runAsync', 200_000, 20_000],
      ['programs', 10_000, 400],
    ])) {
      const args = ['--expose-gc', script, kind, String(full ? long : short)];
      const { stdout } = await run(process.execPath, args);
      figures[kind] = JSON.parse(stdout);
      log(`${kind}: ${stdout.trim()}`);
    }
    return figures;
  },
};
