/**
 * Draws a graph: `dot` returns it as text in the DOT language, after checking its wait list. It uses loops and no
 * recursion, because a graph can be very deep. (The plot function in the blog post that forebay is based on was
 * recursive.)
 */

import { describeValue } from '../arguments/describe.js';
import { oneOf, text } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { assertList, isList } from '../arguments/read.js';
import { GraphError } from '../errors.js';
import { formatShape } from '../tensor/shape.js';
import { Constant, Leaf, type LeafKind } from './leaf.js';
import { isNode, type Node } from './node.js';
import { resultsOf } from './results.js';
import { topologicalOrder } from './topology.js';
import { WaitList, waitList } from './waitlist.js';

const dotOptions = declareOptions('dot', {
  /**
   * A wait list that was built by hand. It is checked, and the drawing shows it. By default, `WaitList.of(...roots)`.
   */
  waits: optional(waitList),
  /** A title above the drawing. */
  title: optional(text, 'label'),
  /**
   * The direction in which values flow; `BT` (bottom to top) by default, as in the plots of the blog post that forebay
   * is based on.
   */
  direction: optional(oneOf('BT', 'TB', 'LR', 'RL'), 'rankdir'),
});

/** Options of `dot`. */
export interface DotOptions extends OptionsOf<typeof dotOptions> {}

type Style = Readonly<Record<string, string>>;

// Lightened colours of Okabe and Ito's palette, which colour-blind people can distinguish, too.
const leafStyles: Readonly<Record<LeafKind, Style>> = {
  input: { shape: 'box', style: 'filled', fillcolor: '#cfe8f7', color: '#0072b2' },
  parameter: { shape: 'box', style: 'filled,bold', fillcolor: '#c9ecdf', color: '#009e73' },
  state: { shape: 'box', style: 'filled,dashed', fillcolor: '#c9ecdf', color: '#009e73' },
  constant: { shape: 'plaintext', style: 'solid' },
  argument: { shape: 'box', style: 'filled,dotted', fillcolor: '#eeeeee', color: '#555555' },
};
const opStyle: Style = {
  shape: 'box',
  style: 'filled,rounded',
  fillcolor: '#ffffff',
  color: '#555555',
};
const derivedStyle: Style = {
  shape: 'box',
  style: 'filled,rounded',
  fillcolor: '#fbe3cf',
  color: '#d55e00',
};

/**
 * Draws the roots and all nodes that they depend on. Each kind of leaf has its own style, and nodes that
 * differentiation built have another colour. If a node waits for more than one gradient, its label shows how many.
 * Nodes are named n0, n1, … in the order in which they are written, inputs first, so equal graphs give equal text.
 * @param root a node, or a list of nodes
 * @returns the graph as text in the DOT language, for Graphviz
 * @throws GraphError if a root is not a node, if `waits` is not a wait list, or if `waits` lacks an edge or has an edge
 *   whose parent can never send a gradient (the message names both nodes); ValueError if an option is unknown, or if
 *   another option is not acceptable
 */
export function dot(root: Node | readonly Node[], options?: DotOptions): string {
  const roots = rootsOf(root);
  const read = dotOptions.read(options);
  const { waits = WaitList.of(...roots), title, direction = 'BT' } = read;
  waits.check(...roots);
  const graph: Style = {
    rankdir: direction,
    fontname: 'Helvetica',
    ...(title !== undefined && { label: title, labelloc: 't' }),
  };
  const lines = [
    'digraph forebay {',
    `  graph ${attributes(graph)};`,
    '  node [fontname="Helvetica", fontsize="11", margin="0.12,0.06"];',
    '  edge [color="#777777", arrowsize="0.7"];',
  ];
  // The names use the positions of the nodes, because the ids of equal graphs can differ. If an equal view or constant
  // of an earlier graph has not been garbage-collected yet, it is used again, and its id is lower than that of a new
  // node.
  const order = topologicalOrder(roots, ({ inputs }) => inputs);
  const positions = new Map(order.map((node, position) => [node, position]));
  for (const [node, position] of positions) {
    const style = roots.includes(node) ? { ...styleOf(node), penwidth: '2' } : styleOf(node);
    lines.push(`  n${position} ${attributes({ label: labelOf(node, waits), ...style })};`);
    for (const input of node.inputs) {
      lines.push(
        `  n${positions.get(input)} -> n${position}${node.derived ? ' [color="#d55e00"]' : ''};`,
      );
    }
  }
  return `${lines.join('\n')}\n}\n`;
}

function rootsOf(root: unknown): readonly Node[] {
  if (isNode(root)) return [root];
  const expected = 'dot: expected a node or a list of nodes,';
  if (!isList(root)) {
    throw new GraphError(`${expected} but received ${describeValue(root)}`);
  }
  return assertList(root, expected).map((one) => {
    if (isNode(one)) return one;
    throw new GraphError(`${expected} but one of them is ${describeValue(one)}`);
  });
}

function styleOf(node: Node): Style {
  if (node instanceof Leaf) return leafStyles[node.kind];
  return node.derived ? derivedStyle : opStyle;
}

function labelOf(node: Node, waits: WaitList): string {
  if (node instanceof Constant && node.value.size === 1) return `${node.value.item()}`;
  const detail = node.op.label?.(node.attributes);
  const op = detail ? `${node.op.name} ${detail}` : node.op.name;
  const lines = [node.name === undefined ? op : `${node.name}\n${op}`];
  // A node with several results has no shape. Its results are nodes of their own.
  if (!resultsOf(node)) lines.push(formatShape(node.shape));
  // Gradient nodes read values of the original graph, but they send no gradients to it. So they are not counted.
  const readers = waits
    .edges(node)
    .filter(({ parent }) => typeof parent !== 'string' && parent.derived);
  const parents = waits.edges(node).length - (node.derived ? 0 : readers.length);
  if (parents > 1) lines.push(`waits for ${parents}`);
  return lines.join('\n');
}

function attributes(style: Style): string {
  const quoted = Object.entries(style).map(([key, value]) => `${key}="${escaped(value)}"`);
  return `[${quoted.join(', ')}]`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
