import { describe, expect, it } from 'vitest';
import { type Dim, input, Tensor, tensor } from '../../src/index.js';
import { gather } from '../../src/train/columns.js';
import { type Dataset, examplesOf } from '../../src/train/dataset.js';
import { errorOf, randomTensor } from '../support.js';

/** Returns the nodes of a program with these inputs and no outputs. */
const inputs = (...list: ReturnType<typeof input>[]) => ({
  inputs: new Map(list.map((node) => [node.name as string, node])),
  outputs: new Map(),
  metrics: new Set<string>(),
});
const checked = (dataset: Dataset, program: ReturnType<typeof inputs>) =>
  examplesOf('fit', dataset, program, { batchSize: 4 });

describe('gather writes rows along the batch axis', () => {
  it.each<[Dim[], number[]]>([
    [['batch'], []],
    [['batch', 3], [3]],
    [['batch', 40], [40]],
    [
      [2, 'batch', 3],
      [2, 3],
    ],
    [
      [2, 'batch', 50],
      [2, 50],
    ],
    [
      [2, 3, 'batch'],
      [2, 3],
    ],
  ])('%j', (shape, example) => {
    const x = input('x', shape, { dtype: 'float64' });
    const all = randomTensor([7, ...example], 5);
    const { columns } = checked({ x: all }, inputs(x));
    const rows = [6, 0, 6, 3];
    const size = all.size / 7;
    const batch = new Float64Array(rows.length * size).fill(Number.NaN);
    // The rows are gathered in two calls, because `fit` also gathers long minibatches in pieces.
    const [column] = columns as [(typeof columns)[number]];
    gather(column, Int32Array.from(rows.slice(0, 3)), 0, batch, 4);
    gather(column, Int32Array.from(rows.slice(3)), 3, batch, 4);
    const axis = shape.indexOf('batch');
    const elements = example.reduce((product, dim) => product * dim, 1);
    const inner = example.slice(axis).reduce((product, dim) => product * dim, 1);
    for (let row = 0; row < rows.length; row++) {
      for (let element = 0; element < elements; element++) {
        const [o, i] = [Math.floor(element / inner), element % inner];
        const expected = all.data[(rows[row] as number) * elements + element];
        expect(batch[(o * 4 + row) * inner + i], `row ${row}, element ${element}`).toBe(expected);
      }
    }
  });

  it('refuses memory that was transferred after it was checked', () => {
    const data = new Float32Array(6);
    const { columns } = checked(
      { x: tensor(data, { shape: [3, 2] }) },
      inputs(input('x', ['batch', 2])),
    );
    structuredClone(data.buffer, { transfer: [data.buffer] });
    const [column] = columns as [(typeof columns)[number]];
    const error = errorOf(() => gather(column, new Int32Array(1), 0, new Float32Array(2), 1));
    expect([error.name, error.message]).toEqual([
      'ValueError',
      "the examples for [input 'x'] have been transferred away or resized: [3, 2] now holds 0 elements",
    ]);
  });
});

describe('a dataset', () => {
  const x = input('x', [5, 'batch', 2]);
  const label = input('label', ['batch'], { dtype: 'int32' });
  const known = inputs(x, label);
  const good = { x: Tensor.zeros([4, 5, 2]), label: tensor(new Int32Array(4)) };

  it('that fits determines the number of rows and the named dimensions', () => {
    const named = inputs(input('a', ['steps', 'batch', 'n']), input('b', ['batch', 'n']));
    const examples = checked({ a: Tensor.zeros([6, 3, 2]), b: Tensor.zeros([6, 2]) }, named);
    expect(examples.rows).toBe(6);
    expect([...(examples.buckets.bindings[0] ?? [])]).toEqual([
      ['steps', 3],
      ['n', 2],
    ]);
    expect(checked({ a: [[[1], [2]]], b: [[1]] }, named).rows).toBe(1);
  });

  it.each<[string, Dataset, string, string]>([
    [
      'with a name that is not an input',
      { ...good, y: Tensor.zeros([4]) },
      'ValueError',
      "fit: dataset 'y' is not an input of the program (its inputs: 'x', 'label')",
    ],
    [
      'that lacks an input',
      { x: good.x },
      'ValueError',
      "[input 'label'] is int32 [batch]: expected examples of int32 [rows], but the dataset has none",
    ],
    [
      'with another dtype',
      { ...good, label: Tensor.zeros([4]) },
      'DTypeError',
      'expected examples of int32 [rows], but received float32 [4]',
    ],
    [
      'with another rank',
      { ...good, x: Tensor.zeros([4, 10]) },
      'ShapeError',
      'expected examples of float32 [rows, 5, 2], but received [4, 10]',
    ],
    [
      'with the batch where the input has it',
      { ...good, x: Tensor.zeros([5, 4, 2]) },
      'ShapeError',
      'expected examples of float32 [rows, 5, 2], but received [5, 4, 2]',
    ],
    [
      'with unequal numbers of rows',
      { ...good, label: tensor(new Int32Array(3)) },
      'ShapeError',
      "4 examples for [input 'x'], but 3 for [input 'label']",
    ],
    [
      'without rows',
      { x: Tensor.zeros([0, 5, 2]), label: tensor(new Int32Array(0)) },
      'ValueError',
      'the dataset has no examples',
    ],
    [
      'with a string instead of a tensor',
      { ...good, x: 'x' as never },
      'ValueError',
      'but received the string "x"',
    ],
    [
      'with a scalar',
      { ...good, label: tensor(3, { dtype: 'int32' }) },
      'ShapeError',
      'expected examples of int32 [rows], but received []',
    ],
  ])('%s is refused', (_, dataset, kind, message) => {
    const error = errorOf(() => checked(dataset, known));
    expect([error.name, error.message]).toEqual([kind, expect.stringContaining(message)]);
  });

  it.each([[null], [3], [undefined], [[1, 2]], [tensor([1])]])(
    'that is %s is refused',
    (dataset) => {
      const error = errorOf(() => checked(dataset as never, known));
      expect(error.message).toContain(
        'expected a dataset, a record of tensors by the names of inputs',
      );
    },
  );

  it("cannot feed an input without a dimension 'batch', or with two", () => {
    for (const shape of [[3], ['n', 3], ['batch', 'batch']]) {
      const odd = input('odd', shape);
      const error = errorOf(() => checked({ odd: Tensor.zeros([3, 3]) }, inputs(odd)));
      expect([error.name, error.message]).toEqual([
        'GraphError',
        expect.stringContaining(
          "expected exactly one dimension named 'batch', along which minibatches are taken",
        ),
      ]);
    }
    expect(errorOf(() => checked({}, inputs())).message).toContain('has no inputs');
  });

  it('cannot bind a name to two sizes', () => {
    const named = inputs(input('a', ['batch', 'n']), input('b', ['batch', 'n']));
    const error = errorOf(() =>
      checked({ a: Tensor.zeros([2, 3]), b: Tensor.zeros([2, 4]) }, named),
    );
    expect(error.message).toContain("'n' is 4 here, but 3 in another tensor");
  });
});
