// Tests the backward pass by hand, as in the Scala code of the blog post on which forebay is based: register() wires
// the wait list, send() starts the pass, and step() or run() continues it.
import { describe, expect, it } from 'vitest';
import { reachable } from '../../src/graph/topology.js';
import {
  add,
  BackwardPass,
  backward,
  concat,
  constant,
  evaluate,
  type Gradients,
  input,
  LSTM,
  matmul,
  mul,
  type Node,
  parameter,
  reshape,
  sigmoid,
  slice,
  square,
  sum,
  tanh,
  WaitList,
} from '../../src/index.js';
import { randomTensor } from '../support.js';

/** Builds a wait list as a user does: registers each node as a parent of each of its inputs, starting at the root. */
function wired(root: Node): WaitList {
  const waits = new WaitList();
  for (const parent of reachable([root]).reverse()) {
    for (const node of parent.inputs) waits.register(node, parent);
  }
  return waits;
}

/** Expects the gradients of all leaves to be equal bit for bit, and not 0. toEqual compares elements by Object.is. */
function expectSame(
  a: Gradients,
  b: Gradients | BackwardPass,
  leaves: readonly Node[],
  feeds = {},
) {
  for (const leaf of leaves) {
    const other = b instanceof BackwardPass ? b.gradient(leaf) : b.of(leaf);
    const [left, right] = [evaluate(a.of(leaf), feeds), evaluate(other, feeds)];
    expect(left.data.some((value) => value !== 0)).toBe(true);
    expect(right).toEqual(left);
  }
}

const net = () => {
  const x = constant(randomTensor([4, 3], 1));
  const [w1, w2] = [
    parameter('w1', randomTensor([3, 5], 2)),
    parameter('w2', randomTensor([5, 3], 3)),
  ];
  const hidden = tanh(matmul(x, w1));
  const back = sigmoid(matmul(hidden, w2));
  const again = tanh(matmul(back, w1)); // w1 is used a second time
  return { loss: sum(square(mul(again, hidden))), leaves: [w1, w2] };
};

/**
 * Returns the loss and leaves of two time steps of an LSTM. They share their weights, and each gate is computed
 * separately, as in the blog post.
 */
const cell = () => {
  const gates = ['forget', 'input', 'output', 'cell'].map((name, i) => ({
    weight: parameter(`${name}.weight`, randomTensor([5, 3], 10 + i)),
    bias: parameter(`${name}.bias`, randomTensor([3], 20 + i)),
  }));
  let [h, c]: Node[] = [
    parameter('h', randomTensor([2, 3], 30)),
    parameter('c', randomTensor([2, 3], 31)),
  ];
  const leaves: Node[] = [
    h as Node,
    c as Node,
    ...gates.flatMap(({ weight, bias }) => [weight, bias]),
  ];
  for (const step of [0, 1]) {
    const z = concat([constant(randomTensor([2, 2], 40 + step)), h as Node], 1);
    const [f, i, o, g] = gates.map(({ weight, bias }) => add(matmul(z, weight), bias)) as [
      Node,
      Node,
      Node,
      Node,
    ];
    c = add(mul(sigmoid(f), c as Node), mul(sigmoid(i), tanh(g)));
    h = mul(sigmoid(o), tanh(c));
  }
  return { loss: sum(square(h as Node)), leaves };
};

describe.each([
  ['a small net', net],
  ['two steps of an LSTM', cell],
])('%s, wired and run by hand', (_name, build) => {
  it('run() gives the gradients of backward, to the bit', () => {
    const { loss, leaves } = build();
    const waits = wired(loss).register(loss, 'err');
    const pass = new BackwardPass(waits).send(loss, 'err', constant(1, { dtype: 'float64' }));
    const gradients = pass.run();
    expectSame(backward(loss), gradients, leaves);
    expectSame(backward(loss), pass, leaves);
  });

  it('step() lets one ready node send, and each node once', () => {
    const { loss, leaves } = build();
    const waits = wired(loss).register(loss, 'err');
    const pass = new BackwardPass(waits);
    expect(pass.step()).toBeUndefined();
    expect(pass.missing(loss)).toEqual([{ node: loss, parent: 'err', slot: -1 }]);
    pass.send(loss, 'err', constant(1, { dtype: 'float64' }));
    const stepped: Node[] = [];
    for (let node = pass.step(); node; node = pass.step()) {
      expect(pass.missing(node)).toEqual([]);
      // A node sends only after all its parents have sent.
      for (const { parent } of waits.edges(node)) {
        if (typeof parent !== 'string') expect(stepped).toContain(parent);
      }
      stepped.push(node);
    }
    expect(new Set(stepped).size).toBe(stepped.length);
    expect(stepped).toHaveLength(reachable([loss]).length);
    expectSame(backward(loss), pass, leaves);
  });

  it('backward on a list wired by hand gives the same, with or without an outside source', () => {
    const { loss, leaves } = build();
    expectSame(backward(loss), backward(loss, { waits: wired(loss) }), leaves);
    expectSame(
      backward(loss),
      backward(loss, { waits: wired(loss).register(loss, 'err') }),
      leaves,
    );
  });
});

