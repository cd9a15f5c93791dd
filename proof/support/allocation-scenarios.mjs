// The scenarios that run while allocations fail: every kind of instruction, and every way to run a program.
import * as fb from 'forebay';

/**
 * @typedef {object} Scenario
 * @property {fb.Variable[]} leaves the leaves that the scenario writes
 * @property {(step: (leaf?: fb.Tensor['data']) => void) => Promise<unknown>} run Runs the scenario. Resolves to the
 *   results, whose bits are compared. Calls `step()` each time the leaves have a complete new state. If the leaf may
 *   have another value after a failure, calls `step` with that value, too (see `interpreted`). May be called again
 *   after an error, if the leaves have been set back.
 * @property {() => void} dispose
 */

/** Returns a tensor whose elements differ from each other and are not small integers. */
const some = (/** @type {number[]} */ shape, seed = 1) => {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return new fb.Tensor(
    Float32Array.from({ length: size }, (_, i) => Math.sin((i + 1) * (seed + 0.7))),
    shape,
  );
};
const data = (/** @type {Record<string, fb.Tensor>} */ tensors) =>
  Object.entries(tensors).map(([name, { data }]) => [name, [...data]]);

/**
 * Returns an object whose `get` compiles the program at its first call, so that a failed compilation can be repeated.
 */
function lazily(/** @type {() => fb.Program} */ make) {
  /** @type {fb.Program | undefined} */
  let program;
  return {
    get: () => {
      program ??= make();
      // The random draws depend on the index of the run, so every call starts at the same index.
      program.runs = 0;
      return program;
    },
    dispose: () => program?.dispose(),
  };
}

/**
 * Returns the loss of an LSTM over `steps` time steps, with its updates, the leaves that they write, and feeds.
 * @param apart whether each step has nodes of its own; otherwise the steps are a loop
 */
function recurrent(steps = 3, batch = 4, apart = false) {
  fb.setSeed(1);
  const lstm = new fb.LSTM('lstm', { inputs: 5, units: 6 });
  const head = new fb.FeedForward('head', { inputs: 6, units: 2 });
  const x = fb.input('x', [steps, batch, 5]);
  const hidden = apart ? stepByStep(lstm, x) : lstm.unroll(x).hidden;
  const loss = fb.mse(head.apply(hidden), fb.input('target', [steps, batch, 2]));
  const parameters = [...lstm.parameters, ...head.parameters];
  const updates = fb.adam(loss, parameters);
  const feeds = { x: some([steps, batch, 5]), target: some([steps, batch, 2], 2) };
  return { loss, updates, leaves: updates.map(([leaf]) => leaf), feeds };
}

/** Returns the hidden states of all steps. */
function stepByStep(/** @type {fb.LSTM} */ lstm, /** @type {fb.Node} */ xs) {
  const [steps, ...shape] = /** @type {number[]} */ (xs.shape);
  const start = fb.broadcastTo(0, [shape[0] ?? 0, lstm.units]);
  let state = { hidden: /** @type {fb.Node} */ (start), cell: /** @type {fb.Node} */ (start) };
  const hidden = Array.from({ length: steps ?? 0 }, (_, t) => {
    state = lstm.step(fb.reshape(fb.slice(xs, { axis: 0, start: t, end: t + 1 }), shape), state);
    return state.hidden;
  });
  return fb.stack(hidden, 0);
}

/** Returns a classifier with a named batch dimension, for `fit` and `predict`. */
function classifier() {
  fb.setSeed(2);
  const layer = new fb.FeedForward('layer', { inputs: 8, units: 16, activation: fb.relu });
  const head = new fb.FeedForward('head', { inputs: 16, units: 3 });
  const y = head.apply(layer.apply(fb.input('x', ['batch', 8])));
  const loss = fb.mse(y, fb.input('target', ['batch', 3]));
  const updates = fb.sgd(loss, [...layer.parameters, ...head.parameters], {
    rate: 0.1,
    momentum: 0.9,
  });
  return {
    y,
    loss,
    updates,
    leaves: updates.map(([leaf]) => leaf),
    dataset: { x: some([22, 8]), target: some([22, 3], 3) },
  };
}

/** @returns {Scenario} */
function training() {
  const { loss, updates, leaves, feeds } = recurrent();
  const program = lazily(() => fb.compile({ outputs: { loss }, updates }));
  return {
    leaves,
    async run(step) {
      const losses = [];
      for (let i = 0; i < 3; i++, step())
        losses.push(
          program
            .get()
            .run(feeds, { checkFinite: i === 1 })
            .loss.item(),
        );
      return losses;
    },
    dispose: program.dispose,
  };
}

/** A program with every kind of instruction, and random draws. @returns {Scenario} */
function instructions() {
  fb.setSeed(3);
  const a = fb.parameter('a', some([3, 8, 12]));
  const b = fb.constant(some([3, 12, 8], 2));
  const product = fb.matmul(a, b);
  const noise = fb.add(fb.randomNormal([3, 8, 8]), fb.randomUniform([3, 8, 8]));
  const y = fb.softmax(fb.add(product, noise), -1);
  const outputs = {
    y: fb.slice(fb.concat([y, fb.transpose(y, [0, 2, 1])], 1), { axis: 1, start: 3, end: 9 }),
    most: fb.argmax(y, -1),
    max: fb.max(y, 1),
    sums: fb.sum(y, [0, 2]),
    turned: fb.transpose(a),
  };
  const updates = fb.adam(fb.sum(fb.square(y)), [a]);
  const program = lazily(() => fb.compile({ outputs, updates }));
  return {
    leaves: updates.map(([leaf]) => leaf),
    run: async (step) => {
      const result = data(program.get().run());
      step();
      return result;
    },
    dispose: program.dispose,
  };
}

