// Tests the interpreter. It prepares the steps of its schedule once for each binding, which gives the named dimensions
// their sizes, and keeps them. It frees the memory of each value after the last step that reads the value.
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { Interpreter } from '../../src/evaluate/interpreter.js';
import { add, exp, input, mul, type Node, neg, sum, tanh, tensor } from '../../src/index.js';

describe('an interpreter', () => {
  it('computes the right values after more bindings than it keeps, in any order', () => {
    const x = input('x', ['n']);
    const interpreter = new Interpreter([add(x, 1), sum(x)]);
    for (const n of [1, 2, 3, 4, 5, 6, 1, 6, 3, 1, 2]) {
      const [plus, total] = interpreter.run({ x: new Float32Array(n).fill(n) });
      expect(plus?.toArray()).toEqual(new Array(n).fill(n + 1));
      expect(total?.item()).toBe(n * n);
    }
  });

  it('distinguishes bindings whose numbers are equal when joined as text', () => {
    const [a, b] = [input('a', ['p']), input('b', ['q'])];
    const interpreter = new Interpreter([sum(a), sum(b)]);
    const ones = (n: number) => new Float32Array(n).fill(1);
    for (const [p, q] of [
      [1, 11],
      [11, 1],
      [1, 11],
    ] as const) {
      expect(interpreter.run({ a: ones(p), b: ones(q) }).map((t) => t.item())).toEqual([p, q]);
    }
  });

  it('never reuses the memory of a value before its last reader', () => {
    // The nodes of the final sum read every value of the chain again. If a value had been overwritten, the sum would be
    // wrong.
    const x = input('x', [3]);
    const chain: Node[] = [x];
    for (let i = 0; i < 20; i++) chain.push(add(chain.at(-1) as Node, 1));
    const total = chain.reduceRight((sum, node) => add(sum, mul(node, 1)));
    const [found] = new Interpreter([total]).run({ x: [0, 1, 2] });
    expect(found?.toArray()).toEqual([210, 231, 252]); // 0 + 1 + … + 20 = 210, and 21 more if x is larger by 1
  });

  it('computes a node once, however many nodes read it', () => {
    const x = input('x', []);
    let node: Node = x;
    for (let i = 0; i < 200; i++) node = add(node, node); // the graph has 2^200 paths
    expect(new Interpreter([node]).run({ x: 2 ** -100 })[0]?.item()).toBe(2 ** 100);
  });

  it('keeps no reference to a feed, so that it can be garbage-collected', async () => {
    const script = `
      import { Interpreter } from ${JSON.stringify(new URL('../../dist/evaluate/interpreter.js', import.meta.url).href)};
      import { input, neg } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)};
      const interpreter = new Interpreter([neg(input('x', ['n']))]);
      const feed = (() => { const x = new Float32Array(1e6); interpreter.run({ x }); return new WeakRef(x); })();
      for (let i = 0; i < 10 && feed.deref(); i++) { await new Promise((r) => setTimeout(r, 1)); gc(); }
      console.log(feed.deref() === undefined, interpreter.run({ x: [1] })[0].item());
    `;
    const run = spawnSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect(run.stderr).toBe('');
    expect(run.stdout).toBe('true -1\n');
  });
});

describe('memory', () => {
  it('of a chain of a thousand large values is that of a few', () => {
    const before = process.memoryUsage().arrayBuffers;
    const x = input('x', ['n']);
    let node: Node = x;
    for (let i = 0; i < 1000; i++) node = i % 2 ? neg(node) : tanh(exp(node));
    const interpreter = new Interpreter([sum(node)]);
    interpreter.run({ x: tensor(new Float32Array(250_000)) }); // each value takes 1 MB
    expect((process.memoryUsage().arrayBuffers - before) / 1e6).toBeLessThan(10);
  });

  it.each([
    [
      'unrolled',
      `const zeros = broadcastTo(0, ['batch', units]);
      let last = { hidden: zeros, cell: zeros };
      const hidden = stack(Array.from({ length: steps }, (_, t) => {
        last = lstm.step(reshape(slice(xs, { axis: 0, start: t, end: t + 1 }), ['batch', units]), last);
        return last.hidden;
      }), 0);`,
    ],
    ['in a loop', 'const { hidden } = lstm.unroll(xs);'],
  ])(
    'of 1,000 steps of an LSTM [16, 128] with all gradients stays under 2 GB, %s',
    (_form, build) => {
      const script = `
      import { LSTM, Tensor, backward, broadcastTo, evaluate, input, mse, reshape, slice, stack } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)};
      const [steps, batch, units] = [1000, 16, 128];
      const lstm = new LSTM('lstm', { inputs: units, units, seed: 1 });
      const xs = input('xs', [steps, 'batch', units]);
      ${build}
      const loss = mse(hidden, input('target', [steps, 'batch', units]));
      const gradients = backward(loss);
      const feeds = { xs: Tensor.full([steps, batch, units], 0.1), target: Tensor.zeros([steps, batch, units]) };
      const found = evaluate([loss, ...lstm.parameters.map((leaf) => gradients.of(leaf))], feeds);
      const finite = found.every(({ data }) => data.every(Number.isFinite) && data.some((value) => value !== 0));
      console.log(JSON.stringify({ outputs: found.length, finite, megabytes: process.resourceUsage().maxRSS / 1024 }));
    `;
      const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
        encoding: 'utf8',
      });
      expect(run.stderr).toBe('');
      const { outputs, finite, megabytes } = JSON.parse(run.stdout);
      expect({ outputs, finite }).toEqual({ outputs: 9, finite: true });
      // The script must stay under 2,000 MB, and needs 400 MB. If no value were freed, it would need 1,200 MB, so the
      // limit of this test is lower.
      expect(megabytes).toBeLessThan(1000);
    },
  );
});
