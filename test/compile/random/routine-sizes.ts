/** Computes the magnitudes of the results of routines (see magnitudes.ts) from the terms of which they are sums. */

import type { TypedArray } from '../../../src/tensor/dtype.js';
import { addInto, isFloats, type Known, known, type Sizes, Unfit } from './sizes.js';

/** How a routine is called, and what it reads. */
export interface RoutineCall {
  readonly args: readonly Known[];
  readonly reads: readonly (readonly number[])[];
  readonly write: readonly number[];
  readonly integers: readonly number[];
  readonly value: TypedArray;
  /** The values of two elements that differ by less than this may be in another order in another executor. */
  readonly nearTie: number;
  readonly exact: boolean;
}

/** Adds, for one element of the result, an element of an operand as a term. */
type Term = (to: number, operand: number, from: number, weight?: number) => void;

/**
 * Returns the magnitudes of the result of a routine.
 * @throws Unfit if rounding may decide which elements the routine selects
 */
export function routineSizes(routine: string, call: RoutineCall): Sizes {
  const visit = routines[routine];
  if (!visit) throw new Error(`no magnitude for the routine ${routine}`);
  const result = known(new Float64Array(call.value.length));
  const selects = visit(call, (to, operand, from, weight = 1) => {
    // In an exact graph, the sum before the division must be exact, too, so the terms are not divided.
    addInto(result, to, (call.args[operand] as Known).sizes, from, call.exact ? 1 : weight);
    if (weight !== 1) result.exact[to] = 0;
  });
  return selects || !isFloats(call.value) ? known(call.value) : result;
}

/** Visits the terms of a routine's result. Returns true if the result is indices, which have no terms. */
type Visit = (call: RoutineCall, term: Term) => boolean;

/** Calls `line` for each line along the middle axis of three. The function `of` gives the indices of its elements. */
function alongLines(
  [outer, n, inner]: readonly number[],
  line: (of: (j: number) => number, o: number, i: number) => void,
): void {
  for (let o = 0; o < (outer as number); o++) {
    for (let i = 0; i < (inner as number); i++) {
      line((j) => (o * (n as number) + j) * (inner as number) + i, o, i);
    }
  }
}

const fromStart = (index: number, n: number) => (index < 0 ? index + n : index);

/** Routines whose indices are one list for all lines: `rows` is along the table and `own` along the list. */
const alongList =
  (table: 0 | 1, visit: (row: number, own: number, term: Term) => void): Visit =>
  ({ args, reads, write }, term) => {
    const [outer, n, inner] = (table === 0 ? reads[0] : write) as [number, number, number];
    const rows = Array.from((args[1] as Known).value, (index) => fromStart(index, n));
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        rows.forEach((row, j) => {
          visit((o * n + row) * inner + i, (o * rows.length + j) * inner + i, term);
        });
      }
    }
    return false;
  };

/** Routines with an index for each element. */
const alongAxis =
  (visit: (row: number, own: number, term: Term) => void): Visit =>
  ({ args, reads }, term) => {
    const [table, indices] = reads as [[number, number, number], [number, number, number]];
    const [, n, inner] = table;
    const at = (args[1] as Known).value;
    alongLines(indices, (of, o, i) => {
      for (let j = 0; j < indices[1]; j++) {
        const row = fromStart(at[of(j)] as number, n);
        visit((o * n + row) * inner + i, of(j), term);
      }
    });
    return false;
  };

const copies = ({ args: [x] }: RoutineCall, term: Term) => {
  for (let i = 0; i < (x as Known).value.length; i++) term(i, 0, i);
};

/** Throws Unfit if two elements are nearly equal, and rounding may decide which is larger. */
function assertApart(call: RoutineCall, at: readonly number[]): void {
  if (call.exact) return;
  const { value, sizes } = call.args[0] as Known;
  if (!isFloats(value)) return;
  const sorted = at.toSorted((p, q) => (value[p] as number) - (value[q] as number));
  for (let i = 1; i < sorted.length; i++) {
    const [low, high] = [sorted[i - 1] as number, sorted[i] as number];
    const near = (value[high] as number) - (value[low] as number) < call.nearTie;
    if (near && !(sizes.exact[low] && sizes.exact[high])) throw new Unfit('near a tie');
  }
}

/** Routines that order the elements along an axis. */
const ordering: Visit = (call) => {
  const [, n] = call.reads[0] as [number, number, number];
  alongLines(call.reads[0] as readonly number[], (of) => {
    assertApart(
      call,
      Array.from({ length: n }, (_, j) => of(j)),
    );
  });
  return true;
};

/** A window of images: the index of its result, those of its elements, and its number of positions. */
interface Window {
  readonly to: number;
  readonly elements: readonly number[];
  /** The elements and the positions in the padding. */
  readonly positions: number;
}

type Five = readonly [number, number, number, number, number];

/** The positions of a window along one axis: those in the image, and their number with those in the padding. */
function along(
  window: number,
  length: number,
  [size, stride, dilation, before, after]: Five,
): { readonly inside: readonly number[]; readonly positions: number } {
  const start = window * stride - before;
  const all = Array.from({ length: size }, (_, i) => start + i * dilation);
  return {
    inside: all.filter((at) => at >= 0 && at < length),
    positions: all.filter((at) => at < length + after).length,
  };
}

/** The number of elements of one channel of one image. */
const planeOf = ([, , height, width]: readonly number[]) => (height as number) * (width as number);

