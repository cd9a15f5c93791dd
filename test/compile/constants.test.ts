// Tests the option `constants` of compile: what depends only on these variables is computed once, and again when one of
// them has changed.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  add,
  compile,
  constant,
  evaluate,
  FeedForward,
  GraphError,
  gather,
  input,
  LSTM,
  loadNpz,
  log,
  matmul,
  mse,
  mul,
  NumericError,
  type ProfileRow,
  type Program,
  parameter,
  predict,
  randomNormal,
  saveNpz,
  sgd,
  state,
  sum,
  type Tensor,
  tensor,
  ValueError,
  type Variable,
} from '../../src/index.js';
import { panelsSave } from '../../src/native/program.js';
import { errorOf, randomTensor } from '../support.js';
import { unrolled } from '../unrolled.js';

/** Returns a float32 tensor of random numbers. */
const random = (shape: readonly number[], seed: number) =>
  tensor(Float32Array.from(randomTensor(shape, seed).data), { shape });

const bits = ({ data }: Tensor) => [
  ...new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
];

/** Returns, by kind, the number of instructions that a run has executed. */
function executed(rows: readonly ProfileRow[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind, executions } of rows) counts[kind] = (counts[kind] ?? 0) + executions;
  return counts;
}

/** An LSTM of four steps, unrolled by hand or in a loop, with a readout. */
function lstm(by: 'hand' | 'loop') {
  const layer = new LSTM('lstm', { inputs: 12, units: 20 });
  const readout = new FeedForward('readout', { inputs: 20, units: 7 });
  const steps = [0, 1, 2, 3].map((step) => input(`x${step}`, ['batch', 12]));
  const { last } = by === 'loop' ? layer.unroll(steps) : unrolled(layer, steps);
  const y = readout.apply(last.hidden);
  const feeds = (rows: number) =>
    Object.fromEntries(steps.map((_, i) => [`x${i}`, random([rows, 12], i)]));
  return { layer, readout, y, feeds };
}

/** y = x (2 w) */
function scaled() {
  const w = parameter('w', random([3, 4], 1));
  const x = input('x', ['batch', 3]);
  const y = matmul(x, mul(w, 2));
  return { w, y, x, feeds: (rows: number) => ({ x: random([rows, 3], 2) }) };
}

const onceRan = (program: Program, feeds: Readonly<Record<string, Tensor>>) =>
  program.profile(feeds).some(({ once, executions }) => once && executions > 0);

