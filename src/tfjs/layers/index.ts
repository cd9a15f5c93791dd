/** The table of layers, by their classes. */

import type { Row, Rows } from '../call.js';
import { activations } from './activations.js';
import { convolution } from './convolution.js';
import { core } from './core.js';
import { images } from './images.js';
import { merge } from './merge.js';
import { noise } from './noise.js';
import { normalization } from './normalization.js';
import { recurrent } from './recurrent.js';
import { wrappers } from './wrappers.js';

/** All rows of the table, in the order of the docs. */
export const layers: Rows = {
  ...core,
  ...activations,
  ...noise,
  ...merge,
  ...convolution,
  ...images,
  ...normalization,
  ...recurrent,
  ...wrappers,
};

/** Returns the row of a class; undefined if forebay does not have it. */
export function rowOf(kind: string): Row | undefined {
  return Object.hasOwn(layers, kind) ? layers[kind] : undefined;
}
