// Kills trainings with SIGKILL at random moments, and resumes them from their checkpoints.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fb from 'forebay';

const trainee = fileURLToPath(new URL('support/trainee.mjs', import.meta.url));
/** Intervals between checkpoints. Each training uses the next interval of this list. */
const rhythms = [{ batches: 1 }, { batches: 3 }, { seconds: 0.004 }, { batches: 2, epochs: 1 }];
/** Milliseconds after which a child that has not ended is considered to hang. */
const patience = 120_000;

export default {
  name: 'kills',
  promise:
    'A training that is killed at any moment resumes, and ends with the same bits as a training that was never killed.',

  /** @param {{ full: boolean, log: (text: string) => void }} options */
  async prove({ full, log }) {
    const wanted = full ? 200 : 20;
    const folder = mkdtempSync(join(tmpdir(), 'forebay-kills-'));
    const figures = { kills: 0, beforeTraining: 0, whileWriting: 0, resumed: 0, trainings: 0 };
    try {
      const undisturbed = await train(join(folder, 'undisturbed'), rhythms[0]);
      const { result: expected, startMs } = undisturbed;
      while (figures.kills < wanted) {
        const most = Math.min(wanted, figures.kills + wanted / rhythms.length);
        const file = join(folder, `training-${figures.trainings}`);
        const every = rhythms[figures.trainings % rhythms.length];
        const result = await disturbed(file, every, { most, startMs }, figures);
        if (result !== expected) {
          throw new Error(`${file}: expected ${expected}, but the result is ${result}`);
        }
        figures.trainings++;
        log(`${figures.kills} kills; ${figures.trainings} trainings, all with the same bits`);
      }
      return figures;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/**
 * Kills a training and restarts it, again and again. Checks the checkpoint file after each kill. After enough kills,
 * the training runs to its end. Returns its result.
 */
async function disturbed(file, every, { most, startMs }, figures) {
  let [reached, before] = [-1, []];
  for (;;) {
    const expectsResume = existsSync(file);
    const run = await train(file, every, figures.kills < most ? anyMoment(startMs) : undefined);
    if (run.begun && run.resumed !== expectsResume) {
      throw new Error(
        `${file}: ${expectsResume ? 'was not resumed' : 'was resumed without a checkpoint'}`,
      );
    }
    if (run.resumed) figures.resumed++;
    if (run.result !== undefined) return run.result;

    figures.kills++;
    if (!run.begun) figures.beforeTraining++;
    const left = temporariesOf(file);
    if (left.some((name) => !before.includes(name))) figures.whileWriting++;
    before = left;
    // A process that writes a checkpoint removes the temporary files of earlier processes, so at most one may remain.
    if (left.length > 1) throw new Error(`${file}: killed writers left ${left.join(', ')}`);
    if (!existsSync(file)) {
      if (expectsResume) throw new Error(`${file}: is gone after a kill`);
      continue;
    }
    const position = positionIn(file);
    if (position < reached) throw new Error(`${file}: went back from ${reached} to ${position}`);
    reached = position;
  }
}

/**
 * Returns when to kill a child. One child in five is killed while it starts or reads its checkpoint. The others are
 * killed after a random number of changes in the folder. A change is a temporary file created, written, removed or
 * renamed. The moments are random, so a failure cannot be reproduced.
 */
function anyMoment(startMs) {
  const early = Math.random() < 0.2;
  return early
    ? { changes: 0, after: Math.random() * 1.3 * startMs }
    : { changes: 1 + Math.floor(Math.random() * 16), after: Math.random() * 3 };
}

/**
 * Trains in a separate process.
 * @param kill when to kill the process: when the folder has changed `changes` times and then `after` milliseconds have
 *   passed; undefined for never
 * @returns `result`: what the process printed at its end, or undefined if it was killed before; `startMs`: how long it
 *   took to start; `begun` and `resumed`: whether it started to train, and whether from a checkpoint
 */
function train(file, every, kill) {
  return new Promise((done, fail) => {
    const began = performance.now();
    const child = spawn(process.execPath, [trainee, file, JSON.stringify(every)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [output, errors, startMs] = ['', '', 0];
    const timers = [setTimeout(() => child.kill('SIGKILL'), patience)];
    const killLater = () => timers.push(setTimeout(() => child.kill('SIGKILL'), kill.after));
    let changes = 0;
    const watcher = watch(dirname(file), () => {
      if (++changes === kill?.changes) killLater();
    });
    if (kill?.changes === 0) killLater();
    child.stdout.setEncoding('utf8').on('data', (text) => {
      startMs ||= performance.now() - began;
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      errors += text;
    });
    child.on('error', fail);
    child.on('close', (status, signal) => {
      watcher.close();
      for (const timer of timers) clearTimeout(timer);
      const [first, result] = output.split('\n');
      const state = { begun: first !== '', resumed: first === 'resumed', startMs };
      if (status === 0) done({ ...state, result });
      else if (signal === 'SIGKILL' && kill) done(state);
      else fail(new Error(`${file}: the training ended with ${signal ?? status}: ${errors}`));
    });
  });
}

/** Reads from a checkpoint how many examples the training had used. Throws if the file is damaged in any way. */
function positionIn(file) {
  fb.load(file);
  const { epoch, row, examples } = JSON.parse(fb.loadMetadata(file)['forebay.progress']);
  return epoch * examples + row;
}

function temporariesOf(file) {
  const names = readdirSync(dirname(file));
  return names.filter((name) => name.startsWith(`${basename(file)}.`) && name.endsWith('.tmp'));
}
