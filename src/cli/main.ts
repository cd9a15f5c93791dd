#!/usr/bin/env node
/** The `forebay` command. */

import { demos } from './demos/index.js';
import { main } from './shell.js';

// It is not an error if the program that reads the output closes it early, as in `forebay --help | head -1`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

// Ctrl-C needs no handler. There is nothing to undo, because files are written completely or not at all, and the
// operating system ends the process at once, even during a long native call.
void main(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  demos,
}).then((status) => {
  process.exitCode = status;
});