describe('gradients sent by hand', () => {
  it('are summed in the order of edges, even if sent in another order', () => {
    const w = parameter('w', randomTensor([2], 1));
    const [a, b, c] = [square(w), tanh(w), sigmoid(w)];
    // In float64, (1e16 + 1) - 1e16 is 0, but (1e16 - 1e16) + 1 is 1. So the result shows the order of the sum.
    const send = [1e16, 1, -1e16].map((value) => constant(new Float64Array([value, value])));
    const waits = new WaitList().register(w, a).register(w, b).register(w, c);
    const total = (order: readonly number[]) => {
      const pass = new BackwardPass(waits);
      for (const i of order) pass.send(w, [a, b, c][i] as Node, send[i] as Node);
      return evaluate(pass.gradient(w)).toArray();
    };
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0],
      [2, 0, 1],
    ])
      expect(total(order)).toEqual([0, 0]);
  });

  it('are summed in the order in which the parents were built, not registered', () => {
    const w = parameter('w', randomTensor([], 1));
    const parents = [1e16, 1, -1e16].map((value) => mul(w, value));
    const root = add(add(parents[2] as Node, parents[0] as Node), parents[1] as Node);
    const waits = wired(root);
    expect(evaluate(backward(root, { waits }).of(w)).item()).toBe(0);
    expect(evaluate(backward(root).of(w)).item()).toBe(0);
  });

  it('may start from outside at an inner node', () => {
    const w = parameter('w', randomTensor([3], 1));
    const hidden = tanh(w);
    const pass = new BackwardPass(new WaitList().register(w, hidden).register(hidden, 'head'));
    const gradient = randomTensor([3], 2);
    pass.send(hidden, 'head', constant(gradient)).run();
    const wanted = w.value.data.map(
      (v, i) => (gradient.data[i] as number) * (1 - Math.tanh(v) ** 2),
    );
    expect(evaluate(pass.gradient(w)).data).toHaveLength(3);
    evaluate(pass.gradient(w)).data.forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i] as number, 14);
    });
  });

  it('give the gradients of LSTM.step', () => {
    const lstm = new LSTM('lstm', { inputs: 2, units: 3, dtype: 'float64', seed: 4 });
    const x = input('x', ['batch', 2], { dtype: 'float64' });
    const start = {
      hidden: parameter('h', randomTensor([2, 3], 1)),
      cell: parameter('c', randomTensor([2, 3], 2)),
    };
    const first = input('first', [2, 2], { dtype: 'float64' });
    const { hidden } = lstm.step(first, lstm.step(constant(randomTensor([2, 2], 3)), start));
    const loss = sum(square(hidden));
    const pass = new BackwardPass(wired(loss).register(loss, 'err'));
    pass.send(loss, 'err', constant(1, { dtype: 'float64' })).run();
    expectSame(backward(loss), pass, lstm.parameters, { first: randomTensor([2, 2], 5) });
    expect(x.shape).toEqual(['batch', 2]);
  });

  it('may be for windows', () => {
    const w = parameter('w', randomTensor([4], 1));
    const halves = [slice(w, { axis: 0, end: 2 }), slice(w, { axis: 0, start: 1 })];
    const loss = sum(square(concat(halves, 0)));
    const waits = wired(loss).register(loss, 'err');
    const pass = new BackwardPass(waits);
    pass.send(loss, 'err', reshape(constant(1, { dtype: 'float64' }), [])).run();
    const doubled = w.value.data.map((v, i) => (i === 1 ? 4 : 2) * v);
    expect(evaluate(pass.gradient(w)).data).toEqual(doubled);
  });
});
