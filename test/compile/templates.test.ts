/** Programs that are made from a template have the same code as those that the passes make. */

import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Encoded } from '../../src/compile/encoded.js';
import { specialise } from '../../src/compile/specialise.js';
import { templatedPasses } from '../../src/compile/templates/index.js';
import { Template } from '../../src/compile/templates/template.js';
import type { Updates } from '../../src/evaluate/updates.js';
import { finished } from '../../src/graph/sliced.js';
import {
  adam,
  add,
  Constant,
  cast,
  compile,
  Dense,
  equal,
  evaluate,
  GRU,
  input,
  LSTM,
  less,
  matmul,
  mean,
  mod,
  mse,
  mul,
  type Node,
  parameter,
  randomUniform,
  ShapeError,
  slice,
  sub,
  sum,
  Tensor,
  tensor,
  where,
} from '../../src/index.js';
import { extent } from '../../src/ops/mean.js';
import { Draws } from './random/draws.js';
import { drawGraph } from './random/graph.js';
import { scanCase } from './random/scans.js';

const asked = [5, 8, 6, 7, 9, 12, 16, 17];

/** Compiles a graph for one size of a dimension after another. */
class Sizes {
  readonly #passes = templatedPasses();
  readonly #at = vi.spyOn(Template.prototype, 'at');

  constructor(
    private readonly outputs: readonly Node[],
    private readonly updates: Updates = [],
    private readonly others: readonly (readonly [string, number])[] = [],
    private readonly name = 'steps',
  ) {}

  bindings(size: number): Map<string, number> {
    return new Map([...this.others, [this.name, size]]);
  }

