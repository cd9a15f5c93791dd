import { describe, expect, it } from 'vitest';
import * as fb from '../../src/index.js';
import * as train from '../../src/train/fit.js';
import { InterpretedProgram } from '../../src/train/interpreted.js';
import {
  expectGolden,
  type GoldenTensor,
  type Named,
  readGolden,
  tensorOf,
  titled,
  withVariables,
} from './golden.js';

interface StatefulCase {
  readonly title: string;
  readonly rows: number;
  readonly epochs: number;
  readonly rate: number;
  /** The examples: [examples, steps, inputs] and [examples, steps, units]. */
  readonly xs: GoldenTensor;
  readonly targets: GoldenTensor;
  /** The parameters before and after the training. */
  readonly before: Named;
  readonly after: Named;
  /** The loss and the states after each minibatch of all epochs. */
  readonly losses: GoldenTensor;
  readonly hidden: GoldenTensor;
  readonly cell: GoldenTensor;
}

const float64 = { dtype: 'float64' } as const;
const cases = titled(readGolden<StatefulCase>('stateful'), ({ title }) => title);

describe.each(cases)(
  'an LSTM of PyTorch that is trained by truncated backpropagation: %s',
  (_title, golden) => {
    const [examples, steps, inputs] = golden.xs.shape as [number, number, number];
    const [, , units] = golden.targets.shape as [number, number, number];
    const batches = (golden.epochs * examples) / golden.rows;

    it.each(['compiled', 'in slices of several steps', 'interpreted'])(
      'is equalled, %s',
      async (how) => {
        const lstm = new fb.LSTM('lstm', { inputs, units, ...float64 });
        const variables = withVariables(lstm, golden.before);
        const xs = fb.input('xs', [steps, 'batch', inputs], float64);
        const targets = fb.input('targets', [steps, 'batch', units], float64);
        const initial = {
          hidden: fb.input('hidden', ['batch', units], float64),
          cell: fb.input('cell', ['batch', units], float64),
        };
        const { hidden, last } = lstm.unroll(xs, { initial });
        const loss = fb.mse(hidden, targets);
        const graph = {
          outputs: { loss, hidden: last.hidden, cell: last.cell },
          updates: fb.sgd(loss, lstm, { rate: golden.rate }),
        };
        const program = how === 'interpreted' ? new InterpretedProgram(graph) : fb.compile(graph);
        const found = { losses: [] as number[], hidden: [] as number[], cell: [] as number[] };
        const onBatch: fb.FitOptions['onBatch'] = ({ outputs }) => {
          found.losses.push((outputs.loss as fb.Tensor).item());
          found.hidden.push(...(outputs.hidden as fb.Tensor).data);
          found.cell.push(...(outputs.cell as fb.Tensor).data);
        };
        const history = await train.fit(
          program,
          { xs: tensorOf(golden.xs), targets: tensorOf(golden.targets) },
          {
            epochs: golden.epochs,
            batchSize: golden.rows,
            stateful: true,
            ...(how !== 'in slices of several steps' && { onBatch }),
          },
        );
        for (const [path, variable] of variables) {
          expectGolden(variable.value, golden.after[path] as GoldenTensor, path);
        }
        const losses = golden.losses.data as number[];
        history.epochs.forEach(({ outputs }, epoch) => {
          const own = losses.slice(
            (epoch * batches) / golden.epochs,
            ((epoch + 1) * batches) / golden.epochs,
          );
          const mean = own.reduce((sum, one) => sum + one, 0) / own.length;
          expect(outputs).toEqual({ loss: expect.closeTo(mean, 10) });
        });
        if (how === 'in slices of several steps') return;
        for (const key of ['losses', 'hidden', 'cell'] as const) {
          const tensor = new fb.Tensor(Float64Array.from(found[key]), golden[key].shape);
          expectGolden(tensor, golden[key], key);
        }
      },
    );
  },
);