describe('a program with constants', () => {
  it('takes a layer that is an object literal with a list of parameters', () => {
    const { w, y, feeds } = scaled();
    const layer = { parameters: [w], units: 3, apply: () => y };
    const program = compile({ outputs: { y }, constants: layer });
    expect(onceRan(program, feeds(2))).toBe(true);
    expect(onceRan(program, feeds(2))).toBe(false);
  });

  it.each(['hand', 'loop'] as const)('packs weights in the first run only: %s', (by) => {
    const { layer, readout, y, feeds } = lstm(by);
    const plain = compile({ outputs: { y } });
    const kept = compile({ outputs: { y }, constants: { layer, readout } });
    const all = executed(plain.profile(feeds(3)));
    expect(all.pack).toBeGreaterThan(1);
    expect(executed(plain.profile(feeds(3)))).toEqual(all);
    expect(executed(kept.profile(feeds(3)))).toEqual(all);
    const rows = kept.profile(feeds(3));
    expect(executed(rows)).toEqual({ ...all, pack: 0 });
    expect(rows.filter(({ once }) => once).map(({ kind }) => kind)).toEqual(
      Array(all.pack).fill('pack'),
    );
    // In a loop, an instruction is executed in each step.
    const most = by === 'hand' ? 1 : 4;
    for (const { once, executions } of rows) {
      expect(executions).toBeGreaterThanOrEqual(once ? 0 : 1);
      expect(executions).toBeLessThanOrEqual(once ? 0 : most);
    }
    expect(kept.stats()).toMatchObject({
      instructions: plain.stats().instructions,
      onceInstructions: all.pack,
      keptBytes: plain.stats().packedBytes,
    });
    expect(plain.stats()).toMatchObject({ onceInstructions: 0, keptBytes: 0 });
    expect(bits(kept.run(feeds(3)).y)).toEqual(bits(plain.run(feeds(3)).y));
  });

  it('packs a weight that one product reads, where that saves time, with the same bits', () => {
    const dims = [16, 1500, 600] as const;
    for (const transposeB of [false, true]) {
      const [m, n, k] = dims;
      const w = parameter('w', random(transposeB ? [n, k] : [k, n], 1));
      const y = matmul(input('x', ['batch', k]), w, { transposeB });
      const [plain, kept] = [
        compile({ outputs: { y } }),
        compile({ outputs: { y }, constants: w }),
      ];
      for (const rows of [1, m, 40]) {
        const feeds = { x: random([rows, k], 2) };
        expect(bits(kept.run(feeds).y)).toEqual(bits(plain.run(feeds).y));
        const strides = [k, 1, ...(transposeB ? [1, k] : [n, 1])];
        const packs = panelsSave('float32', [rows, n, k], strides);
        const once = kept.profile(feeds).filter((row) => row.once && row.kind === 'pack');
        expect(once).toHaveLength(packs ? 1 : 0);
      }
    }
  });

  it('keeps elementwise operations, reductions, products and casts of constants', () => {
    const w = parameter('w', random([5, 4], 1));
    const v = parameter('v', random([4, 6], 2));
    const x = input('x', ['batch', 5]);
    const weight = mul(matmul(w, v), add(sum(v, 0), 1));
    const y = matmul(x, weight);
    const program = compile({ outputs: { y }, constants: [w, [v]] });
    const feeds = { x: random([2, 5], 3) };
    const expected = compile({ outputs: { y } }).run(feeds).y;
    expect(bits(program.run(feeds).y)).toEqual(bits(expected));
    const rows = program.profile(feeds).filter(({ executions }) => executions > 0);
    expect(rows.map(({ kind }) => kind)).toEqual(['product']);
    expect(bits(program.run(feeds).y)).toEqual(bits(expected));
  });

  it('computes what is kept again after a constant was set, and not after another leaf was set', () => {
    const { w, y, feeds } = scaled();
    const s = state('s', 1);
    const outputs = { y: mul(y, s) };
    const program = compile({ outputs, constants: w });
    const plain = compile({ outputs });
    expect(onceRan(program, feeds(2))).toBe(true);
    expect(onceRan(program, feeds(2))).toBe(false);
    s.set(3);
    expect(onceRan(program, feeds(2))).toBe(false);
    w.set(random([3, 4], 9));
    expect(bits(program.run(feeds(2)).y)).toEqual(bits(plain.run(feeds(2)).y));
    expect(onceRan(program, feeds(2))).toBe(false);
  });

  it('notices new values from evaluate, from another program and from a file', () => {
    const { w, y, feeds } = scaled();
    const program = compile({ outputs: { y }, constants: w });
    const plain = compile({ outputs: { y } });
    const agree = () => {
      expect(bits(program.run(feeds(2)).y)).toEqual(bits(plain.run(feeds(2)).y));
      expect(onceRan(program, feeds(2))).toBe(false);
    };
    agree();
    evaluate({ y }, feeds(2), { updates: [[w, add(w, 1)]] });
    agree();
    const training = compile({ outputs: {}, updates: [[w, mul(w, 3)]] });
    training.run();
    agree();
    const file = join(mkdtempSync(join(tmpdir(), 'forebay-')), 'w.npz');
    saveNpz(file, { w: random([3, 4], 8) });
    loadNpz(file, [w]);
    agree();
  });

  it('keeps the values of the bindings in which they are the same only once', () => {
    const { w, y, feeds } = scaled();
    const program = compile({ outputs: { y }, constants: w });
    const plain = compile({ outputs: { y } });
    expect(onceRan(program, feeds(2))).toBe(true);
    for (const rows of [1, 2, 3, 16, 1]) {
      expect(onceRan(program, feeds(rows))).toBe(false);
      expect(bits(program.run(feeds(rows)).y)).toEqual(bits(plain.run(feeds(rows)).y));
    }
    w.set(random([3, 4], 5));
    expect(onceRan(program, feeds(16))).toBe(true);
    for (const rows of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 16]) {
      expect(onceRan(program, feeds(rows))).toBe(false);
      expect(bits(program.run(feeds(rows)).y)).toEqual(bits(plain.run(feeds(rows)).y));
    }
  });

  it('gives each run outputs of its own if the outputs are kept', () => {
    for (const size of [4, 300]) {
      const w = parameter('w', random([size, size], 1));
      const y = mul(w, 2);
      const program = compile({ outputs: { y, again: y }, constants: w });
      const first = program.run();
      const expected = bits(first.y);
      first.y.data.fill(7);
      first.again.data.fill(8);
      const second = program.run();
      expect(bits(second.y)).toEqual(expected);
      expect(bits(second.again)).toEqual(expected);
    }
  });

  it('never keeps random numbers', () => {
    const w = parameter('w', random([3, 4], 1));
    const outputs = {
      y: mul(w, randomNormal([3, 4], { seed: 3 })),
      z: randomNormal([5], { seed: 4 }),
    };
    const program = compile({ outputs, constants: w });
    const plain = compile({ outputs });
    for (let run = 0; run < 3; run++) {
      const [found, expected] = [program.run(), plain.run()];
      expect(bits(found.y)).toEqual(bits(expected.y));
      expect(bits(found.z)).toEqual(bits(expected.z));
    }
    expect(program.stats().onceInstructions).toBe(0);
  });

  it('may update leaves from its constants', () => {
    const w = parameter('w', random([3, 4], 1));
    const [s, t] = [state('s', random([3, 4], 2)), state('t', random([4, 3], 2))];
    const start = s.value.data.slice();
    const updates = [
      [s, add(s, mul(w, w))],
      [t, w.value.shape.length === 2 ? mul(t, sum(w)) : t],
    ] as const;
    const results = [undefined, [w]].map((constants) => {
      s.set(start);
      t.set(start);
      const program = compile({ outputs: { before: sum(s) }, updates, constants });
      const seen = [0, 1, 2].map(() => bits(program.run().before));
      return [...seen, bits(s.value), bits(t.value)];
    });
    expect(results[1]).toEqual(results[0]);
  });

  it('works in predict, and with the dims of prepare', async () => {
    const { w, y, x } = scaled();
    const program = compile({ outputs: { y }, constants: [w] });
    await program.prepare({ batch: 4 });
    const dataset = { x: random([10, 3], 7) };
    const found = await predict(program, dataset, { batchSize: 4 });
    w.set(random([3, 4], 4));
    const later = await predict(program, dataset, { batchSize: 4 });
    const expected = compile({ outputs: { y } }).run({ [x.name as string]: dataset.x }).y;
    expect(later.y?.toArray()).toEqual(expected.toArray());
    expect(found.y?.toArray()).not.toEqual(expected.toArray());
  });
});

