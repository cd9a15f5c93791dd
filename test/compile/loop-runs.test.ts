// Long loops can be cancelled, and the profile of a program counts how often a loop executes its instructions.
import { describe, expect, it } from 'vitest';
import {
  add,
  compile,
  constant,
  input,
  matmul,
  mul,
  type Node,
  parameter,
  scan,
  state,
  Tensor,
  tanh,
} from '../../src/index.js';

describe('an abort', () => {
  it('ends a run within a long loop soon, and the run writes nothing', async () => {
    const steps = 100_000;
    const w = parameter('w', Tensor.zeros([256, 256]));
    const count = state('count', 0);
    const { last } = scan(({ h }) => [{ h: tanh(matmul(h, w)) }, undefined], {
      initial: { h: input('h', [16, 256]) },
      length: steps,
    });
    const program = compile({
      outputs: { h: last.h },
      updates: [[count, add(count, 1)]],
      threads: 1,
    });
    const feeds = { h: Tensor.ones([16, 256]) };
    const controller = new AbortController();
    // A step has 2 million operations, so the whole run takes more than a second.
    const run = program.runAsync(feeds, { signal: controller.signal });
    let aborted = 0;
    setTimeout(() => {
      aborted = performance.now();
      controller.abort(new Error('enough'));
    }, 50);
    await expect(run).rejects.toThrow('enough');
    const ended = performance.now();
    expect(ended - aborted).toBeLessThan(500);
    expect([count.value.item(), program.runs]).toEqual([0, 0]);
    program.dispose();
  });
});

/** Returns the rows of a profile by the index of the instruction. */
function inOrder<R extends { readonly instruction: number }>(rows: readonly R[]): R[] {
  return [...rows].sort((a, b) => a.instruction - b.instruction);
}

describe('a profile', () => {
  const w = parameter('w', Tensor.zeros([8, 8]));
  const layer = (h: Node, x: Node) => tanh(add(matmul(h, w), x));

  it('counts the executions of the instructions of a loop, and its shares have the sum 1', () => {
    const xs = input('xs', ['steps', 4, 8]);
    const { last } = scan(({ h }, x) => [{ h: layer(h, x) }, undefined], {
      over: xs,
      initial: { h: constant(Tensor.zeros([4, 8])) },
      name: 'net',
    });
    const program = compile({ outputs: { h: last.h } });
    for (const steps of [1, 7, 300]) {
      const rows = program.profile({ xs: Tensor.zeros([steps, 4, 8]) });
      expect(rows.reduce((total, { share }) => total + share, 0)).toBeCloseTo(1, 9);
      const [loop, ...others] = rows.filter(({ kind }) => kind === 'loop');
      expect(others).toEqual([]);
      expect(loop).toMatchObject({ executions: 1, nodes: "[scan 'net']", once: false });
      const after = inOrder(rows).slice((loop?.instruction as number) + 1);
      // The program has no instructions after the loop, so these are its instructions.
      expect(after.map(({ executions }) => executions)).toEqual(after.map(() => steps));
      expect(after.map(({ kind }) => kind)).toContain('group');
      expect(program.stats().instructions).toBe(rows.length);
    }
  });

  it('has the time of a loop without the time of its instructions', () => {
    const big = parameter('big', Tensor.zeros([256, 256]));
    const { last } = scan(({ h }) => [{ h: tanh(matmul(h, big)) }, undefined], {
      initial: { h: input('h', [32, 256]) },
      length: 100,
    });
    const program = compile({ outputs: { h: last.h }, threads: 1 });
    const feeds = { h: Tensor.ones([32, 256]) };
    program.run(feeds);
    const rows = program.profile(feeds);
    const product = rows.find(({ kind }) => kind.includes('product') && kind !== 'pack');
    expect(product?.executions).toBe(100);
    // The loop does nothing but execute its instructions, and these take long.
    expect(rows.find(({ kind }) => kind === 'loop')?.share).toBeLessThan(0.2);
  });

  it('multiplies the steps of nested loops', () => {
    const { last } = scan(
      ({ h }, x) => {
        const inner = scan(({ g }, y) => [{ g: layer(g, y) }, undefined], {
          over: x,
          initial: { g: h },
          name: 'inner',
        });
        return [{ h: mul(inner.last.g, 0.5) }, undefined];
      },
      {
        over: input('xs', [3, 5, 4, 8]),
        initial: { h: constant(Tensor.zeros([4, 8])) },
        name: 'outer',
      },
    );
    const program = compile({ outputs: { h: last.h } });
    const rows = inOrder(program.profile({ xs: Tensor.ones([3, 5, 4, 8]) }));
    expect(rows.reduce((total, { share }) => total + share, 0)).toBeCloseTo(1, 9);
    const loops = rows.filter(({ kind }) => kind === 'loop');
    expect(loops.map(({ nodes, executions }) => [nodes, executions])).toEqual([
      ["[scan 'outer']", 1],
      ["[scan 'inner']", 3],
    ]);
    const product = rows.filter(({ kind }) => kind.includes('product'));
    expect(product.map(({ executions }) => executions)).toEqual([15]);
    expect(program.stats().productShapes).toEqual([[4, 8, 8, 15]]);
    expect(rows.every(({ microseconds }) => microseconds >= 0)).toBe(true);
  });

  it('has no executions of instructions whose results are kept', () => {
    const [m, scale] = [256, 0.5];
    const v = parameter('v', Tensor.zeros([m, m]));
    const { last } = scan(
      ({ h }, x) => [{ h: tanh(add(matmul(h, mul(v, scale)), x)) }, undefined],
      { over: input('xs', [6, 16, m]), initial: { h: constant(Tensor.zeros([16, m])) } },
    );
    const program = compile({ outputs: { h: last.h }, constants: [v] });
    const feeds = { xs: Tensor.ones([6, 16, m]) };
    const first = inOrder(program.profile(feeds));
    const second = inOrder(program.profile(feeds));
    const once = first.filter((row) => row.once);
    expect(once).toHaveLength(program.stats().onceInstructions);
    expect(once.length).toBeGreaterThan(0);
    for (const rows of [first, second]) {
      for (const { once: kept, executions, kind, microseconds } of rows) {
        if (!kept) expect(executions).toBeGreaterThan(0);
        else if (rows === first) expect(executions).toBe(1);
        else expect([executions, microseconds]).toEqual([0, 0]);
        if (kind === 'loop') expect(kept).toBe(false);
      }
      expect(rows.reduce((total, { share }) => total + share, 0)).toBeCloseTo(1, 9);
    }
    expect(second.filter(({ kind }) => kind === 'group').map((row) => row.executions)).toContain(6);
  });
});
