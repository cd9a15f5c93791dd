import { describe, it } from 'vitest';
import {
  backward,
  inference,
  MultiHeadAttention,
  type Node,
  TransformerEncoderLayer,
  training,
  type Variable,
} from '../../src/index.js';
import {
  constantOf,
  expectBoth,
  type GoldenTensor,
  type Named,
  parameterOf,
  readGolden,
  titled,
  withVariables,
} from './golden.js';

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
    const entries = withVariables(layer, golden.variables);
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
    expectBoth(wanted);
  });
});
