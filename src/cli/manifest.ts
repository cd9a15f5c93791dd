/** Reads the version of forebay and the supported versions of Node from package.json. */

import { createRequire } from 'node:module';

interface Manifest {
  readonly version: string;
  readonly engines: { readonly node: string };
}

export function manifest(): Manifest {
  return createRequire(import.meta.url)('../../package.json') as Manifest;
}
