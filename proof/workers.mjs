import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));

export default {
  name: 'workers',
  promise:
    'Eight worker threads that train at once give the same bits as each gives alone. Workers that are terminated during a training damage nothing and leak nothing, and forebay loads again.',

  /**
   * @param {{full: boolean, log: (text: string) => void}} options if `full` is true, makes 40 rounds of eight workers
   *   that are terminated, for each of the two cases; otherwise 3 rounds
   * @returns {Promise<Record<string, unknown>>} the figures of two cases: the main thread uses forebay, too
   *   (`mainToo`), or only workers do (`workersOnly`). In the second case, the addon may be unloaded with the last
   *   worker, and is loaded again later
   */
  async prove({ full, log }) {
    await run(process.execPath, ['tools/build.mjs', 'failing'], { cwd: root });
    const script = fileURLToPath(new URL('support/workers.mjs', import.meta.url));
    const of = async (/** @type {string} */ where, env = {}) => {
      const args = ['--expose-gc', script, String(full ? 40 : 3), where];
      const { stdout } = await run(process.execPath, args, { env: { ...process.env, ...env } });
      log(`${where}: ${stdout.trim()}`);
      return JSON.parse(stdout);
    };
    return {
      // The first case uses the addon for tests, which counts its allocations. The second uses the addon that users
      // have.
      mainToo: await of('here', {
        FOREBAY_ADDON: `${root}.cmake/failing/build/Release/forebay.node`,
      }),
      workersOnly: await of('elsewhere'),
    };
  },
};
