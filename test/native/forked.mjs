// The script of a forked process or a cluster worker. It trains with the data that it receives in a message, and sends
// the result back.
import * as fb from 'forebay';

/**
 * Trains a small net, and returns the history and the parameters. The result depends only on `seed` and the data, so it
 * is the same in every process.
 */
export async function train({ seed, x, target }) {
  fb.setSeed(seed);
  const layer = new fb.FeedForward('layer', { inputs: 3, units: 5, activation: fb.tanh });
  const head = new fb.FeedForward('head', { inputs: 5, units: 1 });
  const loss = fb.mse(
    head.apply(layer.apply(fb.input('x', ['batch', 3]))),
    fb.input('target', ['batch', 1]),
  );
  const parameters = [...layer.parameters, ...head.parameters];
  const program = fb.compile({ outputs: { loss }, updates: fb.adam(loss, parameters) });
  const rows = target.length;
  const dataset = { x: new fb.Tensor(x, [rows, 3]), target: new fb.Tensor(target, [rows, 1]) };
  const history = await fb.fit(program, dataset, { epochs: 20, batchSize: 8, seed });
  for (let i = 0; i < 20; i++) program.run(dataset);
  // The values of leaves are in shared memory. A message contains a copy.
  return {
    history,
    parameters: Object.fromEntries(parameters.map(({ name, value }) => [name, value.data])),
  };
}

export const task = (seed) => ({
  seed,
  x: Float32Array.from({ length: 90 }, (_, i) => Math.sin(i * 1.3 + seed)),
  target: Float32Array.from({ length: 30 }, (_, i) => Math.cos(i * 0.7 + seed)),
});

if (process.send && process.argv[1] === new URL(import.meta.url).pathname) {
  process.on('message', async (message) => {
    if (message === 'leave') return process.disconnect();
    if (message === 'never end') {
      const work = () => train(task(1)).then(work);
      work();
      return process.send('begun');
    }
    try {
      process.send(await train(message));
    } catch (error) {
      process.send({ code: error.code, message: error.message });
    }
  });
  process.send('ready');
}
