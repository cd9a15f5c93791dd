// Runs with the addon that `node tools/build.mjs failing` makes: its allocations fail when told to. The loop
// itself is in support/failing-allocations.mjs, in a process of its own, for that addon takes the place of the other.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));

export default {
  name: 'allocation',
  promise:
    'Whichever native allocation fails while the addon is loaded, a graph compiled or a program run: it is a typed error, no parameter is half written, nothing is leaked, and the next attempt gives the right bits.',

  /**
   * @param {{full: boolean, log: (text: string) => void}} options in full, more scenarios for each allocation
   * @returns {Promise<Record<string, unknown>>} `sites` that were made to fail, one after another
   */
  async prove({ full, log }) {
    log('building the addon whose allocations fail');
    await run(process.execPath, ['tools/build.mjs', 'failing'], { cwd: root });
    const script = fileURLToPath(new URL('support/failing-allocations.mjs', import.meta.url));
    const { stdout } = await run(
      process.execPath,
      ['--expose-gc', script, full ? 'full' : 'short'],
      {
        cwd: root,
        env: { ...process.env, FOREBAY_ADDON: `${root}.cmake/failing/build/Release/forebay.node` },
        maxBuffer: 2 ** 24,
      },
    );
    const lines = stdout.trim().split('\n');
    for (const line of lines.slice(0, -1)) log(line);
    return JSON.parse(/** @type {string} */ (lines.at(-1)));
  },
};
