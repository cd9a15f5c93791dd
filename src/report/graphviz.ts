/** Graph drawings: DOT laid out by Graphviz, which comes as WebAssembly inside its npm package. */

import { ValueError } from '../errors.js';
import { escapeXml, fontFamily, paper } from './theme.js';

// Graphviz has no font files here, but knows the widths of this one; Arimo and its kin share them.
const measuredFont = 'Arial';
const defaults = {
  graphAttributes: { fontname: measuredFont, bgcolor: paper, pad: '0.2' },
  nodeAttributes: { fontname: measuredFont },
  edgeAttributes: { fontname: measuredFont },
};

let graphviz: Promise<import('@viz-js/viz').Viz> | undefined;

/**
 * Lays a DOT graph out and draws it. The graph's own attributes stand; without any, text is set in
 * the pictures' face on white.
 * @returns SVG; the same graph gives the same text
 * @throws ValueError with Graphviz's own words when it cannot read or lay out the graph
 */
export async function renderDot(dot: string): Promise<string> {
  graphviz ??= import('@viz-js/viz').then(({ instance }) => instance());
  const viz = await graphviz;
  let result: import('@viz-js/viz').RenderResult;
  try {
    result = viz.render(dot, { format: 'svg', engine: 'dot', ...defaults });
  } catch (cause) {
    // What has trapped inside WebAssembly is not fit for another graph.
    graphviz = undefined;
    throw new ValueError(`renderDot: Graphviz gave up on the graph: ${String(cause)}`, { cause });
  }
  if (result.status !== 'success') {
    const reasons = result.errors.map((error) => error.message.trim()).join('; ');
    throw new ValueError(`renderDot: Graphviz cannot draw the graph: ${reasons}`);
  }
  return (
    result.output
      .replace(/^[\s\S]*?(?=<svg\b)/, '')
      // One SVG unit a point, as in the other pictures.
      .replace(/(<svg\b[^>]*?\bwidth=")([\d.]+)pt(" height=")([\d.]+)pt"/, '$1$2$3$4"')
      .replaceAll(`font-family="${measuredFont}"`, `font-family="${escapeXml(fontFamily)}"`)
  );
}
