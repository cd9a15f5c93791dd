import { describe, expect, it } from 'vitest';
import {
  add,
  backward,
  exp,
  GraphError,
  input,
  mul,
  type Node,
  parameter,
  sigmoid,
  square,
  sum,
  tanh,
  WaitList,
} from '../../src/index.js';
import { errorOf } from '../support.js';

const uses = (waits: WaitList, node: Node) =>
  waits.edges(node).map(({ parent, slot }) => [parent, slot]);

describe('WaitList.of', () => {
  it('registers every edge below the roots, one for each use', () => {
    const w = parameter('w', 3);
    const twice = mul(w, w);
    const root = add(twice, exp(w));
    const waits = WaitList.of(root);
    expect(uses(waits, w)).toEqual([
      [twice, 0],
      [twice, 1],
      [root.inputs[1], 0],
    ]);
    expect(uses(waits, twice)).toEqual([[root, 0]]);
    expect(uses(waits, root)).toEqual([]);
    expect(() => waits.check(root)).not.toThrow();
  });

  it('does not wait for a parent that is on no path to the root', () => {
    const w = parameter('w', 3);
    const hidden = tanh(w);
    const loss = square(hidden);
    const head = sigmoid(hidden); // a parent of `hidden` that is not below the root, so it never sends a gradient
    const waits = WaitList.of(loss);
    expect(uses(waits, hidden)).toEqual([[loss, 0]]);
    expect(waits.has(head)).toBe(false);
    expect(backward(loss).of(w).shape).toEqual([]);
  });

  it('accepts several roots and has each edge once, even if one root is below another', () => {
    const w = parameter('w', 3);
    const below = square(w);
    const above = exp(below);
    const waits = WaitList.of(above, below, above);
    expect(uses(waits, below)).toEqual([[above, 0]]);
    expect(uses(waits, w)).toEqual([[below, 0]]);
    waits.check(below, above);
  });

  it('refuses an argument that is not a node', () => {
    const error = errorOf(() => WaitList.of('loss' as never));
    expect(error).toBeInstanceOf(GraphError);
    expect(error.message).toMatch(/^WaitList.of: expected a node, but received the string "loss"/);
  });
});

describe('register', () => {
  it('gives the same list as WaitList.of, in any order and with repetitions', () => {
    const [w, x] = [parameter('w', 3), input('x', [])];
    const [a, b, c] = [mul(w, w), mul(w, x), exp(w)];
    const [d, root] = [add(a, b), add(c, square(mul(a, b)))];
    const joined = add(d, root);
    const wanted = WaitList.of(joined);
    const pairs = wanted
      .nodes()
      .flatMap((node) => wanted.edges(node).map(({ parent }) => [node, parent] as const));
    for (const order of [pairs, pairs.toReversed(), [...pairs, ...pairs]]) {
      const waits = new WaitList();
      for (const [node, parent] of order) waits.register(node, parent);
      for (const node of wanted.nodes()) expect(uses(waits, node)).toEqual(uses(wanted, node));
      expect(() => waits.check(joined)).not.toThrow();
    }
  });

  it('lists outside sources last, each once', () => {
    const w = parameter('w', 3);
    const a = exp(w);
    const waits = new WaitList()
      .register(w, 'z')
      .register(w, 'err')
      .register(w, a)
      .register(w, 'z');
    expect(uses(waits, w)).toEqual([
      [a, 0],
      ['err', -1],
      ['z', -1],
    ]);
  });

  it('refuses a parent that does not use the node: it could never send', () => {
    const [v, w] = [parameter('v', 1), parameter('w', 2)];
    const error = errorOf(() => new WaitList().register(v, square(w).named('loss')));
    expect(error).toBeInstanceOf(GraphError);
    expect(error.message).toBe(
      "register: [square 'loss'] does not use [parameter 'v'] as an input, so it can never send to it",
    );
    expect(() => new WaitList().register(v, undefined as never)).toThrow(GraphError);
  });

  it('accepts 30,000 parents of one node, in any order, in linear time', () => {
    const w = parameter('w', 3);
    const parents = Array.from({ length: 30_000 }, () => exp(w));
    const [forward, backwards] = [new WaitList(), new WaitList()];
    for (const parent of parents) forward.register(w, parent);
    for (const parent of parents.toReversed()) backwards.register(w, parent);
    expect(forward.edges(w)).toEqual(backwards.edges(w));
    expect(forward.edges(w).map((edge) => edge.parent)).toEqual(parents);
  });
});

describe('check', () => {
  it('names both nodes of an edge that is not registered', () => {
    const w = parameter('w', 3);
    const hidden = tanh(w).named('hidden');
    const loss = square(hidden).named('loss');
    const error = errorOf(() => new WaitList().register(w, hidden).check(loss));
    expect(error).toBeInstanceOf(GraphError);
    expect(error.message).toBe(
      "[tanh 'hidden'] does not wait for [square 'loss'] (its input 0): the edge is not registered; call waits.register(node, parent)",
    );
  });

  it('names both nodes and the roots if a registered parent can never send', () => {
    const w = parameter('w', 3);
    const loss = square(w).named('loss');
    const head = sigmoid(w).named('head');
    const error = errorOf(() => WaitList.of(loss).register(w, head).check(loss));
    expect(error).toBeInstanceOf(GraphError);
    expect(error.message).toBe(
      "[parameter 'w'] waits for [sigmoid 'head'], which can never send: no root depends on it (roots: [square 'loss'])",
    );
    expect(() => WaitList.of(loss).register(w, head).check(loss, head)).not.toThrow();
  });

  it('is called by backward for a list wired by hand', () => {
    const w = parameter('w', 3);
    const loss = square(w).named('loss');
    expect(() => backward(loss, { waits: new WaitList() })).toThrow(
      /\[parameter 'w'\] does not wait for \[square 'loss'\]/,
    );
  });

  it('allows a constant without registered edges, but not with some of its edges', () => {
    const w = parameter('w', 3);
    const loss = add(mul(w, 7), mul(w, 7));
    const [a, b] = loss.inputs as [Node, Node];
    const seven = a.inputs[1] as Node;
    const waits = new WaitList().register(w, a).register(w, b).register(a, loss).register(b, loss);
    expect(() => waits.check(loss)).not.toThrow();
    waits.register(seven, a);
    expect(() => waits.check(loss)).toThrow(/does not wait for \[mul #\d+\] \(its input 1\)/);
  });
});

describe('a list and the graph', () => {
  it('backward adds nothing to the given list', () => {
    const w = parameter('w', [1, 2, 3]);
    const loss = sum(square(w));
    const waits = WaitList.of(loss);
    backward(loss, { waits });
    backward(loss, { waits });
    expect(waits.edges(loss)).toEqual([]);
  });

  it('a cycle is impossible: inputs exist before their parents, and never change', () => {
    const a = exp(parameter('w', 3));
    const b = square(a);
    expect(a.id).toBeLessThan(b.id);
    expect(() => (a.inputs as Node[]).push(b)).toThrow(TypeError);
    expect(() => {
      (a.inputs as Node[])[0] = b;
    }).toThrow(TypeError);
  });
});
