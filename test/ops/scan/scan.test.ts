// Loops in the reference executor: against the graph unrolled by hand, and against finite differences.
import { describe, expect, it } from 'vitest';
import {
  add,
  backward,
  cast,
  checkGradients,
  compile,
  concat,
  constant,
  DTypeError,
  evaluate,
  GraphError,
  input,
  matmul,
  mul,
  type Node,
  parameter,
  randomNormal,
  ShapeError,
  scan,
  sideUpdate,
  sigmoid,
  slice,
  squeeze,
  stack,
  state,
  stopGradient,
  sub,
  sum,
  Tensor,
  tanh,
  tensor,
  ValueError,
} from '../../../src/index.js';
import { randomTensor } from './support.js';

const units = 3;
const weight = () => parameter('w', randomTensor([2 + units, units], 1));
const step = (h: Node, x: Node, w: Node) => tanh(matmul(concat([x, h], 1), w));
const rowOf = (xs: Node, t: number) => squeeze(slice(xs, { axis: 0, start: t, end: t + 1 }), [0]);

/** The parts of a small recurrent network, which `build` makes into outputs. */
function network(steps: number) {
  const w = weight();
  const xs = parameter('xs', randomTensor([steps, 2, 2], 2));
  const h0 = parameter('h0', randomTensor([2, units], 3));
  return { w, xs, h0, leaves: [w, xs, h0] };
}

function expectClose(one: { data: ArrayLike<number> }, other: { data: ArrayLike<number> }): void {
  expect(one.data.length).toBe(other.data.length);
  for (let i = 0; i < one.data.length; i++)
    expect(one.data[i] as number).toBeCloseTo(other.data[i] as number, 12);
}

