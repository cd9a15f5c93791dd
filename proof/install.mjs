// Installs the tarball as users do: with its binary, from source, and on a machine without OpenBLAS.
// @ts-check
import { execFileSync, spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { clean, situations } from '../tools/install.mjs';
import { lines, smokeTest } from '../tools/node-lines.mjs';
import { faultsOf, pack } from '../tools/package.mjs';
import { assertGlibc, assertSelfContained, prebuilt } from '../tools/prebuild.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const mb = (/** @type {number} */ bytes) => Math.round(bytes / 1e5) / 10;

/** Returns true if this machine can build the binary for publication, which needs root and debootstrap. */
const canRelease = () =>
  process.getuid?.() === 0 && !spawnSync('debootstrap', ['--version'], { stdio: 'ignore' }).error;

export default {
  name: 'install',
  promise:
    'The package installs into an empty folder and works from ESM, CommonJS and TypeScript: with the binary that it carries (no compiler, no OpenBLAS, no install script), and from source; without OpenBLAS, building it fails with one message that says what to type.',
  /**
   * @param {{ full: boolean, log: (text: string) => void }} options if `full` is true, also tests building from source,
   *   every supported release line of Node, and the binary for publication
   */
  async prove({ full, log }) {
    const released = full && canRelease();
    log(released ? 'the binary, in a Debian 11 chroot' : 'the binary, for this machine');
    const options = released ? ['--release'] : [];
    execFileSync(process.execPath, ['tools/prebuild.mjs', ...options], {
      ...{ cwd: root, stdio: ['ignore', 'ignore', 'inherit'] },
    });
    assertSelfContained(prebuilt);
    log('the tarball');
    const { files, size, unpackedSize } = pack();
    const faults = faultsOf(files.map((/** @type {{ path: string }} */ file) => file.path));
    if (faults.length > 0) throw new Error(faults.join('\n'));
    /** @type {Record<string, unknown>} */
    const figures = {
      files: files.length,
      packedMB: mb(size),
      unpackedMB: mb(unpackedSize),
      binaryMB: mb(statSync(prebuilt).size),
    };
    if (released) figures.glibc = assertGlibc(prebuilt);
    const seen = /** @type {Record<string, () => string>} */ (situations);
    for (const name of full ? ['prebuilt', 'source', 'missing'] : ['prebuilt', 'missing']) {
      log(`${name}: ${seen[name]?.()}`);
    }
    figures.situations = full ? 3 : 2;
    if (full) figures.nodes = lines.map((line) => smokeTest(line));
    clean();
    return figures;
  },
};
