/** Tests what is particular to `crossEntropy`: wrong labels, rows that are left out, and its compiled form. */
import { describe, expect, it } from 'vitest';
import {
  add,
  backward,
  type CrossEntropyOptions,
  checkGradients,
  compile,
  crossEntropy,
  DTypeError,
  evaluate,
  input,
  mul,
  type Node,
  parameter,
  ShapeError,
  sgd,
  square,
  sum,
  Tensor,
  tensor,
  ValueError,
} from '../../src/index.js';
import { errorOf, randomTensor } from '../support.js';

const int = (...of: number[]) => tensor(Int32Array.from(of));
const exact = (data: number[] | number[][]) => tensor(data, { dtype: 'float64' });
const scores = (rows: number, classes: number) =>
  parameter('x', randomTensor([rows, classes], 1, -2, 2));

describe('a label outside of the classes', () => {
  const x = parameter('x', [
    [1, 2, 3],
    [4, 5, 6],
  ]);
  it.each([
    [[0, 3], 'the label of row 1 is 3, but the labels of 3 classes are from 0 to 2'],
    [[-1, 0], 'the label of row 0 is -1, but the labels of 3 classes are from 0 to 2'],
  ])('is refused in %j by both executors, and nothing is written', async (labels, message) => {
    const feeds = { label: int(...labels) };
    const loss = crossEntropy(mul(x, 2), input('label', [2], { dtype: 'int32' }));
    const program = compile({ outputs: { loss }, updates: sgd(loss, [x], { rate: 1 }) });
    const before = [...x.value.data];
    for (const run of [() => evaluate(loss, feeds), () => program.run(feeds)]) {
      const error = errorOf(run);
      expect(error).toBeInstanceOf(ValueError);
      expect(error.message).toContain(message);
      expect(error.message).toContain('pass it as ignoreIndex');
    }
    await expect(program.runAsync(feeds)).rejects.toThrow(message);
    expect([...x.value.data]).toEqual(before);
  });

  it('is refused for the weights, for uint8 and for no classes, too', () => {
    const of = (logits: Tensor, labels: Tensor, options?: CrossEntropyOptions) => () =>
      evaluate(crossEntropy(logits, labels, options));
    const row = tensor([[1, 2]]);
    expect(of(row, int(-1), { weights: [1, 2] })).toThrow('the label of row 0 is -1');
    expect(of(row, tensor(Uint8Array.of(2)))).toThrow('the label of row 0 is 2');
    expect(of(Tensor.zeros([1, 0]), int(0))).toThrow('the labels of 0 classes are none');
    expect(of(row, int(5), { ignoreIndex: 4 })).toThrow('the label of row 0 is 5');
  });
});

describe('ignoreIndex', () => {
  const loss = (x: Node, labels: number[], options: CrossEntropyOptions = {}) =>
    crossEntropy(x, int(...labels), { ignoreIndex: -100, ...options });
  const both = (node: Node, of: Node) => {
    const nodes = { node, slope: backward(sum(node)).of(of) };
    const interpreted = evaluate(nodes);
    const compiled = compile({ outputs: nodes }).run();
    for (const key of ['node', 'slope'] as const) {
      const [a, b] = [interpreted[key].data, compiled[key].data].map((data) => [...data]);
      expect(b).toEqual(a?.map((value) => expect.closeTo(value, 12)));
    }
    return [interpreted.node.item(), [...interpreted.slope.data].map((value) => value + 0)];
  };

  it.each([
    [{}],
    [{ weights: [1, 2] }],
    [{ labelSmoothing: 0.5 }],
    [{ weights: [1, 2], labelSmoothing: 0.5 }],
  ])('of all rows gives 0 and the gradient 0, with %o', (options) => {
    const x = parameter(
      'x',
      exact([
        [1, 2],
        [3, NaN],
      ]),
    );
    expect(both(loss(x, [-100, -100], options), x)).toEqual([0, [0, 0, 0, 0]]);
  });

  it('leaves out a row whatever its logits are', () => {
    const x = parameter(
      'x',
      exact([
        [-Infinity, -Infinity],
        [0, Math.log(3)],
        [NaN, Infinity],
      ]),
    );
    const [value, slopes] = both(loss(x, [-100, 0, -100], { labelSmoothing: 0.5 }), x);
    expect(value).toBeCloseTo(-Math.log(1 / 4) * 0.75 - Math.log(3 / 4) * 0.25, 13);
    expect(slopes).toEqual([0, 0, expect.closeTo(-0.5, 13), expect.closeTo(0.5, 13), 0, 0]);
  });

  it('is refused for probabilities', () => {
    const p = exact([[0.5, 0.5]]);
    expect(errorOf(() => crossEntropy(p, p, { ignoreIndex: 1 })).message).toMatch(
      /^\[crossEntropy\] ignoreIndex leaves out rows by their label, but the target consists of/,
    );
  });
});

