import { describe, expect, it } from 'vitest';
import { declaredOps } from '../../src/graph/op.js';
import * as forebay from '../../src/index.js';
import {
  addN,
  backward,
  evaluate,
  type Gradients,
  mul,
  type Node,
  sum,
  Tensor,
  type Variable,
  WaitList,
} from '../../src/index.js';
import {
  constantOf,
  expectGolden,
  type GoldenTensor,
  parameterOf,
  readGolden,
  titled,
} from './golden.js';

interface OpCase {
  readonly op: string;
  readonly title: string;
  /** The arguments of the op. The text '$0' means input 0; an object { op, args } means the result of another op. */
  readonly args: readonly unknown[];
  readonly inputs: readonly GoldenTensor[];
  readonly output: GoldenTensor;
  readonly cotangent?: GoldenTensor;
  /** The gradient of each input; null if the input has none. */
  readonly gradients?: readonly (GoldenTensor | null)[];
  readonly second?: {
    readonly weights: readonly (GoldenTensor | null)[];
    readonly gradients: readonly (GoldenTensor | null)[];
  };
}

const files = [
  'ops-elementwise',
  'ops-kernels',
  'ops-structure',
  'ops-routines',
  'ops-convolution',
  'ops-compositions',
  'ops-networks',
  'ops-data',
];
const all = files.flatMap((file) => readGolden<OpCase>(file));
const casesWith = (wanted: (golden: OpCase) => unknown) =>
  titled(all.filter(wanted), ({ op, title }) => `${op}: ${title}`);

interface Built {
  readonly root: Node;
  /** A parameter for each float64 input, and a constant for each other input. */
  readonly inputs: readonly Node[];
}

function build({ op, args, inputs }: OpCase): Built {
  const nodes = inputs.map((golden, index) =>
    golden.dtype ? constantOf(golden) : parameterOf(`x${index}`, golden),
  );
  const call = (name: string, list: readonly unknown[]): Node =>
    (forebay as unknown as Record<string, (...given: unknown[]) => Node>)[name]?.(
      ...list.map(argument),
    ) as Node;
  const argument = (value: unknown): unknown => {
    if (typeof value === 'string' && value.startsWith('$')) return nodes[Number(value.slice(1))];
    if (Array.isArray(value)) return value.map(argument);
    if (typeof value !== 'object' || value === null) return value;
    const nested = value as Partial<OpCase>;
    if (nested.op && nested.args) return call(nested.op, nested.args);
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, argument(one)]));
  };
  return { root: call(op, args), inputs: nodes };
}

function firstDerivative(golden: OpCase): { built: Built; gradients: Gradients } {
  const built = build(golden);
  const cotangent = constantOf(golden.cotangent as GoldenTensor);
  return { built, gradients: backward(built.root, { gradient: cotangent }) };
}

/**
 * Compares the gradients of all float64 inputs. If PyTorch has no gradient for an input, the gradient of forebay must
 * be zeros.
 */
function expectGradients(
  { inputs }: Built,
  gradientOf: (node: Node) => Tensor,
  expected: readonly (GoldenTensor | null)[],
): void {
  inputs.forEach((node, index) => {
    if (node.dtype !== 'float64') return;
    const { shape, size } = (node as Variable).value;
    const zeros = { shape, data: new Array<number>(size).fill(0) };
    expectGolden(gradientOf(node), expected[index] ?? zeros, `the gradient of input ${index}`);
  });
}

describe('the value of every op equals that of PyTorch', () => {
  it.each(casesWith(() => true))('%s', (_title, golden) => {
    expectGolden(evaluate(build(golden).root), golden.output, 'the value');
  });
});

describe('the gradient of every op, for a random cotangent, equals that of PyTorch', () => {
  it.each(casesWith(({ gradients }) => gradients))('%s', (_title, golden) => {
    const { built, gradients } = firstDerivative(golden);
    expectGradients(built, (node) => evaluate(gradients.of(node)), golden.gradients ?? []);
  });
});

describe('the second derivative of every smooth op equals that of PyTorch', () => {
  it.each(casesWith(({ second }) => second))('%s', (_title, golden) => {
    const { weights = [], gradients: expected = [] } = golden.second ?? {};
    const { built, gradients } = firstDerivative(golden);
    const weighted = weights.flatMap((weight, index) =>
      weight ? [sum(mul(gradients.of(built.inputs[index] as Node), constantOf(weight)))] : [],
    );
    const total = addN(weighted);
    const below = WaitList.of(total);
    const second = backward(total);
    // If the op is linear in an input, its first derivatives do not depend on this input, and the second derivative is
    // zeros.
    const gradientOf = (node: Node) =>
      below.has(node)
        ? evaluate(second.of(node))
        : Tensor.zeros((node as Variable).value.shape, { dtype: 'float64' });
    expectGradients(built, gradientOf, expected);
  });
});

describe('the golden values cover the op library', () => {
  const text = JSON.stringify(all.map(({ op, args }) => ({ op, args })));
  const ops = [...declaredOps()].map(([name, op]) => ({ name, op }));
  const without = ops.filter(({ name }) => !text.includes(`"op":"${name}"`));

  // Some ops have no case. `assemble` is tested by slices in a case of concat, and `extent` by every mean. Random ops
  // have no case, because their numbers differ from those of PyTorch.
  it('at least 40 ops have a case', () => {
    expect(ops.length - without.length).toBeGreaterThanOrEqual(40);
  });

  it('an op without a case has samples whose gradients are compared with finite differences, or has no gradient', () => {
    const unchecked = without.filter(
      ({ op }) =>
        op.notDifferentiable === undefined &&
        !op.samples.some(({ inputs }) =>
          inputs.some(({ dtype = 'float64' }) => dtype === 'float64'),
        ),
    );
    expect(unchecked.map(({ name }) => name)).toEqual([]);
  });
});
