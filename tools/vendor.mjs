// Around `npm pack`: puts node-addon-api's headers, with their licence, into native/vendor, and takes
// them away again. So the tarball builds with no package but the loader, and a checkout never builds
// by a stale copy. `node tools/vendor.mjs add|remove`
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const vendor = fileURLToPath(new URL('../native/vendor', import.meta.url));
rmSync(vendor, { recursive: true, force: true });
if (process.argv[2] === 'add') {
  const from = dirname(createRequire(import.meta.url).resolve('node-addon-api/package.json'));
  mkdirSync(vendor);
  for (const file of ['napi.h', 'napi-inl.h', 'napi-inl.deprecated.h', 'LICENSE.md']) {
    copyFileSync(join(from, file), join(vendor, file));
  }
}
