// How late a 1 ms timer is while `fit` trains: node test/train/timer.mjs [rounds], after npm run build.
// A round is a second of each: without training, then of networks with long steps, with short steps, and
// with wide rows. Nothing is asserted, as a busy machine makes any timer late: the quietest round says
// what is ours.
import * as fb from '../../dist/index.js';

const rounds = Number(process.argv[2] ?? 10);
const milliseconds = 1000;

/** Trains a classifier of these widths on noise, for a while; answers how many steps it made. */
async function training(widths, batchSize, rows) {
  const layers = widths.slice(1).map((units, index) => {
    const activation = index < widths.length - 2 ? fb.relu : undefined;
    return new fb.FeedForward(`layer${index}`, { inputs: widths[index], units, activation });
  });
  const x = fb.input('x', ['batch', widths[0]]);
  const label = fb.input('label', ['batch'], { dtype: 'int32' });
  const loss = fb.softmaxCrossEntropy(
    layers.reduce((y, layer) => layer.apply(y), x),
    label,
  );
  const updates = fb.adam(
    loss,
    layers.flatMap((layer) => layer.parameters),
  );
  const program = fb.compile({ outputs: { loss }, updates });
  const dataset = {
    x: fb.evaluate(fb.randomNormal([rows, widths[0]], { seed: 1 })),
    label: fb.tensor(Int32Array.from({ length: rows }, (_, row) => row % widths.at(-1))),
  };
  // Compiling is synchronous, and is not what is measured.
  await fb.fit(program, dataset, { epochs: 1, batchSize });
  return async () => {
    const before = program.runs;
    const end = performance.now() + milliseconds;
    const onEpoch = () => performance.now() < end;
    await fb.fit(program, dataset, { epochs: 1e9, batchSize, onEpoch });
    return program.runs - before;
  };
}

/** By how many milliseconds the timer was late while `work` went on: the worst, and the median. */
async function lateness(work) {
  const late = [];
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    late.push(now - last - 1);
    last = now;
  }, 1);
  const steps = await work();
  clearInterval(timer);
  late.sort((a, b) => a - b);
  return { worst: late.at(-1), median: late[late.length >> 1], steps };
}

const works = {
  nothing: () => new Promise((done) => setTimeout(done, milliseconds, 0)),
  '784-2048-2048-10, batch 256': await training([784, 2048, 2048, 10], 256, 1024),
  '8-16-4, batch 4': await training([8, 16, 4], 4, 20_000),
  '20000-8-4, batch 512': await training([20_000, 8, 4], 512, 2048),
};
const results = Object.fromEntries(Object.keys(works).map((title) => [title, []]));
for (let round = 0; round < rounds; round++) {
  for (const [title, work] of Object.entries(works)) results[title].push(await lateness(work));
}
console.log(`milliseconds late, of ${rounds} rounds: worst in the quietest and in the median one`);
for (const [title, list] of Object.entries(results)) {
  list.sort((a, b) => a.worst - b.worst);
  const [quietest, middle] = [list[0], list[list.length >> 1]];
  const steps = list.reduce((sum, result) => sum + result.steps, 0);
  console.log(
    `${title.padEnd(28)} ${quietest.worst.toFixed(2).padStart(7)} ${middle.worst.toFixed(2).padStart(7)}; median tick ${quietest.median.toFixed(2)}; ${steps} steps`,
  );
}
