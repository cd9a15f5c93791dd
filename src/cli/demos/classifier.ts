/** Computes the predictions of a classifier, and its accuracy. */

import { argmax, input, type Node, predict, type Tensor } from '../../index.js';
import { programOf } from './programs.js';

/** Returns the predicted class of each example (the index of its largest output) as an int32 tensor of shape [n]. */
export async function answersOf(
  options: { readonly interpret: boolean },
  classify: (x: Node) => Node,
  examples: Tensor,
): Promise<Tensor> {
  const x = input('x', ['batch', ...examples.shape.slice(1)]);
  const program = programOf(options, { outputs: { answer: argmax(classify(x), -1) } });
  const { answer } = await predict(program, { x: examples }, { batchSize: 1000 });
  return answer as Tensor;
}

/** Returns the fraction of answers that equal their labels, from 0 to 1. */
export function accuracyOf(answers: Tensor, labels: Tensor): number {
  const right = answers.data.filter((answer, index) => answer === labels.data[index]);
  return right.length / labels.size;
}