function* windowsOf(
  [, , height, width]: readonly number[],
  [batch, channels, rows, columns]: readonly number[],
  integers: readonly number[],
): Generator<Window> {
  const of = (...at: number[]) => at.map((i) => integers[i] as number) as unknown as Five;
  const [vertical, horizontal] = [of(0, 2, 4, 6, 7), of(1, 3, 5, 8, 9)];
  let to = 0;
  const planes = (batch as number) * (channels as number);
  for (let plane = 0; plane < planes; plane++) {
    for (let row = 0; row < (rows as number); row++) {
      for (let column = 0; column < (columns as number); column++) {
        const y = along(row, height as number, vertical);
        const x = along(column, width as number, horizontal);
        const elements = y.inside.flatMap((i) =>
          x.inside.map((j) => (plane * (height as number) + i) * (width as number) + j),
        );
        yield { to: to++, elements, positions: y.positions * x.positions };
      }
    }
  }
}

/** The weight of an element in the mean over a window. The last integer says whether padding counts. */
const share = ({ integers }: RoutineCall, { elements, positions }: Window) =>
  1 / (integers[11] === 1 ? positions : elements.length);

const routines: Readonly<Record<string, Visit>> = {
  gather: alongList(0, (row, own, term) => term(own, 0, row)),
  scatterAdd: (call, term) => {
    copies(call, term);
    return alongList(1, (row, own, add) => add(row, 2, own))(call, term);
  },
  takeAlongAxis: alongAxis((row, own, term) => term(own, 0, row)),
  scatterAddAlongAxis: (call, term) => {
    copies(call, term);
    return alongAxis((row, own, add) => add(row, 2, own))(call, term);
  },
  takeLabels: ({ args, reads }, term) => {
    const [rows, classes] = reads[0] as [number, number];
    const labels = (args[1] as Known).value;
    for (let row = 0; row < rows; row++) term(row, 0, row * classes + (labels[row] as number));
    return false;
  },
  cumsum: ({ reads, integers }, term) => {
    const [, n] = reads[0] as [number, number, number];
    alongLines(reads[0] as readonly number[], (of) => {
      for (let j = 0; j < n; j++) {
        const [first, last] = integers[0] === 1 ? [j, n - 1] : [0, j];
        for (let k = first; k <= last; k++) term(of(j), 0, of(k));
      }
    });
    return false;
  },
  // The weight of each element is its derivative: the product of the others.
  cumprod: ({ args, reads }, term) => {
    const { value } = args[0] as Known;
    const [, n] = reads[0] as [number, number, number];
    alongLines(reads[0] as readonly number[], (of) => {
      for (let j = 0; j < n; j++) {
        for (let k = 0; k <= j; k++) {
          let others = 1;
          for (let l = 0; l <= j; l++) others *= l === k ? 1 : Math.abs(value[of(l)] as number);
          term(of(j), 0, of(k), others);
        }
      }
    });
    return false;
  },
  // result[j] is the sum of b[k], times the factors between k and j. The result at k - 1 is the slope of factor k.
  recurrence: ({ args, reads, integers, value }, term) => {
    const factors = (args[1] as Known).value;
    const [, n] = reads[0] as [number, number, number];
    const reverse = integers[0] === 1;
    alongLines(reads[0] as readonly number[], (of) => {
      for (let j = 0; j < n; j++) {
        let weight = 1;
        for (let k = j; k >= 0 && k < n; k += reverse ? 1 : -1) {
          term(of(j), 0, of(k), weight);
          const before = reverse ? k + 1 : k - 1;
          if (before < 0 || before >= n) break;
          const factor = of(reverse ? before : k);
          term(of(j), 1, factor, weight * Math.abs(value[of(before)] as number));
          weight *= Math.abs(factors[factor] as number);
        }
      }
    });
    return false;
  },
  sort: (call, term) => {
    ordering(call, term);
    const { value } = call.args[0] as Known;
    const [, n] = call.reads[0] as [number, number, number];
    const sign = call.integers[0] === 1 ? -1 : 1;
    alongLines(call.reads[0] as readonly number[], (of) => {
      const order = Array.from({ length: n }, (_, j) => j).toSorted(
        (p, q) => sign * ((value[of(p)] as number) - (value[of(q)] as number)),
      );
      order.forEach((from, to) => {
        term(of(to), 0, of(from));
      });
    });
    return false;
  },
  argsort: ordering,
  topK: ordering,
  argmin: ordering,
  maxPool: (call) => {
    const { reads, write, integers } = call;
    for (const { elements } of windowsOf(reads[0] as readonly number[], write, integers)) {
      assertApart(call, elements);
    }
    return true;
  },
  maxPoolValues: (call, term) => {
    const { args, reads, write, integers } = call;
    const plane = planeOf(reads[0] as readonly number[]);
    for (const { to, elements } of windowsOf(reads[0] as readonly number[], write, integers)) {
      const winner = (args[1] as Known).value[to];
      for (const from of elements) if (from % plane === winner) term(to, 0, from);
    }
    return false;
  },
  maxPoolGradient: (call, term) => {
    const { args, reads, write, integers } = call;
    const plane = planeOf(write);
    for (const { to: from, elements } of windowsOf(
      write,
      reads[0] as readonly number[],
      integers,
    )) {
      const winner = (args[1] as Known).value[from];
      for (const to of elements) if (to % plane === winner) term(to, 0, from);
    }
    return false;
  },
  avgPool: (call, term) => {
    const { reads, write, integers } = call;
    for (const window of windowsOf(reads[0] as readonly number[], write, integers)) {
      for (const from of window.elements) term(window.to, 0, from, share(call, window));
    }
    return false;
  },
  avgPoolGradient: (call, term) => {
    const { reads, write, integers } = call;
    for (const window of windowsOf(write, reads[0] as readonly number[], integers)) {
      for (const to of window.elements) term(to, 0, window.to, share(call, window));
    }
    return false;
  },
};
