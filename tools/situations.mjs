// Tries the package in the surroundings that it is used in: node tools/situations.mjs [--short] [WORD …], all or those
// whose names hold one of the words. Needs the tarball: node tools/prebuild.mjs && node tools/package.mjs.
// `npm run prove situations` does all of that, and writes the record.
import { trySituations } from './situations/run.mjs';

const words = process.argv.slice(2);
const full = !words.includes('--short');
const only = words.filter((word) => word !== '--short');
try {
  const families = trySituations({ full, only, log: console.log });
  const count = families.reduce((sum, { rows }) => sum + rows.length, 0);
  console.log(`${count} passed, 0 failed`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
