import { describe, expect, it } from 'vitest';
import { add, backward, evaluate, LSTM, mul, type Node, sum } from '../../src/index.js';
import { unrolled } from '../unrolled.js';
import {
  constantOf,
  expectGolden,
  type GoldenTensor,
  parameterOf,
  readGolden,
  tensorOf,
  titled,
} from './golden.js';

type Named = Readonly<Record<string, GoldenTensor>>;

interface LSTMCase {
  readonly title: string;
  readonly xs: GoldenTensor;
  readonly hidden: GoldenTensor;
  readonly cell: GoldenTensor;
  /** The parameters by name, such as 'forget.weight'. */
  readonly parameters: Named;
  readonly hiddenCotangent: GoldenTensor;
  readonly cellCotangent: GoldenTensor;
  readonly everyHidden: GoldenTensor;
  readonly lastCell: GoldenTensor;
  readonly loss: GoldenTensor;
  /** The gradients of 'xs', 'hidden', 'cell' and every parameter. */
  readonly gradients: Named;
}

type Form = 'in a loop' | 'unrolled';

/** Builds an LSTM with the golden parameters, and a loss that reads every hidden state and the last cell state. */
function build(golden: LSTMCase, form: Form) {
  const [, , inputs] = golden.xs.shape as [number, number, number];
  const [, units] = golden.hidden.shape as [number, number];
  const lstm = new LSTM('lstm', { inputs, units, dtype: 'float64' });
  const leaves = new Map<string, Node>();
  for (const parameter of lstm.parameters) {
    const name = (parameter.name as string).replace('lstm.', '');
    parameter.set(tensorOf(golden.parameters[name] as GoldenTensor));
    leaves.set(name, parameter);
  }
  const [xs, hidden, cell] = (['xs', 'hidden', 'cell'] as const).map((name) => {
    const leaf = parameterOf(name, golden[name]);
    leaves.set(name, leaf);
    return leaf;
  }) as unknown as [Node, Node, Node];
  const initial = { hidden, cell };
  const found = form === 'in a loop' ? lstm.unroll(xs, { initial }) : unrolled(lstm, xs, initial);
  const loss = add(
    sum(mul(found.hidden, constantOf(golden.hiddenCotangent))),
    sum(mul(found.last.cell, constantOf(golden.cellCotangent))),
  );
  return { leaves, found, loss };
}

const cases = titled(readGolden<LSTMCase>('lstm'), ({ title }) => title).flatMap(
  ([title, golden]) =>
    (['in a loop', 'unrolled'] as const).map((form) => [form, title, golden] as const),
);

describe.each(cases)('an LSTM %s for %s', (form, _title, golden) => {
  const { leaves, found, loss } = build(golden, form);
  const gradients = backward(loss);

  it('has the hidden states, the last cell and the loss of PyTorch', () => {
    expectGolden(evaluate(found.hidden), golden.everyHidden, 'the hidden states');
    expectGolden(evaluate(found.last.cell), golden.lastCell, 'the last cell');
    expectGolden(evaluate(loss), golden.loss, 'the loss');
  });

  it('has a golden gradient for each of its leaves', () => {
    expect(Object.keys(golden.gradients).sort()).toEqual([...leaves.keys()].sort());
  });

  it.each(Object.entries(golden.gradients))('has the gradient of PyTorch: %s', (name, expected) => {
    expectGolden(evaluate(gradients.of(leaves.get(name) as Node)), expected, name);
  });
});