describe('runs in flight', () => {
  it('see the values that their constants have when it is their turn', async () => {
    const w = parameter('w', random([30, 40], 1));
    const y = matmul(input('x', ['batch', 30]), mul(w, 2));
    const serving = compile({ outputs: { y }, constants: [w] });
    const training = compile({ outputs: {}, updates: [[w, mul(w, 1.25)]] });
    const plain = compile({ outputs: { y } });
    const feeds = (rows: number) => ({ x: random([rows, 30], rows) });
    // The programs are compiled, so that the runs start in the order of the calls.
    for (const rows of [1, 2, 3]) serving.run(feeds(rows));
    training.run();
    const first = w.value.data.slice();
    const writes: ('train' | 'evaluate')[] = [];
    // A run reads the leaf after at least `least` and at most `most` writes.
    const served: { rows: number; least: number; most: number; y: Promise<{ y: Tensor }> }[] = [];
    const steps: Promise<unknown>[] = [];
    let done = 0;
    for (let turn = 0; turn < 100; turn++) {
      const rows = 1 + (turn % 3);
      const most = writes.length;
      served.push({ rows, least: done, most, y: serving.runAsync(feeds(rows)) });
      if (turn % 2 === 0) {
        steps.push(training.runAsync());
        writes.push('train');
      }
      if (turn % 7 === 0) {
        evaluate({ w }, {}, { updates: [[w, add(w, 0.5)]] });
        writes.push('evaluate');
        done = writes.length;
      }
      if (turn % 5 === 0) {
        await Promise.all(steps);
        done = writes.length;
      }
    }
    await Promise.all(steps);
    const last = bits(w.value);
    const found = await Promise.all(served.map(async (run) => bits((await run.y).y)));
    // Repeats the writes one by one, and computes what the runs may have read.
    w.set(first);
    const possible = [...writes, undefined].map((write) => {
      const results = [1, 2, 3].map((rows) => bits(plain.run(feeds(rows)).y).join());
      if (write === 'train') training.run();
      if (write === 'evaluate') evaluate({ w }, {}, { updates: [[w, add(w, 0.5)]] });
      return results;
    });
    expect(bits(w.value)).toEqual(last);
    served.forEach(({ rows, least, most }, i) => {
      const results = possible.slice(least, most + 1).map((byRows) => byRows[rows - 1]);
      expect(results).toContain(found[i]?.join());
    });
    expect(bits(serving.run(feeds(2)).y)).toEqual(bits(plain.run(feeds(2)).y));
  });

  it('cannot overlap with set', async () => {
    const { w, y, feeds } = scaled();
    const program = compile({ outputs: { y }, constants: w });
    const run = program.runAsync(feeds(2));
    expect(errorOf(() => w.set(random([3, 4], 5))).code).toBe('FOREBAY_STATE');
    await run;
    w.set(random([3, 4], 5));
    const expected = compile({ outputs: { y } }).run(feeds(2)).y;
    expect(bits((await program.runAsync(feeds(2))).y)).toEqual(bits(expected));
  });
});

