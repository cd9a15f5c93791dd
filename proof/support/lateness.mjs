// Measures the delay of a 1 ms timer while `fit` trains. A round measures one second without training, then one second
// of training for each of three networks: with long steps, with short steps and with wide rows. Then it measures the
// first calls of networks that are not compiled yet, each in a new process. A busy machine delays any timer, so the delay
// that forebay causes is best seen in the round with the least delay.
import * as fb from 'forebay';
import { firstCalls } from './first-call.mjs';
import { lateness } from './late-timer.mjs';

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
    for (const [title, inNewProcess] of Object.entries(firstCalls)) {
      results[title].push(await inNewProcess());
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
