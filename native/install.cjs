// What `npm install forebay` runs: node-gyp-build, which keeps an addon that loads and otherwise has
// node-gyp build one. Left alone, node-gyp downloads Node's headers, although most installs of Node
// brought them along: it is told where they are, and then needs no network.
'use strict';
const { spawnSync } = require('node:child_process');
const { existsSync, readFileSync } = require('node:fs');
const { dirname, join } = require('node:path');

const prefix = dirname(dirname(process.execPath));
const headers = join(prefix, 'include', 'node');

/** Whether the headers are there and are those of this Node, not of one installed earlier. */
function headersMatch() {
  if (!existsSync(join(headers, 'common.gypi'))) return false;
  const source = readFileSync(join(headers, 'node_version.h'), 'utf8');
  const version = ['MAJOR', 'MINOR', 'PATCH']
    .map((part) => new RegExp(`#define NODE_${part}_VERSION (\\d+)`).exec(source)?.[1])
    .join('.');
  return version === process.versions.node;
}

const env = { ...process.env };
if (!env.npm_config_nodedir && headersMatch()) env.npm_config_nodedir = prefix;
env.JOBS ??= 'max'; // node-gyp's word for all cores; by itself it compiles one file at a time

const { status } = spawnSync(process.execPath, [require.resolve('node-gyp-build/bin.js')], {
  env,
  stdio: 'inherit',
});
process.exit(status ?? 1);
