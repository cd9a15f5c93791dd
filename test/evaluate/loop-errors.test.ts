// Errors of the reference executor in the bodies of loops, and its search for values that are not finite there.
import { describe, expect, it } from 'vitest';
import { describeNotFinite, firstNotFinite } from '../../src/evaluate/finite.js';
import { Interpreter } from '../../src/evaluate/interpreter.js';
import { type Loop, loopOf } from '../../src/graph/loop.js';
import {
  add,
  backward,
  compile,
  constant,
  gather,
  input,
  log,
  mul,
  type Node,
  parameter,
  scan,
  sortWithIndices,
  sub,
  sum,
  Tensor,
  tensor,
  ValueError,
} from '../../src/index.js';
import { errorOf } from '../support.js';

const xss = input('xss', [3, 4, 2]);

/** Returns the values of the feed `xss`: ones, in which one element is another number. */
function ones(at: readonly [number, number, number], value: number): Float32Array {
  const data = new Float32Array(24).fill(1);
  data[at[0] * 8 + at[1] * 2 + at[2]] = value;
  return data;
}

/** A loop over the rows of `xss`, with a loop over their rows in it. */
function nested(inner: (g: Node, y: Node) => Node, reverse: boolean) {
  return scan(
    ({ h }, x) => {
      const all = scan(
        ({ g }, y) => {
          const next = inner(g, y);
          return [{ g: next }, next];
        },
        { over: x, initial: { g: h }, name: 'inner', reverse },
      );
      return [{ h: all.last.g }, all.ys];
    },
    { over: xss, initial: { h: constant(tensor([1, 1])) }, name: 'outer', reverse: !reverse },
  );
}

