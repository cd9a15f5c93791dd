/** Draws DOT graphs with Graphviz, which is part of an npm package as WebAssembly. */

import { ValueError } from '../errors.js';
import { escapeXml, fontFamily, paper } from './theme.js';

// The font for which Graphviz lays out text. Graphviz has no font files here, but it has a table of the character
// widths of Arial. Arimo and similar fonts have the same widths.
const measuredFont = 'Arial';
const defaults = {
  graphAttributes: { fontname: measuredFont, bgcolor: paper, pad: '0.2' },
  nodeAttributes: { fontname: measuredFont },
  edgeAttributes: { fontname: measuredFont },
};

let graphviz: Promise<import('@viz-js/viz').Viz> | undefined;

/**
 * Lays out a DOT graph and draws it. Attributes that the graph sets are kept. By default, a graph has the font of all
 * pictures, and a white background.
 * @returns SVG text; the same graph always gives the same text
 * @throws ValueError with Graphviz's message if it cannot read or lay out the graph
 */
export async function renderDot(dot: string): Promise<string> {
  graphviz ??= import('@viz-js/viz').then(({ instance }) => instance());
  const viz = await graphviz;
  let result: import('@viz-js/viz').RenderResult;
  try {
    result = viz.render(dot, { format: 'svg', engine: 'dot', ...defaults });
  } catch (cause) {
    // After a trap inside WebAssembly, the instance cannot be used for another graph.
    graphviz = undefined;
    throw new ValueError(`renderDot: Graphviz failed on the graph: ${String(cause)}`, { cause });
  }
  if (result.status !== 'success') {
    const reasons = result.errors.map((error) => error.message.trim()).join('; ');
    throw new ValueError(`renderDot: Graphviz cannot draw the graph: ${reasons}`);
  }
  return (
    result.output
      .replace(/^[\s\S]*?(?=<svg\b)/, '')
      // Remove the unit "pt" from the size, so that a point is one SVG unit, as in the other pictures.
      .replace(/(<svg\b[^>]*?\bwidth=")([\d.]+)pt(" height=")([\d.]+)pt"/, '$1$2$3$4"')
      .replaceAll(`font-family="${measuredFont}"`, `font-family="${escapeXml(fontFamily)}"`)
  );
}
