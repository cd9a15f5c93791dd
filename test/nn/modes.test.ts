import { describe, expect, it } from 'vitest';
import {
  BatchNorm,
  Conv1d,
  Conv2d,
  ConvTranspose2d,
  compile,
  constant,
  Dropout,
  DTypeError,
  Embedding,
  evaluate,
  type ForebayError,
  GroupNorm,
  inference,
  input,
  LayerNorm,
  MultiHeadAttention,
  type Node,
  RMSNorm,
  relu,
  ShapeError,
  scope,
  sgd,
  sideUpdates,
  square,
  sum,
  TransformerEncoderLayer,
  tensor,
  training,
  ValueError,
} from '../../src/index.js';
import { errorOf, randomTensor } from '../support.js';

const float64 = { dtype: 'float64' } as const;
const images = (...dims: (number | string)[]) => input('x', dims, float64);

describe('BatchNorm', () => {
  const layer = () => new BatchNorm('norm', { features: 2, ...float64 });
  const x = randomTensor([3, 2, 2], 1, 2, 4);

  it('updates its running statistics in the steps of an optimizer, and nowhere else', () => {
    const norm = layer();
    const states = () => norm.states.map(({ value }) => [...value.data]);
    const initial = states();
    const loss = (build: typeof training) => sum(square(build(() => norm.apply(constant(x)))));
    evaluate(loss(inference));
    evaluate(loss(training));
    const updates = sgd(loss(inference), norm.parameters, { rate: 0.1 });
    compile({ outputs: {}, updates }).run({});
    expect(states()).toEqual(initial);
    const trained = loss(training);
    compile({ outputs: { trained }, updates: sgd(trained, norm.parameters, { rate: 0.1 }) }).run(
      {},
    );
    expect(states()).not.toEqual(initial);
  });

  it('builds its inference form in training if it is frozen', () => {
    const norm = layer();
    norm.mean.set(tensor([1, 2], float64));
    norm.freeze();
    const frozen = training(() => norm.apply(constant(x)));
    expect(evaluate(frozen)).toEqual(evaluate(inference(() => norm.apply(constant(x)))));
    expect(sideUpdates(frozen)).toEqual([]);
  });

  it('keeps its running statistics if a batch has no rows', () => {
    const norm = layer();
    const output = training(() => norm.apply(images('batch', 2)));
    const updates = sgd(sum(square(output)), norm, { rate: 0.1 });
    const program = compile({ outputs: { output }, updates });
    program.run({ x: randomTensor([4, 2], 1) });
    const before = [...norm.entries().values()].map(({ value }) => [...value.data]);
    expect(program.run({ x: randomTensor([0, 2], 1) }).output.shape).toEqual([0, 2]);
    expect([...norm.entries().values()].map(({ value }) => [...value.data])).toEqual(before);
    const none = training(() => norm.apply(images(0, 2)));
    expect(sideUpdates(none)).toEqual([]);
  });

  it('refuses a run in training with one element of each feature, as it does when the graph is built', () => {
    const norm = layer();
    const x = images('batch', 2, 'height', 1);
    const output = training(() => norm.apply(x));
    const updates = sgd(sum(square(output)), norm, { rate: 0.1 });
    const program = compile({ outputs: { output }, updates });
    const one = { x: randomTensor([1, 2, 1, 1], 1) };
    const starts = [
      () => program.run(one),
      () => compile({ outputs: { output } }).run(one),
      () => evaluate(output, one, { updates }),
    ];
    for (const start of starts) {
      const error = errorOf(start);
      expect(error).toBeInstanceOf(ShapeError);
      expect(error.message).toMatch(
        /^\[trainingBatch #\d+\] in \[BatchNorm 'norm'\] in training, expected more than one element of each feature, but received x of shape \[1, 2, 1, 1\]; with one element, the variance is always 0$/,
      );
    }
    expect([...norm.mean.value.data, ...norm.variance.value.data]).toEqual([0, 0, 1, 1]);
    program.run({ x: randomTensor([1, 2, 2, 1], 1) });
    expect(evaluate(norm.apply(x), one).shape).toEqual([1, 2, 1, 1]);
  });
});

describe('Dropout', () => {
  const x = constant(tensor(Array<number>(400).fill(1), float64));
  const run = (y: Node) => [...compile({ outputs: { y } }).run({}).y.data];

  it('drops elements in training only, and scales the others', () => {
    const drop = new Dropout('drop', { rate: 0.25, seed: 1 });
    expect(drop.apply(x)).toBe(x);
    const found = run(training(() => drop.apply(x)));
    expect(new Set(found)).toEqual(new Set([0, 1 / 0.75]));
    // The standard error of the count is 9.
    expect(Math.abs(found.filter((value) => value === 0).length - 100)).toBeLessThan(45);
  });

  it('has another mask in each application, which depends only on the seed and the name', () => {
    const masks = (seed: number, name = 'drop') => {
      const drop = new Dropout(scope('net', { seed }).scope(name), { rate: 0.5 });
      return [0, 1].map(() => run(training(() => drop.apply(x))).join());
    };
    const [first, second] = masks(1);
    expect(first).not.toBe(second);
    expect(masks(1)).toEqual([first, second]);
    expect(masks(2)).not.toContain(first);
    expect(masks(1, 'other')).not.toContain(first);
  });
});

describe('layers with attention', () => {
  it('drop in training only', () => {
    const x = constant(randomTensor([2, 3, 4], 1));
    const options = { features: 4, heads: 2, dropout: 0.5, seed: 1, ...float64 };
    for (const layer of [
      new MultiHeadAttention('attention', options),
      new TransformerEncoderLayer('encoder', { ...options, hidden: 8 }),
    ]) {
      const apply = () => (layer as TransformerEncoderLayer).apply(x);
      const [first, again] = [apply(), apply()].map((y) => evaluate(y));
      expect(again).toEqual(first);
      const [one, two] = [training(apply), training(apply)].map((y) => evaluate(y));
      expect(one).not.toEqual(first);
      expect(two).not.toEqual(one);
    }
  });

  it('accept named lengths, no examples, and a mask that leaves nothing to read', () => {
    const layer = new MultiHeadAttention('attention', { features: 4, heads: 2, ...float64 });
    const y = layer.apply(images('batch', 'length', 4), { causal: true });
    expect(y.shape).toEqual(['batch', 'length', 4]);
    const program = compile({ outputs: { y } });
    expect(program.run({ x: randomTensor([2, 3, 4], 1) }).y.shape).toEqual([2, 3, 4]);
    expect(program.run({ x: randomTensor([0, 3, 4], 1) }).y.shape).toEqual([0, 3, 4]);
    const mask = constant(tensor([[false, false, false]], { dtype: 'bool' }));
    const masked = layer.apply(constant(randomTensor([1, 3, 4], 1)), { mask });
    expect([...evaluate(masked).data]).toEqual(Array(12).fill(0));
  });
});

describe('layers accept batches without examples', () => {
  it.each<[string, () => { apply(x: Node): Node }, number[], number[]]>([
    [
      'Conv1d',
      () => new Conv1d('c', { inputs: 2, filters: 3, size: 2, ...float64 }),
      [2, 4],
      [3, 3],
    ],
    [
      'Conv2d',
      () => new Conv2d('c', { inputs: 2, filters: 3, size: 2, activation: relu, ...float64 }),
      [2, 4, 3],
      [3, 3, 2],
    ],
    [
      'ConvTranspose2d',
      () => new ConvTranspose2d('c', { inputs: 2, filters: 3, size: 2, ...float64 }),
      [2, 4, 3],
      [3, 5, 4],
    ],
    ['LayerNorm', () => new LayerNorm('n', { features: 4, ...float64 }), [3, 4], [3, 4]],
    ['RMSNorm', () => new RMSNorm('n', { features: 4, ...float64 }), [4], [4]],
    ['GroupNorm', () => new GroupNorm('n', { features: 4, groups: 2, ...float64 }), [4, 3], [4, 3]],
    ['BatchNorm', () => new BatchNorm('n', { features: 4, ...float64 }), [4, 3], [4, 3]],
  ])('%s', (_name, make, rest, wanted) => {
    const y = make().apply(images('batch', ...rest));
    expect(y.shape).toEqual(['batch', ...wanted]);
    const program = compile({ outputs: { y } });
    for (const batch of [0, 2]) {
      const x = randomTensor([batch, ...rest], 1);
      expect(program.run({ x }).y.shape).toEqual([batch, ...wanted]);
    }
  });
});

describe('layers refuse, by name', () => {
  const heads = new MultiHeadAttention('m', { features: 4, heads: 2, ...float64 });
  it.each<[string, () => unknown, new (m: string) => ForebayError, string]>([
    [
      'another number of channels',
      () =>
        new Conv2d('c', { inputs: 3, filters: 2, size: 1, ...float64 }).apply(images(1, 2, 4, 4)),
      ShapeError,
      "[conv2d 'c'] x has 2 channels",
    ],
    [
      'sequences for images',
      () => new Conv2d('c', { inputs: 3, filters: 2, size: 1, ...float64 }).apply(images(1, 3, 4)),
      ShapeError,
      "[conv2d 'c'] expected x of shape [batch, channels, height, width]",
    ],
    [
      'groups that do not divide the inputs',
      () => new Conv2d('c', { inputs: 3, filters: 4, size: 1, groups: 2 }),
      ValueError,
      "Conv2d 'c': the 3 inputs cannot be divided into 2 groups of equal size",
    ],
    [
      'groups that do not divide the filters',
      () => new ConvTranspose2d('c', { inputs: 4, filters: 3, size: 1, groups: 2 }),
      ValueError,
      "ConvTranspose2d 'c': the 3 filters cannot be divided into 2 groups of equal size",
    ],
    [
      'a size of 0',
      () => new Conv1d('c', { inputs: 3, filters: 4, size: 0 }),
      ValueError,
      "[Conv1d 'c'] size: expected a positive integer",
    ],
    [
      'no size',
      () => new Conv1d('c', { inputs: 3, filters: 4 } as never),
      ValueError,
      "Conv1d 'c': size must be",
    ],
    [
      'an unknown padding',
      () => new Conv2d('c', { inputs: 3, filters: 4, size: 1, padding: 'full' as 'same' }),
      ValueError,
      "[Conv2d 'c'] padding: expected 'same', 'valid'",
    ],
    [
      'a negative output padding',
      () => new ConvTranspose2d('c', { inputs: 1, filters: 1, size: 1, outputPadding: -1 }),
      ValueError,
      "[ConvTranspose2d 'c'] outputPadding: expected a whole number",
    ],
    [
      'the option of another library',
      () => new Conv2d('c', { inputs: 3, filters: 4, size: 1, kernelSize: 3 } as never),
      ValueError,
      "did you mean 'size'?",
    ],
    [
      'tokens that are no integers',
      () => new Embedding('e', { inputs: 3, units: 2 }).apply(images(2)),
      DTypeError,
      "[gather 'e'] expected indices of int32 or uint8",
    ],
    [
      'a token out of range, in a run',
      () =>
        evaluate(
          new Embedding('e', { inputs: 3, units: 2 }).apply(tensor([3], { dtype: 'int32' })),
        ),
      ValueError,
      'is 3, but the valid indices',
    ],
    [
      'other features',
      () => new LayerNorm('n', { features: 3, ...float64 }).apply(images(3, 2)),
      ShapeError,
      "[LayerNorm 'n']: expected x of shape [.., 3], but received [3, 2]",
    ],
    [
      'features on another axis',
      () => new BatchNorm('n', { features: 3, ...float64 }).apply(images(3, 2)),
      ShapeError,
      "[BatchNorm 'n']: expected x of shape [batch, 3, ..], but received [3, 2]",
    ],
    [
      'one element of each feature in training',
      () => training(() => new BatchNorm('n', { features: 3, ...float64 }).apply(images(1, 3, 1))),
      ShapeError,
      'in training, expected more than one element of each feature',
    ],
    [
      'a momentum above 1',
      () => new BatchNorm('n', { features: 3, momentum: 1.1 }),
      ValueError,
      "BatchNorm 'n': momentum must be a number from 0 to 1",
    ],
    [
      'weights of integers',
      () => new LayerNorm('n', { features: 3, dtype: 'int32' }),
      DTypeError,
      "layer 'n': dtype must be float32 or float64, but is int32",
    ],
    [
      'groups that do not divide the features',
      () => new GroupNorm('n', { features: 6, groups: 4 }),
      ValueError,
      "GroupNorm 'n': the 6 features cannot be divided into 4 groups of equal size",
    ],
    [
      'a rate that is not a probability',
      () => new Dropout('d', { rate: -0.1 }),
      ValueError,
      "Dropout 'd': rate must be a number from 0 to 1",
    ],
    [
      'heads that do not divide the features',
      () => new TransformerEncoderLayer('t', { features: 6, heads: 4, hidden: 2 }),
      ValueError,
      "MultiHeadAttention 't.attention': the 6 features cannot be divided among 4 heads",
    ],
    [
      'two operands',
      () => heads.apply(images(2, 3, 4), images(2, 3, 4) as never),
      ValueError,
      "MultiHeadAttention 'm' apply: expected x, or q, k and v, but the third operand is undefined",
    ],
    [
      'a vector',
      () => heads.apply(images(4)),
      ShapeError,
      "MultiHeadAttention 'm': expected operands of shape [batch, length, features], but received [4]",
    ],
    [
      'a mask of a wrong shape',
      () => heads.apply(images(2, 3, 4), { mask: input('mask', [3, 4], { dtype: 'bool' }) }),
      ShapeError,
      "[attention 'm'] expected a mask that broadcasts to [2, 2, 3, 3]",
    ],
    [
      'an unknown option of apply',
      () => heads.apply(images(2, 3, 4), { isCausal: true } as never),
      ValueError,
      "did you mean 'causal'?",
    ],
  ])('%s', (_what, run, error, message) => {
    expect(errorOf(run).message).toContain(message);
    expect(errorOf(run)).toBeInstanceOf(error);
  });
});
