import { describe, expect, it } from 'vitest';
import { reachable } from '../../../src/graph/topology.js';
import {
  compile,
  constant,
  evaluate,
  input,
  LSTM,
  type Node,
  randomUniform,
  SimpleRNN,
  slice,
  Tensor,
  training,
} from '../../../src/index.js';
import { randomTensor } from '../../support.js';
import {
  executors,
  feedsOf,
  int32,
  kindsAndForms,
  layerOf,
  network,
  nodesIn,
  sizes,
  unrolled,
} from './support.js';

const float64 = { dtype: 'float64' } as const;

/** Returns row `row` of the batch, whose axis is `axis`, as an array. */
function rowOf({ data, shape }: Tensor, row: number, axis: number): number[] {
  const [batch, width] = shape.slice(axis) as [number, number];
  return [...data].map(Number).filter((_, index) => Math.floor(index / width) % batch === row);
}

describe('a row of no steps', () => {
  it.each(kindsAndForms)(
    'keeps its initial states, and their gradient passes: %s, %s',
    (kind, form) => {
      const lengths = [3, 0, 2];
      const feeds = feedsOf(form, 'float64', 4, lengths);
      for (const run of Object.values(executors(network(kind, form, 'float64')))) {
        const found = run(feeds);
        const lasts = Object.keys(found).filter((key) => key.startsWith('last'));
        expect(lasts).toHaveLength((kind === 'LSTM' ? 2 : 1) * (form === 'one' ? 1 : 4));
        for (const key of lasts) {
          expect(rowOf(found[key] as Tensor, 1, 0)).toEqual(rowOf(feeds.start, 1, 0));
          expect(rowOf(found[key] as Tensor, 0, 0)).not.toEqual(rowOf(feeds.start, 0, 0));
        }
        expect(new Set(rowOf(found.hidden as Tensor, 1, 1))).toEqual(new Set([0]));
        // All initial states are one node, and all last states have one cotangent, so as many of them are added.
        const passed = rowOf(feeds.lastCotangent, 1, 0).map((value) => value * lasts.length);
        const gradient = rowOf(found['gradient of initial'] as Tensor, 1, 0);
        gradient.forEach((value, i) => {
          expect(value).toBeCloseTo(passed[i] as number, 14);
        });
        expect(new Set(rowOf(found['gradient of xs'] as Tensor, 1, 1))).toEqual(new Set([0]));
      }
    },
  );

  it.each(kindsAndForms)(
    'may be all rows, and then no parameter has a gradient: %s, %s',
    (kind, form) => {
      const feeds = feedsOf(form, 'float64', 3, [0, 0]);
      for (const run of Object.values(executors(network(kind, form, 'float64')))) {
        for (const [key, { data }] of Object.entries(run(feeds))) {
          if (/hidden|xs|parameter/.test(key)) expect(new Set(data), key).toEqual(new Set([0]));
        }
      }
    },
  );
});

describe('a row of a batch', () => {
  it.each(kindsAndForms)(
    'equals the layer without lengths over its own steps: %s, %s',
    (kind, form) => {
      const layer = layerOf(kind, form, 'float64');
      const lengths = [2, 5, 1, 4];
      const xs = constant(randomTensor([5, 4, sizes.inputs], 1));
      const { hidden, last } = unrolled(layer, xs, { lengths: constant(int32(lengths)) });
      const found = evaluate([hidden, ...nodesIn(last)]);
      lengths.forEach((length, row) => {
        // The reverse direction begins at the last step of the row, because there are no others.
        const ownSteps = slice(slice(xs, { axis: 0, start: 0, end: length }), {
          axis: 1,
          start: row,
          end: row + 1,
        });
        const own = unrolled(layer, ownSteps, {});
        const expected = evaluate([own.hidden, ...nodesIn(own.last)]);
        expected.forEach((tensor, i) => {
          const whole = rowOf(found[i] as Tensor, row, i === 0 ? 1 : 0);
          const [steps, rest] = [
            whole.slice(0, tensor.data.length),
            whole.slice(tensor.data.length),
          ];
          steps.forEach((value, at) => {
            expect(value).toBeCloseTo(Number(tensor.data[at]), 12);
          });
          expect(rest.every((value) => value === 0)).toBe(true);
        });
      });
    },
  );

  it.each(kindsAndForms)(
    'of all steps is computed as without lengths, bit for bit: %s, %s',
    (kind, form) => {
      const layer = layerOf(kind, form, 'float32');
      const xs = input('xs', ['steps', 2, sizes.inputs]);
      const value = randomTensor([3, 2, sizes.inputs], 1).data;
      const feeds = { xs: new Tensor(Float32Array.from(value), [3, 2, sizes.inputs]) };
      const [padded, without] = [{ lengths: constant(int32([3, 3])) }, {}].map((options) => {
        const { hidden, last } = unrolled(layer, xs, options);
        return [hidden, ...nodesIn(last)];
      }) as [Node[], Node[]];
      expect(evaluate(padded, feeds)).toEqual(evaluate(without, feeds));
      const run = (nodes: Node[]) =>
        compile({ outputs: Object.fromEntries(nodes.map((node, i) => [`${i}`, node])) }).run(feeds);
      expect(run(padded)).toEqual(run(without));
    },
  );
});

