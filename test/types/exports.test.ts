// Tests that the package exports exactly the public names: those in `contract`, `added` and `composed`, and the names of
// the ops.
import { spawnSync } from 'node:child_process';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { declaredOps } from '../../src/graph/op.js';
import * as fb from '../../src/index.js';

const contract = {
  values: 'tensor Tensor',
  leaves: 'input parameter state constant',
  ops: `add sub mul div neg exp log sqrt square abs pow cos sin sign sigmoid tanh relu softplus maximum minimum
    greater equal where argmax oneHot cast matmul transpose reshape broadcastTo concat stack slice sum mean max
    softmax logSoftmax stopGradient randomNormal randomUniform`,
  random: 'setSeed',
  differentiate: 'WaitList backward BackwardPass checkGradients defineOp',
  run: 'evaluate compile',
  train: 'fit predict sgd adam initializers',
  losses: `crossEntropy softmaxCrossEntropy binaryCrossEntropyWithLogits mse mae huber klDivergence
    cosineSimilarity`,
  optimizers: `adamW rmsProp adagrad lion optimize chain clipGlobalNorm scaleByAdam decayWeights scaleByRate
    groups accumulate averageWeights averages schedules rates`,
  modules:
    'Module Scope scope training inference sideUpdate sideUpdates Sequential restore copy assign substitute lora summary',
  layers: `Dense FeedForward LSTM VariationalAutoencoder
    Conv1d Conv2d ConvTranspose2d Embedding LayerNorm RMSNorm BatchNorm GroupNorm
    Recurrent SimpleRNN GRU Dropout MultiHeadAttention TransformerEncoderLayer`,
  files: 'save load loadSharded maps saveNpy loadNpy saveNpz loadNpz checkpoint resume',
  see: 'dot nativeInfo setThreads getThreads configure',
  errors:
    'ForebayError ShapeError DTypeError GraphError ValueError StateError FormatError NumericError NativeError',
};
/**
 * Public names that are not in `contract`: names that a user needs to write a gradient rule, classes of values, and a
 * few functions. Ops need no entry.
 */
const added = `none notDifferentiable Part result
  Node Leaf Input Variable Constant Gradients Program loadMetadata clipValue
  loadCsv parseCsv`;
/** Functions that apply ops of other names. */
const composed = `log2 reciprocal hardSigmoid hardSwish elu selu leakyRelu min prod all any std
  sortWithIndices scan maxPool1d maxPool2d avgPool1d avgPool2d conv1d conv2d
  einsum convTranspose1d convTranspose2d attention dropout pad roll tile split squeeze expandDims tril triu upsample2d fromHWC`;
/** Ops that only these functions and gradient rules apply. */
const inner = `recurrence tanhGelu takeLabels negativeLogLikelihood maxPool maxPoolValues maxPoolGradient avgPool avgPoolGradient scatterAddAlongAxis
  convolution convolutionInputGradient convolutionWeightGradient normalization
  blockedAttention maskedSoftmax positions trainingBatch`;
const words = (text: string) => text.trim().split(/\s+/);

describe('import * as fb from forebay', () => {
  const wanted = Object.values(contract).flatMap(words);

  it('has every name of the contract', () => {
    expect(wanted.filter((name) => !(name in fb))).toEqual([]);
  });

  it('has every declared op under its name, except inner ops', () => {
    const missing = [...declaredOps().keys()].filter((name) => !(name in fb));
    expect(missing.sort()).toEqual(words(inner).sort());
  });

  it('has no names except these and those of ops', () => {
    const known = new Set([
      ...wanted,
      ...words(added),
      ...words(composed),
      ...declaredOps().keys(),
    ]);
    expect(Object.keys(fb).filter((name) => !known.has(name))).toEqual([]);
    expect(words(added).filter((name) => !(name in fb))).toEqual([]);
  });

  it('has the members of the contract', () => {
    const w = fb.parameter('w', [1, 2]);
    const loss = fb.sum(w);
    const members: [object, string][] = [
      [fb.Tensor, 'zeros ones full'],
      [fb.tensor(1), 'shape dtype data size toArray item'],
      [w, 'value set named name shape dtype op inputs'],
      [fb.WaitList, 'of'],
      [fb.WaitList.of(loss), 'register edges check'],
      [fb.backward(loss), 'of'],
      [new fb.BackwardPass(fb.WaitList.of(loss)), 'send ready missing gradient step run'],
      [fb.compile({ outputs: { w } }), 'run runAsync stats runs profile dispose'],
      [
        fb.initializers,
        'zeros constant normal truncatedNormal glorot he lecunNormal lecunUniform kaimingUniform orthogonal',
      ],
      [new fb.FeedForward('f', { inputs: 1, units: 1 }), 'apply parameters'],
      [new fb.LSTM('l', { inputs: 1, units: 1 }), 'step unroll parameters'],
      [
        new fb.VariationalAutoencoder('v', { inputs: 1, hidden: 1, latent: 1 }),
        'loss encode decode parameters',
      ],
    ];
    for (const [object, names] of members) {
      expect(
        words(names).filter((name) => !(name in object)),
        names,
      ).toEqual([]);
    }
  });

  it('has errors with a common base class, each with its own code', () => {
    const kinds = words(contract.errors).slice(1);
    const made = kinds.map((kind) => {
      const Kind = (fb as unknown as Record<string, new (message: string) => fb.ForebayError>)[
        kind
      ];
      const error = new (Kind as new (message: string) => fb.ForebayError)('what');
      expect(error).toBeInstanceOf(fb.ForebayError);
      expect(error).toBeInstanceOf(Error);
      expect([error.name, error.message]).toEqual([kind, 'what']);
      expect(`${error}`).toBe(`${kind}: what`);
      return error.code;
    });
    expect(new Set(made).size).toBe(kinds.length);
    expect(made.every((code) => /^FOREBAY_[A-Z]+$/.test(code))).toBe(true);
  });
});

