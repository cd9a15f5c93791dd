// An LSTM learns (cos, sin) of period 20 and continues the curve by itself. `forebay demo trig` is the complete
// experiment, with pictures.
import * as fb from 'forebay';

const [steps, samples] = [5, 100];
const point = (t: number) => [Math.cos((Math.PI * t) / 10), Math.sin((Math.PI * t) / 10)];
const windows = Array.from({ length: samples - steps + 1 }, (_, index) => index);
const sequence = (shift: number) =>
  Array.from({ length: steps }, (_, step) => windows.map((w) => point(w + step + shift)));

fb.setSeed(1);
const init = fb.initializers.normal(0.3);
const lstm = new fb.LSTM('lstm', { inputs: 2, units: 15, init });
const readout = new fb.FeedForward('readout', { inputs: 15, units: 2, init, activation: fb.tanh });
const parameters = [...lstm.parameters, ...readout.parameters];

const xs = fb.input('xs', [steps, 'batch', 2]);
const next = fb.input('next', [steps, 'batch', 2]);
const outputs = readout.apply(lstm.unroll(xs).hidden);
const loss = fb.mse(outputs, next);
const updates = fb.adam(loss, parameters, { rate: 0.01 });

const feeds = { xs: fb.tensor(sequence(0)), next: fb.tensor(sequence(1)) };
for (let update = 0; update < 200; update++) {
  const value = fb.evaluate(loss, feeds, { updates }).item();
  if (update % 50 === 0) console.log(`update ${update}: loss ${value.toFixed(5)}`);
}

// The same weights, applied to one window at a time. Each new point becomes an input.
const last = fb.slice(outputs, { axis: 0, start: steps - 1 });
const curve = Array.from({ length: steps }, (_, t) => point(t));
for (let t = steps; t < steps + 20; t++) {
  const window = curve.slice(-steps).map((p) => [p]);
  const [[generated]] = fb.evaluate(last, { xs: window }).toArray() as [[[number, number]]];
  curve.push(generated);
}
console.log('generated', curve.at(-1), 'true', point(steps + 19));
