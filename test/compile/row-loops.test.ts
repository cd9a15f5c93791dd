// Fused loops over whole rows: reductions along the last axis, computed in one loop with what they read and with what
// reads them.
import { describe, expect, it } from 'vitest';
import {
  add,
  backward,
  compile,
  div,
  evaluate,
  exp,
  type Feeds,
  greater,
  input,
  logSoftmax,
  matmul,
  max,
  maximum,
  mean,
  mul,
  type Node,
  neg,
  parameter,
  reshape,
  softmax,
  sqrt,
  square,
  sub,
  sum,
  tanh,
  tensor,
  transpose,
  where,
} from '../../src/index.js';
import { fused, schedule } from './support.js';

/** Returns a generator of numbers from 0 to 1. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const integers = (shape: readonly number[], seed: number, most = 4) => {
  const next = generator(seed);
  const size = shape.reduce((product, length) => product * length, 1);
  const values = Float32Array.from({ length: size }, () => Math.round((next() * 2 - 1) * most));
  return tensor(values, { shape });
};

const keep = { keepDims: true } as const;

/** Layer normalisation over the last axis. */
const normalized = (x: Node) => {
  const centred = sub(x, mean(x, -1, keep));
  return div(centred, sqrt(add(mean(square(centred), -1, keep), 1e-5)));
};

function run(outputs: Readonly<Record<string, Node>>, feeds: Feeds) {
  const expected = evaluate(outputs, feeds);
  const program = compile({ outputs });
  return { expected, given: program.run(feeds), program };
}

/** Checks that a program gives the same bits as evaluate(). All sums of its numbers must be exact. */
function agreeExactly(outputs: Readonly<Record<string, Node>>, feeds: Feeds): void {
  const { expected, given } = run(outputs, feeds);
  for (const [name, value] of Object.entries(expected))
    expect(given[name]?.toArray(), name).toEqual(value.toArray());
}

function agree(outputs: Readonly<Record<string, Node>>, feeds: Feeds): void {
  const { expected, given } = run(outputs, feeds);
  for (const [name, value] of Object.entries(expected)) {
    const other = given[name] as typeof value;
    expect(other.shape).toEqual(value.shape);
    const scale = Math.max(1e-3, ...Array.from(value.data, Math.abs));
    value.data.forEach((element, i) => {
      const difference = Math.abs((other.data[i] as number) - element);
      expect(difference, `${name}[${i}]`).toBeLessThanOrEqual(2e-6 * scale);
    });
  }
}

/** Returns y and the gradients of the sum of y times `g` for these inputs. */
function withGradients(y: Node, inputs: readonly Node[], g: Node): Record<string, Node> {
  const gradients = backward(sum(mul(y, g)));
  return { y, ...Object.fromEntries(inputs.map((x, i) => [`d${i}`, gradients.of(x)])) };
}

describe('a normalisation of rows, forward and backward', () => {
  const shapes = [
    [1, 40],
    [6, 40],
    [5, 33],
    [2, 3, 64],
    [3, 1, 1000],
    [2, 1500],
    [300, 32],
  ];
  for (const [name, of] of Object.entries({ softmax, logSoftmax, normalized })) {
    for (const shape of shapes) {
      it(`agrees with evaluate: ${name} of [${shape.join(', ')}]`, () => {
        const x = parameter('x', integers(shape, 1));
        const g = input('g', shape);
        agree(withGradients(of(x), [x], g), { g: integers(shape, 2) });
      });
    }
  }

  it('is one fused loop: softmax', () => {
    const x = parameter('x', integers([6, 40], 1));
    const outputs = withGradients(softmax(x), [x], input('g', [6, 40]));
    const { schedule: items, fired } = fused(Object.values(outputs));
    expect(items.map(({ kind }) => kind)).toEqual(['group']);
    expect(fired.get('fuse: reduction of rows in a loop')).toBe(3);
  });

  it('is one fused loop: layer normalisation without parameters', () => {
    const x = parameter('x', integers([6, 40], 1));
    const outputs = withGradients(normalized(x), [x], input('g', [6, 40]));
    const { schedule: items } = fused(Object.values(outputs));
    expect(items.map(({ kind }) => kind)).toEqual(['group']);
  });

  it('is written to one instruction, which a profile names', () => {
    const x = parameter('x', integers([6, 40], 1));
    const program = compile({ outputs: { y: softmax(x) } });
    expect(program.profile({}).map(({ kind }) => kind)).toEqual(['row group']);
  });
});

