/**
 * Lists a valid call of every public function, constructor, method and setter, with all its arguments. Ops need no
 * entry in the table, because each op declares samples of its operands, from which its calls are made.
 */

import { allDeclaredOptions } from '../../src/arguments/options.js';
import { declaredOps } from '../../src/graph/op.js';
import { reachable } from '../../src/graph/topology.js';
import * as fb from '../../src/index.js';
import { buildSample } from '../ops/samples.js';
import { type Call, isPlain } from './odd.js';

type Function_ = (...args: unknown[]) => unknown;
type Class = (new (...args: unknown[]) => unknown) & { readonly prototype: object };

/** A public function, constructor, method or setter. */
export interface Callable {
  /** The name, such as 'adam', 'new LSTM', 'Tensor.zeros', 'Program#run' or, for a setter, 'Program#runs ='. */
  readonly name: string;
  /** Makes the arguments of a valid call; undefined if no valid call is known. */
  readonly call: (() => Call) | undefined;
  invoke(call: Call): unknown;
}

const w = fb.parameter('w', [
  [1, 2],
  [3, 4],
]);
const b = fb.parameter('b', [1, 2]);
const exact = fb.parameter('exact', fb.tensor([1, 2], { dtype: 'float64' }));
const x = fb.input('x', ['batch', 2]);
const y = fb.add(fb.matmul(x, w), b);
const loss = fb.mean(fb.square(y));
const steps = fb.input('steps', [3, 2, 2]);
const one = fb.input('one', [2, 2]);
const classes = fb.input('classes', ['batch'], { dtype: 'int32' });
const allOfCrossEntropy = {
  weights: [1, 2],
  labelSmoothing: 0.1,
  ignoreIndex: -1,
  reduction: 'sum',
};
const data = [
  [1, 2],
  [3, 4],
];
const feeds = { x: fb.tensor(data) };
const dataset = { x: fb.tensor(data) };

const layer = new fb.FeedForward('layer', { inputs: 2, units: 3 });
const lstm = new fb.LSTM('lstm', { inputs: 2, units: 2 });
class Twice extends fb.Module {
  readonly inner = new fb.Dense(this.scope('inner'), { inputs: 2, units: 2 });
  forward(x: fb.Node) {
    return fb.mul(this.inner.apply(x), 2);
  }
}
const modules = { make: () => new Twice('twice') };
const counter = fb.state('counter', 0);
const vae = new fb.VariationalAutoencoder('vae', { inputs: 2, hidden: 2, latent: 2 });
const finishing = { activation: fb.relu, bias: true };
const recurrent = { inputs: 2, units: 3, layers: 2, bidirectional: true, dropout: 0.5 };
const normOptions = { epsilon: 0.1, dtype: 'float32' };
const layerOptions = { init: fb.initializers.he(), dtype: 'float32', seed: 1 };

const loraOptions = { init: fb.initializers.he(), seed: 1 };

const asked = fb.compile({ outputs: { y } });
const trained = () => fb.compile({ outputs: { loss }, updates: fb.sgd(loss, [w], { rate: 0.1 }) });
const training = trained();

/** Returns a backward pass over the node mul(w, b), to which no gradient has been sent yet. */
function startedPass() {
  const product = fb.mul(w, b);
  const waits = fb.WaitList.of(product).register(product, 'start');
  return { pass: new fb.BackwardPass(waits), product, waits };
}

/** Returns a backward pass like that of startedPass, after it has run to its end. */
function endedPass() {
  const { pass, product } = startedPass();
  pass.send(product, 'start', fb.constant(data));
  pass.run();
  return { pass, product };
}

let ops = 0;
const declaration = () => ({
  name: `odd${ops++}`,
  arity: 1,
  broadcasts: false,
  interned: true,
  dtype: ([first]: fb.Node[]) => first?.dtype,
  shape: ([first]: fb.Node[]) => first?.shape,
  lowering: { kind: 'alias' },
  gradient: ({ gradient }: { gradient: fb.Node }) => [gradient],
  samples: [],
  refused: [],
  label: () => '',
});
const severalDeclaration = () => {
  const { dtype, shape, ...rest } = declaration();
  return {
    ...rest,
    results: (inputs: fb.Node[]) => ({ a: { dtype: dtype(inputs), shape: shape(inputs) } }),
    lowering: { kind: 'compose', expand: ([x]: fb.Node[]) => ({ a: x }) },
    gradient: ({ gradients: { a } }: { gradients: Record<string, fb.Sent> }) => [a],
  };
};
const scaled = fb.defineOp(declaration() as unknown as fb.OpDeclaration);

const error = () => ({ args: ['what', { cause: 'why' }] });
const drawn = { args: [[2, 2], { dtype: 'float32', seed: 1 }] };
const checkpointed = () => ({
  updates: [[w, fb.mul(w, 2)]],
  program: training,
  metadata: { key: 'value' },
});

fb.save('saved.safetensors', [w], { metadata: { key: 'value' } });
fb.saveNpy('saved.npy', w);
fb.saveNpz('saved.npz', { w });
await fb.checkpoint('saved.checkpoint', checkpointed() as unknown as fb.CheckpointOptions);
const { readFileSync, writeFileSync } = await import('node:fs');
writeFileSync(
  'saved.safetensors.index.json',
  JSON.stringify({ weight_map: { w: 'saved.safetensors' } }),
);
writeFileSync('saved.csv', 'a,b\n1,2\n3,4\n');
const loadOptions = { only: ['w'], dtype: { w: 'float64' }, onSkipped: () => {} };
const csvOptions = {
  columns: { a: 'a', both: ['a', 'b'] },
  header: true,
  separator: ',',
  quote: '"',
  missing: [''],
  fill: 0,
  dtype: { a: 'float64' },
};