describe('errors of what runs once', () => {
  it('name the node with an index out of range, until the indices are set', () => {
    const rows = parameter('rows', tensor([0, 5], { dtype: 'int32' }));
    const table = parameter('table', random([3, 2], 1));
    const chosen = gather(table, rows).named('chosen');
    const program = compile({
      outputs: { y: add(chosen, input('x', [2, 2])) },
      constants: [rows, table],
    });
    const feeds = { x: random([2, 2], 2) };
    for (let time = 0; time < 2; time++) {
      expect(() => program.run(feeds)).toThrow(ValueError);
      expect(() => program.run(feeds)).toThrow(/\[gather 'chosen'\]/);
    }
    rows.set(tensor([0, 2], { dtype: 'int32' }));
    program.run(feeds);
    expect(onceRan(program, feeds)).toBe(false);
  });

  it('name the node that is not finite, also if it was kept by a run without the check', () => {
    const w = parameter('w', [1, -1]);
    const y = add(log(w).named('logarithm'), input('x', [2]));
    const program = compile({ outputs: { y }, constants: [w] });
    const feeds = { x: tensor([1, 2]) };
    for (let time = 0; time < 2; time++) {
      program.run(feeds);
      const error = errorOf(() => program.run(feeds, { checkFinite: true }));
      expect(error).toBeInstanceOf(NumericError);
      expect(error.message).toContain('logarithm');
    }
    w.set([1, 2]);
    expect(program.run(feeds, { checkFinite: true }).y.data[0]).toBe(1);
  });
});

