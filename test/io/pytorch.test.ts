/** Compares modules with those of PyTorch, whose state dicts are in the folder pytorch (made by pytorch.py). */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  add,
  assign,
  BatchNorm,
  Conv1d,
  Conv2d,
  ConvTranspose2d,
  constant,
  copy,
  Dense,
  DTypeError,
  Embedding,
  evaluate,
  FormatError,
  GRU,
  GroupNorm,
  gelu,
  LayerNorm,
  LSTM,
  load,
  Module,
  MultiHeadAttention,
  maps,
  mul,
  type Node,
  parameter,
  RMSNorm,
  relu,
  reshape,
  restore,
  type Scope,
  Sequential,
  ShapeError,
  SimpleRNN,
  save,
  scope,
  state,
  type Tensor,
  TransformerEncoderLayer,
  tanh,
  tensor,
  ValueError,
  type Variable,
} from '../../src/index.js';
import { errorOf } from '../support.js';

const made = (name: string) =>
  fileURLToPath(new URL(`pytorch/${name}.safetensors`, import.meta.url));
const script = fileURLToPath(new URL('pytorch.py', import.meta.url));
const examples = load(made('examples'));

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-pytorch-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const dtype = 'float64';
const at = (name: string) => scope(name, { dtype });

class Block extends Module {
  readonly norm = new LayerNorm(this.scope('norm'), { features: 4 });
  readonly linear = new Dense(this.scope('linear'), { inputs: 4, units: 4, bias: false });
  forward(x: Node) {
    return add(x, this.linear.apply(this.norm.apply(x)));
  }
}

/** A module of the user, with a parameter and a state of its own. */
class Net extends Module {
  readonly blocks = [0, 1].map((index) => new Block(this.scope('blocks').at(index)));
  readonly scale: Variable;
  readonly shift: Variable;
  readonly head: Sequential;
  constructor(at: string | Scope) {
    super(at);
    const own = { dtype: this.ownScope.dtype ?? 'float32' } as const;
    this.scale = this.parameter('scale', { shape: [4], init: () => tensor([1, 1, 1, 1], own) });
    this.shift = this.state('shift', [0, 0, 0, 0], own);
    const head = this.scope('head');
    this.head = new Sequential(head, [
      new Dense(head.at(0), { inputs: 4, units: 3 }),
      tanh,
      new Dense(head.at(2), { inputs: 3, units: 2 }),
    ]);
  }
  forward(x: Node) {
    const h = this.blocks.reduce((h, block) => block.apply(h), x);
    return this.head.apply(add(mul(h, this.scale), this.shift));
  }
}

/** A module that holds one layer in two fields. */
class Tied extends Module {
  readonly first = new Dense(this.scope('first'), { inputs: 3, units: 3 });
  readonly second = this.first;
  forward(x: Node) {
    return this.second.apply(tanh(this.first.apply(x)));
  }
}

interface Made {
  readonly module: Module;
  readonly apply: (x: Tensor) => Node;
}

const applied = <M extends Module & { apply(x: never): unknown }>(module: M): Made => ({
  module,
  apply: (x) => (module as unknown as { apply(x: Tensor): Node }).apply(x),
});
const unrolled = (module: Module & { unroll(steps: Node): { hidden: Node } }): Made => ({
  module,
  apply: (x) => module.unroll(mul(x, 1)).hidden,
});

const sizes = { inputs: 3, units: 2 };
const encoder = { features: 4, heads: 2, hidden: 6 };

