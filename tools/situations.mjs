// Tries the package in the surroundings that it is used in: node tools/situations.mjs [--short] [WORD …], all or those
// whose names hold one of the words. Needs the tarball: node tools/prebuild.mjs && node tools/package.mjs.
// `npm run prove situations` does all of that, and writes the record.
import { trySituations } from './situations/run.mjs';

const words = process.argv.slice(2);
const full = !words.includes('--short');
const only = words.filter((word) => word !== '--short');
const { families, failed } = trySituations({ full, only, log: console.log });
const passed = families.reduce((sum, { rows }) => sum + rows.length, 0);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