describe('the memory of kept values', () => {
  it('stays valid when bindings that use it are forgotten', () => {
    const x = input('x', ['batch', 2]);
    const rows = constant(tensor([[1], [2]]));
    const w = parameter('w', [[3]]);
    const program = compile({ outputs: { y: matmul(x, mul(rows, w)) }, constants: [w] });
    // A program keeps eight bindings.
    for (let batch = 1; batch < 30; batch++) {
      const feeds = { x: random([batch, 2], batch) };
      const [y] = program.run(feeds).y.data;
      const [a, b] = feeds.x.data as unknown as [number, number];
      expect(y).toBeCloseTo(3 * a + 6 * b, 5);
    }
    program.dispose();
  });
});

describe('the option constants', () => {
  const { w, y } = scaled();
  const unused = parameter('unused', [1]);
  const compiled = (constants: unknown) => () => compile({ outputs: { y }, constants } as never);
  const revoked = () => {
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    return proxy;
  };
  const cycle: unknown[] = [w];
  cycle.push(cycle, { cycle });

  it.each<[string, unknown]>([
    ['a variable', w],
    ['a list', [w, unused]],
    ['a record', { layer: { weight: w } }],
    ['lists in records in lists', [{ a: [w], b: { c: [[unused]] } }]],
    ['a layer', new FeedForward('other', { inputs: 2, units: 2 })],
    ['nothing', []],
    ['an empty record', {}],
    ['a variable twice', [w, w]],
    ['a list that contains itself', cycle],
    ['a variable that the graph does not use', unused],
    ['a state', state('s', 1)],
    ['undefined', undefined],
  ])('may be %s', (_name, constants) => {
    expect(compiled(constants)).not.toThrow();
  });

  it.each<[string, unknown, RegExp]>([
    ['a number', 3, /constants: expected a parameter or a state, a layer, .* received number 3/],
    ['null', null, /constants: .* received null/],
    ['a name', 'w', /constants: .* received the string "w"/],
    ['an input', input('i', [1]), /constants: .* received .*input 'i'/],
    ['a constant', [constant(2)], /constants\[0\]: .* received/],
    ['a node', { a: { b: [w, y] } }, /constants\.a\.b\[1\]: .* received .*matmul/],
    ['a tensor', [w, tensor([1])], /constants\[1\]: .* received/],
    ['a Map', new Map([['w', w]]), /constants: .* received/],
    [
      'a layer of something else',
      [{ parameters: 3 }],
      /constants\[0\]\.parameters: .* received number 3/,
    ],
    ['a hole', [w, undefined], /constants\[1\]: .* received undefined/],
    ['a revoked proxy', revoked(), /constants: /],
    [
      'a getter that throws',
      Object.defineProperty({}, 'w', {
        enumerable: true,
        get: () => {
          throw new Error('a trap');
        },
      }),
      /constants: .*a trap/,
    ],
  ])('may not be %s', (_name, constants, message) => {
    const error = errorOf(compiled(constants));
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toMatch(message);
  });

  it('may not have a variable that the updates write', () => {
    const loss = mse(y, input('target', ['batch', 4]));
    const updates = sgd(loss, [w], { rate: 0.1 });
    const error = errorOf(() => compile({ outputs: { loss }, updates, constants: [{ w }] }));
    expect(error).toBeInstanceOf(GraphError);
    expect(error.message).toContain("[parameter 'w'] is in the option constants");
  });

  it('is typed', () => {
    const variable: Variable = w;
    compile({ outputs: { y }, constants: { a: [variable, { parameters: [w] }], b: {} } });
    // @ts-expect-error: a node is not a variable
    expect(() => compile({ outputs: { y }, constants: [y] })).toThrow(ValueError);
    // @ts-expect-error: a number is not a variable
    expect(() => compile({ outputs: { y }, constants: { rate: 3 } })).toThrow(ValueError);
  });

  it('corrects a misspelt name', () => {
    const error = errorOf(() => compile({ outputs: { y }, constant: [w] } as never));
    expect(error.message).toMatch(/constants/);
  });
});
