// Runs a test file in the emulated Node: node run.mjs WRAPPER FILE. The last line is "N passed, N failed".
import { pathToFileURL } from 'node:url';
import { finish } from 'vitest';

const [wrapper, file] = process.argv.slice(2);
// Some tests start another Node by `process.execPath`. The kernel of this machine cannot start an ARM program, so the
// path is changed to the wrapper, a script that starts the emulator.
process.execPath = wrapper;
await import(pathToFileURL(file).href);
const [passed, failed] = await finish();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
