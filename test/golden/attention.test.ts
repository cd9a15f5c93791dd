import { describe, expect, it } from 'vitest';
import {
  backward,
  compile,
  evaluate,
  inference,
  MultiHeadAttention,
  type Node,
  type Tensor,
  TransformerEncoderLayer,
  training,
  type Variable,
} from '../../src/index.js';
import {
  constantOf,
  expectGolden,
  type GoldenTensor,
  parameterOf,
  readGolden,
  tensorOf,
  titled,
} from './golden.js';

type Named = Readonly<Record<string, GoldenTensor>>;

interface AttentionCase {
  readonly layer: keyof typeof layers;
  readonly title: string;
  readonly options: { readonly features: number; readonly heads: number; readonly hidden: number };
  readonly training: boolean;
  /** The parameters, by the path relative to the layer. */
  readonly variables: Named;
  readonly operands: readonly GoldenTensor[];
  readonly call: { readonly mask: GoldenTensor | null; readonly causal: boolean };
  readonly output: GoldenTensor;
  readonly cotangent: GoldenTensor;
  readonly gradients: Named;
  readonly operandGradients: readonly GoldenTensor[];
}

const layers = { MultiHeadAttention, TransformerEncoderLayer };
const cases = titled(
  readGolden<AttentionCase>('attention'),
  ({ layer, title }) => `${layer} ${title}`,
);

describe('the output and all gradients of a layer with attention equal those of PyTorch, interpreted and compiled', () => {
  it.each(cases)('%s', (_title, golden) => {
    const layer = new layers[golden.layer]('layer', { ...golden.options, dtype: 'float64' });
    const entries = layer.entries();
    expect([...entries.keys()].sort()).toEqual(Object.keys(golden.variables).sort());
    for (const [path, variable] of entries) {
      variable.set(tensorOf(golden.variables[path] as GoldenTensor));
    }
    const operands = golden.operands.map((operand, i) => parameterOf(`operand ${i}`, operand));
    const { mask, causal } = golden.call;
    const call = { causal, ...(mask && { mask: constantOf(mask) }) };
    const apply = layer.apply as (...args: unknown[]) => Node;
    const build = () => apply.call(layer, ...operands, call);
    const output = golden.training ? training(build) : inference(build);
    const gradients = backward(output, { gradient: constantOf(golden.cotangent) });
    const wanted: [what: string, node: Node, expected: GoldenTensor][] = [
      ['output', output, golden.output],
      ...Object.entries(golden.gradients).map(([path, expected]): [string, Node, GoldenTensor] => [
        path,
        gradients.of(entries.get(path) as Variable),
        expected,
      ]),
      ...operands.map((operand, i): [string, Node, GoldenTensor] => [
        `operand ${i}`,
        gradients.of(operand),
        golden.operandGradients[i] as GoldenTensor,
      ]),
    ];
    const nodes = Object.fromEntries(wanted.map(([what, node]) => [what, node]));
    for (const found of [evaluate(nodes), compile({ outputs: nodes }).run({})]) {
      for (const [what, , expected] of wanted) {
        expectGolden(found[what] as Tensor, expected, what);
      }
    }
  });
});