describe('a reduction of rows', () => {
  it('needs no loop if it reads only memory', () => {
    const x = input('x', [6, 40]);
    expect(schedule(fused([sum(x, -1)]))).toBe('\nreduce [6]\n');
    expect(schedule(fused([max(x, -1, keep)]))).toBe('\nreduce [6]\n');
  });

  it('of short or of very long rows is not fused', () => {
    for (const columns of [31, 16_385]) {
      const x = input('x', [6, columns]);
      const { schedule: items } = fused([max(exp(x), -1)]);
      expect(items.map(({ kind }) => kind)).toEqual(['group', 'single']);
    }
    const short = fused([sum(exp(input('x', [6, 31])), -1)]);
    expect(short.schedule.map(({ kind }) => kind)).toEqual(['group', 'single']);
  });

  it('is a sum over all axes but one, if it sums very long rows', () => {
    const x = input('x', [6, 16_385]);
    const { schedule: items, fired } = fused([sum(square(x), -1)]);
    expect(items.map(({ kind }) => kind)).toEqual(['group']);
    expect(fired.get('fuse: sum over all axes but one in a loop')).toBe(1);
    agreeExactly({ s: sum(square(x), -1) }, { x: integers([6, 16_385], 33) });
  });

  it('along another axis than the last one is not fused', () => {
    const x = input('x', [40, 50]);
    const { schedule: items } = fused([softmax(x, 0)]);
    // The maximum. The sum is added in the loop that computes the powers.
    expect(items.filter(({ kind }) => kind === 'single')).toHaveLength(1);
    agree({ y: softmax(x, 0) }, { x: integers([40, 50], 3) });
  });

  it('along another axis is not fused with a value that reads the result either', () => {
    const x = input('x', [6, 40, 50]);
    const { schedule: items } = fused([neg(sum(x, 1))]);
    expect(items.map(({ kind }) => kind)).toEqual(['single', 'group']);
    agreeExactly({ y: neg(sum(x, 1)) }, { x: integers([6, 40, 50], 24) });
  });

  it('is fused with the values that it sums, which are then not stored', () => {
    const [x, y] = [input('x', [6, 40]), input('y', [6, 40])];
    const { schedule: items } = fused([sum(mul(x, y), -1)]);
    expect(items.map(({ kind }) => kind)).toEqual(['group']);
    agreeExactly({ s: sum(mul(x, y), -1) }, { x: integers([6, 40], 4), y: integers([6, 40], 5) });
  });

  it('can be read in the loop and outside of it', () => {
    const x = input('x', [6, 40]);
    const s = sum(square(x), -1);
    const w = parameter('w', integers([6, 3], 6));
    const outputs = {
      y: add(x, reshape(s, [6, 1])),
      p: matmul(reshape(s, [1, 6]), w),
      t: sum(s),
      s,
    };
    agreeExactly(outputs, { x: integers([6, 40], 7) });
  });

  it('of views of values: transposed, negative steps and broadcasts', () => {
    const x = parameter('x', integers([40, 6], 8));
    const row = parameter('row', integers([40], 9));
    const column = parameter('column', integers([6, 1], 10));
    const turned = transpose(x);
    const y = add(mul(turned, row), column);
    agreeExactly(
      { y: sub(y, max(y, -1, keep)), s: sum(y, -1), t: sub(turned, sum(turned, -1, keep)) },
      {},
    );
  });

  it('of a value that another reduction precedes, twice', () => {
    const x = input('x', [2, 4, 50]);
    const first = sub(x, max(x, -1, keep));
    const second = add(first, sum(first, -1, keep));
    const third = mul(where(greater(second, 0), 1, -1), sum(second, -1, keep));
    agreeExactly({ first, second, third, all: sum(third) }, { x: integers([2, 4, 50], 11) });
  });

  it('of rows of two axes: each reduction has a loop of its own', () => {
    const x = input('x', [3, 40, 50]);
    const inner = sum(square(x), -1);
    const outer = sum(square(inner), -1);
    agreeExactly(
      { y: sub(x, reshape(inner, [3, 40, 1])), z: sub(inner, reshape(outer, [3, 1])) },
      { x: integers([3, 40, 50], 12, 1) },
    );
  });

  it('of rows that hold NaN or an infinity gives what evaluate gives', () => {
    const values = integers([4, 40], 13);
    values.data[3] = Number.NaN;
    values.data[50] = Number.POSITIVE_INFINITY;
    values.data.fill(Number.NEGATIVE_INFINITY, 80, 120);
    const x = input('x', [4, 40]);
    agreeExactly({ y: softmax(x), m: max(tanh(x), -1) }, { x: values });
  });

  it('can write a result over an operand that is not read any more', () => {
    const x = input('x', [64, 40]);
    const first = exp(mul(x, 0.1));
    const second = softmax(matmul(first, parameter('w', integers([40, 40], 14))));
    const third = softmax(matmul(second, parameter('v', integers([40, 40], 15))));
    agree({ third }, { x: integers([64, 40], 16) });
  });
});