  /** Returns the code for a size, and whether a template made it. */
  compiled(size: number): { readonly code: Encoded; readonly isCopy: boolean } {
    this.#at.mockClear();
    const bindings = this.bindings(size);
    const code = finished(this.#passes(this.outputs, this.updates, bindings, undefined));
    // Templates are also used to compare them with what the passes have made.
    const isCopy = this.#at.mock.calls.length === 1 && this.#at.mock.calls[0]?.[1] === bindings;
    return { code, isCopy };
  }

  /** Compiles for all sizes. Returns those that came from a template. @throws if the code differs from that of the passes */
  copies(sizes: readonly number[]): number[] {
    return sizes.filter((size) => {
      const { code, isCopy } = this.compiled(size);
      const wanted = specialise(this.outputs, this.updates, this.bindings(size));
      expect(code.code).toEqual(wanted.code);
      expect(code.stats).toEqual(wanted.stats);
      expect(constantsOf(code)).toEqual(constantsOf(wanted));
      return isCopy;
    });
  }
}

function constantsOf({ leaves }: Encoded) {
  return leaves.map((leaf) => (leaf instanceof Constant ? leaf.value.data : leaf));
}

afterEach(() => vi.restoreAllMocks());

describe('random graphs', () => {
  it('have the code of the passes, if a template makes it', { timeout: 120_000 }, () => {
    let named = 0;
    let copies = 0;
    for (let seed = 0; seed < 200; seed++) {
      const numbers = { exact: true, dtype: 'float64', scale: 1 } as const;
      const { draft, outputs, updates } = drawGraph(new Draws(seed), numbers as never);
      const [name] = draft.names;
      if (name === undefined) continue;
      named++;
      const others = draft.names.slice(1).map((other) => [other, 4] as const);
      copies += new Sizes(Object.values(outputs), updates, others, name).copies(asked).length;
    }
    expect(named).toBeGreaterThan(100);
    expect(copies).toBeGreaterThan(5 * named);
  });

  it('with loops have the code of the passes, if a template makes it', { timeout: 120_000 }, () => {
    let copies = 0;
    const count = 120;
    for (let seed = 0; seed < count; seed++)
      copies += new Sizes(scanCase(seed, 'scan', true).outputs).copies(asked).length;
    expect(copies).toBeGreaterThan(5 * count);
  });
});

function trained(kind: typeof LSTM | typeof GRU) {
  const layer = new kind('layer', { inputs: 3, units: 4, seed: 1 });
  const readout = new Dense('readout', { inputs: 4, units: 2, seed: 2 });
  const xs = input('xs', ['steps', 2, 3]);
  const ts = input('ts', ['steps', 2, 2]);
  const loss = mse(readout.apply(layer.unroll(xs).hidden), ts);
  return { loss, updates: adam(loss, [layer, readout], { rate: 0.01 }) };
}

describe('the length of a sequence', () => {
  it.each([
    ['an LSTM', LSTM],
    ['a GRU', GRU],
  ] as const)('is copied into the program of %s from the third on', (_, kind) => {
    const { loss, updates } = trained(kind);
    expect(new Sizes([loss], updates).copies(asked)).toEqual([6, 7, 9, 12, 16, 17]);
  });

  it('gives the bits of a program that is compiled for it, also for lengths that grow', () => {
    const lengths = [4, 5, 6, 7, 13, 30, 31, 100, 15, 3, 2, 1, 0];
    const losses = (isFresh: boolean) => {
      const { loss, updates } = trained(LSTM);
      let program = compile({ outputs: { loss }, updates });
      return lengths.map((steps) => {
        const xs = Tensor.zeros([steps, 2, 3]);
        xs.data.forEach((_, i) => {
          xs.data[i] = Math.sin(i);
        });
        if (isFresh) program = compile({ outputs: { loss }, updates });
        return program.run({ xs, ts: Tensor.zeros([steps, 2, 2]) }).loss.item();
      });
    };
    expect(losses(false)).toEqual(losses(true));
  });

  it('may be that of runs that wait for one another', async () => {
    const xs = input('xs', ['steps', 2, 3]);
    const layer = new LSTM('layer', { inputs: 3, units: 300, seed: 1 });
    const { hidden } = layer.unroll(xs);
    const program = compile({ outputs: { hidden } });
    const lengths = [5, 40, 6, 7, 80, 8, 200, 9];
    const feeds = lengths.map((steps) => {
      const size = steps * 6;
      return tensor(
        Float32Array.from({ length: size }, (_, i) => Math.cos(i)),
        {
          shape: [steps, 2, 3],
        },
      );
    });
    const found = await Promise.all(feeds.map((one) => program.runAsync({ xs: one })));
    found.forEach((one, i) => {
      const [wanted] = evaluate([hidden], { xs: feeds[i] as Tensor }) as [Tensor];
      wanted.data.forEach((value, at) => {
        expect(one.hidden.data[at]).toBeCloseTo(value, 5);
      });
    });
  });
});

describe('a size', () => {
  const xs = input('xs', ['steps', 3]);

  it('that equals another one has a template', () => {
    const square = parameter('square', Tensor.zeros([3, 3]));
    expect(new Sizes([matmul(xs, square)]).copies([8, 3, 4, 5, 6])).toEqual([4, 5, 6]);
  });

  it('of which sizes are squares has none', () => {
    const all = new Sizes([matmul(xs, xs, { transposeB: true })]);
    expect(all.copies([5, 6, 7, 8, 9, 10, 11, 12])).toEqual([]);
  });

  it('on which numbers depend gets other numbers', () => {
    expect(new Sizes([mul(mean(xs), 0.1)]).copies([5, 8, 6, 7])).toEqual([6, 7]);
  });

  it('that is rounded down has none', () => {
    const whole = new Sizes([slice(xs, { axis: 0, end: '4*floor(steps/4)' })]);
    expect(whole.copies([5, 6, 7, 8, 9, 10, 12, 13])).toEqual([]);
  });

  it('is compiled by the passes if a rule sees something else in a number', () => {
    const count = extent('steps', 'float32');
    const isSeven = new Sizes([where(equal(count, 7), mul(xs, 2), xs)]);
    expect(isSeven.copies([5, 6, 7, 8, 9, 7, 8])).toEqual([8, 9, 8]);
    const zero = new Sizes([mul(xs, sub(count, 8))]);
    expect(zero.copies([5, 6, 7, 8, 9, 10])).toEqual([7, 10]);
  });

  it('may have numbers that are alike only for the sizes that were compared', () => {
    const isLarge = new Sizes([
      mul(xs, cast(less(mod(extent('steps', 'float32'), 4), 2.5), 'float32')),
    ]);
    expect(isLarge.copies([5, 6, 7, 8, 11, 10])).toEqual([8, 10]);
  });

  it('of random numbers has a template', () => {
    const drawn = add(randomUniform(['steps', 3], { seed: 7 }), xs);
    expect(new Sizes([drawn]).copies([5, 8, 6, 7])).toEqual([6, 7]);
  });

  it('that the graph refuses is refused', () => {
    const all = new Sizes([slice(xs, { axis: 0, start: 5 })]);
    expect(all.copies([10, 12, 11])).toEqual([11]);
    expect(() => all.compiled(4)).toThrow(ShapeError);
  });

  it('for which no larger sizes are valid has no template', () => {
    const weights = parameter('weights', Tensor.zeros([20, 3]));
    const all = new Sizes([add(xs, slice(weights, { axis: 0, end: 'steps' }))]);
    expect(all.copies([15, 12, 13, 14])).toEqual([]);
  });

  it('is tried above the largest one only in a family of sizes', () => {
    const b = input('b', ['batch', 3]);
    const s = input('s', ['steps', 3]);
    const passes = templatedPasses();
    const at = vi.spyOn(Template.prototype, 'at');
    const run = (batch: number, steps: number) =>
      finished(passes([sum(b), sum(s)], [], new Map(Object.entries({ batch, steps })), undefined));
    run(4, 5);
    run(6, 7);
    run(8, 9);
    run(10, 11);
    expect(at).not.toHaveBeenCalled();
    run(10, 12);
    run(10, 15);
    expect(at).toHaveBeenCalledTimes(1);
    run(4, 12);
    run(6, 12);
    expect(at).toHaveBeenCalledTimes(2);
  });
});