describe('a recurrent layer with lengths', () => {
  it.each(kindsAndForms)('has batches of no rows: %s, %s', (kind, form) => {
    for (const run of Object.values(executors(network(kind, form, 'float64')))) {
      const found = run(feedsOf(form, 'float64', 3, []));
      expect(found.hidden?.shape).toEqual([3, 0, form === 'one' ? 4 : 8]);
      for (const [key, { data }] of Object.entries(found)) {
        expect(
          data.every((value) => value === 0),
          key,
        ).toBe(true);
      }
    }
  });

  it.each(kindsAndForms)('has sequences of no steps: %s, %s', (kind, form) => {
    const feeds = feedsOf(form, 'float64', 0, [0, 0]);
    for (const run of Object.values(executors(network(kind, form, 'float64')))) {
      const found = run(feeds);
      expect(found.hidden?.shape).toEqual([0, 2, form === 'one' ? 4 : 8]);
      expect(found['last 0']).toEqual(feeds.start);
      for (const [key, { data }] of Object.entries(found)) {
        if (key.includes('parameter')) expect(new Set(data), key).toEqual(new Set([0]));
      }
    }
  });

  it('reads a list of time steps, and lengths that the graph computes', () => {
    const layer = new LSTM('lstm', { inputs: 1, units: 2, seed: 1, ...float64 });
    const list = [0, 1, 2].map((t) => constant(randomTensor([2, 1], t)));
    const lengths = constant(int32([1, 3]));
    const { hidden } = layer.unroll(list, { lengths });
    const whole = constant(
      new Tensor(
        Float64Array.from(list.flatMap((x) => [...evaluate(x).data].map(Number))),
        [3, 2, 1],
      ),
    );
    expect(evaluate(hidden)).toEqual(evaluate(layer.unroll(whole, { lengths }).hidden));
  });
});

describe('dropout between layers over loops', () => {
  const made = { inputs: 1, units: 50, layers: 3, dropout: 0.5, seed: 1, ...float64 };
  const [steps, batch] = [3, 2];
  const feeds = { xs: randomTensor([steps, batch, 1], 1) };
  const named = input('xs', ['steps', batch, 1], float64);
  const draws = (root: Node) => reachable([root]).filter(({ op }) => op === randomUniform([1]).op);

  it('is one draw for all steps between two layers, outside of the loops, as in the unrolled form', () => {
    const build = (xs: Node, options: object) => {
      // The same layer built again has the same draws.
      const layer = new SimpleRNN('rnn', { ...made, bidirectional: true });
      return training(() => layer.unroll(xs, options)).hidden;
    };
    const unrolledForm = build(constant(feeds.xs), {});
    const looped = build(named, {});
    const withLengths = build(named, { lengths: constant(int32([steps, steps])) });
    expect(draws(unrolledForm).map(({ shape }) => shape)).toEqual([
      [steps, batch, 100],
      [steps, batch, 100],
    ]);
    expect(draws(looped).map(({ shape }) => shape)).toEqual([
      ['steps', batch, 100],
      ['steps', batch, 100],
    ]);
    const expected = evaluate(unrolledForm);
    for (const node of [looped, withLengths]) {
      const found = [evaluate(node, feeds), compile({ outputs: { node } }).run(feeds).node];
      for (const { data } of found) {
        data.forEach((value, i) => {
          expect(value).toBeCloseTo(expected.data[i] as number, 12);
        });
      }
    }
    // Each run has a draw of its own, and without training there is none.
    const program = compile({ outputs: { looped } });
    expect(program.run(feeds)).not.toEqual(program.run(feeds));
    expect(draws(new SimpleRNN('rnn', made).unroll(named).hidden)).toEqual([]);
  });

  it('differs from step to step', () => {
    const layer = new SimpleRNN('rnn', { ...made, layers: 2 });
    const { hidden } = training(() => layer.unroll(named));
    const [draw] = draws(hidden) as [Node];
    const [{ data }] = evaluate([draw, hidden], feeds);
    expect(data.slice(0, batch * 50)).not.toEqual(data.slice(batch * 50, 2 * batch * 50));
  });
});
