// Calls the addon directly with wrong arguments. Each call must throw an error, and must not crash or write outside the
// arrays. The C++ tests do the same under sanitizers. These tests cover all kinds of values that JavaScript can pass.
import { describe, expect, it } from 'vitest';
import { kernelId, load } from '../../src/native/addon.js';
import { child } from './child.js';

const { addon } = load();
const f32 = (n: number) => new Float32Array(n);
const geometry = (...numbers: number[]) => Float64Array.from(numbers);
const any = addon as unknown as Record<string, (...given: unknown[]) => unknown>;

describe('a call with wrong arguments is refused with a message', () => {
  const add = kernelId('map', 'add');
  const [copy, sum, normal] = [
    kernelId('map', 'copy'),
    kernelId('reduce', 'sum'),
    kernelId('random', 'normal'),
  ];
  // A geometry is a list of numbers: the rank, the sizes, and then an offset and strides for the output and for each
  // input.
  const two = geometry(1, 2, 0, 1, 0, 1, 0, 1);
  const plain = [0, 0, 0];
  const gemm = (m: number, n: number, k: number, rest = [k, n, n, ...plain]) =>
    geometry(0, m, n, k, 0, 0, ...rest);

  it.each<[string, string, unknown[], RegExp]>([
    ['no arguments', 'map', [], /received 0 arguments/],
    [
      'an unknown kernel',
      'map',
      [1e6, two, f32(2), f32(2), f32(2)],
      /kernel id 1000000, expected an integer from 0/,
    ],
    ['a fractional kernel id', 'map', [0.5, two, f32(2), f32(2)], /kernel id 0\.5/],
    [
      'a kernel by name',
      'map',
      ['add', two, f32(2), f32(2), f32(2)],
      /the kernel's id\) is not a number/,
    ],
    [
      'a kernel of another family',
      'map',
      [sum, two, f32(2), f32(2), f32(2)],
      /kernel 'sum' is of family reduce/,
    ],
    [
      'too few inputs',
      'map',
      [add, two, f32(2), f32(2)],
      /kernel 'add' takes 2 inputs, received 1/,
    ],
    [
      'too many inputs',
      'map',
      [add, two, f32(2), f32(2), f32(2), f32(2), f32(2), f32(2)],
      /kernel 'add' takes 2 inputs, received 5/,
    ],
    [
      'plain arrays',
      'map',
      [copy, two, [1, 2], [1, 2]],
      /is not a Float32Array, Float64Array, Int32Array or Uint8Array/,
    ],
    ['words', 'map', [copy, two, f32(2), new Uint16Array(8)], /is not a Float32Array/],
    [
      'a DataView',
      'map',
      [copy, two, f32(2), new DataView(new ArrayBuffer(8))],
      /is not a Float32Array/,
    ],
    [
      'two dtypes',
      'map',
      [add, two, f32(2), f32(2), new Float64Array(2)],
      /input 1 of 'add' is float64, expected float32/,
    ],
    [
      'an output of another dtype',
      'map',
      [copy, geometry(1, 2, 0, 1, 0, 1), new Float64Array(2), f32(2)],
      /the output of .* is float64, expected float32/,
    ],
    [
      'a dtype that the kernel lacks',
      'map',
      [add, two, new Int32Array(2), new Int32Array(2), new Int32Array(2)],
      /'add' does not exist for int32/,
    ],
    [
      'a geometry of floats',
      'map',
      [add, f32(8), f32(2), f32(2), f32(2)],
      /the geometry\) is not a Float64Array/,
    ],
    [
      'a geometry that ends early',
      'map',
      [add, geometry(1, 2, 0, 1), f32(2), f32(2), f32(2)],
      /the geometry ends/,
    ],
    [
      'a geometry that is too long',
      'map',
      [add, geometry(...two, 0), f32(2), f32(2), f32(2)],
      /has 9 numbers, expected 8/,
    ],
    [
      'an empty geometry',
      'map',
      [add, geometry(), f32(2), f32(2), f32(2)],
      /the geometry ends at number 0/,
    ],
    [
      'a rank beyond the limit',
      'map',
      [add, geometry(33), f32(2), f32(2), f32(2)],
      /\(the rank\) is 33, expected an integer from 0 to 32/,
    ],
    [
      'a negative size',
      'map',
      [copy, geometry(1, -1, 0, 1, 0, 1), f32(2), f32(2)],
      /\(a size\) is -1/,
    ],
    [
      'a size that is NaN',
      'map',
      [copy, geometry(1, NaN, 0, 1, 0, 1), f32(2), f32(2)],
      /\(a size\) is nan/i,
    ],
    [
      'an infinite size',
      'map',
      [copy, geometry(1, Infinity, 0, 1, 0, 1), f32(2), f32(2)],
      /\(a size\) is inf/i,
    ],
    [
      'sizes whose product overflows',
      'map',
      [copy, geometry(3, 2 ** 40, 2 ** 40, 2 ** 40, 0, 0, 0, 1, 0, 0, 0, 1), f32(2), f32(2)],
      /more than 2\^53 - 1 elements/,
    ],
    [
      'a stride that overflows',
      'map',
      [copy, geometry(1, 3, 0, 2 ** 53 - 1, 0, 1), f32(3), f32(3)],
      /output .* reaches beyond its array, which has 3 elements/,
    ],
    [
      'one element too many',
      'map',
      [copy, geometry(1, 3, 0, 1, 0, 1), f32(3), f32(2)],
      /input 0 .* reaches beyond its array, which has 2 elements/,
    ],
    [
      'an offset beyond the end',
      'map',
      [copy, geometry(1, 1, 3, 1, 0, 1), f32(3), f32(1)],
      /output .* reaches beyond/,
    ],
    [
      'an input with a negative stride that reaches before the first element',
      'map',
      [copy, geometry(1, 3, 0, 1, 1, -1), f32(3), f32(3)],
      /input 0 .* reaches beyond/,
    ],
    [
      'an output with a negative stride that reaches before the first element',
      'map',
      [copy, geometry(1, 3, 1, -1, 0, 1), f32(3), f32(3)],
      /output .* reaches beyond/,
    ],
    [
      'a negative stride of a reduction',
      'reduce',
      [sum, geometry(0, 1, 3, 0, 2, -1), f32(1), f32(3)],
      /\(a stride\) is -1/,
    ],
    [
      'an output with stride 0',
      'map',
      [copy, geometry(1, 2, 0, 0, 0, 1), f32(2), f32(2)],
      /writes one element more than once/,
    ],
    [
      'a reduction beyond its input',
      'reduce',
      [sum, geometry(0, 1, 5, 0, 0, 1), f32(1), f32(4)],
      /reaches beyond/,
    ],
    [
      'a reduction into nothing',
      'reduce',
      [sum, geometry(0, 1, 4, 0, 0, 1), f32(0), f32(4)],
      /output .* reaches beyond/,
    ],
    [
      'a product beyond A',
      'product',
      [gemm(2, 2, 3), 1, 0, f32(4), f32(5), f32(6)],
      /a .* reaches beyond its array, which has 5 elements/,
    ],
    [
      'a product beyond C',
      'product',
      [gemm(2, 2, 3), 1, 0, f32(3), f32(6), f32(6)],
      /the output .* reaches beyond/,
    ],
    [
      'a product with a size that int cannot hold',
      'product',
      [gemm(2 ** 31, 1, 1), 1, 0, f32(1), f32(1), f32(1)],
      /\(m, n or k\) is 2147483648, expected an integer from 0 to 2147483647/,
    ],
    [
      'a leading dimension below the number of columns',
      'product',
      [gemm(2, 2, 3, [2, 2, 2, ...plain]), 1, 0, f32(4), f32(6), f32(6)],
      /leading dimension of a is 2, expected at least its 3 columns/,
    ],
    [
      'a transpose flag of 2',
      'product',
      [geometry(0, 1, 1, 1, 2, 0, 1, 1, 1, ...plain), 1, 0, f32(1), f32(1), f32(1)],
      /\(a transpose flag\) is 2/,
    ],
    [
      'a product of integers',
      'product',
      [gemm(1, 1, 1), 1, 0, new Int32Array(1), new Int32Array(1), new Int32Array(1)],
      /does not exist for int32/,
    ],
    [
      'a product of two dtypes',
      'product',
      [gemm(1, 1, 1), 1, 0, f32(1), f32(1), new Float64Array(1)],
      /dtypes differ/,
    ],
    [
      'alpha that is not a number',
      'product',
      [gemm(1, 1, 1), '1', 0, f32(1), f32(1), f32(1)],
      /\(alpha\) is not a number/,
    ],
    [
      'a seed below 0',
      'random',
      [normal, -1, 0, f32(1)],
      /the seed is -1, expected an integer from 0 to 2\^53 - 1/,
    ],
    ['a fractional run', 'random', [normal, 0, 0.5, f32(1)], /the run is 0\.5/],
    ['random integers', 'random', [normal, 0, 0, new Int32Array(1)], /does not exist for int32/],
    ['a draw by another family', 'random', [sum, 0, 0, f32(1)], /is of family reduce/],
  ])('%s', (_what, entry, given, message) => {
    expect(() => any[entry]?.(...given)).toThrow(message);
  });

  it('throws an error with a code, and does not write the output', () => {
    const out = f32(2).fill(7);
    expect(() => any.map?.(copy, geometry(1, 3, 0, 1, 0, 1), out, f32(3))).toThrow(
      expect.objectContaining({ code: 'FOREBAY_NATIVE_ARGUMENT' }),
    );
    expect([...out]).toEqual([7, 7]);
  });

  it('a detached array is refused, because it has no elements', () => {
    const gone = f32(2);
    structuredClone(gone, { transfer: [gone.buffer] });
    expect(() => any.map?.(copy, geometry(1, 2, 0, 1, 0, 1), f32(2), gone)).toThrow(
      /which has 0 elements/,
    );
    expect(() => any.map?.(copy, gone, f32(2), f32(2))).toThrow(/is not a Float64Array/);
  });
});

