/** Reverse-mode differentiation: a backward pass run to its end. */

import { assertList, describeValue } from '../arguments/describe.js';
import { DTypeError, GraphError, ShapeError } from '../errors.js';
import { constant } from '../graph/leaf.js';
import { asDerived, Node } from '../graph/node.js';
import { WaitList } from '../graph/waitlist.js';
import { broadcastTo } from '../ops/index.js';
import { isFloating } from '../tensor/dtype.js';
import { formatShape } from '../tensor/shape.js';
import type { Gradients } from './gradients.js';
import { BackwardPass } from './pass.js';

/** What `backward` may be told. */
export interface BackwardOptions {
  /** A wait list wired by hand; it is checked first. Defaults to `WaitList.of(root)`. */
  readonly waits?: WaitList | undefined;
  /** The gradient to start from, of the root's shape; defaults to 1, for a root of one element. */
  readonly gradient?: Node | undefined;
}

const source = 'backward';

/**
 * Builds the gradients of a root, or of several roots each with a gradient to start from, with
 * respect to all that they depend on.
 *
 * Reverse-mode accumulation as in Griewank & Walther, Evaluating Derivatives (2008), chapter 3.
 *
 * @throws ShapeError for a root of more than one element without `gradient`; DTypeError for an
 *   integer root; GraphError for a wait list that does not fit the graph
 */
export function backward(root: Node, options?: BackwardOptions): Gradients;
export function backward(
  roots: readonly (readonly [root: Node, gradient: Node])[],
  options?: Pick<BackwardOptions, 'waits'>,
): Gradients;
export function backward(
  rootOrRoots: Node | readonly (readonly [Node, Node])[],
  options: BackwardOptions = {},
): Gradients {
  const pairs: readonly (readonly [Node, Node])[] =
    rootOrRoots instanceof Node
      ? [[rootOrRoots, options.gradient ?? asDerived(() => ones(rootOrRoots))]]
      : rootOrRoots;
  if (!Array.isArray(pairs) || pairs.length === 0) {
    throw new GraphError(
      `backward: expected a root, or a list of [root, gradient], but received ${describeValue(rootOrRoots)}`,
    );
  }
  for (const pair of pairs) assertList(pair, 'backward: expected a [root, gradient] pair,');
  const roots = pairs.map(([root]) => floating(root));
  const waits = options.waits?.clone() ?? WaitList.of(...roots);
  if (options.waits) waits.check(...roots);

  // One source for each pair: a root that is named twice starts from the sum of its gradients.
  const sources = pairs.map(([root], index) => {
    const byHand = waits.edges(root).filter((edge) => typeof edge.parent === 'string');
    const [only] = byHand;
    // A source that was registered by hand is this root's, if it is the only one and so is the root.
    const once = roots.indexOf(root) === roots.lastIndexOf(root);
    if (once && byHand.length === 1 && only) return only.parent as string;
    const name = pairs.length === 1 ? source : `${source} ${index}`;
    waits.register(root, name);
    return name;
  });
  const pass = new BackwardPass(waits);
  pairs.forEach(([root, gradient], index) => {
    pass.send(root, sources[index] as string, gradient);
  });
  return pass.run();
}

function floating(root: Node): Node {
  if (!(root instanceof Node)) {
    throw new GraphError(`backward: expected a node as root, but received ${describeValue(root)}`);
  }
  if (isFloating(root.dtype)) return root;
  throw new DTypeError(
    `backward: ${root} is ${root.dtype}; only float32 and float64 have gradients`,
  );
}

function ones(root: Node): Node {
  floating(root);
  if (root.shape.some((dim) => dim !== 1)) {
    throw new ShapeError(
      `backward: expected a root of one element, but ${root} has shape ${formatShape(root.shape)}; reduce it with sum() or mean(), or give its gradient`,
    );
  }
  return broadcastTo(constant(1, { dtype: root.dtype }), root.shape);
}
