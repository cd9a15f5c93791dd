// What `npm install forebay` runs. An addon that loads is kept: the one in the package, on most
// machines. Otherwise node-gyp builds one, once all that it needs is there. Left alone, node-gyp
// downloads Node's headers, although most installs of Node brought them along: it is told where they
// are, and then needs no network. `npm_config_build_from_source=true npm install forebay` always builds.
'use strict';
const { spawnSync } = require('node:child_process');
const { existsSync, readFileSync } = require('node:fs');
const { dirname, join } = require('node:path');
const { describeMissing, findMissing } = require('./check-deps.cjs');

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

/** Whether there is an addon that loads: tried in a process of its own, which may die of it. */
function loads() {
  const attempt = [require.resolve('node-gyp-build/build-test.js')];
  return spawnSync(process.execPath, attempt, { stdio: 'ignore' }).status === 0;
}

function build() {
  const missing = findMissing({ gyp: true });
  if (missing.length > 0) {
    process.stderr.write(describeMissing(missing));
    return 1;
  }
  const env = { ...process.env, npm_config_build_from_source: 'true' };
  if (!env.npm_config_nodedir && headersMatch()) env.npm_config_nodedir = prefix;
  env.JOBS ??= 'max'; // node-gyp's word for all cores; by itself it compiles one file at a time
  const builder = [require.resolve('node-gyp-build/bin.js')];
  return spawnSync(process.execPath, builder, { env, stdio: 'inherit' }).status ?? 1;
}

const asked = process.env.npm_config_build_from_source === 'true';
process.exitCode = !asked && loads() ? 0 : build();
