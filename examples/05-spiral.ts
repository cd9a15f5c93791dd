// Three spirals: a classifier with one hidden layer. `forebay demo spiral` draws its decision regions.
import * as fb from 'forebay';

/** Points on three arms, with a little noise. The seed determines the noise. */
function spiral(points: number, seed: number): { x: fb.Tensor; label: fb.Tensor } {
  const noise = fb.evaluate(fb.randomNormal([points], { seed })).data;
  const label = Int32Array.from({ length: points }, (_, index) => index % 3);
  const x = Array.from(label, (arm, index) => {
    const radius = 0.1 + (0.9 * index) / points;
    const angle = (2 * Math.PI * arm) / 3 + 4 * radius + 0.15 * (noise[index] as number);
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
  return { x: fb.tensor(x), label: fb.tensor(label) };
}

fb.setSeed(1);
const hidden = new fb.FeedForward('hidden', { inputs: 2, units: 50, activation: fb.tanh });
const classes = new fb.FeedForward('classes', { inputs: 50, units: 3 });
const x = fb.input('x', ['batch', 2]);
const label = fb.input('label', ['batch'], { dtype: 'int32' });
const logits = classes.apply(hidden.apply(x));
const loss = fb.softmaxCrossEntropy(logits, label);
const updates = fb.adam(loss, [...hidden.parameters, ...classes.parameters], { rate: 0.02 });

const train = spiral(300, 1);
for (let update = 0; update < 300; update++) fb.evaluate(loss, train, { updates });

const right = fb.mean(fb.cast(fb.equal(fb.argmax(logits, -1), label), 'float32'));
console.log(`${(100 * fb.evaluate(right, spiral(300, 2)).item()).toFixed(1)} % of the test points`);
