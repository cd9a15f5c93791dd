/** Tests `checkpoint` and `resume`: what a file contains, what is restored, and that a failure changes nothing. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { holdLeaves, releaseLeaves } from '../../src/graph/in-flight.js';
import {
  adam,
  add,
  cast,
  checkpoint,
  compile,
  FeedForward,
  input,
  load,
  loadMetadata,
  type Metadata,
  mse,
  mul,
  parameter,
  randomNormal,
  resume,
  save,
  sgd,
  square,
  state,
  sum,
  type Tensor,
  tensor,
  type Updates,
  type Variable,
} from '../../src/index.js';
import { errorOf } from '../support.js';

let folder = '';
let file = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-checkpoint-'));
  file = join(folder, 'it.checkpoint');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Returns the options of `checkpoint` and `resume` for a training. */
const carried = ({ updates, program }: ReturnType<typeof training>) => ({ updates, program });

/** Returns a network with every kind of state that a training may have. Every call makes an equal network. */
function training() {
  const net = new FeedForward('net', { inputs: 3, units: 2, seed: 1 });
  const x = input('x', ['batch', 3]);
  const frozen = parameter('frozen', [1, 2]);
  const noisy = add(mul(net.apply(x), frozen), mul(randomNormal(['batch', 2], { seed: 2 }), 0.1));
  const loss = mse(noisy, input('y', ['batch', 2]));
  const rate = state('rate', 0.01);
  const steps = state('steps', tensor(new Int32Array([0])));
  const updates: Updates = [
    ...adam(loss, net.parameters, { rate }),
    [steps, cast(add(cast(steps, 'float64'), 1), 'int32')],
  ];
  return { net, rate, frozen, steps, updates, program: compile({ outputs: { loss }, updates }) };
}

const feeds = {
  x: tensor([
    [1, 2, 3],
    [-1, 0, 2],
  ]),
  y: tensor([
    [1, 0],
    [0, 1],
  ]),
};

const valuesOf = (leaves: Iterable<Variable>) => [...leaves].map(({ value }) => value.toArray());
const written = (updates: Updates) => valuesOf(updates.map(([leaf]) => leaf));

