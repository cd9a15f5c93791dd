import { beforeEach, describe, expect, it } from 'vitest';
import {
  evaluate,
  FeedForward,
  initializers,
  LSTM,
  parameter,
  randomNormal,
  randomUniform,
  setSeed,
  ValueError,
  VariationalAutoencoder,
} from '../../src/index.js';
import { errorOf } from '../support.js';

beforeEach(() => setSeed(0));
const weights = (layer: { parameters: { value: { toArray(): unknown } }[] }) =>
  JSON.stringify(layer.parameters.map(({ value }) => value.toArray()));
const lstm = (options: object = {}) => new LSTM('lstm', { inputs: 2, units: 3, ...options });

describe('derived seeds', () => {
  it.each([[{}], [{ seed: 7 }]])('give every gate of a layer other values, with %o', (options) => {
    const layers = [
      new LSTM('one', { inputs: 4, units: 4, ...options }),
      new LSTM('two', { inputs: 4, units: 4, ...options }),
    ];
    const starts = layers
      .flatMap(({ gates }) => Object.values(gates))
      .map(({ weight }) => weight.value.data.join());
    expect(new Set(starts).size).toBe(8);
  });

  it('give every weight of an auto-encoder other values, even if shapes agree', () => {
    const vae = new VariationalAutoencoder('vae', { inputs: 4, hidden: 4, latent: 4, seed: 1 });
    const starts = vae.parameters
      .filter(({ shape }) => shape.length === 2)
      .map(({ value }) => value.data.join());
    expect(new Set(starts).size).toBe(5);
  });

  it('give every draw other numbers, without a bias', () => {
    const firsts = Array.from({ length: 200 }, () => evaluate(randomUniform([])).item());
    expect(new Set(firsts).size).toBe(200);
    const mean = firsts.reduce((sum, value) => sum + value, 0) / 200;
    expect(Math.abs(mean - 0.5)).toBeLessThan(4 * Math.sqrt(1 / 12 / 200)); // 4 standard errors
  });
});

describe('setSeed', () => {
  const script = () => {
    const first = evaluate(randomNormal([3])).data.join();
    return [first, weights(lstm()), evaluate(randomNormal([3])).data.join()];
  };

  it('gives the same script the same numbers', () => {
    setSeed(5);
    const once = script();
    setSeed(5);
    expect(script()).toEqual(once);
    expect(once[2]).not.toBe(once[0]);
  });

  it('gives other numbers everywhere for another seed', () => {
    setSeed(5);
    const once = script();
    setSeed(6);
    script().forEach((drawn, index) => {
      expect(drawn).not.toBe(once[index]);
    });
  });

  it('gives a leaf values that depend on its name, not on what was created before it', () => {
    setSeed(5);
    const alone = weights(lstm());
    setSeed(5);
    new FeedForward('before', { inputs: 2, units: 2 });
    randomNormal([2]);
    expect(weights(lstm())).toBe(alone);
    expect(weights(new LSTM('other', { inputs: 2, units: 3 }))).not.toBe(alone);
  });

  it('does not affect draws and layers with a seed of their own', () => {
    setSeed(5);
    const [draw, layer] = [evaluate(randomNormal([3], { seed: 9 })), weights(lstm({ seed: 9 }))];
    setSeed(6);
    expect(evaluate(randomNormal([3], { seed: 9 }))).toEqual(draw);
    expect(weights(lstm({ seed: 9 }))).toBe(layer);
    expect(weights(lstm({ seed: 10 }))).not.toBe(layer);
  });

  it.each([-1, 0.5, NaN, 2 ** 53, '1', undefined, 1n])('refuses %o', (seed) => {
    const error = errorOf(() => setSeed(seed as never));
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toMatch(/^setSeed: expected a seed \(an integer from 0 to 2\^53 - 1\)/);
  });

  it('uses all 53 bits of a seed', () => {
    const starts = [1, 1 + 2 ** 32, 1 + 2 ** 52, 2 ** 53 - 1].map((seed) => {
      const leaf = parameter('w', { shape: [4], init: initializers.normal(1), seed });
      return leaf.value.data.join();
    });
    expect(new Set(starts).size).toBe(4);
  });
});
