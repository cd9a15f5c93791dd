import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { NativeError } from '../../src/index.js';
import { type Description, load, verify } from '../../src/native/addon.js';
import { nativeInfo } from '../../src/native/info.js';
import { abi, expectedKernels } from '../../src/native/table.js';
import { errorOf } from '../support.js';
import { child } from './child.js';

const real = load().description;
const remedy = 'rebuild it with "npm rebuild forebay", or "npm run build:native" in a checkout';
type Kernels = Description['kernels'];
const doctored = (change: (kernels: Kernels) => Kernels): Description => ({
  ...real,
  kernels: change(real.kernels),
});

describe('the handshake', () => {
  it('accepts the built addon, and an addon with additional kernels', () => {
    verify(real);
    verify(
      doctored((kernels) => [
        ...kernels,
        { family: 'map', name: 'of tomorrow', arity: 9, dtypes: [] },
      ]),
    );
    verify(doctored((kernels) => [...kernels].reverse()));
  });

  it.each<[string, Description, string]>([
    [
      'another ABI',
      { ...real, abi: abi + 1 },
      `it speaks ABI ${abi + 1}, but this version needs ABI ${abi}`,
    ],
    ['no kernels', doctored(() => []), "it lacks the map kernel 'copy'"],
    [
      'a kernel fewer',
      doctored((all) => all.filter(({ name }) => name !== 'tanh')),
      "it lacks the map kernel 'tanh'",
    ],
    [
      'a kernel of another family',
      doctored((all) => all.map((row) => (row.name === 'sum' ? { ...row, family: 'map' } : row))),
      "it lacks the reduce kernel 'sum'",
    ],
    [
      'a kernel of another arity',
      doctored((all) => all.map((row) => (row.name === 'where' ? { ...row, arity: 2 } : row))),
      "its map kernel 'where' takes 2 operands, not 3",
    ],
    [
      'a kernel without a dtype',
      doctored((all) =>
        all.map((row) => (row.name === 'argmax' ? { ...row, dtypes: ['float32'] } : row)),
      ),
      "its reduce kernel 'argmax' lacks float64 and int32",
    ],
  ])('names what is wrong with a stale binary: %s', (_what, description, message) => {
    const error = errorOf(() => verify(description));
    expect(error).toBeInstanceOf(NativeError);
    expect(error.message).toBe(`forebay's native addon is stale: ${message}; ${remedy}`);
  });

  it.each(expectedKernels.map((row) => [`${row.family} ${row.name}`, row] as const))(
    'notices that %s is missing',
    (_title, { family, name }) => {
      const without = doctored((all) =>
        all.filter((row) => row.family !== family || row.name !== name),
      );
      expect(() => verify(without)).toThrow(`it lacks the ${family} kernel '${name}'`);
    },
  );
});

describe('nativeInfo', () => {
  it('names the addon, its instruction sets and its BLAS, which is limited to one thread', () => {
    const { version, simd, blas } = nativeInfo();
    expect(version).toMatch(/^\d+\.\d+\.\d+/);
    expect(simd.available).toContain('portable');
    expect(simd.available).toContain(simd.active);
    expect(blas.library).toMatch(/OpenBLAS/);
    expect(blas.threads).toBe(1);
    expect(nativeInfo().abi).toBe(abi);
  });
});

const show = `
  let shown;
  try { shown = fb.nativeInfo().simd.active; } catch (error) {
    shown = { kind: error.constructor.name, code: error.code, message: error.message, typed: error instanceof fb.NativeError };
  }
  console.log(JSON.stringify(shown));
`;

describe('FOREBAY_SIMD', () => {
  it.each([...real.simd.available])(
    '%s selects the kernels, which give the same numbers',
    (body) => {
      expect(JSON.parse(child(show, { FOREBAY_SIMD: body }).stdout)).toBe(body);
      const numbers = `
      const x = Float64Array.from({ length: 1001 }, (_, i) => i / 50 - 10);
      const { a, b, c } = fb.evaluate({ a: fb.tanh(x = fb.constant(x)), b: fb.sum(fb.exp(x)), c: fb.randomNormal([9], { seed: 1, dtype: 'float64' }) });
      console.log(JSON.stringify([a, b, c].map((t) => [...t.data])));
    `.replace('const x', 'let x');
      const [found, portable] = [body, 'portable'].map((name) =>
        JSON.parse(child(numbers, { FOREBAY_SIMD: name }).stdout),
      );
      found.flat().forEach((value: number, i: number) => {
        const wanted = portable.flat()[i];
        expect(Math.abs(value - wanted)).toBeLessThanOrEqual(1e-15 * Math.max(1, Math.abs(wanted)));
      });
      expect(found[2]).toEqual(portable[2]); // a random draw has the same bits everywhere
    },
  );

  it('with an unknown name is an error at the first native call that lists the known names', () => {
    const { stdout, status } = child(show, { FOREBAY_SIMD: 'sse9' });
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      typed: true,
      code: 'FOREBAY_NATIVE',
      message: expect.stringMatching(
        /^FOREBAY_SIMD is 'sse9': this machine can run portable.*; unset it to take the best$/,
      ),
    });
  });

  it('with a very long name overruns no buffer', () => {
    const { stdout, status } = child(show, { FOREBAY_SIMD: 'x'.repeat(10_000) });
    expect([status, JSON.parse(stdout).typed]).toEqual([0, true]);
  });
});

describe('an addon that cannot be loaded', () => {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-native-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'empty'));
  mkdirSync(join(folder, 'broken/build/Release'), { recursive: true });
  writeFileSync(join(folder, 'broken/build/Release/forebay.node'), 'this is no shared library');
  mkdirSync(join(folder, 'other/build/Release'), { recursive: true });

  it.each(['empty', 'broken', 'nowhere'])(
    '(%s) throws no error at import, but an error with the remedy at the first native call',
    (kind) => {
      const script = `
      // Everything that computes no values works: graph, gradients, drawings.
      const w = fb.parameter('w', [1, 2]);
      const loss = fb.sum(fb.square(w));
      const drawn = fb.dot([loss, fb.backward(loss).of(w)]).length > 0;
      const errors = [1, 2].map(() => { try { fb.evaluate(loss); } catch (e) { return { typed: e instanceof fb.NativeError, code: e.code, message: e.message, cause: !!e.cause }; } });
      console.log(JSON.stringify({ drawn, errors }));
    `;
      const { stdout, stderr, status } = child(script, { FOREBAY_PREBUILD: join(folder, kind) });
      expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
      const { drawn, errors } = JSON.parse(stdout);
      expect(drawn).toBe(true);
      expect(errors).toHaveLength(2);
      for (const error of errors) {
        expect(error).toMatchObject({ typed: true, code: 'FOREBAY_NATIVE', cause: true });
        expect(error.message).toMatch(
          /^(\[\w+ #\d+\] )?forebay's native addon could not be loaded from .+: .+; /,
        );
        expect(error.message).toContain(remedy);
      }
    },
  );

  it('importing forebay loads no native code and prints nothing', () => {
    const script = `console.log(Object.keys(createRequire(root).cache ?? {}).filter((f) => f.endsWith('.node')).length, process.report.getReport().sharedObjects.some((f) => f.includes('forebay.node')))`;
    expect(child(script)).toEqual({ status: 0, signal: null, stdout: '0 false\n', stderr: '' });
  });
});
