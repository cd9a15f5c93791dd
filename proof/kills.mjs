// Trainings that are killed with SIGKILL, at moments that nobody chooses, and go on from their checkpoints.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fb from 'forebay';

const trainee = fileURLToPath(new URL('support/trainee.mjs', import.meta.url));
/** How often a checkpoint is written, another in each round. */
const rhythms = [{ batches: 1 }, { batches: 3 }, { seconds: 0.004 }, { batches: 2, epochs: 1 }];
/** Milliseconds after which a child that neither ends nor was killed hangs. */
const patience = 120_000;

export default {
  name: 'kills',
  promise:
    'A training that is killed at any moment resumes, and ends with the bits of one that never was.',

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
          throw new Error(`${file}: expected ${expected}, but it came to ${result}`);
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

/** Kills a training until it ends before it is killed, or often enough; looks at the file after each kill. */
async function disturbed(file, every, { most, startMs }, figures) {
  let [reached, before] = [-1, []];
  for (;;) {
    const expectsResume = existsSync(file);
    const run = await train(file, every, figures.kills < most ? anyMoment(startMs) : undefined);
    if (run.begun && run.resumed !== expectsResume) {
      throw new Error(`${file}: ${expectsResume ? 'was not resumed' : 'is resumed from nothing'}`);
    }
    if (run.resumed) figures.resumed++;
    if (run.result !== undefined) return run.result;

    figures.kills++;
    if (!run.begun) figures.beforeTraining++;
    const left = temporariesOf(file);
    if (left.some((name) => !before.includes(name))) figures.whileWriting++;
    before = left;
    // Each writer removes what those before it left.
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
 * When to kill. One in five dies while it starts or reads its checkpoint; the others when something has happened in
 * the folder some times: a temporary file made, written to, removed, renamed. Not replayable.
 */
function anyMoment(startMs) {
  const early = Math.random() < 0.2;
  return early
    ? { changes: 0, after: Math.random() * 1.3 * startMs }
    : { changes: 1 + Math.floor(Math.random() * 16), after: Math.random() * 3 };
}

/**
 * Trains in a process of its own.
 * @param kill when to end it: so many milliseconds after so many changes of files
 * @returns what it printed at its end, unless it was killed before, and how long it took to start
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

/** How many examples the training had seen. Throws when the file is damaged in any way. */
function positionIn(file) {
  fb.load(file);
  const { epoch, row, examples } = JSON.parse(fb.loadMetadata(file)['forebay.progress']);
  return epoch * examples + row;
}

function temporariesOf(file) {
  const names = readdirSync(dirname(file));
  return names.filter((name) => name.startsWith(`${basename(file)}.`) && name.endsWith('.tmp'));
}