describe('scan', () => {
  it.each([false, true])('equals the unrolled graph bit for bit, reverse %s', (reverse) => {
    const { w, xs, h0, leaves } = network(4);
    const { last, ys } = scan(
      ({ h }, x) => {
        const next = step(h, x, w);
        return [{ h: next }, next];
      },
      { over: xs, initial: { h: h0 }, reverse },
    );
    let h: Node = h0;
    const all: Node[] = new Array(4);
    for (const t of reverse ? [3, 2, 1, 0] : [0, 1, 2, 3]) {
      h = step(h, rowOf(xs, t), w);
      all[t] = h;
    }
    const unrolled = stack(all, 0);
    expect(evaluate(ys).data).toEqual(evaluate(unrolled).data);
    expect(evaluate(last.h).data).toEqual(evaluate(h).data);
    const loss = (y: Node, end: Node) => add(sum(mul(y, y)), sum(mul(end, 0.5)));
    const [a, b] = [backward(loss(ys, last.h)), backward(loss(unrolled, h))];
    for (const leaf of leaves) expectClose(evaluate(a.of(leaf)), evaluate(b.of(leaf)));
  });

  it('has the gradients of finite differences, and the second ones', () => {
    const { w, xs, h0, leaves } = network(3);
    const { last, ys } = scan(
      ({ h }, x) => {
        const next = step(h, x, w);
        return [{ h: next }, mul(next, h)];
      },
      { over: xs, initial: { h: h0 }, reverse: true },
    );
    const loss = add(sum(mul(ys, ys)), sum(last.h));
    checkGradients(loss, leaves);
    const gradients = backward(loss);
    const squares = leaves.map((leaf) => sum(mul(gradients.of(leaf), gradients.of(leaf))));
    checkGradients(add(add(squares[0] as Node, squares[1] as Node), squares[2] as Node), leaves);
  });

  it('finds a wrong gradient rule in the body', () => {
    const { w, xs, h0, leaves } = network(3);
    const wrong = ({ h }: { h: Node }, x: Node) => {
      const next = step(h, x, w);
      // The value of 2 h - h is h, and without the gradient of the part that is stopped, its gradient is twice too large.
      return [{ h: sub(mul(next, 2), stopped(next)) }, next] as const;
    };
    const { last } = scan(wrong, { over: xs, initial: { h: h0 } });
    expect(() => checkGradients(sum(last.h), leaves)).toThrow();
  });

  it('takes and returns records, passes the index, and shares weights inside and outside', () => {
    const w = parameter('w', randomTensor([2, 2], 4));
    const a = parameter('a', randomTensor([3, 2, 2], 5));
    const b = parameter('b', randomTensor([3, 2, 2], 6));
    const { last, ys } = scan(
      ({ left, right }, { a: p, b: q }, t) => [
        { left: add(matmul(p, w), right), right: mul(left, sigmoid(q)) },
        { product: mul(left, q), t },
      ],
      {
        over: { a, b },
        initial: {
          left: constant(randomTensor([2, 2], 7)),
          right: constant(randomTensor([2, 2], 8)),
        },
        name: 'pair',
      },
    );
    expect(Object.keys(ys)).toEqual(['product', 't']);
    expect([...evaluate(ys.t).data]).toEqual([0, 1, 2]);
    const loss = add(sum(matmul(last.left, w)), sum(mul(ys.product, ys.product)));
    checkGradients(loss, [w, a, b]);
  });

  it('nests: an inner loop over the rows of a row', () => {
    const xs = parameter('xs', randomTensor([2, 3, 2], 9));
    const w = parameter('w', randomTensor([2], 10));
    const { last, ys } = scan(
      ({ outer }, x) => {
        const inner = scan(({ s }, y) => [{ s: add(mul(s, w), mul(y, outer)) }, s], {
          over: x,
          initial: { s: outer },
        });
        return [{ outer: tanh(inner.last.s) }, inner.ys];
      },
      { over: xs, initial: { outer: constant(randomTensor([2], 11)) } },
    );
    expect(ys.shape).toEqual([2, 3, 2]);
    const loss = add(sum(mul(ys, ys)), sum(last.outer));
    checkGradients(loss, [xs, w]);
    const gradients = backward(loss);
    checkGradients(sum(mul(gradients.of(w), gradients.of(w))), [xs, w]);
  });

  it('has steps by name, also none', () => {
    const xs = input('xs', ['steps', 2], { dtype: 'float64' });
    const w = parameter('w', randomTensor([2], 12));
    const h0 = parameter('h0', randomTensor([2], 13));
    const { last, ys } = scan(({ h }, x) => [{ h: tanh(add(mul(h, w), x)) }, h], {
      over: xs,
      initial: { h: h0 },
    });
    expect(ys.shape).toEqual(['steps', 2]);
    const gradients = backward(add(sum(last.h), sum(ys)));
    const all = { last: last.h, ys, w: gradients.of(w), h0: gradients.of(h0) };
    const two = evaluate(all, { xs: randomTensor([2, 2], 14) });
    expect(two.ys.shape).toEqual([2, 2]);
    const none = evaluate(all, { xs: tensor(new Float64Array(0), { shape: [0, 2] }) });
    expect(none.ys.shape).toEqual([0, 2]);
    expect([...none.last.data]).toEqual([...h0.value.data]);
    expect([...none.w.data]).toEqual([0, 0]);
    expect([...none.h0.data]).toEqual([1, 1]);
  });

  it('runs without carries and without inputs', () => {
    const w = parameter('w', randomTensor([3], 15));
    const squares = scan((_, x) => [{}, mul(x, x)], { over: w });
    expect(squares.last).toEqual({});
    checkGradients(sum(squares.ys), [w]);
    const counted = scan(({ n }, _, t) => [{ n: add(n, cast(t, 'float32')) }, undefined], {
      initial: { n: 0 },
      length: 5,
    });
    expect(counted.ys).toBeUndefined();
    expect(evaluate(counted.last.n).item()).toBe(10);
  });

  it('keeps a number in each step, alone and in a record', () => {
    const body = (y: unknown) => () => [{}, y] as never;
    const alone = scan(body(3), { length: 2 }).ys as unknown as Node;
    const { a } = scan(body({ a: 4 }), { length: 2 }).ys as unknown as { a: Node };
    expect(evaluate([alone, a]).map(({ data }) => [...data])).toEqual([
      [3, 3],
      [4, 4],
    ]);
  });

  it('draws anew in each step: row t of one draw of all steps, also in nested loops', () => {
    const drawn = (shape: number[]) => randomNormal(shape, { seed: 3, dtype: 'float64' });
    const draws = scan(() => [{}, drawn([2])], { length: 3 });
    expect(evaluate(draws.ys, {}, { run: 5 }).data).toEqual(
      evaluate(drawn([3, 2]), {}, { run: 5 }).data,
    );
    const nested = scan(() => [{}, scan(() => [{}, drawn([2])], { length: 3 }).ys], {
      length: 2,
      reverse: true,
    });
    expect(evaluate(nested.ys).data).toEqual(evaluate(drawn([2, 3, 2])).data);
    const w = parameter('w', randomTensor([2], 16));
    const scaled = scan(({ h }) => [{ h: mul(add(h, w), drawn([2])) }, h], {
      initial: { h: constant(randomTensor([2], 17)) },
      length: 3,
    });
    checkGradients(add(sum(scaled.last.h), sum(scaled.ys)), [w]);
  });

  it('draws that were made outside are the same in all steps', () => {
    const noise = randomNormal([2], { seed: 3 });
    const { data } = evaluate(scan(() => [{}, noise], { length: 2 }).ys);
    expect([...data.slice(0, 2)]).toEqual([...data.slice(2)]);
  });

  it('sends none to a carry that the loss does not depend on', () => {
    const { w, xs, h0 } = network(2);
    const unused = parameter('unused', randomTensor([2], 18));
    const { last } = scan(
      ({ h, other }, x) => [{ h: step(h, x, w), other: mul(other, 2) }, undefined],
      { over: xs, initial: { h: h0, other: unused } },
    );
    const gradients = backward(sum(last.h));
    expect(gradients.reaches(unused)).toBe(false);
    expect(gradients.reaches(h0)).toBe(true);
  });
});

