// Measures what loops are for: `npm run bench:loops`. An LSTM (batch 16, 64 inputs, 128 units) with a mean squared error of
// all steps is built, differentiated and compiled, without a run, by a loop and unrolled by hand. Each form gets a process
// of its own, so it is cold, and forms take turns for some rounds. Processor time and the growth of the peak memory over
// that of the loaded library are medians. Then a program with a named number of steps runs lengths that are new to it: the
// time is that of the first run minus that of the second. The last line is JSON.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const fb = createRequire(import.meta.url)('../dist/index.js');
const [batch, inputs, units] = [16, 64, 128];
const rounds = 5;

/** Steps of the layer with nodes of their own. */
function byHand(layer, xs, steps) {
  const zeros = fb.broadcastTo(fb.constant(0), [batch, units]);
  let state = { hidden: zeros, cell: zeros };
  const hidden = Array.from({ length: steps }, (_, t) => {
    const x = fb.reshape(fb.slice(xs, { axis: 0, start: t, end: t + 1 }), [batch, inputs]);
    state = layer.step(x, state);
    return state.hidden;
  });
  return fb.stack(hidden, 0);
}

function built(form, steps) {
  const layer = new fb.LSTM('lstm', { inputs, units, seed: 1 });
  const xs = fb.input('xs', [steps, batch, inputs]);
  const target = fb.input('target', [steps, batch, units]);
  const hidden = form === 'unrolled' ? byHand(layer, xs, steps) : layer.unroll(xs).hidden;
  const loss = fb.mse(hidden, target);
  return fb.compile({ outputs: { loss }, updates: fb.sgd(loss, layer, { rate: 0.01 }) });
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const [, , form, steps] = process.argv;

if (form !== undefined) {
  const before = process.resourceUsage().maxRSS;
  const start = process.cpuUsage();
  const program = built(form, Number(steps));
  const { user, system } = process.cpuUsage(start);
  const kilobytes = process.resourceUsage().maxRSS - before;
  const { instructions } = program.stats();
  console.log(JSON.stringify({ milliseconds: (user + system) / 1e3, kilobytes, instructions }));
  process.exit(0);
}

const cold = (...asked) =>
  JSON.parse(
    execFileSync(process.execPath, [fileURLToPath(import.meta.url), ...asked.map(String)]),
  );
const forms = [
  ['loop', 1000],
  ['unrolled', 1000],
  ['loop', 100],
  ['loop', 10_000],
];
const found = forms.map(() => []);
for (let round = 0; round < rounds; round++)
  for (const [i, asked] of forms.entries()) found[i].push(cold(...asked));
const rows = forms.map(([name, count], i) => ({
  form: name,
  steps: count,
  milliseconds: median(found[i].map((one) => one.milliseconds)),
  megabytes: median(found[i].map((one) => one.kilobytes)) / 1024,
  instructions: found[i][0].instructions,
}));
for (const { form: name, steps: count, milliseconds, megabytes, instructions } of rows)
  console.log(
    `${name.padEnd(9)} ${String(count).padStart(6)} steps ${milliseconds.toFixed(1).padStart(8)} ms ${megabytes.toFixed(1).padStart(8)} MB ${instructions} instructions`,
  );
const [loop, unrolled, short, long] = rows;

fb.setThreads(1);
const program = built('loop', 'steps');
const feeds = (count) => ({
  xs: fb.Tensor.zeros([count, batch, inputs]),
  target: fb.Tensor.zeros([count, batch, units]),
});
const timed = (run) => {
  const start = performance.now();
  run();
  return performance.now() - start;
};
const before = [];
for (let count = 20; count < 80; count++) {
  const fed = feeds(count);
  const first = timed(() => program.run(fed));
  before.push(first - timed(() => program.run(fed)));
}
const warm = median(before.slice(20));
console.log(`a new length, warm: ${warm.toFixed(2)} ms before its first step`);
console.log(
  JSON.stringify({
    unrolledOverLoop: unrolled.milliseconds / loop.milliseconds,
    memoryShare: loop.megabytes / unrolled.megabytes,
    longOverShort: long.milliseconds / short.milliseconds,
    equalInstructions: long.instructions === short.instructions,
    newLengthMilliseconds: warm,
  }),
);
