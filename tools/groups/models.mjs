// The graphs whose fused loops are compiled into the addon: the workloads of the benchmark, and small models that
// together use every layer, activation, loss and optimizer.

/** Returns the updates of every optimizer, by name. */
const optimizers = (fb) => ({
  sgd: (loss, parameters, rate) => fb.sgd(loss, parameters, { rate }),
  momentum: (loss, parameters, rate) => fb.sgd(loss, parameters, { rate, momentum: 0.9 }),
  adam: (loss, parameters, rate) => fb.adam(loss, parameters, { rate }),
});

const activations = (fb) => ({
  relu: fb.relu,
  tanh: fb.tanh,
  sigmoid: fb.sigmoid,
  softplus: fb.softplus,
});

/** Returns the losses by name. Each is a function of the output [batch, units] of a model. */
const losses = (fb, dtype) => ({
  mse: (y) => fb.mse(y, fb.input('target', y.shape, { dtype })),
  binary: (y) => fb.binaryCrossEntropyWithLogits(y, fb.input('target', y.shape, { dtype })),
  classes: (y) => fb.softmaxCrossEntropy(y, fb.input('target', [y.shape[0]], { dtype: 'int32' })),
  probabilities: (y) => fb.softmaxCrossEntropy(y, fb.input('target', y.shape, { dtype })),
});

/**
 * Yields the graphs, as { name, outputs, updates }.
 * @param fb forebay
 * @param bench the workloads of the benchmark, with `buildGraph` and the function `startOf`, which makes the initial
 *   values of a workload
 */
export function* models(fb, bench) {
  for (const [name, spec] of Object.entries(bench.workloads)) {
    if (spec.kind !== 'compile') yield workload(fb, bench, name, spec);
  }
  for (const dtype of ['float32', 'float64']) {
    for (const batch of [1, 16]) {
      for (const activation of Object.keys(activations(fb)))
        yield dense(fb, { dtype, batch, activation });
      for (const loss of Object.keys(losses(fb, dtype))) yield dense(fb, { dtype, batch, loss });
      for (const optimizer of Object.keys(optimizers(fb)))
        yield dense(fb, { dtype, batch, optimizer });
    }
    for (const batch of [1, 16]) yield unrolled(fb, batch, dtype);
    for (const layer of ['SimpleRNN', 'GRU', 'LSTM']) yield loop(fb, layer, dtype);
  }
  yield autoencoder(fb);
  for (const dtype of ['float32', 'float64']) {
    for (const name of Object.keys(normalizations(fb))) yield normalization(fb, name, dtype);
    for (const name of ['classes', 'probabilities']) yield manyClasses(fb, name, dtype);
  }
}

function workload(fb, { buildGraph, startOf }, name, spec) {
  const { output, parameters } = buildGraph(spec, startOf(spec));
  const rate = fb.state('rate', fb.tensor(0.1, { dtype: spec.dtype }));
  const updates = spec.kind === 'predict' ? [] : fb[spec.optimizer](output, parameters, { rate });
  return { name, outputs: [output], updates };
}

/** Two dense layers. */
function dense(fb, { dtype, batch, activation = 'relu', loss = 'mse', optimizer = 'sgd' }) {
  const first = new fb.FeedForward('first', {
    inputs: 24,
    units: 40,
    dtype,
    activation: activations(fb)[activation],
  });
  const second = new fb.FeedForward('second', { inputs: 40, units: 12, dtype });
  const y = second.apply(first.apply(fb.input('x', [batch, 24], { dtype })));
  const output = losses(fb, dtype)[loss](y);
  const updates = optimizers(fb)[optimizer](
    output,
    [...first.parameters, ...second.parameters],
    0.1,
  );
  return { name: `dense ${activation} ${loss} ${optimizer}`, outputs: [output], updates };
}

/** An LSTM whose steps are applied one by one, as users write it who need more than a layer. */
function unrolled(fb, batch, dtype) {
  const layer = new fb.LSTM('lstm', { inputs: 24, units: 40, dtype });
  const xs = fb.input('xs', [5, batch, 24], { dtype });
  const zeros = fb.broadcastTo(fb.constant(0, { dtype }), [batch, 40]);
  let state = { hidden: zeros, cell: zeros };
  const steps = Array.from({ length: 5 }, (_, t) => {
    const x = fb.reshape(fb.slice(xs, { axis: 0, start: t, end: t + 1 }), [batch, 24]);
    state = layer.step(x, state);
    return state.hidden;
  });
  const hidden = fb.stack(steps, 0);
  const loss = fb.mse(hidden, fb.input('target', hidden.shape, { dtype }));
  return { name: 'lstm', outputs: [loss], updates: fb.adam(loss, layer.parameters) };
}

/** A recurrent layer over a named number of steps, and over rows of different lengths. */
function loop(fb, kind, dtype) {
  const layer = new fb[kind]('layer', { inputs: 24, units: 40, dtype });
  const xs = fb.input('xs', ['steps', 16, 24], { dtype });
  const { hidden, last } = layer.unroll(xs);
  const own = fb.mse(hidden, fb.input('target', hidden.shape, { dtype }));
  const end = fb.mse(last.hidden, fb.input('end', last.hidden.shape, { dtype }));
  return {
    name: `${kind} in a loop`,
    outputs: [own, end],
    updates: fb.adam(fb.add(own, end), layer.parameters),
    bindings: new Map([['steps', 5]]),
  };
}

function autoencoder(fb) {
  const vae = new fb.VariationalAutoencoder('vae', { inputs: 48, hidden: 24, latent: 12 });
  const loss = vae.loss(fb.input('x', [16, 48]));
  return { name: 'autoencoder', outputs: [loss], updates: fb.adam(loss, vae.parameters) };
}

/** Normalisations of the rows of x [rows, columns], and a layer normalisation with the layer's parameters. */
const normalizations = (fb) => ({
  softmax: (x) => [fb.softmax(x)],
  logSoftmax: (x) => [fb.logSoftmax(x)],
  layerNorm: (x, dtype) => {
    const centred = fb.sub(x, fb.mean(x, -1, { keepDims: true }));
    const variance = fb.mean(fb.square(centred), -1, { keepDims: true });
    const scale = fb.parameter('scale', fb.tensor(new Array(64).fill(1), { dtype }));
    const shift = fb.parameter('shift', fb.tensor(new Array(64).fill(0), { dtype }));
    const normal = fb.div(centred, fb.sqrt(fb.add(variance, 1e-5)));
    return [fb.add(fb.mul(normal, scale), shift), scale, shift];
  },
});

/** A normalisation, forward and backward. */
function normalization(fb, name, dtype) {
  const x = fb.parameter('x', fb.tensor(new Array(1024).fill(1), { shape: [16, 64], dtype }));
  const [y, ...parameters] = normalizations(fb)[name](x, dtype);
  const gradients = fb.backward(fb.sum(fb.mul(y, fb.input('gradient', [16, 64], { dtype }))));
  const outputs = [y, ...[x, ...parameters].map((parameter) => gradients.of(parameter))];
  return { name: `${name} forward and backward`, outputs, updates: [] };
}

/** A dense layer and a loss of many classes, whose rows are long enough for loops over whole rows. */
function manyClasses(fb, loss, dtype) {
  const layer = new fb.FeedForward('layer', { inputs: 24, units: 64, dtype });
  const output = losses(fb, dtype)[loss](layer.apply(fb.input('x', [16, 24], { dtype })));
  const updates = fb.sgd(output, layer.parameters, { rate: 0.1 });
  return { name: `many ${loss}`, outputs: [output], updates };
}
