// Runs a script in a separate process, so that a crash of the script makes one test fail and does not end all tests.
import { spawnSync } from 'node:child_process';

const built = (file: string) => new URL(`../../${file}`, import.meta.url).href;

/** This code comes before each script. The script can use the built library, its modules, and the addon itself. */
const prelude = `
  import { createRequire } from 'node:module';
  import * as fb from ${JSON.stringify(built('dist/index.js'))};
  const root = ${JSON.stringify(new URL('../..', import.meta.url).pathname)};
  const addon = () => createRequire(root)(process.env.FOREBAY_ADDON ?? root + 'build/Release/forebay.node');
`;

export function child(script: string, env: NodeJS.ProcessEnv = {}) {
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', prelude + script],
    { encoding: 'utf8', env: { ...process.env, ...env }, maxBuffer: 2 ** 26 },
  );
  return { status, signal, stdout, stderr };
}
