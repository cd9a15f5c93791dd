// Compares the optimizers with the published algorithms, which are computed here in plain numbers.
import { describe, expect, it } from 'vitest';
import {
  adam,
  backward,
  compile,
  concat,
  constant,
  type DType,
  evaluate,
  FeedForward,
  type ForebayError,
  GraphError,
  input,
  mse,
  mul,
  type Node,
  parameter,
  ShapeError,
  sgd,
  square,
  state,
  stopGradient,
  sum,
  tanh,
  tensor,
  type Updates,
  ValueError,
} from '../../src/index.js';
import { errorOf } from '../support.js';

const start = [1, -2, 0.5];
const scale = [3, 0.25, 2];
/** Returns a parameter w and the loss sum(scale w^2), whose gradient is 2 scale w. */
function problem(dtype: DType = 'float64') {
  const w = parameter('w', tensor(start, { dtype }));
  return { w, loss: sum(mul(square(w), constant(tensor(scale, { dtype })))) };
}
const slope = (w: readonly number[]) => w.map((v, i) => 2 * (scale[i] as number) * v);
const run = (updates: Updates, steps: number) => {
  for (let step = 0; step < steps; step++) evaluate([], {}, { updates, run: step });
};
/** Checks that the values are equal up to a few rounding errors of the dtype. */
function expectNear(found: ArrayLike<number>, wanted: readonly number[], tolerance = 1e-14) {
  wanted.forEach((value, i) => {
    expect(Math.abs((found[i] as number) - value)).toBeLessThan(
      tolerance * Math.max(1, Math.abs(value)),
    );
  });
}
const tolerance = { float64: 1e-14, float32: 2e-6, int32: 0 };

