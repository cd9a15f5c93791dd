// Tests the option `into`: the tensors to which a run writes its outputs, and those that it refuses.
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/compile/program.js';
import {
  add,
  constant,
  DTypeError,
  div,
  evaluate,
  type Feeds,
  type ForebayError,
  input,
  mul,
  type Node,
  NumericError,
  ShapeError,
  state,
  Tensor,
  tensor,
  ValueError,
} from '../../src/index.js';
import { errorOf, randomTensor } from '../support.js';
import { batch, bytes, model } from './model.js';

type Kind = new (message: string) => ForebayError;

describe('into', () => {
  const setUp = () => {
    const { loss, prediction, w, updates } = model();
    const program = compile({ outputs: { loss, prediction }, updates });
    return { program, w, into: { loss: Tensor.zeros([]), prediction: Tensor.zeros([4, 2]) } };
  };

  it('receives the outputs', () => {
    const { program, into } = setUp();
    const { loss, prediction } = model();
    const wanted = evaluate({ loss, prediction }, batch(4));
    expect(program.run(batch(4), { into })).toBe(into);
    expect(into.loss.item()).toBeCloseTo(wanted.loss.item(), 5);
    expect(into.prediction.data[5]).toBeCloseTo(wanted.prediction.data[5] as number, 5);
    // An output may also be written into the middle of a larger array, or into shared memory.
    const all = new Float32Array(12).fill(7);
    const part = new Tensor(all.subarray(2, 10), [4, 2]);
    const loss2 = new Tensor(new Float32Array(new SharedArrayBuffer(4)), []);
    program.run(batch(4), { into: { loss: loss2, prediction: part } });
    expect([all[1], all[10]]).toEqual([7, 7]);
    expect(loss2.item()).toBeLessThan(into.loss.item());
  });

  const shared = new SharedArrayBuffer(48);
  it.each<[string, (of: ReturnType<typeof setUp>) => object, Kind, RegExp]>([
    [
      'a missing name',
      ({ into: { loss } }) => ({ loss }),
      ValueError,
      /output 'prediction' .*no tensor/,
    ],
    [
      'an unknown name',
      ({ into }) => ({ ...into, more: into.loss }),
      ValueError,
      /'more' is not an output .*'loss', 'prediction'/,
    ],
    [
      'another shape',
      ({ into }) => ({ ...into, loss: Tensor.zeros([1]) }),
      ShapeError,
      /'loss' is float32 \[\], but received float32 \[1\]/,
    ],
    [
      'another dtype',
      ({ into }) => ({ ...into, loss: Tensor.zeros([], { dtype: 'float64' }) }),
      DTypeError,
      /but received float64/,
    ],
    [
      'an array instead of a tensor',
      ({ into }) => ({ ...into, loss: new Float32Array(1) }),
      ValueError,
      /but received an object of type Float32Array/,
    ],
    ['no record', () => 3 as never, ValueError, /into must be a record of tensors/],
    [
      'memory of another output',
      ({ into }) => ({ ...into, loss: new Tensor(into.prediction.data.subarray(7), []) }),
      ValueError,
      /'prediction' overlaps that of 'loss'/,
    ],
    [
      'memory of a feed',
      ({ into }) => ({ ...into, loss: new Tensor(fedX.data.subarray(3, 4), []) }),
      ValueError,
      /'loss' overlaps that of the feed 'x'/,
    ],
    [
      'memory of a leaf',
      ({ into, w }) => ({ ...into, loss: new Tensor(w.value.data.subarray(5), []) }),
      ValueError,
      /'loss' overlaps the value of \[parameter 'w'\]/,
    ],
    [
      'the same memory in two buffer objects',
      () => {
        // A clone of a SharedArrayBuffer is another object for the same memory.
        const clone = structuredClone(shared);
        return {
          loss: new Tensor(new Float32Array(clone, 28, 1), []),
          prediction: new Tensor(new Float32Array(shared, 0, 8), [4, 2]),
        };
      },
      ValueError,
      /overlaps/,
    ],
  ])('refuses %s, and changes nothing', (_what, make, kind, message) => {
    const of = setUp();
    const before = bytes(of.w.value);
    const into = make(of) as never;
    const error = errorOf(() => of.program.run({ ...batch(4), x: fedX }, { into }));
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toMatch(message);
    expect(bytes(of.w.value)).toEqual(before);
    expect(of.program.runs).toBe(0);
    of.program.run({ ...batch(4), x: fedX });
  });

  it('refuses a getter that returns another value at the second reading', () => {
    const { program, into } = setUp();
    const values = [into.loss, undefined];
    const changing = Object.defineProperty({ prediction: into.prediction }, 'loss', {
      enumerable: true,
      get: () => values.shift(),
    });
    expect(() => program.run(batch(4), { into: changing as never })).toThrow(
      "into: 'loss' changed while the run was prepared",
    );
  });

  it('refuses exactly the runs in which an output overlaps a feed or another output', () => {
    const [feeds, outputs] = [3, 5];
    const names = (letter: string, count: number) =>
      Array.from({ length: count }, (_, i) => `${letter}${i}`);
    const inputs = names('x', feeds).map((name) => input(name, ['n']));
    const total = inputs.reduce<Node>((a, b) => add(a, b), constant(0));
    const program = compile({
      outputs: Object.fromEntries(names('y', outputs).map((name, i) => [name, mul(total, i + 1)])),
    });
    const memory = new Float32Array(60);
    const random = randomTensor([400, feeds + outputs], 7, 0, 57).data.map(Math.floor);
    let refused = 0;
    for (let trial = 0; trial < 400; trial++) {
      const length = trial % 3;
      const starts = [
        ...random.subarray(trial * (feeds + outputs), (trial + 1) * (feeds + outputs)),
      ];
      const tensors = starts.map((at) => new Tensor(memory.subarray(at, at + length), [length]));
      const overlap = starts.some((a, i) =>
        starts.some((b, j) => i !== j && Math.max(i, j) >= feeds && Math.abs(a - b) < length),
      );
      const named = (letter: string, from: number, count: number) =>
        Object.fromEntries(names(letter, count).map((name, i) => [name, tensors[from + i]]));
      const run = () =>
        program.run(named('x', 0, feeds) as Feeds, { into: named('y', feeds, outputs) as never });
      if (overlap) expect(run).toThrow(/overlaps/);
      else expect(run).not.toThrow();
      refused += overlap ? 1 : 0;
    }
    expect(refused).toBeGreaterThan(50);
    expect(refused).toBeLessThan(350);
  });
  const fedX = batch(4).x;

  it('is not written by a run whose updates are not finite', () => {
    const x = input('x', [2]);
    const w = state('w', [1, 1]);
    const y = add(x, 1);
    const program = compile({ outputs: { y }, updates: [[w, div(w, x)]] });
    const into = { y: tensor([-7, -7]) };
    const options = { into, checkFinite: true };
    expect(errorOf(() => program.run({ x: [1, 0] }, options))).toBeInstanceOf(NumericError);
    expect([into.y.toArray(), w.value.toArray()]).toEqual([
      [-7, -7],
      [1, 1],
    ]);
    program.run({ x: [1, 2] }, options);
    expect([into.y.toArray(), w.value.toArray()]).toEqual([
      [2, 3],
      [1, 0.5],
    ]);
  });

  it('of memory that was transferred away is refused', () => {
    const { program, into } = setUp();
    structuredClone(into.loss.data, { transfer: [into.loss.data.buffer as ArrayBuffer] });
    expect(errorOf(() => program.run(batch(4), { into })).message).toMatch(
      /into: 'loss' .*transferred away or resized/,
    );
  });
});
