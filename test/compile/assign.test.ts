import { describe, expect, it } from 'vitest';
import {
  add,
  assign,
  compile,
  Dense,
  input,
  matmul,
  mean,
  mul,
  parameter,
  ShapeError,
  state,
  sum,
  Tensor,
  tensor,
  type Updates,
  ValueError,
} from '../../src/index.js';
import * as train from '../../src/train/fit.js';

const filled = (value: number) => Tensor.full([64, 64], value);

/** Two parameters that are always equal: a training adds 1 to both, and `assign` sets both. */
function pair() {
  const [a, b] = [parameter('a', filled(0)), parameter('b', filled(0))];
  const x = input('x', ['batch', 64]);
  const difference = sum(matmul(x, matmul(add(a, 0), b)));
  return {
    a,
    b,
    server: compile({ outputs: { a: sum(a), b: sum(b), product: difference } }),
    training: compile({
      outputs: {},
      updates: [
        [a, add(a, 1)],
        [b, add(b, 1)],
      ],
    }),
  };
}

describe('assign', () => {
  it('writes all variables at once while programs read and train them, and never fails', async () => {
    const { a, b, server, training } = pair();
    const x = Tensor.ones([8, 64]);
    const runs: Promise<{ a: Tensor; b: Tensor }>[] = [];
    const writes: Promise<unknown>[] = [];
    for (let k = 1; k <= 40; k++) {
      runs.push(server.runAsync({ x }), server.runAsync({ x }));
      writes.push(
        training.runAsync({}),
        assign({ a, b }, { a: filled(100 * k), b: filled(100 * k) }),
      );
      if (k % 8 === 0) {
        await Promise.all(writes);
        runs.push(server.runAsync({ x }));
        await runs.at(-1);
      }
    }
    await Promise.all(writes);
    const seen = (await Promise.all(runs)).map((result) => [result.a.item(), result.b.item()]);
    expect(seen.filter(([first, second]) => first !== second)).toEqual([]);
    expect(new Set(seen.map(([first]) => first)).size).toBeGreaterThanOrEqual(5);
    expect(a.value.data).toEqual(b.value.data);
    expect(a.value.data[0]).toBeGreaterThanOrEqual(4000);
  });

  it('takes effect before the runs that are requested after it has resolved', async () => {
    const { a, b, server } = pair();
    await server.prepare({ batch: 512 });
    const before = server.runAsync({ x: Tensor.ones([512, 64]) });
    await assign(
      { a, b },
      new Map([
        ['a', filled(2)],
        ['b', filled(3)],
      ]),
    );
    const after = await server.runAsync({ x: Tensor.ones([1, 64]) });
    expect([after.a.item(), after.b.item()]).toEqual([2 * 4096, 3 * 4096]);
    expect((await before).a.item()).toBe(0);
  });

  it('copies tensors before it returns, and the values of a module of the same names', async () => {
    const [net, other] = [0, 1].map((seed) => new Dense('net', { inputs: 2, units: 2, seed })) as [
      Dense,
      Dense,
    ];
    const weight = tensor([
      [1, 2],
      [3, 4],
    ]);
    const done = assign(net, { weight, bias: tensor([5, 6]) });
    weight.data.fill(0);
    expect(await done).toEqual({ missing: [], unexpected: [] });
    expect(net.weight.value.toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    await assign(net, other);
    expect(net.weight.value.data).toEqual(other.weight.value.data);
    await assign({ a: net.weight, b: other.weight }, { a: other.weight, b: net.weight });
    await assign(net, {}, { strict: false });
    const { bias } = net;
    await assign(
      { once: bias as never, again: bias as never },
      { once: tensor([1, 1]), again: tensor([2, 2]) },
    );
    expect(bias?.value.toArray()).toEqual([2, 2]);
  });

  it('writes between the steps of fit, which goes on from the new values', async () => {
    const [a, x] = [parameter('a', 1), input('x', ['batch'])];
    const updates: Updates = [[a, mul(a, 2)]];
    const program = compile({ outputs: { loss: mean(mul(x, a)) }, updates });
    const dataset = { x: Tensor.ones([400]) };
    let assigned: Promise<unknown> | undefined;
    const history = await train.fit(program, dataset, {
      epochs: 3,
      batchSize: 4,
      shuffle: false,
      onEpoch: ({ epoch }) => {
        if (epoch === 1) assigned = assign({ a }, { a: tensor(0) });
      },
    });
    await assigned;
    expect(a.value.item()).toBe(0);
    expect(history.epochs.length).toBe(3);
  });

  it('makes programs compute again what they keep of constants', async () => {
    const net = new Dense('net', { inputs: 64, units: 64 });
    const x = Tensor.ones([32, 64]);
    const y = matmul(input('x', [32, 64]), mul(net.weight, 2));
    const program = compile({ outputs: { y }, constants: net });
    expect(program.stats().onceInstructions).toBeGreaterThan(0);
    program.run({ x });
    await assign(net, { weight: filled(1), bias: Tensor.zeros([64]) });
    expect(program.run({ x }).y.data[0]).toBe(128);
  });

  it.each<[string, Record<string, unknown>, unknown, string]>([
    ['another shape', { a: tensor(1) }, ShapeError, "'a' is [], but [state 'a'] is [2]"],
    [
      'a missing and an unexpected value',
      { c: tensor(1) },
      ValueError,
      "missing: 'a'; unexpected: 'c'",
    ],
    ['a list', { a: [1, 2] }, ValueError, 'make it a tensor with tensor()'],
  ])('rejects %s, and changes nothing', async (_what, values, Kind, message) => {
    const a = state('a', [7, 7]);
    const error = await assign({ a }, values as never).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(Kind);
    expect((error as Error).message).toContain(message);
    expect(a.value.toArray()).toEqual([7, 7]);
  });
});

it('the constants of compile include the states of a module', () => {
  const net = new Dense('net', { inputs: 4, units: 4 });
  const holder = new (class extends Dense {
    readonly shift = this.state('shift', [1, 2, 3, 4]);
  })('holder', { inputs: 4, units: 4 });
  const y = matmul(input('x', [1, 4]), matmul(net.weight, add(holder.weight, holder.shift)));
  const program = compile({ outputs: { y }, constants: { net, holder } });
  expect(program.stats().instructions - program.stats().onceInstructions).toBe(1);
});
