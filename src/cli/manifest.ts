/** What package.json says, of which there is one: of the version and of Node. */

import { createRequire } from 'node:module';

interface Manifest {
  readonly version: string;
  readonly engines: { readonly node: string };
}

export function manifest(): Manifest {
  return createRequire(import.meta.url)('../../package.json') as Manifest;
}
