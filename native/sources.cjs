// The list of C++ sources. binding.gyp reads it, and CMakeLists.txt globs the same folders.
// Both builds find a new .cc file by themselves (gyp: on the next `rebuild`).
'use strict';
const { readdirSync } = require('node:fs');
const { join } = require('node:path');

const sources = ['kernels', 'routines', 'program', 'binding'].flatMap((folder) =>
  readdirSync(join(__dirname, folder))
    .filter((file) => file.endsWith('.cc'))
    .sort()
    .map((file) => `native/${folder}/${file}`),
);

module.exports = sources;
