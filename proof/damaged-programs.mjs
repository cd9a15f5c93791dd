// Runs the C++ test of damaged programs under ASAN and UBSAN, with seeds that the test suite does not use.
import { spawnSync } from 'node:child_process';
import { buildTests } from './support/build.mjs';

const each = 100_000;

export default {
  name: 'damaged-programs',
  promise:
    'A compiled program with damaged code is refused with a reason, or runs without accessing memory that is not its own.',
  async prove({ full, log }) {
    const tests = buildTests('asan', { sanitizers: 'address,undefined', log });
    const figures = { programs: 0, ran: 0, refused: 0 };
    const rounds = full ? 10 : 1;
    for (let round = 1; round <= rounds; round++) {
      const { status, signal, stdout, stderr } = spawnSync(tests, ['-tc=damaged programs*'], {
        encoding: 'utf8',
        env: {
          ...process.env,
          FOREBAY_FUZZ: String(each),
          FOREBAY_FUZZ_SEED: String(1000 + round),
        },
      });
      const counts = /(\d+) programs: (\d+) ran, (\d+) were refused/.exec(stdout);
      if (status !== 0 || counts === null) {
        throw new Error(
          `seed ${1000 + round}: ${signal ?? `status ${status}`}\n${stdout}${stderr}`,
        );
      }
      figures.programs += Number(counts[1]);
      figures.ran += Number(counts[2]);
      figures.refused += Number(counts[3]);
      log(`${figures.programs} programs`);
    }
    const { programs, ran, refused } = figures;
    // Programs that are valid but would run for minutes are decoded, but not run.
    return { ...figures, tooLongToRun: programs - ran - refused, sanitizerReports: 0 };
  },
};
