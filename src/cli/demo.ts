/** The type of a demo, and of the context that its `run` receives. */

import type { Metadata, Saved } from '../index.js';
import type { Options, Values } from './options.js';
import type { Progress } from './progress.js';

/** A demonstration: one record in `demos/NAME.ts`, made with `defineDemo` and exported as `demo`. */
export interface Demo<O extends Options = Options> {
  /** The name that is typed after `forebay demo`. */
  readonly name: string;
  /** The description in the help, one line. */
  readonly summary: string;
  /** The options besides `--out` and `--seed`, which every demo has. */
  readonly options: O;
  run(context: Context<Values<O>>): Promise<void>;
}

/**
 * A figure for `metrics.json`, or lists and records of figures. Typed arrays are written as lists. A demo must not
 * write times, because the same seed must give the same file.
 */
export type Metric = number | string | boolean | null | object;

export interface Context<V = Readonly<Record<string, unknown>>> {
  /** The folder for results: an absolute path of an existing folder. */
  readonly out: string;
  readonly seed: number;
  readonly options: V;
  /** Starts a progress bar. It is drawn only if stderr is a terminal. Call its `done` at the end. */
  progress(total: number, title: string): Progress;
  /** Prints a line to stdout. */
  say(line: string): void;
  /** Writes a file into the folder, completely or not at all. */
  write(name: string, content: string | Uint8Array): void;
  /** Writes the trained parameters to model.safetensors, which the option `--load` reads. */
  model(parameters: Saved, metadata?: Metadata): void;
  /** Writes a picture as `name`.svg and `name`.png. */
  picture(name: string, svg: string): Promise<void>;
  /** Writes a graph as `name`.dot, and the picture that Graphviz draws of it as `name`.svg. */
  graph(name: string, dot: string): Promise<void>;
  /**
   * Adds figures to metrics.json, which begins with the demo's name and seed. May be called several times. Numbers that
   * are not finite are written as the strings NaN, Infinity, -Infinity.
   */
  metrics(figures: Readonly<Record<string, Metric>>): void;
}

/** Returns `demo` itself. The call lets TypeScript infer the types of the options that `run` receives. */
export function defineDemo<O extends Options>(demo: Demo<O>): Demo<O> {
  return demo;
}

/** The type that all demos have in common. It does not contain the types of a demo's options. */
export interface AnyDemo extends Omit<Demo, 'run'> {
  run(context: Context<never>): Promise<void>;
}

/** Functions that load the demos, by the names of the demos. A demo is loaded only when it is needed. */
export type Registry = Readonly<Record<string, () => Promise<{ readonly demo: AnyDemo }>>>;
