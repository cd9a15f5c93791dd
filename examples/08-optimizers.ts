// A rule for training: AdamW whose rate follows a schedule, with clipped gradients, accumulated over 4 minibatches. The
// averaged weights are served.
import * as fb from 'forebay';

/** Points on three arms, with a little noise. The seed determines the noise. */
function spiral(points: number, seed: number) {
  const noise = fb.evaluate(fb.randomNormal([points], { seed })).data;
  const label = Int32Array.from({ length: points }, (_, index) => index % 3);
  const x = Array.from(label, (arm, index) => {
    const radius = 0.1 + (0.9 * index) / points;
    const angle = (2 * Math.PI * arm) / 3 + 4 * radius + 0.15 * (noise[index] as number);
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
  return { x: fb.tensor(x), label: fb.tensor(label) };
}

class Net extends fb.Module {
  readonly hidden = new fb.Dense(this.scope('hidden'), {
    inputs: 2,
    units: 50,
    activation: fb.tanh,
  });
  readonly classes = new fb.Dense(this.scope('classes'), { inputs: 50, units: 3 });
  forward(x: fb.Node) {
    return this.classes.apply(this.hidden.apply(x));
  }
}

fb.setSeed(1);
const net = new Net('net');
const x = fb.input('x', ['batch', 2]);
const label = fb.input('label', ['batch'], { dtype: 'int32' });
const y = net.apply(x);
const loss = fb.training(() => fb.softmaxCrossEntropy(net.apply(x), label));
const data = spiral(960, 1);

const rule = fb.adamW({
  rate: fb.schedules.cosine({ peak: 0.02, warmup: 50, total: 600 }),
  weightDecay: 0.01,
  decays: (p) => p.shape.length > 1,
  clipGlobalNorm: 1,
});
const updates = fb.optimize(loss, net, fb.accumulate(4, fb.averageWeights(rule, { decay: 0.98 })));
const [rate] = fb.rates(updates);
const training = fb.compile({ outputs: { loss, rate: rate as fb.Node }, updates });
const history = await fb.fit(training, data, { epochs: 80, batchSize: 32, seed: 1 });
const serving = fb.compile({ outputs: { y: fb.substitute(y, fb.averages(updates)) } });

for (const { epoch, outputs, skipped } of history.epochs.filter(({ epoch }) => epoch % 20 === 19)) {
  const means = `loss ${outputs.loss.toFixed(3)}, rate ${outputs.rate.toFixed(4)}`;
  console.log(`epoch ${epoch + 1}: ${means}, ${skipped} steps skipped`);
}
const unseen = spiral(300, 2);
const logits = fb.constant(serving.run({ x: unseen.x }).y);
const right = fb.mean(
  fb.cast(fb.equal(fb.argmax(logits, -1), fb.constant(unseen.label)), 'float32'),
);
console.log(`${(100 * fb.evaluate(right).item()).toFixed(1)} % of the test points`);
