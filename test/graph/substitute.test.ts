import { describe, expect, it } from 'vitest';
import {
  adam,
  add,
  BatchNorm,
  backward,
  compile,
  constant,
  Dense,
  DTypeError,
  dropout,
  evaluate,
  GraphError,
  input,
  matmul,
  mean,
  mul,
  type Node,
  none,
  parameter,
  randomNormal,
  relu,
  ShapeError,
  sideUpdate,
  sideUpdates,
  slice,
  sort,
  square,
  state,
  substitute,
  sum,
  tensor,
  training,
  transpose,
  ValueError,
  type Variable,
} from '../../src/index.js';
import { errorOf, randomTensor } from '../support.js';

const x = input('x', ['batch', 3], { dtype: 'float64' });
const feeds = { x: randomTensor([4, 3], 1) };
const dense = (name: string, inputs: number, units: number) =>
  new Dense(name, { inputs, units, dtype: 'float64', seed: inputs });

describe('substitute', () => {
  it('adds a product of low rank to a weight (LoRA), whose gradients are those of the graph built with it', () => {
    const layer = dense('layer', 3, 2);
    const { weight, bias } = layer;
    const [a, b] = [
      parameter('a', randomTensor([3, 1], 2)),
      parameter('b', randomTensor([1, 2], 3)),
    ];
    const build = (w: Node) => mean(square(relu(add(matmul(x, w), bias as Node))));
    const adapted = substitute(build(weight), new Map([[weight, add(weight, matmul(a, b))]]));
    const wanted = build(add(weight, matmul(a, b)));
    expect(evaluate(adapted, feeds).item()).toBe(evaluate(wanted, feeds).item());
    const gradients = [adapted, wanted].map((loss) => [a, b].map((p) => backward(loss).of(p)));
    const [found, expected] = gradients.map((nodes) => evaluate(nodes, feeds));
    expect(found).toEqual(expected);
    layer.freeze();
    const updates = adam(adapted, [a, b, weight], { rate: 0.1 });
    const program = compile({ outputs: { adapted }, updates });
    const first = program.run(feeds).adapted.item();
    expect(program.run(feeds).adapted.item()).toBeLessThan(first);
  });

  it('ties weights', () => {
    const [encode, decode] = [dense('encode', 3, 2), dense('decode', 2, 3)];
    const y = decode.apply(encode.apply(x));
    const tied = substitute(y, new Map([[decode.weight, transpose(encode.weight)]]));
    decode.weight.set(new Float64Array(6).fill(NaN));
    expect(backward(sum(tied)).reaches(encode.weight)).toBe(true);
    expect(evaluate(tied, feeds).data.every(Number.isFinite)).toBe(true);
  });

  it('makes constants of weights, and of an input', () => {
    const layer = dense('layer', 3, 2);
    const y = layer.apply(x).named('answer');
    const baked = substitute(y, new Map(layer.parameters.map((p) => [p, constant(p.value)])));
    const before = evaluate(y, feeds).data;
    layer.weight.set(new Float64Array(6));
    expect(evaluate(baked, feeds).data).toEqual(before);
    expect(baked.name).toBe('answer');
    const fixed = input('x', [4, 3], { dtype: 'float64' });
    const whole = substitute(sum(mul(fixed, 2)), new Map([[fixed, constant(feeds.x)]]));
    expect(compile({ outputs: { whole } }).run({}).whole.item()).toBeCloseTo(
      2 * evaluate(sum(constant(feeds.x))).item(),
    );
  });

  it('replaces several leaves at once, and not in the replacements', () => {
    const [a, b] = [parameter('a', 2), parameter('b', 5)];
    const swapped = substitute(
      add(mul(a, 10), b),
      new Map([
        [a, add(b, a)],
        [b, a],
      ]),
    );
    expect(evaluate(swapped).item()).toBe(72);
  });

  it('keeps the nodes that do not depend on the leaves, in the form of the roots', () => {
    const [w, v] = [parameter('w', [1, 2]), parameter('v', [3, 4])];
    const kept = mul(v, 2);
    const noise = randomNormal([2]);
    const roots = { kept, changed: add(mul(w, kept), noise) };
    const found = substitute(roots, new Map([[w, v]]));
    expect(Object.keys(found)).toEqual(['kept', 'changed']);
    expect(found.kept).toBe(kept);
    expect(found.changed.inputs[1]).toBe(noise);
    expect(found.changed.inputs[0]?.inputs[1]).toBe(kept);
    const list = substitute([roots.changed, kept], new Map([[w, v]]));
    expect(list[1]).toBe(kept);
    expect(substitute(roots.changed, new Map())).toBe(roots.changed);
  });

  it('keeps draws, so that both graphs drop the same elements in one run', () => {
    const [w, v] = [
      parameter('w', [[1, 1, 1, 1, 1, 1, 1, 1]]),
      parameter('v', [[2, 2, 2, 2, 2, 2, 2, 2]]),
    ];
    const dropped = training(() => dropout(mul(w, 1), { rate: 0.5 }));
    const outputs = { dropped, other: substitute(dropped, new Map([[w, v]])) };
    const result = compile({ outputs }).run({});
    expect(Array.from(result.other.data)).toEqual(Array.from(result.dropped.data, (e) => 2 * e));
    expect(new Set(result.dropped.data).size).toBe(2);
  });

  it('rebuilds ops with several results, views and gradients', () => {
    const [w, v] = [parameter('w', [3, 1, 2]), parameter('v', [6, 9, 4])];
    const y = slice(sort(mul(w, w)), { axis: 0, start: 1 });
    const gradient = backward(sum(mul(y, y))).of(w);
    const found = substitute([y, gradient], new Map([[w, v]]));
    expect(found.map((node) => evaluate(node).toArray())).toEqual([
      [36, 81],
      [4 * 6 ** 3, 4 * 9 ** 3, 0],
    ]);
    expect(found[1]?.derived).toBe(true);
    expect(found[0]?.derived).toBe(false);
  });
});