function search(roots: readonly Node[], data: Float32Array): string | undefined {
  const found = firstNotFinite(roots, new Map([[xss, { data }]]), new Map(), 0);
  return found && describeNotFinite(found).replace(/#\d+/g, '#');
}

describe('firstNotFinite', () => {
  it.each([false, true])('looks at each step of each loop, inner reverse %s', (reverse) => {
    const { last, ys } = nested((g, y) => add(mul(g, 0.5), log(y)), reverse);
    const downstream = [sum(mul(ys, 2)), last.h];
    for (const outer of [0, 1, 2]) {
      for (const inner of [0, 3]) {
        expect(search(downstream, ones([outer, inner, 1], -1))).toBe(
          `[log #] is NaN at [1] in [scan 'outer'], step ${outer}, in [scan 'inner'], step ${inner}`,
        );
      }
    }
    expect(search(downstream, ones([0, 0, 0], 2))).toBeUndefined();
  });

  it('names a value before the loop, after it, and a sum over the steps, without a step', () => {
    const before = scan(({ h }, x) => [{ h: add(h, x) }, h], {
      over: log(xss),
      initial: { h: constant(Tensor.zeros([4, 2])) },
    });
    expect(search([before.ys], ones([1, 2, 0], 0))).toBe('[log #] is -Infinity at [1, 2, 0]');
    // The outer loop runs from 2 to 0. The number -1 remains a factor of all later carries.
    const products = nested((g, y) => mul(g, y), false).ys;
    expect(search([log(products)], ones([1, 2, 1], -1))).toBe('[log #] is NaN at [0, 0, 1]');
    const w = parameter('w', Tensor.ones([4, 2]));
    const { ys } = scan((_, x) => [{}, mul(x, w)], { over: xss, name: 'net' });
    const data = ones([0, 0, 0], 1).fill(2e38);
    expect(search([backward(sum(ys)).of(w)], data)).toBe(
      "a result of [scan 'net.backward'] of [scan 'net'] is Infinity at [0, 0]",
    );
  });

  it('does not look at carries and rows that are constants, but at what is computed of them', () => {
    const { last, ys } = scan(({ h }, x) => [{ h: add(mul(h, 0), x) }, undefined], {
      over: xss,
      initial: { h: constant(Tensor.full([4, 2], Number.NEGATIVE_INFINITY)) },
      name: 'net',
    });
    expect(ys).toBeUndefined();
    expect(search([last.h], ones([0, 0, 0], 1))).toBe(
      "[mul #] is NaN at [0, 0] in [scan 'net'], step 0",
    );
  });

  it('looks only in the iteration that is sought, at all nodes that are sought', () => {
    const seen: Node[] = [];
    const { last } = scan(
      ({ h }, x) => {
        const node = log(x);
        seen.push(node);
        return [{ h: add(mul(h, 0.5), node) }, undefined];
      },
      { over: xss, initial: { h: constant(Tensor.zeros([4, 2])) }, name: 'net', reverse: true },
    );
    const [scanned] = last.h.inputs as [Node];
    const data = ones([2, 0, 0], -1);
    data[8 + 5] = -1;
    const feeds = new Map([[xss, { data }]]);
    const at = (iteration: number) => {
      const sought = new Map([[scanned, { nodes: new Set(seen), iteration }]]);
      const found = firstNotFinite([scanned], feeds, new Map(), 0, sought);
      return found && [found.index, found.steps.map(({ t }) => t)];
    };
    // Iteration 0 is step 2.
    expect(at(0)).toEqual([[0, 0], [2]]);
    expect(at(1)).toEqual([[2, 1], [1]]);
    expect(at(2)).toBeUndefined();
  });

  it('ends after the iteration that is sought, before what reads the loop', () => {
    const seen: { scanned: Node; node: Node }[] = [];
    const outer = scan(
      ({ h }, x) => {
        const { last } = scan(({ g }, y) => [{ g: sub(g, y) }, undefined], {
          over: x,
          initial: { g: h },
        });
        const [scanned] = last.g.inputs as [Node];
        seen.push({ scanned, node: (loopOf(scanned) as Loop).carries[0]?.next as Node });
        // The carry is 1 - 4 at the end.
        return [{ h: log(last.g) }, undefined];
      },
      { over: xss, initial: { h: constant(tensor([1, 1])) } },
    );
    const [scanned] = outer.last.h.inputs as [Node];
    const inner = seen[0] as { scanned: Node; node: Node };
    const sought = new Map([
      [scanned, { nodes: new Set([inner.scanned]), iteration: 0 }],
      [inner.scanned, { nodes: new Set([inner.node]), iteration: 3 }],
    ]);
    const feeds = new Map([[xss, { data: ones([0, 0, 0], 1) }]]);
    const found = (where: typeof sought) => firstNotFinite([scanned], feeds, new Map(), 0, where);
    expect(found(sought)).toBeUndefined();
    sought.delete(inner.scanned);
    expect(found(sought)?.node.op.name).toBe('log');
  });
});

describe('an error in a step of a loop', () => {
  it('names the node, the loops and their steps, also when the interpreter runs again', () => {
    const table = constant(tensor([10, 20, 30]));
    const ids = input('ids', [2, 3], { dtype: 'int32' });
    const { last } = scan(
      ({ h }, x) => [
        {
          h: scan(({ g }, i) => [{ g: add(g, gather(table, i).named('entry')) }, undefined], {
            over: x,
            initial: { g: h },
            name: 'inner',
            reverse: true,
          }).last.g,
        },
        undefined,
      ],
      { over: ids, initial: { h: 0 }, name: 'outer' },
    );
    const interpreter = new Interpreter([last.h, gather(table, ids).named('outside')]);
    const run = (data: number[]) =>
      interpreter.run({ ids: tensor(Int32Array.from(data), { shape: [2, 3] }) });
    const message = (data: number[]) => {
      const error = errorOf(() => run(data));
      expect(error).toBeInstanceOf(ValueError);
      return error.message;
    };
    const range = 'but the valid indices of axis 0 are from -3 to 2';
    for (let again = 0; again < 2; again++) {
      expect(message([0, 1, 2, 0, 3, 2])).toBe(
        `[gather 'entry'] in [scan 'outer'], step 1, in [scan 'inner'], step 1: element 0 of the indices is 3, ${range}`,
      );
      expect(run([0, 1, 2, 0, -1, 2])[0]?.item()).toBe(130);
    }
    const outside = new Interpreter([gather(table, ids).named('outside'), last.h]);
    expect(
      errorOf(() =>
        outside.run({ ids: tensor(Int32Array.of(0, 0, 0, 0, 0, 9), { shape: [2, 3] }) }),
      ).message,
    ).toBe(`[gather 'outside']: element 5 of the indices is 9, ${range}`);
  });
});

describe('checkFinite', () => {
  it('finds a value that is computed of an op with several results', () => {
    const x = input('x', [2]);
    const program = compile({ outputs: { y: log(sortWithIndices(x).values).named('y') } });
    const error = errorOf(() => program.run({ x: [1, -1] }, { checkFinite: true }));
    expect(error.message).toBe("run 0: [log 'y'] is NaN at [0]; the run has written nothing");
  });
});