const pool2d = {
  size: [2, 2],
  stride: 2,
  padding: [
    [1, 1],
    [0, 0],
  ],
  dilation: 1,
  ceil: true,
};
const pool1d = { size: 2, stride: 2, padding: 1, dilation: 1, ceil: true };

const conv2d = {
  stride: [1, 1],
  padding: [
    [1, 1],
    [0, 0],
  ],
  dilation: 1,
  groups: 2,
};
const conv1d = { stride: 2, padding: [1, 0], dilation: 1, groups: 2 };

const decays = ({ shape }: fb.Variable) => shape.length > 1;
const momentum = { momentum: 0.9, clipGlobalNorm: 1 };
const sgdOptions = { rate: 0.1, nesterov: true, weightDecay: 0.1, decays, ...momentum };
const adamOptions = {
  rate: (step: fb.Node) => fb.div(0.1, fb.add(step, 1)),
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  amsgrad: true,
  weightDecay: 0.1,
  decays,
  clipGlobalNorm: 1,
};
const rmsPropOptions = { rate: 0.1, decay: 0.9, epsilon: 1e-8, centered: true, ...momentum };
const adagradOptions = { rate: 0.1, initial: 0.1, epsilon: 1e-8, clipGlobalNorm: 1 };
const lionOptions = {
  rate: 0.1,
  beta1: 0.9,
  beta2: 0.99,
  weightDecay: 0.1,
  decays,
  clipGlobalNorm: 1,
};
const averaged = fb.optimize(loss, w, fb.averageWeights(fb.adam(), { decay: 0.9 }));

