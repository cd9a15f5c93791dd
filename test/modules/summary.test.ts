import { expect, it } from 'vitest';
import {
  BatchNorm,
  Dense,
  input,
  Module,
  type Node,
  relu,
  Sequential,
  summary,
  ValueError,
} from '../../src/index.js';
import { errorOf } from '../support.js';

class Net extends Module {
  readonly body = new Sequential(this.scope('body'), [
    new Dense('first', { inputs: 784, units: 128 }),
    relu,
    new BatchNorm('norm', { features: 128 }),
  ]);
  readonly head = new Dense(this.scope('head'), { inputs: 128, units: 10 });
  readonly again = this.head;
  forward(x: Node) {
    return this.head.apply(this.body.apply(x));
  }
}

it('summary lists modules with their results, parameters and states, and the totals', () => {
  const net = new Net('net');
  net.apply(input('x', ['batch', 784]));
  net.body.freeze(/^0/);
  expect(summary(net)).toBe(
    `
path    class       result        parameters   frozen  states
net     Net         [batch, 10]
body    Sequential  [batch, 128]
body.0  Dense       [batch, 128]     100,480  100,480
body.2  BatchNorm   [batch, 128]         256              256
head    Dense       [batch, 10]        1,290
total                                102,026  100,480     256`.trimStart(),
  );
});

it('summary leaves the results of modules that were not applied empty', () => {
  expect(summary(new Dense('dense', { inputs: 2, units: 3 })).split('\n')[1]).toBe(
    'dense  Dense                   9',
  );
});

it('summary refuses what is not a module', () => {
  const error = errorOf(() => summary([] as never));
  expect(error).toBeInstanceOf(ValueError);
  expect(error.message).toBe('summary: expected a module, but received an array of 0');
});
