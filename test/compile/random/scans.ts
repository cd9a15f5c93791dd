/**
 * Random graphs with loops. A body is a function of its random numbers, so the same body can be built for `scan` and for
 * the graph that is unrolled by hand. All numbers are small integers, so that all sums are exact.
 */

import {
  abs,
  add,
  backward,
  broadcastTo,
  cast,
  concat,
  constant,
  input,
  less,
  matmul,
  mul,
  type Node,
  neg,
  parameter,
  reshape,
  scan,
  slice,
  stack,
  sub,
  sum,
  type Tensor,
  tensor,
  transpose,
  type Variable,
  where,
} from '../../../src/index.js';

/** Random integers, which depend only on the seed. */
export class Numbers {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 2654435761 + 12345) >>> 0;
    for (let i = 0; i < 4; i++) this.below(2);
  }

  below(end: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * end);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}

const [rows, columns] = [2, 3];
type DType = 'float32' | 'float64';

function integers(numbers: Numbers, shape: readonly number[], most: number, dtype: DType): Tensor {
  const size = shape.reduce((product, dim) => product * dim, 1);
  const list = Array.from({ length: size }, () => numbers.below(2 * most + 1) - most);
  return tensor(list, { dtype, shape });
}

/** Replaces numbers that are not small by 1. */
function small(x: Node): Node {
  return where(less(abs(x), 20), x, 1);
}

/** What the bodies of a graph read from outside. */
interface Outside {
  readonly square: Node;
  readonly matrix: Node;
  readonly inner: Node;
}

/** Adds `count` random nodes [2, 3] to the pool. Returns the last. */
function grow(pool: Node[], count: number, numbers: Numbers, outside: Outside): Node {
  for (let i = 0; i < count; i++) {
    const a = numbers.pick(pool);
    const b = numbers.pick(pool);
    pool.push(
      numbers.pick([
        () => add(a, b),
        () => sub(a, b),
        () => neg(a),
        () => mul(a, 2),
        () => matmul(a, outside.square),
        () => matmul(a, outside.square, { transposeB: true }),
        () => add(a, outside.matrix),
        () => where(less(a, b), a, b),
        () => slice(concat([a, b], 1), { axis: 1, start: 2, end: 2 + columns }),
        () => reshape(transpose(a), [rows, columns]),
        () => add(a, broadcastTo(sum(b, [0], { keepDims: true }), [rows, columns])),
        () => add(a, broadcastTo(sum(b, [1], { keepDims: true }), [rows, columns])),
        () => matmul(matmul(a, b, { transposeB: true }), small(b)),
      ])(),
    );
  }
  return pool.at(-1) as Node;
}

interface Built {
  readonly last: readonly Node[];
  readonly ys: readonly Node[];
}

type Build = 'scan' | 'recompute' | 'unrolled';

/** Builds a loop: by `scan`, perhaps in segments of `every` steps, or unrolled. */
function loop(
  build: Build,
  steps: number | 'steps',
  reverse: boolean,
  initial: readonly Node[],
  over: readonly Node[],
  every: number,
  body: (carries: readonly Node[], xs: readonly Node[], t: Node) => Built,
): Built {
  const record = (nodes: readonly Node[]) =>
    Object.fromEntries(nodes.map((node, i) => [`n${i}`, node]));
  if (build !== 'unrolled') {
    const { last, ys } = scan(
      (carry, x, t) => {
        const made = body(Object.values(carry), Object.values(x), t);
        return [record(made.last), record(made.ys)] as const;
      },
      {
        over: record(over),
        initial: record(initial),
        reverse,
        length: steps,
        ...(build === 'recompute' && { recompute: { every } }),
      },
    );
    return { last: Object.values(last), ys: Object.values(ys) };
  }
  if (typeof steps === 'string') throw new Error('only a loop can have a named number of steps');
  let carries = initial;
  const kept: (readonly Node[])[] = new Array(steps);
  for (let n = 0; n < steps; n++) {
    const t = reverse ? steps - 1 - n : n;
    const xs = over.map((x) =>
      reshape(slice(x, { axis: 0, start: t, end: t + 1 }), x.shape.slice(1)),
    );
    const made = body(carries, xs, constant(tensor(t, { dtype: 'int32' })));
    carries = made.last;
    kept[t] = made.ys;
  }
  // The number of results is known only from a step, so that of no steps is found with the first rows of zeros.
  const count = kept[0]?.length ?? -1;
  const ys = Array.from({ length: Math.max(0, count) }, (_, i) =>
    stack(
      kept.map((list) => list[i] as Node),
      0,
    ),
  );
  return { last: carries, ys };
}

/** A random graph, built by `scan`, perhaps with the option `recompute`, or unrolled. */
export interface ScanCase {
  readonly leaves: readonly Variable[];
  readonly outputs: readonly Node[];
}