const table: Readonly<Record<string, () => Call>> = {
  // tensors
  tensor: () => ({ args: [data, { shape: [4], dtype: 'float64' }] }),
  'tensor, of a list of typed arrays': () => ({ args: [[new Float32Array(2), new Uint8Array(2)]] }),
  'tensor, of a plain object': () => ({
    args: [{ dtype: 'float32', shape: [2], data: ['NaN', 1] }],
  }),
  'new Tensor': () => ({ args: [new Float32Array(4), [2, 2]] }),
  'Tensor.zeros': () => ({ args: [[2, 2], { dtype: 'float64' }] }),
  'Tensor.ones': () => ({ args: [[2, 2], { dtype: 'float64' }] }),
  'Tensor.full': () => ({ args: [[2, 2], 7, { dtype: 'float64' }] }),
  'Tensor#toArray': () => ({ on: fb.tensor(data), args: [] }),
  'Tensor#item': () => ({ on: fb.tensor(1), args: [] }),
  'Tensor#toJSON': () => ({ on: fb.tensor(data), args: [] }),
  'Tensor#toString': () => ({ on: fb.tensor(data), args: [] }),
  'Tensor#nodejs.util.inspect.custom': () => ({ on: fb.tensor(data), args: [1, { depth: 1 }] }),

  // ops whose samples do not show all arguments
  sort: () => ({ args: [fb.input('sorted', [2, 3]), 1, { descending: true }] }),
  scan: () => ({
    args: [
      ({ h }: { h: fb.Node }, x: fb.Node) => [{ h: fb.add(h, x) }, h],
      {
        over: fb.input('rows', [4, 2]),
        initial: { h: fb.constant(fb.tensor([0, 0])) },
        length: 4,
        reverse: true,
        name: 'sums',
        recompute: { every: 2 },
      },
    ],
  }),
  sortWithIndices: () => ({ args: [fb.input('sorted', [2, 3]), 1, { descending: true }] }),
  result: () => ({ args: [fb.sort(fb.input('sorted', [2, 3])).inputs[0], 'indices'] }),
  topK: () => ({ args: [fb.input('top', [2, 3]), 2, 1] }),
  maxPool2d: () => ({ args: [fb.input('images', ['batch', 1, 4, 4]), pool2d] }),
  avgPool2d: () => ({
    args: [fb.input('images', ['batch', 1, 4, 4]), { ...pool2d, countPadding: true }],
  }),
  maxPool1d: () => ({ args: [fb.input('sequences', ['batch', 1, 4]), pool1d] }),
  avgPool1d: () => ({
    args: [fb.input('sequences', ['batch', 1, 4]), { ...pool1d, countPadding: true }],
  }),
  conv2d: () => ({
    args: [fb.input('images', ['batch', 2, 4, 4]), fb.input('filters', [4, 1, 3, 3]), conv2d],
  }),
  conv1d: () => ({
    args: [fb.input('sequences', ['batch', 2, 4]), fb.input('filters', [4, 1, 3]), conv1d],
  }),

  convTranspose2d: () => ({
    args: [
      fb.input('images', ['batch', 4, 3, 3]),
      fb.input('filters', [4, 1, 3, 3]),
      { ...conv2d, outputPadding: [0, 0] },
    ],
  }),
  convTranspose1d: () => ({
    args: [
      fb.input('sequences', ['batch', 4, 3]),
      fb.input('filters', [4, 1, 3]),
      { ...conv1d, outputPadding: 1 },
    ],
  }),
  einsum: () => ({ args: ['ij,jk->ik', one, one] }),
  pad: () => ({
    args: [
      one,
      [
        [1, 0],
        [0, 1],
      ],
      { mode: 'constant', value: 1 },
    ],
  }),
  roll: () => ({ args: [one, [1, 1], [0, 1]] }),
  tile: () => ({ args: [one, [2, 1]] }),
  split: () => ({ args: [one, [1, 1], 0] }),
  squeeze: () => ({ args: [fb.reshape(one, [1, 4]), [0]] }),
  expandDims: () => ({ args: [one, [0]] }),
  tril: () => ({ args: [one, 1] }),
  triu: () => ({ args: [one, 1] }),
  upsample2d: () => ({
    args: [fb.input('images', ['batch', 1, 4, 4]), { scale: [2, 2], mode: 'bilinear' }],
  }),
  fromHWC: () => ({ args: [fb.input('photos', [4, 4, 3])] }),
  dropout: () => ({ args: [one, { rate: 0.5, seed: 1 }] }),
  attention: () => ({ args: [one, one, one, { mask: one, causal: true, scale: 1 }] }),

  // leaves
  input: () => ({ args: ['fed', ['batch', 2], { dtype: 'int32' }] }),
  parameter: () => ({
    args: ['p', { shape: [2, 3], init: fb.initializers.he(), dtype: 'float64', seed: 1 }],
  }),
  'parameter, of a value': () => ({ args: ['p', data] }),
  state: () => ({ args: ['s', data, { dtype: 'float64' }] }),
  constant: () => ({ args: [data, { dtype: 'float64' }] }),
  'new Node': () => ({ args: [y.op, y.inputs, {}, y.shape, y.dtype, 'name'] }),
  'Node#named': () => ({ on: fb.neg(y), args: ['name'] }),
  'Node#toString': () => ({ on: y, args: [] }),
  'Node#nodejs.util.inspect.custom': () => ({ on: y, args: [] }),
  'Node#twin': () => ({ on: y, args: [] }),
  'Constant#twin': () => ({ on: fb.constant(1), args: [] }),
  'new Leaf': () => ({ args: ['input', [2], 'float32', 'name'] }),
  'new Input': () => ({ args: ['name', [2], 'float32'] }),
  'new Variable': () => ({ args: ['parameter', 'name', fb.tensor(data)] }),
  'Variable#set': () => ({ on: fb.parameter('p', data), args: [data] }),
  'new Constant': () => ({ args: [fb.tensor(data)] }),
  setSeed: () => ({ args: [0] }),
  training: () => ({ args: [() => y] }),
  inference: () => ({ args: [() => y] }),
  sideUpdate: () => ({ args: [y, counter, (old: fb.Node) => fb.add(old, 1)] }),
  sideUpdates: () => ({ args: [fb.sideUpdate(y, counter, (old) => fb.add(old, 1)), y] }),

  // modules
  scope: () => ({ args: ['net', layerOptions] }),
  'new Scope': () => ({ args: ['net', layerOptions, fb.scope('above')] }),
  'Scope#scope': () => ({ on: fb.scope('net'), args: ['key', layerOptions] }),
  'Scope#at': () => ({ on: fb.scope('net'), args: [0] }),
  'Scope#claim': () => ({ on: fb.scope('net'), args: [{}] }),
  'Scope#abandon': () => ({ on: fb.scope('net'), args: [{}] }),
  'Scope#confirm': () => ({ on: fb.scope('net'), args: [{}] }),
  'Scope#owners': () => ({ on: fb.scope('net'), args: [] }),
  'new Module': () => ({ args: ['net'] }),
  summary: () => ({ args: [layer] }),
  lora: () => ({
    args: [layer, { name: 'lora', rank: 1, alpha: 2, match: () => true, ...loraOptions }],
  }),
  substitute: () => ({ args: [{ loss }, new Map([[w, fb.mul(w, 2)]])] }),
  restore: () => ({
    args: ['saved.safetensors', { w }, { map: { w: 'w' }, strict: true, dtype: { w: 'float32' } }],
  }),
  'restore, by a map of PyTorch': () => ({
    args: ['saved.safetensors', { w }, { map: fb.maps.pytorch({ w }), dtype: 'float32' }],
  }),
  'maps.pytorch': () => ({ args: [{ layer, w }, { rename: { w: 'v' } }] }),
  'maps.pytorch, of a module': () => ({ args: [layer, { rename: (name: string) => `a.${name}` }] }),
  copy: () => ({ args: [{ w }, [w], { map: (path: string) => path, strict: false }] }),
  assign: () => ({ args: [{ w }, { w: fb.tensor(data) }, { map: { w: 'w' }, strict: true }] }),
  'assign, from a module': () => ({ args: [layer, layer, {}] }),
  'new Sequential': () => ({ args: ['s', [layer, fb.relu]] }),
  'Sequential#forward': () => ({ on: new fb.Sequential('s', [layer, fb.relu]), args: [one] }),
  'Module#scope': () => ({ on: modules.make(), args: ['key'] }),
  'Module#parameter': () => ({
    on: modules.make(),
    args: ['w', { shape: [2], init: fb.initializers.he(), dtype: 'float32', seed: 1 }],
  }),
  'Module#state': () => ({ on: modules.make(), args: ['s', data, { dtype: 'float32' }] }),
  'Module#apply': () => ({ on: modules.make(), args: [one] }),
  'Module#within': () => ({ on: modules.make(), args: [() => y, [one]] }),
  'Module#abandon': () => ({ on: modules.make(), args: [] }),
  'Module#toString': () => ({ on: modules.make(), args: [] }),
  'Scope#toString': () => ({ on: fb.scope('net'), args: [] }),
  'Module#entries': () => ({ on: modules.make(), args: [] }),
  'Module#freeze': () => ({ on: modules.make(), args: [() => true] }),
  'Module#unfreeze': () => ({ on: modules.make(), args: [() => true] }),

  // ops whose samples do not show how they are called
  extent: () => ({ args: ['batch', 'float32'] }),
  assemble: () => ({ args: [[3, 2], [new fb.Part(w, [1, 0])]] }),
  'new Part': () => ({ args: [w, [1, 0], [1, -1]] }),
  defineOp: () => ({ args: [declaration()] }),
  'defineOp, several results': () => ({ args: [severalDeclaration()] }),
  'defineOp()': () => ({ args: [w, {}] }),
  notDifferentiable: () => ({ args: ['a reason'] }),

  // differentiation
  'WaitList.of': () => ({ args: [y, loss] }),
  'new WaitList': () => ({ args: [] }),
  'WaitList#register': () => ({ on: new fb.WaitList(), args: [w, fb.mul(w, 2)] }),
  'WaitList#edges': () => ({ on: fb.WaitList.of(loss), args: [w] }),
  'WaitList#nodes': () => ({ on: fb.WaitList.of(loss), args: [] }),
  'WaitList#has': () => ({ on: fb.WaitList.of(loss), args: [w] }),
  'WaitList#isRegistered': () => ({ on: fb.WaitList.of(loss), args: [w, y, 1] }),
  'WaitList#check': () => ({ on: fb.WaitList.of(loss, y), args: [loss, y] }),
  'WaitList#clone': () => ({ on: fb.WaitList.of(loss), args: [] }),
  backward: () => ({
    args: [loss, { waits: fb.WaitList.of(loss), gradient: fb.constant(1) }],
  }),
  'backward, of pairs': () => ({
    args: [[[loss, fb.constant(1)]], { waits: fb.WaitList.of(loss) }],
  }),
  'new BackwardPass': () => ({ args: [fb.WaitList.of(loss)] }),
  'BackwardPass#send': () => {
    const { pass, product } = startedPass();
    return { on: pass, args: [product, 'start', fb.constant(data)] };
  },
  'BackwardPass#ready': () => ({ on: startedPass().pass, args: [w] }),
  'BackwardPass#missing': () => ({ on: startedPass().pass, args: [w] }),
  'BackwardPass#gradient': () => ({ on: endedPass().pass, args: [w] }),
  'BackwardPass#reaches': () => ({ on: endedPass().pass, args: [w] }),
  'BackwardPass#step': () => ({ on: startedPass().pass, args: [] }),
  'BackwardPass#run': () => ({ on: endedPass().pass, args: [] }),
  'new Gradients': () => ({ args: [endedPass().pass, fb.WaitList.of(loss)] }),
  'Gradients#of': () => ({ on: fb.backward(loss), args: [w] }),
  'Gradients#reaches': () => ({ on: fb.backward(loss), args: [w] }),
  checkGradients: () => ({
    args: [fb.mul(exact, exact), [exact], { feeds: {}, step: 1e-5, tolerance: 1e-6, seed: 7 }],
  }),

  // running
  evaluate: () => ({ args: [y, feeds, { updates: [[w, fb.mul(w, 1)]], run: 0 }] }),
  'evaluate, of a list': () => ({ args: [[y, loss], { x: data }, {}] }),
  'evaluate, of a record': () => ({ args: [{ y, loss }, { x: feeds.x }, {}] }),
  compile: () => ({
    args: [
      {
        inputs: { x },
        outputs: { y },
        metrics: { loss },
        updates: [[w, fb.mul(w, 1)]],
        threads: 1,
      },
    ],
  }),
  'compile, without names of dimensions': () => ({ args: [{ outputs: { w }, updates: [] }] }),
  'new Program': () => ({ args: [{ outputs: { y }, updates: [], threads: 1 }, undefined] }),
  'new Program, without names of dimensions': () => ({ args: [{ outputs: { w } }, undefined] }),
  'Program#run': () => ({
    on: asked,
    args: [feeds, { into: { y: fb.Tensor.zeros([2, 2]) }, checkFinite: true }],
  }),
  'Program#runAsync': () => ({
    on: asked,
    args: [{ x: data }, { signal: new AbortController().signal, checkFinite: true }],
  }),
  'Program#stats': () => ({ on: fb.compile({ outputs: { w } }), args: [] }),
  'Program#runs =': () => ({ on: fb.compile({ outputs: { w } }), args: [3] }),
  'Program#prepare': () => ({ on: asked, args: [{ batch: 2 }] }),
  'Program#profile': () => ({ on: asked, args: [feeds] }),
  'Program#dispose': () => ({ on: fb.compile({ outputs: { w } }), args: [] }),
  [`Program#${Symbol.dispose.description}`]: () => ({
    on: fb.compile({ outputs: { w } }),
    args: [],
  }),
  setThreads: () => ({ args: [fb.getThreads()] }),
  getThreads: () => ({ args: [] }),
  nativeInfo: () => ({ args: [] }),
  // With the option `addon`, configure would throw a StateError, because an addon is loaded already.
  configure: () => ({ args: [{}] }),
  dot: () => ({
    args: [[loss, y], { waits: fb.WaitList.of(loss, y), title: 'title', direction: 'LR' }],
  }),

  // layers, losses, optimizers
  'new FeedForward': () => ({
    args: ['f', { inputs: 2, units: 3, activation: fb.relu, ...layerOptions }],
  }),
  'new Dense': () => ({
    args: ['d', { inputs: 2, units: 3, activation: fb.relu, bias: true, ...layerOptions }],
  }),
  'Dense#forward': () => ({ on: layer, args: [one] }),
  'new Conv1d': () => ({
    args: ['c', { inputs: 2, filters: 4, size: 3, ...conv1d, ...finishing, ...layerOptions }],
  }),
  'Conv1d#forward': () => ({
    on: new fb.Conv1d('c', { inputs: 2, filters: 4, size: 3 }),
    args: [fb.input('sequences', ['batch', 2, 4])],
  }),
  'new Conv2d': () => ({
    args: ['c', { inputs: 2, filters: 4, size: [3, 3], ...conv2d, ...finishing, ...layerOptions }],
  }),
  'Conv2d#forward': () => ({
    on: new fb.Conv2d('c', { inputs: 2, filters: 4, size: 3 }),
    args: [fb.input('images', ['batch', 2, 4, 4])],
  }),
  'new MultiHeadAttention': () => ({
    args: ['m', { features: 2, heads: 2, dropout: 0.5, ...layerOptions }],
  }),
  'MultiHeadAttention#forward': () => ({
    on: new fb.MultiHeadAttention('m', { features: 2, heads: 1 }),
    args: [one, one, one, { mask: fb.input('mask', [2, 2], { dtype: 'bool' }), causal: true }],
  }),
  'MultiHeadAttention#forward, of one operand': () => ({
    on: new fb.MultiHeadAttention('m', { features: 2, heads: 1 }),
    args: [one, { causal: true }],
  }),
  'new TransformerEncoderLayer': () => ({
    args: [
      't',
      {
        features: 2,
        heads: 2,
        hidden: 3,
        activation: fb.relu,
        normFirst: true,
        dropout: 0.5,
        ...layerOptions,
      },
    ],
  }),
  'TransformerEncoderLayer#forward': () => ({
    on: new fb.TransformerEncoderLayer('t', { features: 2, heads: 1, hidden: 2 }),
    args: [one, { causal: true }],
  }),
  'new Dropout': () => ({ args: ['d', { rate: 0.5, seed: 1 }] }),
  'Dropout#forward': () => ({ on: new fb.Dropout('d', { rate: 0.5 }), args: [one] }),
  'new ConvTranspose2d': () => ({
    args: [
      'c',
      {
        inputs: 2,
        filters: 4,
        size: 3,
        outputPadding: 0,
        ...conv2d,
        ...finishing,
        ...layerOptions,
      },
    ],
  }),
  'ConvTranspose2d#forward': () => ({
    on: new fb.ConvTranspose2d('c', { inputs: 2, filters: 4, size: 3 }),
    args: [fb.input('images', ['batch', 2, 4, 4])],
  }),
  'new Embedding': () => ({ args: ['e', { inputs: 3, units: 2, ...layerOptions }] }),
  'Embedding#forward': () => ({
    on: new fb.Embedding('e', { inputs: 3, units: 2 }),
    args: [fb.input('tokens', ['batch'], { dtype: 'int32' })],
  }),
  'new LayerNorm': () => ({ args: ['n', { features: 2, ...normOptions }] }),
  'LayerNorm#forward': () => ({ on: new fb.LayerNorm('n', { features: 2 }), args: [one] }),
  'new RMSNorm': () => ({ args: ['n', { features: 2, ...normOptions }] }),
  'RMSNorm#forward': () => ({ on: new fb.RMSNorm('n', { features: 2 }), args: [one] }),
  'new BatchNorm': () => ({ args: ['n', { features: 2, momentum: 0.5, ...normOptions }] }),
  'BatchNorm#forward': () => ({ on: new fb.BatchNorm('n', { features: 2 }), args: [one] }),
  'new GroupNorm': () => ({ args: ['n', { features: 2, groups: 2, ...normOptions }] }),
  'GroupNorm#forward': () => ({
    on: new fb.GroupNorm('n', { features: 2, groups: 1 }),
    args: [one],
  }),
  'new Recurrent': () => ({ args: ['r', { inputs: 2, units: 3 }] }),
  'new SimpleRNN': () => ({ args: ['r', { ...recurrent, ...layerOptions }] }),
  'new GRU': () => ({ args: ['g', { ...recurrent, ...layerOptions }] }),
  'new LSTM': () => ({ args: ['l', { ...recurrent, ...layerOptions }] }),
  'Recurrent#step': () => ({ on: lstm, args: [one, { hidden: one, cell: one }] }),
  'Recurrent#forward': () => ({
    on: lstm,
    args: [steps, { initial: { hidden: one, cell: one } }],
  }),
  'Recurrent#unroll': () => ({ on: lstm, args: [steps, {}] }),
  'Recurrent#unroll, with options': () => ({
    on: lstm,
    args: [
      steps,
      {
        initial: { hidden: one, cell: one },
        lengths: fb.input('lengths', [2], { dtype: 'int32' }),
      },
    ],
  }),
  'Recurrent#step, of a GRU': () => ({
    on: new fb.GRU('gru', { inputs: 2, units: 2 }),
    args: [one, { hidden: one }],
  }),
  'Recurrent#unroll, of two directions': () => ({
    on: new fb.GRU('gru', { inputs: 2, units: 2, bidirectional: true }),
    args: [steps, { initial: { forward: { hidden: one }, backward: { hidden: one } } }],
  }),
  'Recurrent#unroll, over a list': () => ({ on: lstm, args: [[one, one]] }),
  'new VariationalAutoencoder': () => ({
    args: ['v', { inputs: 2, hidden: 2, latent: 2, decoderHidden: 0, ...layerOptions }],
  }),
  'VariationalAutoencoder#forward': () => ({ on: vae, args: [one] }),
  'VariationalAutoencoder#encode': () => ({ on: vae, args: [one] }),
  'VariationalAutoencoder#decode': () => ({ on: vae, args: [one] }),
  'VariationalAutoencoder#decodeLogits': () => ({ on: vae, args: [one] }),
  'VariationalAutoencoder#loss': () => ({ on: vae, args: [one, { noise: one }] }),
  'VariationalAutoencoder#terms': () => ({ on: vae, args: [one, { noise: one }] }),
  // ops and losses
  gelu: () => ({ args: [one, { approximate: 'tanh' }] }),
  silu: () => ({ args: [one] }),
  mish: () => ({ args: [one] }),
  hardSigmoid: () => ({ args: [one] }),
  hardSwish: () => ({ args: [one] }),
  selu: () => ({ args: [one] }),
  elu: () => ({ args: [one, { alpha: 2 }] }),
  leakyRelu: () => ({ args: [one, { slope: 0.1 }] }),
  min: () => ({ args: [one, [1], { keepDims: true }] }),
  prod: () => ({ args: [one, [1], { keepDims: true }] }),
  all: () => ({ args: [one, [1], { keepDims: true }] }),
  any: () => ({ args: [one, [1], { keepDims: true }] }),
  variance: () => ({ args: [one, [1], { correction: 1, keepDims: true }] }),
  std: () => ({ args: [one, [1], { correction: 1, keepDims: true }] }),
  norm: () => ({ args: [fb.input('vectors', [2, 3]), { p: 3, axes: [1], keepDims: true }] }),
  clamp: () => ({ args: [fb.input('clamped', [2]), { min: 0, max: 1 }] }),
  log2: () => ({ args: [fb.input('positive', [2])] }),
  reciprocal: () => ({ args: [fb.input('positive', [2])] }),
  mse: () => ({ args: [y, y, { reduction: 'sum' }] }),
  mae: () => ({ args: [y, y, { reduction: 'sum' }] }),
  huber: () => ({ args: [y, y, { delta: 2, reduction: 'none' }] }),
  klDivergence: () => ({ args: [y, y, { reduction: 'sum' }] }),
  cosineSimilarity: () => ({ args: [y, y, { axis: 1, epsilon: 1e-3 }] }),
  crossEntropy: () => ({ args: [y, classes, allOfCrossEntropy] }),
  'crossEntropy, of probabilities': () => ({ args: [y, y, { labelSmoothing: 0.1 }] }),
  softmaxCrossEntropy: () => ({ args: [y, classes, allOfCrossEntropy] }),
  binaryCrossEntropyWithLogits: () => ({
    args: [y, y, { positiveWeight: 2, weights: [1, 2], reduction: 'sum' }],
  }),
  'initializers.zeros': () => ({ args: [] }),
  'initializers.constant': () => ({ args: [1] }),
  'initializers.normal': () => ({ args: [1] }),
  'initializers.truncatedNormal': () => ({ args: [1] }),
  'initializers.glorot': () => ({ args: [] }),
  'initializers.he': () => ({ args: [] }),
  'initializers.lecunNormal': () => ({ args: [] }),
  'initializers.lecunUniform': () => ({ args: [] }),
  'initializers.kaimingUniform': () => ({ args: [1] }),
  'initializers.orthogonal': () => ({ args: [1] }),
  'initializers.zeros()': () => drawn,
  'initializers.constant()': () => drawn,
  'initializers.normal()': () => drawn,
  'initializers.truncatedNormal()': () => drawn,
  'initializers.glorot()': () => drawn,
  'initializers.he()': () => drawn,
  'initializers.orthogonal()': () => drawn,
  'initializers.kaimingUniform()': () => drawn,
  'initializers.lecunUniform()': () => drawn,
  'initializers.lecunNormal()': () => drawn,

  // optimizers
  adam: () => ({ args: [loss, [w, b], adamOptions] }),
  'adam, of options': () => ({ args: [adamOptions] }),
  adamW: () => ({ args: [loss, [w, [b]], adamOptions] }),
  'adamW, of options': () => ({ args: [adamOptions] }),
  sgd: () => ({ args: [fb.backward(loss), [w, b], sgdOptions] }),
  'sgd, of options': () => ({ args: [sgdOptions] }),
  rmsProp: () => ({ args: [loss, w, rmsPropOptions] }),
  'rmsProp, of options': () => ({ args: [rmsPropOptions] }),
  adagrad: () => ({ args: [loss, w, adagradOptions] }),
  'adagrad, of options': () => ({ args: [adagradOptions] }),
  lion: () => ({ args: [loss, w, lionOptions] }),
  'lion, of options': () => ({ args: [lionOptions] }),
  optimize: () => ({ args: [loss, [w, b], fb.adam(), { name: 'trunk' }] }),
  chain: () => ({ args: [fb.clipGlobalNorm(1), fb.scaleByRate(0.1)] }),
  clipGlobalNorm: () => ({ args: [1] }),
  clipValue: () => ({ args: [1] }),
  scaleByAdam: () => ({ args: [{ beta1: 0.9, beta2: 0.99, epsilon: 1e-8, amsgrad: true }] }),
  scaleByRate: () => ({ args: [0.1] }),
  'scaleByRate, of a schedule': () => ({
    args: [fb.schedules.linear({ from: 1, to: 0, total: 9 })],
  }),
  decayWeights: () => ({ args: [0.1, { decays }] }),
  groups: () => ({ args: [[[decays, fb.adam()], fb.adam()]] }),
  accumulate: () => ({ args: [4, fb.adam()] }),
  averageWeights: () => ({ args: [fb.adam(), { decay: 0.9 }] }),
  averages: () => ({ args: [averaged] }),
  rates: () => ({ args: [averaged] }),
  'schedules.cosine': () => ({ args: [{ peak: 1, warmup: 2, total: 9, end: 0.1 }] }),
  'schedules.linear': () => ({ args: [{ from: 1, to: 0, total: 9 }] }),
  'schedules.exponential': () => ({ args: [{ rate: 1, decay: 0.5, every: 2 }] }),
  'schedules.piecewise': () => ({ args: [{ boundaries: [2, 4], rates: [3, 2, 1] }] }),
  'schedules.oneCycle': () => ({ args: [{ peak: 1, total: 10 }] }),
  'schedules.cosine()': () => ({ args: [counter] }),
  'schedules.linear()': () => ({ args: [counter] }),
  'schedules.exponential()': () => ({ args: [counter] }),
  'schedules.piecewise()': () => ({ args: [counter] }),
  'schedules.oneCycle()': () => ({ args: [counter] }),

  // training
  fit: () => ({
    args: [
      training,
      dataset,
      {
        epochs: 1,
        batchSize: 1,
        shuffle: true,
        seed: 1,
        signal: new AbortController().signal,
        checkFinite: true,
        validate: { program: asked, dataset, batchSize: 2 },
        onBatch: () => {},
        onEpoch: () => {},
        checkpoint: { file: 'fit.checkpoint', every: { batches: 2, seconds: 9, epochs: 1 } },
        from: undefined,
      },
    ],
  }),
  predict: () => ({
    args: [asked, dataset, { batchSize: 2, signal: new AbortController().signal }],
  }),
  checkpoint: () => ({ args: ['new.checkpoint', checkpointed()] }),
  resume: () => {
    const { metadata: _, ...options } = checkpointed();
    return { args: ['saved.checkpoint', options] };
  },

  'fit, from a checkpoint': () => {
    const progress = { examples: 2, batchSize: 1, seed: undefined, epoch: 1, row: 0, sums: {} };
    const epochs = [{ epoch: 0, outputs: {} }];
    const from = {
      file: 'fit.checkpoint',
      runs: [3],
      progress: { ...progress, epochs, ended: false },
      metadata: {},
    };
    return { args: [training, dataset, { epochs: 1, batchSize: 1, shuffle: false, from }] };
  },

  // files
  save: () => ({
    args: [
      'new.safetensors',
      { w },
      { metadata: { key: 'value' }, dtype: { w: 'float16' }, map: {} },
    ],
  }),
  'save, by a map of PyTorch': () => ({
    args: ['new.safetensors', layer, { dtype: 'bfloat16', map: fb.maps.pytorch(layer) }],
  }),
  'save, of a list': () => ({ args: ['new.safetensors', [w], {}] }),
  load: () => ({ args: ['saved.safetensors', [w]] }),
  'load, into a record': () => ({ args: ['saved.safetensors', { w }] }),
  'load, with options': () => ({ args: ['saved.safetensors', loadOptions] }),
  'load, of bytes': () => ({ args: [readFileSync('saved.safetensors')] }),
  loadSharded: () => ({ args: ['saved.safetensors.index.json', loadOptions] }),
  loadMetadata: () => ({ args: ['saved.safetensors'] }),
  saveNpy: () => ({ args: ['new.npy', w] }),
  loadNpy: () => ({ args: ['saved.npy', { dtype: 'float64' }] }),
  saveNpz: () => ({ args: ['new.npz', { w }, { compress: true }] }),
  loadNpz: () => ({ args: ['saved.npz', [w]] }),
  'loadNpz, with options': () => ({ args: ['saved.npz', loadOptions] }),
  loadCsv: () => ({ args: ['saved.csv', csvOptions] }),
  parseCsv: () => ({ args: ['a,b\n1,2\n', csvOptions] }),
  'parseCsv, columns in a list': () => ({ args: ['1\n', { header: false, columns: [0] }] }),

  // errors
  'new ForebayError': error,
  'new ShapeError': error,
  'new DTypeError': error,
  'new GraphError': error,
  'new ValueError': error,
  'new StateError': error,
  'new FormatError': error,
  'new NumericError': error,
  'new NativeError': error,
};

