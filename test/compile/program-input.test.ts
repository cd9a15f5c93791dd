// Tests the arguments that compile and run refuse. Each gives an error with a message, and later runs still work.
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/compile/program.js';
import {
  add,
  constant,
  DTypeError,
  exp,
  type Feeds,
  ForebayError,
  GraphError,
  input,
  matmul,
  mul,
  parameter,
  ShapeError,
  StateError,
  state,
  sum,
  Tensor,
  tensor,
  ValueError,
} from '../../src/index.js';
import { errorOf } from '../support.js';

type Kind = new (message: string) => ForebayError;

describe('feeds that do not fit', () => {
  const setUp = () => {
    const x = input('x', ['batch', 3]);
    const n = input('n', ['batch'], { dtype: 'int32' });
    const w = state('w', [1, 2, 3]);
    const program = compile({ outputs: { y: mul(x, w), n }, updates: [[w, add(w, 1)]] });
    const good = { x: [[1, 2, 3]], n: tensor(new Int32Array([4])) };
    return { program, w, good };
  };
  const gone = () => {
    const t = Tensor.ones([1, 3]);
    structuredClone(t.data, { transfer: [t.data.buffer as ArrayBuffer] });
    return t;
  };
  const resized = () => {
    const buffer = new (
      ArrayBuffer as unknown as new (
        size: number,
        options: { maxByteLength: number },
      ) => ArrayBuffer & { resize(size: number): void }
    )(12, { maxByteLength: 64 });
    const t = new Tensor(new Float32Array(buffer), [1, 3]);
    buffer.resize(8);
    return t;
  };
  const grown = () => {
    const t = resized();
    (t.data.buffer as ArrayBuffer & { resize(size: number): void }).resize(64);
    return t;
  };

  it.each<[string, (good: Feeds) => unknown, Kind, RegExp]>([
    [
      'another shape',
      (good) => ({ ...good, x: [[1, 2]] }),
      ShapeError,
      /expected float32 \[batch, 3\], but was fed \[1, 2\]/,
    ],
    ['another rank', (good) => ({ ...good, x: [1, 2, 3] }), ShapeError, /but was fed \[3\]/],
    [
      'another dtype',
      (good) => ({ ...good, x: new Tensor(new Float64Array(3), [1, 3]) }),
      DTypeError,
      /but was fed float64/,
    ],
    [
      'two sizes of one name',
      (good) => ({ ...good, n: tensor(new Int32Array(2)) }),
      ShapeError,
      /'batch' is bound to/,
    ],
    ['an unknown name', (good) => ({ ...good, z: 1 }), ValueError, /feed 'z' is not an input/],
    ['a missing name', ({ x }) => ({ x }), ValueError, /\[input 'n'\] was not fed/],
    [
      'a string instead of a tensor',
      (good) => ({ ...good, x: 'three' }),
      ValueError,
      /but was fed the string "three"/,
    ],
    ['no record', () => 7, ValueError, /feeds must be a record/],
    [
      'memory that was transferred away',
      (good) => ({ ...good, x: gone() }),
      ValueError,
      /transferred away or resized/,
    ],
    [
      'memory that was made shorter',
      (good) => ({ ...good, x: resized() }),
      ValueError,
      /transferred away or resized/,
    ],
    [
      'memory that was made longer',
      (good) => ({ ...good, x: grown() }),
      ValueError,
      /transferred away or resized/,
    ],
  ])(
    '%s: refused with a message, by both kinds of run, before and after a valid run',
    async (_what, make, kind, message) => {
      const { program, w, good } = setUp();
      for (const runs of [0, 1]) {
        const feeds = make(good) as Feeds;
        const error = errorOf(() => program.run(feeds));
        expect(error).toBeInstanceOf(kind);
        expect(error.message).toMatch(message);
        await expect(program.runAsync(feeds)).rejects.toThrow(message);
        expect([program.runs, w.value.data[0]]).toEqual([runs, 1 + runs]);
        expect(program.run(good).y.toArray()).toEqual([[1 + runs, 2 * (2 + runs), 3 * (3 + runs)]]);
      }
    },
  );
});

