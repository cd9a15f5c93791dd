// Passes values of one copy of forebay to the functions of another copy. Run it with `node copies.mjs OWN OTHER`, where
// OWN and OTHER are the folders of the two copies. The script calls the functions of OWN and prints the errors of all
// calls as JSON. If both folders are the same, the copy is loaded twice, as a test runner does for each test file.
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const require = createRequire(import.meta.url);
const [first, second] = process.argv.slice(2);
const own = require(first);
if (first === second) for (const file of Object.keys(require.cache)) delete require.cache[file];
const other = require(second);
const file = join(tmpdir(), `forebay-copies-${process.pid}.npz`);

/** Makes one value of each kind with the given copy of forebay. */
function valuesOf(fb) {
  const x = fb.input('x', ['batch', 2]);
  const w = fb.parameter(
    'w',
    fb.tensor([
      [1, 2],
      [3, 4],
    ]),
  );
  const y = fb.matmul(x, w);
  const loss = fb.sum(y);
  const p = fb.parameter('p', fb.tensor([1, 2], { dtype: 'float64' }));
  const waits = fb.WaitList.of(loss);
  return {
    ...{
      x,
      w,
      y,
      loss,
      waits,
      t: fb.tensor([[1, 2]]),
      out: fb.tensor([[0, 0]]),
      one: fb.constant(1),
      square: fb.tensor([
        [1, 2],
        [3, 4],
      ]),
    },
    ...{ p, exact: fb.sum(fb.square(p)), h: fb.input('h', ['batch', 2]) },
    grads: fb.backward(loss),
    sgd: fb.sgd(loss, [w], { rate: 0.1 }),
    trained: fb.compile({ outputs: { loss }, updates: fb.sgd(loss, [w], { rate: 0.1 }) }),
    asked: fb.compile({ outputs: { y } }),
    lstm: new fb.LSTM('lstm', { inputs: 2, units: 2 }),
    vae: new fb.VariationalAutoencoder('vae', { inputs: 2, hidden: 2, latent: 2 }),
    index: fb.constant([0], { dtype: 'int32' }),
    layer: new fb.FeedForward('layer', { inputs: 2, units: 2 }),
    double: (node) => fb.mul(node, 2),
  };
}

const a = valuesOf(own);
const fb = own;
let names = 0;
const name = () => `n${names++}`;

const model = `${file}.safetensors`;
const archive = `${file}.archive.npz`;
fb.save(model, [a.w]);
fb.saveNpz(archive, { w: a.w });

