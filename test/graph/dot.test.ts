import { instance } from '@viz-js/viz';
import { describe, expect, it } from 'vitest';
import { topologicalOrder } from '../../src/graph/topology.js';
import {
  add,
  backward,
  constant,
  dot,
  GraphError,
  input,
  LSTM,
  mse,
  mul,
  type Node,
  parameter,
  relu,
  slice,
  square,
  state,
  sum,
  tanh,
  tensor,
  transpose,
  WaitList,
} from '../../src/index.js';
import { errorOf } from '../support.js';

/** Returns the number of a node in the drawing of `root`. */
function indexIn(root: Node | readonly Node[], node: Node): number {
  return topologicalOrder([root].flat() as Node[], ({ inputs }) => inputs).indexOf(node);
}

/** Returns the DOT attributes of a node, by name, from the line of the node in the drawing of `root`. */
function lineOf(
  text: string,
  node: Node,
  root: Node | readonly Node[] = loss,
): Record<string, string> {
  const line = new RegExp(`^  n${indexIn(root, node)} \\[(.*)\\];$`, 'm').exec(text)?.[1];
  if (line === undefined) throw new Error(`no line for ${node}`);
  const all = [...line.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
  return Object.fromEntries(all.map(([, key, value]) => [key as string, value as string]));
}
const arrows = (text: string) => [...text.matchAll(/^ {2}n(\d+) -> n(\d+)/gm)];

const x = input('x', ['batch', 3]);
const w = parameter('w', [[1, 2, 3]]);
const s = state('carried', [[1, 2, 3]]);
const loss = sum(square(tanh(add(mul(mul(x, w), s), mul(w, 0.25))))).named('loss');

describe('dot', () => {
  it('draws every node and every edge below the root, and nothing else', () => {
    relu(w); // this node is not below the root
    const text = dot(loss);
    expect(text.match(/^ {2}n\d+ \[/gm)).toHaveLength(11);
    // The 11 nodes are x, w, s, 0.25, and the ops x*w, *s, w*0.25, +, tanh, square, sum. The edges are 11, too.
    expect(arrows(text)).toHaveLength(11);
    expect(lineOf(text, loss).label).toBe('loss\\nsum 0 1\\n[]');
    expect(lineOf(text, x).label).toBe('x\\ninput\\n[batch, 3]');
  });

  it('draws two arrows for a node that is used twice by one parent', () => {
    const square = mul(w, w);
    expect(arrows(dot(square)).map(([, from, to]) => [Number(from), Number(to)])).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });

  it('draws the four kinds of leaves and the ops in five different styles', () => {
    const text = dot(loss);
    const quarter = constant(0.25);
    const looks = [x, w, s, quarter, loss.inputs[0] as Node].map((node) => {
      const { shape, style, fillcolor } = lineOf(text, node);
      return `${shape} ${style} ${fillcolor}`;
    });
    expect(new Set(looks).size).toBe(5);
    expect(lineOf(text, quarter).label).toBe('0.25');
  });

  it('labels only shared nodes with the number of gradients that they wait for', () => {
    const text = dot(loss);
    expect(lineOf(text, w).label).toMatch(/waits for 2$/);
    expect(text.match(/waits for/g)).toHaveLength(1);
    const unrolled = (steps: number) => {
      const lstm = new LSTM('lstm', { inputs: 2, units: 3 });
      const { hidden } = lstm.unroll(input('xs', [steps, 'batch', 2]));
      const root = sum(hidden);
      return lineOf(dot(root), lstm.parameters[0] as Node, root).label;
    };
    expect(unrolled(5)).toBe('lstm.forget.weight\\nparameter\\n[5, 3]\\nwaits for 5');
    expect(unrolled(7)).toMatch(/waits for 7$/);
  });

  it('draws the nodes and arrows of the gradient graph in another colour', () => {
    const gradient = backward(loss).of(w);
    const both = [loss, gradient];
    const text = dot(both);
    const [line, lineOfLoss] = [lineOf(text, gradient, both), lineOf(text, loss, both)];
    expect(line.color).not.toBe(lineOfLoss.color);
    expect(line.fillcolor).not.toBe(lineOfLoss.fillcolor);
    const derived = arrows(text).filter(([, , to]) => Number(to) > indexIn(both, loss)).length;
    expect(text.match(/-> n\d+ \[color="#d55e00"\]/g)).toHaveLength(derived);
    expect(derived).toBeGreaterThan(5);
  });

  it('refuses a wrong wait list, and names both nodes', () => {
    const [hidden] = [tanh(w).named('hidden')];
    const root = square(hidden).named('root');
    const head = relu(hidden).named('head');
    const short = new WaitList().register(w, hidden);
    const missing = errorOf(() => dot(root, { waits: short }));
    expect(missing).toBeInstanceOf(GraphError);
    expect(missing.message).toMatch(/\[tanh 'hidden'\] does not wait for \[square 'root'\]/);
    const long = WaitList.of(root).register(hidden, head);
    expect(errorOf(() => dot(root, { waits: long })).message).toMatch(
      /\[tanh 'hidden'\] waits for \[relu 'head'\], which can never send/,
    );
    expect(() => dot(undefined as never)).toThrow(GraphError);
    expect(errorOf(() => dot(x, { waits: 3 as never }))).toMatchObject({
      code: 'FOREBAY_GRAPH',
      message: 'dot: waits must be a WaitList, but is number 3',
    });
  });

  it('writes DOT that Graphviz can lay out, for names with any characters', async () => {
    const odd = mul(parameter('a "quoted" \\ name\nof <two> lines', tensor([1])), 2).named('"];}{');
    const viz = await instance();
    const target = [0, 0, 0];
    const graphs: readonly (Node | Node[])[] = [
      [loss, backward(loss).of(w)],
      odd,
      mse(slice(s, { axis: 0, start: 0 }), tensor([target])),
    ];
    for (const graph of graphs) {
      const text = dot(graph, { title: 'a "title"', direction: 'LR' });
      const drawn = viz.render(text, { format: 'svg' });
      expect(drawn.errors).toEqual([]);
      expect(drawn.output?.match(/class="node"/g)).toHaveLength(
        text.match(/^ {2}n\d+ \[/gm)?.length ?? 0,
      );
      expect(drawn.output?.match(/class="edge"/g)).toHaveLength(arrows(text).length);
    }
  });

  it('gives equal text for equal graphs, whatever was built between their nodes', () => {
    const draw = (between: () => void) => {
      const weight = parameter('weight', [[1, 2, 3]]);
      between();
      const half = mul(weight, 0.125);
      between();
      const root = sum(square(add(transpose(half), transpose(weight))));
      return dot([root, backward(root).of(weight)]);
    };
    // These nodes change the ids between the two drawings: the constant 0.125 exists before `mul` needs it.
    const kept: Node[] = [];
    const text = draw(() => {});
    expect(draw(() => kept.push(constant(0.125), relu(w)))).toBe(text);
    expect(text).toMatch(/^ {2}n0 \[/m);
  });

  it('draws a graph 20,000 nodes deep', () => {
    let deep: Node = w;
    for (let i = 0; i < 20_000; i++) deep = tanh(deep);
    expect(arrows(dot(deep))).toHaveLength(20_000);
  });
});
