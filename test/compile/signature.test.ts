// Tests the options `inputs` and `metrics` of compile: the names under which inputs are fed, and nodes that a run
// computes beside the outputs.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as fb from '../../src/index.js';
import { errorOf } from '../support.js';

/** Two graphs, as two parts of an application make them: both have an input that is named 'x'. */
function parts() {
  const left = fb.input('x', ['batch', 2]);
  const right = fb.input('x', ['batch', 3]);
  const w = fb.parameter('w', fb.tensor([[1], [2], [3]]));
  return { left, right, w, y: fb.add(fb.sum(left, 1), fb.reshape(fb.matmul(right, w), ['batch'])) };
}

const refused = (call: () => unknown) => {
  const error = errorOf(call);
  expect(error).toBeInstanceOf(fb.ForebayError);
  return `${error}`;
};

describe('inputs of compile', () => {
  it('let two inputs of one name meet, and feed each under its key', async () => {
    const { left, right, w, y } = parts();
    const program = fb.compile({ inputs: { left, right }, outputs: { y } });
    const feeds = { left: [[1, 2]], right: [[1, 1, 1]] };
    expect(program.run(feeds).y.toArray()).toEqual([9]);
    expect(
      program.run({ left: fb.tensor([[3, 4]]), right: fb.tensor([[1, 0, 0]]) }).y.data[0],
    ).toBe(8);
    expect((await program.runAsync(feeds)).y.toArray()).toEqual([9]);
    expect(program.profile(feeds).length).toBeGreaterThan(0);
    await program.prepare({ batch: 3 });
    const { y: all } = await fb.predict(
      program,
      {
        left: [
          [1, 2],
          [0, 0],
          [5, 5],
        ],
        right: [
          [1, 1, 1],
          [0, 0, 1],
          [0, 0, 0],
        ],
      },
      { batchSize: 2 },
    );
    expect(all.toArray()).toEqual([9, 3, 10]);

    const loss = fb.mean(fb.square(y));
    const training = fb.compile({
      inputs: { a: left, b: right },
      outputs: { loss },
      updates: fb.sgd(loss, [w], { rate: 0.01 }),
    });
    const dataset = {
      a: [
        [1, 2],
        [0, 0],
      ],
      b: [
        [1, 1, 1],
        [0, 0, 1],
      ],
    };
    const { epochs } = await fb.fit(training, dataset, { epochs: 3, batchSize: 1 });
    expect(epochs[2]?.outputs.loss).toBeLessThan(epochs[0]?.outputs.loss as number);
  });

  it('are the names of the feeds even if the inputs have other names', () => {
    const x = fb.input('x', [2]);
    const program = fb.compile({ inputs: { image: x }, outputs: { y: fb.mul(x, 2) } });
    expect(program.run({ image: [1, 2] }).y.toArray()).toEqual([2, 4]);
    const loose: fb.Program = program;
    expect(refused(() => loose.run({ x: [1, 2] }))).toBe(
      "ValueError: feed 'x' is not an input of this graph (its inputs: 'image')",
    );
    expect(refused(() => loose.run())).toBe(
      "ValueError: [input 'x'] was not fed: expected float32 [2] under the name 'image'",
    );
    expect(refused(() => loose.run({ image: [1] }))).toBe(
      "ShapeError: [input 'x'] (the feed 'image') expected float32 [2], but was fed [1]",
    );
  });

  it('are named in errors about two feeds that differ', async () => {
    const { left, right, y } = parts();
    const program = fb.compile({ inputs: { left, right }, outputs: { y } });
    expect(
      refused(() =>
        program.run({
          left: [[1, 2]],
          right: [
            [1, 1, 1],
            [1, 1, 1],
          ],
        }),
      ),
    ).toBe(
      "ShapeError: dimension 'batch' is bound to 1 by [input 'x'] (the feed 'left') and to 2 by [input 'x'] (the feed 'right')",
    );
    const error = await fb
      .predict(program, {
        left: [[1, 2]],
        right: [
          [1, 1, 1],
          [1, 1, 1],
        ],
      })
      .catch(String);
    expect(error).toBe(
      "ShapeError: predict: the dataset has 1 examples for [input 'x'] (the feed 'left'), but 2 for [input 'x'] (the feed 'right'); all tensors need the same number",
    );
  });

  it('must have every input that a run reads, and no other', () => {
    const { left, right, w, y } = parts();
    const other = fb.input('other', []);
    expect(refused(() => fb.compile({ inputs: { left }, outputs: { y } }))).toBe(
      "GraphError: compile: inputs has no name for [input 'x'], which the program reads; add it, as in { x: … }",
    );
    const step: fb.Updates = [[w, fb.mul(w, other)]];
    expect(refused(() => fb.compile({ inputs: {}, outputs: {}, updates: step }))).toContain(
      "inputs has no name for [input 'other']",
    );
    expect(refused(() => fb.compile({ inputs: {}, outputs: {}, metrics: { other } }))).toContain(
      "inputs has no name for [input 'other']",
    );
    expect(refused(() => fb.compile({ inputs: { left, right, other }, outputs: { y } }))).toBe(
      "GraphError: compile: inputs: no output, metric or update reads 'other', which is [input 'other']; leave it out",
    );
  });

  it('may have an input that only the differentiated graph reads, which need not be fed', async () => {
    const x = fb.input('x', ['batch']);
    const w = fb.parameter('w', 2);
    const slope = fb.backward(fb.sum(fb.add(x, w))).of(x);
    const program: fb.Program = fb.compile({ inputs: { fed: x }, outputs: { slope } });
    expect(program.run({ fed: [1, 2, 3] }).slope?.toArray()).toEqual([1, 1, 1]);
    await program.prepare({ batch: 2 });
    expect(refused(() => program.run({ x: [1, 2, 3] }))).toContain("feed 'x' is not an input");
  });

  it('are inputs, each once', () => {
    const x = fb.input('x', []);
    const w = fb.parameter('w', 1);
    const y = fb.mul(x, w);
    const compile = (inputs: unknown) => () =>
      fb.compile({ inputs: inputs as fb.Inputs, outputs: { y } });
    expect(refused(compile({ x, w }))).toMatch(
      /^ValueError: compile: inputs: 'w' must be an input, as the function input makes it, but is \[parameter 'w'\]/,
    );
    expect(refused(compile({ x: undefined }))).toContain("'x' must be an input");
    expect(refused(compile({ a: x, b: x }))).toBe(
      "ValueError: compile: inputs: 'a' and 'b' are the same node, [input 'x']; give it only one name",
    );
    for (const odd of [[x], x, 1, null, new Map([['x', x]])]) {
      expect(refused(compile(odd))).toMatch(
        /^ValueError: compile: inputs must be a record of inputs/,
      );
    }
    expect(refused(compile(Object.fromEntries([['__proto__', x]])))).toMatch(
      /^ValueError: compile: inputs must not have the name '__proto__'/,
    );
    const thrower = {
      get x() {
        throw new Error('no');
      },
    };
    expect(refused(compile(thrower))).toMatch(/^ValueError: compile: inputs .* cannot be read: no/);
    expect(fb.compile({ inputs: undefined, outputs: { y } }).run({ x: 2 }).y.item()).toBe(2);
  });

  it('are suggested if two inputs of one name meet without them', () => {
    const { y } = parts();
    expect(refused(() => fb.compile({ outputs: { y } }))).toBe(
      "GraphError: two leaves of one run are named 'x': [input 'x'] and [input 'x']; name them in the option inputs: { a: …, b: … }",
    );
  });

  it('do not permit two parameters of one name', () => {
    const [a, b] = [fb.parameter('w', 1), fb.parameter('w', 1)];
    expect(refused(() => fb.compile({ inputs: {}, outputs: { y: fb.add(a, b) } }))).toContain(
      "two leaves of one run are named 'w'",
    );
  });

  it('may be named like a parameter', () => {
    const x = fb.input('x', []);
    const program = fb.compile({
      inputs: { w: x },
      outputs: { y: fb.mul(x, fb.parameter('w', 3)) },
    });
    expect(program.run({ w: 2 }).y.item()).toBe(6);
  });
});

