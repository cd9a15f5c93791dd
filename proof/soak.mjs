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
   * @param {{full: boolean, log: (text: string) => void}} options if `full` is false, measures only 60,000 runs and 400
   *   programs
   * @returns {Promise<Record<string, unknown>>} for each kind of use: the number of measured uses, and by how many bytes
   *   the resident memory of its process grew with each of them. The growth is the slope of a line, fitted by least
   *   squares
   */
  async prove({ full, log }) {
    /** @type {Record<string, unknown>} */
    const figures = {};
    // The uses before the first sample, and the measured ones. Meanwhile V8 compiles the code of forebay and enlarges the
    // young generation of its heap. That takes a certain time, not a certain number of uses, so quick uses need many.
    for (const [kind, long, short] of /** @type {const} */ ([
      ['run', [200_000, 800_000], [200_000, 40_000]],
      ['runAsync', [50_000, 200_000], [20_000, 20_000]],
      ['programs', [2_500, 10_000], [100, 400]],
    ])) {
      const args = ['--expose-gc', script, kind, ...(full ? long : short).map(String)];
      const { stdout } = await run(process.execPath, args);
      figures[kind] = JSON.parse(stdout);
      log(`${kind}: ${stdout.trim()}`);
    }
    return figures;
  },
};
