// The headers that the addon is compiled with: those of node-addon-api, and those of Node-API in a folder with the
// structure of an installed Node, for node-gyp. The tarball contains them (`npm pack` puts them into native/vendor), so
// that compiling needs no other package, no headers of Node and no network.
'use strict';
const { cpSync, copyFileSync, existsSync, mkdirSync, writeFileSync } = require('node:fs');
const { dirname, join } = require('node:path');

const packed = join(__dirname, 'vendor');

// The file that node-gyp reads from an installed Node besides the headers. The flags are in binding.gyp.
const settings = `# Node-API's headers are all that the addon needs of Node.
{ 'target_defaults': { 'default_configuration': 'Release', 'configurations': { 'Release': {}, 'Debug': {} } } }
`;

/** Copies the headers to a folder, which is created. In a checkout they come from npm packages. */
function copyHeaders(to) {
  if (existsSync(join(packed, 'napi.h'))) {
    cpSync(packed, to, { recursive: true });
    return;
  }
  const addonApi = dirname(require.resolve('node-addon-api/package.json'));
  const nodeApi = dirname(require.resolve('node-api-headers/package.json'));
  const node = join(to, 'node/include/node');
  mkdirSync(node, { recursive: true });
  for (const file of ['napi.h', 'napi-inl.h', 'napi-inl.deprecated.h', 'LICENSE.md']) {
    copyFileSync(join(addonApi, file), join(to, file));
  }
  copyFileSync(join(nodeApi, 'LICENSE'), join(to, 'node/LICENSE'));
  for (const file of ['js_native_api', 'js_native_api_types', 'node_api', 'node_api_types']) {
    copyFileSync(join(nodeApi, 'include', `${file}.h`), join(node, `${file}.h`));
  }
  writeFileSync(join(node, 'common.gypi'), settings);
}

module.exports = { copyHeaders };
