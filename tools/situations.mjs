// Tries the package with package managers, test runners, bundlers, deployments and runtimes:
// `node tools/situations.mjs [--short] [WORD …]`. By default it tries all situations; --short leaves out those that
// continuous integration does not try, and WORDs select those whose names contain one of them. Make the tarball first:
// `node tools/prebuild.mjs && node tools/package.mjs`. `npm run prove situations` does everything, and writes the record.
import { trySituations } from './situations/run.mjs';

const words = process.argv.slice(2);
const full = !words.includes('--short');
const only = words.filter((word) => word !== '--short');
const { families, failed } = trySituations({ full, only, log: console.log });
const passed = families.reduce((sum, { rows }) => sum + rows.length, 0);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
