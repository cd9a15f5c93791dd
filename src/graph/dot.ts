/** The graph as DOT text, with its wiring checked on the way: the seed's recursive plot, unrolled. */

import { describeValue } from '../arguments/describe.js';
import { oneOf, text } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { assertList, isList } from '../arguments/read.js';
import { GraphError } from '../errors.js';
import { formatShape } from '../tensor/shape.js';
import { Constant, Leaf, type LeafKind } from './leaf.js';
import { isNode, type Node } from './node.js';
import { topologicalOrder } from './topology.js';
import { WaitList, waitList } from './waitlist.js';

const dotOptions = declareOptions('dot', {
  /** A wait list wired by hand, to be checked and shown; defaults to `WaitList.of(roots)`. */
  waits: optional(waitList),
  /** A title above the drawing. */
  title: optional(text, 'label'),
  /** The direction in which values flow; bottom to top unless told otherwise, as in the seed's plots. */
  direction: optional(oneOf('BT', 'TB', 'LR', 'RL'), 'rankdir'),
});

/** What `dot` may be told. */
export interface DotOptions extends OptionsOf<typeof dotOptions> {}

type Style = Readonly<Record<string, string>>;

// Fills from Okabe & Ito's palette, lightened: told apart by people who are colour-blind, too.
const leafStyles: Readonly<Record<LeafKind, Style>> = {
  input: { shape: 'box', style: 'filled', fillcolor: '#cfe8f7', color: '#0072b2' },
  parameter: { shape: 'box', style: 'filled,bold', fillcolor: '#c9ecdf', color: '#009e73' },
  state: { shape: 'box', style: 'filled,dashed', fillcolor: '#c9ecdf', color: '#009e73' },
  constant: { shape: 'plaintext', style: 'solid' },
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
 * Draws all that the roots depend on: leaves by kind, parameters with the number of parents they
 * wait for, nodes that differentiation built in a colour of their own. Nodes are numbered n0, n1, … by their place in
 * the drawing, inputs first: equal graphs give equal text.
 * @returns the graph as text in the DOT language, for Graphviz
 * @throws GraphError, naming both nodes, if `waits` lacks an edge or waits for one in vain; GraphError if a root is not
 *   a node or `waits` is not a wait list; ValueError for another option that is unknown or unacceptable
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
  // By their place in the drawing. Ids would not do: whether a view or a constant is built anew, and so gets a higher
  // id than before, depends on what the garbage collector has left of earlier graphs.
  const order = topologicalOrder(roots, ({ inputs }) => inputs);
  const places = new Map(order.map((node, place) => [node, place]));
  for (const [node, place] of places) {
    const style = roots.includes(node) ? { ...styleOf(node), penwidth: '2' } : styleOf(node);
    lines.push(`  n${place} ${attributes({ label: labelOf(node, waits), ...style })};`);
    for (const input of node.inputs) {
      lines.push(
        `  n${places.get(input)} -> n${place}${node.derived ? ' [color="#d55e00"]' : ''};`,
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
  const lines = [node.name === undefined ? op : `${node.name}\n${op}`, formatShape(node.shape)];
  // What differentiation built reads values of the graph it was built on, and sends it nothing.
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
