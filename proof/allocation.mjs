// This proof uses the addon that `node tools/build.mjs failing` builds, in which allocations can be made to fail. The
// test itself is support/failing-allocations.mjs. It runs in a separate process, because this addon replaces the normal
// one only there.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));

export default {
  name: 'allocation',
  promise:
    'If any native allocation fails while the addon is loaded, a graph is compiled or a program runs, forebay throws a typed error, writes no parameter partially, leaks nothing, and gives the right bits at the next attempt.',

  /**
   * @param {{full: boolean, log: (text: string) => void}} options if `full` is true, there are more scenarios, and
   *   every allocation is made to fail
   * @returns {Promise<Record<string, unknown>>} the figures; `failures` is the number of allocations that were made to
   *   fail, one after another
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
