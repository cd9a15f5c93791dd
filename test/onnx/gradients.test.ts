// Checks gradients of imported operators at the points where a formula could divide by 0 or overflow.
import { describe, expect, it } from 'vitest';
import { backward, evaluate, type Node, parameter, sum, tensor } from '../../src/index.js';
import { importOnnx } from '../../src/onnx/index.js';
import { infoProto, modelBytes, nodeProto, tensorProto } from './support.js';

type Attributes = Parameters<typeof nodeProto>[3];

/** Returns the gradient of the sum of the results. */
async function gradient(
  op: string,
  x: readonly number[],
  attributes: Attributes = {},
  shape: readonly number[] = [x.length],
  more: readonly string[] = [],
): Promise<number[]> {
  const model = await importOnnx(
    modelBytes({
      node: [nodeProto(op, ['x', ...more], ['y'], attributes)],
      initializer: [tensorProto('two', [], [2])],
      input: [infoProto('x', shape)],
      output: [infoProto('y', [])],
    }),
    { name: 'model' },
  );
  const leaf = parameter('leaf', tensor([...x], { shape }));
  const { y } = model.apply({ x: leaf }) as { y: Node };
  expect(Array.from(evaluate(y).data).some(Number.isNaN)).toBe(false);
  return Array.from(evaluate(backward(sum(y)).of(leaf)).data);
}

describe('gradients of imported operators', () => {
  it.each([
    ['Asinh', [0, 1e20], [1, 1e-20]],
    ['Celu', [100, -1], [1, Math.exp(-1)]],
    ['Acosh', [1e20], [1e-20]],
  ])('%s', async (op, x, expected) => {
    const found = await gradient(op, x);
    expected.forEach((value, index) => {
      expect(Math.abs((found[index] as number) - value)).toBeLessThan(1e-6 * Math.max(1, value));
    });
  });

  it('are 0 at vectors of zeros, and not NaN', async () => {
    expect(await gradient('ReduceL2', [0, 0], { keepdims: 0 })).toEqual([0, 0]);
    expect(await gradient('LpNormalization', [0, 0], { axis: 0 })).toEqual([1, 1]);
    const pooled = await gradient('LpPool', [0, 0, 0, 0], { kernel_shape: [2, 2] }, [1, 1, 2, 2]);
    expect(pooled).toEqual([0, 0, 0, 0]);
    const flat = await gradient('MeanVarianceNormalization', [3, 3, 3, 3], {}, [1, 1, 2, 2]);
    expect(flat.every(Number.isFinite)).toBe(true);
  });

  it('of a remainder as in C are 1', async () => {
    expect(await gradient('Mod', [0, 5.5, -5.5], { fmod: 1 }, [3], ['two'])).toEqual([1, 1, 1]);
  });
});
