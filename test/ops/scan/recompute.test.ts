// The option `recompute` of loops: the values and the gradients are those without it, and training takes less memory.
import { describe, expect, it } from 'vitest';
import { specialise } from '../../../src/compile/specialise.js';
import {
  add,
  backward,
  checkGradients,
  compile,
  concat,
  constant,
  dot,
  evaluate,
  GRU,
  input,
  LSTM,
  log,
  matmul,
  mul,
  type Node,
  parameter,
  randomUniform,
  SimpleRNN,
  scan,
  sum,
  type Tensor,
  tanh,
  tensor,
  ValueError,
} from '../../../src/index.js';
import { randomTensor } from './support.js';

const units = 3;
const w = parameter('w', randomTensor([2 + units, units], 1));
const h0 = parameter('h0', randomTensor([2, units], 3));
const noise = (shape: readonly number[]) =>
  randomUniform(shape, { seed: 7, dtype: 'float64' as const });

interface Options {
  readonly every?: number | undefined;
  readonly reverse?: boolean;
}

/** The results of a loop with two carries, rows, the index and a draw, and its gradients. */
function results(xs: Node, { every, reverse = false }: Options, sources: readonly Node[]) {
  const { last, ys } = scan(
    ({ h, total }, x, t) => {
      const next = tanh(matmul(concat([x, h], 1), w));
      const kept = mul(add(next, noise([2, units])), add(mul(total, 0.1), 1));
      return [
        { h: next, total: add(total, sum(next)) },
        { kept, t, x },
      ];
    },
    {
      over: xs,
      initial: { h: h0, total: constant(0, { dtype: 'float64' }) },
      reverse,
      ...(every === undefined ? {} : { recompute: { every } }),
    },
  );
  const loss = add(sum(mul(ys.kept, ys.kept)), add(last.total, sum(mul(last.h, last.h))));
  const gradients = backward(loss);
  const of = sources.map((source) => gradients.of(source));
  // The gradient of a function of the gradients.
  const second = backward(of.map((node) => sum(mul(node, node))).reduce((a, b) => add(a, b)));
  return {
    ...last,
    ...ys,
    ...Object.fromEntries(of.map((node, i) => [`first${i}`, node])),
    ...Object.fromEntries(sources.map((source, i) => [`second${i}`, second.of(source)])),
  };
}

type Values = Readonly<Record<string, Tensor>>;

function expectClose(a: Values, b: Values): void {
  expect(Object.keys(a)).toEqual(Object.keys(b));
  for (const [key, { data, shape }] of Object.entries(a)) {
    expect(b[key]?.shape, key).toEqual(shape);
    for (let i = 0; i < data.length; i++)
      expect(b[key]?.data[i] as number, `${key} at ${i}`).toBeCloseTo(data[i] as number, 10);
  }
}

