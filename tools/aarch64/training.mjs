// Trains a network with `fit`, to test the installed package in the emulated Node: node training.mjs
import * as fb from 'forebay';

const { simd, blas } = fb.nativeInfo();
fb.setSeed(1);
const hidden = new fb.FeedForward('hidden', { inputs: 2, units: 16, activation: fb.tanh });
const readout = new fb.FeedForward('readout', { inputs: 16, units: 1 });
const x = fb.input('x', ['batch', 2]);
const y = readout.apply(hidden.apply(x));
const loss = fb.mse(y, fb.input('target', ['batch', 1]));
const parameters = [...hidden.parameters, ...readout.parameters];
const program = fb.compile({
  outputs: { loss },
  updates: fb.adam(loss, parameters, { rate: 0.01 }),
});
const rows = Array.from({ length: 256 }, (_, i) => [(i % 16) / 16, Math.floor(i / 16) / 16]);
const data = {
  x: fb.tensor(rows),
  target: fb.tensor(rows.map(([a, b]) => [a * b])),
};
await fb.fit(program, data, { epochs: 100, batchSize: 32, seed: 2 });
const prediction = fb.compile({ outputs: { y } });
const feeds = { x: [[0.5, 0.5]] };
const predicted = prediction.run(feeds).y.item();
const evaluated = fb.evaluate(y, feeds).item();
if (Math.abs(predicted - evaluated) > 1e-6) throw new Error(`${predicted} is not ${evaluated}`);
if (Math.abs(predicted - 0.25) > 0.05) throw new Error(`0.5 * 0.5 is not ${predicted}`);
console.log(
  `${process.arch}, Node ${process.version}, kernels: ${simd.active}, ${blas.library} (${blas.core})`,
);
console.log(`trained: 0.5 * 0.5 is ${predicted.toFixed(3)}`);
