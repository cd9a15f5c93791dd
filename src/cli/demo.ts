/** What a demo is, and what it is given to work with. */

import type { Metadata, Saved } from '../index.js';
import type { Options, Values } from './options.js';
import type { Progress } from './progress.js';

/** A demonstration: one record in `demos/NAME.ts`, made with `defineDemo` and exported as `demo`. */
export interface Demo<O extends Options = Options> {
  /** What is typed after `forebay demo`. */
  readonly name: string;
  /** One line for the help. */
  readonly summary: string;
  /** Beyond `--out` and `--seed`, which every demo has. */
  readonly options: O;
  run(context: Context<Values<O>>): Promise<void>;
}

/**
 * A figure for `metrics.json`, or lists and records of them; typed arrays are lists. Times have no
 * place there: the same seed gives the same file.
 */
export type Metric = number | string | boolean | null | object;

export interface Context<V = Readonly<Record<string, unknown>>> {
  /** The folder for results, absolute; it exists. */
  readonly out: string;
  readonly seed: number;
  readonly options: V;
  /** A progress bar on the terminal; silent when stderr is not one. Call `done` in the end. */
  progress(total: number, title: string): Progress;
  /** Prints a line to stdout. */
  say(line: string): void;
  /** Writes a file into the folder, whole or not at all. */
  write(name: string, content: string | Uint8Array): void;
  /** Writes model.safetensors: what was trained, for `--load`. */
  model(parameters: Saved, metadata?: Metadata): void;
  /** Writes `name`.svg, and `name`.png drawn from it. */
  picture(name: string, svg: string): Promise<void>;
  /** Writes `name`.dot, and `name`.svg laid out from it. */
  graph(name: string, dot: string): Promise<void>;
  /**
   * Adds to metrics.json, which begins with the demo's name and seed. Call it as often as there is
   * something to say; numbers that are not finite are written as the strings NaN, Infinity, -Infinity.
   */
  metrics(figures: Readonly<Record<string, Metric>>): void;
}

/** Gives a demo's `run` the types of its options. */
export function defineDemo<O extends Options>(demo: Demo<O>): Demo<O> {
  return demo;
}

/** A demo as the shell holds it: which options it has is for it alone to know. */
export interface AnyDemo extends Omit<Demo, 'run'> {
  run(context: Context<never>): Promise<void>;
}

/** Demos by name, each loaded when it is wanted. */
export type Registry = Readonly<Record<string, () => Promise<{ readonly demo: AnyDemo }>>>;
