import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as fb from '../../src/index.js';
import { errorOf, randomTensor } from '../support.js';

const { ValueError } = fb;

class Net extends fb.Module {
  readonly hidden: fb.Dense;
  readonly output: fb.Dense;
  constructor(scope: string | fb.Scope, dtype: 'float32' | 'float64' = 'float64') {
    super(scope);
    this.hidden = new fb.Dense(this.scope('hidden'), {
      inputs: 3,
      units: 5,
      activation: 'tanh',
      dtype,
      seed: 1,
    });
    this.output = new fb.Dense(this.scope('output'), { inputs: 5, units: 2, dtype, seed: 2 });
  }
  forward(x: fb.Node): fb.Node {
    return this.output.apply(this.hidden.apply(x));
  }
}

const x = fb.input('x', ['batch', 3], { dtype: 'float64' });
const target = fb.input('target', ['batch', 2], { dtype: 'float64' });
const feeds = { x: randomTensor([4, 3], 1) };
const both = { ...feeds, target: randomTensor([4, 2], 2) };

/** Gives each `b` values, so that something is added. */
function fill(adapted: { readonly adapters: ReadonlyMap<string, fb.Adapter> }): void {
  let seed = 10;
  for (const { b } of adapted.adapters.values()) {
    const values = randomTensor(b.value.shape, seed++);
    b.set(b.dtype === 'float64' ? values : Float32Array.from(values.data));
  }
}

const worst = (a: fb.Tensor, b: fb.Tensor) =>
  Math.max(...[...a.data].map((value, i) => Math.abs(value - (b.data[i] as number))));

