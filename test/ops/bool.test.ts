// The element types bool and uint8.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  add,
  backward,
  cast,
  checkpoint,
  compile,
  concat,
  constant,
  type DType,
  DTypeError,
  equal,
  evaluate,
  type Feeds,
  gather,
  greater,
  initializers,
  input,
  load,
  loadNpy,
  loadNpz,
  matmul,
  max,
  mean,
  mul,
  type Node,
  type Program,
  parameter,
  randomUniform,
  reshape,
  resume,
  save,
  saveNpy,
  saveNpz,
  slice,
  softmax,
  sort,
  square,
  state,
  Tensor,
  takeAlongAxis,
  tensor,
  transpose,
  ValueError,
  where,
} from '../../src/index.js';
import { errorOf } from '../support.js';

const folder = mkdtempSync(join(tmpdir(), 'forebay-bool-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Computes a node with both executors, which must agree, and returns its value. */
function both(node: Node, feeds: Feeds = {}): Tensor {
  const program: Program = compile({ outputs: { node } });
  const compiled = program.run(feeds).node;
  program.dispose();
  const evaluated = evaluate(node, feeds);
  expect(compiled).toEqual(evaluated);
  return evaluated;
}

describe('a tensor of bool', () => {
  it('is made of booleans, and takes one byte an element', () => {
    const made = tensor([
      [true, false],
      [false, true],
    ]);
    expect(made).toMatchObject({ dtype: 'bool', shape: [2, 2] });
    expect(made.data).toEqual(Uint8Array.of(1, 0, 0, 1));
    expect(made.data.byteLength).toBe(4);
    expect(tensor(true)).toMatchObject({ dtype: 'bool', shape: [] });
    expect(tensor([0, 1, 1], { dtype: 'bool' }).toArray()).toEqual([0, 1, 1]);
    expect(Tensor.ones([2], { dtype: 'bool' }).data).toEqual(Uint8Array.of(1, 1));
    expect(tensor(JSON.parse(JSON.stringify(made)))).toEqual(made);
    expect(tensor(structuredClone(made))).toEqual(made);
  });

  it('shares the memory of a Uint8Array of 0 and 1, and refuses other bytes', () => {
    const bytes = Uint8Array.of(0, 1, 1);
    expect(tensor(bytes, { dtype: 'bool' }).data).toBe(bytes);
    for (const length of [1, 3, 4, 9, 40]) {
      for (const offset of [0, 1]) {
        const memory = new Uint8Array(length + offset).subarray(offset);
        memory[length - 1] = 2;
        const error = errorOf(() => tensor(memory, { dtype: 'bool' }));
        expect(error).toBeInstanceOf(ValueError);
        expect(error.message).toMatch(
          `element ${length - 1} of the data is 2, expected 0 or 1, because the dtype is bool`,
        );
      }
    }
  });

  it.each([
    [() => tensor([0, 2], { dtype: 'bool' }), '2 is not a bool (0 or 1), but the dtype is bool'],
    [() => tensor([0.5], { dtype: 'bool' }), '0.5 is not a bool'],
    [() => Tensor.full([2], 3, { dtype: 'bool' }), '3 is not a bool'],
    [() => constant(NaN, { dtype: 'bool' }), 'NaN is not a bool'],
    [
      () => tensor([true, 1], { dtype: 'float32' }),
      'element [0] must be a number, but is boolean true',
    ],
    [() => equal(constant(tensor([true])), 2), 'operand 1 must be a bool (0 or 1)'],
  ])('refuses what is not a bool: %s', (make, message) => {
    const error = errorOf(make);
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toContain(message);
  });

  it('with a byte that was changed later counts as true, and breaks no kernel', () => {
    const x = input('x', [40], { dtype: 'bool' });
    const fed = Tensor.zeros([40], { dtype: 'bool' });
    fed.data[3] = 255;
    const chosen = both(where(x, constant(tensor(new Float64Array(40).fill(7))), 1), { x: fed });
    expect([...chosen.data].indexOf(7)).toBe(3);
    expect(both(cast(x, 'int32'), { x: fed }).data[3]).toBe(1);
    expect(both(where(x, 2, 1), { x: fed }).data[3]).toBe(2);
  });

  it('with a byte that was changed later is 1 in the results of a run', async () => {
    const x = input('x', [40], { dtype: 'bool' });
    const fed = Tensor.zeros([40], { dtype: 'bool' });
    for (const at of [3, 4, 39]) fed.data[at] = 255 - at;
    const expected = Tensor.zeros([40], { dtype: 'bool' });
    for (const at of [0, 35, 36]) expected.data[at] = 1;
    const runs = state('runs', 0);
    const reversed = slice(x, { axis: 0, step: -1 });
    const program = compile({ outputs: { reversed }, updates: [[runs, add(runs, 1)]] });
    expect(program.run({ x: fed }).reversed).toEqual(expected);
    expect((await program.runAsync({ x: fed })).reversed).toEqual(expected);
    expect(evaluate(reversed, { x: fed })).toEqual(expected);
    const into = { reversed: Tensor.zeros([40], { dtype: 'bool' }) };
    expect(program.run({ x: fed }, { into })).toBe(into);
    expect(into.reversed).toEqual(expected);
    expect(runs.value.item()).toBe(3);
    program.dispose();
  });

  it('with a byte that was changed later is 1 in files, in checkpoints and in JSON', async () => {
    const flags = state('flags', [false, true, false]);
    flags.value.data.set([255, 2], 1);
    const expected = tensor([false, true, true]);
    const [file, array, archive] = ['changed.safetensors', 'x.npy', 'x.npz'].map((name) =>
      join(folder, name),
    ) as [string, string, string];
    save(file, [flags]);
    expect(load(file).flags).toEqual(expected);
    saveNpy(array, flags.value);
    expect(loadNpy(array)).toEqual(expected);
    saveNpz(archive, { flags });
    expect(loadNpz(archive).flags).toEqual(expected);
    expect(tensor(JSON.parse(JSON.stringify(flags.value)))).toEqual(expected);
    await checkpoint(file, { updates: [[flags, flags]] });
    resume(file, { updates: [[flags, flags]] });
    expect(flags.value).toEqual(expected);
  });

  it('is refused as a feed of other bytes, with an error that names the input', () => {
    const x = input('x', ['n'], { dtype: 'bool' });
    const error = errorOf(() => evaluate(x, { x: Uint8Array.of(0, 5) }));
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toMatch(/^\[input 'x'\] element 1 of the data is 5, expected 0 or 1/);
  });
});

describe('a tensor of uint8', () => {
  it('shares the memory of a Uint8Array, and takes one byte an element', () => {
    const bytes = Uint8Array.of(0, 7, 255);
    expect(tensor(bytes)).toMatchObject({ dtype: 'uint8', shape: [3] });
    expect(tensor(bytes).data).toBe(bytes);
    expect(tensor(bytes, { dtype: 'float32' })).toEqual(tensor([0, 7, 255]));
    expect(tensor([bytes, bytes])).toMatchObject({ dtype: 'uint8', shape: [2, 3] });
    expect(errorOf(() => tensor([256], { dtype: 'uint8' })).message).toContain(
      '256 is not an integer from 0 to 255, but the dtype is uint8',
    );
    expect(errorOf(() => new Tensor<DType>(bytes, [3], 'float32'))).toBeInstanceOf(DTypeError);
  });

  it('is accepted as a feed of a float input, and converted', () => {
    const x = input('x', [2]);
    expect(both(mul(x, 2), { x: Uint8Array.of(3, 200) }).toArray()).toEqual([6, 400]);
  });
});

describe('comparisons', () => {
  it('give bool, which where takes', () => {
    const x = input('x', [4]);
    const mask = greater(x, 0);
    expect(mask.dtype).toBe('bool');
    expect(equal(x, 1).dtype).toBe('bool');
    const feeds = { x: tensor([1, -1, NaN, 5]) };
    expect(both(mask, feeds).data).toEqual(Uint8Array.of(1, 0, 0, 1));
    expect(both(where(mask, x, 0), feeds).toArray()).toEqual([1, 0, 0, 5]);
    expect(both(where(mask, cast(x, 'float64'), 0), feeds).dtype).toBe('float64');
    expect(both(where(mask, mask, 1), feeds).dtype).toBe('bool');
  });

  it.each(['float32', 'float64', 'int32', 'bool', 'uint8'] as const)('compare %s', (dtype) => {
    const [a, b] = [input('a', [4], { dtype }), input('b', [4], { dtype })];
    const feeds = {
      a: tensor([0, 1, 0, 1], { dtype }),
      b: tensor([0, 0, 1, 1], { dtype }),
    };
    expect(both(greater(a, b), feeds).data).toEqual(Uint8Array.of(0, 1, 0, 0));
    expect(both(equal(a, b), feeds).data).toEqual(Uint8Array.of(1, 0, 0, 1));
    expect(both(where(greater(a, b), a, b), feeds)).toEqual(tensor([0, 1, 1, 1], { dtype }));
  });

  it('are refused as operands of arithmetic, with an error that names the node and cast', () => {
    const x = input('x', [2]);
    for (const op of [() => mul(greater(x, 0), x), () => add(greater(x, 0), greater(x, 1))]) {
      const error = errorOf(op);
      expect(error).toBeInstanceOf(DTypeError);
      expect(error.message).toMatch(/^\[(mul|add)\] .*bool.*cast\(\)/);
    }
    const mask = greater(x, 0).named('mask');
    for (const number of [0.5, 1, 2]) {
      const error = errorOf(() => mul(mask, number));
      expect(error).toBeInstanceOf(DTypeError);
      expect(error.message).toBe(
        "[mul] is defined for float32 and float64, but received bool; cast() it first (operands: [greater 'mask'])",
      );
    }
    for (const op of [max, sort]) {
      expect(errorOf(() => op(greater(x, 0))).message).toMatch(
        /is defined for float32, float64 and int32, but received bool; cast\(\) it first/,
      );
    }
  });
});

describe('cast', () => {
  it('converts between all dtypes', () => {
    const numbers = tensor([-3.7, -0, 0, 0.5, 1, 254.9, 300, NaN, Infinity], { dtype: 'float64' });
    const x = input('x', [9], { dtype: 'float64' });
    const as = (to: 'bool' | 'uint8', from: 'float32' | 'float64') => [
      ...both(cast(cast(x, from), to), { x: numbers }).data,
    ];
    for (const from of ['float32', 'float64'] as const) {
      expect(as('bool', from)).toEqual([1, 0, 0, 1, 1, 1, 1, 1, 1]);
      expect(as('uint8', from)).toEqual([0, 0, 0, 0, 1, 254, 255, 0, 255]);
    }
    const i = input('i', [4], { dtype: 'int32' });
    const feeds = { i: tensor([-5, 0, 200, 70_000], { dtype: 'int32' }) };
    expect([...both(cast(i, 'uint8'), feeds).data]).toEqual([0, 0, 200, 255]);
    expect([...both(cast(i, 'bool'), feeds).data]).toEqual([1, 0, 1, 1]);
    for (const to of ['float32', 'float64', 'int32', 'uint8'] as const) {
      expect(both(cast(cast(i, 'bool'), to), feeds)).toEqual(tensor([1, 0, 1, 1], { dtype: to }));
      expect(both(cast(cast(i, 'uint8'), to), feeds)).toEqual(
        tensor([0, 0, 200, 255], { dtype: to }),
      );
    }
    expect([...both(cast(cast(i, 'uint8'), 'bool'), feeds).data]).toEqual([0, 0, 1, 1]);
  });
});

describe.each(['bool', 'uint8'] as const)('%s', (dtype) => {
  const x = input('x', [3, 5], { dtype });
  const elements = Uint8Array.from({ length: 15 }, (_, i) => (dtype === 'bool' ? i % 2 : 17 * i));
  const feeds = { x: new Tensor(elements, [3, 5], dtype) };

  it('is moved, joined and gathered', () => {
    const indices = constant(tensor(Uint8Array.of(2, 0, 2)));
    const nodes = [
      transpose(x),
      slice(x, { axis: 1, start: -1, step: -2 }),
      concat([x, x], 1),
      gather(x, indices, 0),
      takeAlongAxis(x, constant(tensor(Uint8Array.of(4, 1, 0), { shape: [3, 1] })), 1),
    ];
    for (const node of nodes) expect(both(node, feeds).dtype).toBe(dtype);
    expect([...both(gather(x, indices, 0), feeds).data.subarray(0, 5)]).toEqual([
      ...elements.subarray(10),
    ]);
  });

  it('takes one byte an element in the arena and in states', () => {
    const rows = constant(tensor([1, 0], { dtype: 'int32' }));
    const big = input('big', [1000, 1000], { dtype });
    const program = compile({ outputs: { y: gather(transpose(gather(big, rows)), rows) } });
    // Two rows of 1,000 elements, and two elements of 2 rows.
    expect(program.stats().arenaBytes).toBeLessThan(2 * 1000 + 2 * 1000 + 1024);
    program.dispose();
    expect(state('s', Tensor.zeros([8], { dtype })).value.data.byteLength).toBe(8);
  });

  it('is updated as a state', () => {
    const s = state('s', Tensor.zeros([3, 5], { dtype }));
    const program = compile({ outputs: { s }, updates: [[s, x]] });
    expect(program.run(feeds).s).toEqual(Tensor.zeros([3, 5], { dtype }));
    expect(s.value).toEqual(feeds.x);
    const into = { s: Tensor.zeros([3, 5], { dtype }) };
    program.run(feeds, { into });
    expect(into.s).toEqual(feeds.x);
    program.dispose();
  });

  it('is saved and loaded', () => {
    const file = join(folder, `${dtype}.safetensors`);
    save(file, feeds);
    expect(load(file).x).toEqual(feeds.x);
    expect(load(file, { dtype: 'float32' }).x).toEqual(
      tensor(Float32Array.from(elements), { shape: [3, 5] }),
    );
    saveNpy(join(folder, 'x.npy'), feeds.x);
    expect(loadNpy(join(folder, 'x.npy'))).toEqual(feeds.x);
  });
});

describe('a mask that loops compute', () => {
  const side = 200;
  const x = parameter('x', Tensor.ones([side, side]));

  /** Returns the bytes of the arena of a training step of a softmax. */
  const arenaOf = (scores: Node) => {
    const loss = mean(square(softmax(scores)));
    const program = compile({ outputs: { loss, gradient: backward(loss).of(x) } });
    program.run({});
    const { arenaBytes } = program.stats();
    program.dispose();
    return arenaBytes;
  };

  it('takes no memory: a causal mask', () => {
    const index = constant(tensor(Int32Array.from({ length: side }, (_, i) => i)));
    const later = greater(reshape(index, [1, side]), reshape(index, [side, 1]));
    expect(arenaOf(where(later, -Infinity, x))).toBe(arenaOf(x));
  });

  it.each([[[]], [[3]], [[2, 3]]])(
    'takes no memory: the causal mask of an attention whose operands begin with the axes %j',
    (leading) => {
      // Constants of at most 4,096 elements are folded.
      const [length, width] = [72, 8];
      const drawn = (name: string) =>
        parameter(name, {
          shape: [...leading, length, width],
          init: initializers.normal(1),
          dtype: 'float64',
          seed: name.charCodeAt(0),
        });
      const [query, key, value] = [drawn('q'), drawn('k'), drawn('v')];
      const index = constant(tensor(Int32Array.from({ length }, (_, i) => i)));
      const later = greater(reshape(index, [1, length]), reshape(index, [length, 1]));
      const weight = state('w', tensor(Uint8Array.from({ length: length ** 2 }, (_, i) => i % 3)));
      const sometimes = cast(reshape(weight, [length, length]), 'bool');
      const gradientsWith = (mask: Node | undefined) => {
        const scores = matmul(query, key, { transposeB: true });
        const chosen = mask ? where(mask, -1e9, scores) : scores;
        const loss = mean(square(matmul(softmax(chosen), value)));
        const gradients = backward(loss);
        const outputs = { q: gradients.of(query), k: gradients.of(key), v: gradients.of(value) };
        const program = compile({ outputs });
        const results = program.run();
        for (const [name, expected] of Object.entries(evaluate(outputs))) {
          results[name as 'q'].data.forEach((n, i) => {
            expect(n).toBeCloseTo(expected.data[i] as number, 12);
          });
        }
        const { arenaBytes } = program.stats();
        program.dispose();
        return arenaBytes;
      };
      const unmasked = gradientsWith(undefined);
      expect(gradientsWith(later)).toBe(unmasked);
      expect(gradientsWith(sometimes)).toBe(unmasked);
    },
  );

  it('takes no memory: a mask of drawn numbers', () => {
    const draw = randomUniform([side, side], { seed: 5 });
    expect(arenaOf(where(greater(draw, 0.1), mul(x, 1 / 0.9), 0))).toBe(arenaOf(x));
  });

  it('gives the same gradients as evaluate', () => {
    const draw = randomUniform([side, side], { seed: 5 });
    const loss = mean(square(where(greater(draw, 0.5), x, 0)));
    const gradient = backward(loss).of(x);
    const program = compile({ outputs: { gradient } });
    expect(program.run({}).gradient).toEqual(evaluate(gradient));
    expect(evaluate(gradient).data.filter((g) => g === 0).length).toBeGreaterThan(15_000);
    program.dispose();
  });
});
