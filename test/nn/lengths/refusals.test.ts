import { describe, expect, it } from 'vitest';
import {
  compile,
  DTypeError,
  evaluate,
  type ForebayError,
  GRU,
  GraphError,
  input,
  LSTM,
  mean,
  mul,
  type Node,
  ShapeError,
  sgd,
  Tensor,
  ValueError,
} from '../../../src/index.js';
import { errorOf, randomTensor } from '../../support.js';
import { int32 } from './support.js';

const int = { dtype: 'int32' } as const;
const xs = input('xs', ['steps', 'batch', 1]);
const lengths = input('lengths', ['batch'], int);
const value = new Tensor(Float32Array.from(randomTensor([3, 2, 1], 1).data), [3, 2, 1]);

/** A training program, which has run once. */
function trained(bidirectional: boolean) {
  const layer = new LSTM('lstm', { inputs: 1, units: 2, layers: 2, bidirectional, seed: 1 });
  const { hidden } = layer.unroll(xs, { lengths });
  const loss = mean(mul(hidden, hidden));
  const updates = sgd(loss, layer.parameters, { rate: 0.1 });
  return { hidden, layer, program: compile({ outputs: { loss }, updates }) };
}

describe('a run with a length that is not in the sequence', () => {
  const wrong: [wrong: number[], message: string][] = [
    [[3, 4], "row 1 of [input 'lengths'] is 4, but the lengths of rows of 3 steps are from 0 to 3"],
    [
      [-1, 3],
      "row 0 of [input 'lengths'] is -1, but the lengths of rows of 3 steps are from 0 to 3",
    ],
    [[3, -4], "row 1 of [input 'lengths'] is -4, but the lengths"],
    [[0, -(2 ** 31)], "row 1 of [input 'lengths'] is -2147483648, but the lengths"],
    [[2 ** 31 - 1, 0], "row 0 of [input 'lengths'] is 2147483647, but the lengths"],
  ];

  it.each(wrong)('names the layer, the row and the length: %j', (values, message) => {
    const { hidden, program } = trained(false);
    const feeds = { xs: value, lengths: int32(values) };
    for (const run of [() => evaluate(hidden, feeds), () => program.run(feeds)]) {
      const error = errorOf(run);
      expect(error).toBeInstanceOf(ValueError);
      expect(error.message.replace(/#\d+/, '#')).toContain(
        `[lengths #] in [LSTM 'lstm']: ${message}`,
      );
    }
    expect(errorOf(() => program.run(feeds)).message).toContain('the run has written nothing');
  });

  it.each([false, true])(
    'writes no parameter, and the next run is as if it had not been, bidirectional %s',
    async (bidirectional) => {
      const { layer, program } = trained(bidirectional);
      const good = { xs: value, lengths: int32([3, 1]) };
      program.run(good);
      const before = layer.parameters.map((parameter) => parameter.value.data.slice());
      for (const [values] of wrong) {
        const feeds = { xs: value, lengths: int32(values) };
        expect(errorOf(() => program.run(feeds))).toBeInstanceOf(ValueError);
        await expect(program.runAsync(feeds)).rejects.toThrow('but the lengths of rows of 3 steps');
      }
      expect(layer.parameters.map((parameter) => parameter.value.data)).toEqual(before);
      const other = trained(bidirectional);
      other.program.run(good);
      expect(program.run(good)).toEqual(other.program.run(good));
    },
  );

  it('fails also if only the last states are read', () => {
    const { last } = new GRU('gru', { inputs: 1, units: 2 }).unroll(xs, { lengths });
    const feeds = { xs: value, lengths: int32([0, 4]) };
    const message = 'is 4, but the lengths of rows of 3 steps are from 0 to 3';
    expect(errorOf(() => evaluate(last.hidden, feeds)).message).toContain(message);
    const program = compile({ outputs: { end: last.hidden } });
    expect(errorOf(() => program.run(feeds)).message).toContain(message);
  });
});

describe('lengths', () => {
  const gru = new GRU('gru', { inputs: 1, units: 2 });
  const given =
    (options: unknown, x: Node = xs) =>
    () =>
      gru.unroll(x, options as { lengths: typeof lengths });
  it.each<[string, () => unknown, new (m: string) => ForebayError, string]>([
    [
      'of another shape',
      given({ lengths: input('rows', ['rows'], int) }),
      ShapeError,
      "GRU 'gru' unroll: expected lengths of shape [batch], but received [rows]",
    ],
    [
      'of two axes',
      given({ lengths: input('column', ['batch', 1], int) }),
      ShapeError,
      'expected lengths of shape [batch], but received [batch, 1]',
    ],
    [
      'of no axes',
      given({ lengths: input('scalar', [], int) }),
      ShapeError,
      'expected lengths of shape [batch], but received []',
    ],
    [
      'of floats',
      given({ lengths: input('floats', ['batch']) }),
      DTypeError,
      "GRU 'gru' unroll: expected lengths of int32, but received float32",
    ],
    [
      'that are an array',
      given({ lengths: [1, 2] }),
      GraphError,
      "GRU 'gru' unroll: lengths must be a node [batch] of int32, but is an array of 2",
    ],
    [
      'that are a tensor',
      given({ lengths: int32([1, 2]) }),
      GraphError,
      'lengths must be a node [batch] of int32, but is',
    ],
    [
      'that are null',
      given({ lengths: null }),
      GraphError,
      'lengths must be a node [batch] of int32, but is null',
    ],
    [
      'by a wrong name',
      given({ length: lengths }),
      ValueError,
      "GRU 'gru' unroll: there is no option 'length'; did you mean 'lengths'?",
    ],
    [
      'by their name in Keras',
      given({ sequenceLengths: lengths }),
      ValueError,
      "there is no option 'sequenceLengths'; did you mean 'lengths'?",
    ],
    [
      'of an input of one axis',
      given({ lengths }, input('line', ['steps'])),
      ShapeError,
      "GRU 'gru': expected [steps, batch, 1], but received [input 'line'] of [steps]",
    ],
    [
      'of an input of two axes',
      given({ lengths }, input('table', ['steps', 'batch'])),
      ShapeError,
      "GRU 'gru': expected [steps, batch, 1], but received [input 'table'] of [steps, batch]",
    ],
    [
      'of no time steps',
      () => gru.unroll([], { lengths }),
      GraphError,
      'but received an array of 0',
    ],
  ])('%s are refused', (_what, run, error, message) => {
    expect(errorOf(run).message).toContain(message);
    expect(errorOf(run)).toBeInstanceOf(error);
  });
});