/** Draws a random graph over values of shape [2, 3, columns] and of one element for each row. */
function randomGraph(seed: number, columns: number): Record<string, Node> {
  const next = generator(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const full: Node[] = [
    input('x', [2, 3, columns]),
    input('y', [2, 3, columns]),
    input('z', [columns]),
  ];
  const rows: Node[] = [input('r', [2, 3, 1])];
  // Numbers stay small integers, so that the sums are exact.
  const bounded = (node: Node) => maximum(neg(maximum(neg(node), -8)), -8);
  for (let i = 0; i < 9; i++) {
    const draw = next();
    if (draw < 0.25)
      rows.push(bounded(sum(pick(full.slice(0, 2).concat(full.slice(3))), -1, keep)));
    else if (draw < 0.4) rows.push(max(pick(full.slice(0, 2).concat(full.slice(3))), -1, keep));
    else if (draw < 0.5) rows.push(bounded(add(pick(rows), pick(rows))));
    else if (draw < 0.6) rows.push(reshape(reshape(neg(pick(rows)), [6]), [2, 3, 1]));
    else if (draw < 0.8) full.push(bounded(sub(pick(full.slice(0, 2)), pick(rows))));
    else full.push(bounded(add(bounded(mul(pick(full.slice(0, 2)), pick(full))), pick(rows))));
  }
  const [a, b] = [pick(full.slice(3).concat(full[0] as Node)), pick(rows)];
  return {
    a,
    b: reshape(b, [6]),
    last: full.at(-1) as Node,
    s: sum(full.at(-1) as Node),
    t: sum(rows.at(-1) as Node),
    u: sum(add(full.at(-1) as Node, full[0] as Node), [0, 1]),
  };
}

it('random graphs of reductions of rows give the same bits as evaluate', () => {
  let loops = 0;
  for (let seed = 0; seed < 400; seed++) {
    const columns = [32, 33, 64, 100, 1100][seed % 5] as number;
    const outputs = randomGraph(seed, columns);
    const feeds = {
      x: integers([2, 3, columns], seed),
      y: integers([2, 3, columns], seed + 1),
      z: integers([columns], seed + 2),
      r: integers([2, 3, 1], seed + 3),
    };
    const names = new Set(['x', 'y', 'z', 'r'].filter((name) => usesInput(outputs, name)));
    const used = Object.fromEntries(Object.entries(feeds).filter(([name]) => names.has(name)));
    agreeExactly(outputs, used);
    loops += fused(Object.values(outputs)).fired.get('fuse: reduction of rows in a loop') ?? 0;
  }
  expect(loops).toBeGreaterThan(400);
});

function usesInput(outputs: Readonly<Record<string, Node>>, name: string): boolean {
  const seen = new Set<Node>();
  const visit = (node: Node): boolean => {
    if (seen.has(node)) return false;
    seen.add(node);
    return node.name === name || node.inputs.some(visit);
  };
  return Object.values(outputs).some(visit);
}

describe('a sum of the rows of a matrix', () => {
  const x = input('x', [50, 40]);
  const row = parameter('row', integers([40], 20));
  const feeds = { x: integers([50, 40], 21) };

  it('is added in the loop over whole rows that computes the matrix, which is then not stored', () => {
    const y = mul(sub(x, max(x, -1, keep)), row);
    const outputs = { s: sum(y, 0), m: max(y, -1) };
    const { schedule: items, fired } = fused(Object.values(outputs));
    expect(items.map(({ kind }) => kind)).toEqual(['group']);
    expect(fired.get('fuse: sum of rows in a loop')).toBe(1);
    agreeExactly(outputs, feeds);
  });

  it('is added in the loop over whole rows that loads the matrix', () => {
    const outputs = { s: sum(x, 0), y: sub(x, max(x, -1, keep)) };
    const { schedule: items } = fused(Object.values(outputs));
    expect(items.map(({ kind }) => kind)).toEqual(['group']);
    agreeExactly(outputs, feeds);
  });

  it('of several leading axes is added in the loop that computes them', () => {
    const z = input('z', [5, 10, 40]);
    const y = sub(z, max(z, -1, keep));
    const outputs = { s: sum(y, [0, 1]), y };
    const { schedule: items } = fused(Object.values(outputs));
    expect(items.map(({ kind }) => kind)).toEqual(['group']);
    agreeExactly(outputs, { z: integers([5, 10, 40], 22) });
  });

  it('makes the loop that computes the matrix one over whole rows', () => {
    const outputs = { s: sum(mul(x, row), 0) };
    const { schedule: items, fired } = fused(Object.values(outputs));
    expect(items.map(({ kind }) => kind)).toEqual(['group']);
    expect(fired.get('fuse: sum of rows in a loop')).toBe(1);
    agreeExactly(outputs, feeds);
  });

  it('is not added in a loop with short rows', () => {
    const z = input('z', [9, 7]);
    const { schedule: items } = fused([sum(square(z), 0)]);
    expect(items.map(({ kind }) => kind)).toEqual(['group', 'single']);
    agreeExactly({ s: sum(square(z), 0) }, { z: integers([9, 7], 30) });
  });

  it('gives the same bits for any number of threads', () => {
    const wide = parameter('wide', integers([3000, 300], 23));
    const y = exp(sub(wide, max(wide, -1, keep)));
    const of = (threads: number) => compile({ outputs: { s: sum(y, 0), y }, threads }).run({});
    const [one, two] = [of(1), of(2)];
    expect(two.s.data).toEqual(one.s.data);
    expect(two.y.data).toEqual(one.y.data);
  });
});

describe('a sum over all axes but one', () => {
  const x = input('x', [3, 4, 20, 16]);
  const others = [0, 2, 3];
  const values = integers([3, 4, 20, 16], 31, 2);

  it('is added in the loop that computes its operand, with a segment for each index', () => {
    const centred = sub(x, mean(x, others, keep));
    const outputs = { s: sum(square(sub(x, 1)), others), t: sum(mul(x, 3), others) };
    const { schedule: items, fired } = fused(Object.values(outputs));
    expect(items.map(({ kind }) => kind)).toEqual(['group']);
    expect(fired.get('fuse: sum over all axes but one in a loop')).toBe(2);
    agreeExactly(outputs, { x: values });
    agree({ variance: mean(square(centred), others) }, { x: values });
  });

  it('is not added in a loop with a sum over other axes', () => {
    const y = mul(x, x);
    const outputs = { s: sum(y, [0, 2, 3]), t: sum(y, [1, 2, 3]), all: sum(y) };
    const { fired } = fused(Object.values(outputs));
    expect(fired.get('fuse: sum over all axes but one in a loop')).toBe(1);
    agreeExactly(outputs, { x: values });
  });

  it('is not added in a loop if it has few terms', () => {
    const z = input('z', [3, 4, 8, 16]);
    const { fired } = fused([sum(square(z), others)]);
    expect(fired.get('fuse: sum over all axes but one in a loop')).toBeUndefined();
  });

  it('gives the same bits for any number of threads', () => {
    const wide = parameter('wide', integers([60, 8, 40, 40], 32));
    const y = exp(mul(wide, 0.1));
    const of = (threads: number) =>
      compile({ outputs: { s: sum(y, [0, 2, 3]), y }, threads }).run({});
    const [one, two] = [of(1), of(2)];
    expect(two.s.data).toEqual(one.s.data);
    expect(two.y.data).toEqual(one.y.data);
  });
});
