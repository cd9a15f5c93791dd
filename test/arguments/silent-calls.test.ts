// Tests calls that are correct in other libraries, but not in forebay. They were once accepted silently, or threw a
// plain TypeError. Each must be refused, and its error must show the correct form.
import { describe, expect, it } from 'vitest';
import { allDeclaredOptions } from '../../src/arguments/options.js';
import * as fb from '../../src/index.js';
import { errorOf } from '../support.js';

const w = fb.parameter('w', [
  [1, 2],
  [3, 4],
]);
const loss = fb.mean(fb.square(w));
const x = fb.input('x', [2, 3]);

// This is forebay without types, because TypeScript refuses most of these calls.
// biome-ignore lint/suspicious/noExplicitAny: the test needs calls that do not type-check
const js: any = fb;
const lstm = new js.LSTM('l', { inputs: 3, units: 2 });
const program = js.compile({ outputs: { w } });

describe('an unknown option throws a ValueError that names it and the nearest option', () => {
  it.each<[string, () => unknown, string, string]>([
    ['adam', () => js.adam(loss, [w], { lr: 0.1 }), 'lr', 'rate'],
    ['sgd', () => js.sgd(loss, [w], { rate: 0.1, momentun: 0.9 }), 'momentun', 'momentum'],
    ['compile', () => js.compile({ outputs: { loss }, update: [] }), 'update', 'updates'],
    ['evaluate', () => js.evaluate(loss, {}, { update: [] }), 'update', 'updates'],
    ['sum', () => js.sum(x, 0, { keepdims: true }), 'keepdims', 'keepDims'],
    ['matmul', () => js.matmul(x, x, { transposedB: true }), 'transposedB', 'transposeB'],
    ['tensor', () => js.tensor(1, { dtyp: 'int32' }), 'dtyp', 'dtype'],
    ['Tensor.zeros', () => js.Tensor.zeros([1], { type: 'int32' }), 'type', 'dtype'],
    ['input', () => js.input('i', [1], { dType: 'int32' }), 'dType', 'dtype'],
    ['slice', () => js.slice(x, { axis: 0, stop: 1 }), 'stop', 'end'],
    ['randomNormal', () => js.randomNormal([1], { sede: 1 }), 'sede', 'seed'],
    ['dot', () => js.dot(loss, { titel: 'a' }), 'titel', 'title'],
    ['backward', () => js.backward(loss, { wait: 1 }), 'wait', 'waits'],
    ['LSTM', () => new js.LSTM('a', { inputs: 1, units: 1, sed: 1 }), 'sed', 'seed'],
    ['run', () => program.run({}, { in_to: 1 }), 'in_to', 'into'],
  ])('in %s', (_what, call, wrong, right) => {
    const error = errorOf(call);
    expect(error).toBeInstanceOf(fb.ValueError);
    expect(error.message).toContain(`there is no option '${wrong}'; did you mean '${right}'?`);
  });

  it('in every declared options object', () => {
    expect(allDeclaredOptions().length).toBeGreaterThan(20);
    for (const options of allDeclaredOptions()) {
      for (const name of Object.keys(options.declaration)) {
        const error = errorOf(() => options.read({ [`${name}_`]: 1 }));
        expect(error).toBeInstanceOf(fb.ValueError);
        expect(error.message).toContain(`no option '${name}_'; did you mean '${name}'?`);
      }
    }
  });
});

describe('a call in the form of another library is refused, and the error shows the correct form', () => {
  it.each<[string, () => unknown, new (message: string) => fb.ForebayError, string]>([
    ['sum(x, {axis})', () => js.sum(x, { axis: 1 }), fb.ShapeError, 'write sum(x, 1)'],
    ['mean(x, null)', () => js.mean(x, null), fb.ShapeError, 'for all axes, mean(x)'],
    ['max(x, {axis})', () => js.max(x, { axis: 1 }), fb.ShapeError, 'write max(x, 1)'],
    ['softmax(x, {axis})', () => js.softmax(x, { axis: 1 }), fb.ShapeError, 'as in (x, 1)'],
    ['sum(x, 0, true)', () => js.sum(x, 0, true), fb.ValueError, 'options object { keepDims }'],
    ['transpose(x, 1, 0)', () => js.transpose(x, 1, 0), fb.ShapeError, 'transpose(x, [1, 0])'],
    ['reshape(x, 3, 2)', () => js.reshape(x, 3, 2), fb.ShapeError, 'write it as a list: [3]'],
    ['zeros(2, 3)', () => js.Tensor.zeros(2, 3), fb.ValueError, 'options object { dtype }'],
    ['zeros(2)', () => js.Tensor.zeros(2), fb.ShapeError, 'write it as a list: [2]'],
    ['randomNormal(2)', () => js.randomNormal(2), fb.ShapeError, 'write it as a list: [2]'],
    ['concat(a, b)', () => js.concat(x, x), fb.ValueError, 'as in concat([a, b], 0)'],
    ['add(x, [1])', () => js.add(x, [1]), fb.ValueError, 'make it a node with constant()'],
    ['adam(loss, [])', () => js.adam(loss, []), fb.ValueError, 'at least one parameter'],
    ['sgd(loss, [])', () => js.sgd(loss, [], { rate: 1 }), fb.ValueError, 'at least one parameter'],
    ['adam(null, [])', () => js.adam(null, []), fb.GraphError, 'expected a loss'],
    ['adam(parameters)', () => js.adam([w], { rate: 1 }), fb.GraphError, 'adam(loss, parameters'],
    ['lstm.step(x)', () => lstm.step(x), fb.ValueError, '{ hidden, cell }'],
    ['lstm.unroll()', () => lstm.unroll(), fb.GraphError, '[steps, batch, inputs]'],
  ])('%s', (_form, call, kind, message) => {
    const error = errorOf(call);
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toContain(message);
  });
});

describe('an activation', () => {
  const layer = (activation: unknown) =>
    new js.FeedForward('dense', { inputs: 3, units: 2, activation });

  it('given by an unknown name is refused', () => {
    const error = errorOf(() => layer('rely'));
    expect(error).toBeInstanceOf(fb.ValueError);
    expect(error.message).toBe(
      `FeedForward 'dense': activation must be a function such as relu, or one of relu, sigmoid, softplus, tanh, gelu, silu, mish, hardSigmoid, hardSwish, elu, selu, leakyRelu, but is the string "rely"`,
    );
  });

  it.each([[7], [undefined], [[w]], ['relu']])(
    'that returns %s is refused by the layer',
    (given) => {
      const error = errorOf(() => layer(() => given).apply(x));
      expect(error).toBeInstanceOf(fb.ValueError);
      expect(error.message).toContain("FeedForward 'dense': the activation must return a node");
    },
  );
});

describe('an error thrown by a user’s callback is passed on unchanged', () => {
  const thrown = new Error('mine');
  const fail = () => {
    throw thrown;
  };
  it.each<[string, () => unknown]>([
    [
      'an activation',
      () => new js.FeedForward('f', { inputs: 3, units: 2, activation: fail }).apply(x),
    ],
    ['an initialiser', () => fb.parameter('p', { shape: [1], init: fail })],
    [
      'a shape rule',
      () =>
        js.defineOp({
          name: 'thrower',
          arity: 1,
          dtype: () => 'float32',
          shape: fail,
          lowering: { kind: 'alias' },
          gradient: () => [],
        })(x),
    ],
  ])('from %s', (_what, run) => {
    expect(run).toThrow(thrown);
  });
});