describe('compile refuses', () => {
  const [x, w] = [input('x', [2]), parameter('w', [1, 2])];
  it.each<[string, () => unknown, Kind, RegExp]>([
    [
      'no outputs',
      () => compile({} as never),
      ValueError,
      /outputs must be a record of nodes by name, but is undefined/,
    ],
    [
      'a node instead of a record',
      () => compile({ outputs: w as never }),
      ValueError,
      /outputs must be a record/,
    ],
    ['a list', () => compile({ outputs: [w] as never }), ValueError, /an array of 1/],
    [
      'an output that is not a node',
      () => compile({ outputs: { two: 2 as never } }),
      ValueError,
      /output 'two' must be a node, but is number 2/,
    ],
    [
      'an update of another shape',
      () => compile({ outputs: {}, updates: [[w, sum(w)]] }),
      ShapeError,
      /update of \[parameter 'w'\]: expected shape \[2\]/,
    ],
    [
      'an update of another dtype',
      () => compile({ outputs: {}, updates: [[w, constant(new Float64Array(2))]] }),
      DTypeError,
      /expected float32/,
    ],
    [
      'two updates of one leaf',
      () =>
        compile({
          outputs: {},
          updates: [
            [w, w],
            [w, x],
          ],
        }),
      GraphError,
      /updated twice/,
    ],
    [
      'an update of an input',
      () => compile({ outputs: {}, updates: [[x as never, w]] }),
      GraphError,
      /only parameters and states/,
    ],
    [
      'two leaves of one name',
      () => compile({ outputs: { y: add(w, parameter('w', [1, 2])) } }),
      GraphError,
      /two leaves of one run are named 'w'/,
    ],
    [
      'a fractional number of threads',
      () => compile({ outputs: { w }, threads: 0.5 }),
      ValueError,
      /threads must be a positive integer/,
    ],
    [
      'no thread',
      () => compile({ outputs: { w }, threads: 0 }),
      ValueError,
      /threads must be a positive integer/,
    ],
  ])('%s', (_what, run, kind, message) => {
    const error = errorOf(run);
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toMatch(message);
  });

  it('an update whose shape differs after its names are bound', () => {
    const rows = input('rows', ['n']);
    const program = compile({ outputs: {}, updates: [[w, rows]] });
    expect(errorOf(() => program.run({ rows: [1, 2, 3] }))).toBeInstanceOf(ShapeError);
    program.run({ rows: [5, 6] });
    expect(w.value.toArray()).toEqual([5, 6]);
  });

  it('a binding that needs too much memory, and the program can still be used', () => {
    const [rows, columns] = [input('rows', ['n', 1]), input('columns', [1, 'n'])];
    // The n x n matrix `pairs` must be stored, because a product reads it as both operands.
    const pairs = exp(matmul(rows, columns));
    const program = compile({ outputs: { y: matmul(pairs, pairs) } });
    const feeds = (n: number) => ({ rows: Tensor.zeros([n, 1]), columns: Tensor.zeros([1, n]) });
    expect(program.run(feeds(2)).y.toArray()).toEqual([
      [2, 2],
      [2, 2],
    ]);
    const error = errorOf(() => program.run(feeds(2 ** 23)));
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toMatch(
      /^compile: cannot allocate memory for a run where n = 8388608, an arena of \d{15} bytes and more: .*the arena$/,
    );
    expect(errorOf(() => program.run(feeds(2 ** 23))).cause).toBeInstanceOf(ValueError);
    expect(program.run(feeds(3)).y.data).toEqual(new Float32Array(9).fill(3));
  });
});

describe('getters in the feeds', () => {
  // The two sizes differ in how feeds are passed: small feeds are copied into memory of the program, and large ones are
  // passed by address.
  const sizes = [2, 5000];
  const setUp = (size: number) => {
    const [a, b] = [input('a', [size]), input('b', [size])];
    const program = compile({ outputs: { total: sum(add(a, b)) } });
    const of = (value: number) => new Tensor(new Float32Array(size).fill(value), [size]);
    expect(program.run({ a: of(7), b: of(7) }).total.item()).toBe(14 * size);
    const run = (meanwhile: (a: Tensor) => void) => {
      const [first, second] = [of(1), of(2)];
      return () => {
        const feeds = {
          a: first,
          get b() {
            meanwhile(first);
            return second;
          },
        };
        return program.run(feeds).total.item();
      };
    };
    return { program, of, run };
  };

  it.each(sizes)('that run the same program cause an error and no result (%d)', (size) => {
    const { program, of, run } = setUp(size);
    const again = () => program.run({ a: of(5), b: of(6) }).total.item();
    expect(errorOf(run(again))).toBeInstanceOf(ForebayError);
    expect(again()).toBe(11 * size);
  });

  it.each(sizes)('that transfer memory cause an error (%d)', (size) => {
    const { run } = setUp(size);
    const transfer = ({ data }: Tensor) => {
      structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] });
    };
    expect(errorOf(run(transfer))).toBeInstanceOf(ForebayError);
  });

  it.each(sizes)('that dispose of the program cause an error (%d)', (size) => {
    const { program, run } = setUp(size);
    expect(errorOf(run(() => program.dispose()))).toBeInstanceOf(ForebayError);
    expect(errorOf(() => program.run({}))).toBeInstanceOf(StateError);
  });
});

describe('invalid options', () => {
  it.each([null, 3, 'into'])('%o are refused', async (options) => {
    const program = compile({ outputs: { one: constant(1) } });
    const message = /expected an options object \{ (into|signal), checkFinite \}, but received/;
    expect(errorOf(() => program.run({}, options as never)).message).toMatch(message);
    await expect(program.runAsync({}, options as never)).rejects.toThrow(message);
  });

  it.each([
    {},
    { aborted: false, addEventListener() {} },
    { aborted: false, addEventListener() {}, throwIfAborted() {} },
  ])('an incomplete signal is refused: %o', async (signal) => {
    const program = compile({ outputs: { one: constant(1) } });
    const running = program.runAsync({}, { signal: signal as never });
    await expect(running).rejects.toThrow('signal must be an AbortSignal, but is an object');
  });
});
