/** Creates the context that the `run` of a demo receives: its folder, its metrics and its output to the terminal. */

import { join } from 'node:path';
import { save } from '../index.js';
import { writeWhole } from '../report/files.js';
import { renderDot } from '../report/graphviz.js';
import { rasterise } from '../report/raster.js';
import type { Context, Metric } from './demo.js';
import type { ProgressBars } from './progress.js';

export interface ContextParts {
  readonly demo: string;
  readonly out: string;
  readonly seed: number;
  readonly options: Readonly<Record<string, unknown>>;
  readonly bars: ProgressBars;
  readonly print: (text: string) => void;
}

/** Creates a context. `written` contains the names of the files that were written with the context, in order. */
export function createContext(parts: ContextParts): {
  readonly context: Context<never>;
  readonly written: ReadonlySet<string>;
} {
  const { demo, out, seed, options, bars, print } = parts;
  const written = new Set<string>();
  const write = (name: string, content: string | Uint8Array) => {
    writeWhole(join(out, name), content);
    written.add(name);
  };
  let figures: Readonly<Record<string, Metric>> = { demo, seed };
  const context: Context<never> = {
    out,
    seed,
    options: options as never,
    write,
    progress: (total, title) => bars.start(total, title),
    say: (line) => bars.interrupt(() => print(`${line}\n`)),
    model: (parameters, metadata = {}) => {
      save(join(out, 'model.safetensors'), parameters, { metadata: { demo, ...metadata } });
      written.add('model.safetensors');
    },
    picture: async (name, svg) => {
      const png = await rasterise(svg);
      write(`${name}.svg`, svg);
      write(`${name}.png`, png);
    },
    graph: async (name, dot) => {
      write(`${name}.dot`, dot);
      write(`${name}.svg`, await renderDot(dot));
    },
    metrics: (more) => {
      figures = { ...figures, ...more };
      write('metrics.json', formatMetrics(figures));
    },
  };
  return { context, written };
}

/**
 * Returns metrics as JSON. Typed arrays become lists, and numbers that JSON cannot represent become the strings NaN,
 * Infinity, -Infinity.
 */
export function formatMetrics(figures: Readonly<Record<string, Metric>>): string {
  const plain = (_: string, value: unknown) => {
    if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
    return ArrayBuffer.isView(value) ? Array.from(value as Float32Array) : value;
  };
  return `${JSON.stringify(figures, plain, 2)}\n`;
}
