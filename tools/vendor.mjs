// Copies the headers with which the addon is compiled, and their licences, into native/vendor before `npm pack`, and
// removes them afterwards: `node tools/vendor.mjs add|remove`. So the addon can be compiled from the tarball without
// other packages, and a checkout never compiles with an old copy of the headers.
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const vendor = fileURLToPath(new URL('../native/vendor', import.meta.url));
rmSync(vendor, { recursive: true, force: true });
if (process.argv[2] === 'add') {
  createRequire(import.meta.url)('../native/vendor.cjs').copyHeaders(vendor);
}
