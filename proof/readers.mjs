/** Gives damaged and hostile files to the file readers, and checks that each file is read, or refused with a reason. */

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const child = fileURLToPath(new URL('support/fuzz/child.mjs', import.meta.url));
const readers = ['safetensors', 'npy', 'npz', 'idx', 'csv'];
const [short, full] = [10_000, 1_000_000];
// The child sends a message after every 500 inputs, which take about 50 ms. If it sends nothing for this long, it
// hangs.
const patience = 60_000;
const heapMegabytes = 64;

/**
 * Gives `count` damaged files to a reader, in a child process.
 * @param {string} reader @param {number} count @param {number} seed
 * @param {(text: string) => void} log
 * @returns {Promise<{ inputs: number, accepted: number, refused: Record<string, number>, peakMegabytes: number,
 *   largest: number, slowest: number }>}
 */
function fuzz(reader, count, seed, log) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const fuzzer = fork(child, [reader, `${count}`, `${seed}`], {
      execArgv: [`--max-old-space-size=${heapMegabytes}`],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let [next, said, result, reported] = [seed, '', undefined, 0];
    const hang = () => {
      fuzzer.kill('SIGKILL');
      said += `hung on one of the inputs from ${next} to ${next + 500}`;
    };
    let timer = setTimeout(hang, patience);
    fuzzer.stderr?.setEncoding('utf8').on('data', (text) => {
      said = (said + text).slice(-10_000);
    });
    fuzzer.on('message', (/** @type {any} */ message) => {
      clearTimeout(timer);
      timer = setTimeout(hang, patience);
      next = message.next ?? next;
      result = message.result ?? result;
      if (next - seed < reported + count / 10) return;
      reported = next - seed;
      log(`${reader}: ${reported} of ${count}`);
    });
    fuzzer.on('close', (code, signal) => {
      clearTimeout(timer);
      const again = `node proof/support/fuzz/child.mjs ${reader} ${count} ${seed}`;
      if (code !== 0 || result === undefined) {
        return reject(
          new Error(`${reader}: failed (${signal ?? code}); again by: ${again}\n${said}`),
        );
      }
      const seconds = (performance.now() - started) / 1000;
      log(
        `${reader}: ${count} in ${seconds.toFixed(1)} s, seeds from ${seed}, ${result.accepted} accepted`,
      );
      for (const [reason, times] of Object.entries(result.refused)) log(`  ${times} ${reason}`);
      return resolve(result);
    });
  });
}

export default {
  name: 'readers',
  promise:
    'No file, however damaged or hostile, crashes or hangs a reader (safetensors, npy, npz, IDX, CSV), or makes it allocate more memory than the file justifies. The reader reads the file, or refuses it with a FormatError that names the file, the position and the reason.',
  /** @param {{ full?: boolean, log: (text: string) => void, seed?: number }} options */
  async prove({ full: all = false, log, seed = 1 }) {
    const count = all ? full : short;
    /** @type {Record<string, number>} */
    const figures = { readers: readers.length, inputsEach: count };
    const never = [];
    for (const reader of readers) {
      const { accepted, refused, peakMegabytes, largest, slowest } = await fuzz(
        reader,
        count,
        seed,
        log,
      );
      const reasons = Object.entries(refused);
      never.push(
        ...reasons.filter(([, times]) => times === 0).map(([name]) => `${reader}: ${name}`),
      );
      Object.assign(figures, {
        [`${reader} accepted`]: accepted,
        [`${reader} refused`]: reasons.reduce((sum, [, times]) => sum + times, 0),
        [`${reader} reasons`]: reasons.length,
        [`${reader} most bytes for one input`]: largest,
        [`${reader} slowest input, ms`]: Math.round(slowest),
        [`${reader} peak MB of the process`]: peakMegabytes,
      });
    }
    if (never.length > 0) {
      throw new Error(
        `the fuzzer never caused these refusals, so it does not test them:\n${never.join('\n')}`,
      );
    }
    return figures;
  },
};
