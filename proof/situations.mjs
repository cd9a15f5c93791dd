// Tries the package with the tools of its users: package managers, test runners, bundlers, deployments, runtimes, and a
// Node for ARM.
// @ts-check
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { missingForArm, runOnArm } from '../tools/aarch64-addon.mjs';
import { pack } from '../tools/package.mjs';
import { page } from '../tools/situations/page.mjs';
import { trySituations } from '../tools/situations/run.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const recordFile = `${root}docs/situations.json`;
const pageFile = `${root}docs/situations.md`;

const git = (/** @type {string[]} */ ...args) =>
  execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();

export default {
  name: 'situations',
  promise:
    'In every package manager, test runner, bundler, deployment and runtime of the table, the installed package trains and predicts, or fails with one error that says what to type; on 64-bit ARM as on x64.',
  /**
   * @param {{ full: boolean, log: (text: string) => void }} options if `full` is true, tests all situations, and writes
   *   the results to docs/situations.json and docs/situations.md. The short form tests the situations that need few
   *   tools
   */
  async prove({ full, log }) {
    log('the binaries and the tarball');
    execFileSync(process.execPath, ['tools/prebuild.mjs'], {
      ...{ cwd: root, stdio: ['ignore', 'ignore', 'inherit'] },
    });
    pack();
    const { families, failed } = trySituations({ full, log });
    if (failed > 0) throw new Error(`${failed} situations are not as they must be`);
    const rows = families.flatMap((family) => family.rows);
    if (full) {
      const about = { commit: git('rev-parse', '--short=12', 'HEAD'), date: today() };
      const record = { ...about, families };
      writeFileSync(recordFile, `${JSON.stringify(record, null, 2)}\n`);
      writeFileSync(pageFile, page(record));
    }
    const works = rows.filter(({ seen }) => seen === 'works').length;
    const figures = { works, errorsThatSayWhatToType: rows.length - works };
    const lacking = missingForArm();
    if (lacking.length > 0) {
      if (full) throw new Error(`for ARM: apt-get install ${lacking.join(' ')}`);
      log(`ARM is left out, because this machine lacks ${lacking.join(', ')}`);
      return figures;
    }
    const { tests, trained } = runOnArm({ short: !full, log });
    return { ...figures, testsOnArm: tests, trainedOnArm: trained };
  },
};

const today = () => new Date().toISOString().slice(0, 10);
