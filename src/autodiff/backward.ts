/** Reverse-mode differentiation. `backward` runs a complete backward pass. */

import { describeValue } from '../arguments/describe.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { assertList, isList } from '../arguments/read.js';
import { DTypeError, GraphError, ShapeError, ValueError } from '../errors.js';
import { constant } from '../graph/leaf.js';
import { asDerived, isNode, type Node, nodeOf } from '../graph/node.js';
import { WaitList, waitList } from '../graph/waitlist.js';
import { broadcastTo } from '../ops/index.js';
import { isFloating } from '../tensor/dtype.js';
import { formatShape } from '../tensor/shape.js';
import type { Gradients } from './gradients.js';
import { BackwardPass } from './pass.js';

const backwardOptions = declareOptions('backward', {
  /**
   * A wait list that was built by hand. It is checked before the pass, and it is not changed. By default,
   * `WaitList.of(...roots)`.
   */
  waits: optional(waitList),
  /**
   * The gradient with which the pass starts at the root. It has the shape and dtype of the root. The default is 1,
   * which is possible only if the root has one element.
   */
  gradient: optional(
    nodeOf('a node of the shape and dtype of the root'),
    'cotangent',
    'gradOutput',
  ),
});

/** Options of `backward`. */
export interface BackwardOptions extends OptionsOf<typeof backwardOptions> {}

const source = 'backward';

/**
 * Builds the gradients of a root with respect to all nodes that it depends on. The gradients are nodes. Several roots
 * are given as [root, starting gradient] pairs; the gradients of a node from all roots are added.
 *
 * Reverse-mode accumulation as in Griewank & Walther, Evaluating Derivatives (2008), chapter 3.
 *
 * @throws ShapeError if the root does not have exactly one element and no `gradient` is given, or if a starting
 *   gradient has another shape than its root; DTypeError if a root is int32, or if a starting gradient has another
 *   dtype than its root; GraphError if a root or a starting gradient is not a node, if the list of pairs is empty, or
 *   if `waits` does not fit the graph; ValueError if an option is unknown, if a pair is not a list, or if `gradient` is
 *   given with a list of pairs
 */
export function backward(root: Node, options?: BackwardOptions): Gradients;
export function backward(
  roots: readonly (readonly [root: Node, gradient: Node])[],
  options?: Pick<BackwardOptions, 'waits'>,
): Gradients;
export function backward(
  rootOrRoots: Node | readonly (readonly [Node, Node])[],
  options?: BackwardOptions,
): Gradients {
  const read = backwardOptions.read(options);
  const pairs = isNode(rootOrRoots)
    ? [[rootOrRoots, read.gradient ?? asDerived(() => ones(rootOrRoots))] as const]
    : pairsOf(rootOrRoots, read);
  const roots = pairs.map(([root]) => floating(root));
  const waits = read.waits?.clone() ?? WaitList.of(...roots);
  if (read.waits) waits.check(...roots);

  // A gradient that no parent sends comes from an outside source, which has a name. Each pair gets an outside source of
  // its own, so if a root occurs twice, its starting gradients are added.
  const sources = pairs.map(([root], index) => {
    const byHand = waits.edges(root).filter((edge) => typeof edge.parent === 'string');
    const [only] = byHand;
    // If the user registered exactly one outside source for this root, and the root occurs once, that source is used.
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

function pairsOf(
  roots: readonly (readonly [Node, Node])[],
  { gradient }: BackwardOptions,
): readonly (readonly [Node, Node])[] {
  const expected = 'backward: expected a root, or a list of [root, gradient] pairs,';
  const pairs = isList(roots) ? assertList(roots, expected) : [];
  if (pairs.length === 0) {
    throw new GraphError(`${expected} but received ${describeValue(roots)}`);
  }
  if (gradient !== undefined) {
    throw new ValueError(
      'backward: the option gradient is only for one root, but received a list of pairs; leave it out, because each pair has its own gradient',
    );
  }
  return pairs.map(
    (pair) =>
      assertList(pair, 'backward: expected a [root, gradient] pair,') as readonly [Node, Node],
  );
}

/** Returns the root. @throws GraphError if it is not a node; DTypeError if it is int32 */
function floating(root: Node): Node {
  if (!isNode(root)) {
    throw new GraphError(`backward: expected a node as root, but received ${describeValue(root)}`);
  }
  if (isFloating(root.dtype)) return root;
  throw new DTypeError(
    `backward: ${root} is ${root.dtype}; only float32 and float64 have gradients`,
  );
}

/** Returns the default starting gradient: ones in the shape and dtype of a root that has one element. */
function ones(root: Node): Node {
  floating(root);
  if (root.shape.some((dim) => dim !== 1)) {
    throw new ShapeError(
      `backward: expected a root of one element, but ${root} has shape ${formatShape(root.shape)}; reduce it with sum() or mean(), or pass the option gradient`,
    );
  }
  return broadcastTo(constant(1, { dtype: root.dtype }), root.shape);
}
