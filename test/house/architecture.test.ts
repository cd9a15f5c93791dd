// ARCHITECTURE.md lists the instructions of a compiled LSTM. This test compares that list with the output of the
// compiler.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { topologicalOrder } from '../../src/graph/topology.js';
import { FeedForward, input, LSTM, mse, sgd } from '../../src/index.js';
import { placed } from '../compile/support.js';
import { unrolled } from '../unrolled.js';

it('lists the instructions of the LSTM that it describes', () => {
  const text = readFileSync(new URL('../../ARCHITECTURE.md', import.meta.url), 'utf8');
  const [, block = ''] = /architecture\.test\.ts -->\n```\n([^`]*)```/.exec(text) ?? [];
  const listed = block
    .trim()
    .split('\n')
    .map((line) => line.slice(0, 26).trim().replace(/\s+/, ' '));

  const layer = new LSTM('lstm', { inputs: 64, units: 128 });
  const readout = new FeedForward('readout', { inputs: 128, units: 64 });
  const { hidden } = unrolled(layer, input('xs', [3, 16, 64]));
  const loss = mse(readout.apply(hidden), input('target', [3, 16, 64]));
  const updates = sgd(loss, [...layer.parameters, ...readout.parameters], { rate: 0.1 });
  const { list } = placed([loss], updates).instructions;
  const made = list.map((instruction) => {
    if (instruction.kind !== 'product') return instruction.kind;
    return `product ${instruction.m} x ${instruction.n} x ${instruction.k}`;
  });
  expect(listed).toEqual(made);

  const order = topologicalOrder(
    [loss, ...updates.map(([, value]) => value)],
    ({ inputs }) => inputs,
  );
  const products = order.filter(({ op }) => op.name === 'matmul').length;
  const count = `The graph has ${order.length} nodes, ${products} of them matrix products. The program has ${list.length} instructions`;
  expect(text.replaceAll('\n', ' ')).toContain(count);
});