describe('checkpoint and resume', () => {
  it('continue with the same bits, including draws and moments', async () => {
    const [whole, first, second] = [training(), training(), training()];
    const expected = [0, 1, 2, 3, 4, 5].map(() => whole.program.run(feeds).loss.item());
    const before = [0, 1, 2].map(() => first.program.run(feeds).loss.item());
    await checkpoint(file, carried(first));
    const from = resume(file, carried(second));
    const after = [3, 4, 5].map(() => second.program.run(feeds).loss.item());
    expect([...before, ...after]).toEqual(expected);
    expect(written(second.updates)).toEqual(written(whole.updates));
    expect(from).toEqual({ file, runs: [3], progress: undefined, metadata: {} });
    // The number of runs must be restored, because the random draws of the first run differ from those of the fourth.
    expect(training().program.run(feeds).loss.item()).not.toBe(expected[3]);
  });

  it('contain the leaves that the updates write and read, by their names in the graph', async () => {
    const { updates, rate, program, net } = training();
    rate.set(0.5);
    await checkpoint(file, { updates, program });
    const tensors = load(file);
    expect(Object.keys(tensors).sort()).toEqual(
      [
        'frozen',
        'net.bias',
        'net.bias.adam.m',
        'net.bias.adam.v',
        'net.weight',
        'net.weight.adam.m',
        'net.weight.adam.step',
        'net.weight.adam.v',
        'rate',
        'steps',
      ].sort(),
    );
    expect(tensors.rate?.item()).toBe(0.5);
    expect(tensors['net.weight.adam.step']?.dtype).toBe('float64');
    expect(tensors.steps?.dtype).toBe('int32');
    expect(tensors['net.weight']?.toArray()).toEqual(net.weight.value.toArray());
  });

  it('contain the momentum of gradient descent', async () => {
    const made = () => {
      const w = parameter('w', [1, 2]);
      return { w, updates: sgd(sum(square(w)), [w], { rate: 0.1, momentum: 0.9 }) };
    };
    const [first, second] = [made(), made()];
    const program = compile({ outputs: {}, updates: first.updates });
    program.run();
    program.run();
    await checkpoint(file, { updates: first.updates });
    resume(file, { updates: second.updates });
    expect(written(second.updates)).toEqual(written(first.updates));
    expect(second.updates.map(([leaf]) => leaf.name)).toEqual(['w.sgd.velocity', 'w']);
  });

  it('contain the values at the time of the call', async () => {
    const { updates, steps } = training();
    const writing = checkpoint(file, { updates });
    steps.set(new Int32Array([7]));
    await writing;
    expect(load(file).steps?.toArray()).toEqual([0]);
  });

  it('contain the runs of several programs, which are optional for resume', async () => {
    const { updates } = training();
    const [a, b] = [{ runs: 3 }, { runs: 2 ** 40 }];
    await checkpoint(file, { updates, program: [a, b] });
    const [c, d] = [{ runs: 0 }, { runs: 0 }];
    expect(resume(file, { updates, program: [c, d] }).runs).toEqual([3, 2 ** 40]);
    expect([c, d]).toEqual([a, b]);
    expect(resume(file, { updates }).runs).toEqual([3, 2 ** 40]);
  });

  it('keep additional metadata', async () => {
    const { updates } = training();
    await checkpoint(file, { updates, metadata: { step: '12', ключ: 'é' } });
    expect(resume(file, { updates }).metadata).toEqual({ step: '12', ключ: 'é' });
    await expect(
      checkpoint(file, { updates, metadata: { 'forebay.runs': '[]' } }),
    ).rejects.toMatchObject({
      name: 'ValueError',
      message:
        "checkpoint: your own metadata may not begin with 'forebay.', but one is 'forebay.runs'",
    });
  });
});

/** Writes a checkpoint and then changes its tensors, its metadata, or both. */
async function changed(change: {
  tensors?: (tensors: Record<string, Tensor>) => Record<string, Tensor>;
  metadata?: Metadata;
}) {
  await checkpoint(file, carried(training()));
  const tensors = load(file);
  save(file, change.tensors?.(tensors) ?? tensors, {
    metadata: { ...loadMetadata(file), ...change.metadata },
  });
}

