import { describe, expect, it } from 'vitest';
import { forget, NodeTable } from '../../src/graph/interning.js';
import {
  add,
  assemble,
  backward,
  cast,
  constant,
  dot,
  evaluate,
  GraphError,
  input,
  matmul,
  mul,
  Part,
  parameter,
  reshape,
  ShapeError,
  slice,
  sum,
  tensor,
  transpose,
  ValueError,
  WaitList,
} from '../../src/index.js';
import { errorOf, randomTensor } from '../support.js';

describe('a leaf keeps the name by which it is fed, saved and updated', () => {
  it('if an op returns the leaf itself and the result is labelled', () => {
    const x = input('x', ['batch', 3]);
    const flat = reshape(x, ['batch', 3]).named('flat');
    expect(evaluate(sum(flat), { x: [[1, 2, 3]] }).item()).toBe(6);
    const w = parameter('layer.weight', tensor([1, 2]));
    cast(w, 'float32').named('w32');
    slice(w, { axis: 0 }).named('all of it');
    expect(w.name).toBe('layer.weight');
  });
});

describe('a label belongs to one node', () => {
  it('equal views with different labels are different nodes', () => {
    const a = parameter('a', tensor([[1, 2]]));
    const left = transpose(a).named('left');
    const right = transpose(a).named('right');
    expect([left.name, right.name]).toEqual(['left', 'right']);
    expect(transpose(a)).toBe(transpose(a));
  });

  it('a constant that was labelled is not shared with the next use of the number', () => {
    const lucky = constant(7).named('lucky');
    expect(lucky.name).toBe('lucky');
    const [, seven] = mul(parameter('p', tensor(1)), 7).inputs;
    expect(seven?.name).toBeUndefined();
  });

  it('a view or a number that another graph has already is not labelled there', () => {
    const a = parameter('a', tensor([[1, 2]]));
    const used = matmul(a, transpose(a));
    const [, view] = used.inputs;
    const labelled = transpose(a).named('label');
    expect(labelled.name).toBe('label');
    expect(view?.name).toBeUndefined();
    expect(evaluate(labelled).toArray()).toEqual([[1], [2]]);
    const [, eight] = mul(a, 8).inputs;
    const lucky = constant(8).named('lucky');
    expect([lucky.name, lucky.value.item(), eight?.name]).toEqual(['lucky', 8, undefined]);
  });
});

describe('forgetting an interned node', () => {
  it('keeps a newer node with the same key', () => {
    const table = new NodeTable();
    const [first, second] = [constant([1]), constant([2])];
    table.set('key', first);
    table.set('key', second);
    forget(first);
    expect(table.get('key')).toBe(second);
    forget(second);
    expect(table.get('key')).toBeUndefined();
  });
});

describe('a node that differentiation built', () => {
  it('is not shared with an equal node that the user builds, so drawings show the difference', () => {
    const a = parameter('a', randomTensor([2, 3, 4], 1));
    const w = parameter('w', randomTensor([4, 2], 2));
    backward(sum(matmul(a, w))).of(w); // the gradient reads a reshape of `a` to [6, 4]
    const forward = reshape(a, [6, 4]);
    expect(forward.derived).toBe(false);
    expect(dot(add(forward, 1))).not.toContain('#d55e00');
  });

  it('may be the zeros of a stopped path', () => {
    const a = parameter('a', tensor(1));
    const zeros = backward(sum(cast(cast(a, 'int32'), 'float32'))).of(a);
    expect(zeros.op.name === 'constant' || zeros.derived).toBe(true);
  });
});

describe('an argument is copied', () => {
  it('so that the shape list of the caller is neither frozen nor changed', () => {
    const shape = [2, 3];
    assemble(shape, [new Part(parameter('a', tensor([[1]])), [0, 0])]);
    shape.push(7);
    expect(shape).toEqual([2, 3, 7]);
  });
});

describe('assemble refuses invalid arguments', () => {
  const part = parameter('part', tensor([[1, 2]]));
  it.each([
    ['a negative start', () => assemble([2, 3], [new Part(part, [0, -1])]), ShapeError],
    ['a start of another rank', () => assemble([2, 3], [new Part(part, [0])]), ShapeError],
    ['a fractional dimension', () => assemble([2.5, 2], [new Part(part, [0, 0])]), ShapeError],
    ['no shape', () => assemble(6 as never, [new Part(part, [0, 0])]), ShapeError],
    ['no part', () => assemble([2, 3], [part as never]), ValueError],
  ])('%s', (_what, build, error) => {
    expect(errorOf(build)).toBeInstanceOf(error);
  });
});

describe('cost', () => {
  it('registering 50,000 inputs of one parent is not quadratic', () => {
    const x = parameter('x', tensor(1));
    const inputs = Array.from({ length: 50_000 }, (_, i) => mul(x, i));
    const parent = assembleAll(inputs);
    const waits = new WaitList();
    for (const node of inputs) waits.register(node, parent);
    expect(waits.edges(inputs[49_999] as (typeof inputs)[0])).toHaveLength(1);
  });

  it('creating 100,000 different constants is not quadratic', () => {
    for (let i = 0; i < 100_000; i++) constant(i + 0.25);
    expect(constant(0.25)).toBe(constant(0.25));
  });
});

function assembleAll(scalars: ReturnType<typeof mul>[]) {
  return assemble(
    [],
    scalars.map((node) => new Part(node, [])),
  );
}

describe('backward from several roots', () => {
  it('starts each root from the source that was registered for it', () => {
    const x = parameter('x', tensor(2));
    const [a, b] = [mul(x, 3).named('a'), mul(x, 5).named('b')];
    const waits = WaitList.of(a, b).register(a, 'e1').register(b, 'e2');
    const gradients = backward(
      [
        [a, constant(1)],
        [b, constant(10)],
      ],
      { waits },
    );
    expect(evaluate(gradients.of(x)).item()).toBe(53);
  });

  it('refuses a root that is not a pair', () => {
    const x = parameter('x', tensor(2));
    expect(errorOf(() => backward([x] as never))).toBeInstanceOf(ValueError);
    expect(errorOf(() => backward(undefined as never))).toBeInstanceOf(GraphError);
  });
});
