// Tests how asynchronous runs and their process affect each other: what keeps the process alive, how the end of the
// process affects runs, what happens when a worker is terminated, and how much memory remains after many runs. Each
// test runs a separate process.
import { describe, expect, it } from 'vitest';
import { child } from './child.js';

/**
 * Code that defines `counter`, a function that makes a program. The program counts its runs in the state `w`. Each run
 * computes a chain of `links` + 1 products of [size, size] matrices.
 */
const model = `
  const { compile } = await import(new URL('dist/compile/program.js', 'file://' + root).href);
  const counter = (links, size = 128, name = 'w') => {
    const w = fb.state(name, 0);
    const weight = fb.constant(fb.Tensor.full([size, size], 1 / size));
    let x = fb.matmul(fb.Tensor.ones([size, size]), weight);
    for (let link = 0; link < links; link++) x = fb.matmul(fb.add(x, fb.mul(w, 0)), weight);
    return { w, program: compile({ outputs: { before: w, work: fb.sum(x) }, updates: [[w, fb.add(w, 1)]] }) };
  };
  /** Returns a program whose run takes about a second if it is not ended early. */
  const long = (name) => counter(100, 768, name);
`;
const ended = (script: string, env: NodeJS.ProcessEnv = {}) => {
  const { status, signal, stdout, stderr } = child(model + script, env);
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
  return stdout.trim();
};

describe('a process', () => {
  it('lives until its runs have ended, and no longer', () => {
    const script = `
      const { w, program } = counter(50);
      program.runAsync().then(({ before }) => console.log('done', before.item()));
      program.runAsync();
      process.on('exit', () => console.log('exit', w.value.item()));
    `;
    expect(ended(script)).toBe('done 0\nexit 2');
  });

  it('is kept alive by a pending run alone, run after run', () => {
    const script = `
      const { w, program } = counter(3);
      for (let i = 0; i < 20; i++) await program.runAsync();
      console.log(w.value.item());
    `;
    expect(ended(script)).toBe('20');
  });

  it('may exit with runs in flight and in the queue', () => {
    const script = `
      const [one, other] = [long('w'), long('v')];
      for (let i = 0; i < 5; i++) { one.program.runAsync(); other.program.runAsync(); }
      setTimeout(() => process.exit(0), 20);
    `;
    expect(ended(script)).toBe('');
  });

  it('reports only rejections that are not handled', () => {
    const script = `
      process.on('unhandledRejection', (reason) => console.log('unhandled', reason));
      const { program } = long('w');
      const abort = new AbortController();
      const handled = program.runAsync({}, { signal: abort.signal });
      const forgotten = program.runAsync({}, { signal: abort.signal });
      abort.abort('enough');
      await handled.catch((reason) => console.log('handled', reason));
      await new Promise((done) => setTimeout(done, 20));
    `;
    expect(ended(script).split('\n').sort()).toEqual(['handled enough', 'unhandled enough']);
  });
});

describe('worker threads', () => {
  const inWorker = `
    const { Worker } = await import('node:worker_threads');
    const worker = (code) => new Worker(new URL('data:text/javascript,' + encodeURIComponent(
      'const root = ' + JSON.stringify(root) + ';' +
      'const fb = await import(new URL("dist/index.js", "file://" + root).href);' + ${JSON.stringify(model)} +
      'const { parentPort } = await import("node:worker_threads");' + code)));
    const messages = (worker, count) => new Promise((resolve, reject) => {
      const got = [];
      worker.on('message', (message) => { got.push(message); if (got.length === count) resolve(got); });
      worker.on('error', reject);
    });
  `;

  it('run their own programs concurrently with the main thread', () => {
    const script = `
      ${inWorker}
      const code = 'const { w, program } = counter(5); for (let i = 0; i < 20; i++) { await program.runAsync(); program.run(); } parentPort.postMessage(w.value.item());';
      const workers = [1, 2, 3, 4].map(() => messages(worker(code), 1));
      const { w, program } = counter(5);
      for (let i = 0; i < 20; i++) await program.runAsync();
      console.log((await Promise.all(workers)).flat().join(), w.value.item());
    `;
    expect(ended(script)).toBe('40,40,40,40 20');
  });

  it('may be terminated with runs in flight, again and again', () => {
    const script = `
      ${inWorker}
      const code = 'const a = long("w"), b = long("v"); for (let i = 0; i < 4; i++) { a.program.runAsync(); b.program.runAsync(); } parentPort.postMessage("started"); setInterval(() => {}, 1000);';
      for (let round = 0; round < 12; round++) {
        const one = worker(code);
        await messages(one, 1);
        if (round % 3 > 0) await new Promise((done) => setTimeout(done, round));
        await one.terminate();
      }
      const { w, program } = counter(3);
      await program.runAsync();
      console.log('alive', w.value.item());
    `;
    expect(ended(script)).toBe('alive 1');
  });

  it('end with the process while they run programs', () => {
    const script = `
      ${inWorker}
      const code = 'const { program } = long("w"); program.runAsync(); program.runAsync(); parentPort.postMessage(1);';
      await Promise.all([1, 2, 3].map(() => messages(worker(code), 1)));
      process.exit(0);
    `;
    expect(ended(script)).toBe('');
  });
});

