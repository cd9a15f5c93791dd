// Runs that fail in the step of a loop: the errors name the node of the body, the loop and the step t.
import { describe, expect, it } from 'vitest';
import { failedRun } from '../../src/compile/failed-run.js';
import * as train from '../../src/index.js';
import {
  add,
  backward,
  compile,
  constant,
  div,
  evaluate,
  exp,
  type Feeds,
  gather,
  greater,
  input,
  log,
  matmul,
  mul,
  type Node,
  NumericError,
  parameter,
  reshape,
  scan,
  sgd,
  sqrt,
  substitute,
  sum,
  Tensor,
  tanh,
  tensor,
  ValueError,
  where,
} from '../../src/index.js';
import { errorOf } from '../support.js';

const xs = input('xs', ['steps', 2]);
const zeros = constant(tensor([0, 0]));

/** Returns rows of ones, in which the second element of one row is another number. */
function rows(steps: number, at: number, value: number): Tensor {
  return tensor(Array.from({ length: steps }, (_, t) => [1, t === at ? value : 1]));
}

/** Returns the messages of `run` and of `runAsync`, without the numbers of nodes. */
async function messages(outputs: Record<string, Node>, feeds: Feeds): Promise<string[]> {
  const program = compile({ outputs });
  const ran = errorOf(() => program.run(feeds, { checkFinite: true }));
  const error: unknown = await program
    .runAsync(feeds, { checkFinite: true })
    .catch((cause: unknown) => cause);
  for (const one of [ran, error]) expect(one).toBeInstanceOf(NumericError);
  return [ran, error as Error].map(({ message }) => message.replace(/#\d+/g, '#'));
}

const both = (what: string) => {
  const message = `run 0: ${what}; the run has written nothing`;
  return [message, message];
};

describe('a NaN in the body of a loop', () => {
  it.each([false, true])(
    'is reported with its node and the step t, reverse %s',
    async (reverse) => {
      const { last } = scan(({ h }, x) => [{ h: add(mul(h, 0.5), log(x)) }, undefined], {
        over: xs,
        initial: { h: zeros },
        name: 'lstm',
        reverse,
      });
      const expected = both("[log #] is NaN at [1] in [scan 'lstm'], step 731");
      expect(await messages({ h: last.h }, { xs: rows(1000, 731, -1) })).toEqual(expected);
    },
  );

  it.each([false, true])('may come from a carry, reverse %s', async (reverse) => {
    const { ys } = scan(
      ({ h }, x) => {
        const next = log(add(h, x)).named('next');
        return [{ h: next }, next];
      },
      { over: xs, initial: { h: constant(tensor([1, 1])) }, reverse },
    );
    // log(log(...(1 + 1)...)) stays positive, until a row has -9.
    const expected = both("[log 'next'] is NaN at [1] in [scan #], step 4");
    expect(await messages({ ys }, { xs: rows(9, 4, -9) })).toEqual(expected);
  });

  it('is reported with the steps of all loops around it', async () => {
    const { last } = scan(
      ({ h }, x) => {
        const inner = scan(({ g }, y) => [{ g: add(mul(g, h), log(y)) }, undefined], {
          over: x,
          initial: { g: h },
          name: 'inner',
          reverse: true,
        });
        return [{ h: tanh(inner.last.g) }, undefined];
      },
      {
        over: input('xss', ['outer', 'inner', 2]),
        initial: { h: constant(tensor([1, 1])) },
        name: 'outer',
      },
    );
    const data = new Float32Array(5 * 7 * 2).fill(1);
    data[(2 * 7 + 5) * 2] = -1;
    expect(await messages({ h: last.h }, { xss: tensor(data, { shape: [5, 7, 2] }) })).toEqual(
      both("[log #] is NaN at [0] in [scan 'outer'], step 2, in [scan 'inner'], step 5"),
    );
  });

  it('is not mistaken for one in an earlier step that nothing reads', async () => {
    // In step 0, the logarithm of -1 is not selected. In step 2, the carry is 0.
    const { last } = scan(
      ({ h }, x) => [
        { h: add(where(greater(x, 0), log(x), -0.5), div(1, h).named('inverse')) },
        undefined,
      ],
      { over: xs, initial: { h: constant(tensor([1, 2])) }, name: 'net' },
    );
    // h[1]: 2, then -0.5 + 1 / 2 = 0, then 1 / 0.
    expect(await messages({ h: last.h }, { xs: rows(4, 0, -1) })).toEqual(
      both("[div 'inverse'] is Infinity at [1] in [scan 'net'], step 1"),
    );
  });

  it('is reported as one of a feed if it was fed', async () => {
    const { last } = scan(({ h }, x) => [{ h: add(h, x) }, undefined], {
      over: xs,
      initial: { h: zeros },
    });
    expect(await messages({ h: last.h }, { xs: rows(9, 4, Number.NaN) })).toEqual(
      both("[input 'xs'] is NaN at [4, 1]"),
    );
  });

  it('is reported with the step of a gradient loop', async () => {
    const w = parameter('w', tensor([1, 1]));
    const { ys } = scan(
      ({ h }, x) => {
        const next = add(sqrt(mul(w, x)).named('root'), mul(h, 0.1));
        return [{ h: next }, next];
      },
      { over: xs, initial: { h: zeros }, name: 'net' },
    );
    // The square root of 0 is 0, and its derivative is infinite.
    const expected = both(
      "[div #] of [sqrt 'root'] is Infinity at [1] in [scan 'net.backward'], step 3",
    );
    const gradient = backward(sum(ys)).of(w);
    expect(await messages({ gradient }, { xs: rows(6, 3, 0) })).toEqual(expected);
  });

  it('is found in the loop that failed, not in one with the same body', async () => {
    const { last } = scan(({ h }, x) => [{ h: add(mul(h, 0.5), log(x)) }, undefined], {
      over: xs,
      initial: { h: zeros },
      name: 'net',
    });
    const other = input('other', ['steps', 2]);
    const again = substitute(last.h, new Map([[xs, other]]));
    const outputs = { h: last.h, again };
    const feeds = { xs: rows(4, 2, 2), other: rows(4, 2, -1) };
    const expected = both("[log #] is NaN at [1] in [scan 'net'], step 2");
    expect(await messages(outputs, feeds)).toEqual(expected);
    expect(await messages(outputs, { xs: feeds.other, other: feeds.xs })).toEqual(expected);
  });

  it('does not change what later errors say', () => {
    const y = input('y', [1]);
    const { last } = scan(({ h }, x) => [{ h: add(h, log(x)) }, undefined], {
      over: xs,
      initial: { h: zeros },
    });
    const program = compile({ outputs: { h: last.h, root: sqrt(y).named('root') } });
    const message = (feeds: { xs: Tensor; y: number[] }) =>
      errorOf(() => program.run(feeds, { checkFinite: true })).message;
    expect(message({ xs: rows(4, 2, -1), y: [1] })).toMatch(/in \[scan #\d+\], step 2;/);
    expect(message({ xs: rows(4, 2, 1), y: [-1] })).toBe(
      "run 0: [sqrt 'root'] is NaN at [0]; the run has written nothing",
    );
  });

  it('of which the reference executor knows nothing is reported with the nodes of the instruction', () => {
    const { last } = scan(({ h }, x) => [{ h: log(add(h, x)).named('next') }, undefined], {
      over: xs,
      initial: { h: zeros },
      reverse: true,
      name: 'net',
    });
    const encoded = {
      nodes: [last.h.inputs, [log(add(xs, 1))]],
      loops: [-1, 0],
    };
    const failed = { encoded, bindings: new Map([['steps', 9]]) } as unknown as Parameters<
      typeof failedRun
    >[0];
    const feeds = new Map([[xs, { data: new Float32Array(18) }]]);
    const failure = { instruction: 1, iterations: [2] };
    expect(failedRun(failed, [last.h], feeds, failure, 4).message).toMatch(
      /^run 4: a result of \[log #\d+\] is NaN or infinite in \[scan 'net'\], step 6; the run/,
    );
  });
});

describe('a value that is not finite and computed for all steps at once', () => {
  const w = parameter(
    'w',
    tensor([
      [1e30, 0],
      [0, 1e30],
    ]),
  );
  const u = parameter(
    'u',
    tensor([
      [1, 0],
      [0, 1],
    ]),
  );
  const blocks = input('blocks', ['steps', 3, 2]);
  const initial = { h: constant(Tensor.zeros([3, 2])) };
  const data = new Float32Array(5 * 3 * 2).fill(1);
  data[(2 * 3 + 1) * 2] = 1e30;
  const feeds = { blocks: tensor(data, { shape: [5, 3, 2] }) };
  const trips = (y: Node) => {
    const program = compile({ outputs: { y } });
    program.run(feeds);
    return program.stats().productShapes;
  };

  it('before a loop, is reported with its step', async () => {
    const { last } = scan(({ h }, x) => [{ h: tanh(add(matmul(x, w), matmul(h, u))) }, undefined], {
      over: blocks,
      initial,
      name: 'net',
    });
    expect(trips(last.h)).toContainEqual([15, 2, 2]);
    expect(await messages({ h: last.h }, feeds)).toEqual(
      both("[matmul #] is Infinity at [1, 0] in [scan 'net'], step 2"),
    );
  });

  it('after a loop, is reported with its step', async () => {
    const { ys } = scan(
      ({ h }, x) => {
        const next = tanh(matmul(add(h, x), u));
        return [{ h: next }, matmul(add(next, x), w)];
      },
      { over: blocks, initial, name: 'net', reverse: true },
    );
    expect(trips(ys)).toContainEqual([15, 2, 2]);
    expect(await messages({ ys }, feeds)).toEqual(
      both("[matmul #] is Infinity at [1, 0] in [scan 'net'], step 2"),
    );
  });

  it('in place of the whole loop, is reported with its step', async () => {
    const { ys } = scan((_, x) => [{}, exp(matmul(x, w))], { over: blocks, name: 'net' });
    expect(trips(ys)).toEqual([[15, 2, 2]]);
    expect(await messages({ ys }, feeds)).toEqual(
      both("[matmul #] is Infinity at [1, 0] in [scan 'net'], step 2"),
    );
  });

  it('and belongs to a loop within a loop, is reported with both steps', async () => {
    const { last } = scan(
      ({ h }, x) => {
        const inner = scan(
          ({ g }, row) => [{ g: add(g, reshape(matmul(reshape(row, [1, 2]), w), [2])) }, undefined],
          { over: x, initial: { g: h }, name: 'inner', reverse: true },
        );
        return [{ h: inner.last.g }, undefined];
      },
      { over: blocks, initial: { h: zeros }, name: 'outer' },
    );
    expect(await messages({ h: last.h }, feeds)).toEqual(
      both("[matmul #] is Infinity at [0, 0] in [scan 'outer'], step 2, in [scan 'inner'], step 1"),
    );
  });
});

describe('training with checkFinite', () => {
  const model = () => {
    const w = parameter('w', tensor([1, 1]));
    const x = input('x', ['batch', 6]);
    const { ys } = scan(
      ({ h }, _, t) => {
        const next = add(sqrt(mul(gather(x, t, 1), sum(w))).named('root'), mul(h, 0.1));
        return [{ h: next }, next];
      },
      { length: 6, initial: { h: mul(0, sum(x, [1])) }, name: 'net' },
    );
    const loss = sum(ys);
    return { w, program: compile({ outputs: { loss }, updates: sgd(loss, [w], { rate: 1e-3 }) }) };
  };
  const examples = (bad: number) => {
    const data = new Float32Array(8 * 6).fill(1);
    data[5 * 6 + 4] = bad;
    return { x: tensor(data, { shape: [8, 6] }) };
  };

  it.each([
    [-1, "[sqrt 'root'] is NaN at [1] in [scan 'net'], step 4"],
    [0, /\[div #\d+\] of \[sqrt 'root'\] is Infinity at \[1\] in \[scan 'net\.backward'\], step 4/],
  ])('writes no parameter in the run that fails, with %d', async (bad, message) => {
    const { w, program } = model();
    const failure: unknown = await train
      .fit(program, examples(bad), {
        epochs: 1,
        batchSize: 2,
        shuffle: false,
        checkFinite: true,
      })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(NumericError);
    expect(String(failure)).toMatch(message);
    expect(String(failure)).toMatch('run 2: ');
    // Two minibatches of ones came before.
    const other = model();
    for (let run = 0; run < 2; run++) other.program.run({ x: Tensor.ones([2, 6]) });
    expect(w.value.data).toEqual(other.w.value.data);
    expect(program.runs).toBe(2);
    expect(() => program.run(examples(bad), { checkFinite: true })).toThrow(NumericError);
    expect(w.value.data).toEqual(other.w.value.data);
  });
});

describe('an index out of range in the body of a loop', () => {
  const table = parameter(
    'table',
    tensor([
      [1, 2],
      [3, 4],
      [5, 6],
    ]),
  );
  const element = 'element 1 of the indices is 7, but the valid indices of axis 0 are from -3 to 2';

  it.each([false, true])(
    'is reported with its step by run, runAsync, profile and evaluate, reverse %s',
    async (reverse) => {
      const { last } = scan(
        ({ h }, i) => [{ h: add(mul(h, 0.5), gather(table, i).named('rows')) }, undefined],
        {
          over: input('ids', ['steps', 2], { dtype: 'int32' }),
          initial: { h: constant(Tensor.zeros([2, 2])) },
          name: 'net',
          reverse,
        },
      );
      const feeds = { ids: tensor(Int32Array.of(0, 1, 2, 0, 0, 1, 0, 7, 0, 0), { shape: [5, 2] }) };
      const program = compile({ outputs: { h: last.h } });
      const where = "[gather 'rows'] in [scan 'net'], step 3";
      const expected = `run 0: ${where}: ${element}; the run has written nothing`;
      const errors: unknown[] = [
        errorOf(() => program.run(feeds)),
        errorOf(() => program.profile(feeds)),
        await program.runAsync(feeds).catch((error: unknown) => error),
      ];
      for (const error of errors) {
        expect(error).toBeInstanceOf(ValueError);
        expect((error as Error).message).toBe(expected);
      }
      const reference = errorOf(() => evaluate(last.h, feeds));
      expect(reference).toBeInstanceOf(ValueError);
      expect(reference.message).toBe(`${where}: ${element}`);
    },
  );

  it('is reported with the steps of all loops, and with the run of fit', async () => {
    const ids = input('ids', ['batch', 2, 3], { dtype: 'int32' });
    const w = parameter('w', 1);
    const { last } = scan(
      ({ h }, x) => {
        const inner = scan(
          ({ g }, i) => [{ g: add(mul(g, 0.5), sum(gather(table, i).named('row'))) }, undefined],
          { over: x, initial: { g: h }, name: 'inner' },
        );
        return [{ h: mul(inner.last.g, w) }, undefined];
      },
      { over: reshape(ids, [2, 'batch', 3]), initial: { h: 0 }, name: 'outer' },
    );
    const program = compile({
      outputs: { h: last.h },
      updates: sgd(last.h, [w], { rate: 0.01 }),
    });
    const data = new Int32Array(4 * 6);
    data[2 * 6 + 4] = -9;
    const dataset = { ids: tensor(data, { shape: [4, 2, 3] }) };
    const before = [...w.value.data];
    const options = { epochs: 1, batchSize: 4, shuffle: false };
    const failure: unknown = await train
      .fit(program, dataset, options)
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ValueError);
    // The element 16 of [4, 2, 3] is at [1, 1, 1] of [2, 4, 3].
    expect((failure as Error).message).toBe(
      "run 0: [gather 'row'] in [scan 'outer'], step 1, in [scan 'inner'], step 1: element 1 of the indices is -9, but the valid indices of axis 0 are from -3 to 2; the run has written nothing",
    );
    expect([...w.value.data]).toEqual(before);
  });
});
