import { describe, expect, it } from 'vitest';
import { specialise } from '../../src/compile/specialise.js';
import {
  type AttentionOptions,
  attention,
  backward,
  compile,
  constant,
  DTypeError,
  evaluate,
  input,
  type Node,
  parameter,
  ShapeError,
  square,
  sum,
  Tensor,
  tensor,
  ValueError,
} from '../../src/index.js';
import { blockedAttention } from '../../src/ops/blocked-attention.js';
import { errorOf, randomTensor } from '../support.js';
import { expectCompiled, expectDerivatives, shapesOf } from './agreement.js';

const bools = (values: readonly number[], shape: readonly number[]) =>
  new Tensor(Uint8Array.from(values), shape, 'bool');
const drop = bools([1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1], [3, 4]);

describe('attention', () => {
  it.each<[string, string, AttentionOptions]>([
    ['of matrices', '3x2 4x2 4x3', {}],
    ['of heads', '2x3x2 2x4x2 2x4x2', { scale: 0.3 }],
    ['that is causal', '2x1x4x2 2x1x3x2 2x1x3x2', { causal: true }],
    ['with more keys than queries, causal', '2x3 4x3 4x1', { causal: true }],
    ['with a bool mask', '2x3x2 2x4x2 2x4x2', { mask: drop }],
    ['with a mask, causal', '3x2 4x2 4x2', { mask: drop, causal: true }],
    ['with leading axes that broadcast', '2x1x3x2 4x2 3x4x2', {}],
    ['of an empty batch', '0x3x2 0x4x2 0x4x2', { causal: true }],
    ['without keys', '3x2 0x2 0x2', { causal: true }],
    ['without queries', '0x2 3x2 3x2', {}],
    ['of width 0', '3x0 4x0 4x2', {}],
  ])('%s has derivatives of both orders', (_title, shapes, options) => {
    const build = (...[q, k, v]: Node[]) => attention(q as Node, k as Node, v as Node, options);
    expectDerivatives({ inputs: shapesOf(shapes).map((shape) => ({ shape })), build });
  });

  it('sends a gradient to a mask of numbers', () => {
    const inputs = shapesOf('2x3x2 2x4x2 2x4x3 2x1x4').map((shape) => ({ shape }));
    const build = (...[q, k, v, mask]: Node[]) =>
      attention(q as Node, k as Node, v as Node, { mask: mask as Node });
    expectDerivatives({ inputs, build });
  });

  it('gives 0 and the gradient 0 for queries without keys, whatever their elements are', () => {
    const odd = [Number.NaN, Infinity, -Infinity, 1];
    const [q, k, v] = shapesOf('4x1 2x1 2x1').map(
      (shape, i): Node =>
        parameter(
          `x${i}`,
          i === 0 ? new Tensor(Float64Array.from(odd), shape) : randomTensor(shape, i),
        ),
    ) as [Node, Node, Node];
    const masks = [bools([0, 0], [1, 2]), new Tensor(Float64Array.of(-Infinity, -Infinity), [2])];
    const y = attention(q, k, v, { mask: masks[0] as Tensor });
    expect(evaluate(y).toArray()).toEqual([[0], [0], [0], [0]]);
    const gradients = backward(sum(y));
    // The gradient of k adds products of 0 with the queries, which are not finite here.
    for (const x of [q, v]) {
      const { data } = evaluate(gradients.of(x));
      expect(Array.from(data, Math.abs)).toEqual(x === q ? [0, 0, 0, 0] : [0, 0]);
    }
    const finite = attention(k, k, v, { mask: masks[1] as Tensor });
    expect(evaluate(finite).toArray()).toEqual([[0], [0]]);
    expect(evaluate(backward(sum(finite)).of(k)).toArray()).toEqual([[0], [0]]);
  });

  it('does not overflow for large scores', () => {
    const [q, k] = [tensor([[1e3], [-1e3]]), tensor([[1e3], [2e3]])];
    const y = attention(q, k, tensor([[1], [2]]), { scale: 1 });
    expect(evaluate(y).toArray()).toEqual([[2], [1]]);
  });

  it('works on named dimensions, for every option', () => {
    const dtype = 'float64';
    const [q, k, v] = [
      input('q', ['batch', 2, 'steps', 'width'], { dtype }),
      input('k', ['batch', 2, 'keys', 'width'], { dtype }),
      input('v', ['batch', 2, 'keys', 3], { dtype }),
    ];
    const mask = input('mask', ['batch', 1, 1, 'keys'], { dtype: 'bool' });
    const y = attention(q, k, v, { mask, causal: true });
    const feeds = {
      q: randomTensor([2, 2, 4, 5], 1),
      k: randomTensor([2, 2, 3, 5], 2),
      v: randomTensor([2, 2, 3, 3], 3),
      mask: bools([1, 0, 1, 0, 1, 1], [2, 1, 1, 3]),
    };
    const fixed = attention(feeds.q, feeds.k, feeds.v, { mask: feeds.mask, causal: true });
    const expected = evaluate(fixed).data;
    const program = compile({ outputs: { y } });
    for (const result of [evaluate(y, feeds), program.run(feeds).y as Tensor]) {
      result.data.forEach((value, i) => {
        expect(value).toBeCloseTo(expected[i] as number, 13);
      });
    }
    program.dispose();
  });

  it('stores neither a causal mask nor a second matrix of scores', () => {
    const of = (causal: boolean) => {
      const [q, k, v] = ['q', 'k', 'v'].map((name) => parameter(name, Tensor.ones([2, 3, 64, 8])));
      const y = attention(q as Node, k as Node, v as Node, { causal });
      const gradient = backward(sum(square(y))).of(q as Node);
      const program = compile({ outputs: { y, gradient } });
      program.run();
      const { arenaBytes, instructions } = program.stats();
      program.dispose();
      return { arenaBytes, instructions };
    };
    expect(of(true)).toEqual(of(false));
    // The weights, and their gradients.
    expect(of(true).arenaBytes).toBeLessThan(2.3 * 2 * 3 * 64 * 64 * 4);
  });

  describe('in blocks of queries', () => {
    const long = (length: number, options: AttentionOptions) => {
      const [q, k, v] = ['q', 'k', 'v'].map((name): Node => input(name, [2, length, 16])) as [
        Node,
        Node,
        Node,
      ];
      const y = attention(q, k, v, options);
      const gradients = backward(sum(square(y)));
      const outputs = [y, gradients.of(q), gradients.of(k), gradients.of(v)];
      const { stats } = specialise(outputs, [], new Map(), undefined, new Map());
      const multiplications = stats.productShapes.reduce(
        (total, [m, n, k]) => total + m * n * k,
        0,
      );
      return { bytes: stats.arenaBytes, multiplications };
    };

    it.each<AttentionOptions>([{}, { causal: true }])(
      'takes memory that is linear in T: %j',
      (options) => {
        const [short, double] = [long(1024, options), long(2048, options)];
        expect(double.bytes / short.bytes).toBeLessThan(2.2);
        // One matrix of scores has 2048 x 2048 numbers.
        expect(double.bytes).toBeLessThan(2048 * 2048 * 4);
      },
    );

    it('multiplies little more than half as much if it is causal', () => {
      const [all, causal] = [long(2048, {}), long(2048, { causal: true })];
      expect(causal.multiplications / all.multiplications).toBeLessThan(0.55);
    });

    it.each<[string, string, { causal: boolean; mask?: Tensor }]>([
      ['plain', '2x5x3 2x4x3 2x4x2', { causal: false }],
      ['causal, more keys', '3x2 5x2 5x2', { causal: true }],
      ['causal, fewer keys', '2x5x2 2x3x2 2x3x2', { causal: true }],
      ['a mask of each score', '3x2 4x2 4x2', { causal: false, mask: drop }],
      ['a mask, causal', '3x2 4x2 4x2', { causal: true, mask: drop }],
      ['a mask of keys', '2x3x2 2x4x2 2x4x1', { causal: false, mask: bools([1, 0, 0, 1], [4]) }],
      ['no key at all', '3x2 4x2 4x2', { causal: true, mask: bools([0], [1, 1]) }],
    ])(
      'equals attention as a whole, as do its gradients: %s',
      (_title, shapes, { causal, mask }) => {
        const [q, k, v] = shapesOf(shapes).map(
          (shape, i): Node => parameter(`x${i}`, randomTensor(shape, i)),
        ) as [Node, Node, Node];
        const inputs = mask ? [q, k, v, constant(mask)] : [q, k, v];
        const all = (y: Node) => {
          const gradients = backward(sum(square(y)));
          return [y, ...[q, k, v].map((x) => gradients.of(x))];
        };
        const blocks = all(blockedAttention(inputs, { causal, scale: 0.5, rows: 2 }));
        const whole = all(attention(q, k, v, { causal, scale: 0.5, ...(mask && { mask }) }));
        const expected = evaluate(whole);
        evaluate(blocks).forEach(({ shape, data }, i) => {
          expect(shape).toEqual(expected[i]?.shape);
          data.forEach((value, j) => {
            expect(value).toBeCloseTo(expected[i]?.data[j] as number, 12);
          });
        });
        expectCompiled(blocks);
      },
    );

    it('is chosen only for long lengths that are numbers', () => {
      const names = (y: Node) => y.op.name;
      const shaped = (...lead: (number | string)[]) => input('x', [...lead, 8]);
      expect(names(attention(shaped(1024), shaped(1024), shaped(1024)))).toBe('result');
      expect(names(attention(shaped('b', 1024), shaped('b', 1024), shaped('b', 1024)))).toBe(
        'result',
      );
      expect(names(attention(shaped(1023), shaped(1023), shaped(1023)))).toBe('matmul');
      const causal = { causal: true };
      expect(names(attention(shaped(256), shaped(256), shaped(256), causal))).toBe('result');
      expect(names(attention(shaped(255), shaped(255), shaped(255), causal))).toBe('matmul');
      expect(names(attention(shaped('n'), shaped('n'), shaped('n')))).toBe('matmul');
      expect(names(attention(shaped(2, 1024), shaped(1024), shaped(1024)))).toBe('matmul');
      const numbers = { mask: input('m', [1024]) };
      expect(names(attention(shaped(1024), shaped(1024), shaped(1024), numbers))).toBe('matmul');
    });

    it('gives the numbers and gradients of attention as a whole where it is chosen', () => {
      const length = 300; // four blocks of 64 queries, and a last one of 44
      const [q, k, v] = ['q', 'k', 'v'].map(
        (name, seed): Node => parameter(name, randomTensor([length, 4], seed + 1)),
      ) as [Node, Node, Node];
      const all = (options: AttentionOptions) => {
        const y = attention(q, k, v, options);
        const gradients = backward(sum(square(y)));
        return evaluate([y, ...[q, k, v].map((x) => gradients.of(x))]);
      };
      const lower = Array.from({ length: length ** 2 }, (_, i) =>
        i % length <= Math.floor(i / length) ? 1 : 0,
      );
      const whole = all({ mask: bools(lower, [length, length]) });
      all({ causal: true }).forEach(({ data }, i) => {
        data.forEach((value, j) => {
          expect(value).toBeCloseTo(whole[i]?.data[j] as number, 10);
        });
      });
    });

    it('takes values of width 0', () => {
      const x = input('x', [1024, 1]);
      const y = attention(x, x, input('v', [1024, 0]));
      compile({ outputs: { y } }).dispose();
      expect(y.shape).toEqual([1024, 0]);
    });

    it.each([true, false])('takes a mask of shape [] that is %s', (isTrue) => {
      const leaves: Node[] = [1, 2, 3].map((seed) => constant(randomTensor([5, 2], seed)));
      const mask = bools([isTrue ? 1 : 0], []);
      const attributes = { causal: true, scale: 0.5, rows: 2 };
      const blocks = blockedAttention([...leaves, constant(mask)], attributes);
      const [q, k, v] = leaves as [Node, Node, Node];
      const whole = evaluate(attention(q, k, v, { mask, causal: true, scale: 0.5 }));
      const close = Array.from(whole.data, (value) => expect.closeTo(value, 12));
      expect(Array.from(evaluate(blocks).data)).toEqual(close);
    });
  });

  const f = (...shape: (number | string)[]) => input('x', shape);
  it.each<[string, () => unknown, new (message: string) => Error, RegExp]>([
    [
      'a vector',
      () => attention(f(3), f(4, 3), f(4, 3)),
      ShapeError,
      /^\[attention\] expected q of shape \[\.\., heads, length, width\], but received \[3\]/,
    ],
    [
      'widths that differ',
      () => attention(f(2, 3), f(4, 5), f(4, 3)),
      ShapeError,
      /^\[attention\] q and k have different widths: q \[2, 3\], k \[4, 5\], v \[4, 3\]/,
    ],
    [
      'lengths that differ',
      () => attention(f(2, 3), f('keys', 3), f(4, 3)),
      ShapeError,
      /^\[attention\] k and v have different lengths: q \[2, 3\], k \[keys, 3\], v \[4, 3\]/,
    ],
    [
      'leading axes that do not broadcast',
      () => attention(f(2, 4, 3), f(3, 4, 3), f(4, 3)),
      ShapeError,
      /^\[attention\] the leading axes do not broadcast: q \[2, 4, 3\]/,
    ],
    [
      'a mask of a wrong shape',
      () => attention(f(2, 4, 3), f(2, 5, 3), f(2, 5, 3), { mask: f(5, 4) }),
      ShapeError,
      /^\[attention\] expected a mask that broadcasts to \[2, 4, 5\] \(\[\.\., queries, keys\]\), but received \[5, 4\]/,
    ],
    [
      'a mask with more axes',
      () => attention(f(4, 3), f(5, 3), f(5, 3), { mask: f(1, 1, 5) }),
      ShapeError,
      /^\[attention\] expected a mask that broadcasts to \[4, 5\]/,
    ],
    [
      'a mask of integers',
      () => attention(f(4, 3), f(5, 3), f(5, 3), { mask: input('m', [4, 5], { dtype: 'int32' }) }),
      DTypeError,
      /^\[attention\] expected a mask of bool \(true takes part\) or of float32 \(added to the scores\), but received int32; cast\(\) it/,
    ],
    [
      'operands of two dtypes',
      () => attention(f(4, 3), f(5, 3), input('v', [5, 3], { dtype: 'float64' })),
      DTypeError,
      /^\[attention\] operands have different dtypes: float32 and float64/,
    ],
    [
      'an infinite scale',
      () => attention(f(4, 3), f(5, 3), f(5, 3), { scale: Infinity }),
      ValueError,
      /^\[attention\]: scale must be a finite number, but is number Infinity/,
    ],
    [
      'the option of PyTorch',
      () => attention(f(4, 3), f(5, 3), f(5, 3), { isCausal: true } as AttentionOptions),
      ValueError,
      /there is no option 'isCausal'; did you mean 'causal'\?/,
    ],
  ])('refuses %s', (_title, build, kind, message) => {
    const error = errorOf(build);
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toMatch(message);
  });
});
