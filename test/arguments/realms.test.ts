// Tests that values of another realm, such as a `vm` context or the sandbox of a test runner, are accepted like values
// of this realm. Each realm has its own class Float32Array, so no check of an argument may use `instanceof`.
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import * as fb from '../../src/index.js';

const elsewhere = <T>(code: string): T => runInNewContext(code, { SharedArrayBuffer }) as T;
const floats = () => elsewhere<Float32Array>('new Float32Array([1, 2, 3, 4])');

describe('a value of another realm', () => {
  const x = fb.input('x', [4]);
  const program = fb.compile({ outputs: { y: fb.mul(x, 2) } });

  it.each<[string, string, fb.DType]>([
    ['Float32Array', 'new Float32Array([1, 2])', 'float32'],
    ['Float64Array', 'new Float64Array([1, 2])', 'float64'],
    ['Int32Array', 'new Int32Array([1, 2])', 'int32'],
    [
      'Float32Array on shared memory',
      'new Float32Array(new SharedArrayBuffer(8)).fill(1)',
      'float32',
    ],
  ])('is accepted by tensor, constant, parameter and set: %s', (_what, code, dtype) => {
    const data = elsewhere<Float32Array>(code);
    expect(data instanceof Float32Array).toBe(false);
    expect(fb.tensor(data).dtype).toBe(dtype);
    expect(new fb.Tensor(data, [2, 1]).shape).toEqual([2, 1]);
    expect(fb.constant(data).dtype).toBe(dtype);
    const parameter = fb.parameter('p', data);
    expect(parameter.dtype).toBe(dtype);
    parameter.set(elsewhere<Float32Array>(code));
    expect([...parameter.value.data]).toEqual([...data]);
  });

  it('can be fed to evaluate and to a program, as a typed array or a tensor', async () => {
    const doubled = [2, 4, 6, 8];
    expect(fb.evaluate(fb.mul(x, 2), { x: floats() }).toArray()).toEqual(doubled);
    expect(program.run({ x: floats() }).y.toArray()).toEqual(doubled);
    expect(program.run({ x: fb.tensor(floats()) }).y.toArray()).toEqual(doubled);
    expect((await program.runAsync({ x: floats() })).y.toArray()).toEqual(doubled);
  });

  it('can be the target of `into`', () => {
    const y = new fb.Tensor(elsewhere<Float32Array>('new Float32Array(4)'), [4]);
    expect(program.run({ x: [1, 2, 3, 4] }, { into: { y } }).y).toBe(y);
    expect(y.toArray()).toEqual([2, 4, 6, 8]);
  });

  it('can be so large that the addon uses its memory without a copy', () => {
    const n = 5000;
    const big = fb.input('big', [n]);
    const sum = fb.compile({ outputs: { sum: fb.add(big, 1) } });
    const data = elsewhere<Float32Array>(`new Float32Array(${n}).fill(1)`);
    const into = { sum: new fb.Tensor(elsewhere<Float32Array>(`new Float32Array(${n})`), [n]) };
    sum.run({ big: fb.tensor(data) }, { into });
    expect(into.sum.data.every((value) => value === 2)).toBe(true);
  });

  it('can be a list, a record or an options object', () => {
    const value = elsewhere<number[][]>('[[1, 2], [3, 4]]');
    expect(fb.tensor(value).toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(fb.sum(fb.constant(value), elsewhere<number[]>('[0, 1]')).shape).toEqual([]);
    expect(fb.Tensor.zeros(elsewhere<number[]>('[2, 3]')).shape).toEqual([2, 3]);
    expect(fb.input('i', elsewhere<fb.Dim[]>("['batch', 3]")).shape).toEqual(['batch', 3]);
    expect(fb.evaluate(x, elsewhere<fb.Feeds>('({ x: [1, 2, 3, 4] })')).size).toBe(4);
    const options = elsewhere<fb.ReduceOptions>('({ keepDims: true })');
    expect(fb.sum(x, 0, options).shape).toEqual([1]);
  });

  it('can be an AbortSignal', async () => {
    const { signal, abort } = elsewhere<{ signal: AbortSignal; abort: () => void }>(`
      const listeners = [];
      const signal = {
        aborted: false,
        addEventListener: (_, listener) => listeners.push(listener),
        removeEventListener: () => {},
        throwIfAborted: () => { if (signal.aborted) throw signal.reason; },
      };
      ({ signal, abort: () => { signal.aborted = true; signal.reason = 'late'; } })`);
    await program.runAsync({ x: floats() }, { signal });
    abort();
    await expect(program.runAsync({ x: floats() }, { signal })).rejects.toBe('late');
  });
});
