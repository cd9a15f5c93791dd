// The folder of node-addon-api's headers: the package's in a checkout; in the tarball the copy that
// `npm pack` put beside this file, so that whoever installs forebay needs no package but the loader.
'use strict';
const { existsSync } = require('node:fs');
const { dirname, join } = require('node:path');

const packed = join(__dirname, 'vendor');
module.exports = existsSync(join(packed, 'napi.h'))
  ? 'native/vendor'
  : dirname(require.resolve('node-addon-api/package.json'));