const cases: Readonly<Record<string, () => Made>> = {
  linear: () => applied(new Dense(at('net'), sizes)),
  'linear-without-bias': () => applied(new Dense(at('net'), { ...sizes, bias: false })),
  conv1d: () => applied(new Conv1d(at('net'), { inputs: 4, filters: 6, size: 3, groups: 2 })),
  conv2d: () =>
    applied(new Conv2d(at('net'), { inputs: 2, filters: 3, size: [2, 3], bias: false })),
  'conv-transpose2d': () => {
    const options = { inputs: 4, filters: 6, size: [2, 3], stride: 2, groups: 2 } as const;
    return applied(new ConvTranspose2d(at('net'), options));
  },
  embedding: () => applied(new Embedding(at('net'), { inputs: 5, units: 3 })),
  'layer-norm': () => applied(new LayerNorm(at('net'), { features: 4 })),
  'rms-norm': () => applied(new RMSNorm(at('net'), { features: 4 })),
  'group-norm': () => applied(new GroupNorm(at('net'), { features: 4, groups: 2 })),
  'batch-norm': () => applied(new BatchNorm(at('net'), { features: 3 })),
  sequential: () => {
    const net = at('net');
    return applied(
      new Sequential(net, [
        new Conv2d(net.at(0), { inputs: 1, filters: 2, size: 3 }),
        new BatchNorm(net.at(1), { features: 2 }),
        relu,
        (x) => reshape(x, [x.shape[0] as number, 8]),
        new Dense(net.at(4), { inputs: 8, units: 3 }),
      ]),
    );
  },
  net: () => applied(new Net(at('net'))),
  tied: () => applied(new Tied(at('net'))),
  rnn: () => unrolled(new SimpleRNN(at('net'), sizes)),
  'rnn-layers': () =>
    unrolled(new SimpleRNN(at('net'), { ...sizes, layers: 2, bidirectional: true })),
  gru: () => unrolled(new GRU(at('net'), sizes)),
  'gru-layers': () => unrolled(new GRU(at('net'), { ...sizes, layers: 2, dropout: 0.5 })),
  lstm: () => unrolled(new LSTM(at('net'), sizes)),
  'lstm-layers': () => unrolled(new LSTM(at('net'), { ...sizes, layers: 3, dropout: 0.5 })),
  'lstm-bidirectional': () =>
    unrolled(new LSTM(at('net'), { ...sizes, layers: 2, bidirectional: true })),
  attention: () => applied(new MultiHeadAttention(at('net'), { features: 4, heads: 2 })),
  encoder: () => applied(new TransformerEncoderLayer(at('net'), encoder)),
  'encoder-norm-first': () =>
    applied(
      new TransformerEncoderLayer(at('net'), { ...encoder, normFirst: true, activation: gelu }),
    ),
};

const rawOf = ({ data }: Tensor) =>
  Buffer.from(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength).toString('hex');

/** Returns the types of the tensors in a file. `load` does not show them, because it reads int64 as int32. */
function typesIn(file: string): Record<string, string> {
  const bytes = readFileSync(file);
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + Number(bytes.readBigUInt64LE(0))));
  return Object.fromEntries(
    Object.entries<{ dtype: string }>(header).map(([name, { dtype }]) => [name, dtype]),
  );
}

/** Returns the largest difference between two tensors of one shape. */
function difference(a: Tensor, b: Tensor): number {
  expect(a.shape).toEqual(b.shape);
  return Math.max(
    ...[...a.data].map((element, index) => Math.abs(element - Number(b.data[index]))),
  );
}

/** Returns the module of a case with the weights of PyTorch. */
function restored(name: string): Made {
  const one = (cases[name] as () => Made)();
  restore(made(name), one.module, { map: maps.pytorch(one.module) });
  return one;
}

const input = (name: string) => examples[`${name}.x`] as Tensor;
const output = (name: string) => examples[`${name}.y`] as Tensor;