describe('metrics of compile', () => {
  const x = fb.input('x', ['batch']);
  const w = fb.parameter('w', 1);
  const loss = fb.mean(fb.square(fb.sub(x, w)));
  const error = fb.mean(fb.abs(fb.sub(x, w)));

  it('are returned beside the outputs', async () => {
    const program = fb.compile({ outputs: { loss }, metrics: { error, w } });
    const results = program.run({ x: [3, 5] });
    expect(Object.keys(results)).toEqual(['loss', 'error', 'w']);
    expect([results.loss.item(), results.error.item(), results.w.item()]).toEqual([10, 3, 1]);
    expect((await program.runAsync({ x: [3, 5] })).error.item()).toBe(3);
    const into = { loss: fb.tensor(0), error: fb.tensor(0), w: fb.tensor(0) };
    program.run({ x: [3, 5] }, { into });
    expect(into.error.item()).toBe(3);
  });

  it('are reported by fit apart from the outputs, and for validation in a field of their own', async () => {
    const updates = fb.sgd(loss, [w], { rate: 0 });
    const training = fb.compile({ outputs: { loss }, metrics: { error, x }, updates });
    const validating = fb.compile({ outputs: { loss }, metrics: { error } });
    const steps: unknown[] = [];
    const { epochs } = await fb.fit(
      training,
      { x: [3, 5, 7] },
      {
        epochs: 1,
        batchSize: 2,
        shuffle: false,
        validate: { program: validating, dataset: { x: [2] } },
        onBatch: ({ outputs, metrics }) => {
          steps.push([outputs.loss.item(), metrics.error.item(), metrics.x.toArray()]);
          expect(Object.keys(outputs)).toEqual(['loss']);
        },
      },
    );
    expect(steps).toEqual([
      [10, 3, [3, 5]],
      [36, 6, [7]],
    ]);
    expect(epochs).toEqual([
      {
        epoch: 0,
        outputs: { loss: expect.closeTo(56 / 3, 5) },
        metrics: { error: expect.closeTo(4, 5) },
        validation: { loss: 1, metrics: { error: 1 } },
      },
    ]);
    const plain = fb.compile({ outputs: { loss }, updates });
    const options = { epochs: 1, batchSize: 1 };
    expect(Object.keys((await fb.fit(plain, { x: [1] }, options)).epochs[0] ?? {})).toEqual([
      'epoch',
      'outputs',
    ]);
  });

  it('have the same means after an interruption within an epoch', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'forebay-signature-')), 'checkpoint');
    const dataset = { x: [3, 5, 7, 11, 13] };
    const options = { epochs: 3, batchSize: 2, seed: 1 };
    const start = () => {
      w.set(1);
      const updates = fb.sgd(loss, [w], { rate: 0.1 });
      return { updates, program: fb.compile({ outputs: { loss }, metrics: { error }, updates }) };
    };
    const whole = await fb.fit(start().program, dataset, options);

    const { program } = start();
    const interrupted = fb.fit(program, dataset, {
      ...options,
      checkpoint: { file, every: { batches: 1 } },
      onBatch: ({ epoch, batch }) => {
        if (epoch === 1 && batch === 1) throw new Error('interrupted');
      },
    });
    await expect(interrupted).rejects.toThrow('interrupted');
    const next = start();
    const from = fb.resume(file, next);
    expect([from.progress?.epoch, from.progress?.row]).toEqual([1, 2]);
    expect(Object.keys(from.progress?.sums ?? {})).toEqual(['loss', 'error']);
    expect(await fb.fit(next.program, dataset, { ...options, from })).toEqual(whole);
    expect(whole.epochs[2]?.metrics.error).toBeTypeOf('number');
    rmSync(dirname(file), { recursive: true });
  });

  it('are left out by predict', async () => {
    const program = fb.compile({ outputs: { y: fb.mul(x, 2) }, metrics: { error } });
    expect(Object.keys(await fb.predict(program, { x: [1, 2] }))).toEqual(['y']);
  });

  it('are nodes, with names that no output has', () => {
    const compile = (metrics: unknown, outputs: fb.Nodes = { loss }) => {
      return () => fb.compile({ outputs, metrics: metrics as fb.Nodes });
    };
    expect(refused(compile({ loss: error }))).toBe(
      "ValueError: compile: 'loss' is both an output and a metric; a run returns both by name, so give one of them another name",
    );
    expect(refused(compile({ error: 1 }))).toBe(
      "ValueError: compile: metric 'error' must be a node, but is number 1",
    );
    expect(refused(compile([error]))).toMatch(
      /^ValueError: compile: metrics must be a record of nodes by name, but are an array of 1/,
    );
    expect(refused(compile(Object.fromEntries([['__proto__', error]])))).toMatch(
      /^ValueError: compile: metrics must not have the name '__proto__'/,
    );
    expect(refused(compile({ error }, { metrics: loss }))).toMatch(
      /^ValueError: compile: an output of a program with metrics cannot be named 'metrics'/,
    );
    expect(fb.compile({ outputs: { metrics: loss } }).run({ x: [1] }).metrics.shape).toEqual([]);
  });
});