describe('substitute rebuilds side updates', () => {
  const running = () => state('running', tensor(1, { dtype: 'float64' }));
  const w = parameter('w', tensor(2, { dtype: 'float64' }));
  const [five] = [constant(5, { dtype: 'float64' })];
  const replaced = new Map([[w, five]]);
  const updated = (root: Node) =>
    sideUpdates(root).map(([leaf, value]) => [leaf.name, evaluate(value).item()]);

  it('of nodes that depend on the leaves, and of nodes of which only the side update does', () => {
    const s = running();
    const first = sideUpdate(mul(w, 1), s, (old) => add(old, w));
    const second = sideUpdate(first, s, (old) => mul(old, w));
    const only = sideUpdate(constant(1, { dtype: 'float64' }), s, (old) => add(old, mul(w, 100)));
    expect(updated(second)).toEqual([['running', 6]]);
    expect(updated(substitute(second, replaced))).toEqual([['running', 30]]);
    expect(updated(substitute(only, replaced))).toEqual([['running', 501]]);
    const other = sideUpdate(constant(1, { dtype: 'float64' }), s, (old) => add(old, 7));
    expect(substitute(other, replaced)).toBe(other);
  });

  it('does not replace leaves again in the values before', () => {
    const s = running();
    const twice = [0, 1].reduce<Node>((h) => sideUpdate(h, s, (old) => add(old, w)), mul(w, 1));
    const found = substitute(twice, new Map([[w, mul(w, 10)]]));
    expect(updated(found)).toEqual([['running', 41]]);
  });

  it('moves them to another state, and drops them if the state becomes a constant', () => {
    const [s, t] = [running(), state('other', tensor(10, { dtype: 'float64' }))];
    const carried = sideUpdate(mul(w, s), s, (old) => add(old, w));
    expect(updated(substitute(carried, new Map([[s, t]])))).toEqual([['other', 12]]);
    const dropped = substitute(carried, new Map([[s, five]]));
    expect(sideUpdates(dropped)).toEqual([]);
    expect(evaluate(dropped).item()).toBe(10);
  });

  it('of a batch normalisation in training', () => {
    const norm = new BatchNorm('norm', { features: 3, momentum: 0.5 });
    const weight = parameter('weight', [[1, 2, 3]]);
    const rows = input('x', ['batch', 3]);
    const y = training(() => norm.apply(mul(rows, weight)));
    const z = substitute(y, new Map([[weight, constant([[10, 10, 10]])]]));
    const batch = tensor([
      [1, 2, 3],
      [3, 4, 5],
    ]);
    evaluate(z, { x: batch }, { updates: sideUpdates(z) });
    expect(norm.mean.value.toArray()).toEqual([10, 15, 20]);
  });
});

describe('substitute refuses', () => {
  const w = parameter('w', [1, 2]);
  it.each<[string, () => unknown, unknown, string]>([
    [
      'a record of leaves',
      () => substitute(w, { w } as never),
      ValueError,
      'write new Map([[leaf, node]])',
    ],
    [
      'a node that is no leaf',
      () => substitute(w, new Map([[mul(w, 2), w]]) as never),
      GraphError,
      'expected a leaf',
    ],
    [
      'a tensor',
      () => substitute(w, new Map([[w, tensor([1, 2])]]) as never),
      GraphError,
      'make it a node with constant()',
    ],
    [
      'another dtype',
      () => substitute(w, new Map([[w, constant([1, 2], { dtype: 'int32' })]])),
      DTypeError,
      "[parameter 'w'] is float32, but [constant",
    ],
    [
      'another shape',
      () => substitute(w, new Map([[w, constant([1])]])),
      ShapeError,
      "[parameter 'w'] has shape [2], but [constant",
    ],
    [
      'a root that is no node',
      () => substitute(7 as never, new Map()),
      GraphError,
      'but received number 7',
    ],
    [
      'a list of no nodes',
      () => substitute([none as never], new Map()),
      GraphError,
      'expected nodes',
    ],
  ])('%s', (_what, run, Kind, message) => {
    const error = errorOf(run);
    expect(error).toBeInstanceOf(Kind);
    expect(error.message).toContain(message);
  });

  it('moves a side update to another state, also if its next value does not depend on the old one', () => {
    const [old, other] = ['old', 'other'].map((name) =>
      state(name, tensor(0, { dtype: 'float64' })),
    );
    const node = sideUpdate(mean(x), old as Variable, () => sum(x));
    const moved = substitute(node, new Map([[old as Variable, other as Variable]]));
    expect(sideUpdates(moved).map(([leaf]) => leaf)).toEqual([other]);
  });
});
