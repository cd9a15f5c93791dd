import { decode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { ShapeError, ValueError } from '../../src/errors.js';
import {
  gridPoints,
  imageGrid,
  type LineChart,
  lineChart,
  rasterise,
  regionChart,
  renderDot,
} from '../../src/report/index.js';
import { colourOf } from '../../src/report/theme.js';
import { attribute, elements, parseXml, texts } from './xml.js';

/** Returns the decoded PNG of a data URL in an SVG. */
function embedded(url: string) {
  const prefix = 'data:image/png;base64,';
  expect(url.startsWith(prefix)).toBe(true);
  return decode(Buffer.from(url.slice(prefix.length), 'base64'));
}

const wave: LineChart = {
  title: 'Waves & <others>',
  subtitle: 'a "subtitle"',
  x: { label: 'step' },
  y: { label: 'value' },
  series: [
    { name: 'true', y: [0, 1, 0, -1, 0], style: 'broad' },
    { name: 'generated', x: [1, 2, 3], y: [0.9, 0.1, Number.NaN] },
    { name: 'dots', y: [0.5, 0.5], style: 'points', colour: 2 },
  ],
  bands: [{ from: 0, to: 1, label: 'given' }],
};

/** Returns all coordinates in the data of a path. */
function pathPoints(d: string): number[] {
  return [...d.matchAll(/-?\d+(?:\.\d+)?/g)].map((match) => Number(match[0]));
}

describe('lineChart', () => {
  it('is well-formed and contains all its texts', async () => {
    const svg = await lineChart(wave);
    const shown = texts(svg);
    for (const text of ['Waves & <others>', 'step', 'value', 'true', 'generated', 'dots']) {
      expect(shown).toContain(text);
    }
    expect(shown).toContain('given');
    expect(svg).not.toMatch(/<style|class=|pointer-events|ecmeta|NaN/);
  });

  it('draws a straight series as a straight line from end to end of its axis', async () => {
    const svg = await lineChart({
      title: 'line',
      x: { label: 'x' },
      y: { label: 'y' },
      series: [{ name: 'line', y: [0, 1, 2, 3, 4, 5, 6] }],
    });
    const lines = elements(parseXml(svg), 'path').filter(
      (path) => attribute(path, 'stroke') === colourOf(0),
    );
    expect(lines).toHaveLength(1);
    const numbers = pathPoints(attribute(lines[0], 'd'));
    const xs = numbers.filter((_, index) => index % 2 === 0);
    const ys = numbers.filter((_, index) => index % 2 === 1);
    expect(ys).toHaveLength(7);
    expect([xs[0], xs[6]]).toEqual([74, 732]);
    // The points must have equal distances and go upwards on the page. In SVG the y axis points down, so y decreases.
    const [bottom, top] = [Math.max(...ys), Math.min(...ys)];
    for (const [index, y] of ys.entries()) {
      expect(y).toBeCloseTo(bottom + ((top - bottom) * index) / 6, 0);
    }
    expect(bottom - top).toBeGreaterThan(200);
  });

  it('has round ticks, and its x axis ends at the last step', async () => {
    const series = [{ name: 'loss', y: Array.from({ length: 401 }, (_, i) => 10 ** (-i / 100)) }];
    const svg = await lineChart({
      title: 'loss',
      x: { label: 'epoch' },
      y: { label: 'loss', scale: 'log' },
      series: [...series, { name: 'lost', y: [0, -1, Number.POSITIVE_INFINITY, 0.5] }],
    });
    const shown = texts(svg);
    for (const tick of ['0', '100', '200', '300', '400', '1', '0.1', '0.01', '0.001', '10⁻⁴']) {
      expect(shown).toContain(tick);
    }
  });

  it('leaves a gap for values that are not finite, and fits its axes to the others', async () => {
    const drawn = (y: number[]) =>
      lineChart({ ...wave, bands: [], series: [{ name: 'a', y }] }).then((svg) => ({
        svg,
        ticks: texts(svg),
        paths: elements(parseXml(svg), 'path').filter(
          (path) => attribute(path, 'stroke') === colourOf(0),
        ),
      }));
    const gap = await drawn([0, 1, Number.POSITIVE_INFINITY, 1, 0]);
    const whole = await drawn([0, 1, 0.5, 1, 0]);
    expect(gap.ticks).toEqual(whole.ticks);
    expect(gap.svg).not.toMatch(/NaN|Infinity/);
    const moves = (of: typeof gap) =>
      of.paths.flatMap((path) => attribute(path, 'd').match(/M/g) ?? []).length;
    expect(moves(gap)).toBe(moves(whole) + 1);
  });

  it('gives the same bytes again after another chart was drawn', async () => {
    const first = await lineChart(wave);
    await lineChart({ ...wave, title: 'another' });
    expect(await lineChart(wave)).toBe(first);
    expect(await rasterise(first)).toEqual(await rasterise(await lineChart(wave)));
  });

  it('refuses series that do not fit', async () => {
    const series = [{ name: 'odd', x: [1, 2], y: [1] }];
    await expect(lineChart({ ...wave, series })).rejects.toThrow(ShapeError);
    await expect(lineChart({ ...wave, series })).rejects.toThrow(/'odd' has 2 x values, but 1 y/);
    await expect(lineChart({ ...wave, series: [] })).rejects.toThrow(ValueError);
  });

  it('draws empty, constant and single-point series', async () => {
    for (const y of [[], [1], [2, 2, 2], [Number.NaN, Number.NaN]]) {
      parseXml(await lineChart({ ...wave, bands: [], series: [{ name: 'few', y }] }));
    }
  });
});

describe('regionChart', () => {
  const chart = {
    title: 'regions',
    extent: 1,
    grid: {
      rows: 2,
      columns: 3,
      classes: 2,
      probabilities: [1, 0, 0, 1, 0.5, 0.5, 0, 1, 1, 0, 1, 0],
    },
    sets: [
      { name: 'first', points: [0, 0, 0.5, -0.5], label: 0 },
      { name: 'second', points: [-1, 1], label: 1, mark: 'ring' as const },
    ],
  };

  it('mixes each cell from the colours of its classes', async () => {
    const svg = await regionChart(chart);
    const [image] = elements(parseXml(svg), 'image');
    const { data, width, height } = embedded(
      attribute(image, 'href') || attribute(image, 'xlink:href'),
    );
    expect([width, height]).toEqual([3, 2]);
    // The expected colours are 30 % of #0072b2 and 30 % of #d55e00 on white, computed by hand.
    const first = [179, 213, 232];
    const second = [242, 207, 179];
    const both = [210, 210, 205];
    expect([...data]).toEqual([first, second, both, second, first, first].flat());
  });

  it('draws points at their coordinates, with y upwards', async () => {
    const svg = await regionChart(chart);
    const [image] = elements(parseXml(svg), 'image');
    const [left, top, side] = ['x', 'y', 'width'].map((key) => Number(attribute(image, key))) as [
      number,
      number,
      number,
    ];
    const dots = elements(parseXml(svg), 'path')
      .filter((path) => attribute(path, 'fill') === colourOf(0) && attribute(path, 'transform'))
      .map((path) => pathPoints(attribute(path, 'transform')).slice(-2));
    expect(dots).toContainEqual([left + side / 2, top + side / 2]);
    expect(dots).toContainEqual([left + 0.75 * side, top + 0.75 * side]);
  });

  it('has grid points row by row from the top left, as it draws them', () => {
    expect([...gridPoints(1, 2, 4)].map((value) => value || 0)).toEqual([
      -0.75, 0.5, -0.25, 0.5, 0.25, 0.5, 0.75, 0.5, -0.75, -0.5, -0.25, -0.5, 0.25, -0.5, 0.75,
      -0.5,
    ]);
  });

  it('refuses probabilities that do not fit', async () => {
    const grid = { ...chart.grid, rows: 3 };
    await expect(regionChart({ ...chart, grid })).rejects.toThrow(
      /expected 3 x 3 x 2 probabilities, but received 12/,
    );
  });
});

describe('imageGrid', () => {
  const images = Float32Array.from({ length: 3 * 4 }, (_, i) => i / 11);
  const grid = { title: 'four pixels each', images, imageWidth: 2, imageHeight: 2 };

  it('contains every image, dark on light, with exact pixels', async () => {
    const svg = await imageGrid({ ...grid, columns: 2 });
    const drawn = elements(parseXml(svg), 'image');
    expect(drawn).toHaveLength(3);
    for (const [index, image] of drawn.entries()) {
      const { data, channels, width, height } = embedded(attribute(image, 'href'));
      expect([channels, width, height]).toEqual([1, 2, 2]);
      expect([...data]).toEqual(
        [0, 1, 2, 3].map((pixel) => 255 - Math.round((255 * (4 * index + pixel)) / 11)),
      );
    }
    const at = drawn.map((of) => [Number(attribute(of, 'x')), Number(attribute(of, 'y'))]);
    expect(at[1]?.[1]).toBe(at[0]?.[1]);
    expect(at[2]?.[0]).toBe(at[0]?.[0]);
    expect(at[2]?.[1] as number).toBeGreaterThan(at[0]?.[1] as number);
  });

  it('clamps values outside 0 to 1, and draws NaN as paper', async () => {
    const odd = [-1, 2, Number.NaN, Number.POSITIVE_INFINITY];
    const [image] = elements(parseXml(await imageGrid({ ...grid, images: odd })), 'image');
    expect([...embedded(attribute(image, 'href')).data]).toEqual([255, 0, 255, 0]);
  });

  it('draws partners under their images, with captions and labels', async () => {
    const svg = await imageGrid({
      ...grid,
      partners: images.map((value) => 1 - value),
      rowLabels: ['input', 'output'],
      captions: ['a', 'b', 'c < d'],
    });
    const drawn = elements(parseXml(svg), 'image');
    expect(drawn).toHaveLength(6);
    const [first, partner] = [drawn[0], drawn[3]];
    expect(attribute(partner, 'x')).toBe(attribute(first, 'x'));
    expect(Number(attribute(partner, 'y'))).toBeGreaterThan(Number(attribute(first, 'y')));
    expect([...embedded(attribute(partner, 'href')).data].map((value) => 255 - value)).toEqual([
      255, 232, 209, 185,
    ]);
    expect(texts(svg)).toEqual(
      expect.arrayContaining(['input', 'output', 'a', 'b', 'c < d', 'four pixels each']),
    );
  });

  it('is rasterised with the ink at the same position as in the SVG', async () => {
    const black = { title: '', images: new Float32Array(784).fill(1) };
    const svg = await imageGrid(black);
    const [image] = elements(parseXml(svg), 'image');
    const png = decode(await rasterise(svg, { scale: 1 }));
    const x = Number(attribute(image, 'x')) + 28;
    const y = Number(attribute(image, 'y')) + 28;
    expect([...png.data.slice(4 * (y * png.width + x), 4 * (y * png.width + x) + 3)]).toEqual([
      0, 0, 0,
    ]);
    expect([...png.data.slice(0, 3)]).toEqual([255, 255, 255]);
  });

  it('refuses images that do not fit', async () => {
    await expect(imageGrid({ ...grid, images: [1, 2, 3] })).rejects.toThrow(
      /a multiple of 4 pixels, but received 3/,
    );
    await expect(imageGrid({ ...grid, images: [] })).rejects.toThrow(ValueError);
    await expect(imageGrid({ ...grid, partners: [1] })).rejects.toThrow(ShapeError);
    await expect(imageGrid({ ...grid, captions: ['one'] })).rejects.toThrow(/3 captions/);
  });
});

describe('renderDot', () => {
  it('draws every node and edge of a graph, and escapes labels', async () => {
    const svg = await renderDot('digraph { a [label="x < y & \\"z\\""]; a -> b; b -> c; a -> c }');
    const root = parseXml(svg);
    const kind = (name: string) =>
      elements(root, 'g').filter((group) => attribute(group, 'class') === name);
    expect(kind('node')).toHaveLength(3);
    expect(kind('edge')).toHaveLength(3);
    expect(texts(svg)).toContain('x < y & "z"');
    expect(attribute(root, 'width')).toMatch(/^\d+$/);
    expect(svg).toContain('Arimo');
  });

  it('draws an unrolled network of 160 nodes, with the same text each time', async () => {
    const layer = (step: number) =>
      Array.from(
        { length: 20 },
        (_, i) => `w${i} -> n${step}_${i}; n${step}_${i} -> n${step + 1}_0;`,
      );
    const dot = `digraph { ${Array.from({ length: 7 }, (_, step) => layer(step).join(' ')).join('\n')} }`;
    const svg = await renderDot(dot);
    expect(elements(parseXml(svg), 'title').length).toBe(20 + 7 * 20 + 1 + 7 * 40);
    expect(await renderDot(dot)).toBe(svg);
  });

  it('reports the message of Graphviz for a wrong graph, and can draw the next graph', async () => {
    await expect(renderDot('digraph { a -> }')).rejects.toThrow(
      /cannot draw the graph: syntax error/,
    );
    await expect(renderDot('')).rejects.toThrow(ValueError);
    expect(texts(await renderDot('digraph { after }'))).toEqual(['after']);
  });
});