describe('types', () => {
  it('of evaluate follow the form of its argument', () => {
    const w = fb.parameter('w', 1);
    const y = fb.exp(w);
    expectTypeOf(fb.evaluate(y)).toEqualTypeOf<fb.Tensor>();
    expectTypeOf(fb.evaluate(w)).toEqualTypeOf<fb.Tensor<'float32'>>();
    expectTypeOf(fb.evaluate([y, w])).toEqualTypeOf<[fb.Tensor, fb.Tensor<'float32'>]>();
    expectTypeOf(fb.evaluate([w] as fb.Node[])).toEqualTypeOf<fb.Tensor[]>();
    expectTypeOf(fb.evaluate({ loss: y, w })).toEqualTypeOf<{
      loss: fb.Tensor;
      w: fb.Tensor<'float32'>;
    }>();
    expectTypeOf(fb.evaluate({ y } as Record<string, fb.Node>)).toEqualTypeOf<
      Record<string, fb.Tensor>
    >();
    expectTypeOf(fb.backward(w)).toEqualTypeOf<fb.Gradients>();
    expectTypeOf(fb.sgd(w, [w], { rate: 1 })).toExtend<fb.Updates>();
    expectTypeOf(fb.add).parameters.toEqualTypeOf<[fb.Operand, fb.Operand]>();
  });

  it('an op without samples, or without a gradient or a reason, does not type-check', () => {
    type Declaration = fb.OpDeclaration;
    expectTypeOf<Omit<Declaration, 'samples'>>().not.toExtend<Declaration>();
    expectTypeOf<Omit<Declaration, 'gradient'>>().not.toExtend<Declaration>();
    expectTypeOf<Omit<Declaration, 'refused'>>().not.toExtend<Declaration>();
    expectTypeOf<{ notDifferentiable: string }>().toExtend<Declaration['gradient']>();
  });
});

describe('the built package', () => {
  const root = new URL('../..', import.meta.url).pathname;
  it.each([
    [
      'import',
      [
        '--input-type=module',
        '-e',
        "import * as fb from 'forebay'; console.log(Object.keys(fb).length, fb.evaluate(fb.add(1, 2)).item())",
      ],
    ],
    [
      'require',
      [
        '-e',
        "const fb = require('forebay'); console.log(Object.keys(fb).filter((k) => !['__esModule', 'default', 'module.exports'].includes(k)).length, fb.evaluate(fb.add(1, 2)).item())",
      ],
    ],
  ])('can be loaded by %s from its own folder, with an empty environment', (_how, flags) => {
    // These variables are kept, because they name the addon, and have settings that an addon with a sanitizer needs.
    const kept = ['FOREBAY_ADDON', 'LD_PRELOAD', 'ASAN_OPTIONS', 'LSAN_OPTIONS'];
    const env = Object.fromEntries(kept.map((name) => [name, process.env[name]]));
    const { stdout, stderr } = spawnSync(process.execPath, flags, {
      cwd: root,
      encoding: 'utf8',
      env,
    });
    expect(stdout).toBe(`${Object.keys(fb).length} 3\n`);
    // Node 20 warns once that require() of an ES module is experimental.
    expect(
      stderr
        .replace(
          /^.*(ExperimentalWarning: CommonJS module .* is loading ES Module|Support for loading ES Module|--trace-warnings).*$/gm,
          '',
        )
        .trim(),
    ).toBe('');
  });

  it('has the same classes by import and by require', () => {
    const script =
      "import { createRequire } from 'node:module'; import * as a from 'forebay'; const b = createRequire(process.cwd() + '/')('forebay'); console.log(a.Node === b.Node, b.tensor(1) instanceof a.Tensor)";
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(stdout).toBe('true true\n');
  });
});
