// Measures the delay of a 1 ms timer while `fit` trains. A round measures one second without training, then one second
// of training for each of three networks: with long steps, with short steps and with wide rows. Then it measures the
// first calls of networks that are not compiled yet. A busy machine delays any timer, so the delay that forebay causes
// is best seen in the round with the least delay.
import * as fb from 'forebay';

const milliseconds = 1000;

/**
 * Returns a function that trains a classifier of these widths on noise for one second, and resolves to its step count.
 */
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
  // This call compiles the program, which must not be part of the measurement.
  await fb.fit(program, dataset, { epochs: 1, batchSize });
  return async () => {
    const before = program.runs;
    const end = performance.now() + milliseconds;
    const onEpoch = () => performance.now() < end;
    await fb.fit(program, dataset, { epochs: 1e9, batchSize, onEpoch });
    return program.runs - before;
  };
}

/**
 * Returns a program of an LSTM with `steps` time steps that has never been run. If `trains` is true, each run of the
 * program is a training step; otherwise it only predicts.
 */
function sequence(steps, { trains }) {
  const [inputs, units, batch] = [8, 32, 16];
  const lstm = new fb.LSTM('lstm', { inputs, units });
  const readout = new fb.FeedForward('readout', { inputs: units, units: 4 });
  const xs = fb.input('xs', [steps, 'batch', inputs]);
  const target = fb.input('target', ['batch', 4]);
  const predicted = readout.apply(lstm.unroll(xs).last.hidden);
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
 * The kinds of first calls of a program. (The first call compiles the program.) Each function here builds a network,
 * and returns a function that makes the call.
 */
const firstCalls = {
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

/**
 * Returns the worst and the median delay of a timer in milliseconds while `work` runs, and how often the timer fired.
 */
async function lateness(work) {
  const late = [];
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    late.push(now - last - 1);
    last = now;
  }, 1);
  const steps = await work();
  // If the event loop was blocked until the end of `work`, the timer fires now. Its delay must be counted, too.
  await new Promise((done) => setTimeout(done, 2));
  clearInterval(timer);
  late.sort((a, b) => a - b);
  return {
    worst: late.at(-1) ?? milliseconds,
    median: late[late.length >> 1],
    ticks: late.length,
    steps,
  };
}

/**
 * Measures all kinds of work in each round. Returns for each kind the figures of the round with the least delay, and of
 * the median round.
 */
export async function measure(rounds, log) {
  const works = {
    nothing: () => new Promise((done) => setTimeout(done, milliseconds, 0)),
    longSteps: await training([784, 2048, 2048, 10], 256, 1024),
    shortSteps: await training([8, 16, 4], 4, 20_000),
    wideRows: await training([20_000, 8, 4], 512, 2048),
  };
  const titles = [...Object.keys(works), ...Object.keys(firstCalls)];
  const results = Object.fromEntries(titles.map((title) => [title, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [title, work] of Object.entries(works)) results[title].push(await lateness(work));
    for (const [title, make] of Object.entries(firstCalls)) {
      const work = make();
      // Waits before the measurement, because building the network must not be part of it.
      await new Promise((done) => setTimeout(done, 50));
      results[title].push(await lateness(work));
    }
    log(`round ${round + 1} of ${rounds}`);
  }
  const rounded = (value) => Math.round(value * 100) / 100;
  const summaries = Object.entries(results).map(([title, list]) => {
    list.sort((a, b) => a.worst - b.worst);
    const [quietest, middle] = [list[0], list[list.length >> 1]];
    const summary = {
      worstInTheQuietestRound: rounded(quietest.worst),
      worstInTheMedianRound: rounded(middle.worst),
      medianTick: rounded(quietest.median),
      ticks: quietest.ticks,
      steps: quietest.steps,
    };
    return [title, summary];
  });
  return Object.fromEntries(summaries);
}