/** The abstract classes among the exports. They refuse every call. */
export const refusing: ReadonlySet<string> = new Set(['new Leaf', 'new Module', 'new Recurrent']);

/** Functions that are not exports, but are returned by exports. */
const given: Readonly<Record<string, Function_>> = {
  'defineOp()': scaled as Function_,
  'initializers.zeros()': fb.initializers.zeros() as unknown as Function_,
  'initializers.constant()': fb.initializers.constant(1) as unknown as Function_,
  'initializers.normal()': fb.initializers.normal(1) as unknown as Function_,
  'initializers.truncatedNormal()': fb.initializers.truncatedNormal(1) as unknown as Function_,
  'initializers.glorot()': fb.initializers.glorot() as unknown as Function_,
  'initializers.lecunNormal()': fb.initializers.lecunNormal() as unknown as Function_,
  'initializers.lecunUniform()': fb.initializers.lecunUniform() as unknown as Function_,
  'initializers.kaimingUniform()': fb.initializers.kaimingUniform() as unknown as Function_,
  'initializers.orthogonal()': fb.initializers.orthogonal() as unknown as Function_,
  'initializers.he()': fb.initializers.he() as unknown as Function_,
  'schedules.cosine()': fb.schedules.cosine({ peak: 1, total: 9 }) as Function_,
  'schedules.linear()': fb.schedules.linear({ from: 1, to: 0, total: 9 }) as Function_,
  'schedules.exponential()': fb.schedules.exponential({ rate: 1, decay: 0.5 }) as Function_,
  'schedules.piecewise()': fb.schedules.piecewise({ boundaries: [2], rates: [2, 1] }) as Function_,
  'schedules.oneCycle()': fb.schedules.oneCycle({ peak: 1, total: 10 }) as Function_,
};

