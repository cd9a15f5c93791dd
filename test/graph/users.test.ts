import { describe, expect, it } from 'vitest';
import { withinLayer } from '../../src/graph/calls.js';
import { noteUsers, usersOf } from '../../src/graph/users.js';
import { add, input, matmul, parameter, relu, transpose } from '../../src/index.js';

describe('noteUsers', () => {
  it('notes the layers that read a variable, also through views, and no others', () => {
    const x = input('x', [2, 3]);
    const [w, b] = [parameter('w', [[1, 2, 3]]), parameter('b', [1])];
    expect(usersOf(w)).toEqual([]);
    const turned = withinLayer('Transpose', 'turn', () => transpose(w));
    const y = withinLayer('Gemm', 'first', () => add(matmul(x, turned), b));
    const z = withinLayer('Relu', 'last', () => relu(y));
    noteUsers([z, add(b, 1)]);
    expect(usersOf(w)).toEqual(["Transpose 'turn'", "Gemm 'first'"]);
    expect(usersOf(b)).toEqual(["Gemm 'first'"]);
    withinLayer('Add', "it's", () => noteUsers([add(b, 2)]));
    expect(usersOf(b)).toEqual(["Gemm 'first'", "Add 'it's'"]);
  });
});
