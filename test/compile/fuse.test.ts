// Tests the compiler pass "fuse", which turns values into fused loops.
import { describe, expect, it } from 'vitest';
import {
  adam,
  add,
  addN,
  exp,
  input,
  matmul,
  mse,
  mul,
  neg,
  sgd,
  square,
  state,
  sub,
  sum,
  tanh,
} from '../../src/index.js';
import { fused, schedule, weight } from './support.js';

const x = input('x', [4, 3]);
const w = weight('w', [3, 5]);

describe('fused loops', () => {
  it('compute a chain, its broadcasts and its final sum in one loop', () => {
    const bias = weight('b', [3]);
    expect(schedule(fused([sum(square(tanh(add(x, bias))))]))).toMatchInlineSnapshot(`
      "
      loop [4, 3]: load r0 r1; r2 = add r0 r1; r3 = tanh r2; r4 = square r3; sum r4
      "
    `);
  });

  it('store values that are outputs, or that a product reads', () => {
    const h = tanh(x);
    expect(schedule(fused([exp(h), matmul(h, w)]))).toMatchInlineSnapshot(`
      "
      loop [4, 3]: load r0; r1 = tanh r0; r2 = exp r1; store r1; store r2
      product [4, 5]
      "
    `);
  });

  it('compute cheap values again instead of storing them', () => {
    const h = tanh(x);
    const slope = sub(1, square(h));
    const g = matmul(matmul(h, w), w, { transposeB: true });
    expect(schedule(fused([mul(g, slope)]))).toMatchInlineSnapshot(`
      "
      loop [4, 3]: load r0; r1 = tanh r0; store r1
      product [4, 5]
      product [4, 3]
      loop [4, 3]: load r0 r1 r2; r3 = square r2; r4 = sub r1 r3; r5 = mul r0 r4; store r5
      "
    `);
  });

  it('combine a multiplication and an addition into one operation', () => {
    expect(
      schedule(fused([add(mul(x, x), exp(x)), sub(mul(x, 2), neg(x))])),
    ).toMatchInlineSnapshot(`
      "
      loop [4, 3]: load r0 r1; r2 = exp r0; r3 = fma r0 r0 r2; r4 = neg r0; r5 = fms r0 r1 r4; store r3; store r5
      "
    `);
  });

  it('read a value once for several results of one grade', () => {
    const y = matmul(x, w);
    expect(schedule(fused([tanh(y), exp(y)]))).toMatchInlineSnapshot(`
      "
      product [4, 5]
      loop [4, 5]: load r0; r1 = tanh r0; r2 = exp r0; store r1; store r2
      "
    `);
  });

  it('add many terms a few at a time', () => {
    const terms = Array.from({ length: 20 }, (_, i) => matmul(x, weight(`w${i}`, [3, 3])));
    const passes = fused([exp(addN(terms.map((term) => tanh(term))))]);
    expect(passes.fired.get('fuse: long sum')).toBe(1);
  });
});

describe('updates', () => {
  it('computes the values that are used only to update leaves in one group, which writes the leaves', () => {
    const loss = mse(matmul(x, w), input('y', [4, 5]));
    const b = weight('b', [5]);
    const both = mse(add(matmul(x, w), b), input('y', [4, 5]));
    expect(schedule(fused([], sgd(loss, [w], { rate: 0.1 })))).toMatchInlineSnapshot(`
      "
      product [4, 5]
      loop [4, 5]: load r0 r1 r2; r3 = sub r0 r1; r4 = mul r2 r3; store r4
      product [3, 5]
      loop [3, 5]: load r0 r1 r2; r3 = fnma r1 r2 r0; write r3
      "
    `);
    expect(schedule(fused([], adam(both, [w, b])))).toMatchInlineSnapshot(`
      "
      loop []: load r0 r1 r2 r3 r4; r5 = add r0 r1; r6 = pow r2 r5; r7 = sub r1 r6; r8 = div r3 r7; r9 = float32 r8; r10 = pow r4 r5; r11 = sub r1 r10; r12 = sqrt r11; r13 = div r1 r12; r14 = float32 r13; store r5; store r9; store r14
      product [4, 5]
      loop [4, 5]: load r0 r1 r2 r3; r4 = add r0 r1; r5 = sub r4 r2; r6 = mul r3 r5; store r6
      product [3, 5]
      columnSum [5]
      loop [3, 5] [5]: load r0 r1 r2 r3 r4 r5 r6 r7 r8 r9 r10 r11 r12; r13 = mul r0 r1; r14 = fma r2 r3 r13; r15 = abs r14; r16 = greater r4 r15; r17 = where r16 r5 r14; r18 = square r0; r19 = mul r18 r6; r20 = fma r7 r8 r19; r21 = abs r20; r22 = greater r4 r21; r23 = where r22 r5 r20; r24 = sqrt r23; r25 = fma r24 r9 r11; r26 = div r10 r25; r27 = fnma r26 r17 r12; write r17; write r23; write r27
      "
    `);
  });

  it('copies the old value of a leaf that becomes the value of another leaf', () => {
    const [a, b] = [state('a', [1, 2]), state('b', [3, 4])];
    expect(
      schedule(
        fused(
          [],
          [
            [a, b],
            [b, a],
          ],
        ),
      ),
    ).toMatchInlineSnapshot(`
      "
      loop [2] [2]: load r0; store r0
      "
    `);
  });
});
