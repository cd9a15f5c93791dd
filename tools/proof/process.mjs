// Verifies one promise of forebay (a file of proof/) in a separate process. If the process crashes, hangs or does not
// end, the promise is not held.
import { fork } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = new URL('../../proof/', import.meta.url);
const child = fileURLToPath(new URL('child.mjs', import.meta.url));
const minutes = 60_000;

/** Returns the names of all promises, which are the names of the files in proof/. */
export const promiseNames = () =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.mjs'))
    .map((file) => file.slice(0, -'.mjs'.length))
    .sort();

/**
 * Time limits in milliseconds. `full` and `short`: how long a proof may send no message and print nothing. `end`: how
 * long its process may take to end after it sent the result.
 */
const patience = { full: 30 * minutes, short: 5 * minutes, end: 1 * minutes };

/**
 * Runs proof/NAME.mjs, or `file`. Resolves to the record of the proof. Calls `log` with its progress and its output.
 *
 * @param {string} name
 * @param {{ full: boolean, log: (text: string) => void, file?: string, patience?: typeof patience }} options
 */
export function prove(name, { full, log, file, patience: waits = patience }) {
  const started = performance.now();
  const url = file ?? new URL(`${name}.mjs`, folder).href;
  return new Promise((done) => {
    const process_ = fork(child, [url, full ? 'full' : 'short'], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // The child leads a process group, so that the processes that it starts can be killed together with it.
      detached: true,
    });
    let result;
    let hung;
    let timer;
    const listen = (milliseconds, complaint) => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        hung = `${complaint} for ${milliseconds / 1000} s`;
        process.kill(-process_.pid, 'SIGKILL');
      }, milliseconds);
    };
    const heard = () => result ?? listen(full ? waits.full : waits.short, 'it sent nothing');
    heard();
    process_.on('message', (message) => {
      if (message.log === undefined) {
        result = message;
        listen(waits.end, 'it sent its result, but did not end');
      } else {
        heard();
        log(message.log);
      }
    });
    let tail = '';
    for (const stream of [process_.stdout, process_.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        heard();
        tail = (tail + text).slice(-2000);
        log(text.trimEnd());
      });
    }
    process_.on('close', (status, signal) => {
      clearTimeout(timer);
      const ended = hung ?? (signal ? `it was ended by ${signal}` : `its exit status is ${status}`);
      const clean = hung === undefined && status === 0;
      const broke = result?.held === false ? result.figures.reason : `${ended}\n${tail}`.trim();
      done({
        name,
        promise: result?.promise,
        command: `npm run prove ${name}`,
        counts: full ? 'full' : 'short',
        seconds: Math.round((performance.now() - started) / 100) / 10,
        held: clean && result?.held === true,
        figures: clean && result?.held ? result.figures : { reason: broke },
      });
    });
  });
}
