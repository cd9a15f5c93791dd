// The folder of the headers of node-addon-api: in a checkout that of the npm package; in the tarball the copy that
// `npm pack` put into native/vendor, so that an installation needs no other package.
'use strict';
const { existsSync } = require('node:fs');
const { dirname, join } = require('node:path');

const packed = join(__dirname, 'vendor');
module.exports = existsSync(join(packed, 'napi.h'))
  ? 'native/vendor'
  : dirname(require.resolve('node-addon-api/package.json'));
