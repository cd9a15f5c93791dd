// Builds the C++ tests for a proof, in the folders that the suites of tools/test.mjs also use.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Builds forebay_tests in .cmake/NAME/build. Returns the path of the executable. */
export function buildTests(name, { sanitizers, log }) {
  const folder = `.cmake/${name}/build`;
  log(`building ${folder}`);
  for (const args of [
    ['-S', '.', '-B', folder, '-DFOREBAY_TESTS=ON', `-DFOREBAY_SANITIZE=${sanitizers}`].concat(
      '-DCMAKE_BUILD_TYPE=RelWithDebInfo',
    ),
    ['--build', folder, '--target', 'forebay_tests', '--parallel', '2'],
  ]) {
    const { status, stdout, stderr } = spawnSync('cmake', args, { cwd: root, encoding: 'utf8' });
    if (status !== 0) throw new Error(`cmake ${args.join(' ')}:\n${stdout}${stderr}`);
  }
  return `${root}${folder}/forebay_tests`;
}