const stopped = (x: Node) => stopGradient(x);

describe('scan refuses', () => {
  const xs = input('xs', [4, 2]);
  const h = constant(tensor([0, 0]));

  it('a carry of another shape or dtype', () => {
    const changed = () =>
      scan(({ h: old }, x) => [{ h: concat([old, x], 0) }, undefined], {
        over: xs,
        initial: { h },
        name: 'net',
      });
    expect(changed).toThrow(ShapeError);
    expect(changed).toThrow(
      /^\[scan 'net'\] the carry h began with shape \[2\], but its next value \[concat #\d+\] has \[4\]$/,
    );
    const typed = () =>
      scan((_, x) => [{ n: x }, undefined], {
        over: xs,
        initial: { n: constant(tensor([1, 1], { dtype: 'int32' })) },
      });
    expect(typed).toThrow(DTypeError);
    expect(typed).toThrow(/the carry n began as int32, but its next value .* is float32$/);
  });

  it('inputs of unequal steps, without steps, and a wrong length', () => {
    const other = input('other', [5, 2]);
    const unequal = () => scan(() => [{}, undefined], { over: { xs, other } });
    expect(unequal).toThrow(ShapeError);
    expect(unequal).toThrow('[scan] over.other has 5 steps, but over.xs has 4');
    expect(() => scan(() => [{}, undefined], { over: xs, length: 3 })).toThrow(
      '[scan] over has 4 steps, but the option length has 3',
    );
    expect(() => scan(() => [{}, undefined], { over: constant(1) })).toThrow(
      '[scan] over: expected an axis of steps, but received shape []',
    );
    expect(() => scan(() => [{}, undefined], {})).toThrow(
      '[scan] expected `over` or `length`, which say how many steps there are, but received neither',
    );
    expect(() => scan(() => [{}, undefined], { length: -1 })).toThrow(ShapeError);
  });

  it('more steps than an index can count, when it runs', () => {
    for (const length of [2 ** 31, 2 ** 40, 'steps']) {
      const { last } = scan(({ s }, _, t) => [{ s: add(s, cast(t, 'float32')) }, undefined], {
        initial: { s: 0 },
        length,
        name: 'net',
      });
      const none = input('none', ['steps', 0]);
      const outputs = { s: add(last.s, sum(none)) };
      const feeds = { none: Tensor.zeros([2 ** 31, 0]) };
      for (const run of [() => evaluate(outputs, feeds), () => compile({ outputs }).run(feeds)]) {
        expect(run).toThrow(ShapeError);
        expect(run).toThrow(
          /^\[scan .net.\] expected at most 2147483647 steps, but there are \d+$/,
        );
      }
    }
  });

  it('a body that returns nothing, or other carries', () => {
    const returning = (value: unknown) => () =>
      scan((() => value) as never, { over: xs, initial: { h }, name: 'net' });
    expect(returning(undefined)).toThrow(ValueError);
    expect(returning(undefined)).toThrow(
      "[scan 'net'] expected the body to return [next, y], the next carries and what is kept of the step, but it returned undefined",
    );
    expect(returning([{ h }])).toThrow('expected the body to return [next, y]');
    expect(returning(Promise.resolve())).toThrow('but it returned');
    expect(returning([undefined, h])).toThrow(
      'expected the body to return a record of the next carries',
    );
    expect(returning([{ g: h }, h])).toThrow(
      'expected the body to return the next value of each carry (h): h missing; g not in `initial`',
    );
    expect(returning([{ h: 'no' }, h])).toThrow(GraphError);
    expect(returning([{ h }, 'no'])).toThrow(
      "[scan 'net'] y: expected a node or a record of nodes",
    );
    expect(() => scan(3 as never, { over: xs })).toThrow(ValueError);
    expect(() => scan(() => [{}, undefined], { over: xs, inital: {} } as never)).toThrow('initial');
  });

  it('a node of the body outside of it', () => {
    let leaked: Node | undefined;
    const { ys } = scan(
      (_, x) => {
        leaked = mul(x, 2);
        return [{}, leaked];
      },
      { over: xs, name: 'net' },
    );
    const feeds = {
      xs: tensor([
        [1, 2],
        [3, 4],
        [5, 6],
        [7, 8],
      ]),
    };
    expect(evaluate(ys, feeds).shape).toEqual([4, 2]);
    const outside = () => evaluate(add(leaked as Node, 1), feeds);
    expect(outside).toThrow(GraphError);
    expect(outside).toThrow(
      /^\[mul #\d+\] was made in the body of \[scan 'net'\] and has a value only there; return it from the body as a part of y, and use ys$/,
    );
  });

  it('a side update in the body', () => {
    const count = state('count', tensor(0));
    const counting = () =>
      scan((_, x) => [{}, sideUpdate(x, count, (old) => add(old, 1))], { over: xs });
    expect(counting).toThrow(GraphError);
    expect(counting).toThrow("[scan] the body carries a side update of [state 'count']");
  });
});
