/** The demos. Each is loaded when it is asked for: `--help` must not wait for all of them. */

import type { Registry } from '../demo.js';

export const demos: Registry = {
  trig: () => import('./trig.js'),
  vae: () => import('./vae.js'),
  spiral: () => import('./spiral.js'),
  mnist: () => import('./mnist.js'),
};
