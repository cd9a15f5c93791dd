import { describe, expect, it } from 'vitest';
import { errorOf } from '../support.js';
import { opsUnderTest } from './samples.js';

// Every op must declare certain samples, because the tests of the op are generated from them.
describe('every op declares the samples that its tests need', () => {
  it('finds the op library', () => {
    const wanted =
      'add sub mul div neg exp log sqrt square abs pow sigmoid tanh relu softplus maximum minimum ' +
      'matmul transpose reshape concat stack slice broadcastTo sum mean max softmax logSoftmax ' +
      'stopGradient randomNormal randomUniform addN assemble sign cos sin greater equal where ' +
      'argmax oneHot cast';
    const names = opsUnderTest.map(({ name }) => name);
    expect(wanted.split(' ').filter((name) => !names.includes(name))).toEqual([]);
  });

  it.each(opsUnderTest)('$name', ({ op }) => {
    const shapes = op.samples.flatMap(({ inputs }) => inputs.map(({ shape }) => shape));
    expect(op.samples.length).toBeGreaterThanOrEqual(3);
    expect(
      shapes.some((s) => s.length > 1 && new Set(s).size > 1),
      'not square',
    ).toBe(true);
    expect(
      shapes.some((s) => s.length >= 3),
      'rank 3 or more',
    ).toBe(true);
    expect(
      shapes.some((s) => s.includes(0)),
      'zero size',
    ).toBe(true);
    expect(op.refused.length).toBeGreaterThanOrEqual(1);
    if (op.broadcasts) {
      const broadcast = op.samples.filter((sample) => sample.broadcast);
      expect(broadcast.length, 'broadcast sample').toBeGreaterThanOrEqual(1);
      for (const { inputs } of broadcast) {
        expect(new Set(inputs.map(({ shape }) => shape.join())).size).toBeGreaterThan(1);
      }
    }
  });
});

describe('every input that an op must refuse is refused with the declared error', () => {
  const refusals = opsUnderTest.flatMap(({ name, op }) =>
    op.refused.map((refusal, index) => ({ title: `${name} #${index}`, refusal })),
  );
  it.each(refusals)('$title', ({ refusal }) => {
    const error = errorOf(() => refusal.build());
    expect(error).toBeInstanceOf(refusal.error);
    expect(error.message).toMatch(refusal.message);
    expect(error.code).toMatch(/^FOREBAY_[A-Z]+$/);
  });
});
