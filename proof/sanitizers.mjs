// Runs the tests under sanitizers. The short form runs only the C++ tests under ASAN, LSAN and UBSAN. It leaves out the
// damaged programs, because these have a separate proof.
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { buildTests } from './support/build.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Runs `npm run check:sanitize` and logs every line of its output. Resolves to its status and output. */
function sanitize(log) {
  return new Promise((done) => {
    const child = spawn(process.execPath, ['tools/sanitize.mjs'], {
      cwd: root,
      env: { ...process.env, NO_COLOR: '1' },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
        log(text.trimEnd());
      });
    }
    child.on('close', (status) => done({ status, output }));
  });
}

const sum = (list) => list.reduce((a, b) => a + b, 0);

export default {
  name: 'sanitizers',
  promise:
    'The tests run under ASAN, LSAN and UBSAN, and those with threads under TSAN, without a report on forebay.',
  async prove({ full, log }) {
    if (!full) {
      const tests = buildTests('asan', { sanitizers: 'address,undefined', log });
      const options = ['--no-colors=true', '-tce=damaged programs*'];
      const { status, stdout, stderr } = spawnSync(tests, options, { encoding: 'utf8' });
      const counts = /test cases:\s*\d+ \|\s*(\d+) passed \| 0 failed/.exec(stdout);
      if (status !== 0 || counts === null) throw new Error(`${stdout}${stderr}`);
      return { cppTests: Number(counts[1]), reports: 0 };
    }
    const { status, output } = await sanitize(log);
    const parts = [...output.matchAll(/^sanitize (\S+): (passed|FAILED), (\d+) reports$/gm)];
    if (status !== 0 || parts.length !== 4) throw new Error(output.slice(-4000));
    const counted = (pattern) => [...output.matchAll(pattern)].map(([, passed]) => Number(passed));
    return {
      parts: parts.map(([, name]) => name),
      cppTestsOfEach: counted(/test cases:\s*\d+ \|\s*(\d+) passed/g),
      typeScriptTestsOfEach: counted(/Tests {2}(\d+) passed/g),
      reports: 0,
      // tools/sanitize/reports.mjs explains the next two figures.
      processesInWhichNodeLeaked: sum(counted(/in (\d+) processes Node leaked memory/g)),
      processesWithoutAnAnswerOnLeaks: sum(
        counted(/in (\d+) processes LeakSanitizer stopped early/g),
      ),
    };
  },
};
