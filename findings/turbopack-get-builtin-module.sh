#!/usr/bin/env bash
# Next.js 16.4.6, Turbopack: a file is traced if require('node:path') makes its path, but not if the same module comes
# from process.getBuiltinModule('node:path').
#
# Expected: the standalone output has each file that an external package names by a path from __dirname. The two calls
# give the same module, and for @vercel/nft 1.11.5 a template of __dirname alone is enough. Seen: Turbopack copies the
# files of path.resolve(`${__dirname}/FILE`) and path.join(__dirname, 'FILE') if path comes from require. It copies none
# if path comes from process.getBuiltinModule, and not the file of the template alone. It prints no warning, so the
# deployed program fails when it opens the file.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export NEXT_TELEMETRY_DISABLED=1
echo '{ "private": true }' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts next@16.4.6 react@19.3.1 react-dom@19.3.1 @vercel/nft@1.11.5
mkdir -p app/answer node_modules/native
cat >next.config.mjs <<'JS'
export default {
  output: 'standalone',
  outputFileTracingRoot: import.meta.dirname,
  serverExternalPackages: ['native'],
};
JS
cat >app/layout.jsx <<'JS'
export default function Layout({ children }) {
  return <html lang="en"><body>{children}</body></html>;
}
JS
cat >app/answer/route.js <<'JS'
import * as native from 'native';

export const dynamic = 'force-dynamic';
export const GET = () => new Response(Object.keys(native).join(' '));
JS
cd node_modules/native
echo '{ "name": "native", "version": "1.0.0", "main": "index.js" }' >package.json
cat >index.js <<'JS'
const required = require('node:path');
const builtin = process.getBuiltinModule('node:path');
exports.files = [
  required.resolve(`${__dirname}/required-resolve.node`),
  required.join(__dirname, 'required-join.node'),
  builtin.resolve(`${__dirname}/builtin-resolve.node`),
  builtin.join(__dirname, 'builtin-join.node'),
  `${__dirname}/template.node`,
];
JS
for file in required-resolve required-join builtin-resolve builtin-join template; do echo >"$file.node"; done
cd "$folder"
npx next build >build.log 2>&1 || { cat build.log; exit 2; }
turbopack=$(ls .next/standalone/node_modules/native | grep 'node$' | sort | tr '\n' ' ')
nft=$(node --input-type=module -e "
  import { nodeFileTrace } from '@vercel/nft';
  const { fileList } = await nodeFileTrace(['node_modules/native/index.js']);
  console.log([...fileList].filter((file) => file.endsWith('.node')).map((file) => file.split('/').pop()).sort().join(' '));
")
head -1 build.log
echo "Turbopack copies: $turbopack"
echo "nft finds: $nft"
[ "$turbopack" = 'required-join.node required-resolve.node ' ] &&
  [ "$nft" = 'builtin-resolve.node required-join.node required-resolve.node template.node' ] ||
  { echo 'this has changed'; exit 1; }
