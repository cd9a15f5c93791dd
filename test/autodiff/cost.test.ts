// Tests the cost of differentiation. It is counted in nodes, so that it does not depend on the speed of the machine.
import { describe, expect, it } from 'vitest';
import { reachable } from '../../src/graph/topology.js';
import {
  add,
  addN,
  backward,
  checkGradients,
  concat,
  constant,
  evaluate,
  exp,
  type Gradients,
  input,
  LSTM,
  matmul,
  mse,
  mul,
  type Node,
  neg,
  parameter,
  sin,
  slice,
  square,
  sum,
  tanh,
} from '../../src/index.js';
import { randomTensor } from '../support.js';
import { unrolled } from '../unrolled.js';

const named = (nodes: readonly Node[], name: string) => nodes.filter(({ op }) => op.name === name);
const all = (gradients: Gradients, leaves: readonly Node[]) =>
  reachable(leaves.map((leaf) => gradients.of(leaf)));

describe('the gradient of slices', () => {
  const windows = (n: number) => {
    const w = parameter('w', randomTensor([n, 3], 1));
    const parts = Array.from({ length: n }, (_, i) => slice(w, { axis: 0, start: i, end: i + 1 }));
    const loss = sum(square(addN(parts.map((part, i) => mul(part, i + 1)))));
    return { w, loss, nodes: all(backward(loss), [w]) };
  };

  it('is assembled once, not padded and added', () => {
    const { w, loss, nodes } = windows(6);
    expect(named(nodes, 'assemble')).toHaveLength(1);
    expect(named(nodes, 'assemble')[0]?.inputs).toHaveLength(6);
    expect(nodes.some(({ op }) => /pad/i.test(op.name))).toBe(false);
    // Besides w, only one node is as large as w: the one that assembles the gradient.
    expect(nodes.filter((node) => node !== w && node.shape[0] === 6)).toHaveLength(1);
    checkGradients(loss, [w]);
  });

  it('grows linearly, in nodes and in their elements', () => {
    const size = (n: number) => {
      const { nodes } = windows(n);
      const elements = nodes.reduce(
        (total, { shape }) => total + (shape as number[]).reduce((a, b) => a * b, 1),
        0,
      );
      return [nodes.length, elements] as const;
    };
    const [small, middle, large] = [size(50), size(100), size(150)];
    for (const i of [0, 1] as const) expect(large[i] - middle[i]).toBe(middle[i] - small[i]);
  });

  it('is correct for a slice of a slice, and for both', () => {
    const w = parameter('w', randomTensor([5, 4], 1));
    const outer = slice(w, { axis: 0, start: 1, end: 4 });
    const inner = slice(outer, { axis: 1, start: 2 });
    checkGradients(add(sum(square(inner)), sum(sin(outer))), [w]);
    const gradient = backward(add(sum(square(inner)), sum(sin(outer)))).of(w);
    checkGradients(sum(square(gradient)), [w]); // the gradient of an assembled gradient consists of slices
    expect(named(all(backward(sum(square(gradient))), [w]), 'slice').length).toBeGreaterThan(2);
  });
});

describe('the gradient of a matrix product', () => {
  it('of a batch with one right operand is one tall product, not a batch of products', () => {
    for (const transposeB of [false, true]) {
      const x = parameter('x', randomTensor([7, 5, 3], 1));
      const w = parameter('w', randomTensor(transposeB ? [2, 3] : [3, 2], 2));
      const y = matmul(x, w, { transposeB });
      const gradient = backward(sum(square(y))).of(w);
      const built = reachable([gradient]).filter((node) => node.id > y.id);
      expect(named(built, 'matmul').map(({ shape }) => shape)).toEqual([w.shape]);
      expect(named(built, 'sum')).toEqual([]);
      expect(named(built, 'matmul')[0]?.inputs.map(({ shape }) => shape.length)).toEqual([2, 2]);
    }
  });

  it('builds no transpose, for any flags, ranks and order of differentiation', () => {
    const flags = [false, true];
    for (const transposeA of flags) {
      for (const transposeB of flags) {
        for (const batch of [[], [4], [2, 4]]) {
          const a = parameter('a', randomTensor([...batch, ...(transposeA ? [3, 5] : [5, 3])], 1));
          const b = parameter('b', randomTensor(transposeB ? [2, 3] : [3, 2], 2));
          const loss = sum(sin(matmul(a, b, { transposeA, transposeB })));
          const first = backward(loss);
          const second = backward(add(sum(square(first.of(a))), sum(square(first.of(b)))));
          const nodes = all(second, [a, b]);
          expect(named(nodes, 'transpose')).toEqual([]);
          expect(named(nodes, 'matmul').length).toBeGreaterThan(2);
        }
      }
    }
  });

  it('with rows folded into one matrix is correct for every size of a named batch', () => {
    const x = input('x', ['batch', 2, 3], { dtype: 'float64' });
    const w = parameter('w', randomTensor([3, 2], 2));
    for (const batch of [1, 4]) {
      checkGradients(matmul(x, w), [w], { feeds: { x: randomTensor([batch, 2, 3], 5) } });
    }
  });
});