/**
 * A program with more arguments than a native call has preallocated room for. It runs with two bindings, and writes
 * some outputs to the caller's memory.
 * @returns {Scenario}
 */
function manyFeeds() {
  const names = Array.from({ length: 30 }, (_, i) => `x${i}`);
  const sum = names
    .map((name) => /** @type {fb.Node} */ (fb.input(name, ['n', 8])))
    .reduce((x, y, i) => fb.add(x, fb.mul(y, i)));
  const program = lazily(() => fb.compile({ outputs: { sum, half: fb.mul(sum, 0.5) } }));
  return {
    leaves: [],
    run: async () => {
      const results = [];
      for (const n of [1, 70]) {
        const feeds = Object.fromEntries(names.map((name, i) => [name, some([n, 8], i)]));
        const into = { sum: some([n, 8]), half: some([n, 8]) };
        results.push(
          data(program.get().run(feeds)),
          data(program.get().run(feeds, { into })),
          program.get().profile(feeds).length,
        );
      }
      return results;
    },
    dispose: program.dispose,
  };
}

/**
 * A program on several threads. Its products are so large that OpenBLAS computes them and splits them among threads.
 * @returns {Scenario}
 */
function threads() {
  const x = fb.parameter('x', some([300, 300]));
  const y = fb.matmul(fb.tanh(fb.matmul(x, x)), x);
  const updates = fb.sgd(fb.mean(fb.square(y)), [x], { rate: 0.01 });
  const program = lazily(() => fb.compile({ outputs: { mean: fb.mean(y) }, updates, threads: 4 }));
  return {
    leaves: [x],
    async run(step) {
      fb.setThreads(4);
      const { mean } = program.get().run();
      step();
      return mean.item();
    },
    dispose: program.dispose,
  };
}

/** Asynchronous runs of two programs that write the same leaf, so that the runs wait in queues. @returns {Scenario} */
function asynchronous() {
  const w = fb.state('w', some([50]));
  const add = lazily(() => fb.compile({ outputs: { w }, updates: [[w, fb.add(w, 1)]] }));
  const scale = lazily(() => fb.compile({ outputs: {}, updates: [[w, fb.mul(w, 1.5)]] }));
  return {
    leaves: [w],
    async run(step) {
      const programs = [add.get(), scale.get(), add.get()];
      /** @type {Promise<unknown>[]} */
      const flights = [];
      // If a run fails, the runs after it are not started, as in a script that stops at the first error.
      let failed = false;
      for (const program of programs) {
        const flight = program.runAsync();
        flights.push(flight);
        flight.catch(() => {
          failed = true;
        });
        await flight.then(
          () => step(),
          () => {},
        );
        if (failed) break;
      }
      await Promise.all(flights);
      return [...w.value.data];
    },
    dispose: () => {
      add.dispose();
      scale.dispose();
    },
  };
}

/** A call of `evaluate` that updates a leaf while an asynchronous run writes it, too. @returns {Scenario} */
function interpreted() {
  const w = fb.state('w', some([20]));
  const program = lazily(() => fb.compile({ outputs: {}, updates: [[w, fb.add(w, 1)]] }));
  return {
    leaves: [w],
    async run(step) {
      // These are the states of the leaf if one of the two updates fails and the other succeeds.
      step(w.value.data.map((x) => x + 1));
      step(w.value.data.map((x) => x * 2));
      const flight = program.get().runAsync();
      try {
        return data({ w: fb.evaluate(fb.exp(w), {}, { updates: [[w, fb.mul(w, 2)]] }) });
      } finally {
        await flight;
      }
    },
    dispose: program.dispose,
  };
}

/** @returns {Scenario} */
function fitting() {
  const { y, loss, updates, leaves, dataset } = classifier();
  const trainer = lazily(() => fb.compile({ outputs: { loss }, updates }));
  const predictor = lazily(() => fb.compile({ outputs: { y } }));
  const validator = lazily(() => fb.compile({ outputs: { loss } }));
  return {
    leaves,
    async run(step) {
      const history = await fb.fit(trainer.get(), dataset, {
        epochs: 2,
        batchSize: 8,
        seed: 4,
        validate: { program: validator.get(), dataset },
        onBatch: () => step(),
      });
      const predicted = await fb.predict(predictor.get(), { x: dataset.x }, { batchSize: 5 });
      return [history, data(predicted)];
    },
    dispose: () => {
      trainer.dispose();
      predictor.dispose();
      validator.dispose();
    },
  };
}

/**
 * Returns all scenarios by name. The full form adds a sequence whose steps have nodes of their own, with many more
 * allocations.
 * @returns {Record<string, () => Scenario>}
 */
export function scenarios(/** @type {boolean} */ full) {
  const long = () => {
    const { loss, updates, leaves, feeds } = recurrent(12, 3, true);
    const program = lazily(() => fb.compile({ outputs: { loss }, updates }));
    return {
      leaves,
      run: async (/** @type {() => void} */ step) => {
        const { loss } = program.get().run(feeds);
        step();
        return loss.item();
      },
      dispose: program.dispose,
    };
  };
  return {
    training,
    instructions,
    manyFeeds,
    threads,
    asynchronous,
    interpreted,
    fitting,
    ...(full && { long }),
  };
}
