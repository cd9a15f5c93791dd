/** Formats a graph as TypeScript code. The code builds the graph with the public functions of forebay. */

import { executionOrder } from '../../../src/evaluate/lowered.js';
import { type Bindings, bindDim, type Dim } from '../../../src/graph/dimension.js';
import {
  Constant,
  Input,
  type Node,
  type Tensor,
  type Updates,
  Variable,
} from '../../../src/index.js';

/** A graph with the feeds of one run. The nodes of parameters, states and constants contain their values. */
export interface Single {
  readonly outputs: readonly Node[];
  readonly updates: Updates;
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly bindings: Bindings;
  /** The index of the run. */
  readonly run: number;
}

export function rootsOf({ outputs, updates }: Pick<Single, 'outputs' | 'updates'>): Node[] {
  return [...outputs, ...updates.map(([, value]) => value)];
}

/** Returns only those feeds whose inputs are part of the graph. */
export function feedsOf(single: Single): Record<string, Tensor> {
  const names = executionOrder(rootsOf(single)).flatMap((node) =>
    node instanceof Input ? [node.name as string] : [],
  );
  return Object.fromEntries(names.map((name) => [name, single.feeds[name] as Tensor]));
}

export function asCode(single: Single): string {
  const roots = rootsOf(single);
  // A composed op is written as one call. The nodes that it expands to are not written.
  const written = new Set<Node>([...roots, ...single.updates.map(([leaf]) => leaf)]);
  for (const node of written) for (const operand of node.inputs) written.add(operand);
  const nodes = [...written].sort((a, b) => a.id - b.id);
  const names = new Map(nodes.map((node, i) => [node, `n${i}`]));
  const name = (node: Node) => names.get(node) as string;
  const list = (items: readonly string[]) => `{ ${items.join(', ')} }`;
  const feeds = Object.entries(feedsOf(single)).map(([key, value]) => `${key}: ${literal(value)}`);
  return [
    ...nodes.map((node) => `const ${name(node)} = ${call(node, node.inputs.map(name), single)};`),
    `const outputs = ${list(single.outputs.map((node, i) => `y${i}: ${name(node)}`))};`,
    `const updates = [${single.updates.map((pair) => `[${pair.map(name).join(', ')}]`).join(', ')}];`,
    `const feeds = ${list(feeds)}; // run ${single.run}`,
  ].join('\n');
}

function literal({ data, shape, dtype }: Tensor): string {
  const kind = data.constructor.name;
  const numbers = Array.from(data, (value) => (Object.is(value, -0) ? '-0' : `${value}`));
  return `new Tensor(new ${kind}([${numbers.join(', ')}]), [${shape.join(', ')}], '${dtype}')`;
}

interface Attributes {
  readonly axes: readonly number[];
  readonly axis: number;
  readonly reverse: boolean;
  readonly descending: boolean;
  readonly key: string;
  readonly depth: number;
  readonly dim: Dim;
  readonly seed: number;
  readonly start: Dim;
  readonly end: Dim;
  readonly step: number;
  readonly starts: readonly (readonly Dim[])[];
  readonly steps: readonly (readonly number[])[];
}

function call(node: Node, args: readonly string[], { bindings }: Single): string {
  const { shape, dtype, op, name } = node;
  const typed = `{ dtype: '${dtype}' }`;
  const shown = JSON.stringify(shape);
  if (node instanceof Input) return `input('${name}', ${shown}, ${typed})`;
  if (node instanceof Variable) return `${node.kind}('${name}', ${literal(node.value)})`;
  if (node instanceof Constant) return `constant(${literal(node.value)})`;
  const attributes = node.attributes as Attributes;
  switch (op.name) {
    case 'transpose':
    case 'flip':
    case 'sum':
    case 'max':
    case 'mean':
      return `${op.name}(${args}, [${attributes.axes}])`;
    case 'argmax':
      return `argmax(${args}${attributes.axes.length === 1 ? `, ${attributes.axes}` : ''})`;
    case 'reshape':
    case 'broadcastTo':
      return `${op.name}(${args}, ${shown})`;
    case 'slice': {
      // An end of -1 is after the first element. It is written by leaving it out.
      const { axis, start, end, step } = attributes;
      const shownEnd = typeof end === 'number' && end < 0 ? undefined : end;
      return `slice(${args}, ${JSON.stringify({ axis, start, end: shownEnd, step })})`;
    }
    case 'matmul':
      return `${op.name}(${args.join(', ')}, ${JSON.stringify(attributes)})`;
    case 'concat':
    case 'stack':
      return `${op.name}([${args.join(', ')}], ${attributes.axis})`;
    case 'softmax':
    case 'logSoftmax':
      return `${op.name}(${args}, ${attributes.axis})`;
    case 'gather':
    case 'scatterAdd':
      return `${op.name}(${args.join(', ')}, ${attributes.axis})`;
    case 'cumsum':
      if (!attributes.reverse) return `cumsum(${args}, ${attributes.axis})`;
      return `flip(cumsum(flip(${args}, ${attributes.axis}), ${attributes.axis}), ${attributes.axis})`;
    case 'cumprod':
      return `cumprod(${args}, ${attributes.axis})`;
    case 'addN':
      return `addN([${args.join(', ')}])`;
    // A node with several results is written as the record of its results.
    case 'sort':
      return `sortWithIndices(${args}, ${attributes.axis}, { descending: ${attributes.descending} })`;
    case 'result':
      return `${args}.${attributes.key}`;
    case 'cast':
      return `cast(${args}, '${dtype}')`;
    case 'oneHot':
      return `oneHot(${args}, ${attributes.depth}, ${typed})`;
    case 'assemble': {
      const parts = args.map((x, i) => {
        const [start, step] = [attributes.starts[i], attributes.steps[i]];
        return `new Part(${x}, ${JSON.stringify(start)}, ${JSON.stringify(step)})`;
      });
      return `assemble(${shown}, [${parts.join(', ')}])`;
    }
    case 'extent':
      return `constant(${bindDim(attributes.dim, bindings)}, ${typed})`;
    case 'randomNormal':
    case 'randomUniform':
      return `${op.name}(${shown}, { seed: ${attributes.seed}, dtype: '${dtype}' })`;
    default:
      return `${op.name}(${args.join(', ')})`;
  }
}
