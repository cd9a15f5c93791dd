import { instance } from '@viz-js/viz';
import { describe, expect, it } from 'vitest';
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
  WaitList,
} from '../../src/index.js';
import { errorOf } from '../support.js';

/** The attributes of a node's line, by name. */
function lineOf(text: string, node: Node): Record<string, string> {
  const line = new RegExp(`^  n${node.id} \\[(.*)\\];$`, 'm').exec(text)?.[1];
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
  it('draws every node and every use below the root, and nothing else', () => {
    relu(w); // a head off the path
    const text = dot(loss);
    expect(text.match(/^ {2}n\d+ \[/gm)).toHaveLength(11);
    // x, w, s, 0.25; x*w, *s, w*0.25, +, tanh, square, sum
    expect(arrows(text)).toHaveLength(11);
    expect(lineOf(text, loss).label).toBe('loss\\nsum 0 1\\n[]');
    expect(lineOf(text, x).label).toBe('x\\ninput\\n[batch, 3]');
  });

  it('draws two arrows for a node that is used twice by one parent', () => {
    const square = mul(w, w);
    expect(arrows(dot(square)).map(([, from, to]) => [Number(from), Number(to)])).toEqual([
      [w.id, square.id],
      [w.id, square.id],
    ]);
  });

  it('tells the four kinds of leaves apart, and all of them from ops', () => {
    const text = dot(loss);
    const quarter = constant(0.25);
    const looks = [x, w, s, quarter, loss.inputs[0] as Node].map((node) => {
      const { shape, style, fillcolor } = lineOf(text, node);
      return `${shape} ${style} ${fillcolor}`;
    });
    expect(new Set(looks).size).toBe(5);
    expect(lineOf(text, quarter).label).toBe('0.25');
  });

  it('says how many uses a shared weight waits for, and says it of no other', () => {
    const text = dot(loss);
    expect(lineOf(text, w).label).toMatch(/waits for 2$/);
    expect(text.match(/waits for/g)).toHaveLength(1);
    const unrolled = (steps: number) => {
      const lstm = new LSTM('lstm', { inputs: 2, units: 3 });
      const { hidden } = lstm.unroll(input('xs', [steps, 'batch', 2]));
      return lineOf(dot(sum(hidden)), lstm.parameters[0] as Node).label;
    };
    expect(unrolled(5)).toBe('lstm.forget.weight\\nparameter\\n[5, 3]\\nwaits for 5');
    expect(unrolled(7)).toMatch(/waits for 7$/);
  });

  it('tells the gradient graph apart, arrows too', () => {
    const gradient = backward(loss).of(w);
    const text = dot([loss, gradient]);
    expect(lineOf(text, gradient).color).not.toBe(lineOf(text, loss).color);
    expect(lineOf(text, gradient).fillcolor).not.toBe(lineOf(text, loss).fillcolor);
    const derived = arrows(text).filter(([, , to]) => Number(to) > loss.id).length;
    expect(text.match(/-> n\d+ \[color="#d55e00"\]/g)).toHaveLength(derived);
    expect(derived).toBeGreaterThan(5);
  });

  it('refuses wiring that would not train, naming both nodes', () => {
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

  it('is DOT that Graphviz lays out, whatever the names hold', async () => {
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

  it('draws a graph 20,000 nodes deep', () => {
    let deep: Node = w;
    for (let i = 0; i < 20_000; i++) deep = tanh(deep);
    expect(arrows(dot(deep))).toHaveLength(20_000);
  });
});
