import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));

export default {
  name: 'workers',
  promise:
    'Eight worker threads that train at once come to the bits that each comes to alone; terminated in the middle, they take nothing with them and leave nothing behind, and forebay loads again.',

  /**
   * @param {{full: boolean, log: (text: string) => void}} options in full, 40 rounds of eight workers that are
   *   terminated, for each of the two cases
   * @returns {Promise<Record<string, unknown>>} figures of both: the main thread uses forebay too, or leaves it to
   *   workers, so that the addon may go with the last of them and come again
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
      // The addon for tests, which counts what it allocates; and the one that users have.
      mainToo: await of('here', {
        FOREBAY_ADDON: `${root}.cmake/failing/build/Release/forebay.node`,
      }),
      workersOnly: await of('elsewhere'),
    };
  },
};
