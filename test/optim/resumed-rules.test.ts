// Checkpoints of rules, whose parameters may be frozen or unfrozen before they are resumed.
import { describe, expect, it } from 'vitest';
import {
  adam,
  adamW,
  checkpoint,
  evaluate,
  groups,
  type Node,
  optimize,
  resume,
  sgd,
  type Updates,
} from '../../src/index.js';
import { errorOf } from '../support.js';
import { feeds, file, type Net, netProblem, statesOf } from './problems.js';

describe('a checkpoint', () => {
  /** Trains a net for two steps, and writes a checkpoint; then reads it into another net. */
  async function resumed(before: (net: Net, loss: Node) => Updates, after: typeof before) {
    const [first, second] = [netProblem(), netProblem()];
    const [old, next] = [before(first.net, first.loss), after(second.net, second.loss)];
    for (let step = 0; step < 2; step++) evaluate([], feeds, { updates: old });
    const path = file();
    await checkpoint(path, { updates: old });
    resume(path, { updates: next });
    const known = new Map(old.map(([leaf]) => [leaf.name, leaf.value.toArray()]));
    for (const [leaf] of next) {
      const value = known.get(leaf.name);
      if (value !== undefined) expect(leaf.value.toArray(), leaf.name).toEqual(value);
    }
    return {
      next,
      kept: next.filter(([leaf]) => !known.has(leaf.name)).map(([leaf]) => leaf.name),
    };
  }
  const frozen = (train: (net: Net, loss: Node) => Updates) => (net: Net, loss: Node) => {
    net.hidden.freeze();
    return train(net, loss);
  };
  const rule = groups([
    [(_, path) => path.startsWith('hidden'), adamW()],
    sgd({ rate: 0.1, momentum: 0.5 }),
  ]);
  const calls: [string, (net: Net, loss: Node) => Updates, string[]][] = [
    [
      'optimize',
      (net, loss) => optimize(loss, net, adamW()),
      ['optimizer/0.adam.m/net.hidden.weight'],
    ],
    [
      'a group that is frozen',
      (net, loss) => optimize(loss, net, rule),
      ['optimizer/0.step', 'optimizer/0.adam.m/net.hidden.weight'],
    ],
    ['adam', (net, loss) => adam(loss, net), ['net.hidden.weight.adam.m']],
  ];
  it.each(calls)('is resumed after a layer was frozen: %s', async (_name, train) => {
    const { next, kept } = await resumed(train, frozen(train));
    expect(kept.filter((name) => name !== 'net.out.weight.adam.step')).toEqual([]);
    const steps = statesOf(next).filter(({ name }) => name?.endsWith('step'));
    for (const step of steps) expect(step.value.item()).toBe(2);
  });

  it.each(calls)('is resumed after a layer was unfrozen: %s', async (_name, train, missing) => {
    expect((await resumed(frozen(train), train)).kept).toEqual(expect.arrayContaining(missing));
  });

  it('is refused if a parameter is in another group than before', async () => {
    const [whole, parts] = [
      groups([adamW()]),
      groups([[(_, path) => path === 'out.bias', adamW()], adamW()]),
    ];
    const resuming = resumed(
      (net, loss) => optimize(loss, net, whole),
      (net, loss) => optimize(loss, net, parts),
    );
    await expect(resuming).rejects.toThrow("there is no tensor 'optimizer/1.step'");
  });

  it('of another optimizer is refused', async () => {
    const [one, other] = [netProblem(), netProblem()];
    const path = file();
    await checkpoint(path, { updates: sgd(one.loss, one.net, { rate: 1 }) });
    const updates = adam(other.loss, other.net);
    expect(errorOf(() => resume(path, { updates })).message).toContain(
      "there is no tensor 'net.hidden.weight.adam.step'",
    );
  });
});
