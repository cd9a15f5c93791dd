import { describe, expect, it } from 'vitest';
import {
  BatchNorm,
  Dense,
  Dropout,
  Embedding,
  evaluate,
  GraphError,
  input,
  LayerNorm,
  Module,
  mul,
  type Node,
  relu,
  Sequential,
  type SequentialLayer,
  scope,
  sideUpdates,
  tensor,
  training,
  ValueError,
} from '../../src/index.js';
import { errorOf } from '../support.js';

const dense = (name: string | ReturnType<typeof scope>, inputs: number, units: number) =>
  new Dense(name, { inputs, units });

describe('Sequential', () => {
  const below = scope('net');
  const named = [dense('first', 3, 4), relu, dense('second', 4, 2)] as const;
  const scoped = [dense(below.at(0), 3, 4), relu, dense(below.scope('output'), 4, 2)] as const;
  it.each([
    ['names of their own', new Sequential('net', named)],
    ['scopes below that of the module', new Sequential(below, scoped)],
  ])('numbers the paths of its layers, which may have %s', (_what, net) => {
    expect([...net.entries().keys()]).toEqual(['0.weight', '0.bias', '2.weight', '2.bias']);
    expect(net.children).toEqual([net.layers[0], net.layers[2]]);
  });

  it('applies its layers in their order', () => {
    const net = new Sequential('net', [...named, (x) => mul(x, 2)]);
    const x = tensor([[1, -2, 3]]);
    const byHand = mul(named[2].apply(relu(named[0].apply(x))), 2);
    expect(evaluate(net.apply(x)).data).toEqual(evaluate(byHand).data);
    expect(evaluate(new Sequential('empty', []).apply(x)).data).toEqual(x.data);
  });

  it('accepts layers of every kind that takes one node, and updates their states in training', () => {
    const at = scope('mixed');
    const net = new Sequential(at, [
      new Embedding(at.at(0), { inputs: 9, units: 4 }),
      new LayerNorm(at.at(1), { features: 4 }),
      new BatchNorm(at.at(2), { features: 3 }),
      new Dropout(at.at(3), { rate: 0.5 }),
    ]);
    const y = training(() => net.apply(input('words', ['batch', 3], { dtype: 'int32' })));
    expect(y.shape).toEqual(['batch', 3, 4]);
    expect(sideUpdates(y).map(([{ name }]) => name)).toEqual(['mixed.2.mean', 'mixed.2.variance']);
    expect(net.states.length).toBe(2);
  });

  it('may be nested, and hold a layer twice', () => {
    const square = dense('square', 3, 3);
    const inner = new Sequential('inner', [square, relu]);
    const net = new Sequential('net', [inner, square]);
    expect([...net.entries().keys()]).toEqual(['0.0.weight', '0.0.bias']);
    expect(net.apply(input('x', ['batch', 3])).shape).toEqual(['batch', 3]);
  });

  it.each([
    ['no list', 7, "[Sequential 's']: expected a list of layers, but received number 7"],
    [
      'no layer',
      [relu, 'relu'],
      `[Sequential 's']: expected a module or a function as layer 1, but received the string "relu"`,
    ],
  ])('refuses %s', (_what, layers, message) => {
    const error = errorOf(() => new Sequential('s', layers as unknown as SequentialLayer[]));
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toBe(message);
  });

  it('refuses a layer that does not return a node, and a function that applies a module not in the list', () => {
    const [hidden, x] = [dense('hidden', 3, 3), input('x', [1, 3])];
    const wrong = new Sequential('s', [() => 7 as unknown as Node]);
    expect(errorOf(() => wrong.apply(x)).message).toBe(
      "[Sequential 's']: layer 0 must return a node, but returned number 7",
    );
    const hiding = new Sequential('s', [(h) => hidden.apply(h)]);
    expect(errorOf(() => hiding.apply(x))).toBeInstanceOf(GraphError);
  });
});

describe('a module with a variable that no field holds', () => {
  class Hides extends Module {
    readonly #scale = this.parameter('scale', { shape: [], init: () => tensor(1) });
    readonly shown = this.parameter('shown', { shape: [], init: () => tensor(1) });
    forward(x: Node) {
      return mul(mul(x, this.#scale), this.shown);
    }
  }
  it('is refused at the first apply, because the variable would not be trained', () => {
    const error = errorOf(() => new Hides('m').apply(input('x', [])));
    expect(error).toBeInstanceOf(GraphError);
    expect(error.message).toContain("[Hides 'm']: no field holds [parameter 'm.scale'], so it");
  });
});

it('freeze takes a regular expression that paths must match, also one with the flag g', () => {
  const net = new Sequential('net', [dense('a', 1, 1), dense('b', 1, 1)]);
  net.freeze(/weight$/g);
  net.freeze(/^1\.bias/);
  expect(net.children.map(({ frozen }) => frozen)).toEqual([false, true]);
  net.unfreeze(/bias/);
  expect(net.children.map(({ frozen }) => frozen)).toEqual([false, false]);
  expect(errorOf(() => net.freeze('weight' as never))).toBeInstanceOf(ValueError);
});
