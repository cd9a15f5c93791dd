// Tests the errors of a BackwardPass, and that a call that throws sends no gradient.
import { describe, expect, it } from 'vitest';
import {
  add,
  BackwardPass,
  backward,
  constant,
  DTypeError,
  defineOp,
  evaluate,
  exp,
  type ForebayError,
  GraphError,
  mul,
  none,
  Part,
  parameter,
  ShapeError,
  StateError,
  sigmoid,
  square,
  stopGradient,
  sum,
  tanh,
  WaitList,
} from '../../src/index.js';
import { errorOf, randomTensor } from '../support.js';

const one = constant(1, { dtype: 'float64' });
function graph() {
  const w = parameter('w', randomTensor([2, 3], 1));
  const a = square(w).named('a');
  const b = tanh(w).named('b');
  const root = sum(add(a, b).named('both')).named('root');
  const waits = WaitList.of(root).register(root, 'err');
  return { w, a, b, root, waits };
}

describe('send', () => {
  const { w, a, b, root, waits } = graph();
  const g = constant(randomTensor([2, 3], 2));
  const other = sigmoid(w).named('other');

  it.each<[string, (pass: BackwardPass) => unknown, new (m: string) => ForebayError, string]>([
    [
      'a shape that is not the node’s',
      (pass) => pass.send(w, a, constant(randomTensor([3, 2], 1))),
      ShapeError,
      "the gradient that [square 'a'] sent to [parameter 'w'] must have shape [2, 3], but has [3, 2]",
    ],
    [
      'a shape that would broadcast',
      (pass) => pass.send(w, a, one),
      ShapeError,
      'must have shape [2, 3], but has []',
    ],
    [
      'another dtype',
      (pass) => pass.send(root, 'err', constant(1)),
      DTypeError,
      "the gradient that the outside source 'err' sent to [sum 'root'] must be float64, but is float32",
    ],
    ['a number', (pass) => pass.send(root, 'err', 1 as never), GraphError, 'must be a node'],
    [
      'a parent that is not waited for',
      (pass) => pass.send(w, other, g),
      GraphError,
      "[parameter 'w'] does not wait for [sigmoid 'other'] (its input 0): the edge is not registered; call waits.register(node, parent)",
    ],
    [
      'a parent that does not use the node',
      (pass) => pass.send(a, root, g),
      GraphError,
      "[sum 'root'] does not use [square 'a'] as an input",
    ],
    [
      'an unknown source',
      (pass) => pass.send(w, 'err', g),
      GraphError,
      "[parameter 'w'] does not wait for the outside source 'err': the edge is not registered; call waits.register(node, 'err')",
    ],
    [
      'a missing sender',
      (pass) => pass.send(w, undefined as never, g),
      GraphError,
      'expected a parent of [parameter',
    ],
    [
      'a node that is not on the list',
      (pass) => pass.send(other, 'err', g),
      GraphError,
      "[sigmoid 'other'] is not on the wait list of this pass",
    ],
    [
      'a window that exceeds the node',
      (pass) => pass.send(w, a, new Part(g, [0, 1])),
      ShapeError,
      'must lie within shape [2, 3], but has [2, 3] at [0, 1]',
    ],
    [
      'a window of another rank',
      (pass) => pass.send(w, a, new Part(one, [0, 0])),
      ShapeError,
      'must lie within shape [2, 3]',
    ],
    [
      'a window that starts before the node',
      (pass) => pass.send(w, a, new Part(g, [-1, 0])),
      ShapeError,
      'must lie within',
    ],
  ])('refuses %s, and delivers nothing', (_what, run, error, message) => {
    const pass = new BackwardPass(waits);
    const thrown = errorOf(() => run(pass));
    expect(thrown).toBeInstanceOf(error);
    expect(thrown.message).toContain(message);
    expect(pass.missing(w)).toHaveLength(2);
    expect(pass.missing(root)).toHaveLength(1);
    expect(pass.step()).toBeUndefined();
  });

  it('refuses a second gradient over one edge', () => {
    const pass = new BackwardPass(waits).send(w, a, g);
    const error = errorOf(() => pass.send(w, a, g));
    expect(error).toBeInstanceOf(StateError);
    expect(error.message).toBe(
      "[parameter 'w'] has already received its gradient from [square 'a'] (its input 0); send one gradient over each edge",
    );
    expect(pass.missing(w).map(({ parent }) => parent)).toEqual([b]);
    pass.send(root, 'err', one);
    expect(() => pass.send(root, 'err', one)).toThrow(StateError);
  });

  it('accepts two gradients from a parent that uses a node twice', () => {
    const twice = mul(w, w).named('twice');
    const pass = new BackwardPass(new WaitList().register(w, twice));
    pass.send(w, twice, g);
    expect(pass.ready(w)).toBe(false);
    expect(pass.missing(w)).toEqual([{ node: w, parent: twice, slot: 1 }]);
    pass.send(w, twice, g);
    expect(evaluate(pass.gradient(w)).data).toEqual(evaluate(g).data.map((value) => 2 * value));
    expect(() => pass.send(w, twice, g)).toThrow(StateError);
  });

  it('accepts 30,000 gradients for one node in linear time', () => {
    const shared = parameter('shared', 3);
    const parents = Array.from({ length: 30_000 }, () => exp(shared));
    const list = new WaitList();
    for (const parent of parents) list.register(shared, parent);
    const pass = new BackwardPass(list);
    for (const parent of parents.toReversed()) pass.send(shared, parent, constant(1));
    expect(evaluate(pass.gradient(shared)).item()).toBe(30_000);
  });
});