/**
 * Returns a valid call of an op, made from its samples; undefined if none is found. An op takes its operands, in a list
 * or one by one, and then its attributes in order. The last attributes may be in an options object. The function tries
 * all these forms, and returns the first one with which the op returns a node.
 */
function callOfOp(name: string, op: Function_): (() => Call) | undefined {
  for (const sample of declaredOps().get(name)?.samples ?? []) {
    const { root } = buildSample(sample, 1);
    const node = reachable([root]).find((made) => made.op.name === name);
    if (node === undefined) continue;
    const attributes = Object.entries(node.attributes);
    const operands = node.inputs.length === 0 ? [[]] : [[node.inputs], [...node.inputs]];
    for (const first of operands) {
      for (let placed = attributes.length; placed >= 0; placed--) {
        const options = Object.fromEntries(attributes.slice(placed));
        const args = [
          ...first,
          ...attributes.slice(0, placed).map(([, value]) => value),
          ...(placed === attributes.length ? [] : [options]),
        ];
        const others = { args: [...args, {}] };
        // If the op has options that are not attributes, such as keepDims, an options object is the last argument.
        if (declarationOf(name, {}) && gives(op, others.args)) return () => others;
        if (gives(op, args)) return () => ({ args });
      }
    }
  }
  return undefined;
}

