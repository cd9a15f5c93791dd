/** The demos. Each is loaded only when it is needed, so that `--help` does not load all of them. */

import type { Registry } from '../demo.js';

export const demos: Registry = {
  trig: () => import('./trig.js'),
  vae: () => import('./vae.js'),
  spiral: () => import('./spiral.js'),
  mnist: () => import('./mnist.js'),
};
