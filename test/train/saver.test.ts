/**
 * Tests when `fit` writes checkpoints, and that the leaves do not change while they are copied. The functions that
 * write files are replaced.
 */

import { beforeEach, expect, it, vi } from 'vitest';
import { add, type FitOptions, input, state, sum, Tensor, type Updates } from '../../src/index.js';
import { parseHeader } from '../../src/io/header.js';
import { copies } from '../../src/train/checkpoint.js';
import * as train from '../../src/train/fit.js';
import { InterpretedProgram } from '../../src/train/interpreted.js';

interface Written {
  readonly metadata: Readonly<Record<string, string>>;
  readonly data: readonly Uint8Array[];
}

const { written, background, turns } = vi.hoisted(() => ({
  written: [] as Written[],
  background: { assertWritable: async () => {}, write: async () => {} },
  turns: { pass: async () => {} },
}));

vi.mock('../../src/io/background.js', () => ({
  assertWritable: () => background.assertWritable(),
  writeInBackground: (_file: string, [header, ...data]: [Uint8Array, ...Uint8Array[]]) => {
    const bytes = data.reduce((sum, { length }) => sum + length, 0);
    const { metadata } = parseHeader('it', header.subarray(8), bytes);
    written.push({ metadata, data });
    return background.write();
  },
}));
vi.mock('../../src/train/turns.js', () => ({
  Turns: class {
    pass = () => turns.pass();
  },
}));

beforeEach(() => {
  written.length = 0;
  background.write = async () => {};
  turns.pass = async () => {};
});

/** Returns a training that counts in a state. The state is so large that it is copied in three pieces. */
function training() {
  const seen = state('seen', Tensor.zeros([600_000]));
  const x = input('x', ['batch']);
  const updates: Updates = [[seen, add(seen, sum(x))]];
  const program = new InterpretedProgram({ outputs: { total: sum(x) }, updates });
  const dataset = { x: new Float32Array(11).fill(1) };
  const run = (options: Partial<FitOptions>) => {
    return train.fit(program, dataset, { epochs: 3, batchSize: 4, ...options });
  };
  return { seen, program, run };
}

const runsIn = ({ metadata }: Written) => JSON.parse(metadata['forebay.runs'] as string)[0];

// An epoch has three training steps, so the training of three epochs ends after step 9.
it.each([
  [{ batches: 1 }, [1, 2, 3, 4, 5, 6, 7, 8, 9]],
  [{ batches: 2 }, [2, 4, 6, 8, 9]],
  [{ batches: 4 }, [4, 8, 9]],
  [{ epochs: 1 }, [3, 6, 9]],
  [undefined, [3, 6, 9]],
  [{ epochs: 2 }, [6, 9]],
  [{ batches: 4, epochs: 2 }, [4, 6, 8, 9]],
  [{ seconds: 3600 }, [9]],
  [{}, [9]],
])('every %j writes after steps %j', async (every, after) => {
  // The steps are very short, so a slice (one call of the program) has many steps. Nevertheless, each slice must end at
  // the step after which a checkpoint is due.
  await training().run({ checkpoint: { file: 'it', every } });
  expect(written.map(runsIn)).toEqual(after);
});

it('counts seconds from the previous checkpoint', async () => {
  const now = vi.spyOn(performance, 'now');
  let clock = 1e6;
  now.mockImplementation(() => clock);
  try {
    const onBatch = () => {
      clock += 1000;
    };
    await training().run({ checkpoint: { file: 'it', every: { seconds: 3.5 } }, onBatch });
  } finally {
    now.mockRestore();
  }
  expect(written.map(runsIn)).toEqual([4, 8, 9]);
});

it('copies the values between two steps, in pieces, and refuses to set them meanwhile', async () => {
  const { seen, program, run } = training();
  const refused: unknown[] = [];
  turns.pass = async () => {
    // `turns.pass` is also called while rows are gathered. These calls end before run 3, and all later calls are made
    // while leaves are copied.
    if (program.runs < 3) return;
    expect(() => seen.set(Tensor.ones([600_000]))).toThrow('is in flight');
    refused.push(program.runs);
  };
  await run({ checkpoint: { file: 'it' }, epochs: 1 });
  expect(refused).toEqual([3, 3, 3]);
  expect([...copies([seen.value])].length).toBe(3);
  const [{ data: [bytes] = [] } = {}] = written;
  const values = new Float32Array((bytes as Uint8Array).buffer);
  expect(values.length).toBe(600_000);
  expect(values.every((value) => value === 11)).toBe(true);
  seen.set(Tensor.ones([600_000]));
});

it('continues while a file is written, and starts the next file only after it', async () => {
  const { program, run } = training();
  const events: string[] = [];
  const ends: (() => void)[] = [];
  background.write = () => {
    events.push(`write ${program.runs}`);
    return new Promise((done) => ends.push(done));
  };
  const onBatch = () => {
    events.push(`step ${program.runs}`);
    // The first file is complete only after step 2, when the second file is already due.
    if (program.runs === 2) setImmediate(() => events.push('written') && ends.shift()?.());
    if (program.runs === 3) ends.shift()?.();
  };
  const saved = { file: 'it', every: { batches: 1 } };
  const training1 = run({ checkpoint: saved, onBatch, epochs: 1 });
  await vi.waitFor(() => expect(events).toContain('write 3'));
  ends.shift()?.();
  await training1;
  expect(events).toEqual([
    'step 1',
    'write 1',
    'step 2',
    'written',
    'write 2',
    'step 3',
    'write 3',
  ]);
});

it('ends the training at the next slice if a file could not be written', async () => {
  const { program, run } = training();
  background.write = () => Promise.reject(new Error('no room'));
  const saved = { file: 'it', every: { batches: 2 } };
  const onBatch = () => new Promise<void>((done) => setImmediate(done));
  await expect(run({ checkpoint: saved, onBatch })).rejects.toThrow('no room');
  expect(program.runs).toBe(3);
});

it('does not end before its last file is written, also after an error', async () => {
  const { run } = training();
  let open = 0;
  background.write = async () => {
    open++;
    await new Promise((done) => setImmediate(() => setImmediate(done)));
    open--;
  };
  const saved = { file: 'it', every: { batches: 1 } };
  await run({ checkpoint: saved, epochs: 1 });
  expect(open).toBe(0);
  const onBatch = ({ batch }: { batch: number }) => {
    if (batch === 1) throw new RangeError('enough');
  };
  await expect(run({ checkpoint: saved, onBatch })).rejects.toThrow('enough');
  expect([written.length, open]).toEqual([4, 0]);
});