describe('resume refuses, and changes nothing,', () => {
  const without = (name: string) => (tensors: Record<string, Tensor>) =>
    Object.fromEntries(Object.entries(tensors).filter(([key]) => key !== name));
  it.each<[string, Parameters<typeof changed>[0], string, string]>([
    [
      'a file without one of the leaves',
      { tensors: without('steps') },
      'FormatError',
      "there is no tensor 'steps' for [state 'steps']",
    ],
    [
      'a file with an additional leaf',
      { tensors: (tensors) => ({ ...tensors, 'net2.bias': tensor([1]) }) },
      'FormatError',
      "expected the 10 leaves of the updates, but it also has 'net2.bias': it belongs to another graph",
    ],
    [
      'another shape',
      { tensors: (tensors) => ({ ...tensors, 'net.bias': tensor([1, 2, 3]) }) },
      'ShapeError',
      "tensor 'net.bias': [parameter 'net.bias'] is float32 [2], but the file has [3]",
    ],
    [
      'another dtype',
      { tensors: (tensors) => ({ ...tensors, steps: tensor([1]) }) },
      'DTypeError',
      "tensor 'steps': [state 'steps'] is int32 [1], but the file has float32",
    ],
    [
      'another version',
      { metadata: { 'forebay.checkpoint': '2' } },
      'FormatError',
      'expected a checkpoint of version 1, but its version is 2',
    ],
    [
      'invalid counts',
      { metadata: { 'forebay.runs': '[-1]' } },
      'FormatError',
      "the metadatum 'forebay.runs' is damaged: run must be an integer from 0 to 2^53 - 1, but is number -1",
    ],
    [
      'counts that are not in a list',
      { metadata: { 'forebay.runs': '{}' } },
      'FormatError',
      "the metadatum 'forebay.runs' is damaged: it must be a list",
    ],
    [
      'invalid progress',
      { metadata: { 'forebay.progress': '{"examples":0}' } },
      'FormatError',
      "the metadatum 'forebay.progress' is damaged: examples must be a whole number of at least 1",
    ],
  ])('%s', async (_, change, kind, message) => {
    await changed(change);
    const { updates, program } = training();
    for (const [leaf] of updates) leaf.value.data.fill(5);
    program.runs = 17;
    const before = written(updates);
    const error = errorOf(() => resume(file, { updates, program }));
    expect([error.name, error.message]).toEqual([kind, expect.stringContaining(message)]);
    expect(error.message.startsWith(`${file}: `)).toBe(true);
    expect([written(updates), program.runs]).toEqual([before, 17]);
  });

  it('more programs than the file has counts for', async () => {
    const { updates, program } = training();
    await checkpoint(file, { updates });
    expect(errorOf(() => resume(file, { updates, program })).message).toBe(
      `resume: ${file} has the runs of 0 programs, but 1 were given`,
    );
  });

  it('a disposed program, and a leaf of a run in flight', async () => {
    const { updates, program, steps } = training();
    await checkpoint(file, { updates, program });
    steps.set(new Int32Array([7]));
    holdLeaves([steps], [steps]);
    expect(errorOf(() => resume(file, { updates })).message).toContain('is in flight');
    await expect(checkpoint(file, { updates })).rejects.toThrow('is in flight');
    releaseLeaves([steps], [steps]);
    program.dispose();
    expect(errorOf(() => resume(file, { updates, program })).name).toBe('StateError');
    expect(steps.value.toArray()).toEqual([7]);
  });

  it('a file that is truncated anywhere', async () => {
    await checkpoint(file, carried(training()));
    const whole = readFileSync(file);
    const { updates } = training();
    const before = written(updates);
    for (let length = 0; length < whole.length; length += 13) {
      writeFileSync(file, whole.subarray(0, length));
      expect(errorOf(() => resume(file, { updates })).name).toBe('FormatError');
    }
    expect(written(updates)).toEqual(before);
  });

  it('a file that save wrote, and a file that does not exist', () => {
    const { updates, net } = training();
    save(file, net.parameters);
    expect(errorOf(() => resume(file, { updates })).message).toBe(
      `${file}: not a checkpoint: its metadata have no 'forebay.checkpoint'; use load for the files of save`,
    );
    expect(errorOf(() => resume(`${file}2`, { updates })).message).toBe(
      `${file}2: expected a file, but there is no such file`,
    );
  });
});

describe('checkpoint refuses', () => {
  it.each<[string, () => unknown, string, string]>([
    [
      'no options',
      () => undefined,
      'ValueError',
      'checkpoint: updates must be a list of [leaf, value] pairs',
    ],
    [
      'no updates',
      () => ({}),
      'ValueError',
      'checkpoint: updates must be a list of [leaf, value] pairs',
    ],
    [
      'a program that is a number',
      () => ({ updates: [], program: 3 }),
      'ValueError',
      'expected a program, but received number 3',
    ],
    [
      'two leaves of one name',
      () => {
        const w = parameter('w', 1);
        const [once, twice] = [1, 2].map(() => adam(square(w), [w]));
        return { updates: [...(once ?? []), ...(twice?.slice(0, 1) ?? [])] };
      },
      'GraphError',
      "checkpoint: two of the leaves that the updates write or read are named 'w.adam.step'",
    ],
  ])('%s', async (_, make, kind, message) => {
    await expect(checkpoint(file, make() as never)).rejects.toMatchObject({
      name: kind,
      message: expect.stringContaining(message),
    });
  });

  it('an empty path', async () => {
    await expect(checkpoint('', { updates: [] })).rejects.toThrow('expected the path of a file');
    expect(errorOf(() => resume('', { updates: [] })).message).toContain('the path of a file');
  });
});
