// Running values of gradients that have become 0. Without care they decay to subnormal numbers, with which a processor
// is slow, and stay there.
import { describe, expect, it } from 'vitest';
import {
  adam,
  adamW,
  compile,
  input,
  lion,
  mul,
  optimize,
  parameter,
  type Rule,
  rmsProp,
  sgd,
  sum,
  tensor,
} from '../../src/index.js';
import { statesOf } from './problems.js';

describe('the running values of a gradient that has become 0', () => {
  const rules: [string, Rule][] = [
    ['adam', adam({ beta2: 0.9 })],
    ['adam with amsgrad', adam({ beta2: 0.9, amsgrad: true })],
    ['adamW', adamW({ beta2: 0.9 })],
    ['lion', lion({ beta2: 0.9 })],
    ['rmsProp', rmsProp({ decay: 0.9, centered: true })],
    ['sgd with momentum', sgd({ rate: 0.1, momentum: 0.9 })],
  ];
  const kinds = ['float32', 'float64'] as const;
  it.each(kinds.flatMap((dtype) => rules.map((rule) => [dtype, ...rule] as const)))(
    'become exactly 0 and are never subnormal, in %s by %s',
    (dtype, _name, rule) => {
      const smallest = dtype === 'float32' ? 2 ** -126 : 2 ** -1022;
      const w = parameter('w', tensor([1, -2], { dtype }));
      const g = input('g', [2], { dtype });
      const updates = optimize(sum(mul(w, g)), w, rule);
      const program = compile({ outputs: {}, updates });
      program.run({ g: [3, -4] });
      const decaying = () =>
        statesOf(updates)
          .filter(({ name }) => !/step|largest/.test(name as string))
          .flatMap(({ value }) => [...(value.data as Float64Array)]);
      const seen = decaying();
      expect(seen.length).toBeGreaterThan(0);
      expect(seen.every((value) => value !== 0)).toBe(true);
      // 0.9^n is less than the smallest normal number of float32 for n > 828, and of float64 for n > 6,723.
      const steps = dtype === 'float32' ? 900 : 6900;
      let between = 0;
      for (let step = 0; step < steps; step++) {
        program.run({ g: [0, 0] });
        for (const value of decaying()) {
          if (value !== 0 && Math.abs(value) < smallest) between++;
        }
      }
      expect(between).toBe(0);
      expect(decaying().every((value) => value === 0)).toBe(true);
    },
  );
});