describe('thousands of random calls', () => {
  it('return a result or throw an error, never crash, and write only inside the output', () => {
    const script = `
      const native = addon();
      const { kernels, routines } = native.describe();
      let state = Number(process.env.FUZZ_SEED);
      const random = () => { // mulberry32
        state = (state + 0x6d2b79f5) >>> 0;
        let t = Math.imul(state ^ (state >>> 15), 1 | state);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
      };
      const pick = (list) => list[Math.floor(random() * list.length)];
      const small = () => Math.floor(random() * 6);
      const wild = [0, 1, 2, 3, 31, 32, 33, -1, 0.5, NaN, Infinity, -Infinity, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 63, 2 ** 64, 1e300, -1e300];
      const number = () => (random() < 0.9 ? small() : random() < 0.3 ? -small() : pick(wild));
      // Returns a size for a loop. It may be an invalid size, but not a valid size for which the loop would take too
      // long.
      const size = () => (random() < 0.95 ? small() : pick(wild.filter((n) => !(n > 33 && n < 2 ** 53))));
      // Each array is the middle of a larger one, whose margins must not change.
      const margins = [];
      const types = [Float32Array, Float64Array, Int32Array];
      let type;
      const array = () => {
        const T = random() < 0.95 ? type : pick([...types, Uint8Array, BigInt64Array]);
        const length = pick([0, 1, 5, 40, 200]);
        if (T === BigInt64Array) return new T(length);
        const whole = new T(new (random() < 0.3 ? SharedArrayBuffer : ArrayBuffer)((length + 64) * T.BYTES_PER_ELEMENT)).fill(99);
        margins.push([whole, length]);
        return whole.subarray(32, 32 + length);
      };
      const odd = () => pick([undefined, null, 'x', {}, [], 1, 1n, () => {}, Symbol(), new Proxy([], {}), new ArrayBuffer(8), new DataView(new ArrayBuffer(8))]);
      const maybe = (value) => (random() < 0.02 ? odd() : value);
      const counts = { fine: 0, routines: 0, refused: 0, other: 0 };
      const view = (rank) => [random() < 0.8 ? 0 : number(), ...Array.from({ length: rank }, number)];
      for (let i = 0; i < 40000; i++) {
        margins.length = 0;
        type = pick(types);
        const kernel = random() < 0.97 ? Math.floor(random() * kernels.length) : pick(wild);
        const row = kernels[kernel];
        const family = random() < 0.97 && row ? row.family : pick(['map', 'cast', 'reduce', 'product', 'random']);
        const rank = pick([0, 1, 1, 2, 2, 3, 4]);
        const sizes = Array.from({ length: rank }, family === 'map' ? number : size);
        const arity = random() < 0.97 && row ? row.arity : small();
        const inputs = Array.from({ length: arity }, () => maybe(array()));
        let call, given;
        if (random() < 0.2) {
          const routine = random() < 0.97 ? Math.floor(random() * routines.length) : pick(wild);
          const { name = '', reads = 1, writes = 1, integers = 0 } = routines[routine] ?? {};
          const arrays = Array.from({ length: reads + writes }, () => maybe(array()));
          const shape = Array.from({ length: 3 }, size);
          const isIndex = (operand) => reads > 1 ? operand === 1 : operand === 1 && /arg|topK|maxPool/.test(name);
          const dtypes = arrays.map((_, operand) => (random() < 0.03 ? small() : isIndex(operand) ? 2 : types.indexOf(type)));
          const views = arrays.flatMap((_, operand) => {
            const sizes = (random() < 0.9 ? shape : Array.from({ length: pick([1, 2, 3]) }, size)).slice(name === 'argmin' && operand > 0 ? 1 : 0);
            if (name === 'gatherSum') sizes.splice(operand === 1 ? 1 : 2, 1);
            else if (reads > 1 && operand === 1 && !name.endsWith('Axis')) sizes.splice(0, 2);
            const strides = sizes.map((_, axis) => sizes.slice(axis + 1).reduce((a, b) => a * b, 1));
            return [sizes.length, ...sizes, random() < 0.98 ? operand : number(), random() < 0.9 ? 0 : 4 * small(), ...strides.map((n) => (random() < 0.97 ? n : number()))];
          });
          const tail = Array.from({ length: integers }, () => (random() < 0.97 ? 1 : number()));
          call = 'routine';
          given = [maybe(Float64Array.from([routine, ...dtypes, ...views, ...tail])), maybe(new Float64Array(random() < 0.98 ? 5 : small())), ...arrays];
        } else if (family === 'map' || family === 'cast') {
          const geometry = [rank, ...sizes, ...view(rank), ...inputs.flatMap(() => view(rank))];
          if (random() < 0.05) geometry.splice(Math.floor(random() * geometry.length), 1);
          [call, given] = ['map', [kernel, maybe(Float64Array.from(geometry)), maybe(array()), ...inputs]];
        } else if (family === 'reduce') {
          const kept = Math.floor(random() * (rank + 1));
          const geometry = [kept, rank - kept, ...sizes, ...view(kept), ...view(rank)];
          [call, given] = ['reduce', [kernel, maybe(Float64Array.from(geometry)), maybe(array()), maybe(array())]];
        } else if (family === 'product') {
          const flag = () => (random() < 0.97 ? Math.floor(random() * 2) : number());
          const geometry = [rank, ...sizes, number(), number(), number(), flag(), flag(), number() + 3, number() + 3, number() + 3, ...view(rank), ...view(rank), ...view(rank)];
          [call, given] = ['product', [maybe(Float64Array.from(geometry)), maybe(random()), maybe(pick([0, 1, NaN])), maybe(array()), maybe(array()), maybe(array())]];
        } else {
          [call, given] = ['random', [kernel, maybe(number()), maybe(number()), maybe(array())]];
        }
        if (random() < 0.01) given.pop();
        try {
          native[call](...given);
          counts.fine++;
          if (call === 'routine') counts.routines++;
        } catch (error) {
          if (/^FOREBAY_NATIVE_(ARGUMENT|MEMORY)$/.test(error.code) && error.message.length > 10) counts.refused++;
          else { counts.other++; console.error(call, error); }
        }
        for (const [whole, length] of margins) {
          for (let m = 0; m < 32; m++) {
            if (whole[m] !== 99 || whole[32 + length + m] !== 99) throw new Error('wrote outside: ' + call + ' ' + JSON.stringify(given[0]));
          }
        }
      }
      console.log(JSON.stringify(counts));
    `;
    for (const seed of ['1', '2']) {
      const { status, signal, stdout, stderr } = child(script, { FUZZ_SEED: seed });
      expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
      const { fine, routines, refused, other } = JSON.parse(stdout);
      expect(other).toBe(0);
      expect(routines).toBeGreaterThan(500);
      expect(fine).toBeGreaterThan(3000); // without many valid calls, the test would prove nothing
      expect(refused).toBeGreaterThan(3000);
    }
  });
});
