/** How often a classifier is right. */

import { Interpreter } from '../../evaluate/interpreter.js';
import { argmax, cast, equal, input, type Node, sum, type Tensor } from '../../index.js';
import { gather } from '../../train/minibatches.js';

/** The share of examples whose largest output is that of their label; a thousand at a time. */
export function accuracyOf(
  classify: (x: Node) => Node,
  { images, labels }: { readonly images: Tensor; readonly labels: Tensor },
): number {
  const x = input('x', ['batch', ...images.shape.slice(1)]);
  const label = input('label', ['batch'], { dtype: 'int32' });
  const right = sum(cast(equal(argmax(classify(x), -1), label), 'float32'));
  const count = new Interpreter([right]);
  const total = labels.size;
  let correct = 0;
  for (let start = 0; start < total; start += 1000) {
    const rows = Array.from({ length: Math.min(1000, total - start) }, (_, index) => start + index);
    correct += (count.run(gather({ x: images, label: labels }, rows))[0] as Tensor).item();
  }
  return correct / total;
}
