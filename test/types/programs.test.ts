// Tests the types of programs: feeds, results, dimensions and records follow from the signature of a program. Most
// assertions are checked by the compiler alone. A line after `@ts-expect-error` must not type-check. Calls that would
// fail at run time are in functions that are never called.
import { describe, expect, expectTypeOf, it } from 'vitest';
import * as fb from '../../src/index.js';

const x = fb.input('x', ['batch', 2]);
const label = fb.input('label', ['batch'], { dtype: 'int32' });
const layer = new fb.FeedForward('layer', { inputs: 2, units: 3 });
const logits = layer.apply(x);
const loss = fb.softmaxCrossEntropy(logits, label);
const right = fb.cast(fb.equal(fb.cast(fb.argmax(logits), 'int32'), label), 'float32');
const metrics = { accuracy: fb.mean(right) };
const updates = fb.sgd(loss, layer.parameters, { rate: 0.1 });

const training = fb.compile({ inputs: { x, label }, outputs: { loss }, metrics, updates });
const validating = fb.compile({ inputs: { x, label }, outputs: { loss }, metrics });
const predicting = fb.compile({ inputs: { image: x }, outputs: { logits } });
const loose = fb.compile({ outputs: { logits } });

const feeds = { x: [[1, 2]], label: [1] };
/** Type-checks a call without making it. */
const unmade = (_call: () => unknown) => undefined;

describe('the type of a program', () => {
  it('has its inputs, outputs and metrics', () => {
    expectTypeOf(training).toEqualTypeOf<
      fb.Program<{
        inputs: {
          x: fb.Input<'float32', readonly ['batch', 2]>;
          label: fb.Input<'int32', readonly ['batch']>;
        };
        outputs: { loss: fb.Node };
        metrics: { accuracy: fb.Node };
      }>
    >();
    expectTypeOf(loose).toEqualTypeOf<
      fb.Program<{
        inputs: fb.Inputs;
        outputs: { logits: fb.Node };
        metrics: Record<never, fb.Node>;
      }>
    >();
  });

  it('is accepted where a program without a signature is expected, but not the other way round', () => {
    const programs: fb.Program[] = [training, validating, predicting, loose];
    expect(programs[0]?.run({ x: fb.tensor([[1, 2]]), label: [1] }).accuracy?.shape).toEqual([]);
    const fed: Record<string, fb.Tensor> = { image: fb.tensor([[1, 2]]) };
    expect(programs[2]?.run(fed)?.logits?.shape).toEqual([1, 3]);
    expectTypeOf<fb.Program>().not.toExtend<typeof training>();
    expectTypeOf<typeof predicting>().not.toExtend<typeof training>();
  });

  it('can be a type parameter of a function that passes feeds on', () => {
    function twice<T extends fb.Signature>(program: fb.Program<T>, fed: fb.FeedsOf<T>) {
      return [program.run(fed), program.run(fed)] as const;
    }
    const [first] = twice(predicting, { image: [[1, 2]] });
    expectTypeOf(first).toEqualTypeOf<{ logits: fb.Tensor }>();
    // @ts-expect-error the feed is named image
    unmade(() => twice(predicting, { x: [[1, 2]] }));
  });
});

describe('feeds', () => {
  it('have exactly the names of the inputs', () => {
    expect(training.run(feeds).loss.shape).toEqual([]);
    unmade(() => {
      // @ts-expect-error label is missing
      training.run({ x: [[1, 2]] });
      // @ts-expect-error both feeds are missing
      training.run();
      // @ts-expect-error no input is named y
      training.run({ ...feeds, y: 1 });
      // @ts-expect-error label is missing
      training.runAsync({ x: [[1, 2]] });
      // @ts-expect-error no input is named x: it is fed under the name image
      predicting.profile({ x: [[1, 2]] });
    });
  });

  it('have the dtypes of the inputs, unless their dtype is not known', () => {
    const some: fb.Tensor = loose.run({ x: [[1, 2]] }).logits;
    expect(some.shape).toEqual([1, 3]);
    unmade(() => {
      training.run({ x: new Float32Array(2), label: some });
      training.run({ x: fb.tensor([1, 2]), label: new Int32Array(1) });
      // @ts-expect-error x is float32
      training.run({ x: new Float64Array(2), label: [1] });
      // @ts-expect-error label is int32
      training.run({ x: [[1, 2]], label: fb.tensor([1]) });
      // @ts-expect-error a feed is no string
      training.run({ x: [[1, 2]], label: 'cat' });
    });
  });

  it('may be left out if there are no inputs, or if the inputs are not known', () => {
    const none = fb.compile({ inputs: {}, outputs: { one: fb.constant(1) } });
    expect(none.run().one.item()).toBe(1);
    expect(none.run({}).one.item()).toBe(1);
    // @ts-expect-error there are no inputs
    unmade(() => none.run({ x: 1 }));
    const free = fb.compile({ outputs: { one: fb.constant(1) } });
    expect(free.run().one.item()).toBe(1);
    unmade(() => loose.run({ anything: 1 }));
  });
});

