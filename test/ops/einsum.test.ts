// Tests einsum against a loop over all values of all letters, and its derivatives against finite differences. test/golden
// compares it with PyTorch.
import { describe, expect, it } from 'vitest';
import {
  compile,
  DTypeError,
  einsum,
  evaluate,
  input,
  type Node,
  type Operand,
  parameter,
  ShapeError,
  Tensor,
  ValueError,
} from '../../src/index.js';
import { errorOf, randomTensor } from '../support.js';
import { expectDerivatives, shapesOf } from './agreement.js';

/** Returns the elements of einsum without an ellipsis: for each value of the letters of the result, a sum of products. */
function expected(subscripts: string, operands: readonly Tensor[]): number[] {
  const [inputs, result = ''] = subscripts.split('->') as [string, string];
  const terms = inputs.split(',');
  const lengths: Record<string, number> = {};
  terms.forEach((term, i) => {
    [...term].forEach((letter, axis) => {
      const length = operands[i]?.shape[axis] as number;
      if (length !== 1 || lengths[letter] === undefined) lengths[letter] = length;
    });
  });
  const element = ({ shape, data }: Tensor, term: string, at: Record<string, number>) => {
    let index = 0;
    [...term].forEach((letter, axis) => {
      index = index * (shape[axis] as number) + (shape[axis] === 1 ? 0 : (at[letter] as number));
    });
    return data[index] as number;
  };
  const summedOver = (letters: readonly string[], at: Record<string, number>): number => {
    const [letter, ...rest] = letters;
    if (letter === undefined) {
      return terms.reduce((p, term, i) => p * element(operands[i] as Tensor, term, at), 1);
    }
    let total = 0;
    for (let i = 0; i < (lengths[letter] as number); i++) {
      total += summedOver(rest, { ...at, [letter]: i });
    }
    return total;
  };
  const others = Object.keys(lengths).filter((letter) => !result.includes(letter));
  const all = (letters: readonly string[], at: Record<string, number>): number[] => {
    const [letter, ...rest] = letters;
    if (letter === undefined) return [summedOver(others, at)];
    return Array.from({ length: lengths[letter] as number }, (_, i) =>
      all(rest, { ...at, [letter]: i }),
    ).flat();
  };
  return all([...result], {});
}