function gives(op: Function_, args: readonly unknown[]): boolean {
  try {
    return op(...args) instanceof fb.Node;
  } catch {
    return false;
  }
}

const isClass = (value: unknown): value is Class =>
  typeof value === 'function' && /^class\b/.test(`${value}`);
const keyName = (key: string | symbol) => (typeof key === 'symbol' ? `${key.description}` : key);

function callable(name: string, invoke: Callable['invoke'], found?: () => Call): Callable[] {
  const variants = Object.keys(table).filter((key) => key.startsWith(`${name}, `));
  const own = { name, call: table[name] ?? found, invoke };
  return [own, ...variants.map((key) => ({ name: key, call: table[key], invoke }))];
}

function membersOf(name: string, ofClass: Class): Callable[] {
  const statics = Reflect.ownKeys(ofClass).flatMap((key) => {
    const { value } = Object.getOwnPropertyDescriptor(ofClass, key) as PropertyDescriptor;
    if (typeof value !== 'function') return [];
    return callable(`${name}.${keyName(key)}`, ({ args }) => Reflect.apply(value, ofClass, args));
  });
  const { prototype } = ofClass;
  const methods = Reflect.ownKeys(prototype).flatMap((key) => {
    const { value, set } = Object.getOwnPropertyDescriptor(prototype, key) as PropertyDescriptor;
    const path = `${name}#${keyName(key)}`;
    if (set) return callable(`${path} =`, ({ on, args }) => Reflect.apply(set, on, [args[0]]));
    if (typeof value !== 'function' || key === 'constructor') return [];
    return callable(path, ({ on, args }) => Reflect.apply(value, on, args));
  });
  return [...statics, ...methods];
}

