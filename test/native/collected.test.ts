// Tests that the garbage collector and dispose() free graphs, programs and tensors, and their native memory. The tests
// run scripts in separate processes, in which the scripts can start the garbage collector.
import { describe, expect, it } from 'vitest';
import { child } from './child.js';

const prelude = `
  import { setImmediate } from 'node:timers/promises';
  const collected = new Set();
  const registry = new FinalizationRegistry((name) => collected.add(name));
  const watch = (name, thing) => { registry.register(thing, name); return thing; };
  /**
   * Runs the garbage collector until the objects with these names are freed, at most 50 times. Returns the freed names.
   */
  const gone = async (...names) => {
    for (let i = 0; i < 50 && !names.every((name) => collected.has(name)); i++) {
      globalThis.gc();
      await setImmediate();
    }
    return names.filter((name) => collected.has(name));
  };
  /** Returns the resident memory of the process in MB. A large block that is freed lowers it at once. */
  const megabytes = () => Math.round(process.memoryUsage.rss() / 2 ** 20);
  /** Returns a program whose arena, the memory for its intermediate values, has 64 MB. */
  const large = () => {
    const x = fb.input('x', [4096, 1]);
    const square = fb.exp(fb.add(x, fb.transpose(x)));
    return fb.compile({ outputs: { sum: fb.sum(fb.matmul(square, x)) } });
  };
  const feeds = { x: fb.Tensor.zeros([4096, 1]) };
  // Objects are made inside a function, so that no local variable keeps them alive after its call.
  const within = async (make) => { await make(); };
`;
function said(script: string): unknown {
  const { status, stdout, stderr } = child(prelude + script, { NODE_OPTIONS: '--expose-gc' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout);
}

const figures = (script: string) =>
  said(script) as Record<'before' | 'held' | 'after' | 'sum', number>;

describe('the garbage collector', () => {
  it('frees graphs, programs and tensors that are unreachable, and keeps those that are reachable', () => {
    expect(
      said(`
        const kept = watch('kept parameter', fb.parameter('kept', [1, 2]));
        await within(async () => {
          const x = watch('input', fb.input('x', [2]));
          const w = watch('parameter', fb.parameter('w', [1, 2]));
          const y = watch('node', fb.mul(fb.mul(x, w), kept));
          const loss = watch('loss', fb.sum(y));
          watch('constant', fb.constant([1, 2]));
          watch('gradients', fb.backward(loss));
          watch('wait list', fb.WaitList.of(loss));
          const program = watch('program', fb.compile({ outputs: { y }, updates: fb.sgd(loss, [w, kept], { rate: 1 }) }));
          const fed = watch('fed', fb.tensor([3, 4]));
          watch('output', program.run({ x: fed }).y);
          watch('async output', (await program.runAsync({ x: fed })).y);
          watch('evaluated', fb.evaluate(y, { x: fed }));
          await fb.fit(program, watch('dataset', { x: fb.tensor([3, 4]) }), { epochs: 1, batchSize: 1 }).catch(() => {});
        });
        const names = ['input', 'parameter', 'node', 'loss', 'constant', 'gradients', 'wait list', 'program', 'fed', 'output', 'async output', 'evaluated', 'dataset'];
        const left = names.filter((name) => !collected.has(name));
        const freed = await gone(...names);
        console.log(JSON.stringify({ missing: names.filter((name) => !freed.includes(name)), kept: !collected.has('kept parameter') && kept.shape }));
      `),
    ).toEqual({ missing: [], kept: [2] });
  });

  it('frees the native memory of a program', () => {
    const { before, held, after } = figures(`
      const before = megabytes();
      let held;
      await within(async () => {
        const program = watch('program', large());
        program.run(feeds);
        held = megabytes();
      });
      await gone('program');
      for (let i = 0; i < 5; i++) { globalThis.gc(); await setImmediate(); }
      console.log(JSON.stringify({ before, held, after: megabytes() }));
    `);
    expect(held).toBeGreaterThan(before + 56);
    expect(after).toBeLessThan(held - 56);
  });

  it('keeps a program that only its own runs in flight refer to', () => {
    expect(
      said(`
        const w = fb.state('w', 1);
        let flight;
        await within(async () => {
          const program = watch('program', fb.compile({ outputs: { y: fb.sum(fb.matmul(fb.Tensor.ones([900, 900]), fb.mul(fb.Tensor.ones([900, 900]), w))) }, updates: [[w, fb.add(w, 1)]] }));
          flight = Promise.all([program.runAsync(), program.runAsync(), program.runAsync()]);
        });
        for (let i = 0; i < 10; i++) { globalThis.gc(); await setImmediate(); }
        const sums = (await flight).map(({ y }) => Math.round(y.item() / 900 ** 3));
        flight = undefined;
        console.log(JSON.stringify({ sums, freed: await gone('program') }));
      `),
    ).toEqual({ sums: [1, 2, 3], freed: ['program'] });
  });
});

describe('dispose', () => {
  it('frees native memory at once, without the garbage collector', () => {
    const { held, after } = figures(`
      const program = large();
      program.run(feeds);
      const held = megabytes();
      program.dispose();
      console.log(JSON.stringify({ held, after: megabytes() }));
    `);
    expect(after).toBeLessThan(held - 56);
  });

  it('lets the runs in flight end, and frees native memory then', () => {
    const { sum, held, after } = figures(`
      const program = large();
      program.run(feeds);
      const flight = program.runAsync(feeds);
      program.dispose();
      const held = megabytes();
      const { sum } = await flight;
      await setImmediate();
      console.log(JSON.stringify({ sum: sum.item(), held, after: megabytes() }));
    `);
    expect(sum).toBe(0);
    expect(after).toBeLessThan(held - 56);
  });

  it('makes every later use of the program throw a StateError', () => {
    expect(
      said(`
        const w = fb.parameter('w', [1]);
        const x = fb.input('x', ['batch', 1]);
        const program = fb.compile({ outputs: { y: fb.mul(x, w) }, updates: [[w, fb.mul(w, 2)]] });
        const predictor = fb.compile({ outputs: { y: fb.mul(x, w) } });
        const fed = { x: fb.tensor([[3]]) };
        program.run(fed);
        program.dispose();
        program.dispose();
        predictor[Symbol.dispose ?? 'dispose']();
        const uses = {
          run: () => program.run(fed),
          runAsync: () => program.runAsync(fed),
          stats: () => program.stats(),
          profile: () => program.profile(fed),
          runs: () => { program.runs = 1; },
          fit: () => fb.fit(program, fed, { epochs: 1, batchSize: 1 }),
          predict: () => fb.predict(predictor, fed, {}),
        };
        const heard = {};
        for (const [name, use] of Object.entries(uses)) {
          try { await use(); heard[name] = 'nothing'; } catch (error) {
            heard[name] = error instanceof fb.StateError && error.code + (/disposed/.test(error.message) ? '' : error.message);
          }
        }
        console.log(JSON.stringify({ heard: [...new Set(Object.values(heard))], names: Object.keys(heard).length, w: w.value.item() }));
      `),
    ).toEqual({ heard: ['FOREBAY_STATE'], names: 7, w: 2 });
  });
});