describe('a gradient sent by hand over an edge over which a rule sends, too', () => {
  it('is an error, and is not counted twice', () => {
    const { w, a, root, waits } = graph();
    const pass = new BackwardPass(waits).send(w, a, constant(randomTensor([2, 3], 2)));
    pass.send(root, 'err', one);
    const error = errorOf(() => pass.run());
    expect(error).toBeInstanceOf(StateError);
    expect(error.message).toMatch(
      /\[parameter 'w'\] has already received its gradient from \[square 'a'\]/,
    );
    // The failed step sent no gradient, so the same step fails again.
    expect(() => pass.step()).toThrow(StateError);
    expect(pass.ready(w)).toBe(false);
  });
});

describe('gradient', () => {
  it('is refused before all gradients have arrived, with an error that names the missing edges', () => {
    const { w, a, waits } = graph();
    const pass = new BackwardPass(waits);
    const error = errorOf(() => pass.gradient(w));
    expect(error).toBeInstanceOf(StateError);
    expect(error.message).toBe(
      "[parameter 'w'] has no gradient yet: it still waits for [square 'a'] (its input 0), [tanh 'b'] (its input 0)",
    );
    pass.send(w, a, none);
    expect(errorOf(() => pass.gradient(w)).message).toMatch(
      /waits for \[tanh 'b'\] \(its input 0\)$/,
    );
  });

  it('of a node that received only `none` is zeros of its shape and dtype', () => {
    const { w, a, b, waits } = graph();
    const pass = new BackwardPass(waits).send(w, a, none).send(w, b, none);
    expect(pass.ready(w)).toBe(true);
    expect(pass.reaches(w)).toBe(false);
    expect(evaluate(pass.gradient(w)).data).toEqual(new Float64Array(6));
  });

  it('is the sum of the gradients that are not `none`', () => {
    const { w, a, b, waits } = graph();
    const g = randomTensor([2, 3], 2);
    const pass = new BackwardPass(waits).send(w, a, none).send(w, b, constant(g));
    expect(pass.reaches(w)).toBe(true);
    expect(evaluate(pass.gradient(w))).toEqual(g);
  });
});