/** Returns everything callable that `src/index.ts` exports, and the functions in `given`. */
export function everyCallable(): Callable[] {
  const exported = Object.entries(fb).flatMap(([name, value]) => {
    if (isClass(value)) {
      const made = callable(`new ${name}`, ({ args }) => Reflect.construct(value, args));
      return [...made, ...membersOf(name, value)];
    }
    if (typeof value === 'function') {
      const invoke = ({ args }: Call) => (value as Function_)(...args);
      return callable(name, invoke, table[name] ?? callOfOp(name, value as Function_));
    }
    if (!isPlain(value)) return [];
    return Object.entries(value).flatMap(([key, member]) =>
      callable(`${name}.${key}`, ({ args }) => (member as Function_)(...args)),
    );
  });
  const returned = Object.entries(given).flatMap(([name, function_]) =>
    callable(name, ({ args }) => function_(...args)),
  );
  return [...exported, ...returned];
}

/** Returns the entries of the table that are not among the given names. */
export function leftOver(names: ReadonlySet<string>): string[] {
  return Object.keys(table).filter((name) => !names.has(name));
}

/**
 * Returns the options declaration of a callable that has all properties of `object`, which is a plain object among its
 * arguments; undefined if there is none.
 */
export function declarationOf(name: string, object: Record<string, unknown>) {
  const base = (name.split(', ')[0] as string).replace('#', '.');
  const keys = Object.keys(object);
  return allDeclaredOptions().find(
    ({ of, declaration }) =>
      of.split(', ').some((taker) => taker === base || taker.startsWith(`${base}: `)) &&
      keys.every((key) => Object.hasOwn(declaration, key)),
  );
}