describe('memory', () => {
  // This code measures two figures: the memory outside the JavaScript heap that is reported to the garbage collector,
  // and the resident memory of the process. It prints the growth of each figure during `work`, in MB.
  const grown = `
    const settle = async () => { for (let i = 0; i < 6; i++) { globalThis.gc(); await new Promise((done) => setTimeout(done, 5)); } };
    const report = async (work, rounds) => {
      await work(rounds); await settle();
      const before = process.memoryUsage();
      await work(4 * rounds); await settle();
      const after = process.memoryUsage();
      console.log(JSON.stringify(['external', 'rss'].map((kind) => (after[kind] - before[kind]) / 2 ** 20)));
    };
  `;
  const flags = { NODE_OPTIONS: '--expose-gc' };

  it.each([
    ['dispose', 'program.dispose();'],
    ['the garbage collector', ''],
  ])('of programs that were compiled and run is freed by %s', (_how, end) => {
    // The test makes 16 programs of 12 MB each, so a leak exceeds the limits below.
    const script = `
      ${grown}
      const make = async (count) => {
        for (let i = 0; i < count; i++) {
          const x = fb.input('x', [1024, 1024]);
          const program = compile({ outputs: { y: fb.sum(fb.matmul(fb.exp(fb.matmul(x, x)), x)) } });
          const fed = fb.Tensor.zeros([1024, 1024]);
          if (i % 2) program.run({ x: fed }); else await program.runAsync({ x: fed });
          ${end}
        }
      };
      await report(make, 4);
    `;
    const [external, rss] = JSON.parse(ended(script, flags));
    expect(external).toBeLessThan(1);
    expect(rss).toBeLessThan(120);
  });

  it.each([
    ['dispose', 'program.dispose();'],
    ['the garbage collector', ''],
  ])('of the values that programs keep is freed by %s', (_how, end) => {
    // The test makes 16 programs that keep 12 MB each.
    const script = `
      ${grown}
      const w = fb.parameter('w', fb.Tensor.zeros([1536, 2048]));
      const make = async (count) => {
        for (let i = 0; i < count; i++) {
          const x = fb.input('x', ['batch', 1536]);
          const program = compile({ outputs: { y: fb.matmul(x, fb.exp(w)) }, constants: [w] });
          for (const batch of [1, 2, 3]) {
            const fed = fb.Tensor.zeros([batch, 1536]);
            if (i % 2) program.run({ x: fed }); else await program.runAsync({ x: fed });
          }
          if (program.stats().keptBytes < 12e6) throw new Error('nothing is kept');
          ${end}
        }
      };
      await report(make, 4);
    `;
    const [external, rss] = JSON.parse(ended(script, flags));
    expect(external).toBeLessThan(1);
    expect(rss).toBeLessThan(120);
  });

  it('does not grow over runs of every kind, including aborted runs and changing bindings', () => {
    const script = `
      ${grown}
      const x = fb.input('x', ['n', 64]);
      const w = fb.state('w', fb.Tensor.zeros([64]));
      const program = compile({ outputs: { y: fb.exp(x) }, updates: [[w, fb.add(w, fb.sum(x, 0))]] });
      const feeds = Array.from({ length: 16 }, (_, n) => ({ x: fb.Tensor.zeros([64 * (n + 1), 64]) }));
      const work = async (rounds) => {
        for (let i = 0; i < rounds; i++) {
          program.run(feeds[i % 16]);
          const abort = new AbortController();
          const promises = [0, 1, 2, 3].map((k) => program.runAsync(feeds[(i + k) % 16], { signal: abort.signal }));
          if (i % 3 === 0) abort.abort();
          await Promise.allSettled(promises);
        }
      };
      await report(work, 150);
    `;
    const [external, rss] = JSON.parse(ended(script, flags));
    expect(external).toBeLessThan(4);
    expect(rss).toBeLessThan(120);
  });
});