describe('a backward pass that stops', () => {
  it('names every node that still waits, and its missing edges', () => {
    const { waits } = graph();
    const error = errorOf(() => new BackwardPass(waits).run());
    expect(error).toBeInstanceOf(GraphError);
    expect(error.message).toBe(
      [
        'the backward pass stopped: 5 nodes still wait for a gradient:',
        "  [sum 'root'] waits for the outside source 'err'",
        "  [add 'both'] waits for [sum 'root'] (its input 0)",
        "  [tanh 'b'] waits for [add 'both'] (its input 1)",
        "  [square 'a'] waits for [add 'both'] (its input 0)",
        "  [parameter 'w'] waits for [square 'a'] (its input 0), [tanh 'b'] (its input 0)",
      ].join('\n'),
    );
  });

  it('names only the nodes that still wait, if others have finished', () => {
    const { w, root, waits } = graph();
    const head = sigmoid(w).named('head');
    const pass = new BackwardPass(waits.register(w, head)).send(root, 'err', one);
    expect(errorOf(() => pass.run()).message).toBe(
      "the backward pass stopped: 1 nodes still wait for a gradient:\n  [parameter 'w'] waits for [sigmoid 'head'] (its input 0)",
    );
  });

  it('reports if no source is registered that could start it', () => {
    const { root } = graph();
    expect(errorOf(() => new BackwardPass(WaitList.of(root)).run()).message).toMatch(
      /\[sum 'root'\] has no edges on the wait list, so no gradient can start there; call register\(node, 'name'\)/,
    );
  });

  it('continues when the missing gradient arrives', () => {
    const { w, root, waits } = graph();
    const head = sigmoid(w);
    const pass = new BackwardPass(waits.register(w, head)).send(root, 'err', one);
    expect(() => pass.run()).toThrow(GraphError);
    pass.send(w, head, none);
    expect(evaluate(pass.run().of(w))).toEqual(evaluate(backward(root).of(w)));
  });
});

describe('the wait list of a backward pass', () => {
  it('is copied at its start: an edge that is registered later changes nothing', () => {
    const w = parameter('w', randomTensor([], 1));
    const [early, late] = [square(w), exp(w)];
    const waits = new WaitList().register(w, late);
    const pass = new BackwardPass(waits);
    waits.register(w, early); // `early` was built first, so its edge comes before that of `late`
    pass.send(w, late, one);
    expect(pass.missing(w)).toEqual([]);
    expect(pass.ready(w)).toBe(true);
    expect(evaluate(pass.gradient(w)).item()).toBe(1);
  });

  it('can be used again: two passes over one list give the same gradients', () => {
    const { w, root, waits } = graph();
    const run = () => evaluate(new BackwardPass(waits).send(root, 'err', one).run().of(w));
    expect(run()).toEqual(run());
  });
});

describe('a wrong gradient rule', () => {
  const wrong = (name: string, gradient: never) =>
    defineOp({
      name,
      arity: 2,
      dtype: () => 'float64',
      shape: ([x]) => x?.shape ?? [],
      lowering: { kind: 'map', kernel: 'mul' },
      gradient,
      samples: [],
      refused: [],
    });
  const w = parameter('w', randomTensor([2], 1));

  it('causes an error that says how many gradients were expected', () => {
    const short = wrong('test.short', (({ gradient }: { gradient: unknown }) => [
      gradient,
    ]) as never);
    expect(errorOf(() => backward(sum(short(w, w).named('bad')))).message).toBe(
      "[test.short 'bad']: expected its gradient rule to return 2 gradients, one for each input, but received 1",
    );
  });

  it('causes an error that names the expected shape and the input', () => {
    const bent = wrong('test.bent', (({ gradient }: { gradient: never }) => [
      sum(gradient),
      none,
    ]) as never);
    expect(errorOf(() => backward(sum(bent(w, stopGradient(w)).named('bad')))).message).toBe(
      "the gradient that [test.bent 'bad'] sent to [parameter 'w'] must have shape [2], but has []",
    );
  });
});
