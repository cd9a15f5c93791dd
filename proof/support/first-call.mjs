// Measures the delay of a 1 ms timer during the first call of a program, which compiles it, in a new process. There, the
// code of the compiler has not been optimized yet. Run with the name of a kind, this file is the new process.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as fb from 'forebay';
import { lateness } from './late-timer.mjs';

const file = fileURLToPath(import.meta.url);

/**
 * Returns a program of an LSTM with `steps` time steps that has never been run. The steps are applied one by one, so that
 * there is much to compile. If `trains` is true, each run of the program is a training step; otherwise it only predicts.
 */
function sequence(steps, { trains }) {
  const [inputs, units, batch] = [8, 32, 16];
  const lstm = new fb.LSTM('lstm', { inputs, units });
  const readout = new fb.FeedForward('readout', { inputs: units, units: 4 });
  const xs = fb.input('xs', [steps, 'batch', inputs]);
  const target = fb.input('target', ['batch', 4]);
  const start = fb.broadcastTo(0, ['batch', units]);
  let state = { hidden: start, cell: start };
  for (let t = 0; t < steps; t++) {
    const x = fb.reshape(fb.slice(xs, { axis: 0, start: t, end: t + 1 }), ['batch', inputs]);
    state = lstm.step(x, state);
  }
  const predicted = readout.apply(state.hidden);
  const loss = fb.mse(predicted, target);
  const updates = fb.adam(loss, [...lstm.parameters, ...readout.parameters]);
  const program = trains
    ? fb.compile({ outputs: { loss }, updates })
    : fb.compile({ outputs: { predicted, target } });
  const zeros = (...shape) => fb.Tensor.full(shape, 0);
  return {
    program,
    feeds: { xs: zeros(steps, batch, inputs), target: zeros(batch, 4) },
    dataset: { xs: zeros(batch, steps, inputs), target: zeros(batch, 4) },
  };
}

/**
 * The kinds of first calls. Each function here builds a network, and returns a function that makes the call.
 */
const kinds = {
  firstRunAsync: () => {
    const { program, feeds } = sequence(200, { trains: true });
    return () => program.runAsync(feeds);
  },
  firstFit: () => {
    const { program, dataset } = sequence(150, { trains: true });
    return () => fb.fit(program, dataset, { epochs: 1, batchSize: 16 });
  },
  predictWithShortBatch: () => {
    const { program, dataset } = sequence(150, { trains: false });
    return () => fb.predict(program, dataset, { batchSize: 12 });
  },
};

/** For each kind of first call, a function that measures it in a new process and resolves to the result. */
export const firstCalls = Object.fromEntries(
  Object.keys(kinds).map((kind) => [
    kind,
    async () => {
      const { stdout } = await promisify(execFile)(process.execPath, [file, kind]);
      return JSON.parse(stdout);
    },
  ]),
);

if (process.argv[1] === file) {
  const call = kinds[process.argv[2]]();
  // Waits before the measurement, because building the network must not be part of it.
  await new Promise((done) => setTimeout(done, 50));
  const { worst, median, ticks } = await lateness(call);
  process.stdout.write(JSON.stringify({ worst, median, ticks }));
}
