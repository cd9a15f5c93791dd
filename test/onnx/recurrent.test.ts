// Compares recurrent operators whose number of steps has a name with ONNX Runtime.
import { describe, expect, it } from 'vitest';
import { checkGradients, compile, input, type Node, tensor } from '../../src/index.js';
import { importOnnx } from '../../src/onnx/index.js';
import { type Attributes, bytesOf, compare, counted, type Form } from './forms.js';

describe('recurrent operators along a name', () => {
  const units = 3;
  type Case = readonly [operator: 'RNN' | 'GRU' | 'LSTM', gates: number, outputs: string];
  const cases = [
    ['RNN', 1, 'y h'],
    ['GRU', 3, 'y h'],
    ['LSTM', 4, 'y h c'],
  ] as const satisfies readonly Case[];
  const form = (
    [op, gates, outputs]: Case,
    [steps, batch]: readonly [number, number],
    lengths: readonly number[] | undefined,
    attributes: Attributes,
  ): Form => {
    const directions = attributes?.direction === 'bidirectional' ? 2 : 1;
    const states = op === 'LSTM' ? ' h0 c0' : ' h0';
    return {
      nodes: [
        [
          op,
          `x w r b ${lengths ? 'l' : '-'}${states}`,
          outputs,
          { hidden_size: units, ...attributes },
        ],
      ],
      constants: {
        w: counted([directions, gates * units, 2], 'float', 0.1),
        r: counted([directions, gates * units, units], 'float', 0.1),
        b: counted([directions, 2 * gates * units], 'float', 0.1),
      },
      feeds: {
        x: counted([steps, batch, 2], 'float', 0.2),
        ...(lengths && { l: [[batch], lengths, 'int32'] }),
        h0: counted([directions, batch, units], 'float', 0.1),
        ...(op === 'LSTM' && { c0: counted([directions, batch, units], 'float', -0.1) }),
      },
      dims: {
        x: ['steps', 'batch', 2],
        ...(lengths && { l: ['batch'] }),
        h0: [directions, 'batch', units],
        ...(op === 'LSTM' && { c0: [directions, 'batch', units] }),
      },
      outputs: Object.fromEntries(outputs.split(' ').map((name) => [name, 'float' as const])),
    };
  };
  describe.each(cases)('%s', (...one) => {
    it.each(['forward', 'reverse', 'bidirectional'])('%s', async (direction) => {
      for (const size of [
        [5, 2],
        [1, 1],
      ] as const) {
        await compare(form(one, size, undefined, { direction }));
      }
      await compare(form(one, [4, 3], [2, 4, 0], { direction }));
    });
  });

  it('have no steps of an empty sequence, and as many instructions for 10,000 steps as for 5', async () => {
    const bytes = bytesOf(form(cases[1], [5, 2], undefined, {}));
    const model = await importOnnx(bytes, { name: 'gru' });
    const leaves = { x: input('x', ['steps', 2, 2]), h0: input('h0', [1, 2, units]) };
    const program = compile({ outputs: model.apply(leaves) as { y: Node; h: Node } });
    const h0 = tensor([1, 2, 3, 4, 5, 6], { shape: [1, 2, units], dtype: 'float32' });
    const run = (steps: number) =>
      program.run({ x: tensor(new Float32Array(4 * steps), { shape: [steps, 2, 2] }), h0 });
    const { y, h } = run(0);
    expect([y.shape, h.toArray()]).toEqual([[0, 1, 2, units], h0.toArray()]);
    run(5);
    const { instructions } = program.stats();
    expect(run(10_000).y.data.every(Number.isFinite)).toBe(true);
    expect(program.stats().instructions).toBe(instructions);
  });

  it('do not read the padding after the length of a row', async () => {
    const bytes = bytesOf(form(cases[2], [2, 2], [2, 1], { direction: 'bidirectional' }));
    const model = await importOnnx(bytes, { name: 'padded', dtype: 'float64' });
    model.unfreeze();
    const leaves = Object.fromEntries(
      Object.entries(model.inputs).map(
        ([name, { shape, dtype }]) => [name, input(name, shape, { dtype })] as const,
      ),
    );
    const { h } = model.apply(leaves) as { h: Node };
    const state = (shape: number[]) => tensor(new Float64Array(12).fill(0.1), { shape });
    const feeds = {
      x: tensor([1, 2, 3, 4, 5, 6, Number.NaN, Number.NaN], { shape: [2, 2, 2], dtype: 'float64' }),
      l: tensor([2, 1], { dtype: 'int32' }),
      h0: state([2, 2, units]),
      c0: state([2, 2, units]),
    };
    checkGradients(h, [...model.variables.values()], { feeds });
  });
});
