// Tests the addon on other release lines of Node: `node tools/node-lines.mjs [24 …]`, by default on all of them. One
// binary works on all lines, because it uses only Node-API. npm downloads each Node once, about 40 MB.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { training } from './install.mjs';

/**
 * The versions of Node to test, among those that `engines` allows: the newest version of each release line, and the
 * oldest allowed versions of 20 and 22.
 */
export const lines = ['20.19.0', '20', '22.12.0', '22', '24', '26'];

const root = fileURLToPath(new URL('..', import.meta.url));
const library = new URL('../dist/index.js', import.meta.url).href;

/**
 * A script that trains with a compiled program, on the JavaScript thread and off it. Then it checks that a disposed
 * program refuses to run, compares `require` with `import`, and computes in a worker.
 */
const smoke = `
  import { createRequire } from 'node:module';
  import { Worker } from 'node:worker_threads';
  import * as fb from ${JSON.stringify(library)};
  ${training}
  for (let run = 0; run < 100; run++) await training.runAsync(feeds);
  training.dispose();
  let code;
  try { training.run(feeds); } catch (error) { code = error.code; }
  if (code !== 'FOREBAY_STATE') throw new Error('a disposed program runs: ' + code);
  const required = createRequire(import.meta.url)(${JSON.stringify(join(root, 'dist/index.js'))});
  if (required.Tensor !== fb.Tensor) throw new Error('require and import differ');
  const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(
    "import { parentPort } from 'node:worker_threads';" +
    "import * as fb from '" + ${JSON.stringify(library)} + "';" +
    "parentPort.postMessage(fb.evaluate(fb.exp(0)).item());")));
  const one = await new Promise((done, fail) => worker.once('message', done).once('error', fail));
  if (one !== 1) throw new Error('exp(0) in a worker is ' + one);
  console.log(process.version);
`;

/**
 * Installs a version of Node, or the newest version of a line, from npm, if it is not installed yet.
 * @returns the path of its binary
 */
function fetchNode(line) {
  const folder = resolve(root, '.cmake/nodes', line);
  const binary = join(folder, `node_modules/node-linux-${process.arch}/bin/node`);
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const options = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  const wanted = `node-linux-${process.arch}@${line}`;
  execFileSync('npm', ['install', ...options, wanted], { cwd: folder, stdio: 'ignore' });
  return binary;
}

/** Runs the smoke test on a release line. @returns the version of Node that ran it */
export function smokeTest(line) {
  const args = ['--input-type=module', '-e', smoke];
  return execFileSync(fetchNode(line), args, { cwd: root, env: {}, encoding: 'utf8' }).trim();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const asked = process.argv.slice(2);
  for (const line of asked.length > 0 ? asked : lines)
    console.log(`Node ${smokeTest(line)}: works`);
}
