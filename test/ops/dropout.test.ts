import { describe, expect, it } from 'vitest';
import { specialise } from '../../src/compile/specialise.js';
import {
  backward,
  compile,
  DTypeError,
  dropout,
  evaluate,
  inference,
  input,
  mean,
  mul,
  type Node,
  parameter,
  square,
  Tensor,
  training,
  ValueError,
} from '../../src/index.js';
import { positionsOf } from '../compile/support.js';
import { errorOf, randomTensor } from '../support.js';
import { expectDerivatives } from './agreement.js';

const x = parameter('x', randomTensor([40, 50], 1, 1, 2));

/** Returns the share of zeros of a tensor. */
const zeros = ({ data }: Tensor) => data.filter((value) => value === 0).length / data.length;

describe('dropout', () => {
  it('is the identity outside of training, and if the rate is 0', () => {
    expect(dropout(x, { rate: 0.5 })).toBe(x);
    expect(inference(() => dropout(x, { rate: 1 }))).toBe(x);
    expect(training(() => inference(() => dropout(x, { rate: 0.5 })))).toBe(x);
    expect(training(() => dropout(x, { rate: 0 }))).toBe(x);
  });

  it.each([0.1, 0.5, 0.9])('drops a share of %f in training, and scales the others', (rate) => {
    const y = evaluate(training(() => dropout(x, { rate, seed: 3 })));
    expect(Math.abs(zeros(y) - rate)).toBeLessThan(0.03);
    y.data.forEach((value, i) => {
      if (value !== 0) expect(value).toBeCloseTo((x.value.data[i] as number) / (1 - rate), 12);
    });
  });

  it('drops the same elements for the same seed, and others for another seed or in another run', () => {
    const [a, b, c] = [3, 3, 4].map((seed) => training(() => dropout(x, { rate: 0.5, seed })));
    expect(evaluate(a as Node)).toEqual(evaluate(b as Node));
    expect(evaluate(a as Node)).not.toEqual(evaluate(c as Node));
    expect(evaluate(a as Node)).not.toEqual(evaluate(a as Node, {}, { run: 1 }));
    const [d, e] = training(() => [dropout(x, { rate: 0.5 }), dropout(x, { rate: 0.5 })]);
    expect(evaluate(d as Node)).not.toEqual(evaluate(e as Node));
  });

  it('returns 0 with the gradient 0 if the rate is 1, also for infinities and NaN', () => {
    const odd = parameter('odd', new Tensor(Float64Array.of(1, Infinity, Number.NaN), [3]));
    const y = training(() => dropout(odd, { rate: 1 }));
    expect(evaluate(y).toArray()).toEqual([0, 0, 0]);
    expect(evaluate(backward(y, { gradient: odd }).of(odd)).toArray()).toEqual([0, 0, 0]);
  });

  it('returns 0 for infinities and NaN that it drops, and the gradient 0 for infinite gradients', () => {
    const odd = parameter('odd', Tensor.full([50], Infinity, { dtype: 'float64' }));
    const y = training(() => dropout(odd, { rate: 0.5, seed: 1 }));
    const dropped = Array.from(evaluate(y).data, (value) => value === 0);
    expect(new Set(evaluate(y).data)).toEqual(new Set([0, Infinity]));
    const gradient = evaluate(backward(y, { gradient: odd }).of(odd)).data;
    expect(Array.from(gradient, (value) => value === 0)).toEqual(dropped);
  });

  it.each([[[2, 3]], [[2, 3, 4]], [[0, 3]], [[]]])('has derivatives for the shape %j', (shape) => {
    const build = (node?: Node) =>
      training(() => dropout(square(node as Node), { rate: 0.4, seed: 2 }));
    expectDerivatives({ inputs: [{ shape }], build });
  });

  it('stores no mask in a training step', () => {
    const step = (drop: (h: Node) => Node) => {
      const h = parameter('h', Tensor.ones([64, 96]));
      const loss = mean(square(drop(square(h))));
      const gradient = backward(loss).of(h);
      const fired = new Map<string, number>();
      const { code, stats } = specialise([loss, gradient], [], new Map(), undefined, fired);
      const opcodes = [...positionsOf(code)].map((at) => code[at]);
      return {
        bytes: stats.arenaBytes,
        instructions: stats.instructions,
        draws: opcodes.filter((opcode) => opcode === 7).length,
        loaded: fired.get('fuse: draw in a loop') ?? 0,
      };
    };
    const dropped = step((h) => training(() => dropout(h, { rate: 0.3 })));
    expect(dropped).toEqual({ ...step((h) => h), loaded: 1 });
    expect(dropped.draws).toBe(0);
  });

  it('works on named dimensions', () => {
    const named = input('named', ['batch', 3], { dtype: 'float64' });
    const y = training(() => dropout(named, { rate: 0.5, seed: 1 }));
    const feeds = { named: randomTensor([7, 3], 1) };
    const program = compile({ outputs: { y } });
    expect(program.run(feeds).y).toEqual(evaluate(y, feeds));
    program.dispose();
  });

  it.each<[string, () => unknown, new (message: string) => Error, RegExp]>([
    [
      'a rate above 1',
      () => dropout(x, { rate: 1.5 }),
      ValueError,
      /^\[dropout\]: rate must be a number from 0 to 1, but is number 1.5$/,
    ],
    ['NaN as rate', () => dropout(x, { rate: Number.NaN }), ValueError, /but is number NaN$/],
    [
      'no rate',
      () => dropout(x, {} as never),
      ValueError,
      /^\[dropout\]: rate must be a number from 0 to 1, but is undefined$/,
    ],
    [
      'the name of PyTorch',
      () => dropout(x, { p: 0.5 } as never),
      ValueError,
      /there is no option 'p'; did you mean 'rate'\?/,
    ],
    [
      'an invalid seed',
      () => dropout(x, { rate: 0, seed: -1 }),
      ValueError,
      /^\[dropout\]: seed must be an integer from 0/,
    ],
    [
      'integers',
      () => dropout(input('i', [2], { dtype: 'int32' }), { rate: 0.5 }),
      DTypeError,
      /^\[dropout\] is defined for float32 and float64, but received int32/,
    ],
    [
      'text',
      () => dropout('x' as never, { rate: 0.5 }),
      ValueError,
      /^\[dropout\] expected a node, a tensor or a number/,
    ],
  ])('refuses %s', (_title, build, kind, message) => {
    for (const mode of [training, inference]) {
      const error = errorOf(() => mode(build));
      expect(error).toBeInstanceOf(kind);
      expect(error.message).toMatch(message);
    }
  });
});

it('a dropout keeps the mean', () => {
  const ones = parameter('ones', Tensor.ones([100, 100]));
  const y = training(() => dropout(mul(ones, 3), { rate: 0.25, seed: 5 }));
  expect(Math.abs(evaluate(mean(y)).item() - 3)).toBeLessThan(0.05);
});