describe.each(Object.keys(cases))('%s', (name) => {
  it('computes what PyTorch computes with these weights', () => {
    const { apply } = restored(name);
    expect(difference(evaluate(apply(input(name))), output(name))).toBeLessThan(1e-10);
  });

  it('is written as PyTorch writes it, tensor for tensor', () => {
    const { module } = restored(name);
    const file = join(folder, `${name}.safetensors`);
    save(file, module, { map: maps.pytorch(module) });
    const [theirs, ours] = [load(made(name)), load(file)];
    expect(Object.keys(ours).sort()).toEqual(Object.keys(theirs).sort());
    for (const [key, tensor] of Object.entries(ours)) {
      const original = theirs[key] as Tensor;
      expect(tensor.shape, key).toEqual(original.shape);
      const bias = /^bias_[ih]h_(.*)$/.exec(key);
      if (key.endsWith('num_batches_tracked')) expect(tensor.item()).toBe(0);
      else if (bias === null) expect(rawOf(tensor), key).toBe(rawOf(original));
      else {
        // Where PyTorch has two biases and forebay has one, only their sum is the same.
        const sum = (of: Record<string, Tensor>) =>
          evaluate(add(of[`bias_ih_${bias[1]}`] as Tensor, of[`bias_hh_${bias[1]}`] as Tensor));
        expect(sum(ours).toArray(), key).toEqual(sum(theirs).toArray());
      }
    }
    expect(typesIn(file)).toEqual(typesIn(made(name)));
  });
});

it('PyTorch takes the files with load_state_dict(strict=True), and computes the same', (context) => {
  const look =
    "import importlib.util as u, sys; sys.exit(not (u.find_spec('torch') and u.find_spec('safetensors')))";
  const python = ['python3', '/usr/bin/python3'].find(
    (one) => spawnSync(one, ['-c', look], { stdio: 'ignore' }).status === 0,
  );
  if (python === undefined) return context.skip('there is no PyTorch here');
  for (const name of Object.keys(cases)) {
    const { module } = restored(name);
    save(join(folder, `${name}.safetensors`), module, { map: maps.pytorch(module) });
  }
  const said = execFileSync(python, [script, 'check', folder], { encoding: 'utf8' });
  expect(said.trim().split('\n')).toHaveLength(Object.keys(cases).length);
});

describe('a net of float32', () => {
  const narrow = () => new Net('net');

  it.each(['float16', 'bfloat16'])('reads the tensors of %s', (kind) => {
    const net = narrow();
    restore(made(`net-${kind}`), net, { map: maps.pytorch(net) });
    const y = evaluate(net.apply(constant(input('net').toArray(), { dtype: 'float32' })));
    expect(difference(y, output('net'))).toBeLessThan(kind === 'float16' ? 0.01 : 0.1);
  });

  it('reads the tensors of float64 only if it is asked to', () => {
    const net = narrow();
    const map = maps.pytorch(net);
    const error = errorOf(() => restore(made('net'), net, { map }));
    expect(error).toBeInstanceOf(DTypeError);
    expect(error.message).toContain(
      "'blocks.0.linear.weight' is float64, but [parameter 'net.blocks.0.linear.weight'] is float32",
    );
    expect(error.message).toMatch(/; give the option dtype to convert elements$/);
    restore(made('net'), net, { map, dtype: 'float32' });
    const y = evaluate(net.apply(constant(input('net').toArray(), { dtype: 'float32' })));
    expect(difference(y, output('net'))).toBeLessThan(1e-5);
  });

  it('reads each tensor in the dtype of a record', () => {
    const [one, two] = [
      parameter('one', tensor([1, 2])),
      parameter('two', tensor([3], { dtype: 'float64' })),
    ];
    const file = join(folder, 'mixed.safetensors');
    save(file, { one: tensor([0.1, 5], { dtype: 'float64' }), two: tensor([7]) });
    restore(file, { one, two }, { dtype: { one: 'float32', two: 'float64' } });
    expect([...(one.value.toArray() as number[]), ...(two.value.toArray() as number[])]).toEqual([
      Math.fround(0.1),
      5,
      7,
    ]);
    const unknown = errorOf(() => restore(file, { one, two }, { dtype: { three: 'float32' } }));
    expect(unknown).toBeInstanceOf(DTypeError);
    expect(unknown.message).toContain("a dtype is given for 'three'");
    save(file, { one: tensor([1, 1e300], { dtype: 'float64' }) });
    const large = errorOf(() => restore(file, { one }, { dtype: 'float32' }));
    expect(large).toBeInstanceOf(FormatError);
    expect(large.message).toContain("tensor 'one': the float64 at byte");
    expect(one.value.toArray()).toEqual([Math.fround(0.1), 5]);
  });
});

