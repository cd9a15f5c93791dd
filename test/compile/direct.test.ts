// Tests large outputs, which programs compute in the memory of the caller instead of copying them from the arena.
import { describe, expect, it } from 'vitest';
import {
  add,
  compile,
  evaluate,
  gather,
  input,
  NumericError,
  relu,
  reshape,
  state,
  Tensor,
  transpose,
  ValueError,
} from '../../src/index.js';
import { executor } from '../../src/ir/target.js';

const rows = 600;
const width = 128;
const bytes = rows * width * 4;
const x = input('x', [rows, width]);
const data = Float32Array.from({ length: rows * width }, (_, i) => Math.sin(i));
const fed = new Tensor(data, [rows, width]);
const untouched = () => Tensor.full([rows, width], 7);

function expectEqual(got: Record<string, Tensor>, expected: Record<string, Tensor>): void {
  expect(Object.keys(got)).toEqual(Object.keys(expected));
  for (const [name, { data: values }] of Object.entries(expected)) {
    expect(
      Buffer.compare(
        Buffer.from(got[name]?.data.buffer as ArrayBuffer),
        Buffer.from(values.buffer),
      ),
    ).toBe(0);
  }
}

describe(`an output of at least ${executor.memory.direct} bytes`, () => {
  it('takes no memory of the arena', () => {
    const program = compile({ outputs: { y: relu(x) } });
    expectEqual(program.run({ x: fed }), evaluate({ y: relu(x) }, { x: fed }));
    expect(program.stats().arenaBytes).toBe(0);
    const small = compile({ outputs: { y: relu(input('x', [10, width])) } });
    small.run({ x: Tensor.ones([10, width]) });
    expect(small.stats().arenaBytes).toBe(10 * width * 4);
  });

  it('is written once, even if it is read again, is an output twice or shows another output', () => {
    const y = add(x, 1);
    const outputs = {
      y,
      again: y,
      flat: reshape(y, [rows * width]),
      z: relu(y),
      turned: transpose(y),
    };
    const program = compile({ outputs });
    expectEqual(program.run({ x: fed }), evaluate(outputs, { x: fed }));
    expect(program.stats().arenaBytes).toBe(0);
  });

  it('has the old values of a state that the same run writes', () => {
    const s = state('s', untouched());
    const program = compile({ outputs: { old: add(s, 0), shown: s }, updates: [[s, add(s, x)]] });
    const { old, shown } = program.run({ x: fed });
    expect(old?.data.every((value) => value === 7)).toBe(true);
    expect(shown?.data.every((value) => value === 7)).toBe(true);
    expect(s.value.data[1]).toBeCloseTo(7 + Math.sin(1), 5);
  });

  it('keeps its old content in `into` if the run fails', () => {
    const at = input('at', ['n'], { dtype: 'int32' });
    const outputs = { before: add(x, 1), rows: gather(x, at), after: relu(x) };
    const program = compile({ outputs });
    const indices = new Tensor(
      Int32Array.from({ length: rows }, (_, i) => rows - 1 - i),
      [rows],
    );
    const into = { before: untouched(), rows: untouched(), after: untouched() };
    program.run({ x: fed, at: indices }, { into });
    expectEqual(into, evaluate(outputs, { x: fed, at: indices }));
    for (const tensor of Object.values(into)) tensor.data.fill(7);
    indices.data[rows - 1] = rows;
    expect(() => program.run({ x: fed, at: indices }, { into })).toThrow(ValueError);
    for (const tensor of Object.values(into)) {
      expect(tensor.data.every((value) => value === 7)).toBe(true);
    }
  });

  it('keeps its old content in `into` if a result is not finite', () => {
    const program = compile({ outputs: { y: add(x, 1) } });
    const into = { y: untouched() };
    const bad = new Tensor(data.slice(), [rows, width]);
    bad.data[bytes / 8] = Number.NaN;
    expect(() => program.run({ x: bad }, { into, checkFinite: true })).toThrow(NumericError);
    expect(into.y.data.every((value) => value === 7)).toBe(true);
    program.run({ x: fed }, { into, checkFinite: true });
    expectEqual(into, evaluate({ y: add(x, 1) }, { x: fed }));
  });
});
