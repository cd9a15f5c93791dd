#!/usr/bin/env node
/** The `forebay` command. */

import { demos } from './demos/index.js';
import { main } from './shell.js';

// A reader that has seen enough (`forebay --help | head -1`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

// No handler for Ctrl-C: there is nothing to undo (files are written whole or not at all), and the
// system ends a demo at once, even in the middle of a long native call.
void main(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  demos,
}).then((status) => {
  process.exitCode = status;
});
