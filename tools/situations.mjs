// Tries the package with package managers, test runners, bundlers, deployments and runtimes:
// `node tools/situations.mjs [--short] [WORD …]`. By default it tries all situations. With --short, it tries only the
// situations of continuous integration. With WORDs, it tries only the situations whose names contain one of the words.
// Make the tarball first: `node tools/prebuild.mjs && node tools/package.mjs`. `npm run prove situations` makes the
// tarball, tries all situations, and writes the record.
import { trySituations } from './situations/run.mjs';

const words = process.argv.slice(2);
const full = !words.includes('--short');
const only = words.filter((word) => word !== '--short');
const { families, failed } = trySituations({ full, only, log: console.log });
const passed = families.reduce((sum, { rows }) => sum + rows.length, 0);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