describe('the mean over no rows', () => {
  const none = Tensor.zeros([0, 3], { dtype: 'float64' });
  it.each<[CrossEntropyOptions, number]>([
    [{}, NaN],
    [{ weights: [1, 2, 3] }, NaN],
    [{ ignoreIndex: 0 }, 0],
    [{ reduction: 'sum' }, 0],
  ])('with %o is %d', (options, wanted) => {
    expect(evaluate(crossEntropy(none, int(), options)).item()).toBe(wanted);
    const program = compile({ outputs: { loss: crossEntropy(none, int(), options) } });
    expect(program.run().loss.item()).toBe(wanted);
  });
});

describe('derivatives', () => {
  const labels = int(3, 0, 1, 1);
  const options: CrossEntropyOptions[] = [
    {},
    { weights: [0.5, 2, 1, 3], labelSmoothing: 0.2, ignoreIndex: 1 },
    { reduction: 'none', labelSmoothing: 0.2 },
  ];
  it.each(options)('of the first and second order equal finite differences, with %o', (given) => {
    const x = scores(4, 4);
    const first = square(crossEntropy(x, labels, given));
    checkGradients(sum(first), [x]);
    checkGradients(sum(square(backward(sum(first)).of(x))), [x]);
  });

  it('of probabilities and of weights that are nodes exist', () => {
    const x = scores(2, 3);
    const p = parameter('p', randomTensor([2, 3], 2, 0.1, 1));
    const weights = parameter('weights', randomTensor([3], 3, 0.5, 2));
    checkGradients(crossEntropy(x, p, { weights, labelSmoothing: 0.1 }), [x, p, weights]);
    checkGradients(crossEntropy(x, int(2, 0), { weights, ignoreIndex: 1 }), [x, weights]);
  });
});

describe('the compiled form', () => {
  it('is one loop over the rows of the logits, with no other buffer of their size', () => {
    const x = input('x', [64, 512]);
    const label = input('label', [64], { dtype: 'int32' });
    const h = add(x, 1);
    const loss = crossEntropy(h, label);
    const slope = backward(loss).of(x);
    const program = compile({ outputs: { loss, slope } });
    const feeds = { x: Tensor.zeros([64, 512]), label: int(...new Array<number>(64).fill(3)) };
    program.run(feeds);
    const { instructions, arenaBytes } = program.stats();
    expect(instructions).toBeLessThanOrEqual(6);
    // Only the logits and their gradient are in memory: no one-hot matrix, and no probabilities.
    expect(arenaBytes).toBeLessThan(2.1 * 64 * 512 * 4);
    const kinds = program.profile(feeds).filter(({ kind }) => kind === 'row group');
    expect(kinds).toHaveLength(1);
  });
});

describe('crossEntropy refuses', () => {
  const x = input('x', ['batch', 3]);
  const label = input('label', ['batch'], { dtype: 'int32' });
  const call = (options: object) => () => crossEntropy(x, label, options as CrossEntropyOptions);
  it.each<[string, () => unknown, unknown, string]>([
    ['a scalar', () => crossEntropy(input('s', []), label), ShapeError, 'received a scalar'],
    ['int32 logits', () => crossEntropy(label, label), DTypeError, 'float32 and float64'],
    ['two weights', call({ weights: [1, 2] }), ShapeError, 'weights that broadcast to [batch, 3]'],
    ['one weight', call({ weights: [2] }), ShapeError, 'expected weights of [3]'],
    ['one weight, a tensor', call({ weights: tensor([2]) }), ShapeError, 'but received [1]'],
    ['a matrix of weights', call({ weights: tensor([[1, 2, 3]]) }), ShapeError, 'their rank is 2'],
    ['a number of weights', call({ weights: 2 }), ValueError, 'expected weights [classes]'],
    ['float64 weights', call({ weights: exact([1, 2, 3]) }), DTypeError, 'weights of float32'],
    ['odd weights', call({ weights: ['a', 1, 2] }), ValueError, 'weights to be numbers'],
    ['a large smoothing', call({ labelSmoothing: 1.5 }), ValueError, 'a number from 0 to 1'],
    ['a NaN smoothing', call({ labelSmoothing: NaN }), ValueError, 'a number from 0 to 1'],
    ['a broken index', call({ ignoreIndex: 1.5 }), ValueError, 'ignoreIndex must be a label'],
    ['an unknown reduction', call({ reduction: 'max' }), ValueError, "'mean' or 'sum' or 'none'"],
    ['an unknown option', call({ weight: [1] }), ValueError, "did you mean 'weights'"],
  ])('%s', (_what, run, kind, message) => {
    const error = errorOf(run);
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toContain(message);
  });
});
