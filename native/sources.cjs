// The one list of C++ sources, by directory: binding.gyp reads it here, CMakeLists.txt globs the
// same folders. A new .cc file joins both builds by being there (gyp: on the next `rebuild`).
'use strict';
const { readdirSync } = require('node:fs');
const { join } = require('node:path');

const sources = ['kernels', 'program', 'binding'].flatMap((folder) =>
  readdirSync(join(__dirname, folder))
    .filter((file) => file.endsWith('.cc'))
    .sort()
    .map((file) => `native/${folder}/${file}`),
);

module.exports = sources;
