import { describe, expect, it } from 'vitest';
import { version } from '../../src/arguments/version.js';
import { NativeError } from '../../src/index.js';
import { type Description, load, verify } from '../../src/native/addon.js';
import { nativeInfo } from '../../src/native/info.js';
import { abi, expectedKernels } from '../../src/native/table.js';
import { errorOf } from '../support.js';
import { child } from './child.js';

const real = load().description;
const choice = { file: '/somewhere/forebay.node', by: 'prebuilt' } as const;
const remedy = '"npx forebay build" compiles it on this machine';
type Kernels = Description['kernels'];
const doctored = (change: (kernels: Kernels) => Kernels): Description => ({
  ...real,
  kernels: change(real.kernels),
});
const withRoutines = (
  change: (routines: Description['routines']) => Description['routines'],
): Description => ({ ...real, routines: change(real.routines) });

describe('the handshake', () => {
  it('accepts the built addon, and an addon with additional kernels', () => {
    verify(real, choice);
    verify(
      doctored((kernels) => [
        ...kernels,
        { family: 'map', name: 'of tomorrow', arity: 9, dtypes: [], cheap: [], form: 'plain' },
      ]),
      choice,
    );
    verify(
      doctored((kernels) => [...kernels].reverse()),
      choice,
    );
  });

  it.each<[string, Description, string]>([
    [
      'another ABI',
      { ...real, abi: abi + 1 },
      `it is of version ${version} and speaks ABI ${abi + 1}, but forebay ${version} needs ABI ${abi}`,
    ],
    [
      'another version',
      { ...real, version: '0.0.9' },
      `it is of version 0.0.9, but this is forebay ${version}`,
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
    [
      'a routine fewer',
      withRoutines((all) => all.filter(({ name }) => name !== 'gather')),
      "it lacks the routine 'gather'",
    ],
    [
      'a routine with other operands',
      withRoutines((all) => all.map((row) => (row.name === 'sort' ? { ...row, reads: 2 } : row))),
      "its routine 'sort' has 2 reads, not 1",
    ],
    [
      'a routine without a dtype',
      withRoutines((all) =>
        all.map((row) => (row.name === 'topK' ? { ...row, dtypes: ['float32'] } : row)),
      ),
      "its routine 'topK' lacks float64 and int32",
    ],
  ])('names what is wrong with a stale binary: %s', (_what, description, message) => {
    const error = errorOf(() => verify(description, choice));
    expect(error).toBeInstanceOf(NativeError);
    expect(error.message).toBe(
      `forebay's native addon /somewhere/forebay.node is stale: ${message}; install forebay again; or ${remedy}`,
    );
  });

  it.each(expectedKernels.map((row) => [`${row.family} ${row.name}`, row] as const))(
    'notices that %s is missing',
    (_title, { family, name }) => {
      const without = doctored((all) =>
        all.filter((row) => row.family !== family || row.name !== name),
      );
      expect(() => verify(without, choice)).toThrow(`it lacks the ${family} kernel '${name}'`);
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
      expect(found[2]).toEqual(portable[2]); // a random draw gives the same bits with every instruction set
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

describe("import 'forebay'", () => {
  it('loads no native code and prints nothing', () => {
    const script = `console.log(Object.keys(createRequire(root).cache ?? {}).filter((f) => f.endsWith('.node')).length, process.report.getReport().sharedObjects.some((f) => f.includes('forebay.node')))`;
    expect(child(script)).toEqual({ status: 0, signal: null, stdout: '0 false\n', stderr: '' });
  });
});