/**
 * Returns a random graph of a seed; in most cases, with its gradients.
 * @param named whether the number of steps is the dimension 'steps', and the rows are fed
 */
export function scanCase(seed: number, build: Build, named = false): ScanCase {
  const numbers = new Numbers(seed);
  const dtype: DType = numbers.below(2) === 0 ? 'float64' : 'float32';
  const drawn = numbers.pick([0, 1, 2, 3, 4]);
  const steps = named ? 'steps' : drawn;
  const every = 1 + (seed % 3);
  const reverse = numbers.below(2) === 1;
  const nested = numbers.below(3) === 0;
  const carries = numbers.below(4);
  const inputs = numbers.below(3);
  const variable = (name: string, shape: readonly number[], most: number) =>
    parameter(name, integers(numbers, shape, most, dtype));
  const square = variable('square', [columns, columns], 1);
  const matrix = variable('matrix', [rows, columns], 3);
  const inner = variable('inner', [2, rows, columns], 3);
  const initial = Array.from({ length: carries }, (_, i) =>
    numbers.below(4) === 0
      ? broadcastTo(constant(0, { dtype }), [rows, columns])
      : variable(`initial${i}`, [rows, columns], 3),
  );
  const over = Array.from({ length: inputs }, (_, i) =>
    named
      ? input(`over${i}`, ['steps', rows, columns], { dtype })
      : variable(`over${i}`, [drawn, rows, columns], 3),
  );
  const leaves = [square, matrix, inner, ...initial, ...over].filter(
    (node): node is Variable => node.op.name === 'parameter',
  );
  const shape = {
    seed: numbers.below(2 ** 30),
    nodes: 1 + numbers.below(6),
    kept: numbers.below(3),
    // Which last values of the carries are not read.
    unused: numbers.pick(['none', 'none', 'first', 'last', 'last', 'all'] as const),
    index: numbers.below(3) === 0,
    trains: numbers.below(3) > 0,
  };
  const outside = { square, matrix, inner };

  const body = (at: readonly Node[], xs: readonly Node[], t: Node): Built => {
    const own = new Numbers(shape.seed);
    const pool: Node[] = [...at, ...xs, matrix];
    if (shape.index) pool.push(add(matrix, cast(t, dtype)));
    grow(pool, shape.nodes, own, outside);
    if (nested) {
      const innerReverse = own.below(2) === 1;
      const [innerSeed, first] = [own.below(2 ** 30), own.pick(pool)];
      const shared = own.pick(pool);
      const made = loop(build, 2, innerReverse, [small(first)], [inner], 1, ([c], [x]) => {
        const within = new Numbers(innerSeed);
        const value = grow([c as Node, x as Node, shared], 3, within, outside);
        return { last: [small(value)], ys: [value] };
      });
      pool.push(made.last[0] as Node, sum(made.ys[0] as Node, [0]));
    }
    const last: Node[] = [];
    for (const i of at.keys()) {
      const next = small(own.pick(pool.slice(i)));
      // A carry may end as another one began, or as another one ends.
      const choices = [next, next, at[0] as Node, last[0] ?? next, last[0] ?? next];
      last.push(i === 0 ? next : own.pick(choices));
    }
    const ys = Array.from({ length: shape.kept }, () => small(own.pick(pool)));
    return { last, ys };
  };
  const { last, ys } = loop(build, steps, reverse, initial, over, every, body);
  const used = {
    none: last,
    first: last.slice(1),
    last: last.slice(0, -1),
    all: [],
  }[shape.unused];
  const results = [...used, ...(steps === 0 ? [] : ys)];
  // The cotangents depend only on the position.
  const roots = results.map((node, i) => {
    if (named)
      return [node, broadcastTo(constant(((i * 3) % 5) - 2, { dtype }), node.shape)] as const;
    const size = (node.shape as number[]).reduce((product, dim) => product * dim, 1);
    const data = Array.from({ length: size }, (_, at) => ((at * 7 + i * 3) % 5) - 2);
    return [node, constant(tensor(data, { dtype, shape: node.shape as number[] }))] as const;
  });
  const outputs: Node[] = [...results];
  if (roots.length > 0 && shape.trains) {
    const gradients = backward(roots);
    for (const leaf of leaves) {
      outputs.push(gradientOf(gradients, leaf) ?? broadcastTo(constant(0, { dtype }), leaf.shape));
    }
  }
  return { leaves, outputs };
}

function gradientOf(gradients: ReturnType<typeof backward>, leaf: Variable): Node | undefined {
  try {
    return gradients.of(leaf);
  } catch {
    return undefined; // the graph does not depend on the leaf
  }
}

/** Whether all numbers are exact integers of the dtype. */
export function isExact({ data, dtype }: Tensor): boolean {
  const most = dtype === 'float32' ? 2 ** 24 : 2 ** 53;
  return Array.from(data as Float64Array).every((x) => Number.isInteger(x) && Math.abs(x) < most);
}