describe('a map', () => {
  const file = () => join(folder, 'map.safetensors');

  it('gives one error that lists all that is missing, unexpected and misshapen', () => {
    const lstm = new LSTM(at('net'), { inputs: 4, units: 2, layers: 2 });
    const before = [...lstm.entries().values()].map(({ value }) => value.toArray());
    const { weight_ih_l0, weight_hh_l0, bias_ih_l0 } = load(made('lstm')) as Record<string, Tensor>;
    save(file(), { weight_ih_l0, weight_hh_l0, bias_ih_l0, 'weight_ih_l0.g': tensor(1) } as never);
    const error = errorOf(() => restore(file(), lstm, { map: maps.pytorch(lstm) }));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toBe(
      `${file()}: the values do not fit the variables: missing: 'bias_hh_l0', 'weight_ih_l1', 'weight_hh_l1', 'bias_ih_l1', 'bias_hh_l1'; unexpected: 'weight_ih_l0.g'; of another shape: 'weight_ih_l0' is [8, 3], but [parameter 'net.layers.0.input.weight'], [parameter 'net.layers.0.forget.weight'], [parameter 'net.layers.0.cell.weight'], [parameter 'net.layers.0.output.weight'] take [8, 4]; give the option map if the names differ, or strict: false to leave out what is missing or unexpected`,
    );
    const shape = errorOf(() => restore(file(), lstm, { map: maps.pytorch(lstm), strict: false }));
    expect(shape).toBeInstanceOf(ShapeError);
    expect([...lstm.entries().values()].map(({ value }) => value.toArray())).toEqual(before);
  });

  it('leaves out, if it is not strict, what depends on a missing tensor', () => {
    const gru = new GRU(at('net'), sizes);
    const { bias_hh_l0: _, ...others } = load(made('gru'));
    save(file(), others);
    gru.gates.reset.bias.set([5, 6]);
    const left = restore(file(), gru, { map: maps.pytorch(gru), strict: false });
    expect(left).toEqual({ missing: ['bias_hh_l0'], unexpected: [] });
    expect(gru.gates.reset.bias.value.toArray()).toEqual([5, 6]);
    const whole = restored('gru').module;
    const weight = (of: Module) => of.entries().get('reset.weight')?.value.toArray();
    expect(weight(gru)).toEqual(weight(whole));
  });

  it('names tensors below those of a record, and renames them', () => {
    const [body, head] = [new Block(at('body')), new Dense(at('head'), sizes)];
    const map = maps.pytorch({ encoder: body, lm_head: head }, { rename: (name) => `m.${name}` });
    expect(map.names).toEqual([
      'm.encoder.norm.weight',
      'm.encoder.norm.bias',
      'm.encoder.linear.weight',
      'm.lm_head.weight',
      'm.lm_head.bias',
    ]);
    save(file(), { body, head }, { map });
    expect(load(file())['m.lm_head.weight']?.shape).toEqual([2, 3]);
    const again = new Dense(at('again'), sizes);
    const names = { weight: 'm.lm_head.weight', bias: 'm.lm_head.bias' };
    restore(file(), again, { map: maps.pytorch(again, { rename: names }), strict: false });
    expect(again.weight.value.toArray()).toEqual(head.weight.value.toArray());
    // A part of the modules of a map.
    head.weight.set(new Float64Array(6));
    expect(restore(file(), { head }, { map, strict: false }).unexpected).toHaveLength(3);
    expect(head.weight.value.toArray()).toEqual(again.weight.value.toArray());
  });

  it('leaves out variables to which rename gives no name', () => {
    const net = restored('lstm').module;
    const map = maps.pytorch(net, {
      rename: (name) => (name.startsWith('bias') ? undefined : name),
    });
    save(file(), net, { map });
    expect(Object.keys(load(file()))).toEqual(['weight_ih_l0', 'weight_hh_l0']);
    const other = new LSTM(at('other'), sizes);
    expect(restore(file(), other, { map: maps.pytorch(other), strict: false }).missing).toEqual([
      'bias_ih_l0',
      'bias_hh_l0',
    ]);
    const part = (name: string) => (name === 'bias_ih_l0' ? undefined : name);
    expect(errorOf(() => maps.pytorch(net, { rename: part })).message).toBe(
      "maps.pytorch: the option rename leaves out 'bias_ih_l0', but not 'bias_hh_l0', which has values of the same variables",
    );
  });

  it('works for assign and copy, too', async () => {
    const net = new Net(at('net'));
    await assign(net, load(made('net')), { map: maps.pytorch(net) });
    expect(difference(evaluate(net.apply(constant(input('net')))), output('net'))).toBeLessThan(
      1e-10,
    );
    const theirs = Object.fromEntries(
      Object.entries(load(made('net'))).map(([name, value]) => [name, parameter(name, value)]),
    );
    const [first, second] = [new Net(at('first')), new Net(at('second'))];
    copy(theirs, first, { map: maps.pytorch(first) });
    await assign(second, theirs, { map: maps.pytorch(second) });
    for (const other of [first, second]) {
      expect(difference(evaluate(other.apply(constant(input('net')))), output('net'))).toBeLessThan(
        1e-10,
      );
    }
  });

  it('reads a layer with two names from either, and refuses values that differ', () => {
    const { 'first.bias': bias, 'second.weight': weight } = load(made('tied'));
    save(file(), { 'first.bias': bias, 'second.weight': weight } as never);
    const net = new Tied(at('net'));
    restore(file(), net, { map: maps.pytorch(net) });
    expect(difference(evaluate(net.apply(constant(input('tied')))), output('tied'))).toBeLessThan(
      1e-10,
    );
    save(file(), { ...load(made('tied')), 'second.bias': tensor([1, 2, 3], { dtype }) });
    const error = errorOf(() => restore(file(), net, { map: maps.pytorch(net) }));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toContain(
      "'first.bias' and 'second.bias' differ, but both are the value of [parameter 'net.first.bias']",
    );
  });

  it('names a layer at each place that holds it, and ends if modules hold one another', () => {
    const shared = new Dense('shared', { inputs: 2, units: 2, bias: false });
    const sequence = new Sequential('sequence', [shared, relu, shared]);
    class Parent extends Module {
      readonly part = new Net(this.scope('part'));
      readonly sequences = [sequence, new Sequential(this.scope('other'), [shared])];
      readonly again = new Map([['own', this.part.scale]]);
      self: Module = this;
      forward(x: Node) {
        return x;
      }
    }
    const parent = new Parent('parent');
    const holder = parent.part as unknown as { parent: Module };
    holder.parent = parent;
    const { names } = maps.pytorch(parent);
    expect(names.filter((name) => name.includes('sequences') || name.startsWith('other'))).toEqual([
      'sequences.0.0.weight',
      'sequences.0.2.weight',
      'other.0.weight',
    ]);
    // The path of a variable is that of its scope, for all modules that hold it.
    expect(names.filter((name) => /own|scale|parent|self/.test(name))).toEqual(['part.scale']);
  });

  it.each<[string, () => unknown, unknown, string]>([
    ['a number', () => maps.pytorch(7 as never), ValueError, 'maps.pytorch: expected a list'],
    [
      'another option',
      () => maps.pytorch(new Net('net'), { names: {} } as never),
      ValueError,
      "there is no option 'names'; did you mean 'rename'?",
    ],
    [
      'a name that no tensor has',
      () => maps.pytorch(new Net('net'), { rename: { 'head.3.weight': 'w' } }),
      ValueError,
      "the option rename has 'head.3.weight', but no tensor has this name",
    ],
    [
      'a name that is a number',
      () => maps.pytorch(new Net('net'), { rename: () => 7 as never }),
      ValueError,
      "the option rename must return a name or undefined, but returned number 7 for 'blocks.0",
    ],
    [
      'the map of another module',
      () => restore(made('net'), new Net(at('a')), { map: maps.pytorch(new Net(at('b'))) }),
      ValueError,
      "the option map was made for other modules: it has no [parameter 'a.blocks.0.norm.weight']",
    ],
    [
      'to write a part of what a tensor holds',
      () => {
        const lstm = new LSTM('lstm', sizes);
        save(file(), [lstm.gates.cell.weight], { map: maps.pytorch(lstm) });
      },
      ValueError,
      "save: 'weight_ih_l0' also has the value of [parameter 'lstm.input.weight'], which is not among the values to save",
    ],
    [
      'two tensors of one name',
      () => {
        const net = new Net('net');
        save(file(), net, { map: maps.pytorch(net, { rename: () => 'w' }) });
      },
      ValueError,
      "save: the option map gives the name 'w' to two tensors: of [parameter 'net.",
    ],
    [
      'two variables of one name',
      () => save(file(), new Dense('net', sizes), { map: () => 'w' }),
      ValueError,
      "save: the option map gives the name 'w' to two tensors: of [parameter 'net.weight'",
    ],
    ...[
      maps.pytorch(new Dense('net', sizes)),
      (path: string) => `theirs.${path}`,
      { weight: 'w' },
    ].map((map): [string, () => unknown, typeof ValueError, string] => [
      'tensors under a map',
      () => save(file(), { weight: tensor([[1, 2, 3]]) }, { map }),
      ValueError,
      "save: the option map is for parameters and states, but 'weight' is a tensor",
    ]),
  ])('refuses %s', (_what, act, Kind, message) => {
    const error = errorOf(act);
    expect(error).toBeInstanceOf(Kind);
    expect(error.message).toContain(message);
  });
});

