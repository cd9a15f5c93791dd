import { instance } from '@viz-js/viz';
import { describe, expect, it } from 'vitest';
import { topologicalOrder } from '../../src/graph/topology.js';
import {
  add,
  backward,
  cast,
  constant,
  dot,
  GraphError,
  input,
  LSTM,
  mse,
  mul,
  type Node,
  parameter,
  randomNormal,
  relu,
  scan,
  slice,
  square,
  stack,
  state,
  sum,
  tanh,
  tensor,
  transpose,
  WaitList,
} from '../../src/index.js';
import { errorOf } from '../support.js';
import { unrolled } from '../unrolled.js';

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
    const waits = (steps: number) => {
      const lstm = new LSTM('lstm', { inputs: 2, units: 3 });
      const { hidden } = unrolled(lstm, input('xs', [steps, 'batch', 2]));
      const root = sum(hidden);
      return lineOf(dot(root), lstm.parameters[0] as Node, root).label;
    };
    expect(waits(5)).toBe('lstm.forget.weight\\nparameter\\n[5, 3]\\nwaits for 5');
    expect(waits(7)).toMatch(/waits for 7$/);
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

describe('dot of a scan', () => {
  /** Returns the label of each node and each box, by name. */
  const labelsIn = (text: string) =>
    new Map(
      [
        ...text.matchAll(/^ *(?:subgraph cluster_(\w+) \{\n *graph|(n[\d_]+)) \[label="([^"]*)"/gm),
      ].map(([, box, node, label]) => [(box ?? node) as string, label as string]),
    );
  /** Returns the arrows as pairs of labels. */
  const edgesIn = (text: string, pattern = '') => {
    const labels = labelsIn(text);
    const all = text.matchAll(new RegExp(`^ *(n[\\d_]+) -> (n[\\d_]+)${pattern}`, 'gm'));
    return [...all].map(([, from, to]) => [labels.get(from as string), labels.get(to as string)]);
  };
  const named = (text: string, label: string) =>
    [...labelsIn(text)].find(([, one]) => one.startsWith(label))?.[0] as string;

  const xs = input('xs', ['steps', 2]);
  const h0 = parameter('h0', [0, 0]);
  const v = parameter('v', [1, 2]);
  const net = () =>
    scan(
      ({ h }, x) => {
        const next = tanh(add(mul(h, v), mul(x, v)));
        return [{ h: next }, next];
      },
      { over: xs, initial: { h: h0 }, name: 'net' },
    );

  it('is a box with the graph of a step: inputs lead to arguments, and the next carry back to the carry', () => {
    const text = dot(sum(net().ys));
    const lines = text.split('\n').slice(4, -2);
    // Only the labels of nodes and the names of arrows are compared, and how arrows look.
    expect(lines.map((line) => line.replace(/(label="[^"]*"), .*\]/, '$1]').slice(2))).toEqual([
      'n0 [label="h0\\nparameter\\n[2]"];',
      'n1 [label="xs\\ninput\\n[steps, 2]"];',
      'n2 [label="v\\nparameter\\n[2]"];',
      'subgraph cluster_n3 {',
      '  graph [label="net\\nscan over steps"];',
      '  n3_0 [label="h\\ncarry\\n[2]"];',
      '  n3_1 [label="x\\nrow t\\n[2]"];',
      '  n3_2 [label="v\\ncapture\\n[2]\\nwaits for 2"];',
      '  n3_3 [label="mul\\n[2]"];',
      '  n3_0 -> n3_3;',
      '  n3_2 -> n3_3;',
      '  n3_4 [label="mul\\n[2]"];',
      '  n3_1 -> n3_4;',
      '  n3_2 -> n3_4;',
      '  n3_5 [label="add\\n[2]"];',
      '  n3_3 -> n3_5;',
      '  n3_4 -> n3_5;',
      '  n3_6 [label="tanh\\n[2]\\nwaits for 2"];',
      '  n3_5 -> n3_6;',
      '  n3_6 -> n3_0 [style="dashed", constraint="false"];',
      '}',
      'n0 -> n3_0;',
      'n1 -> n3_1;',
      'n2 -> n3_2;',
      'n4 [label="all steps\\n[steps, 2]"];',
      'n3_6 -> n4;',
      'n5 [label="sum 0 1\\n[]"];',
      'n4 -> n5;',
    ]);
  });

  it('counts the gradients that a node of the body waits for: also those of the carry and of the results', () => {
    const { last, ys } = net();
    // Without the result, the value of tanh is only carried. The last value has no gradient of its own in each step.
    const carried = dot(last.h);
    expect(labelsIn(carried).get(named(carried, 'tanh'))).toBe('tanh\\n[2]');
    expect(edgesIn(carried)).toContainEqual(['tanh\\n[2]', 'last h\\n[2]']);
    // Results that only gradients read send none.
    const only = scan(({ h }, x) => [{ h: tanh(mul(h, mul(x, v))) }, undefined], {
      over: xs,
      initial: { h: h0 },
    });
    const loss = sum(only.last.h);
    const both = dot([loss, backward(loss).of(v)]);
    expect(both).toContain('all steps');
    expect(labelsIn(both).get(named(both, 'tanh'))).toBe('tanh\\n[2]');
    expect(labelsIn(both).get(named(both, 'h\\ncarry'))).toBe('h\\ncarry\\n[2]');
    const all = dot([sum(ys), last.h]);
    expect(labelsIn(all).get(named(all, 'net'))).toBe('net\\nscan over steps\\nwaits for 2');
  });

  it('draws only the results that the roots read, and marks a root', () => {
    const { last, ys } = net();
    const before = dot(last.h);
    expect(before).not.toContain('all steps');
    backward(sum(ys)).of(v);
    expect(dot(last.h)).toBe(before);
    const scanNode = ys.inputs[0] as Node;
    expect(dot(scanNode)).toMatch(/subgraph cluster_n3 \{\n *graph \[.*penwidth="2"\]/);
  });

  it('says what each argument is, and shows no ids', () => {
    const { ys } = scan(
      ({ n }, { a }, t) => [
        { n },
        add(mul(a, randomNormal([2])), add(cast(t, 'float32'), mul(n, mul(v, 2)))),
      ],
      { over: { a: xs }, initial: { n: 3 }, reverse: true },
    );
    const text = dot(ys);
    const labels = [...labelsIn(text).values()];
    expect(labels.filter((label) => label.includes('#'))).toEqual([]);
    expect(labels).toEqual(
      expect.arrayContaining([
        'scan over steps reversed',
        'n\\ncarry\\n[]\\nwaits for 2',
        'a\\nrow t\\n[2]',
        'row t\\n[2]',
        'capture\\n[2]',
        't\\nindex of the step\\n[]',
      ]),
    );
    // A carry that stays as it is leads to itself.
    const carry = named(text, 'n\\ncarry');
    expect(text).toContain(`${carry} -> ${carry} [style="dashed", constraint="false"]`);
    expect(edgesIn(text)).toContainEqual(['3', 'n\\ncarry\\n[]\\nwaits for 2']);
  });

  it('draws a scan in a scan as a box in its box', async () => {
    const nested = (depth: number): Node => {
      const level = (x: Node, left: number): Node =>
        left === 0
          ? mul(x, v)
          : scan(({ s }, row) => [{ s: level(add(row, s), left - 1) }, s], {
              over: stack([x, x], 0),
              initial: { s: x },
              name: `level ${left}`,
            }).last.s;
      return level(h0, depth);
    };
    const text = dot(nested(3));
    const outer = named(text, 'level 3');
    const middle = named(text, 'level 2');
    expect(middle).toMatch(new RegExp(`^${outer}_\\d+$`));
    expect(named(text, 'level 1')).toMatch(new RegExp(`^${middle}_\\d+$`));
    expect(edgesIn(text)).toContainEqual(['v\\nparameter\\n[2]', 'v\\ncapture\\n[2]']);
    expect(
      edgesIn(text).filter(([from, to]) => from === to && to === 'v\\ncapture\\n[2]'),
    ).toHaveLength(2);
    expect(edgesIn(text, ' \\[style="dashed"')).toHaveLength(3);
    const drawn = (await instance()).render(text, { format: 'svg' });
    expect(drawn.errors).toEqual([]);
    expect(drawn.output?.match(/class="cluster"/g)).toHaveLength(3);
    expect(drawn.output?.match(/class="node"/g)).toHaveLength(labelsIn(text).size - 3);
    expect(drawn.output?.match(/class="edge"/g)).toHaveLength(edgesIn(text).length);
    expect(edgesIn(dot(nested(40)), ' \\[style="dashed"')).toHaveLength(40);
  });

  it('draws the loop of the gradient in the colours of gradients, and reads the loop of the values', async () => {
    const { ys } = net();
    const roots = [sum(square(ys)), backward(sum(square(ys))).of(v)];
    const text = dot(roots);
    const box = named(text, 'net.backward');
    expect(labelsIn(text).get(box)).toBe('net.backward\\nscan over steps reversed');
    const graph = new RegExp(`cluster_${box} \\{\\n *graph \\[.*color="#d55e00"`);
    expect(text).toMatch(graph);
    const within = text.slice(text.indexOf(`cluster_${box} {`));
    const arrowsOfBox = [...within.matchAll(new RegExp(` -> ${box}_\\d+(.*);$`, 'gm'))];
    expect(arrowsOfBox.length).toBeGreaterThan(10);
    for (const [, look] of arrowsOfBox) expect(look).toContain('color="#d55e00"');
    const values = named(text, 'net\\nscan');
    expect(text).not.toMatch(new RegExp(`-> ${values}_\\d+ \\[color`));
    expect(edgesIn(text)).toContainEqual(['addN\\n[2]', 'sum of all steps\\n[2]']);
    const drawn = (await instance()).render(text, { format: 'svg' });
    expect(drawn.errors).toEqual([]);
    expect(drawn.output?.match(/class="edge"/g)).toHaveLength(edgesIn(text).length);
  });

  it('refuses a wait list by hand that lacks an input of the scan', () => {
    const { last } = net();
    const node = last.h.inputs[0] as Node;
    const waits = new WaitList().register(node, last.h).register(h0, node).register(xs, node);
    expect(errorOf(() => dot(last.h, { waits })).message).toMatch(
      /^\[parameter 'v'\] does not wait for \[scan 'net'\] \(its input 2\)/,
    );
    expect(dot(last.h, { waits: waits.register(v, node) })).toBe(dot(last.h));
  });

  it('gives equal text for equal graphs, whatever was built between their nodes', () => {
    const weight = parameter('weight', [
      [1, 2],
      [3, 4],
    ]);
    const kept: Node[] = [];
    const build = () => {
      const { last } = scan(
        ({ h }) => {
          // The first time, the view is made after the product, and then it is used again.
          const product = mul(v, 2);
          const view = transpose(weight);
          kept.push(view);
          return [{ h: add(mul(h, product), view) }, undefined];
        },
        { initial: { h: weight }, length: 3 },
      );
      return dot([last.h, backward(sum(last.h)).of(weight)]);
    };
    const text = build();
    expect(build()).toBe(text);
    expect(kept[1]).toBe(kept[0]);
  });

  it('draws a body 100,000 nodes deep', () => {
    const { last } = scan(
      ({ h }) => {
        let deep: Node = h;
        for (let i = 0; i < 100_000; i++) deep = tanh(deep);
        return [{ h: deep }, undefined];
      },
      { initial: { h: h0 }, length: 3 },
    );
    expect(edgesIn(dot(last.h)).length).toBe(100_003);
  });
});