describe.each(['float64', 'float32'] as const)('in %s', (dtype) => {
  it('sgd: w - rate g', () => {
    const { w, loss } = problem(dtype);
    run(sgd(loss, [w], { rate: 0.1 }), 5);
    let wanted = start;
    for (let step = 0; step < 5; step++) {
      const g = slope(wanted);
      wanted = wanted.map((v, i) => v - 0.1 * (g[i] as number));
    }
    expectNear(w.value.data, wanted, tolerance[dtype]);
    expect(w.value.dtype).toBe(dtype);
  });

  it('momentum: v = momentum v + g, w - rate v', () => {
    const { w, loss } = problem(dtype);
    run(sgd(loss, [w], { rate: 0.05, momentum: 0.9 }), 10);
    let [wanted, v] = [start, [0, 0, 0]];
    for (let step = 0; step < 10; step++) {
      const g = slope(wanted);
      v = v.map((old, i) => 0.9 * old + (g[i] as number));
      wanted = wanted.map((old, i) => old - 0.05 * (v[i] as number));
    }
    expectNear(w.value.data, wanted, 3 * tolerance[dtype]);
  });

  it.each([{}, { rate: 0.1, beta1: 0.5, beta2: 0.9, epsilon: 1e-3 }, { beta1: 0, beta2: 0 }])(
    'adam, with %o',
    (options) => {
      const { rate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options;
      const { w, loss } = problem(dtype);
      run(adam(loss, [w], options), 10);
      let [wanted, m, v] = [start, [0, 0, 0], [0, 0, 0]];
      for (let t = 1; t <= 10; t++) {
        const g = slope(wanted);
        m = m.map((old, i) => beta1 * old + (1 - beta1) * (g[i] as number));
        v = v.map((old, i) => beta2 * old + (1 - beta2) * (g[i] as number) ** 2);
        wanted = wanted.map((old, i) => {
          const [mHat, vHat] = [
            (m[i] as number) / (1 - beta1 ** t),
            (v[i] as number) / (1 - beta2 ** t),
          ];
          return old - (rate * mHat) / (Math.sqrt(vHat) + epsilon);
        });
      }
      expectNear(w.value.data, wanted, 3 * tolerance[dtype]);
    },
  );

  it('adam: the first step equals the rate for any size of the gradient', () => {
    const w = parameter('w', tensor([5, 5], { dtype }));
    const loss = sum(mul(w, constant(tensor([1e-3, -1e4], { dtype }))));
    run(adam(loss, [w], { rate: 0.25, epsilon: 0 }), 1);
    expectNear(w.value.data, [4.75, 5.25], 2 * tolerance[dtype]);
  });

  // PyTorch does the same, except where epsilon is 0 in this dtype: there it makes the first weight NaN.
  it.each([
    [1, 1e-38],
    [1, 1e-46],
    [1e-3, 1e-46],
    [1e-12, 0],
    [0, 0],
    [1e6, 1e-310],
    [1e-300, 1e-310],
  ])('adam keeps a weight whose gradient is 0, with rate %d and epsilon %d', (rate, epsilon) => {
    for (const given of [rate, state('rate', rate, { dtype: 'float64' })]) {
      const w = parameter('w', tensor([5, 5, 5], { dtype }));
      const loss = sum(mul(w, constant(tensor([0, 1, -1e4], { dtype }))));
      const updates = adam(loss, [w], { rate: given, epsilon });
      run(updates, 2);
      compile({ outputs: {}, updates }).run();
      expect(w.value.data[0]).toBe(5);
      expectNear(w.value.data, [5, 5 - 3 * rate, 5 + 3 * rate], 4 * tolerance[dtype]);
    }
  });
});

describe('adam in float32', () => {
  it('corrects its bias up to rounding, over a thousand steps of a constant gradient', () => {
    const w = parameter('w', 0);
    run(adam(mul(w, 1), [w], { rate: 1e-3 }), 1000);
    // With a constant gradient, every step of Adam moves the parameter by the rate, so the sum of 1000 steps is -1.
    expect(Math.abs(w.value.item() / -1 - 1)).toBeLessThan(2e-4);
  });
});

describe('the rate', () => {
  it('may be a state of float32 or float64 that is set between runs', () => {
    for (const rate of [state('rate', 0.5), state('rate', 0.5, { dtype: 'float64' })]) {
      const w = parameter('w', tensor([1, 2], { dtype: 'float64' }));
      const updates = sgd(sum(w), [w], { rate });
      run(updates, 1);
      expect(w.value.toArray()).toEqual([0.5, 1.5]);
      rate.set(0.25);
      run(updates, 2);
      expect(w.value.toArray()).toEqual([0, 1]);
    }
  });

  it('may be a node, such as an input', () => {
    const w = parameter('w', 1);
    const rate = input('rate', []);
    for (const updates of [
      sgd(mul(w, 1), [w], { rate }),
      adam(mul(w, 1), [w], { rate, epsilon: 0 }),
    ]) {
      w.set(1);
      evaluate([], { rate: 0.125 }, { updates });
      expect(w.value.item()).toBeCloseTo(0.875, 6);
      evaluate([], { rate: 0 }, { updates });
      expect(w.value.item()).toBeCloseTo(0.875, 6);
    }
  });
});

describe('updates', () => {
  it('change only the listed parameters', () => {
    const [v, w] = [parameter('v', 3), parameter('w', 4)];
    run(sgd(mul(v, w), [w], { rate: 1 }), 1);
    expect([v.value.item(), w.value.item()]).toEqual([3, 1]);
  });

  it('accept gradients instead of a loss', () => {
    const { w, loss } = problem();
    const gradients = backward([[loss, constant(10, { dtype: 'float64' })]]);
    run(sgd(gradients, [w], { rate: 0.01 }), 1);
    expectNear(
      w.value.data,
      start.map((v, i) => v - 0.1 * (slope(start)[i] as number)),
    );
  });

  it('of two optimizers in one run are both computed from the old values of the leaves', () => {
    const [v, w] = [
      parameter('v', tensor(3, { dtype: 'float64' })),
      parameter('w', tensor(5, { dtype: 'float64' })),
    ];
    const loss = mul(v, w);
    const updates = [
      ...sgd(loss, [v], { rate: 0.1, momentum: 0.5 }),
      ...adam(loss, [w], { rate: 0.5, epsilon: 0 }),
    ];
    evaluate(loss, {}, { updates });
    expect(v.value.item()).toBe(3 - 0.1 * 5);
    expect(w.value.item()).toBeCloseTo(4.5, 14);
  });

  it('may be joined with updates of other states, and change no other leaf', () => {
    const { w, loss } = problem();
    const count = state('count', 0);
    const kept = parameter('kept', 7);
    const updates: Updates = [...sgd(loss, [w], { rate: 0.1 }), [count, mul(kept, 2)]];
    evaluate([kept], {}, { updates });
    expect([count.value.item(), kept.value.item()]).toEqual([14, 7]);
  });

  it('have states named after the parameter, without a name twice', () => {
    const [v, w] = [parameter('v', 3), parameter('w', 4)];
    const names = [
      ...adam(mul(v, w), [v, w]),
      ...sgd(mul(v, w), [v, w], { rate: 1, momentum: 0.5 }),
    ]
      .map(([leaf]) => leaf.name)
      .filter((name) => name !== 'v' && name !== 'w');
    expect(names).toEqual([
      'v.adam.step',
      'v.adam.m',
      'v.adam.v',
      'w.adam.m',
      'w.adam.v',
      'v.sgd.velocity',
      'w.sgd.velocity',
    ]);
  });

  it('of no parameters are refused', () => {
    const { loss } = problem();
    for (const run of [() => sgd(loss, [], { rate: 1 }), () => adam(loss, [])]) {
      expect(errorOf(run)).toBeInstanceOf(ValueError);
      expect(errorOf(run).message).toContain('at least one parameter, but received an empty list');
    }
  });
});

describe('optimizers refuse', () => {
  const { w, loss } = problem();
  const stopped = sum(stopGradient(w));
  const other = parameter('other', 1);
  it.each<
    [
      string,
      (optimize: (loss: Node, leaves: never[]) => unknown) => unknown,
      new (m: string) => ForebayError,
      RegExp,
    ]
  >([
    [
      'a parameter that no gradient reaches',
      (optimize) => optimize(stopped, [w] as never),
      GraphError,
      /^(sgd|adam): no gradient reaches \[parameter 'w'\]: every path from it to the loss is stopped$/,
    ],
    [
      'a parameter that the loss does not depend on',
      (optimize) => optimize(loss, [w, other] as never),
      GraphError,
      /the root does not depend on \[parameter 'other'\]/,
    ],
    [
      'an input',
      (optimize) => optimize(loss, [input('x', [])] as never),
      GraphError,
      /^(sgd|adam): expected parameters, but received \[input 'x'\] of float32/,
    ],
    [
      'a loss of more than one element',
      (optimize) => optimize(square(w), [w] as never),
      ShapeError,
      /expected a root of one element, but \[square #\d+\] has shape \[3\]/,
    ],
    [
      'no loss',
      (optimize) => optimize(undefined as never, [w] as never),
      GraphError,
      /^(sgd|adam): expected a loss \(a node\) or its gradients, but received undefined/,
    ],
  ])('%s', (_what, apply, error, message) => {
    for (const optimize of [
      (l: Node, p: never[]) => sgd(l, p, { rate: 1 }),
      (l: Node, p: never[]) => adam(l, p),
    ]) {
      const thrown = errorOf(() => apply(optimize));
      expect(thrown).toBeInstanceOf(error);
      expect(thrown.message).toMatch(message);
    }
  });

  it.each<[string, () => unknown, RegExp]>([
    [
      'a negative rate',
      () => sgd(loss, [w], { rate: -1 }),
      /^sgd: rate must be a finite number of at least 0, or a node of shape \[\], or a function .*, but is number -1/,
    ],
    [
      'a rate that is NaN',
      () => adam(loss, [w], { rate: NaN }),
      /^adam: rate must be .*number NaN/,
    ],
    ['an infinite rate', () => adam(loss, [w], { rate: Infinity }), /^adam: rate/],
    ['no rate', () => sgd(loss, [w], {} as never), /^sgd: rate must be .*undefined/],
    [
      'a rate of three elements',
      () => sgd(loss, [w], { rate: state('r', [1, 2, 3]) }),
      /^sgd: rate must be .* a node of shape \[\], .*, but is \[state 'r'\] of float32 \[3\]/,
    ],
    [
      'a momentum of 1',
      () => sgd(loss, [w], { rate: 1, momentum: 1 }),
      /^sgd: momentum must be a number from 0 to below 1, but is number 1/,
    ],
    ['a beta1 of 1', () => adam(loss, [w], { beta1: 1 }), /^adam: beta1 must be/],
    ['a negative beta2', () => adam(loss, [w], { beta2: -0.1 }), /^adam: beta2 must be/],
    ['a negative epsilon', () => adam(loss, [w], { epsilon: -1 }), /^adam: epsilon must be/],
  ])('%s', (_what, make, message) => {
    expect(errorOf(make)).toBeInstanceOf(ValueError);
    expect(errorOf(make).message).toMatch(message);
  });

  it('one parameter in two optimizers of the same run', () => {
    const updates = [...sgd(loss, [w], { rate: 0.1 }), ...adam(loss, [w])];
    const error = errorOf(() => evaluate(loss, {}, { updates }));
    expect(error).toBeInstanceOf(GraphError);
    expect(error.message).toBe("[parameter 'w'] is updated twice in one run");
    expect([...w.value.data]).toEqual(start);
  });
});

describe('training', () => {
  const points = [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ];
  const xor = [[0], [1], [1], [0]];
  it.each<[string, (loss: Node, leaves: readonly ReturnType<typeof parameter>[]) => Updates]>([
    ['sgd with momentum', (loss, leaves) => sgd(loss, leaves, { rate: 0.3, momentum: 0.9 })],
    ['adam', (loss, leaves) => adam(loss, leaves, { rate: 0.05 })],
  ])('teaches a net of two layers exclusive or, with %s', (_name, optimizer) => {
    const hidden = new FeedForward('hidden', { inputs: 2, units: 8, activation: tanh, seed: 1 });
    const out = new FeedForward('out', { inputs: 8, units: 1, seed: 2 });
    const x = input('x', ['batch', 2]);
    const loss = mse(out.apply(hidden.apply(x)), input('target', ['batch', 1]));
    const updates = optimizer(loss, [...hidden.parameters, ...out.parameters]);
    const feeds = { x: points, target: xor };
    const first = evaluate(loss, feeds).item();
    for (let step = 0; step < 400; step++) evaluate(loss, feeds, { updates, run: step });
    expect(first).toBeGreaterThan(0.2);
    expect(evaluate(loss, feeds).item()).toBeLessThan(1e-3);
    const answer = evaluate(out.apply(hidden.apply(concat([x, x], 0))), { x: points });
    expect([...answer.data].map((v) => Math.abs(Math.round(v)))).toEqual([0, 1, 1, 0, 0, 1, 1, 0]);
  });
});