describe('scan with recompute', () => {
  const cases = [0, 1, 2, 6, 7].flatMap((steps) =>
    [1, 2, 3, 7, 20].flatMap((every) =>
      [false, true].map((reverse) => [steps, every, reverse] as const),
    ),
  );

  it.each(cases)(
    'has equal values and derivatives: %i steps, every %i, reverse %s',
    (steps, every, reverse) => {
      const xs = parameter('xs', randomTensor([steps, 2, 2], 2));
      const sources = [w, h0, xs];
      const expected = evaluate(results(xs, { reverse }, sources)) as Values;
      const nodes = results(xs, { every, reverse }, sources);
      expectClose(evaluate(nodes) as Values, expected);
      expectClose(compile({ outputs: nodes }).run({}) as Values, expected);
    },
  );

  it.each([1, 3])('takes a named number of steps, every %i', (every) => {
    const named = input('xs', ['steps', 2, 2], { dtype: 'float64' });
    const nodes = results(named, { every, reverse: true }, [w, h0]);
    const program = compile({ outputs: nodes });
    let run = 0;
    for (const steps of [0, 1, 2, 3, 8, 9]) {
      const feeds = { xs: randomTensor([steps, 2, 2], 2) };
      const plain = results(constant(feeds.xs), { reverse: true }, [w, h0]);
      const expected = evaluate(plain, {}, { run }) as Values;
      expectClose(program.run(feeds) as Values, expected);
      expectClose(evaluate(nodes, feeds, { run }) as Values, expected);
      run++;
    }
  });

  it('has the gradients of finite differences', () => {
    const xs = parameter('xs', randomTensor([7, 2, 2], 2));
    const { last } = scan(({ h }, x) => [{ h: tanh(matmul(concat([x, h], 1), w)) }, undefined], {
      over: xs,
      initial: { h: h0 },
      recompute: { every: 3 },
    });
    checkGradients(sum(mul(last.h, last.h)), [w, h0, xs]);
  });

  it('may have a loop with recompute in it', () => {
    const table = parameter('table', randomTensor([5, 7, 2], 4));
    const made = (outer?: number, inner?: number) => {
      const { last } = scan(
        ({ s }, row) => {
          const sums = scan(({ s: own }, x) => [{ s: tanh(add(mul(own, 0.5), x)) }, own], {
            over: row,
            initial: { s },
            ...(inner === undefined ? {} : { recompute: { every: inner } }),
          });
          return [{ s: mul(sums.last.s, sum(sums.ys)) }, undefined];
        },
        {
          over: table,
          initial: { s: constant(tensor([0.5, -0.5], { dtype: 'float64' })) },
          ...(outer === undefined ? {} : { recompute: { every: outer } }),
        },
      );
      const gradient = backward(sum(last.s)).of(table);
      return { s: last.s, gradient, second: backward(sum(mul(gradient, gradient))).of(table) };
    };
    const expected = evaluate(made()) as Values;
    for (const [outer, inner] of [
      [2, 3],
      [undefined, 2],
      [1, 1],
      [3, undefined],
    ]) {
      const nodes = made(outer, inner);
      expectClose(evaluate(nodes) as Values, expected);
      expectClose(compile({ outputs: nodes }).run({}) as Values, expected);
    }
  });

  it('needs nothing to cut into rows', () => {
    const { last, ys } = scan(({ p }) => [{ p: mul(p, 2) }, p], {
      initial: { p: 1 },
      length: 5,
      recompute: { every: 2 },
    });
    expect([...evaluate(ys).data]).toEqual([1, 2, 4, 8, 16]);
    expect(
      compile({ outputs: { p: last.p } })
        .run({})
        .p.item(),
    ).toBe(32);
  });

  const lengths = constant(tensor([5, 0, 3], { dtype: 'int32' }));
  it.each([
    ['LSTM', LSTM, 'steps', {}],
    ['LSTM with lengths', LSTM, 'steps', { lengths }],
    ['GRU', GRU, 5, {}],
    ['GRU with lengths', GRU, 5, { lengths }],
    ['SimpleRNN', SimpleRNN, 'steps', {}],
  ] as const)('is an option of layers: %s', (_, Layer, steps, given) => {
    const layer = new Layer('layer', {
      inputs: 2,
      units: 3,
      layers: 2,
      bidirectional: true,
      dtype: 'float64',
      seed: 1,
    });
    const xs = input('xs', [steps, 3, 2], { dtype: 'float64' });
    const made = (options: object): Record<string, Node> => {
      const { hidden } = layer.unroll(xs, { ...given, ...options });
      const gradients = backward(sum(mul(hidden, hidden)));
      return {
        hidden,
        ...Object.fromEntries(layer.parameters.map((leaf) => [leaf.name, gradients.of(leaf)])),
      };
    };
    const feeds = { xs: randomTensor([5, 3, 2], 9) };
    const expected = evaluate(made({}), feeds);
    const nodes = made({ recompute: { every: 2 } });
    expectClose(evaluate(nodes, feeds), expected);
    expectClose(compile({ outputs: nodes }).run(feeds), expected);
  });

  it('names the segment and the step of a value that is not finite', () => {
    const xs = input('xs', ['steps']);
    const { last } = scan(({ s }, x) => [{ s: add(s, log(x)) }, undefined], {
      over: xs,
      initial: { s: 0 },
      name: 'logs',
      recompute: { every: 4 },
    });
    const program = compile({ outputs: { s: last.s } });
    const run = (at: number) => () =>
      program.run(
        { xs: Array.from({ length: 10 }, (_, t) => (t === at ? -1 : 1)) },
        { checkFinite: true },
      );
    expect(run(6)).toThrow("in [scan 'logs.segments'], step 1, in [scan 'logs'], step 2");
    expect(run(9)).toThrow("in [scan 'logs.rest'], step 1");
  });

  it('is drawn', () => {
    const { last } = scan(({ s }, x) => [{ s: add(s, x) }, undefined], {
      over: input('xs', ['steps']),
      initial: { s: 0 },
      name: 'sums',
      recompute: { every: 4 },
    });
    expect(dot(last.s)).toContain('sums.segments');
  });

  it.each([
    [{ every: 0 }, /every/],
    [{ every: -1 }, /every/],
    [{ every: 1.5 }, /every/],
    [{ every: Number.NaN }, /every/],
    [{ every: '2' }, /every/],
    [{}, /every/],
    [{ every: 2, depth: 1 }, /depth/],
    [3, /recompute/],
    [0, /recompute/],
    [null, /recompute/],
    [false, /recompute/],
  ])('refuses %j', (recompute, message) => {
    const given = { length: 4, name: 'own', recompute } as never;
    expect(() => scan(() => [{}, undefined], given)).toThrow(ValueError);
    expect(() => scan(() => [{}, undefined], given)).toThrow(message);
    const layer = () =>
      new LSTM('layer', { inputs: 2, units: 3 }).unroll(input('xs', [4, 2, 2]), {
        recompute,
      } as never);
    expect(layer).toThrow(ValueError);
    expect(layer).toThrow(message);
  });
});

describe('the memory of training', () => {
  const [steps, batch, inputs, width] = [10_000, 16, 64, 128];
  /** The bytes of the arena that the gradients of a loss need. */
  const arenaOf = (loss: Node, leaves: readonly Node[]) => {
    const gradients = backward(loss);
    const nodes = [loss, ...leaves.map((leaf) => gradients.of(leaf))];
    return specialise(nodes, [], new Map([['steps', steps]])).stats.arenaBytes;
  };
  const xs = input('xs', ['steps', batch, inputs]);

  it.each(Object.entries({ LSTM, GRU, SimpleRNN }))('of 10,000 steps of %s', (_, Layer) => {
    const bytes = (every?: number) => {
      const layer = new Layer('layer', { inputs, units: width, seed: 1 });
      const { last } = layer.unroll(xs, every === undefined ? {} : { recompute: { every } });
      const { hidden } = last as { hidden: Node };
      return arenaOf(sum(mul(hidden, hidden)), layer.parameters);
    };
    expect(bytes(100)).toBeLessThan(bytes() / 20);
  });
});