describe('datasets', () => {
  const steps = fb.input('steps', ['steps', 'batch']);
  const hidden = fb.input('hidden', ['batch']);
  const next = fb.add(hidden, fb.sum(steps, 0));
  const carrying = fb.compile({ inputs: { steps, hidden }, outputs: { hidden: next } });
  const options = { batchSize: 1, stateful: true };

  it('may have lists of examples', async () => {
    const fed = { steps: [[1, 2], new Float32Array(3), fb.tensor([4])], hidden: [0, 0, 0] };
    expect((await fb.predict(carrying, fed)).hidden.toArray()).toEqual([3, 0, 4]);
    const list: fb.DatasetColumn[] = fed.steps;
    expect(list).toHaveLength(3);
    unmade(() => {
      // @ts-expect-error the examples are float32
      fb.predict(carrying, { steps: [new Float64Array(3)], hidden: [0] });
      // @ts-expect-error an example is no string
      fb.predict(carrying, { steps: ['cat'], hidden: [0] });
    });
  });

  it('may lack only inputs that have the name of an output', async () => {
    const found = await fb.predict(carrying, { steps: [[1], [2]] as const }, options);
    expect(found.hidden.toArray()).toEqual([1, 3]);
    const dataset: fb.Dataset = { steps: [[1], [2]] };
    expect((await fb.predict(loose, { x: [[1, 2]] })).logits.shape).toEqual([1, 3]);
    unmade(() => {
      fb.predict(loose, dataset);
      // @ts-expect-error steps is missing
      fb.predict(carrying, { hidden: [0] });
      // @ts-expect-error no input is named other
      fb.predict(carrying, { steps: [[1]], other: [0] }, options);
      // @ts-expect-error label is missing
      fb.fit(training, { x: [[1, 2]] }, { epochs: 1, batchSize: 1 });
    });
  });
});

describe('results', () => {
  it('have the names of the outputs and the metrics', async () => {
    expectTypeOf(training.run).returns.toEqualTypeOf<{ loss: fb.Tensor; accuracy: fb.Tensor }>();
    expectTypeOf(training.runAsync).returns.resolves.toEqualTypeOf<{
      loss: fb.Tensor;
      accuracy: fb.Tensor;
    }>();
    expectTypeOf(predicting.run).returns.toEqualTypeOf<{ logits: fb.Tensor }>();
    // @ts-expect-error no output is named lose
    unmade(() => training.run(feeds).lose);
    const { accuracy } = await validating.runAsync(feeds);
    expect(accuracy.shape).toEqual([]);
  });

  it('have the dtypes of outputs that are inputs', () => {
    const echo = fb.compile({ inputs: { label }, outputs: { label } });
    expectTypeOf(echo.run({ label: [1] }).label.data).toEqualTypeOf<Int32Array>();
  });

  it('are written to tensors with the names of the outputs', () => {
    const into = { logits: fb.Tensor.zeros([1, 3]) };
    expect(predicting.run({ image: [[1, 2]] }, { into }).logits).toBe(into.logits);
    // @ts-expect-error no output is named y
    unmade(() => predicting.run({ image: [[1, 2]] }, { into: { y: into.logits } }));
  });
});

