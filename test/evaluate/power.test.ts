/**
 * Tests the derivatives of pow where the power, or a factor of a derivative, is constant: for the exponents 0, 1 and 2,
 * and for the base 0, among others.
 */
import { describe, expect, it } from 'vitest';
import {
  add,
  backward,
  compile,
  evaluate,
  type Node,
  parameter,
  pow,
  sub,
  tensor,
  type Variable,
} from '../../src/index.js';

const scalar = (name: string, value: number): Variable =>
  parameter(name, tensor(value, { dtype: 'float64' }));

/** Returns the derivative of a node with respect to a leaf. */
const derivative = (node: Node, leaf: Variable): Node => backward(node).of(leaf);

function bothExecutors(nodes: readonly Node[]): number[] {
  const outputs = Object.fromEntries(nodes.map((node, i) => [`d${i}`, node]));
  const interpreted = Object.values(evaluate(outputs)).map((value) => value.item());
  const compiled = Object.values(compile({ outputs }).run()).map((value) => value.item());
  // Adding 0 turns -0 into 0, because the executors may give different signs to a derivative that is zero.
  expect(compiled.map((value) => value + 0)).toEqual(interpreted.map((value) => value + 0));
  return interpreted.map((value) => value + 0);
}

describe('derivatives of base^exponent with respect to the base, of orders 1 to 3', () => {
  // PyTorch 2.15 has computed these derivatives in float64. At 0^0, PyTorch gives NaN if the exponent is a tensor. The
  // derivatives of the constant function 1 are expected instead.
  const cases = [
    [0, 0, [0, 0, 0]],
    [0, 1, [1, 0, 0]],
    [0, 2, [0, 2, 0]],
    [0, 3, [0, 0, 6]],
    [0, -1, [-Infinity, Infinity, -Infinity]],
    [2, 0, [0, 0, 0]],
    [2, 1, [1, 0, 0]],
    [2, 2, [4, 2, 0]],
    [2, -1, [-0.25, 0.25, -0.375]],
    [-1.5, 0, [0, 0, 0]],
    [-1.5, 1, [1, 0, 0]],
    [-1.5, 2, [-3, 2, 0]],
    [-1.5, 3, [6.75, -9, 6]],
    [NaN, 0, [0, 0, 0]],
    [Infinity, 0, [0, 0, 0]],
    [1e-310, 0, [0, 0, 0]],
  ] as const;

  for (const [form, exponentOf] of [
    ['a number', (value: number) => value],
    ['a node', (value: number) => scalar('exponent', value)],
  ] as const) {
    it.each(cases)(`%d^%d with ${form} as the exponent`, (at, exponent, expected) => {
      const base = scalar('base', at);
      const first = derivative(pow(base, exponentOf(exponent)), base);
      const second = derivative(first, base);
      const third = derivative(second, base);
      expect(bothExecutors([first, second, third])).toEqual(expected);
    });
  }
});

describe('derivatives of base^exponent with respect to the exponent, and mixed ones', () => {
  const names = ['e', 'be', 'eb', 'ee', 'bbe', 'bee', 'eee'] as const;
  // PyTorch 2.15 has computed these derivatives in float64. The letters are read from the left: 'eb' is d/de, and then
  // d/db of the result. At 2^2, the function is smooth in both variables.
  const log2 = Math.LN2;
  const cases: [number, number, Partial<Record<(typeof names)[number], number>>][] = [
    [
      2,
      2,
      {
        e: 4 * log2,
        be: 2 + 4 * log2,
        eb: 2 + 4 * log2,
        ee: 4 * log2 ** 2,
        bbe: 3 + 2 * log2,
        bee: 4.694400777912587,
        eee: 4 * log2 ** 3,
      },
    ],
    [0, 0, { e: 0, be: 0, ee: 0, bbe: 0, eee: 0 }],
    [0, 1, { e: 0, be: 1, ee: 0, bbe: 0, eee: 0 }],
    [Infinity, 0, { be: 0 }],
    [1e-100, 0, { be: 0 }],
    [0, 2, { e: 0, be: 0, ee: 0, bbe: 3, eee: 0 }],
    // With e = 0 and e = 1, a derivative of order 1 or 2 for the base is 0, but its derivative for the exponent is not.
    // PyTorch gives 0 for it. These values follow from b^(e - 1) (1 + e log b) and its derivatives.
    [
      2,
      0,
      { e: log2, be: 1 / 2, eb: 1 / 2, ee: log2 ** 2, eee: log2 ** 3, bbe: -1 / 4, bee: log2 },
    ],
    [2, 1, { e: 2 * log2, be: 1 + log2, ee: 2 * log2 ** 2, eee: 2 * log2 ** 3, bbe: 1 / 2 }],
  ];

  it.each(cases)('%d^%d', (at, power, expected) => {
    const base = scalar('base', at);
    const exponent = scalar('exponent', power);
    const leaves = { b: base, e: exponent };
    const along = (path: string): Node =>
      [...path].reduce<Node>(
        (node, letter) => derivative(node, leaves[letter as 'b' | 'e']),
        pow(base, exponent),
      );
    const wanted = Object.keys(expected);
    const found = bothExecutors(wanted.map(along));
    wanted.forEach((path, i) => {
      expect(found[i], path).toBeCloseTo(expected[path as (typeof names)[number]] as number, 12);
    });
  });
});

describe('derivatives of powers whose exponent is computed from their base, of orders 1 to 4', () => {
  // The Taylor series of exp(e log b) at the point give these values.
  const log3 = Math.log(3);
  it.each<[string, number, (x: Node) => Node, number[]]>([
    ['x^x', 1, (x) => pow(x, x), [1, 2, 3, 8]],
    ['(1 + x)^x', 0, (x) => pow(add(x, 1), x), [0, 2, -3, 20]],
    [
      '(2 + x)^(x - 1)',
      1,
      (x) => pow(add(x, 2), sub(x, 1)),
      [
        log3,
        log3 ** 2 + 2 / 3,
        log3 ** 3 + 2 * log3 - 1 / 3,
        log3 ** 4 + 4 * log3 ** 2 - (4 / 3) * log3 + 44 / 27,
      ],
    ],
  ])('%s at %d', (_, at, build, expected) => {
    const x = scalar('x', at);
    const derivatives: Node[] = [];
    for (let node = build(x); derivatives.length < expected.length; ) {
      node = derivative(node, x);
      derivatives.push(node);
    }
    const outputs = Object.fromEntries(derivatives.map((node, i) => [`order ${i + 1}`, node]));
    for (const values of [evaluate(outputs), compile({ outputs }).run()])
      expected.forEach((value, i) => {
        const order = `order ${i + 1}`;
        expect(values[order]?.item(), order).toBeCloseTo(value, 11);
      });
  });
});
