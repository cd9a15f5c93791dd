// Tests that a proxy of a variable, an input or a program is refused with a typed error. `instanceof` accepts such a
// proxy, but its private fields cannot be read.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as fb from '../../src/index.js';

const x = fb.input('x', ['batch', 1]);
const w = fb.parameter('w', [[2]]);
const exact = fb.parameter('exact', fb.tensor(1, { dtype: 'float64' }));
const loss = fb.mean(fb.matmul(x, w));
const training = fb.compile({ outputs: { loss }, updates: fb.sgd(loss, [w], { rate: 0.1 }) });
const asking = fb.compile({ outputs: { y: fb.matmul(x, w) } });
const file = join(tmpdir(), `forebay-proxies-${process.pid}`);
const dataset = { x: [[1]] };
const options = { epochs: 1, batchSize: 1 };

/** Returns a proxy that passes everything on to `target`. */
const proxyOf = <T extends object>(target: T): T => new Proxy(target, {});

describe('a proxy is refused with a typed error', () => {
  it.each<[string, () => unknown]>([
    ['save', () => fb.save(file, [proxyOf(w)])],
    ['save of a record', () => fb.save(file, { w: proxyOf(w) })],
    ['saveNpy', () => fb.saveNpy(file, proxyOf(w))],
    ['load', () => fb.load(new Uint8Array(), [proxyOf(w)])],
    ['compile, inputs', () => fb.compile({ inputs: { x: proxyOf(x) }, outputs: { loss } })],
    ['compile, outputs', () => fb.compile({ outputs: { w: proxyOf(w) } })],
    ['compile, updates', () => fb.compile({ outputs: {}, updates: [[proxyOf(w), w]] })],
    ['sgd', () => fb.sgd(loss, [proxyOf(w)], { rate: 0.1 })],
    ['checkGradients', () => fb.checkGradients(exact, [proxyOf(exact)])],
    ['fit', () => fb.fit(proxyOf(training), dataset, options)],
    ['predict', () => fb.predict(proxyOf(asking), dataset)],
    [
      'fit, validate',
      () =>
        fb.fit(training, dataset, { ...options, validate: { program: proxyOf(asking), dataset } }),
    ],
    ['run', () => asking.run({ x: proxyOf(fb.tensor([[1]])) })],
  ])('%s', async (_call, call) => {
    const error = await (async () => call())().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(fb.ForebayError);
    expect((error as Error).message).toMatch(
      /cannot be looked at|but received|but is|but was fed|neither/,
    );
  });
});
