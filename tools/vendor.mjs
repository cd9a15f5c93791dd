// Around `npm pack`: puts the headers that the addon is compiled with, and their licences, into native/vendor, and
// takes them away again. So the tarball builds without any package, and a checkout never builds by a stale copy.
// `node tools/vendor.mjs add|remove`
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const vendor = fileURLToPath(new URL('../native/vendor', import.meta.url));
rmSync(vendor, { recursive: true, force: true });
if (process.argv[2] === 'add') {
  createRequire(import.meta.url)('../native/vendor.cjs').copyHeaders(vendor);
}
