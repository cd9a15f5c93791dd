/**
 * Draws a graph: `dot` returns it as text in the DOT language, after checking its wait list. It uses loops and no
 * recursion, because a graph can be very deep; only a `scan` in the body of a `scan` is drawn by recursion. (The plot
 * function in the blog post that forebay is based on was recursive.)
 */

import { describeValue } from '../arguments/describe.js';
import { oneOf, text } from '../arguments/kinds.js';
import { declareOptions, type OptionsOf, optional } from '../arguments/options.js';
import { assertList, isList } from '../arguments/read.js';
import { GraphError } from '../errors.js';
import { formatShape } from '../tensor/shape.js';
import {
  argumentsOf,
  bodyOf,
  type DrawnArgument,
  inputsOf,
  labelOfResult,
  loopResultOf,
} from './dot-loop.js';
import { Constant, Leaf, type LeafKind } from './leaf.js';
import { type Loop, loopOf, rootOf } from './loop.js';
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
const opBox = { color: '#555555', fillcolor: '#f6f6f6' };
const derivedBox = { color: '#d55e00', fillcolor: '#fdf4ec' };

/**
 * Draws the roots and all nodes that they depend on. Each kind of leaf has its own style, and nodes that
 * differentiation built have another colour. If a node waits for more than one gradient, its label shows how many.
 * A `scan` is a box with the graph of one step. The inputs of the scan lead to the arguments of this graph, and dashed
 * arrows lead from the next value of each carry back to the carry. Results leave the box: the last value of a carry, the
 * values of a node in all steps, or their sum.
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
  const graph: Style = {
    rankdir: direction,
    fontname: 'Helvetica',
    ...(title !== undefined && { label: title, labelloc: 't' }),
  };
  const { lines } = drawn({ roots, waits }, 'n', roots);
  return [
    'digraph forebay {',
    `  graph ${attributes(graph)};`,
    '  node [fontname="Helvetica", fontsize="11", margin="0.12,0.06"];',
    '  edge [color="#777777", arrowsize="0.7"];',
    ...lines.map((line) => `  ${line}`),
    '}\n',
  ].join('\n');
}

/** A graph that is drawn: that of the user, or the body of a loop. */
interface Graph {
  readonly roots: readonly Node[];
  readonly waits: WaitList;
  /** The loop whose body the graph is, and its arguments. */
  readonly loop?: Loop;
  readonly arguments?: readonly DrawnArgument[];
}

/** The lines of a graph, and the names of its nodes. */
interface Drawn {
  readonly lines: readonly string[];
  readonly names: ReadonlyMap<Node, string>;
}

/**
 * Checks the wait list of a graph, and draws the graph.
 * @param prefix the beginning of the names of nodes
 * @param marked the nodes with a bold border
 */
function drawn(graph: Graph, prefix: string, marked: readonly Node[] = []): Drawn {
  const { roots, waits, loop, arguments: given = [] } = graph;
  waits.check(...roots);
  // The names use the positions of the nodes, because the ids of equal graphs can differ. If an equal view or constant
  // of an earlier graph has not been garbage-collected yet, it is used again, and its id is lower than that of a new
  // node.
  const leaves = given.filter(({ input }) => input).map(({ argument }) => argument);
  const order = topologicalOrder([...leaves, ...roots], inputsOf);
  const names = new Map(order.map((node, position) => [node, `${prefix}${position}`]));
  const labels = new Map<Node, string>(given.map(({ argument, label }) => [argument, label]));
  const results = resultsOfLoops(order);
  const bodies = new Map<Node, Drawn['names']>();
  const lines: string[] = [];
  for (const [node, name] of names) {
    const bold = marked.includes(node) ? { penwidth: '2' } : {};
    const inner = loopOf(node);
    if (inner) {
      const parts = argumentsOf(node, inner);
      const body = { ...bodyOf(inner, results.get(node) ?? []), loop: inner, arguments: parts };
      const box = drawn(body, `${name}_`);
      bodies.set(node, box.names);
      const style = { label: labelOf(node, waits), ...boxStyle(node), ...bold };
      lines.push(`subgraph cluster_${name} {`, `  graph ${attributes(style)};`);
      for (const line of box.lines) lines.push(`  ${line}`);
      lines.push('}');
      for (const { argument, input } of parts) {
        if (input) lines.push(arrow(names.get(input), box.names.get(argument), colorOf(node)));
      }
      continue;
    }
    const label = labelOf(node, waits, labels.get(node));
    lines.push(`${name} ${attributes({ label, ...styleOf(node), ...bold })};`);
    const source = loopResultOf(node);
    for (const input of node.inputs) {
      const from = source ? bodies.get(input)?.get(rootOf(source)) : names.get(input);
      lines.push(arrow(from, name, colorOf(node)));
    }
  }
  for (const { argument, next } of loop?.carries ?? []) {
    const back = { style: 'dashed', constraint: 'false', ...colorOf(next) };
    lines.push(arrow(names.get(next), names.get(argument), back));
  }
  return { lines, names };
}

/** Returns the results of loops among some nodes, by loop. */
function resultsOfLoops(nodes: readonly Node[]): ReadonlyMap<Node, readonly Node[]> {
  const results = new Map<Node, Node[]>();
  for (const node of nodes) {
    if (!loopResultOf(node)) continue;
    const [scan] = node.inputs as [Node];
    results.set(scan, [...(results.get(scan) ?? []), node]);
  }
  return results;
}

function arrow(from: string | undefined, to: string | undefined, style: Style): string {
  const look = Object.keys(style).length > 0 ? ` ${attributes(style)}` : '';
  return `${from} -> ${to}${look};`;
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

/** Returns the colour of what differentiation built; nothing for other nodes. */
function colorOf(node: Node): Style {
  return node.derived ? { color: derivedStyle.color as string } : {};
}

function boxStyle({ derived }: Node): Style {
  const { color, fillcolor } = derived ? derivedBox : opBox;
  // The label is on the side of the results, where fewer arrows cross the border than on the side of the inputs.
  const place = { labelloc: 'b', labeljust: 'r', margin: '12' };
  return { style: 'filled,rounded', color, fillcolor, fontsize: '11', ...place };
}

function styleOf(node: Node): Style {
  if (node instanceof Leaf) return leafStyles[node.kind];
  return node.derived ? derivedStyle : opStyle;
}

/** @param given the label of an argument, without its shape */
function labelOf(node: Node, waits: WaitList, given?: string): string {
  if (node instanceof Constant && node.value.size === 1) return `${node.value.item()}`;
  const lines =
    given === undefined ? [node.name, applied(node)].filter((line) => line !== undefined) : [given];
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

/** Returns the op of a node with its arguments. */
function applied(node: Node): string {
  const result = loopResultOf(node);
  if (result) return labelOfResult(result);
  const detail = node.op.label?.(node.attributes);
  return detail ? `${node.op.name} ${detail}` : node.op.name;
}

function attributes(style: Style): string {
  const quoted = Object.entries(style).map(([key, value]) => `${key}="${escaped(value)}"`);
  return `[${quoted.join(', ')}]`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
