// Tests the accuracy of sums and functions, shared memory, and worker threads.
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import {
  constant,
  evaluate,
  exp,
  log,
  mean,
  mul,
  type Node,
  sigmoid,
  sum,
  tanh,
  tensor,
} from '../../src/index.js';
import { generator } from '../support.js';

describe('float32 sums', () => {
  it.each([1e6, 1e6 + 1, 999_983])('over %d elements have a relative error below 1e-6', (n) => {
    const draw = generator(1);
    for (const shift of [0, 0.5, 1000]) {
      const data = Float32Array.from({ length: n }, () => draw() + shift);
      const wanted = data.reduce((total, value) => total + value, 0); // float64
      const x = constant(tensor(data));
      expect(Math.abs(evaluate(sum(x)).item() / wanted - 1)).toBeLessThan(1e-6);
      expect(Math.abs(evaluate(mean(x)).item() / (wanted / n) - 1)).toBeLessThan(1e-6);
    }
  });

  it('of many values of 0.1 do not drift, along either axis', () => {
    const x = constant(tensor(new Float32Array(2_000_000).fill(0.1), { shape: [1_000_000, 2] }));
    const wanted = Math.fround(0.1) * 1e6;
    for (const value of evaluate(sum(x, 0)).data)
      expect(Math.abs(value / wanted - 1)).toBeLessThan(1e-6);
    const wide = constant(tensor(new Float32Array(2_000_000).fill(0.1), { shape: [2, 1_000_000] }));
    for (const value of evaluate(sum(wide, 1)).data)
      expect(Math.abs(value / wanted - 1)).toBeLessThan(1e-6);
  });
});

/** Returns the difference between `value` and a more precise number, in units of the last place (ulp) of a float32. */
function ulps(value: number, wanted: number): number {
  const near = Math.fround(wanted);
  if (Object.is(value, near)) return 0;
  const exponent = Math.max(-126, Math.floor(Math.log2(Math.abs(wanted) || Number.MIN_VALUE)));
  return Math.abs(value - wanted) / 2 ** (exponent - 23);
}

describe('float32 functions are within 2.5 ulp of the float64 result', () => {
  const draw = generator(2);
  const spread = (low: number, high: number) =>
    Array.from({ length: 20_000 }, () => low + (high - low) * draw());
  const tiny = Array.from({ length: 2000 }, () => (draw() - 0.5) * 2 ** (-140 * draw()));
  it.each<[string, (x: Node) => Node, (x: number) => number, number[]]>([
    ['exp', exp, Math.exp, [...spread(-104, 88.72), ...tiny]],
    ['tanh', tanh, Math.tanh, [...spread(-10, 10), ...tiny]],
    ['sigmoid', sigmoid, (x) => 1 / (1 + Math.exp(-x)), [...spread(-88, 88), ...tiny]],
    ['log', log, Math.log, [...spread(0, 10), ...spread(0.9, 1.1), ...tiny.map(Math.abs)]],
  ])('%s', (_name, op, wanted, at) => {
    const data = Float32Array.from(at);
    const found = evaluate(op(constant(tensor(data)))).data;
    let worst = [0, 0];
    data.forEach((x, i) => {
      const off = ulps(found[i] as number, wanted(x));
      if (!(off <= (worst[0] as number))) worst = [off, x];
    });
    expect(worst[0], `at ${worst[1]}`).toBeLessThanOrEqual(2.5);
  });

  it('and exact for limits, infinities, NaN and zeros', () => {
    const of = (op: (x: Node) => Node, ...x: number[]) => [...evaluate(op(constant(x))).data];
    expect(of(exp, 88.72284, 89, -103.9, -105, 0)).toEqual([
      Math.fround(Math.exp(Math.fround(88.72284))),
      Infinity,
      2 ** -149,
      0,
      1,
    ]);
    expect(of(log, 0, -1, 1, Infinity, 2 ** -149)).toEqual([
      -Infinity,
      NaN,
      0,
      Infinity,
      Math.fround(Math.log(2 ** -149)),
    ]);
    expect(of(tanh, 20, -20, -0)).toEqual([1, -1, -0]);
    expect(of(sigmoid, 200, -200, 0)).toEqual([1, 0, 0.5]);
  });
});

describe('float64 functions', () => {
  it.each<[string, (x: Node) => Node, (x: number) => number]>([
    ['exp', exp, Math.exp],
    ['tanh', tanh, Math.tanh],
    ['log', (x) => log(exp(x)), (x) => x],
  ])('%s agrees with Math', (_name, op, wanted) => {
    const at = Float64Array.from({ length: 2001 }, (_, i) => (i - 1000) / 60);
    evaluate(op(constant(tensor(at)))).data.forEach((value, i) => {
      const x = wanted(at[i] as number);
      expect(Math.abs(value - x)).toBeLessThan(4e-16 * Math.max(1, Math.abs(x)));
    });
  });
});

describe('memory that threads share', () => {
  it('is read without a copy', () => {
    const shared = new Float32Array(new SharedArrayBuffer(4000)).fill(0.5);
    expect(evaluate(sum(mul(constant(tensor(shared)), 2))).item()).toBe(1000);
  });

  it('can be used by three workers that load the addon at once, compute the same and end', async () => {
    const script = `
      const { workerData, parentPort } = require('node:worker_threads');
      import(workerData).then((fb) => {
        const x = fb.parameter('x', fb.tensor(Float64Array.from({ length: 900 }, (_, i) => Math.sin(i)), { shape: [30, 30] }));
        let y = x;
        for (let i = 0; i < 50; i++) y = fb.tanh(fb.matmul(y, x));
        const loss = fb.sum(fb.square(fb.add(y, fb.randomNormal([30, 30], { seed: 1, dtype: 'float64' }))));
        const { data } = fb.evaluate(fb.backward(loss).of(x));
        parentPort.postMessage([...data]);
      });
    `;
    const built = new URL('../../dist/index.js', import.meta.url).href;
    for (let round = 0; round < 2; round++) {
      const results = await Promise.all(
        [1, 2, 3].map(
          () =>
            new Promise<number[]>((done, fail) => {
              const worker = new Worker(script, { eval: true, workerData: built });
              let result: number[] = [];
              worker.on('message', (message) => {
                result = message;
              });
              worker.on('error', fail);
              worker.on('exit', (code) =>
                code === 0 ? done(result) : fail(new Error(`exit ${code}`)),
              );
            }),
        ),
      );
      expect(results[0]).toHaveLength(900);
      expect(results[0]?.every(Number.isFinite)).toBe(true);
      expect(results[1]).toEqual(results[0]);
      expect(results[2]).toEqual(results[0]);
    }
  });

  it('a worker that is terminated during a computation does not affect other threads', async () => {
    const script = `
      const { workerData, parentPort } = require('node:worker_threads');
      import(workerData).then((fb) => {
        const x = fb.parameter('x', fb.Tensor.full([200, 200], 0.001));
        parentPort.postMessage('busy');
        for (;;) fb.evaluate(fb.matmul(x, x));
      });
    `;
    const worker = new Worker(script, {
      eval: true,
      workerData: new URL('../../dist/index.js', import.meta.url).href,
    });
    await new Promise((done) => worker.once('message', done));
    await new Promise((done) => setTimeout(done, 20));
    expect(await worker.terminate()).toBe(1);
    expect(evaluate(sum(constant([1, 2, 3]))).item()).toBe(6);
  });
});
