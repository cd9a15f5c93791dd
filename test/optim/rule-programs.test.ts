// The programs to which rules compile: those of updates that are written by hand.
import { describe, expect, it } from 'vitest';
import { specialise } from '../../src/compile/specialise.js';
import {
  abs,
  adam,
  adamW,
  add,
  backward,
  compile,
  div,
  greater,
  mul,
  type Node,
  optimize,
  pow,
  type Rule,
  sgd,
  sqrt,
  square,
  state,
  sub,
  Tensor,
  tensor,
  type Updates,
  type Variable,
  where,
} from '../../src/index.js';
import { dtype, feeds, type Net, netProblem } from './problems.js';

describe('programs', () => {
  it('of adam and sgd are those of updates that are written by hand', () => {
    const rate = state('rate', 0.1, { dtype });
    const byHand: [string, (loss: Node, parameters: readonly Variable[]) => Updates, Rule][] = [
      [
        'sgd',
        (loss, parameters) => {
          const gradients = backward(loss);
          return parameters.map((p) => [p, sub(p, mul(rate, gradients.of(p)))]);
        },
        sgd({ rate }),
      ],
      [
        'adam',
        (loss, parameters) => {
          const gradients = backward(loss);
          const count = state('step', tensor(0, { dtype }));
          const t = add(count, 1);
          const step = div(rate, sub(1, pow(0.9, t)));
          const correction = div(1, sqrt(sub(1, pow(0.999, t))));
          const updates = parameters.map((p) => {
            const [m, v] = ['m', 'v'].map((part) =>
              state(part, Tensor.zeros(p.value.shape, { dtype })),
            );
            const normal = (x: Node) => where(greater(2 ** -1022, abs(x)), 0, x);
            const nextM = normal(add(mul(gradients.of(p), 1 - 0.9), mul(m as Node, 0.9)));
            const nextV = normal(
              add(mul(square(gradients.of(p)), 1 - 0.999), mul(v as Node, 0.999)),
            );
            const scale = add(mul(sqrt(nextV), correction), 1e-8);
            const next = sub(p, mul(div(step, scale), nextM));
            return [
              [m, nextM],
              [v, nextV],
              [p, next],
            ] as unknown as Updates;
          });
          return [[count, t], ...updates.flat()];
        },
        adam({ rate }),
      ],
    ];
    for (const [name, build, rule] of byHand) {
      const codes = [
        build,
        (loss: Node, parameters: readonly Variable[]) => optimize(loss, parameters, rule),
      ].map((updates) => {
        const { net, loss } = netProblem();
        return [...specialise([loss], updates(loss, net.parameters), new Map([['batch', 2]])).code];
      });
      expect(codes[1], name).toEqual(codes[0]);
    }
  });

  it('of rules have as many instructions as those of the calls, and few more with clipping', () => {
    const count = (updates: (net: Net, loss: Node) => Updates) => {
      const { net, loss } = netProblem();
      const program = compile({ outputs: { loss }, updates: updates(net, loss) });
      program.run(feeds);
      return program.stats().instructions;
    };
    const old = count((net, loss) => adam(loss, net.parameters));
    expect(count((net, loss) => optimize(loss, net, adam()))).toBe(old);
    expect(count((net, loss) => adamW(loss, net))).toBe(old);
    expect(count((net, loss) => adamW(loss, net, { clipGlobalNorm: 1 }))).toBeLessThanOrEqual(
      old + 6,
    );
  });
});