describe('dimensions', () => {
  it('are the names in the shapes of the inputs', async () => {
    const sequence = fb.input('sequence', ['steps', 'batch', 3]);
    const sum = fb.compile({ inputs: { sequence, x }, outputs: { s: fb.sum(sequence), x } });
    expectTypeOf(sum.prepare).parameter(0).toEqualTypeOf<{
      readonly steps: number;
      readonly batch: number;
    }>();
    await sum.prepare({ steps: 4, batch: 2 });
    await loose.prepare({ batch: 2 });
    unmade(() => {
      // @ts-expect-error steps is missing
      sum.prepare({ batch: 2 });
      // @ts-expect-error no dimension is named rows
      sum.prepare({ steps: 4, batch: 2, rows: 1 });
      // @ts-expect-error all sizes are missing
      sum.prepare();
      // @ts-expect-error a size is a number
      training.prepare({ batch: '64' });
    });
  });

  it('may be left out if there are none', async () => {
    const vector = fb.input('v', [3]);
    const fixed = fb.compile({ inputs: { vector }, outputs: { s: fb.sum(vector) } });
    await fixed.prepare();
    // @ts-expect-error there are no names of dimensions
    unmade(() => fixed.prepare({ batch: 1 }));
  });
});

describe('fit and predict', () => {
  const dataset = { x: fb.tensor([[1, 2]]), label: fb.tensor([1], { dtype: 'int32' }) };

  it('take a dataset with the names of the inputs', async () => {
    const { logits: all } = await fb.predict(predicting, { image: dataset.x });
    expect(all.shape).toEqual([1, 3]);
    expectTypeOf(fb.predict(predicting, { image: dataset.x })).resolves.toEqualTypeOf<{
      logits: fb.Tensor;
    }>();
    unmade(() => {
      // @ts-expect-error the input is named image
      fb.predict(predicting, { x: dataset.x });
      // @ts-expect-error label is missing
      fb.fit(training, { x: dataset.x }, { epochs: 1, batchSize: 1 });
      // @ts-expect-error label is int32
      fb.fit(training, { ...dataset, label: fb.tensor([1]) }, { epochs: 1, batchSize: 1 });
    });
  });

  it('have records with the names of the outputs and the metrics', async () => {
    const { epochs } = await fb.fit(training, dataset, {
      epochs: 1,
      batchSize: 1,
      validate: { program: validating, dataset },
      onBatch: ({ outputs, metrics: measured }) => {
        expectTypeOf(outputs).toEqualTypeOf<Readonly<{ loss: fb.Tensor }>>();
        expectTypeOf(measured).toEqualTypeOf<Readonly<{ accuracy: fb.Tensor }>>();
      },
      onEpoch: ({ outputs, metrics: measured, validation }) => {
        expectTypeOf(outputs).toEqualTypeOf<{ readonly loss: number }>();
        expectTypeOf(measured).toEqualTypeOf<{ readonly accuracy: number }>();
        expectTypeOf(validation?.loss).toEqualTypeOf<number | undefined>();
        expectTypeOf(validation?.metrics.accuracy).toEqualTypeOf<number | undefined>();
        // @ts-expect-error no metric is named recall
        unmade(() => measured.recall);
      },
    });
    expect(epochs[0]?.validation?.metrics.accuracy).toBeTypeOf('number');
    // @ts-expect-error no output is named lose
    unmade(() => epochs[0]?.outputs.lose);
    unmade(() =>
      fb.fit(training, dataset, {
        epochs: 1,
        batchSize: 1,
        // @ts-expect-error label is missing
        validate: { program: validating, dataset: { x: dataset.x } },
      }),
    );
  });

  it('are loose for a program without a signature', async () => {
    const program: fb.Program = training;
    const data: Record<string, fb.Tensor> = dataset;
    const history: fb.History = await fb.fit(program, data, { epochs: 1, batchSize: 1 });
    expectTypeOf(history.epochs[0]?.outputs.anything).toEqualTypeOf<number | undefined>();
    expectTypeOf(history.epochs[0]?.metrics?.anything).toEqualTypeOf<number | undefined>();
    const told = (record: fb.EpochRecord) => record.epoch;
    await fb.fit(training, dataset, { epochs: 1, batchSize: 1, onEpoch: told });
    const options: fb.FitOptions = { epochs: 1, batchSize: 1 };
    await fb.fit(training, dataset, options);
  });
});

describe('the option inputs', () => {
  it('takes only inputs', () => {
    unmade(() => {
      // @ts-expect-error loss is no input
      fb.compile({ inputs: { x, label, loss }, outputs: { loss } });
      // @ts-expect-error a list has no names
      fb.compile({ inputs: [x, label], outputs: { loss } });
      // @ts-expect-error a metric is a node
      fb.compile({ outputs: { loss }, metrics: { accuracy: 1 } });
      // @ts-expect-error no such option
      fb.compile({ outputs: { loss }, metric: {} });
    });
  });
});