describe('lora', () => {
  it('computes what the module computes, until b is changed', () => {
    const net = new Net('net');
    const adapted = fb.lora(net, { name: 'lora', rank: 2 });
    const [before, after] = [net.apply(x), adapted.apply(x)];
    expect(fb.evaluate(after, feeds).data).toEqual(fb.evaluate(before, feeds).data);
    fill(adapted);
    expect(worst(fb.evaluate(after, feeds), fb.evaluate(before, feeds))).toBeGreaterThan(0.1);
    expect(adapted.module).toBe(net);
  });

  it('adds alpha / rank times a b to a weight', () => {
    const net = new Net('net');
    const adapted = fb.lora(net, { name: 'lora', rank: 2, alpha: 3, match: /^output/ });
    fill(adapted);
    const { a, b } = adapted.adapters.get('output.weight') as fb.Adapter;
    const sum = fb.add(net.output.weight, fb.mul(fb.matmul(a, b), 3 / 2));
    const wanted = fb.add(fb.matmul(net.hidden.apply(x), sum), net.output.bias as fb.Variable);
    const found = adapted.apply(x);
    expect(fb.evaluate(found, feeds).data).toEqual(fb.evaluate(wanted, feeds).data);
  });

  it('has only a and b as parameters, by the paths of the weights, and chooses no vectors', () => {
    const adapted = fb.lora(new Net('net'), { name: 'lora', rank: 2, match: /hidden|output/g });
    const shapes = [...adapted.entries()].map(([path, { shape }]) => [path, shape]);
    expect(Object.fromEntries(shapes)).toEqual({
      'hidden.weight.a': [3, 2],
      'hidden.weight.b': [2, 5],
      'output.weight.a': [5, 2],
      'output.weight.b': [2, 2],
    });
    expect(adapted.parameters.map(({ name }) => name)).toContain('lora.hidden.weight.a');
    expect(adapted.children).toEqual([]);
    expect(fb.summary(adapted)).toMatch(/total +30/);
  });

  it('trains a, b and a head alone', () => {
    const net = new Net('net', 'float32');
    const head = new fb.Dense('head', { inputs: 2, units: 2, seed: 3 });
    const adapted = fb.lora(net, { name: 'lora', rank: 2, seed: 4 });
    const [x, target] = [fb.input('x', ['batch', 3]), fb.input('target', ['batch', 2])];
    const loss = fb.training(() => fb.mse(head.apply(adapted.apply(x)), target));
    const rule = fb.adam({ rate: 0.02 });
    const updates = fb.optimize(loss, [head, adapted], rule);
    const training = fb.compile({ outputs: { loss }, updates });
    const base = net.parameters.map(({ value }) => value.data.slice());
    const small = [...head.parameters, ...adapted.parameters];
    const before = small.map(({ value }) => value.data.slice());
    const float = {
      x: fb.tensor(Float32Array.from(feeds.x.data), { shape: [4, 3] }),
      target: fb.tensor(Float32Array.from(both.target.data), { shape: [4, 2] }),
    };
    const first = training.run(float).loss.item();
    for (let step = 0; step < 200; step++) training.run(float);
    expect(training.run(float).loss.item()).toBeLessThan(first / 20);
    expect(net.parameters.map(({ value }) => value.data)).toEqual(base);
    small.forEach(({ value }, index) => {
      expect(value.data).not.toEqual(before[index]);
    });
  });

  it('has right gradients, also of convolutions', () => {
    const convolution = new fb.Conv2d('conv', {
      inputs: 2,
      filters: 3,
      size: 2,
      dtype: 'float64',
      seed: 5,
    });
    const images = fb.input('images', [2, 2, 3, 3], { dtype: 'float64' });
    const adapted = fb.lora(convolution, { name: 'lora', rank: 2, alpha: 5 });
    fill(adapted);
    expect(adapted.adapters.get('weight')?.a.shape).toEqual([8, 2]);
    const loss = fb.mean(fb.square(adapted.apply(images)));
    fb.checkGradients(loss, adapted.parameters, {
      feeds: { images: randomTensor([2, 2, 3, 3], 6) },
    });
    const net = fb.lora(new Net('net'), { name: 'lora', rank: 2 });
    fill(net);
    fb.checkGradients(fb.mse(net.apply(x), target), net.parameters, { feeds: both });
  });

  it('adds a matrix [filters, channels * height * width] to a convolution', () => {
    const convolution = new fb.Conv2d('conv', { inputs: 2, filters: 3, size: 2, dtype: 'float64' });
    const adapted = fb.lora(convolution, { name: 'lora', rank: 1 });
    fill(adapted);
    const { a, b } = adapted.adapters.get('weight') as fb.Adapter;
    const sum = adapted.merged().weight as fb.Tensor;
    const [old, left, right] = [convolution.weight.value.data, b.value.data, a.value.data];
    for (let filter = 0; filter < 3; filter++) {
      for (let tap = 0; tap < 8; tap++) {
        const wanted =
          (old[filter * 8 + tap] as number) + (left[filter] as number) * (right[tap] as number);
        expect(sum.data[filter * 8 + tap]).toBeCloseTo(wanted, 12);
      }
    }
  });

  it('takes what apply of the module takes, and returns what it returns', () => {
    class Two extends fb.Module {
      readonly left = new fb.Dense(this.scope('left'), { inputs: 3, units: 2, dtype: 'float64' });
      forward(x: fb.Node, { twice }: { twice: boolean }) {
        const y = this.left.apply(x);
        return { y, list: [y, twice ? fb.mul(y, 2) : y], nothing: undefined };
      }
    }
    const adapted = fb.lora(new Two('two'), { name: 'lora' });
    fill(adapted);
    const { y, list, nothing } = adapted.apply(x, { twice: true });
    expect(list[0]).toBe(y);
    expect(nothing).toBeUndefined();
    const [one, two] = fb.evaluate(list, feeds);
    expect([...(two as fb.Tensor).data]).toEqual([...(one as fb.Tensor).data].map((v) => 2 * v));
  });

  it.each([
    ['a Map', (y: fb.Node): unknown => new Map([['y', y]])],
    ['a list in lists', (y: fb.Node): unknown => [[[[[[[[[y]]]]]]]]]],
    [
      'a function',
      (y: fb.Node): unknown =>
        () =>
          y,
    ],
  ])(
    'refuses a module that returns %s, in which the weights would stay as they were',
    (_, wrap) => {
      class Wrapped extends fb.Module {
        readonly left = new fb.Dense(this.scope('left'), { inputs: 3, units: 2, dtype: 'float64' });
        forward(x: fb.Node) {
          return wrap(this.left.apply(x));
        }
      }
      const error = errorOf(() => fb.lora(new Wrapped('wrapped'), { name: 'lora' }).apply(x));
      expect(error).toBeInstanceOf(ValueError);
      expect(error.message).toContain("[Wrapped 'wrapped'] to return a node, or lists and records");
    },
  );

  it('adds to a recurrent layer, and to its steps in a module around it', () => {
    class Two extends fb.Module {
      readonly rnn = new fb.GRU(this.scope('rnn'), { inputs: 3, units: 2, dtype: 'float64' });
      forward(one: fb.Node, two: fb.Node) {
        return this.rnn.step(two, this.rnn.unroll([one]).last).hidden;
      }
    }
    const net = new Two('net');
    const [around, alone] = [net, net.rnn].map((one, i) =>
      fb.lora(one as fb.Module, { name: `lora${i}`, rank: 2 }),
    ) as [fb.LoRA<Two>, fb.LoRA<fb.GRU>];
    fill(around);
    const adapters = [...around.adapters.values()];
    [...alone.adapters.values()].forEach(({ a, b }, i) => {
      a.set(adapters[i]?.a.value as fb.Tensor);
      b.set(adapters[i]?.b.value as fb.Tensor);
    });
    const before = fb.evaluate(net.apply(x, x), feeds);
    const after = fb.evaluate(around.apply(x, x), feeds);
    expect(worst(after, before)).toBeGreaterThan(0.01);
    const { hidden } = alone.apply([x, x]) as { hidden: fb.Node };
    const last = fb.evaluate(fb.slice(hidden, { axis: 0, start: -1 }), feeds);
    expect(worst(last, after)).toBeLessThan(1e-12);
  });

  it('freezes the module for later optimizers, also one that was trained before', () => {
    const net = new Net('net');
    const early = fb.compile({
      outputs: {},
      updates: fb.sgd(fb.mse(net.apply(x), target), net, { rate: 0.1 }),
    });
    const adapted = fb.lora(net, { name: 'lora' });
    expect(net.frozen).toBe(true);
    const loss = fb.mse(adapted.apply(x), target);
    const trained = fb.sgd(loss, [net, adapted], { rate: 0.1 }).map(([leaf]) => leaf);
    expect(trained).toEqual(adapted.parameters);
    early.run(both);
    net.unfreeze(/bias/);
    const more = fb.sgd(loss, [net, adapted], { rate: 0.1 }).map(([leaf]) => leaf.name);
    expect(more).toContain('net.output.bias');
  });

  it('uses the running statistics of a BatchNorm, whose scale is frozen', () => {
    class Normed extends fb.Module {
      readonly dense = new fb.Dense(this.scope('dense'), { inputs: 3, units: 2, dtype: 'float64' });
      readonly norm = new fb.BatchNorm(this.scope('norm'), { features: 2, dtype: 'float64' });
      forward(x: fb.Node) {
        return this.norm.apply(this.dense.apply(x));
      }
    }
    const net = new Normed('net');
    const adapted = fb.lora(net, { name: 'lora' });
    const y = fb.training(() => adapted.apply(x));
    expect(fb.sideUpdates(y)).toEqual([]);
    expect(Object.keys(adapted.merged())).toEqual([...net.entries().keys()]);
  });

  it('can be a part of a model that does not hold the module', () => {
    class Tuned extends fb.Module {
      readonly lora: fb.LoRA<Net>;
      readonly head = new fb.Dense(this.scope('head'), { inputs: 2, units: 1, dtype: 'float64' });
      constructor(scope: string) {
        super(scope);
        this.lora = fb.lora(new Net(this.scope('trunk')), { name: this.scope('lora'), rank: 1 });
      }
      forward(x: fb.Node) {
        return this.head.apply(this.lora.apply(x));
      }
    }
    const tuned = new Tuned('tuned');
    expect(fb.evaluate(tuned.apply(x), feeds).shape).toEqual([4, 1]);
    expect([...tuned.entries().keys()]).toContain('lora.output.weight.b');
    expect([...tuned.entries().keys()].some((path) => path.startsWith('trunk'))).toBe(false);
  });

  it('is saved without the module, and restored', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'forebay-lora-')), 'tuned.safetensors');
    const net = new Net('net');
    const [one, two] = ['one', 'two'].map((name) => fb.lora(net, { name, rank: 2 }));
    if (!one || !two) throw new Error();
    fill(one);
    fb.save(file, { lora: one });
    expect(Object.keys(fb.load(file))).toHaveLength(4);
    fb.restore(file, { lora: two });
    expect(fb.evaluate(two.apply(x), feeds).data).toEqual(fb.evaluate(one.apply(x), feeds).data);
  });

  it('is written for another library after merge, and not from merged', () => {
    const net = new Net('net');
    const adapted = fb.lora(net, { name: 'lora', rank: 2 });
    fill(adapted);
    const values = adapted.merged();
    const file = join(mkdtempSync(join(tmpdir(), 'forebay-lora-')), 'merged.safetensors');
    const map = fb.maps.pytorch(net);
    const error = errorOf(() => fb.save(file, values, { map }));
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toContain('call merge(), and save the module with the map');
    adapted.merge();
    fb.save(file, net, { map });
    expect(fb.load(file)['hidden.weight']?.shape).toEqual([5, 3]);
  });

  it('is merged into the module', async () => {
    const net = new Net('net');
    const adapted = fb.lora(net, { name: 'lora', rank: 2, alpha: 4 });
    fill(adapted);
    const [before, after] = [net.apply(x), adapted.apply(x)];
    const wanted = fb.evaluate(after, feeds);
    const other = new Net('other');
    await fb.assign(other, adapted.merged());
    expect(worst(fb.evaluate(other.apply(x), feeds), wanted)).toBeLessThan(1e-12);
    expect(worst(fb.evaluate(before, feeds), wanted)).toBeGreaterThan(0.1);
    const program = fb.compile({ outputs: { before } });
    const running = program.runAsync(feeds);
    adapted.merge();
    await running;
    expect(worst(fb.evaluate(before, feeds), wanted)).toBeLessThan(1e-12);
    expect(worst(fb.evaluate(after, feeds), wanted)).toBeLessThan(1e-12);
    adapted.merge();
    expect(worst(program.run(feeds).before, wanted)).toBeLessThan(1e-12);
  });

  it('draws a as PyTorch draws the weight of a linear layer, and different ones for each weight', () => {
    const dense = new fb.Dense('dense', { inputs: 400, units: 3 });
    const { a } = fb.lora(dense, { name: 'lora', rank: 50 }).adapters.get('weight') as fb.Adapter;
    const largest = Math.max(...[...a.value.data].map(Math.abs));
    expect(largest).toBeLessThanOrEqual(1 / 20);
    expect(largest).toBeGreaterThan(0.99 / 20);
    const square = new fb.Sequential('s', [
      new fb.Dense('one', { inputs: 4, units: 4 }),
      new fb.Dense('two', { inputs: 4, units: 4 }),
    ]);
    const drawn = () =>
      [...fb.lora(square, { name: 'lora', seed: 3 }).adapters.values()].map((one) => [
        ...one.a.value.data,
      ]);
    expect(drawn()[0]).not.toEqual(drawn()[1]);
    expect(drawn()).toEqual(drawn());
    const ones = fb.lora(dense, { name: 'lora', init: fb.initializers.constant(1) });
    expect(new Set(ones.adapters.get('weight')?.a.value.data)).toEqual(new Set([1]));
  });

  it('chooses by a function of the parameter, its path and its users', () => {
    const seen: unknown[] = [];
    const adapted = fb.lora(new Net('net'), {
      name: 'lora',
      match: (parameter, path, users) => {
        seen.push([parameter.name, path, users]);
        return path === 'hidden.weight';
      },
    });
    expect([...adapted.adapters.keys()]).toEqual(['hidden.weight']);
    expect(seen[0]).toEqual(['net.hidden.weight', 'hidden.weight', []]);
  });

  it.each([
    [
      { match: /query/ },
      "lora 'lora': match chooses no parameter of [Net 'net'], which has 'hidden.weight' [3, 5], 'hidden.bias' [5], 'output.weight' [5, 2], 'output.bias' [2]",
    ],
    [
      { match: /bias/ },
      "match chooses only parameters with less than two axes, which have no matrices of low rank: 'hidden.bias' [5], 'output.bias' [2]; the others of [Net 'net'] are 'hidden.weight' [3, 5]",
    ],
    [
      { match: 'hidden' },
      'match must be a function (parameter, path, users) => boolean, or a regular expression, but is the string "hidden"',
    ],
    [{ rank: 0 }, 'rank must be a positive integer, but is number 0'],
    [{ alpha: NaN }, 'alpha must be a finite number greater than 0, but is number NaN'],
    [{ r: 4 }, "there is no option 'r'; did you mean 'rank'?"],
    [{ name: '' }, 'expected a name or a scope'],
    [{ name: undefined }, 'name must be the name or the scope of the module'],
  ])('refuses %o', (options, message) => {
    const error = errorOf(() =>
      fb.lora(new Net('net'), { name: 'lora', ...options } as unknown as fb.LoRAOptions),
    );
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toContain(message);
  });

  it('lists at most 50 parameters in an error', () => {
    const layers = Array.from(
      { length: 30 },
      (_, index) => new fb.Dense(`layer${index}`, { inputs: 1, units: 1 }),
    );
    const deep = new fb.Sequential('deep', layers);
    const error = errorOf(() => fb.lora(deep, { name: 'lora', match: /query/ }));
    expect(error.message).toContain("'24.bias' [1], and 10 more");
    expect(error.message).not.toContain("'25.weight'");
  });

  it('changes nothing if it throws: the scope is free, and nothing is frozen', () => {
    const below = fb.scope('model');
    const net = new Net(below.scope('net'));
    const at = below.scope('lora');
    errorOf(() => fb.lora(net, { name: at, match: /nothing/ }));
    expect(net.frozen).toBe(false);
    expect(fb.lora(net, { name: at }).name).toBe('model.lora');
    expect(errorOf(() => fb.lora(net, { name: at }))).toBeInstanceOf(ValueError);
    const error = errorOf(() => fb.lora({} as fb.Module, { name: 'lora' }));
    expect(error.message).toContain('expected a module');
    const relu = new fb.Sequential('relu', [fb.relu]);
    expect(errorOf(() => fb.lora(relu, { name: 'lora' })).message).toContain(
      'which has no floating-point parameters',
    );
  });
});
