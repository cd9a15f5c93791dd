// Measures what it costs to build, differentiate and compile a training step of the workload `lstm-1000`, as a loop and
// with its steps unrolled by hand: `npm run bench:loops [-- --rounds 3]`. Nothing is run. Each measurement has a new
// process, so it is cold: nothing has been compiled before, and neither code nor caches are warm. It counts the processor
// time of all threads of the process, and the growth of its peak memory over its memory with the loaded library. The
// medians of all rounds are compared. Memory is read from /proc, so this needs Linux.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { statusBytes } from '../bench/build/peers/process.js';
import { workloads } from '../bench/build/workloads.js';

const spec = workloads['lstm-1000'];
const file = fileURLToPath(import.meta.url);

/** The measurements: the form of the LSTM, and its number of steps. */
const cases = {
  loop: ['loop', spec.steps],
  unrolled: ['unrolled', spec.steps],
  short: ['loop', 100],
  long: ['loop', 10_000],
};

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    // The name of a measurement, in its own process.
    only: { type: 'string' },
  },
});
const rounds = Number(options.rounds);
if (!(rounds >= 1)) throw new Error(`--rounds is a number from 1, not '${options.rounds}'`);
if (options.only === undefined) compare();
else process.stdout.write(JSON.stringify(measure(...cases[options.only])));

/** Compiles one form. @returns milliseconds of processor time, bytes, and the number of instructions */
function measure(form, steps) {
  const fb = createRequire(import.meta.url)('../dist/index.js');
  const loaded = statusBytes('VmRSS');
  const before = process.cpuUsage();
  const { loss, parameters } = lstm(fb, form, steps);
  const updates = fb.sgd(loss, parameters, { rate: spec.rate });
  const program = fb.compile({ outputs: { loss }, updates, threads: 1 });
  const { user, system } = process.cpuUsage(before);
  const growth = statusBytes('VmHWM') - loaded;
  const { instructions } = program.stats();
  return { milliseconds: (user + system) / 1e3, growth, instructions };
}

/** Builds the graph of the workload gate by gate, with zeros as weights. */
function lstm(fb, form, steps) {
  const { inputs, units, outputs, batch } = spec;
  const parameters = [];
  const dense = (name, rows, columns) => {
    const weight = fb.parameter(`${name}.weight`, fb.Tensor.zeros([rows, columns]));
    const bias = fb.parameter(`${name}.bias`, fb.Tensor.zeros([columns]));
    parameters.push(weight, bias);
    return (x) => fb.add(fb.matmul(x, weight), bias);
  };
  const gates = ['input', 'forget', 'output', 'cell'].map((gate) =>
    dense(gate, inputs + units, units),
  );
  const readout = dense('readout', units, outputs);
  const xs = fb.input('x', [steps, batch, inputs]);
  const target = fb.input('target', [steps, batch, outputs]);

  const step = ({ hidden, cell }, x) => {
    const z = fb.concat([x, hidden], 1);
    const [admit, forget, output, candidate] = gates.map((gate) => gate(z));
    const kept = fb.mul(fb.sigmoid(forget), cell);
    const next = fb.add(kept, fb.mul(fb.sigmoid(admit), fb.tanh(candidate)));
    return { hidden: fb.mul(fb.sigmoid(output), fb.tanh(next)), cell: next };
  };
  const zeros = fb.broadcastTo(fb.constant(0, { dtype: spec.dtype }), [batch, units]);
  const initial = { hidden: zeros, cell: zeros };

  const looped = () =>
    fb.scan(
      (state, x) => {
        const next = step(state, x);
        return [next, next.hidden];
      },
      { over: xs, initial },
    ).ys;
  const unrolled = () => {
    let state = initial;
    const hidden = Array.from({ length: steps }, (_, t) => {
      const row = fb.slice(xs, { axis: 0, start: t, end: t + 1 });
      state = step(state, fb.reshape(row, [batch, inputs]));
      return state.hidden;
    });
    return fb.stack(hidden, 0);
  };
  const y = fb.tanh(readout(form === 'loop' ? looped() : unrolled()));
  return { loss: fb.mean(fb.square(fb.sub(y, target))), parameters };
}

/** Makes all measurements in turns, each in a new process, and prints the four figures. */
function compare() {
  const found = Object.fromEntries(Object.keys(cases).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const name of Object.keys(cases)) {
      const { status, stdout, stderr } = spawnSync(process.execPath, [file, '--only', name], {
        encoding: 'utf8',
      });
      if (status !== 0) throw new Error(`the measurement '${name}' failed: ${stderr}`);
      found[name].push(JSON.parse(stdout));
    }
  }
  const median = (name, key) => {
    const sorted = found[name].map((each) => each[key]).sort((a, b) => a - b);
    return sorted[sorted.length >> 1];
  };
  const show = (title, key, [a, b], text, ratio, bound) => {
    const [one, other] = [median(a, key), median(b, key)];
    const value = ratio(one, other).toFixed(2).padStart(7);
    console.log(`${title.padEnd(38)} ${text(one)}, ${text(other)} ${value} (${bound})`);
  };
  const ms = (value) => `${value.toFixed(0).padStart(6)} ms`;
  const mb = (value) => `${(value / 1e6).toFixed(1).padStart(6)} MB`;
  const count = (value) => `${String(value).padStart(6)}   `;
  const [forms, lengths] = [
    ['loop', 'unrolled'],
    ['short', 'long'],
  ];
  const longer = (one, other) => other / one;
  show('processor time: loop, unrolled', 'milliseconds', forms, ms, longer, 'at least 40');
  show('peak memory: loop, unrolled', 'growth', forms, mb, (a, b) => a / b, 'at most 0.1');
  show('instructions: 100, 10,000 steps', 'instructions', lengths, count, longer, 'must be 1');
  show('processor time: 100, 10,000 steps', 'milliseconds', lengths, ms, longer, 'at most 1.3');
}