describe('an LSTM', () => {
  const size = (steps: number, shape: (steps: number) => Node | Node[]) => {
    const lstm = new LSTM('lstm', { inputs: 3, units: 4, seed: 1 });
    const { hidden } = unrolled(lstm, shape(steps));
    const loss = mse(hidden, input('target', [steps, 'batch', 4]));
    const gradients = backward(loss);
    return reachable([loss, ...lstm.parameters.map((leaf) => gradients.of(leaf))]).length;
  };

  it.each<[string, (steps: number) => Node | Node[]]>([
    ['one sequence tensor', (steps) => input('xs', [steps, 'batch', 3])],
    [
      'a list of steps',
      (steps) => Array.from({ length: steps }, (_, t) => input(`x${t}`, ['batch', 3])),
    ],
  ])('unrolled, with its gradients, is at most 75 nodes a step, from %s', (_name, shape) => {
    const counts = [5, 6, 20, 50, 51].map((steps) => ({ steps, nodes: size(steps, shape) }));
    for (const { steps, nodes } of counts) {
      expect(nodes / steps).toBeLessThanOrEqual(75);
    }
    const [five, six, , fifty, next] = counts.map(({ nodes }) => nodes) as [
      number,
      number,
      number,
      number,
      number,
    ];
    expect(next - fifty).toBe(six - five); // every time step adds the same number of nodes
  });

  it('in a loop, has as many nodes with its gradients for each number of steps', () => {
    const size = (steps: number) => {
      const lstm = new LSTM('lstm', { inputs: 3, units: 4, seed: 1 });
      const { hidden } = lstm.unroll(input('xs', [steps, 'batch', 3]));
      const gradients = backward(mse(hidden, input('target', [steps, 'batch', 4])));
      return reachable(lstm.parameters.map((leaf) => gradients.of(leaf))).length;
    };
    expect(size(500)).toBe(size(5));
  });

  it.each([true, false])(
    'has a correct second derivative through two steps, in a loop: %s',
    (loop) => {
      const lstm = new LSTM('lstm', { inputs: 2, units: 2, dtype: 'float64', seed: 3 });
      const xs = constant(randomTensor([2, 2, 2], 1));
      const { hidden } = loop ? lstm.unroll(xs) : unrolled(lstm, xs);
      const leaves = [lstm.gates.forget.weight, lstm.gates.cell.weight, lstm.gates.output.bias];
      const first = backward(sum(square(hidden)));
      const total = leaves.map((leaf) => sum(square(first.of(leaf)))).reduce(add);
      checkGradients(total, lstm.parameters);
    },
  );
});

describe('size', () => {
  it('a graph 100,000 nodes deep can be built, differentiated and evaluated', () => {
    const w = parameter('w', 0.5);
    let deep: Node = w;
    for (let i = 0; i < 50_000; i++) deep = neg(mul(deep, 0.99995));
    const gradient = backward(deep).of(w);
    const nodes = reachable([gradient]).length;
    expect(nodes).toBeLessThan(200_010); // at most two nodes for each node of the graph
    const [value, slope] = evaluate([deep, gradient]).map((tensor) => tensor.item());
    expect(value).toBeCloseTo(0.5 * 0.99995 ** 50_000, 4);
    expect(slope).toBeCloseTo(0.99995 ** 50_000, 4);
  });

  it('a node with 100,000 parents sums their gradients in one node', () => {
    const w = parameter('w', randomTensor([], 1));
    const parents = Array.from({ length: 100_000 }, (_, i) => (i % 2 ? mul(w, 2) : neg(w)));
    const loss = addN(parents);
    const gradient = backward(loss).of(w);
    expect(gradient.op.name).toBe('addN');
    expect(gradient.inputs).toHaveLength(100_000);
    expect(evaluate(gradient).item()).toBe(50_000);
  });

  it('a node that one parent uses 100,000 times has 100,000 edges', () => {
    const w = parameter('w', randomTensor([1], 1));
    const loss = sum(concat(new Array(1000).fill(w), 0));
    expect(evaluate(backward(loss).of(w)).toArray()).toEqual([1000]);
    const many = addN(new Array(100_000).fill(w));
    expect(evaluate(backward(sum(many)).of(w)).toArray()).toEqual([100_000]);
  });

  it('the number of nodes of a gradient grows linearly with the graph', () => {
    const count = (n: number) => {
      const w = parameter('w', 0.5);
      let node: Node = w;
      for (let i = 0; i < n; i++) node = tanh(i % 3 ? node : mul(node, w)); // so w has n / 3 parents
      return reachable([backward(node).of(w)]).length;
    };
    // With quadratic work, the largest graph would take longer than the time limit of a test.
    const [small, middle, large] = [count(3000), count(60_000), count(117_000)];
    expect(large - middle).toBe(middle - small);
  });

  it('a graph with 2^60 paths needs at most 60 sums', () => {
    const w = parameter('w', randomTensor([], 1));
    let node: Node = w;
    for (let i = 0; i < 60; i++) node = add(node, node);
    const gradient = backward(node).of(w);
    expect(evaluate(gradient).item()).toBe(2 ** 60);
    expect(named(reachable([gradient]), 'addN').length).toBeLessThanOrEqual(60);
    expect(exp(w).inputs).toEqual([w]);
  });
});
