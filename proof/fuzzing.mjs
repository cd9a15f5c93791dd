// Runs a coverage-guided fuzzer. It makes compiled programs of forebay, which are decoded and run under ASAN and UBSAN.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

export default {
  name: 'fuzzing',
  promise: 'A coverage-guided fuzzer finds no program that breaks decoding or running.',
  async prove({ full, log }) {
    const seconds = full ? 1200 : 60;
    log(`building the fuzzer, then ${seconds} s of it`);
    const args = ['tools/fuzz.mjs', String(seconds)];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 2 ** 30,
    });
    if (status !== 0) throw new Error(`${stdout}${stderr}`.slice(-6000));
    const stat = (name) => Number(new RegExp(`^stat::${name}:\\s*(\\d+)`, 'm').exec(stderr)?.[1]);
    const covered = [...stderr.matchAll(/cov: (\d+) ft: (\d+) corp: (\d+)/g)].at(-1);
    if (!(stat('number_of_executed_units') > 0) || covered === undefined) throw new Error(stderr);
    return {
      seconds,
      inputs: stat('number_of_executed_units'),
      coveredEdges: Number(covered[1]),
      coveredFeatures: Number(covered[2]),
      corpus: Number(covered[3]),
      broken: 0,
    };
  },
};