// All calls use the functions of OWN. `a` contains values of OWN. `v` contains values of OWN or of OTHER. If it
// contains values of OWN, each call must succeed.
const calls = {
  'unary op': (v) => fb.exp(v.y),
  'binary op, left': (v) => fb.add(v.y, 1),
  'binary op, right': (v) => fb.mul(a.y, v.y),
  'op of a tensor': (v) => fb.exp(v.t),
  matmul: (v) => fb.matmul(a.x, v.w),
  where: (v) => fb.where(fb.greater(a.y, 0), v.y, a.y),
  concat: (v) => fb.concat([a.y, v.y], 0),
  stack: (v) => fb.stack([a.y, v.y], 0),
  addN: (v) => fb.addN([a.y, v.y]),
  'a reduction': (v) => fb.sum(v.y, [0]),
  'a view': (v) => fb.transpose(v.y),
  cast: (v) => fb.cast(v.y, 'float64'),
  constant: (v) => fb.constant(v.t),
  'parameter of a tensor': (v) => fb.parameter(name(), v.t),
  'an initialiser': (v) => fb.parameter(name(), { shape: [1, 2], init: () => v.t }),
  state: (v) => fb.state(name(), v.t),
  'set of a variable': (v) => a.w.set(v.square),
  'evaluate a node': (v) => fb.evaluate(v.y, { x: a.t }),
  'evaluate a list': (v) => fb.evaluate([v.y], { x: a.t }),
  'evaluate a record': (v) => fb.evaluate({ y: v.y }, { x: a.t }),
  'evaluate with feeds': (v) => fb.evaluate(a.y, { x: v.t }),
  'evaluate with updates, leaf': (v) => fb.evaluate(a.loss, { x: a.t }, { updates: [[v.w, a.w]] }),
  'evaluate with updates, value': (v) => fb.evaluate(a.loss, { x: a.t }, { updates: [[a.w, v.w]] }),
  'compile outputs': (v) => fb.compile({ outputs: { y: v.y } }),
  'compile inputs': (v) => fb.compile({ inputs: { x: v.x }, outputs: { y: a.y } }),
  'compile metrics': (v) => fb.compile({ outputs: {}, metrics: { y: v.y } }),
  'compile updates': (v) => fb.compile({ outputs: { y: a.y }, updates: v.sgd }),
  run: (v) => a.asked.run({ x: v.t }),
  'run into': (v) => a.asked.run({ x: a.t }, { into: { y: v.out } }),
  runAsync: (v) => a.asked.runAsync({ x: v.t }),
  profile: (v) => a.asked.profile({ x: v.t }),
  backward: (v) => fb.backward(v.loss),
  'backward of pairs, root': (v) => fb.backward([[v.loss, a.one]]),
  'backward of pairs, gradient': (v) => fb.backward([[a.loss, v.one]]),
  'Gradients.of': (v) => a.grads.of(v.w),
  'Gradients.reaches': (v) => a.grads.reaches(v.w),
  'checkGradients, root': (v) => fb.checkGradients(v.exact, [a.p]),
  'checkGradients, leaves': (v) => fb.checkGradients(a.exact, [v.p]),
  'WaitList.of': (v) => fb.WaitList.of(v.loss),
  'WaitList.register': (v) => new fb.WaitList().register(v.w, 'source'),
  'WaitList.register a parent': (v) => new fb.WaitList().register(a.w, v.y),
  'WaitList.edges': (v) => a.waits.edges(v.w),
  'WaitList.has': (v) => a.waits.has(v.w),
  'WaitList.isRegistered': (v) => a.waits.isRegistered(v.w, a.y),
  'WaitList.isRegistered by a parent': (v) => a.waits.isRegistered(a.w, v.y),
  'WaitList.check': (v) => a.waits.check(v.loss),
  BackwardPass: (v) => new fb.BackwardPass(v.waits),
  'BackwardPass.send': (v) =>
    new fb.BackwardPass(fb.WaitList.of(a.loss).register(a.loss, 'me')).send(v.loss, 'me', a.one),
  'BackwardPass.send a gradient': (v) =>
    new fb.BackwardPass(fb.WaitList.of(a.loss).register(a.loss, 'me')).send(a.loss, 'me', v.one),
  'sgd loss': (v) => fb.sgd(v.loss, [a.w], { rate: 1 }),
  'sgd parameters': (v) => fb.sgd(a.loss, [v.w], { rate: 1 }),
  'adam rate': (v) => fb.adam(a.loss, [a.w], { rate: v.one }),
  mse: (v) => fb.mse(a.y, v.y),
  'FeedForward.apply': (v) => a.layer.apply(v.x),
  'an activation': (v) =>
    new fb.FeedForward(name(), { inputs: 2, units: 2, activation: v.double }).apply(a.x),
  'LSTM.step': (v) => a.lstm.step(v.x, { hidden: a.h, cell: a.h }),
  'LSTM.step, state': (v) => a.lstm.step(a.x, { hidden: v.h, cell: a.h }),
  'LSTM.unroll': (v) => a.lstm.unroll([v.x, a.x]),
  dot: (v) => fb.dot([a.y, v.y]),
  'fit, program': (v) => fb.fit(v.trained, { x: a.square }, { epochs: 1, batchSize: 1 }),
  'fit, data': (v) => fb.fit(a.trained, { x: v.square }, { epochs: 1, batchSize: 1 }),
  'fit, validating program': (v) =>
    fb.fit(
      a.trained,
      { x: a.square },
      { epochs: 1, batchSize: 1, validate: { program: v.asked, dataset: { x: a.square } } },
    ),
  'predict, program': (v) => fb.predict(v.asked, { x: a.square }, { batchSize: 1 }),
  'predict, data': (v) => fb.predict(a.asked, { x: v.square }, { batchSize: 1 }),
  tensor: (v) => fb.tensor(v.t),
  'checkpoint, updates': (v) => fb.checkpoint(file, { updates: v.sgd }),
  'dot, waits': (v) => fb.dot([a.loss], { waits: v.waits }),
  'VariationalAutoencoder.encode': (v) => a.vae.encode(v.x),
  gather: (v) => fb.gather(a.w, v.index),
  save: (v) => fb.save(file, [v.w]),
  'save a record': (v) => fb.save(file, { w: v.t }),
  saveNpz: (v) => fb.saveNpz(file, { w: v.t }),
  saveNpy: (v) => fb.saveNpy(file, v.t),
  load: (v) => fb.load(model, [v.w]),
  'load a record': (v) => fb.load(model, { w: v.w }),
  'loadNpz a record': (v) => fb.loadNpz(archive, { w: v.w }),
};

const answers = {};
for (const [what, call] of Object.entries(calls)) {
  const answer = async (values) => {
    try {
      await call(values);
      return null;
    } catch (error) {
      return `${error.code} ${error.message}`;
    }
  };
  answers[what] = [await answer(a), await answer(valuesOf(other))];
}
for (const written of [file, model, archive]) rmSync(written, { force: true });
console.log(JSON.stringify(answers));