it('a layout changes no bit of an element', () => {
  const file = join(folder, 'bits.safetensors');
  const net = new Dense(at('net'), { inputs: 2, units: 3 });
  const elements = [-0, NaN, Infinity, 5e-324, -1.5, 0];
  net.weight.set(new Float64Array(elements));
  save(file, net, { map: maps.pytorch(net) });
  const theirs = [-0, 5e-324, NaN, -1.5, Infinity, 0];
  expect(rawOf(load(file).weight as Tensor)).toBe(rawOf(tensor(new Float64Array(theirs))));
  const other = new Dense(at('other'), { inputs: 2, units: 3 });
  restore(file, other, { map: maps.pytorch(other) });
  expect(rawOf(other.weight.value)).toBe(rawOf(tensor(new Float64Array(elements))));
});

it('save takes a map of names, too', () => {
  const file = join(folder, 'names.safetensors');
  const net = new Dense('net', sizes);
  const map = { weight: 'w' };
  save(file, net, { map });
  expect(Object.keys(load(file)).sort()).toEqual(['bias', 'w']);
  const other = new Dense('other', sizes);
  restore(file, other, { map });
  expect(other.weight.value.toArray()).toEqual(net.weight.value.toArray());
  const step = state('step', 3);
  save(file, { net, step }, { map: (path) => (path === 'net.bias' ? undefined : path) });
  expect(Object.keys(load(file)).sort()).toEqual(['net.weight', 'step']);
});

it('a module in two places may have one name in the file', () => {
  const file = join(folder, 'tied.safetensors');
  const layer = new Dense('layer', sizes);
  class Tied extends Module {
    readonly first = layer;
    readonly second = layer;
    forward(x: Node) {
      return this.second.apply(this.first.apply(x));
    }
  }
  const net = new Tied('net');
  save(file, net, {
    map: maps.pytorch(net, { rename: (name) => name.replace('second', 'first') }),
  });
  expect(Object.keys(load(file)).sort()).toEqual(['first.bias', 'first.weight']);
});