describe('einsum', () => {
  it.each([
    ['ij->ji', '2x3'],
    ['ij->', '2x3'],
    ['ij->j', '2x3'],
    ['ii->i', '3x3'],
    ['ii->', '3x3'],
    ['ijii->ji', '2x3x2x2'],
    ['iijj->ij', '2x2x3x3'],
    ['ij,jk->ik', '2x3 3x4'],
    ['ij,kj->ki', '2x3 4x3'],
    ['ji,jk->ik', '3x2 3x4'],
    ['bij,bjk->bik', '2x2x3 2x3x4'],
    ['bij,bjk->ikb', '2x2x3 2x3x2'],
    ['i,i->', '4 4'],
    ['i,i->i', '4 4'],
    ['i,j->ij', '2 3'],
    ['i,j->', '2 3'],
    ['bi,bi->b', '2x3 2x3'],
    ['ii,ij->j', '3x3 3x2'],
    ['ij,jj->i', '2x3 3x3'],
    ['abcd,cdbe->ae', '2x3x2x2 2x2x3x4'],
    ['bhqd,bhkd->bhqk', '1x2x3x2 1x2x2x2'],
    ['i,ij,j->', '2 2x3 3'],
    ['ij,jk,kl->il', '2x3 3x2 2x4'],
    ['ij,jk,ki->', '2x3 3x2 2x2'],
    ['ab,bc,cd,de->ae', '2x3 3x2 2x3 3x2'],
    ['i,i,i->i', '3 3 3'],
    ['iI,Ij->ij', '2x3 3x2'],
    ['ij,jk->ik', '2x1 3x4'],
    ['ij,ij->j', '1x3 2x3'],
    ['i->i', '1'],
    ['ij,jk->ik', '2x0 0x3'],
    ['ij,jk->ik', '0x2 2x3'],
  ])('%s of %s is a sum of products, with derivatives of both orders', (subscripts, shapes) => {
    const inputs = shapesOf(shapes).map((shape) => ({ shape }));
    const tensors = inputs.map(({ shape }, i) => randomTensor(shape, i));
    const y = evaluate(einsum(subscripts, ...tensors));
    const wanted = expected(subscripts, tensors);
    expect(y.data.length).toBe(wanted.length);
    y.data.forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i] as number, 12);
    });
    expectDerivatives({ inputs, build: (...nodes) => einsum(subscripts, ...(nodes as Node[])) });
  });

  it.each([
    ['ij', '2x3', 'ij->ij'],
    ['ji', '2x3', 'ji->ij'],
    ['ij,jk', '2x3 3x4', 'ij,jk->ik'],
    ['ba,aB', '2x3 3x4', 'ba,aB->Bb'],
    ['ii', '3x3', 'ii->'],
    [' i j , j k -> k i ', '2x3 3x4', 'ij,jk->ki'],
    ['...', '2x3', 'ab->ab'],
    ['...i,...i', '2x3 2x3', 'ai,ai->a'],
    ['...ij,...jk', '2x2x3 3x4', 'aij,jk->aik'],
    ['...ij,...jk->...ki', '2x1x2x3 2x3x4', 'aBij,bjk->abki'],
    ['i...->...', '2x3x4', 'iab->ab'],
    ['i...j->ij', '2x3x4', 'iaj->ij'],
    ['...ii->...i', '2x3x3', 'aii->ai'],
    ['i...,i->...i', '2x3 2', 'ia,i->ai'],
    ['ij->...ij', '2x3', 'ij->ij'],
    ['i,...', '2 3', 'i,a->ai'],
  ])('%s of %s is %s', (subscripts, shapes, letters) => {
    const tensors = shapesOf(shapes).map((shape, i) => randomTensor(shape, i));
    // B is an axis of length 1, which is broadcast to that of b.
    const plain = letters === 'aBij,bjk->abki' ? 'abij,bjk->abki' : letters;
    const y = evaluate(einsum(subscripts, ...tensors));
    const wanted = expected(plain, tensors);
    expect(y.data.length).toBe(wanted.length);
    y.data.forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i] as number, 12);
    });
  });

  it('takes scalars and numbers', () => {
    const x = randomTensor([2], 1);
    const [a, b] = x.data as unknown as [number, number];
    expect(evaluate(einsum(',i->i', 2, x)).toArray()).toEqual([2 * a, 2 * b]);
    expect(evaluate(einsum('', 3)).item()).toBe(3);
    expect(evaluate(einsum(',', 3, 4)).item()).toBe(12);
  });

  it('works on named dimensions', () => {
    const dtype = 'float64';
    const [a, b] = [
      input('a', ['batch', 'n', 'n'], { dtype }),
      input('b', ['n', 'batch', 3, 'm'], { dtype }),
    ];
    const outputs = {
      product: einsum('bij,jbcd->bcdi', a, b),
      diagonal: einsum('bii->ib', a),
      trace: einsum('bii', a),
      several: einsum('bij,jbcd,bcd,i->d', a, b, einsum('jbcd->bcd', b), einsum('bij->i', a)),
    };
    expect(outputs.product.shape).toEqual(['batch', 3, 'm', 'n']);
    const feeds = { a: randomTensor([2, 4, 4], 1), b: randomTensor([4, 2, 3, 5], 2) };
    const c = evaluate(einsum('jbcd->bcd', feeds.b));
    const d = evaluate(einsum('bij->i', feeds.a));
    const wanted = {
      product: expected('bij,jbcd->bcdi', [feeds.a, feeds.b]),
      diagonal: expected('bii->ib', [feeds.a]),
      trace: expected('bii->b', [feeds.a]),
      several: expected('bij,jbcd,bcd,i->d', [feeds.a, feeds.b, c, d]),
    };
    const program = compile({ outputs });
    for (const results of [evaluate(outputs, feeds), program.run(feeds)]) {
      for (const [name, values] of Object.entries(wanted)) {
        Array.from(results[name as 'trace'].data).forEach((got, i) => {
          expect(got).toBeCloseTo(values[i] as number, 10);
        });
      }
    }
    program.dispose();
  });

  it('multiplies in an order that needs few multiplications, by matrix products that copy nothing', () => {
    const p = (name: string, ...shape: number[]) => parameter(name, Tensor.ones(shape));
    const stats = (y: Node) => {
      const program = compile({ outputs: { y } });
      program.run();
      const { productShapes, instructions } = program.stats();
      program.dispose();
      return { productShapes, instructions };
    };
    const chain = einsum('ij,jk,kl->il', p('a', 40, 2), p('b', 2, 50), p('c', 50, 3));
    expect(stats(chain).productShapes).toEqual([
      [2, 3, 50],
      [40, 3, 2],
    ]);
    const [x, y] = [p('x', 4, 8, 16), p('y', 4, 24, 16)];
    expect(stats(einsum('bqd,bkd->bqk', x, y)).instructions).toBe(1);
    expect(stats(einsum('qd,kd->kq', p('q', 8, 16), p('k', 4, 16))).instructions).toBe(1);
    expect(stats(einsum('bqd,bqe->bde', x, p('z', 4, 8, 24))).instructions).toBe(1);
    // Two letters are summed, which are neighbours in both operands.
    expect(stats(einsum('abc,bcd->ad', x, p('w', 8, 16, 5))).productShapes).toEqual([[4, 5, 128]]);
  });

  const x = input('x', [2, 3]);
  it.each<[string, readonly Operand[], new (message: string) => Error, RegExp]>([
    [
      'ij,jk->ik',
      [x],
      ValueError,
      /^\[einsum\] the subscripts 'ij,jk->ik' are for 2 operands, but received 1/,
    ],
    [
      'i',
      [x],
      ShapeError,
      /^\[einsum\] operand 0 of shape \[2, 3\] has 2 axes, but its subscripts 'i' are for 1/,
    ],
    ['ijk...', [x], ShapeError, /has 2 axes, but its subscripts 'ijk\.\.\.' need at least 3/],
    ['ii', [x], ShapeError, /^\[einsum\] the axes 'i' have different lengths: 2 and 3/],
    ['ij,ij', [x, input('y', [2, 4])], ShapeError, /the axes 'j' have different lengths: 3 and 4/],
    [
      '...,...',
      [x, input('y', [2, 4])],
      ShapeError,
      /the axes of '\.\.\.' have different lengths: 3 and 4/,
    ],
    [
      'ij,ij',
      [x, input('y', ['n', 3])],
      ShapeError,
      /the axes 'i' have different lengths: 2 and n/,
    ],
    ['ii', [input('one', [1, 3])], ShapeError, /the axes 'i' have different lengths: 1 and 3/],
    [
      'ij->ik',
      [x],
      ValueError,
      /^\[einsum\] the output subscripts 'ik' contain 'k', which no operand has/,
    ],
    ['ij->ii', [x], ValueError, /^\[einsum\] the output subscripts 'ii' contain 'i' twice/],
    ['ij->i->j', [x], ValueError, /^\[einsum\] expected at most one '->', but received 'ij->i->j'/],
    [
      'i1',
      [x],
      ValueError,
      /^\[einsum\] expected subscripts of the letters a-z and A-Z and at most one '\.\.\.' a term, but 'i1' has the string "1"/,
    ],
    ['i..', [x], ValueError, /but 'i\.\.' has the string "\."/],
    ['......', [x], ValueError, /has the string "\."/],
    ['ij', [], ValueError, /^\[einsum\] expected at least one operand after the subscripts/],
    [
      x as never,
      [x],
      ValueError,
      /^\[einsum\] expected subscripts such as 'bij,bjk->bik', but received/,
    ],
    [
      'ij',
      [input('i', [2, 3], { dtype: 'int32' })],
      DTypeError,
      /^\[einsum\] is defined for float32 and float64, but received int32/,
    ],
    [
      'ij,ij',
      [x, input('y', [2, 3], { dtype: 'float64' })],
      DTypeError,
      /^\[einsum\] operands have different dtypes/,
    ],
    [
      'ij',
      ['x' as never],
      ValueError,
      /^\[einsum\] expected a node, a tensor or a number as operand 0/,
    ],
  ])('refuses %s', (subscripts, operands, kind, message) => {
    const error = errorOf(() => einsum(subscripts, ...operands));
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toMatch(message);
  });
});
