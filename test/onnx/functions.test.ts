// Models whose nodes call functions that the model defines.
import { describe, expect, it } from 'vitest';
import { evaluate, FormatError, type Node, tensor } from '../../src/index.js';
import type { FunctionProto, GraphProto, NodeProto } from '../../src/onnx/messages.js';
import { imported, run } from './models.js';
import { infoProto, nodeProto, tensorProto } from './support.js';

const opsetImport = [
  { domain: '', version: 18n },
  { domain: 'mine', version: 1n },
];

/** A function that returns `b`. */
const functionOf = (
  name: string,
  input: string[],
  node: NodeProto[],
  attribute: string[] = [],
): FunctionProto => ({
  name,
  domain: 'mine',
  input,
  output: ['b'],
  attribute,
  attributeProto: [],
  opsetImport,
  node,
});

/** A node that calls a function. */
const call = (
  name: string,
  input: string[],
  output: string,
  attributes: Parameters<typeof nodeProto>[3] = {},
) => nodeProto(name, input, [output], attributes, { domain: 'mine' });

const calling = (graph: Partial<GraphProto>, functions: FunctionProto[]) =>
  imported({ output: [infoProto('y', [])], ...graph }, {}, { opsetImport, functions });

describe('functions of a model', () => {
  it('are called with attributes', async () => {
    const alpha = {
      name: 'alpha',
      refAttrName: 'alpha',
      type: 1,
      floats: [],
      ints: [],
      strings: [],
    };
    const body = nodeProto('LeakyRelu', ['a'], ['b'], {}, { attribute: [alpha] });
    const model = await calling(
      { node: [call('Scaled', ['x'], 'y', { alpha: 0.5 })], input: [infoProto('x', [2])] },
      [functionOf('Scaled', ['a'], [body], ['alpha'])],
    );
    expect(run(model.apply({ x: tensor([-2, 2]) }).y as Node)).toEqual([-1, 2]);
  });

  it('keep apart their tensors of one name', async () => {
    const scaling = (name: string, factor: number) =>
      functionOf(
        name,
        ['a'],
        [
          nodeProto('Constant', [], ['w'], { value: tensorProto('', [2], [factor, 10 * factor]) }),
          nodeProto('Mul', ['a', 'w'], ['b']),
        ],
      );
    const model = await calling(
      {
        node: [
          call('F', ['x'], 'f'),
          call('G', ['x'], 'g'),
          call('F', ['g'], 'h'),
          nodeProto('Sum', ['f', 'g', 'h'], ['y']),
        ],
        input: [infoProto('x', [2])],
      },
      [scaling('F', 2), scaling('G', 3)],
    );
    expect([...model.entries().keys()]).toEqual(['w', 'w.2']);
    expect(run(model.apply({ x: tensor([1, 1]) }).y as Node)).toEqual([2 + 3 + 6, 20 + 30 + 600]);
  });

  it('keep apart the tensors that each call gives them', async () => {
    const body = nodeProto('LayerNormalization', ['a', 's', 't'], ['b'], { epsilon: 1e-12 });
    const model = await calling(
      {
        node: [call('F', ['x', 'one', 'two'], 'f'), call('F', ['f', 'three', 'four'], 'y')],
        initializer: [
          tensorProto('one', [2], [1, 1]),
          tensorProto('two', [2], [2, 2]),
          tensorProto('three', [2], [3, 3]),
          tensorProto('four', [2], [4, 4]),
        ],
        input: [infoProto('x', [1, 2])],
      },
      [functionOf('F', ['a', 's', 't'], [body])],
    );
    expect([...model.entries().keys()]).toEqual(['one', 'two', 'three', 'four']);
    // The row (-5, 5) is (-1, 1) when it is normalised, and so is (1, 3), which the first call makes of it.
    const y = model.apply({ x: tensor([[-5, 5]]) }).y as Node;
    const [first, second] = evaluate(y).data as Float32Array;
    expect(first).toBeCloseTo(1, 5);
    expect(second).toBeCloseTo(7, 5);
  });

  it.each([
    ['compute with', 'Relu'],
    ['return', 'Identity'],
  ])('that %s a sparse tensor are refused with its name', async (_, op) => {
    const importing = calling(
      {
        node: [call('F', ['s'], 'f'), nodeProto('Add', ['x', 'f'], ['y'])],
        sparseInitializer: [{ values: tensorProto('s', [1], [1]), dims: [2n] }],
        input: [infoProto('x', [2])],
      },
      [functionOf('F', ['a'], [nodeProto(op, ['a'], ['b'])])],
    );
    await expect(importing).rejects.toThrow(FormatError);
    await expect(importing).rejects.toThrow(/the tensor 's': it is sparse/);
  });

  it('that call themselves or one another without end are refused', async () => {
    const through = (name: string, calls: readonly string[]) =>
      functionOf(
        name,
        ['a'],
        calls.map((called, index) =>
          nodeProto(
            called,
            [index === 0 ? 'a' : `h${index}`],
            [index === calls.length - 1 ? 'b' : `h${index + 1}`],
            {},
            called === 'Relu' ? {} : { domain: 'mine' },
          ),
        ),
      );
    const graph = { node: [call('F0', ['x'], 'y')], input: [infoProto('x', [2])] };
    const itself = calling(graph, [through('F0', ['F0'])]);
    await expect(itself).rejects.toThrow(/functions call one another more than 64 deep/);
    const doubling = Array.from({ length: 40 }, (_, i) =>
      through(`F${i}`, i === 39 ? ['Relu'] : [`F${i + 1}`, `F${i + 1}`]),
    );
    await expect(calling(graph, doubling)).rejects.toThrow(/the graph has more than \d+ nodes/);
  });
});
