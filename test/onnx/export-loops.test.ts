// Exports loops: each becomes one operator Scan. ONNX Runtime computes the same of it, and so does the imported file.
import { describe, expect, it } from 'vitest';
import {
  add,
  backward,
  broadcastTo,
  cast,
  constant,
  GRU,
  input,
  LSTM,
  matmul,
  mul,
  type Node,
  parameter,
  randomNormal,
  reshape,
  SimpleRNN,
  scan,
  sum,
  Tensor,
  tanh,
  tensor,
} from '../../src/index.js';
import type { GraphProto } from '../../src/onnx/messages.js';
import { randomTensor } from '../support.js';
import { bytesOf, computed, difference, graphOf, imported, operatorsOf } from './exported.js';
import { counted, expectSame, bytesOf as fileOf } from './forms.js';
import { run } from './runtime.js';

let made = 0;
const float32 = (shape: readonly number[]) =>
  new Tensor(Float32Array.from(randomTensor(shape, made++).data), shape);
const weight = (...shape: number[]) => parameter(`exported.loop${made++}`, float32(shape));

/** Checks outputs against ONNX Runtime, and against the imported file. */
async function check(
  outputs: Readonly<Record<string, Node>>,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<void> {
  const expected = computed(outputs, feeds);
  for (const opset of [13, 18, 21]) {
    const found = await run(bytesOf({ outputs, opset }), feeds);
    for (const [name, tensor] of Object.entries(expected)) {
      expectSame(`${name}, operator set ${opset}`, found[name] as Tensor, tensor);
    }
    expect(await difference(outputs, feeds, { opset, tolerance: 2e-6 })).toBeUndefined();
  }
}

/** Returns the graph of the only Scan of a graph. */
function bodyOf(outputs: Readonly<Record<string, Node>>): GraphProto {
  const scans = graphOf({ outputs }).node.filter(({ opType }) => opType === 'Scan');
  expect(scans).toHaveLength(1);
  return scans[0]?.attribute.find(({ name }) => name === 'body')?.g as GraphProto;
}

const x = input('x', ['steps', 'batch', 3]);
const feeds = (steps = 4) => ({ x: float32([steps, 2, 3]) });
const h0 = broadcastTo(constant(0.5, { dtype: 'float32' }), ['batch', 3]);

/** h = tanh((h + x) w), with the values of all steps. */
const cell = (w: Node, { reverse = false, over = x }: { reverse?: boolean; over?: Node } = {}) =>
  scan(
    ({ h }, row) => {
      const next = tanh(matmul(add(h, row), w));
      return [{ h: next }, next];
    },
    { over, initial: { h: h0 }, reverse },
  );

describe('a loop', () => {
  it.each([false, true])(
    'carries values, and keeps those of all steps: reverse %s',
    async (reverse) => {
      const { last, ys } = cell(weight(3, 3), { reverse });
      for (const steps of [4, 1]) await check({ last: last.h, ys }, feeds(steps));
      expect(operatorsOf({ outputs: { last: last.h, ys } })).toEqual(
        'Shape Concat Expand Scan'.split(' '),
      );
    },
  );

  it('of no steps keeps the initial values', async () => {
    const { last, ys } = cell(weight(3, 3));
    // ONNX Runtime does not run a Scan of no steps: findings/onnxruntime-scan-no-rows.sh.
    expect(await difference({ last: last.h, ys }, feeds(0))).toBeUndefined();
  });

  it('whose number of steps is 0 is no operator', async () => {
    const w = weight(3, 3);
    const { last, ys } = scan(({ h }, row) => [{ h: matmul(add(h, row), w) }, row], {
      over: constant(Tensor.zeros([0, 1, 3])),
      initial: { h: mul(sum(x), h0) },
    });
    const outputs = { h: last.h, ys, gradient: backward(sum(last.h)).of(w) };
    await check(outputs, feeds());
    expect(operatorsOf({ outputs })).not.toContain('Scan');
  });

  it('whose number of steps is 0 has the shape of its rows', async () => {
    const { last, ys } = cell(weight(3, 3), { over: input('none', [0, 'batch', 3]) });
    const none = float32([0, 2, 3]);
    const outputs = { last: last.h, ys };
    const found = await run(bytesOf({ outputs }), { none });
    for (const [name, tensor] of Object.entries(computed(outputs, { none }))) {
      expectSame(name, found[name] as Tensor, tensor);
    }
    expect(found.ys?.shape).toEqual([0, 2, 3]);
  });

  it.each([false, true])('reads the index of its steps: reverse %s', async (reverse) => {
    const { last, ys } = scan(
      ({ s }, row, t) => [{ s: add(s, cast(t, 'float32')) }, mul(row, add(cast(t, 'float32'), 1))],
      { over: x, initial: { s: 0 }, reverse },
    );
    await check({ last: last.s, ys }, feeds());
  });

  it('may read no rows, and have a number of steps', async () => {
    const { last, ys } = scan(({ p }) => [{ p: mul(p, 2) }, p], { initial: { p: 1 }, length: 5 });
    await check({ last: add(last.p, mul(sum(x), 0)), ys }, feeds());
  });

  it('may return what it gets: rows, carries, values from outside', async () => {
    const outside = mul(x, 2);
    const { last, ys } = scan(
      ({ h, same }, row) => [
        { h: row, same },
        { row, before: h, outside: add(row, sum(outside)), h: row },
      ],
      { over: x, initial: { h: h0, same: h0 } },
    );
    await check({ last: last.h, same: last.same, ...ys, all: outside }, feeds());
  });

  it('reads names of dimensions', async () => {
    const { ys } = scan((_, row) => [{}, reshape(broadcastTo(row, [2, 'batch', 3]), [-1])], {
      over: x,
    });
    await check({ ys }, feeds());
    // They are computed once, and not in each step.
    const types = bodyOf({ ys }).node.map(({ opType }) => opType);
    expect(types).not.toContain('Shape');
  });

  it('may be in another one', async () => {
    const w = weight(3, 3);
    const { ys } = scan(
      (_, row) => {
        const { last } = scan(
          ({ s }, one) => [{ s: tanh(add(s, matmul(reshape(one, [1, 3]), w))) }, undefined],
          {
            over: row,
            initial: { s: Tensor.zeros([1, 3]) },
          },
        );
        return [{}, last.s];
      },
      { over: x },
    );
    await check({ ys }, feeds());
    const inner = bodyOf({ ys }).node.filter(({ opType }) => opType === 'Scan');
    expect(inner).toHaveLength(1);
  });

  it('may be in segments', async () => {
    const { last, ys } = scan(
      ({ h }, row, t) => {
        const next = tanh(mul(add(h, row), mul(cast(t, 'float32'), 0.5)));
        return [{ h: next }, next];
      },
      { over: x, initial: { h: h0 }, recompute: { every: 3 } },
    );
    for (const steps of [4, 8]) await check({ last: last.h, ys }, feeds(steps));
  });

  it('may be a gradient, whose sums are states', async () => {
    const w = weight(3, 3);
    const { last, ys } = cell(w);
    const loss = add(sum(mul(last.h, last.h)), sum(ys));
    await check({ loss, gradient: backward(loss).of(w) }, feeds());
  });

  it('has only the carries and results that are read', () => {
    const { last, ys } = scan(
      ({ a, b, c }, row) => [
        { a: add(a, b), b: add(b, 1), c: add(c, a) },
        { row, twice: mul(row, 2) },
      ],
      { over: x, initial: { a: 0, b: 1, c: 2 } },
    );
    const counts = (outputs: Record<string, Node>) => {
      const { input: inputs, output } = bodyOf(outputs);
      return [inputs.length, output.length];
    };
    expect(counts({ y: last.b })).toEqual([2, 1]);
    expect(counts({ y: last.a })).toEqual([3, 2]);
    expect(counts({ y: ys.twice })).toEqual([1, 1]);
    expect(counts({ y: last.c, z: ys.row })).toEqual([4, 4]);
  });

  it('whose draw cannot be exported is refused', () => {
    const { ys } = scan(() => [{}, randomNormal([2], { seed: 3 })], { length: 4 });
    expect(() => bytesOf({ outputs: ys })).toThrow('[randomNormal');
  });
});

describe('recurrent layers', () => {
  const lengths = input('lengths', ['batch'], { dtype: 'int32' });

  it.each([
    ['LSTM', LSTM],
    ['GRU', GRU],
    ['SimpleRNN', SimpleRNN],
  ] as const)('%s of rows of different lengths are loops', async (title, Layer) => {
    const layer = new Layer(`exported.${title}`, { inputs: 3, units: 4 });
    const { hidden } = layer.unroll(x, { lengths });
    const given = { ...feeds(), lengths: tensor([2, 4], { dtype: 'int32' }) };
    await check({ y: hidden }, given);
    expect(operatorsOf({ outputs: hidden })).toContain('Scan');
  });

  it.each(['LSTM', 'GRU', 'RNN'])('%s of an imported file goes out again', async (operator) => {
    const gates = { LSTM: 4, GRU: 3, RNN: 1 }[operator] as number;
    const file = fileOf({
      nodes: [[operator, 'x w r', 'y h', { hidden_size: 3, direction: 'bidirectional' }]],
      constants: {
        w: counted([2, gates * 3, 3], 'float', 0.1),
        r: counted([2, gates * 3, 3], 'float', 0.1),
      },
      feeds: { x: counted([4, 2, 3], 'float', 0.2) },
      dims: { x: ['steps', 'batch', 3] },
      outputs: { y: 'float', h: 'float' },
    });
    const outputs = await imported(file);
    const given = feeds();
    const theirs = await run(file, given);
    const again = await run(bytesOf({ outputs }), given);
    for (const name of ['y', 'h']) expectSame(name, again[name] as Tensor, theirs[name] as Tensor);
    await check(outputs, given);
  });
});
