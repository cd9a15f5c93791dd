import { describe, it } from 'vitest';
import {
  backward,
  binaryCrossEntropyWithLogits,
  cosineSimilarity,
  crossEntropy,
  evaluate,
  huber,
  klDivergence,
  mae,
  mse,
  type Node,
  softmaxCrossEntropy,
} from '../../src/index.js';
import {
  constantOf,
  expectGolden,
  type GoldenTensor,
  parameterOf,
  readGolden,
  titled,
} from './golden.js';

const losses = {
  mse,
  mae,
  huber,
  softmaxCrossEntropy,
  crossEntropy,
  binaryCrossEntropyWithLogits,
  klDivergence,
  cosineSimilarity,
};

interface LossCase {
  readonly loss: keyof typeof losses;
  readonly title: string;
  /** The output or logits, and the target. */
  readonly operands: readonly [GoldenTensor, GoldenTensor];
  readonly options?: object;
  readonly value: GoldenTensor;
  /** The gradient of the loss, if it is not a scalar. */
  readonly cotangent?: GoldenTensor;
  /** The gradient of the first operand, and the gradient of the target unless the target consists of class indices. */
  readonly gradients: readonly GoldenTensor[];
}

const cases = titled(readGolden<LossCase>('losses'), ({ loss, title }) => `${loss}: ${title}`);

describe('every loss and its gradients equal those of PyTorch', () => {
  it.each(cases)('%s', (_title, golden) => {
    const [output, target] = golden.operands.map((operand, index) =>
      operand.dtype ? constantOf(operand) : parameterOf(`operand ${index}`, operand),
    ) as [Node, Node];
    const loss = losses[golden.loss](output, target, golden.options);
    expectGolden(evaluate(loss), golden.value, 'the loss');
    const { cotangent } = golden;
    const gradients = backward(loss, cotangent && { gradient: constantOf(cotangent) });
    golden.gradients.forEach((expected, index) => {
      const node = [output, target][index] as Node;
      expectGolden(evaluate(gradients.of(node)), expected, `the gradient of operand ${index}`);
    });
  });
});
